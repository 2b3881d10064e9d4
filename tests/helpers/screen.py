"""A terminal in memory: what stands on it after text and control sequences, and after it was made narrower."""

import io
import re

PARTS = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen(io.StringIO):
    """A text stream; a console's file.

    Args:
        width: characters of a row; a longer line goes on in the next one.
    """

    def __init__(self, width):
        super().__init__()
        self.width, self.wraps = width, True
        self.lines, self.goes_on, self.row, self.column = [""], [False], 0, 0

    def isatty(self):
        return True

    def write(self, text):
        for number, command, end, shown in PARTS.findall(text):
            if shown:
                self._show(shown)
            elif end == "\r":
                self.column = 0
            elif end == "\n":
                self._down(False)
            elif command == "A":
                self.row = max(0, self.row - int(number))
            elif command == "K":
                self.lines[self.row] = ""
            elif (number, command) in (("?7", "l"), ("?7", "h")):
                self.wraps = command == "h"
        return len(text)

    def resize(self, width):
        """Wrap every line at another width, the cursor with its text."""
        joined, self.width = [], width
        for line, goes_on in zip(self.lines, self.goes_on, strict=True):
            if goes_on:
                joined[-1] += line
            else:
                joined.append(line)
        self.lines, self.goes_on = [], []
        for line in joined:
            rows = [line[i : i + width] for i in range(0, len(line), width)] or [""]
            self.lines += rows
            self.goes_on += [False] + [True] * (len(rows) - 1)
        self.row, self.column = len(self.lines) - 1, len(self.lines[-1])

    @property
    def text(self):
        """All rows that are not empty."""
        return [line.rstrip() for line in self.lines if line.strip()]

    def _show(self, text):
        for character in text:
            if self.column == self.width:
                if self.wraps:
                    self._down(True)
                else:
                    self.column -= 1
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _down(self, goes_on):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.lines):
            self.lines.append("")
            self.goes_on.append(False)
        if goes_on:
            self.goes_on[self.row] = True

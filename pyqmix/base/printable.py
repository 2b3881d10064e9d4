"""Text that may come from anyone, made safe for a terminal: control characters could change what it shows."""

from __future__ import annotations


def printable(text: str) -> str:
    """Replace each character that is not printable, but for line breaks, by U+FFFD.

    Lone surrogates, which stand for the bytes of a file's name that is not UTF-8, are replaced too, because they
    cannot be written.
    """
    if text.isprintable():
        return text
    return "".join(x if x.isprintable() or x == "\n" else "\N{REPLACEMENT CHARACTER}" for x in text)


def one_line(text: str, most: int = 80) -> str:
    """Make one printable line, of which the end is cut where it has more than ``most`` characters."""
    line = printable(text[: most + 1]).replace("\n", "\N{REPLACEMENT CHARACTER}")
    return line if len(line) <= most else f"{line[: most - 1]}…"

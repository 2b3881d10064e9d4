"""Standard output and standard error whose reader may go away, which is no reason to end a run."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

STREAMS = (1, 2)  # the descriptors of standard output and standard error


class Steady:
    """A text stream that raises no OSError: after one, its text is dropped.

    Characters that its encoding does not have are written as escapes. Where a stream that does not block is full,
    only that text may be lost. After any other error, as of a pipe without a reader, the descriptor leads to
    nowhere, so that Python's own flush at its exit does not fail either.

    Args:
        stream: where the text goes; any object that has a method ``write``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_gone = stream, False

    def write(self, text: str) -> int:
        """Write text."""
        if not self._is_gone:
            try:
                self._put(text)
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if not self._is_gone:
            try:
                getattr(self._stream, "flush", _do_nothing)()
            except (OSError, ValueError) as error:
                self._fail(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        try:
            return bool(getattr(self._stream, "isatty", _do_nothing)())
        except ValueError:  # it is closed
            return False

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError as error:  # as where LC_ALL is C: the text as it would stand in a source file
            self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self, error: OSError | ValueError) -> None:
        if isinstance(error, BlockingIOError):
            return
        self._is_gone = True
        with suppress(OSError, ValueError, AttributeError):  # of a stream without a descriptor
            _lead_nowhere(self._stream.fileno())


def flush_all() -> None:
    """Write what Python has buffered for standard output and standard error; to nowhere if that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                _lead_nowhere(stream.fileno())


def escape_unknown_characters() -> None:
    """Let standard output write characters that its encoding does not have as escapes, and not raise an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def leave_gone_terminal() -> None:
    """Write to nowhere in place of a terminal that has hung up, where each line would be an OSError."""
    for descriptor in STREAMS:
        try:
            os.write(descriptor, b"")
        except OSError as error:
            if error.errno == errno.EIO:
                _lead_nowhere(descriptor)


def _do_nothing() -> None:
    pass


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Lead standard output to standard error, also that of C libraries and of processes that are started.

    So libraries that print something do not disturb a program that reads the command's output.
    """
    flush_all()
    with ExitStack() as stack:
        with suppress(OSError):  # one of them is closed
            kept = os.dup(1)
            stack.callback(os.close, kept)
            os.dup2(2, 1)
            stack.callback(os.dup2, kept, 1)
        stack.callback(flush_all)
        with redirect_stdout(sys.stderr):
            yield

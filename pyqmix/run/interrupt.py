"""Lets a run end cleanly on Ctrl-C, SIGTERM, SIGHUP and SIGUSR1."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from pyqmix.base.errors import EnvError
from pyqmix.base.output import leave_gone_terminal
from pyqmix.base.signals import AT_ONCE, Caught, catch, exit_code


class Interrupted(KeyboardInterrupt):
    """A second signal, which does not wait for the environment.

    Attributes:
        exit_code: of the command.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


class Interrupt:
    """A context manager that remembers the signals which stop a run.

    After the first one the run ends with the present round of episodes. A second one raises :class:`Interrupted`,
    but only inside of :meth:`may_raise`, never in the middle of a training step or of a file; elsewhere it waits
    for the next such block. Outside the main thread, where Python delivers no signals, it never sees any.

    Attributes:
        seen: whether a signal has come.
        exit_code: of a command that it ends; 0 before.
        show: takes the line for stderr where something live is on the terminal; returns whether it has.

    Args:
        quiet: do not say on stderr that the run is about to end.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.seen, self.exit_code = False, 0
        self.show: Callable[[str], bool] = lambda line: False
        self._quiet = quiet
        self._last = 0.0
        self._raises = self._is_due = False
        self._caught: Caught | None = None

    def __enter__(self) -> Interrupt:
        self._caught = catch(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._caught is not None:
            self._caught.release()

    def hear(self, exit_code: int) -> None:
        """Take note of a signal that another learner of the run has had."""
        if not self.seen:
            self.seen, self.exit_code = True, exit_code

    @contextmanager
    def may_raise(self, earlier: bool = True) -> Iterator[None]:
        """Let a second signal raise Interrupted inside of the block.

        Args:
            earlier: also one that came before, outside of such a block.
        """
        before, self._raises = self._raises, True
        try:
            if earlier and self._is_due:
                raise Interrupted(self.exit_code)
            yield
        finally:
            self._raises = before

    def give_up(self) -> None:
        """Raise Interrupted in such a block after one signal, where waiting may have no end."""
        if self.seen and self._raises:
            raise Interrupted(self.exit_code)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Swallow Interrupted, and after a signal an EnvError: an environment's processes had the signal too."""
        try:
            yield
        except (Interrupted, EnvError):
            if not self.seen:
                raise
        finally:
            self._raises = False

    def _handle(self, number: int) -> None:
        now = time.monotonic()
        if number == signal.SIGHUP:
            leave_gone_terminal()
        if not self.seen:
            self.seen, self.exit_code, self._last = True, exit_code(number), now
            self._say(signal.Signals(number).name)
        elif now - self._last > AT_ONCE:
            self._last, self._is_due = now, True
            if self._raises:
                raise Interrupted(self.exit_code)

    def _say(self, name: str) -> None:
        """Write a line to stderr, not by Python's streams, which the interrupted code may be using."""
        if self._quiet:
            return
        line = (
            f"{name}: training ends after this round of episodes with a checkpoint; a second signal interrupts "
            "the environment at once, also with a checkpoint"
        )
        if self.show(line):
            return
        with suppress(OSError):  # of a closed stream
            os.write(2, (("\n" if os.isatty(2) else "") + line + "\n").encode())

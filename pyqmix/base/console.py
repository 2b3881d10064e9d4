"""The console on standard output."""

from __future__ import annotations

import sys
from typing import TextIO, cast

from rich.console import Console

from pyqmix.base.output import Steady


def make_console(quiet: bool = False) -> Console:
    """Make a console for standard output, whose reader may go away.

    Where it is no terminal, lines have the length that they need, and no cursor is moved, also with FORCE_COLOR.

    Args:
        quiet: write nothing.
    """
    file = None if sys.stdout is None else cast(TextIO, Steady(sys.stdout))
    is_elsewhere = file is None or not file.isatty()
    console = Console(
        file=file,
        quiet=quiet,
        highlight=False,
        force_terminal=False if is_elsewhere else None,
        force_jupyter=False,
    )
    if not console.is_terminal:
        console.width = 10_000
    return console

"""What the commands share: options by tyro, and mistakes as one line on stderr with exit code 2."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any, NoReturn, TypeVar

import tyro

from pyqmix.errors import ConfigError, EnvError

T = TypeVar("T")
USER_ERRORS = (ConfigError, EnvError, MemoryError)


def fail(program: str, message: object) -> NoReturn:
    """Print one line on stderr and exit with code 2."""
    print(f"{program}: error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def parse(kind: Callable[..., T], program: str, arguments: Sequence[str], **options: Any) -> T:
    """Parse arguments into ``kind``; tyro's boxed complaints become one line."""
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed: T = tyro.cli(kind, prog=program, args=list(arguments), **options)
            return parsed
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        fail(program, _one_line(complaint.getvalue()))
    except ConfigError as error:
        fail(program, option_style(error))


def option_style(error: Exception) -> str:
    """Write an option's name as on the command line: ``total_steps: …`` as ``--total-steps: …``."""
    return re.sub(r"^([a-z_]+):", lambda m: f"--{m[1].replace('_', '-')}:", str(error))


def _one_line(box: str) -> str:
    """Take the message out of a box: what stands before its first rule, and suggestions after it."""
    lines = [re.sub(r"^[│ ]+|[│ ]+$", "", line) for line in box.splitlines()]
    kept: list[str] = []
    rules = 0
    for line in lines:
        if line.startswith(("╭", "╰")):
            continue
        if line.startswith("─"):
            rules += 1
        elif rules == 0 or (line.startswith("--") and "Perhaps you meant:" in box):
            kept.append(line if rules == 0 else f"; did you mean {line.split()[0].rstrip(',')}?")
    return " ".join(kept).replace(" ;", ";")

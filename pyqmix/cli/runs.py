"""``pyqmix-runs``."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pyqmix.base.console import make_console
from pyqmix.base.output import Steady
from pyqmix.base.printable import printable
from pyqmix.cli.parsing import USER_ERRORS, fail, parse

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pyqmix.sweep.status import Status

PROGRAM = "pyqmix-runs"
INTERVAL = 2.0  # seconds between two looks of --watch, at least
_SHARE = 10  # and at least this many times as long as a look takes


@dataclass(frozen=True)
class Options:
    """List the runs at and below a folder, from their files alone.

    A run is running (a program holds its lock), ended (its step budget is spent), stopped (by a signal; --resume
    continues it), dead (ended by an error or a kill; --resume continues it), or broken (a file is damaged).
    """

    folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[DIR]")] = "runs"
    """Folder that is searched."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON array with an object for each run."""
    watch: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the runs until Ctrl-C."""


def main() -> None:
    """List the runs as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    if options.json and options.watch:
        fail(PROGRAM, "--json: expected it or --watch")
    if options.watch and not sys.stdout.isatty():
        fail(PROGRAM, "--watch: expected a terminal as standard output")
    top = Path(os.path.expanduser(options.folder))
    try:
        found = _read(top)
        if options.watch:
            _watch(top)
        elif options.json:
            Steady(sys.stdout).write(json.dumps([_as_json(each) for each in found], indent=2) + "\n")
        else:
            console = make_console()
            console.print(_view(top, found, console.width if console.is_terminal else None))
    except USER_ERRORS as error:
        fail(PROGRAM, error)
    broken = [each for each in found if each.state == "broken"]
    for each in broken:
        print(f"{PROGRAM}: broken: {printable(each.error or '')}", file=sys.stderr)
    if broken:
        sys.exit(1)


def _read(top: Path) -> list[Status]:
    from pyqmix.figures.folders import find_runs
    from pyqmix.sweep.status import read_status

    return [read_status(folder) for folder in find_runs(top)]


def _watch(top: Path) -> None:
    from rich.live import Live

    console = make_console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            began = time.monotonic()
            live.update(_view(top, _read(top), console.width, console.height), refresh=True)
            time.sleep(max(INTERVAL, _SHARE * (time.monotonic() - began)))


def _view(top: Path, found: list[Status], width: int | None, height: int | None = None) -> RenderableType:
    """Make the table; of a height that it would exceed, with those runs first that go on."""
    from rich.console import Group
    from rich.text import Text

    from pyqmix.sweep.table import cells, fitted

    if not found:
        return Text(printable(f"no runs below {top}"))
    room = len(found) if height is None else max(1, height - 3)
    if len(found) > room:
        found = sorted(found, key=lambda each: each.state != "running")
    table = fitted([cells(_name(each.folder, top), each, width) for each in found[:room]], width)
    return Group(table, Text(f"… and {len(found) - room} more")) if len(found) > room else table


def _name(folder: Path, top: Path) -> str:
    return printable(folder.name if folder == top else str(folder.relative_to(top)))


def _as_json(status: Status) -> dict[str, Any]:
    return {**dataclasses.asdict(status), "folder": str(status.folder), "progress": status.progress}


if __name__ == "__main__":
    main()

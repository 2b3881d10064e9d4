"""``pyqmix-plot``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pyqmix.base.untrusted import require_replaceable
from pyqmix.cli.parsing import USER_ERRORS, fail, parse
from pyqmix.run.metrics import read_metrics
from pyqmix.run.plots import plot_curves

PROGRAM = "pyqmix-plot"


@dataclass(frozen=True)
class Options:
    """Draw the evaluation curves of runs into one picture: returns, and win rates of runs that have them."""

    run_dirs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR...")]
    """Folders of the runs."""
    out: str = "curves.png"
    """PNG file to write."""


def main() -> None:
    """Plot as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    if not options.run_dirs:
        fail(PROGRAM, "expected at least one run directory")
    try:
        curves = [(Path(name).name, read_metrics(Path(name))) for name in options.run_dirs]
        require_replaceable(Path(options.out))
        plot_curves(curves, Path(options.out))
    except USER_ERRORS as error:
        fail(PROGRAM, error)
    print(options.out)


if __name__ == "__main__":
    main()

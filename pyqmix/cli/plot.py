"""``pyqmix-plot``."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from pyqmix.base.destination import destination
from pyqmix.base.errors import ConfigError, unknown
from pyqmix.base.printable import printable
from pyqmix.cli.parsing import USER_ERRORS, fail, option_style, parse
from pyqmix.run.metrics import COLUMNS

if TYPE_CHECKING:
    from pyqmix.figures import Run

PROGRAM = "pyqmix-plot"
File = tyro.conf.arg(metavar="PATH")


@dataclass(frozen=True)
class Options:
    """Compare groups of runs: a figure with interquartile means over seeds and 95 % intervals, over steps and wall
    time, and its numbers as a table.

    Runs that differ in their seeds alone are a group, which is named by the options in which groups differ. Each
    task has its own panels. The statistics are those of rliable (Agarwal et al. 2021).
    """

    run_dirs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR...")]
    """Folders of runs, of pyqmix or of EPyMARL (sacred); or folders with such folders below them."""
    out: Annotated[str, File] = "curves.png"
    """File of the figure: .png, .svg or .pdf."""
    table: Annotated[str | None, File] = None
    """File of the numbers: .csv, .md or .tex. Default: none."""
    marl_eval: Annotated[str | None, File] = None
    """File of all evaluations in the JSON of marl-eval, which BenchMARL and Mava write too. Default: none."""
    metric: Annotated[str | None, tyro.conf.arg(metavar="COLUMN")] = None
    """Column of metrics.csv to compare. Default: the greedy win rate where all runs have one, else the greedy
    return."""
    label: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="GROUP=NAME")] = ()
    """Name in place of a group's own; may be repeated."""
    title: str = ""
    """Line above the figure."""
    performance_profile: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Add the share of runs whose final score is above each threshold, over all tasks."""
    improvement: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Add the probability that a run of one group ends better than a run of another, over all tasks."""

    def __post_init__(self) -> None:
        if self.metric is not None and self.metric not in COLUMNS:
            raise unknown("metric", self.metric, COLUMNS)


def main() -> None:
    """Plot as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    if not options.run_dirs:
        fail(PROGRAM, "expected at least one run directory")
    try:
        complaints = _plot(options)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)
    if complaints:
        sys.exit(1)


def _plot(options: Options) -> list[str]:
    """Write the files, and return a sentence for each run that was left out."""
    from pyqmix.figures import comparison, drawing, tables  # matplotlib is not needed for --help
    from pyqmix.figures.marl_eval import write_marl_eval

    outputs = _outputs(options, drawing.FORMATS, tables.FORMATS)
    runs, complaints = _read(options.run_dirs)
    compared = comparison.arrange(runs, options.metric, _labels(options.label))
    complaints += compared.skipped
    for complaint in complaints:
        _note(f"skipped: {complaint}")
    for note in compared.notes:
        _note(note)
    rows = tables.rows(compared)
    drawing.draw(
        compared,
        outputs["out"],
        title=options.title,
        profile=options.performance_profile,
        improvements=options.improvement,
    )
    if "table" in outputs:
        tables.write_table(rows, outputs["table"])
    if "marl_eval" in outputs:
        write_marl_eval(compared, outputs["marl_eval"])
    print(tables.as_markdown(rows))
    for path in outputs.values():
        print(path)
    return complaints


def _outputs(options: Options, of_figure: Collection[str], of_table: Collection[str]) -> dict[str, Path]:
    """Return the paths to write, by option, once it is sure that they can be written."""
    formats = {"out": of_figure, "table": of_table, "marl_eval": [".json"]}
    given = {name: getattr(options, name) for name in formats}
    return {
        name: destination(name, path, tuple(formats[name])) for name, path in given.items() if path is not None
    }


def _read(folders: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Read the runs that can be read, and write a sentence for each other one.

    Raises:
        ConfigError: there is none.
    """
    from pyqmix.figures.folders import require_runs
    from pyqmix.figures.stored_run import read_run

    runs: list[Run] = []
    complaints: list[str] = []
    for folder in folders:
        try:
            found = require_runs(Path(os.path.expanduser(folder)))
        except (ConfigError, OSError) as error:
            complaints.append(str(error))
            continue
        for path in found:
            try:
                if path not in [run.folder for run in runs]:
                    runs.append(read_run(path))
            except (ConfigError, OSError) as error:
                complaints.append(str(error))
    if not runs:
        raise ConfigError("; ".join(complaints))
    return runs, complaints


def _labels(pairs: Sequence[str]) -> dict[str, str]:
    """Split ``GROUP=NAME`` at the last =, because a group's own label may have one."""
    for pair in pairs:
        if not all(pair.rpartition("=")[::2]):
            raise ConfigError(f"label: expected GROUP=NAME, got {pair!r}")
    return {group: name for group, _, name in (pair.rpartition("=") for pair in pairs)}


def _note(sentence: str) -> None:
    print(f"{PROGRAM}: {printable(sentence)}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""``pyqmix-eval``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pyqmix.base.options import integer
from pyqmix.cli.parsing import USER_ERRORS, fail, import_from_here, option_style, parse
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.recording import record_run

PROGRAM = "pyqmix-eval"


@dataclass(frozen=True)
class Options:
    """Play greedy episodes with a checkpoint of a run."""

    run_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run."""
    episodes: Annotated[int, integer(1)] = 100
    """Episodes to play."""
    seed: Annotated[int, integer(0)] = 1_000_000
    """Seed of the episodes."""
    checkpoint: Annotated[str, tyro.conf.arg(metavar="newest|best|STEPS")] = NEWEST
    """Checkpoint that plays: the newest one, that of the best evaluation, or one by its number of steps."""
    gif: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """GIF file to draw the first three of the episodes into. Default: none."""


def main() -> None:
    """Evaluate as the command line says."""
    import_from_here()
    options = parse(Options, PROGRAM, sys.argv[1:])
    run_dir = Path(options.run_dir)
    try:
        evaluation = evaluate_run(run_dir, options.episodes, options.seed, checkpoint=options.checkpoint)
        low, high = evaluation.interval()
        print(f"greedy return over {options.episodes} episodes of seed {options.seed}")
        print(f"mean {evaluation.mean:.4f}  std {evaluation.std:.4f}  95 % interval [{low:.4f}, {high:.4f}]")
        if evaluation.win_rate is not None:
            print(f"won {100 * evaluation.win_rate:.1f} %")
        if options.gif is not None:
            record_run(run_dir, Path(options.gif), options.seed, checkpoint=options.checkpoint)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)


if __name__ == "__main__":
    main()

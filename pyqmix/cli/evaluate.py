"""``pyqmix-eval``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pyqmix.base.options import integer
from pyqmix.cli.parsing import USER_ERRORS, fail, import_from_here, option_style, parse
from pyqmix.config.options import MOST_EPISODES
from pyqmix.config.saved import require_same
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.recording import record_run
from pyqmix.run.stored import read_stored

PROGRAM = "pyqmix-eval"
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class Options:
    """Play greedy episodes with a checkpoint of a run."""

    run_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run."""
    episodes: Annotated[int, integer(1, MOST_EPISODES)] = 100
    """Episodes to play."""
    seed: Annotated[int, integer(0)] = 1_000_000
    """Seed of the episodes."""
    checkpoint: Annotated[str, tyro.conf.arg(metavar="newest|best|STEPS")] = NEWEST
    """Checkpoint that plays: the newest one, that of the best evaluation, or one by its number of steps."""
    gif: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """GIF file to draw the first three of the episodes into. Default: none."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import the modules that the run's config.json names; without it, nothing is imported by a name in that
    file."""
    env: Name = None
    """The run's environment module:name, to be imported; likewise the others. Default: not imported."""
    task: Name = None
    """The run's task, where it names a module."""
    agent: Name = None
    """The run's agent network module:name."""
    mixer: Name = None
    """The run's mixer module:name."""

    @property
    def named(self) -> dict[str, str]:
        """The names that may be imported, by option."""
        names = {option: getattr(self, option) for option in ("env", "task", "agent", "mixer")}
        return {option: name for option, name in names.items() if name is not None}


def main() -> None:
    """Evaluate as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    import_from_here(options.named.values(), options.trust)
    run_dir, trust = Path(options.run_dir), options.trust or frozenset(options.named.values())
    try:
        require_same(run_dir / "config.json", options.named)
        stored = read_stored(run_dir, options.checkpoint)  # once, as a run that goes on replaces its newest one
        evaluation = evaluate_run(run_dir, options.episodes, options.seed, checkpoint=stored, trust=trust)
        low, high = evaluation.interval()
        print(f"greedy return over {options.episodes} episodes of seed {options.seed}")
        print(f"mean {evaluation.mean:.4f}  std {evaluation.std:.4f}  95 % interval [{low:.4f}, {high:.4f}]")
        if evaluation.win_rate is not None and evaluation.win_rate_interval is not None:
            won, least, most = (100 * rate for rate in (evaluation.win_rate, *evaluation.win_rate_interval))
            print(f"won {won:.1f} %  95 % interval [{least:.1f} %, {most:.1f} %]")
        if options.gif is not None:
            record_run(run_dir, Path(options.gif), options.seed, checkpoint=stored, trust=trust)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)


if __name__ == "__main__":
    main()

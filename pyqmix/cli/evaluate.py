"""``pyqmix-eval``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pyqmix.base.destination import destination
from pyqmix.base.errors import ConfigError
from pyqmix.base.options import integer, require_int
from pyqmix.base.output import printing_to_stderr
from pyqmix.cli.parsing import NAMES, USER_ERRORS, fail, import_from_here, option_style, parse

if TYPE_CHECKING:
    from pyqmix.run.recording import Sink

PROGRAM = "pyqmix-eval"
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
File = Annotated[str | None, tyro.conf.arg(metavar="PATH")]


@dataclass(frozen=True)
class Options:
    """Play greedy episodes with a checkpoint of a run."""

    run_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run."""
    episodes: Annotated[int, integer(1)] = 100
    """Episodes to play."""
    seed: Annotated[int, integer(0)] = 1_000_000
    """Seed of the episodes."""
    checkpoint: Annotated[str, tyro.conf.arg(metavar="newest|best|STEPS")] = "newest"
    """Checkpoint that plays: the newest one, that of the best evaluation, or one by its number of steps."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the results as one JSON object."""
    gif: File = None
    """GIF file to draw the first episodes into, with each agent's action and value."""
    mp4: File = None
    """MP4 file, likewise; needs pip install 'pyqmix-marl[video]'."""
    render: Annotated[str | None, tyro.conf.arg(metavar="human")] = None
    """Show the first episodes in a window: human."""
    draw_episodes: Annotated[int, integer(1)] = 3
    """Episodes to draw or show."""
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
        names = {option: getattr(self, option) for option in NAMES}
        return {option: name for option, name in names.items() if name is not None}


def main() -> None:
    """Evaluate as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    try:
        _evaluate(options)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)


def _evaluate(options: Options) -> None:
    """Play the episodes, print the results, and draw the first episodes.

    What cannot be drawn or written is refused before the episodes are played.
    """
    others_print = printing_to_stderr if options.json else nullcontext
    with others_print():
        gif, mp4 = _files(options)
        import_from_here(options.named.values(), options.trust)
        from pyqmix.config.saved import require_same
        from pyqmix.run.evaluate import evaluate_run
        from pyqmix.run.evaluation_report import as_json, as_text
        from pyqmix.run.recording import GifFile, Recording, Screen, VideoFile
        from pyqmix.run.stored import read_stored

        run_dir = Path(os.path.expanduser(options.run_dir))
        trust = options.trust or frozenset(options.named.values())
        require_same(run_dir / "config.json", options.named)
        sinks: list[Sink] = [
            *([] if gif is None else [GifFile(gif)]),
            *([] if mp4 is None else [VideoFile(mp4)]),
            *([] if options.render is None else [Screen()]),
        ]
        stored = read_stored(run_dir, options.checkpoint)  # once, as a run that goes on replaces its newest one
        given: dict[str, Any] = {"checkpoint": stored, "trust": trust}
        drawn = min(options.draw_episodes, options.episodes)
        recording = Recording(run_dir, options.seed, episodes=drawn, **given) if sinks else None
        evaluation = evaluate_run(run_dir, options.episodes, options.seed, **given)
    report = as_json if options.json else as_text
    print(report(evaluation, run_dir, stored, options.seed), flush=True)
    if recording is not None:
        with others_print():
            recording.play(sinks)


def _files(options: Options) -> tuple[Path | None, Path | None]:
    """Return the paths of the GIF and of the MP4, once they can be written and the numbers are usable."""
    require_int("episodes", options.episodes, 1)
    require_int("seed", options.seed, 0)
    require_int("draw_episodes", options.draw_episodes, 1)
    if options.render not in (None, "human"):
        raise ConfigError(f"render: expected human, got {options.render!r}")
    gif = None if options.gif is None else destination("gif", options.gif, (".gif",))
    mp4 = None if options.mp4 is None else destination("mp4", options.mp4, (".mp4",))
    return gif, mp4


if __name__ == "__main__":
    main()

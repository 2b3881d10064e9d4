"""A greedy episode as a GIF, for the page."""

from __future__ import annotations

import tempfile
import textwrap
from pathlib import Path

from pyqmix.config import Config
from pyqmix.envs import env_family
from pyqmix.envs.importing import first_line
from pyqmix.run.recording import record_run

_LONG = 60.0  # seconds of a run that may end with some of drawing
_MOST_STEPS = 400  # of the episode that is drawn
_LARGEST = 3 << 20  # bytes of the GIF


def picture(run_dir: Path, config: Config, episode_limit: int, wall_seconds: float) -> bytes | str:
    """Draw the newest checkpoint's first greedy episode of an evaluation.

    Args:
        run_dir: the run's folder.
        config: its options.
        episode_limit: the most steps of an episode.
        wall_seconds: of the run.

    Returns:
        A GIF, or the reason why there is none.
    """
    if wall_seconds < _LONG:
        return f"a run of less than {_LONG:.0f} s draws none at its end"
    if not env_family(config.env).native:
        return "only episodes of the native environments are drawn at a run's end"
    if episode_limit > _MOST_STEPS:
        return f"its episodes may have {episode_limit:,} steps, which would take long to draw"
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "episodes.gif"
            record_run(run_dir, path, config.seed, episodes=1)
            drawn = path.read_bytes()
    except Exception as error:  # a page without it is better than none
        return textwrap.shorten(f"{type(error).__name__}: {first_line(error)}", 200, placeholder=" ...")
    if len(drawn) > _LARGEST:
        return f"it would have {len(drawn) / 2**20:.1f} MiB, more than {_LARGEST >> 20}"
    return drawn

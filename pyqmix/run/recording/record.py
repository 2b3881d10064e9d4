"""Records greedy episodes of a run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from torch import nn

from pyqmix.base.destination import destination
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.files import AnyPath
from pyqmix.base.options import require_int
from pyqmix.config import Config
from pyqmix.config.trust import Trust
from pyqmix.envs import Env, env_family
from pyqmix.envs.importing import closing
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.evaluate import load_agent
from pyqmix.run.recording.cast import Cast
from pyqmix.run.recording.episodes import play_moments
from pyqmix.run.recording.frames import Stage
from pyqmix.run.recording.gif import GifFile
from pyqmix.run.recording.sink import Sink
from pyqmix.run.recording.video import VideoFile
from pyqmix.run.stored import Stored, read_stored

EPISODES = 3


class Recording:
    """The first greedy episodes that ``pyqmix-eval`` of a seed plays, as frames.

    Args:
        run_dir: the run's folder.
        seed: of the episodes.
        env: as for :func:`pyqmix.run.evaluate.evaluate_run`.
        agent: likewise.
        mixer: likewise.
        checkpoint: likewise.
        trust: likewise.
        episodes: how many.

    Raises:
        ConfigError: the folder is no run, its environment cannot be drawn, the number of episodes is unusable, or
            the environment or a network is unknown here or not trusted.
        EnvError: the environment raised an error.
    """

    def __init__(
        self,
        run_dir: AnyPath,
        seed: int,
        env: Callable[..., Any] | None = None,
        agent: Callable[..., nn.Module] | None = None,
        mixer: Callable[..., nn.Module] | None = None,
        checkpoint: str | int | Stored = NEWEST,
        *,
        trust: Trust = False,
        episodes: int = EPISODES,
    ) -> None:
        require_int("episodes", episodes, 1)
        stored = checkpoint if isinstance(checkpoint, Stored) else read_stored(run_dir, str(checkpoint))
        self._config, self._agent = load_agent(run_dir, env, agent, mixer, stored, trust=trust)
        self._seed, self._episodes = seed, episodes
        self._subtitle = f"{self._config.mixer}, {stored.steps:,} steps"
        world = _create_world(self._config)
        with closing(world):
            first = next(play_moments(world, self._agent, seed, 0))
            size = first.picture.shape[:2]
            self._stage = Stage(Cast.of(world), self._subtitle, episodes, (size[0], size[1]))

    def play(self, sinks: Sequence[Sink]) -> None:
        """Play the episodes; the frames go to all sinks.

        Raises:
            ConfigError: a file cannot be written, or a picture has another size than the first.
            EnvError: the environment raised an error.
        """
        world = _create_world(self._config)
        with closing(world), ExitStack() as stack:
            for sink in sinks:
                stack.enter_context(sink)
            for index in range(self._episodes):
                for moment in play_moments(world, self._agent, self._seed, index):
                    frame = self._stage.frame(moment)
                    for sink in sinks:
                        sink.add(frame)
                    if all(sink.is_closed for sink in sinks):
                        return


def record_run(
    run_dir: AnyPath,
    path: AnyPath,
    seed: int,
    env: Callable[..., Any] | None = None,
    agent: Callable[..., nn.Module] | None = None,
    mixer: Callable[..., nn.Module] | None = None,
    checkpoint: str | int | Stored = NEWEST,
    *,
    trust: Trust = False,
    episodes: int = EPISODES,
) -> None:
    """Write the first greedy episodes that ``pyqmix-eval`` of a seed plays as a GIF or an MP4.

    Args:
        run_dir: the run's folder.
        path: the file; its suffix decides.
        seed: of the episodes.
        env: as for :class:`Recording`; likewise the others.
        agent: likewise.
        mixer: likewise.
        checkpoint: likewise.
        trust: likewise.
        episodes: how many.

    Raises:
        ConfigError: as :class:`Recording`; or the file cannot be written, or an MP4 needs a package.
        EnvError: the environment raised an error.
    """
    path = destination("path", path, (".gif", ".mp4"))
    sink = GifFile(path) if path.suffix.lower() == ".gif" else VideoFile(path)
    recording = Recording(run_dir, seed, env, agent, mixer, checkpoint, trust=trust, episodes=episodes)
    try:
        recording.play([sink])
    except OSError as error:
        raise ConfigError(f"path: {path} cannot be written: {error}") from None


def _create_world(config: Config) -> Env:
    """Build the environment; that of another library so that it draws, if it knows the usual argument for this."""
    arguments = dict(getattr(config, "env_args", None) or {})
    if not env_family(config.env).native and hasattr(config, "env_args") and "render_mode" not in arguments:
        with suppress(ConfigError, EnvError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # gymnasium warns of an environment without this mode
            changes: dict[str, Any] = {"env_args": {**arguments, "render_mode": "rgb_array"}}
            return config.replace(**changes).create_env()
    return config.create_env()

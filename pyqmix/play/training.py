"""Plays the training episodes of a run: in turn with the training steps, ahead of them, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.play.ahead import PlayAhead
from pyqmix.play.cluster.training import PlayOnCluster
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import Ahead, AnyRollout, Played
from pyqmix.replay import EpisodeRing


class TrainingRollout(Protocol):
    """Plays a run's training episodes into its ring, round after round."""

    @property
    def staged(self) -> EpisodeRing:
        """The ring of the episodes that were :meth:`kept`; a fresh one before :meth:`take_back`."""

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Bring the episodes first, ..., first + count - 1 into the ring."""

    def start(self, first: int, count: int, epsilon: float) -> None:
        """Begin to play the next rounds ahead, where that is done, before a round's training steps."""

    def wait(self) -> None:
        """Wait, after a round's training steps, for all that reads the environments or the weights."""

    def settle(self) -> None:
        """Wait until the episodes that are being played ahead are there; raises what playing raised."""

    def kept(self) -> list[Ahead]:
        """Return the episodes that were played ahead, which lie in the ``staged`` ring."""

    def take_back(self, kept: Sequence[Ahead]) -> None:
        """Go on with episodes that were kept, and that lie in the ``staged`` ring again."""

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments, which keeps none of them."""

    def report(self) -> dict[str, float]:
        """Return figures for the end of a run, by their names."""

    def close(self) -> None:
        """Close the environments."""


class PlayInTurn:
    """Plays episodes into a ring when the caller asks for them."""

    def __init__(self, config: Config, agent: Agent, ring: EpisodeRing) -> None:
        key = config.seed, Stream.ENVIRONMENT
        self._rollout = create_rollout(config, agent, *key, config.num_envs, ring, config.num_workers)
        self.staged = ring

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1."""
        return self._rollout.play(first, count, epsilon)

    def start(self, first: int, count: int, epsilon: float) -> None:
        """Play nothing ahead."""

    def wait(self) -> None:
        """Wait for nothing."""

    def settle(self) -> None:
        """Wait for nothing."""

    def kept(self) -> list[Ahead]:
        """Return no episodes."""
        return []

    def take_back(self, kept: Sequence[Ahead]) -> None:
        """Refuse episodes that were played ahead.

        Raises:
            ValueError: there are some.
        """
        if kept:
            raise ValueError("it has episodes that were played ahead")

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments, which keeps none of them."""
        return self._rollout.apart(agent, seed, stream)

    def report(self) -> dict[str, float]:
        """Return no figures."""
        return {}

    def close(self) -> None:
        """Close the environments."""
        self._rollout.close()


def training_rollout(
    config: Config,
    spec: EpisodeSpec,
    agent: Agent,
    ring: EpisodeRing,
    say: Callable[[str], None] = print,
    may_wait: Callable[[], None] = lambda: None,
) -> TrainingRollout:
    """Build the rollout of a run's training episodes.

    Args:
        config: the run's options.
        spec: the sizes of an episode, as the environment tells them.
        agent: the policy.
        ring: where the episodes go.
        say: writes a line for the user.
        may_wait: is called while there is nobody who plays, and raises where the program is to end.

    Raises:
        ConfigError: the environment cannot be built or sent, or there is no cluster where the options say.
    """
    if config.rollout == "ray":
        return PlayOnCluster(config, spec, agent, ring, say, may_wait)
    return (PlayAhead if config.overlap else PlayInTurn)(config, agent, ring)

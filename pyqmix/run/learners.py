"""The learner of a run, as its loop sees it: alone, or one of several that go through the loop in step."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pyqmix.base.ranks import Ranks
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.shares import share_of
from pyqmix.learn.device import resolve_device
from pyqmix.learn.learner import Learner
from pyqmix.play.episodes import Played
from pyqmix.run import folder, resume
from pyqmix.run.folder import RunFolder
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.manifest import Manifest


class Learners:
    """The only learner of a run. :class:`pyqmix.run.several.SeveralLearners` has the same calls.

    Args:
        config: the run's options.
        ranks: the processes.
        interrupt: tells of this process's signals.

    Attributes:
        share: the options of this learner, which has a share of the run's.
        ranks: the processes.
    """

    def __init__(self, config: Config, ranks: Ranks, interrupt: Interrupt) -> None:
        self.share, self.ranks, self._interrupt = share_of(config, ranks.count), ranks, interrupt

    def notes(self) -> list[str]:
        """Say how the learners share the run."""
        return []

    def open_folder(self, config: Config, resumed: bool) -> RunFolder:
        """Make the folder of a new run, or open that of one that goes on.

        Raises:
            ConfigError: as :func:`pyqmix.run.folder.create` and :func:`pyqmix.run.folder.reopen` say.
        """
        return folder.reopen(str(config.run_dir)) if resumed else folder.create(config)

    def choose(self, config: Config, opened: RunFolder, which: str) -> Manifest | None:
        """Return the checkpoint that a run goes on from; None where it has none yet and starts over.

        Raises:
            ConfigError: as :func:`pyqmix.run.resume.choose` says, or the run has another number of learners.
        """
        resume.require_learners(opened.path, self.ranks.count)
        return resume.choose(config, opened.path, which)

    def resolve_device(self, spec: EpisodeSpec) -> tuple[torch.device, str]:
        """Choose the device, as :func:`pyqmix.learn.device.resolve_device` does."""
        return resolve_device(self.share, spec)

    @property
    def stop(self) -> bool:
        """Whether the run is to end before its step budget is spent."""
        return self._interrupt.seen

    def play(self, play: Callable[[range], Played], episodes: int) -> Played:
        """Play a round of episodes, or an evaluation.

        Args:
            play: plays those of the episodes that have these places among them.
            episodes: how many all learners play.

        Returns:
            The results of all of them.
        """
        with self._interrupt.may_raise():
            return play(range(episodes))

    def wait(self, wait: Callable[[], None]) -> None:
        """Wait for episodes that are played ahead, which may raise."""
        with self._interrupt.may_raise():
            wait()

    def meet(self, learner: Learner, steps: int, first: Callable[[], None] = lambda: None) -> None:
        """Require that all learners are here, at the same step and with the same weights.

        Args:
            learner: this one's networks.
            steps: of the run.
            first: something that all are to have done by then; a single learner does not call it.

        Raises:
            RankError: one is not.
        """

    def agree_on(self, error: BaseException) -> bool:
        """Whether all learners know that the run fails, and fail at the same step."""
        return True

"""One of the learners of a run that has several, which go through its loop in step.

Each plays its share of a round's episodes into a replay buffer of its own, and learns from its share of each
batch. All take the same decisions: episodes' results, signals and failures reach all of them at the end of the
round, or of the evaluation, in which they come. So all have the same counters, and evaluate, write checkpoints and
end at the same step.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pyqmix.base.errors import ConfigError, EnvError, RankError
from pyqmix.base.ranks import Ranks
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.device import resolve_device
from pyqmix.learn.learner import Learner
from pyqmix.nn.buffers import persistent_buffers
from pyqmix.play.episodes import Played
from pyqmix.run import checkpoint, folder, resume
from pyqmix.run.folder import RunFolder
from pyqmix.run.interrupt import Interrupt, Interrupted
from pyqmix.run.learners import Learners
from pyqmix.run.manifest import Manifest

_T = TypeVar("_T", bound=np.generic)
_RESULTS = ("returns", "lengths", "won", "staleness")


class _State(IntEnum):
    """How a learner left a block: as it should, by a signal that does not wait, or by another exception."""

    DONE = 0
    INTERRUPTED = 1
    FAILED = 2


class SeveralLearners(Learners):
    """One of the learners of a run that has several."""

    def __init__(self, config: Config, ranks: Ranks, interrupt: Interrupt) -> None:
        super().__init__(config, ranks, interrupt)
        self._config, self._stop = config, False
        self._known: BaseException | None = None

    def notes(self) -> list[str]:
        """See :class:`Learners`."""
        share, all_of = self.share, self._config
        return [
            f"{self.ranks.count} learners: each plays {share.num_envs:,} of the {all_of.num_envs:,} episodes of a "
            f"round, keeps {share.buffer_size:,} of {all_of.buffer_size:,}, and learns from {share.batch_size:,} "
            f"of the {all_of.batch_size:,} of a batch"
        ]

    def open_folder(self, config: Config, resumed: bool) -> RunFolder:
        """See :class:`Learners`."""
        opened: list[RunFolder] = []

        def open_first() -> tuple[str, tuple[Path, ...]]:
            opened.append(super(SeveralLearners, self).open_folder(config, resumed))
            return str(opened[0].path), opened[0].made

        path, made = self.ranks.of_first(open_first)
        return opened[0] if opened else folder.follow(config, path, made, self.ranks.rank)

    def choose(self, config: Config, opened: RunFolder, which: str) -> Manifest | None:
        """See :class:`Learners`."""
        self.ranks.of_first(lambda: resume.require_learners(opened.path, self.ranks.count))
        steps = self.ranks.of_each([number for number, _ in checkpoint.folders(opened.path)])
        if not any(steps):
            return None
        common = sorted(set(steps[0]).intersection(*steps), reverse=True)
        if not common:
            raise ConfigError(
                f"{opened.path}: this run has checkpoints, but none that all {self.ranks.count} learners have: "
                "start another one, to which --init-from can give its weights"
            )
        wanted = str(common[0]) if which == checkpoint.NEWEST else which
        if wanted not in map(str, common):
            has = ", ".join(map(str, common))
            raise ConfigError(f"checkpoint: expected {checkpoint.NEWEST} or one of {has}, got {which!r}")
        return resume.choose(config, opened.path, wanted)

    def resolve_device(self, spec: EpisodeSpec) -> tuple[torch.device, str]:
        """See :class:`Learners`."""

        def of_first() -> tuple[str, str]:
            device, reason = resolve_device(self.share, spec)
            return device.type, reason

        kind, reason = self.ranks.of_first(of_first)
        return resolve_device(self.share.replace(device=kind), spec)[0], reason

    @property
    def stop(self) -> bool:
        """See :class:`Learners`."""
        return self._stop

    def play(self, play: Callable[[range], Played], episodes: int) -> Played:
        """See :class:`Learners`."""
        mine = self.ranks.share(episodes)
        results = np.full((len(_RESULTS), -(-episodes // self.ranks.count)), np.nan)

        def play_mine() -> None:
            played = play(mine)
            for row, name in zip(results, _RESULTS, strict=True):
                if (values := getattr(played, name)) is not None:
                    row[: len(mine)] = values

        parts = zip(self._together(play_mine, results), self.ranks.shares(episodes), strict=True)
        found = np.concatenate([part[:, : len(share)] for part, share in parts], axis=1)
        returns, lengths, won, staleness = found
        return Played(returns, lengths.astype(np.int64), _told(won, np.bool_), _told(staleness, np.int64))

    def wait(self, wait: Callable[[], None]) -> None:
        """See :class:`Learners`."""
        if self.share.overlap:
            self._together(wait, np.empty(0))

    def meet(self, learner: Learner, steps: int, first: Callable[[], None] = lambda: None) -> None:
        """See :class:`Learners`."""
        first()
        row = [steps, learner.updates, _checksum(learner)]
        rows = self.ranks.gather(torch.tensor(row, dtype=torch.float64)).tolist()
        for rank, theirs in enumerate(rows):
            for name, ours, other in zip(("step", "update", "checksum of weights"), rows[0], theirs, strict=True):
                if ours != other:
                    raise RankError(
                        f"learner {rank} has come apart from learner 0 by step {steps:,}: expected {name} "
                        f"{ours:.0f}, got {other:.0f}; --resume goes on from the last checkpoint"
                    )

    def agree_on(self, error: BaseException) -> bool:
        """See :class:`Learners`."""
        return error is self._known

    def _together(self, call: Callable[[], None], results: NDArray[np.float64]) -> NDArray[np.float64]:
        """Let a call end in the same way for all learners.

        Args:
            call: may raise.
            results: filled by the call, of the same shape for each learner.

        Returns:
            (count, *results.shape).

        Raises:
            Interrupted: a second signal has come, to this learner or another.
            RankError: another learner's call has raised.
        """
        try:
            with self._interrupt.may_raise():
                call()
        except BaseException as error:
            by_signal = isinstance(error, (Interrupted, EnvError)) and self._interrupt.seen
            with suppress(RankError):  # this error is the one that counts
                self._tell(_State.INTERRUPTED if by_signal else _State.FAILED, results)
                self._known = error
            raise
        states, gathered = self._tell(_State.DONE, results)
        if max(states) == _State.DONE:
            return gathered
        if _State.FAILED in states:
            failed = states.index(_State.FAILED)
            self._known = RankError(f"learner {failed} of {self.ranks.count} failed; its own message says why")
        else:
            self._known = Interrupted(self._interrupt.exit_code)
        raise self._known

    def _tell(self, state: _State, results: NDArray[np.float64]) -> tuple[list[float], NDArray[np.float64]]:
        """Tell the others how a call has ended, and of signals; return the states and results of all."""
        row = torch.tensor([state, self._interrupt.exit_code, *results.ravel()], dtype=torch.float64)
        rows = self.ranks.gather(row).numpy()
        signal = int(rows[:, 1].max())
        if signal:
            self._stop = True
            self._interrupt.hear(signal)
        return rows[:, 0].tolist(), rows[:, 2:].reshape(len(rows), *results.shape)


def make_learners(config: Config, ranks: Ranks, interrupt: Interrupt) -> Learners:
    """Return the learners that a run has.

    Raises:
        ConfigError: an option cannot be divided among them.
    """
    return (SeveralLearners if ranks.count > 1 else Learners)(config, ranks, interrupt)


def _told(results: NDArray[np.float64], dtype: type[_T]) -> NDArray[_T] | None:
    """Return results that every episode has; else None."""
    return None if np.isnan(results).any() else results.astype(dtype)


def _checksum(learner: Learner) -> int:
    """Return a checksum of the online networks' parameters and buffers."""
    networks = (cast(nn.Module, learner.agent), cast(nn.Module, learner.mixer))
    tensors = [learner.flat.block, *(buffer for network in networks for buffer in persistent_buffers(network))]
    checksum = 0
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous().reshape(-1)
        checksum = zlib.crc32(values.view(torch.uint8).numpy().data, checksum)
    return checksum

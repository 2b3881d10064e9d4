"""Averages over the time since the last line of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyqmix.learn.step import UpdateStats
from pyqmix.play.episodes import Played, joined


class Window:
    """Episodes and updates since the last line of metrics, from ``first_step`` on.

    Attributes:
        timed_from: the step from which on their time is known: a resumed run's first, or ``first_step``.
        working_seconds: spent on them since, without evaluations and checkpoints.
    """

    def __init__(self, first_step: int, timed_from: int | None = None) -> None:
        self.first_step, self.working_seconds = first_step, 0.0
        self.timed_from = first_step if timed_from is None else timed_from
        self.played: list[Played] = []
        self.updates: list[UpdateStats] = []

    def means(self) -> dict[str, float | None]:
        """Average; the only place where the training device is waited for."""
        names = ("loss", "q_mean", "target_mean", "grad_norm")
        means: dict[str, float | None] = {name: self._mean_of(name) for name in names}
        means["train_return"] = _mean([p.returns for p in self.played])
        means["train_length"] = _mean([p.lengths for p in self.played])
        told = [p.won for p in self.played if p.won is not None]
        means["train_win_rate"] = _mean(told) if len(told) == len(self.played) else None
        means["staleness"] = _mean([p.staleness for p in self.played if p.staleness is not None])
        return means

    def values(self, steps: int) -> dict[str, float | None]:
        """Return the averages and rates at a step, by their columns in metrics.csv."""
        taken, timed = steps - self.first_step, steps - self.timed_from
        return {
            **self.means(),
            "env_steps_per_second": timed / self.working_seconds if self.working_seconds else None,
            "updates_per_env_step": len(self.updates) / taken if taken else None,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return all that the averages are made of: updates (U, 4); and (K,) of the episodes."""
        tensors = {"updates": torch.empty(0, 4, dtype=torch.float32)}
        if self.updates:
            tensors["updates"] = torch.stack([update.scalars for update in self.updates]).cpu()
        if self.played:
            played = joined(self.played)
            tensors |= {"returns": torch.from_numpy(played.returns), "lengths": torch.from_numpy(played.lengths)}
            more = {"won": played.won, "staleness": played.staleness}
            tensors |= {name: torch.from_numpy(array) for name, array in more.items() if array is not None}
        return tensors

    def load(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Take over what :meth:`tensors` returned.

        Raises:
            ValueError: it cannot have returned that.
        """
        expected = {"updates": torch.float32, "returns": torch.float64, "lengths": torch.int64, "won": torch.bool}
        expected["staleness"] = torch.int64
        for name, tensor in tensors.items():
            if tensor.dtype != expected.get(name) or tensor.dim() != (2 if name == "updates" else 1):
                raise ValueError(f"{name} of {tuple(tensor.shape)} {tensor.dtype}")
        if tensors["updates"].shape[1] != 4:
            raise ValueError(f"updates of {tuple(tensors['updates'].shape)}")
        self.updates = [UpdateStats(scalars) for scalars in tensors["updates"].to(device).unbind()]
        if "returns" in tensors:
            self.played = [Played(**{name: tensors[name].numpy() for name in tensors if name != "updates"})]

    def _mean_of(self, name: str) -> float | None:
        if not self.updates:
            return None
        return float(torch.stack([getattr(update, name) for update in self.updates]).mean())


def _mean(arrays: Sequence[np.ndarray[Any, Any]]) -> float | None:
    return float(np.concatenate(arrays).mean()) if arrays else None

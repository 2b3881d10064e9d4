"""Averages over the time since the last line of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pyqmix.learn.step import UpdateStats
from pyqmix.play.episodes import Played


class Window:
    """Episodes and updates since the last line of metrics, from ``first_step`` on.

    Attributes:
        working_seconds: spent on them, without evaluations and checkpoints.
    """

    def __init__(self, first_step: int) -> None:
        self.first_step, self.working_seconds = first_step, 0.0
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
        return means

    def _mean_of(self, name: str) -> float | None:
        if not self.updates:
            return None
        return float(torch.stack([getattr(update, name) for update in self.updates]).mean())


def _mean(arrays: Sequence[np.ndarray[Any, Any]]) -> float | None:
    return float(np.concatenate(arrays).mean()) if arrays else None

"""Running mean and deviation of the rewards."""

from __future__ import annotations

import torch
from torch import Tensor


class RewardStandardiser:
    """Standardises rewards by the mean and variance of all that it has been shown, in float64.

    It starts as if it had seen 1e-4 of a value with mean 0 and variance 1, so that the first batch rules.
    Chan, Golub and LeVeque's parallel update of mean and variance. Its three numbers stay on their device;
    an update does not synchronise.

    Args:
        mean: of the values seen.
        variance: of the values seen.
        count: how many values were seen.
        device: where rewards are shown to it.
    """

    def __init__(
        self,
        mean: float = 0.0,
        variance: float = 1.0,
        count: float = 1e-4,
        device: torch.device | None = None,
    ) -> None:
        self._moments = torch.tensor([mean, variance, count], dtype=torch.float64, device=device)

    def update(self, rewards: Tensor, seen: Tensor | None = None) -> None:
        """Take in more rewards, of any shape: all, or those where ``seen``, bools of that shape, is True."""
        values = rewards.double()
        kept = torch.ones_like(values) if seen is None else seen.double()
        n = kept.sum()
        mean = (values * kept).sum() / n
        variance = ((values - mean).square() * kept).sum() / n
        old_mean, old_variance, count = self._moments.unbind()
        total, delta = count + n, mean - old_mean
        squares = old_variance * count + variance * n + delta.square() * count * n / total
        self._moments.copy_(torch.stack([old_mean + delta * n / total, squares / total, total]))

    def standardise(self, rewards: Tensor) -> Tensor:
        """Return (rewards - mean) / deviation; where all rewards were equal, the deviation counts as 1e-4."""
        mean, variance, _ = self._moments.to(rewards.dtype).unbind()
        return (rewards - mean) / variance.clamp(min=1e-8).sqrt()

    def state(self) -> dict[str, float]:
        """Return the constructor's arguments, but for the device; waits for it."""
        return dict(zip(("mean", "variance", "count"), self._moments.tolist(), strict=True))

    def load(self, state: dict[str, float]) -> None:
        """Take over what :meth:`state` returned."""
        self._moments.copy_(self._moments.new_tensor([state["mean"], state["variance"], state["count"]]))

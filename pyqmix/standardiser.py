"""Running mean and deviation of the rewards."""

from __future__ import annotations

from torch import Tensor


class RewardStandardiser:
    """Standardises rewards by the mean and variance of all that it has been shown, in float64.

    It starts as if it had seen 1e-4 of a value with mean 0 and variance 1, so that the first batch rules.
    Chan, Golub and LeVeque's parallel update of mean and variance.
    """

    def __init__(self, mean: float = 0.0, variance: float = 1.0, count: float = 1e-4) -> None:
        self.mean, self.variance, self.count = mean, variance, count

    def update(self, rewards: Tensor) -> None:
        """Take in more rewards, of any shape."""
        values = rewards.double()
        n = values.numel()
        mean = float(values.mean())
        variance = float(values.var(unbiased=False))
        total = self.count + n
        delta = mean - self.mean
        squares = self.variance * self.count + variance * n + delta**2 * self.count * n / total
        self.mean += delta * n / total
        self.variance = squares / total
        self.count = total

    def standardise(self, rewards: Tensor) -> Tensor:
        """Return (rewards - mean) / deviation; where all rewards were equal, the deviation counts as 1e-4."""
        deviation = max(self.variance, 1e-8) ** 0.5
        return (rewards - self.mean) / float(deviation)

    def state(self) -> dict[str, float]:
        """Return what the constructor takes."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

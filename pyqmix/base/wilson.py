"""The confidence interval of a share of successes, such as a win rate."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(share: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a probability.

    It lies in [0, 1] and has a width also where all trials succeed or none, unlike ``share ± z·σ`` (Wilson 1927;
    recommended by Brown, Cai and DasGupta, Statistical Science 16:101, 2001, section 3.1.1).

    Args:
        share: of ``count`` independent trials that succeeded, in [0, 1].
        count: at least 1.
        confidence: in (0, 1).
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return _lower_end(share, count, z), 1 - _lower_end(1 - share, count, z)


def _lower_end(share: float, count: int, z: float) -> float:
    centre = count * share + z * z / 2
    half = z * math.sqrt(count * share * (1 - share) + z * z / 4)
    return max(0.0, (centre - half) / (count + z * z))

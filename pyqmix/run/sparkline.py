"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw values as blocks between their lowest and their highest.

    Args:
        values: in the order of time; those that are not finite are left out.
        width: at most this many characters; where there are more values, each character is the mean of some.
    """
    finite = [value for value in values if math.isfinite(value)]
    count = min(len(finite), width)
    ends = [index * len(finite) // count for index in range(count + 1)] if count > 0 else []
    means = [math.fsum(finite[a:b]) / (b - a) for a, b in pairwise(ends)]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((mean - low) * scale)] for mean in means)

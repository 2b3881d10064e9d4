"""Aggregates over runs and tasks with stratified bootstrap intervals.

The measures of Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS
2021, arXiv:2108.13264). They equal those of its library rliable; for groups with the same number of runs on every
task, a :class:`numpy.random.RandomState` also brings the same resamples as there.

Scores are a sequence with an array (runs,) for each task. The tasks are the strata: runs are resampled within one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Scores = Sequence[Array]

REPETITIONS = 2_000  # resamples of an interval
CONFIDENCE = 0.95


def interquartile_mean(values: Array) -> Array:
    """Return the mean of the middle half (..., n) -> (...): a quarter of the values, rounded down, is cut from
    either end (section 4.3 of the paper).
    """
    count = values.shape[-1]
    cut = count // 4
    ordered: Array = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : count - cut].mean(axis=-1))


def resamples(sizes: Sequence[int], repetitions: int, random: np.random.RandomState) -> list[Indices]:
    """Draw runs with replacement within each stratum.

    Args:
        sizes: number of runs of each task.
        repetitions: resamples.
        random: draws them; its stream does not depend on numpy's version.

    Returns:
        for each task an array (repetitions, runs) of the runs' indices.
    """
    if len(set(sizes)) == 1:  # in the order in which rliable draws
        drawn = random.choice(sizes[0], (repetitions, sizes[0], len(sizes)))
        return [drawn[..., task] for task in range(len(sizes))]
    return [random.choice(size, (repetitions, size)) for size in sizes]


def pooled(scores: Scores, indices: Sequence[Indices] | None = None) -> Array:
    """Put the scores of all tasks into one array (runs of all tasks,), or (repetitions, runs of all tasks)."""
    parts = scores if indices is None else [task[drawn] for task, drawn in zip(scores, indices, strict=True)]
    return np.concatenate(parts, axis=-1)


def percentile_interval(estimates: Array) -> tuple[Array, Array]:
    """Return the ends of the 95 % percentile interval of estimates (repetitions, ...)."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(estimates, (tail, 100 - tail), axis=0)
    return low, high


def performance_profile(scores: Array, thresholds: Array) -> Array:
    """Return the share of scores (..., n) above each threshold (t,): (..., t) (equation 4 of the paper)."""
    return np.stack([np.asarray((scores > threshold).mean(axis=-1)) for threshold in thresholds], axis=-1)


def improvement(ours: Scores, others: Scores) -> Array:
    """Return the probability that a run of one method beats a run of another on the same task, ties counting half.

    It is the Mann-Whitney statistic over the number of pairs, averaged over tasks (section 4.3 of the paper).

    Args:
        ours: for each task (..., runs).
        others: for each task (..., runs of the other).
    """
    tasks = []
    for a, b in zip(ours, others, strict=True):
        difference = a[..., :, None] - b[..., None, :]
        tasks.append(((difference > 0) + 0.5 * (difference == 0)).mean(axis=(-2, -1)))
    return np.asarray(np.mean(tasks, axis=0))


def improvement_interval(
    ours: Scores, others: Scores, random: np.random.RandomState, repetitions: int = REPETITIONS
) -> tuple[float, float]:
    """Return the 95 % interval of :func:`improvement`; both methods' runs are resampled."""
    drawn = list(_pairs_of_resamples(ours, others, random, repetitions))
    low, high = percentile_interval(np.array([improvement(a, b) for a, b in drawn]))
    return float(low), float(high)


def _pairs_of_resamples(
    ours: Scores, others: Scores, random: np.random.RandomState, repetitions: int
) -> Iterator[tuple[list[Array], list[Array]]]:
    for _ in range(repetitions):  # in turn, as rliable draws
        a, b = (resamples([task.size for task in scores], 1, random) for scores in (ours, others))
        yield (
            [task[index[0]] for task, index in zip(ours, a, strict=True)],
            [task[index[0]] for task, index in zip(others, b, strict=True)],
        )

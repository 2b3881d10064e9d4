"""The statistics are those of rliable: recorded numbers, and the library itself where it is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
from rliable_record import REPETITIONS, SEED, THRESHOLDS, by_rliable, scores

from pyqmix.figures.statistics import (
    improvement,
    improvement_interval,
    interquartile_mean,
    percentile_interval,
    performance_profile,
    pooled,
    resamples,
)

RECORDED = json.loads((Path(__file__).parent / "rliable.json").read_text())


@pytest.fixture
def ours():
    """The same measures by pyqmix, of the recorded scores."""
    a, b = ([np.array(task) for task in zip(*RECORDED["scores"][name], strict=True)] for name in "ab")
    drawn = resamples([task.size for task in a], REPETITIONS, np.random.RandomState(SEED))
    thresholds = np.array(THRESHOLDS)
    return {
        "iqm": interquartile_mean(pooled(a)),
        "iqm_interval": [percentile_interval(interquartile_mean(pooled(a, drawn)))],
        "mean": np.mean(pooled(a)),
        "profile": performance_profile(pooled(a), thresholds),
        "profile_intervals": np.transpose(percentile_interval(performance_profile(pooled(a, drawn), thresholds))),
        "improvement": improvement(a, b),
        "improvement_interval": [improvement_interval(a, b, np.random.RandomState(SEED), REPETITIONS)],
    }


def test_statistics_equal_recorded_ones_of_rliable(ours):
    assert ours.keys() == RECORDED.keys() - {"scores"}
    for name, value in ours.items():
        np.testing.assert_allclose(value, RECORDED[name], rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.slow
def test_statistics_equal_those_of_rliable(ours):
    pytest.importorskip("rliable.library")
    for name, value in by_rliable().items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-9, err_msg=name)
    for name, value in scores().items():
        assert RECORDED["scores"][name] == value.tolist()


@pytest.mark.parametrize(
    ("values", "mean"), [([5], 5), ([1, 3], 2), ([9, 1, 2, 3], 2.5), ([0, 1, 2, 4, 99], 7 / 3)]
)
def test_interquartile_mean_cuts_a_quarter_rounded_down(values, mean):
    assert interquartile_mean(np.array(values, float)) == pytest.approx(mean)


def test_strata_of_different_sizes_are_resampled_within_themselves():
    drawn = resamples([2, 5], 100, np.random.RandomState(0))
    assert [x.shape for x in drawn] == [(100, 2), (100, 5)]
    assert [sorted(set(x.ravel())) for x in drawn] == [[0, 1], [0, 1, 2, 3, 4]]
    both = pooled([np.array([1.0, 2.0]), np.array([10.0, 20, 30, 40, 50])], drawn)
    assert both.shape == (100, 7)
    assert both[:, :2].max() < 3 < both[:, 2:].min()


def test_a_tie_counts_half():
    assert improvement([np.array([1.0, 2.0])], [np.array([1.0, 0.0])]) == 0.875
    assert improvement([np.zeros(3)], [np.zeros(2)]) == 0.5

"""Statistics by rliable of random scores, for tests/figures/test_statistics.py.

    pip install 'rliable==1.2.0' 'pandas<3'
    python tests/differential/rliable_record.py > tests/figures/rliable.json

rliable draws from NumPy's global generator, whatever generator it is given.
"""

import json

import numpy as np

SEED, REPETITIONS = 7, 200
SIZES = {"a": (5, 3), "b": (4, 3)}  # runs, tasks
THRESHOLDS = [-1.0, -0.25, 0.0, 0.5, 1.5]


def scores():
    """Random scores (runs, tasks); some are equal."""
    random = np.random.RandomState(0)
    return {name: np.round(random.standard_normal(size), 1) for name, size in SIZES.items()}


def by_rliable():
    """Measures and intervals, as rliable has them."""
    from rliable import library, metrics

    def interval(given, measure):
        np.random.seed(SEED)
        _, ends = library.get_interval_estimates({"": given}, measure, reps=REPETITIONS)
        return ends[""].T.tolist()

    a, b = scores().values()
    profile = library.score_distributions
    return {
        "iqm": float(metrics.aggregate_iqm(a)),
        "iqm_interval": interval(a, lambda x: np.array([metrics.aggregate_iqm(x)])),
        "mean": float(metrics.aggregate_mean(a)),
        "profile": profile(a, THRESHOLDS).tolist(),
        "profile_intervals": interval(a, lambda x: profile(x, THRESHOLDS)),
        "improvement": float(metrics.probability_of_improvement(a, b)),
        "improvement_interval": interval(
            [a, b], lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
        ),
    }


if __name__ == "__main__":
    print(json.dumps({"scores": {name: x.tolist() for name, x in scores().items()}, **by_rliable()}, indent=1))

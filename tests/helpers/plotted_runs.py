"""Folders of runs that nothing has trained, as pyqmix and as EPyMARL with sacred write them."""

import json
from datetime import datetime, timedelta

from pyqmix.run.metrics import Metrics, first_line, line


def write_run(folder, evaluations, seconds=None, **options):
    """Write the folder of a run.

    Args:
        folder: it must not exist.
        evaluations: the greedy return, or (return, win rate), by step.
        seconds: wall time by step; without it, a thousandth of the steps.
        **options: of the run, in place of some that every run has.
    """
    folder.mkdir(parents=True)
    defaults = {"env": "lbf", "task": "8x8", "mixer": "qmix", "lr": 0.001, "seed": 0, "run_dir": str(folder)}
    (folder / "config.json").write_text(json.dumps({**defaults, **options}))
    lines = [first_line()]
    for step, value in evaluations.items():
        mean, won = value if isinstance(value, tuple) else (value, None)
        wall = step / 1000 if seconds is None else seconds[step]
        lines.append(line(Metrics(step, 1, 1, 0.1, eval_return_mean=mean, eval_win_rate=won, wall_seconds=wall)))
        lines.append(line(Metrics(step + 1, 1, 1, 0.1, loss=0.5, wall_seconds=wall)))  # without an evaluation
    (folder / "metrics.csv").write_text("".join(lines))
    return folder


def write_sacred(folder, returns, **options):
    """Write a folder as sacred 0.8.7 does; an evaluation every second.

    Args:
        folder: it must not exist.
        returns: the mean return by step.
        **options: of the run, in place of some that every run has.
    """
    folder.mkdir(parents=True)
    began = datetime(2024, 3, 31, 1, 59, 58, 250_000)
    stamps = [(began + timedelta(seconds=1 + k)).isoformat() for k in range(len(returns))]
    series = {"steps": [*returns], "timestamps": stamps, "values": [*returns.values()]}
    defaults = {
        **{"name": "qmix", "mixer": "qmix", "env": "gymma", "seed": 1, "t_max": 100, "lr": 0.0005},
        "env_args": {"key": "lbforaging:8x8", "time_limit": 50, "seed": 1},
    }
    (folder / "config.json").write_text(json.dumps({**defaults, **options}))
    (folder / "run.json").write_text(json.dumps({"start_time": began.isoformat(), "status": "COMPLETED"}))
    (folder / "metrics.json").write_text(json.dumps({"test_return_mean": series}))
    return folder

"""Runs of EPyMARL that sacred wrote lie among those of pyqmix."""

import json

import pytest
from plotted_runs import write_run, write_sacred

from pyqmix.base.errors import ConfigError
from pyqmix.figures import read_run
from pyqmix.figures.folders import require_runs
from pyqmix.figures.grouping import group_runs


def test_a_run_of_epymarl_is_read(tmp_path):
    run = read_run(write_sacred(tmp_path / "1", {0: 0.1, 50: 0.4}))
    assert (run.source, run.task, run.options["lr"]) == ("EPyMARL", "lbf 8x8", 0.0005)
    assert [(m.steps, m.eval_return_mean, m.wall_seconds) for m in run.metrics] == [(0, 0.1, 1), (50, 0.4, 2)]
    assert require_runs(tmp_path) == [tmp_path / "1"]


@pytest.mark.parametrize(
    ("env", "arguments", "task"),
    [
        ("gymma", {"key": "rware:rware-tiny-2ag-v2"}, "rware rware-tiny-2ag-v2"),
        ("gymma", {"key": "other:Game-v0"}, "gymnasium other:Game-v0"),
        ("sc2", {"map_name": "3m"}, "smac 3m"),
        ("one", None, "one"),
    ],
)
def test_tasks_have_pyqmix_names(tmp_path, env, arguments, task):
    assert read_run(write_sacred(tmp_path / "1", {0: 0.1}, env=env, env_args=arguments)).task == task


def test_win_rates_and_numbers_of_numpy_are_read(tmp_path):
    folder = write_sacred(tmp_path / "1", {0: 0.1})
    series = {"steps": [0, 9], "timestamps": ["2024-03-31T02:00:00"] * 2, "values": [{"value": 0.25}, 0.5]}
    (folder / "metrics.json").write_text(json.dumps({"test_battle_won_mean": series, "loss": {}}))
    assert [m.eval_win_rate for m in read_run(folder).metrics] == [0.25, 0.5]


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"test_return_mean": 3}', '{"test_return_mean": {"steps": [1], "values": [], "timestamps": []}}'],
)
def test_damaged_metrics_are_named(tmp_path, content):
    folder = write_sacred(tmp_path / "1", {0: 0.1})
    (folder / "metrics.json").write_text(content)
    with pytest.raises(ConfigError, match=r"1/metrics\.json: expected"):
        read_run(folder)


def test_algorithms_of_epymarl_are_groups(tmp_path):
    options = [{"name": "qmix", "mixer": "qmix", "lr": 1}, {"name": "vdn", "mixer": "vdn", "lr": 2, "seed": 4}]
    runs = [read_run(write_sacred(tmp_path / str(k), {0: 0.1}, **each)) for k, each in enumerate(options)]
    assert [group.label for group in group_runs(runs)] == ["qmix", "vdn"]
    runs.append(read_run(write_sacred(tmp_path / "2", {0: 0.1}, lr=3, t_max=7)))
    runs.append(read_run(write_run(tmp_path / "ours", {0: 0.1})))
    labels = ["EPyMARL qmix, lr=1", "EPyMARL vdn", "EPyMARL qmix, lr=3", "qmix"]
    assert [group.label for group in group_runs(runs)] == labels

"""The record of the benchmarks' sweeps: recorded runs are the sweeps' own, and a folder of new ones is added."""

import csv
import json
import shutil

import pytest
from learning import report
from learning.record import Record, sweep_names

from pyqmix import ConfigError
from pyqmix.base.yaml_files import to_yaml


def recorded(path):
    return [row["run"] for row in csv.DictReader(path.read_text().splitlines())] if path.exists() else []


@pytest.mark.parametrize("name", sweep_names())
def test_the_record_has_runs_of_the_sweep_alone(name):
    record = Record(name)
    rows, points = recorded(record.path), recorded(record.path.with_name(f"{name}_curves.csv"))
    assert rows == list(record.rows)
    assert set(points) == set(rows)
    assert record.about


@pytest.fixture
def record(tiny_run, tmp_path):
    """Read the record of a sweep whose first run is the finished one."""
    own = json.loads((tiny_run / "config.json").read_text())
    options = {name: own[name] for name in own.keys() - {"checksum", "seed", "run_dir", "eps_end"}}
    variants = {"first": {}, "second": {"lr": 0.5}}
    sweep = {**options, "preset": "none", "seeds": [own["seed"], own["seed"] + 1], "variants": variants}
    (tmp_path / "tiny.yaml").write_text(f"# About\n# this sweep.\n{to_yaml(sweep)}")
    return lambda: Record("tiny", tmp_path, tmp_path)


@pytest.fixture
def folder(record, tiny_run, tmp_path):
    """Give the folder of a run of the sweep the finished run's content."""

    def fill(number):
        folder = tmp_path / "out" / "runs" / list(record().runs)[number]
        shutil.copytree(tiny_run, folder)
        return folder

    return fill


def test_runs_that_have_ended_are_recorded_once(record, folder, tmp_path):
    name = folder(0).name
    (folder(1) / "summary.json").unlink()  # it has not ended
    new = record()
    (line,) = new.add(tmp_path / "out", 20)
    assert line.startswith(f"{name}: eval_return_mean ")
    new.add_random(20)
    again = record()
    assert list(again.add(tmp_path / "out", 20)) == []
    assert (again.rows, again.points, again.random) == (new.rows, new.points, new.random)
    (row,) = again.rows.values()
    assert (row["run"], row["episodes"], row["cpu_seconds"], row["eval_win_rate"]) == (name, "20", "", "")
    assert float(row["wall_seconds"]) > 0
    assert {point["run"] for point in again.points} == {name}
    assert list(again.random) == ["two_step"]


def test_runs_of_another_sweep_are_refused(record, folder, tmp_path):
    with pytest.raises(ConfigError, match="expected a folder of the sweep tiny"):
        list(record().add(tmp_path))
    folder(2)
    with pytest.raises(ConfigError, match=r"its lr is .*, and the sweep's is 0.5"):
        list(record().add(tmp_path / "out"))


def values(run, seconds, value):
    return {"run": run, "steps": "100", "wall_seconds": seconds, "eval_return_mean": "1", "eval_win_rate": value}


def test_a_report_has_groups_over_seeds(record, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(report, "draw", lambda comparison, path: drawn.append((comparison.groups, path.name)))
    half = record()
    rest = {"updates": "10", "cpu_seconds": "", "load": "", "episodes": "1000"}
    half.rows = {run: {**values(run, "9", str(k / 4)), **rest} for k, run in enumerate(list(half.runs)[:3])}
    half.points = [values(run, "5", "0.5") for run in half.rows]
    half.random = {"two_step": {"eval_win_rate": "0.125"}}
    report.write_report(half)
    page = (tmp_path / "tiny.md").read_text()
    assert page.startswith("# tiny\n\nAbout\nthis sweep.\n\nGreedy win rate over 1,000 fresh episodes")
    assert "3 of 4 runs" in page
    assert "| two_step | first | 2 | 0.125 [0.000, 0.250] | 0.000, 0.250 | 0.125 | 100 | 10 | 9 | - |" in page
    assert "| two_step | second | 1 | 0.500 | 0.500, 0.500 | 0.125 | 100 | 10 | 9 | - |" in page
    assert drawn == [(["first", "second"], "tiny.png")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["methods", "environments"])
def test_recorded_sweeps_are_drawn(tmp_path, name):
    record = Record(name)
    record.path = tmp_path / "x.csv"
    report.write_report(record)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")

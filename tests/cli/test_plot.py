"""pyqmix-plot: the good runs are drawn, what is wrong is named, and nothing is written in vain."""

import os
import sys
from types import SimpleNamespace

import pytest
from plotted_runs import write_run, write_sacred

from pyqmix.cli import plot
from pyqmix.figures import drawing


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call pyqmix-plot in a folder with four runs; the figure is a stand-in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(drawing, "draw", lambda compared, out, **options: out.write_text(str(options)))
    for mixer in ("qmix", "vdn"):
        for seed in (1, 2):
            write_run(tmp_path / "runs" / f"{mixer}{seed}", {0: 0.0, 100: 0.5}, mixer=mixer, seed=seed)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pyqmix-plot", *map(str, arguments)])
        try:
            code = plot.main()
        except SystemExit as stop:
            code = stop.code
        return SimpleNamespace(code=code or 0, **capsys.readouterr()._asdict())

    return run


def test_runs_below_a_folder_are_compared(call, tmp_path):
    (tmp_path / "out").mkdir()
    outputs = ["curves.png", "out/t.md", "out/m.json"]
    options = ["--table", outputs[1], "--marl-eval", outputs[2], "--label", "qmix=QMIX", "--title", "T"]
    outcome = call("runs", "runs/vdn1", *options, "--improvement")
    assert (outcome.code, outcome.err) == (0, "")
    table, _, paths = outcome.out.partition("\n\n")
    assert [line.split("|")[2].strip() for line in table.splitlines()[2:]] == ["QMIX", "vdn"]
    assert paths.split() == outputs
    assert (tmp_path / "out" / "t.md").read_text() == f"{table}\n"
    expected = {"title": "T", "profile": False, "improvements": True}
    assert (tmp_path / "curves.png").read_text() == str(expected)


def test_broken_runs_among_good_ones_are_named(call, tmp_path):
    (tmp_path / "runs" / "qmix1" / "metrics.csv").write_text("steps\nmany\n")
    write_run(tmp_path / "runs" / "without", {})
    write_sacred(tmp_path / "runs" / "zz", {0: 0.1, 100: 0.2}, env_args={"key": "lbforaging:10x10"})
    outcome = call("runs", "nowhere")
    assert outcome.code == 1
    lines = [line.removeprefix("pyqmix-plot: ") for line in outcome.err.splitlines()]
    assert lines[0].startswith("skipped: runs/qmix1/metrics.csv: expected the metrics of a run, but ")
    assert lines[1:] == [
        "skipped: nowhere: expected the folder of a run, or one with runs below it",
        "skipped: runs/without: no evaluation in its metrics",
        "2 tasks, each with panels of its own: lbf 8x8, lbf 10x10",
    ]
    groups = [line.split("|")[2].strip() for line in outcome.out.splitlines()[2:5]]
    assert groups == ["qmix", "vdn", "EPyMARL qmix"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["at least one run directory"]),
        (["nowhere"], ["nowhere: expected the folder of a run"]),
        (
            ["runs", "--out", "x.jpg"],
            ["--out: expected the name of a .png or .svg or .pdf file", "got x.jpg"],
        ),
        (["runs", "--out", "curves"], ["--out: expected the name of a .png or"]),
        (
            ["runs", "--table", "x.txt"],
            ["--table: expected the name of a .csv or .md or .tex file", "got x.txt"],
        ),
        (
            ["runs", "--marl-eval", "x.csv"],
            ["--marl-eval: expected the name of a .json file", "got x.csv"],
        ),
        (["runs", "--out", "nowhere/x.png"], ["in a folder that exists, got nowhere/x.png"]),
        (["runs", "--out", "folder.png"], ["folder.png: expected a regular file or none, got a folder"]),
        (["runs", "--metric", "los"], ["--metric: expected", "'los'", "did you mean loss"]),
        (["runs", "--label", "qmix"], ["--label: expected GROUP=NAME, got 'qmix'"]),
        (["runs", "--label", "qmx=Q"], ["--label: there is no group 'qmx', only 'qmix', 'vdn'"]),
        (["runs", "--ot", "x.png"], ["unknown option '--ot'; did you mean --out"]),
        (["runs", "--metric", "grad_norm"], ["runs/qmix1: no value of grad_norm in its metrics; runs/qmix2: "]),
    ],
)
def test_mistakes_are_refused_before_work(call, tmp_path, arguments, words):
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    outcome = call(*arguments)
    *above, line = outcome.err.splitlines()
    assert (outcome.code, outcome.out, [x for x in above if "skipped" not in x]) == (2, "", [])
    assert line.startswith("pyqmix-plot: error: ")
    assert [word for word in words if word not in line] == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(call, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "--out: locked/x.png cannot be written" in call("runs", "--out", "locked/x.png").err

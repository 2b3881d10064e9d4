"""Curves of groups on a grid that the runs share, and what tables and marl-eval's JSON say of them."""

import csv
import json

import numpy as np
import pytest
from plotted_runs import write_run

from pyqmix.base.errors import ConfigError
from pyqmix.figures import read_run, table
from pyqmix.figures.comparison import arrange
from pyqmix.figures.curves import Series, final_scores, over_seconds, over_steps
from pyqmix.figures.marl_eval import write_marl_eval
from pyqmix.figures.tables import rows, write_table


@pytest.fixture
def make(tmp_path):
    """Write and read runs: evaluations, and options, of each."""

    def write(*runs):
        found = enumerate(runs)
        return [read_run(write_run(tmp_path / f"run{k}", points, **options)) for k, (points, options) in found]

    return write


def series(run, metric="eval_return_mean"):
    return Series.of(run, metric)


def test_curves_are_interpolated_where_all_runs_have_values(make):
    short, long = make(({0: 0.0, 100: 1.0}, {}), ({20: 0.0, 220: 2.0}, {"seed": 1}))
    curve = over_steps([series(short), series(long)])
    assert (curve.x[0], curve.x[-1], curve.x.size) == (20, 100, 101)
    np.testing.assert_allclose(curve.centre, (curve.x / 100 + (curve.x - 20) / 100) / 2)
    np.testing.assert_allclose(curve.low, (curve.x - 20) / 100, atol=1e-12)  # of two runs: one of them twice
    np.testing.assert_allclose(curve.high, curve.x / 100)
    np.testing.assert_allclose(final_scores([series(short), series(long)]), [1.0, 0.8])


def test_a_single_run_has_no_interval(make):
    (run,) = make(({0: 0.0, 100: 1.0}, {}))
    curve = over_steps([series(run)])
    assert (curve.low, curve.high) == (None, None)
    assert curve.centre[-1] == 1


def test_over_wall_time_a_finished_run_keeps_its_value(make, tmp_path):
    (fast,) = make(({0: 0.0, 100: 1.0, 200: 9.0}, {"seconds": {0: 1, 100: 2, 200: 3}}))
    slow = read_run(write_run(tmp_path / "slow", {0: 0.0, 100: 1.0}, seconds={0: 2, 100: 10}))
    curve = over_seconds([series(fast), series(slow)])
    assert (curve.x[0], curve.x[-1]) == (2, 10)
    np.testing.assert_allclose(curve.centre, (1 + (curve.x - 2) / 8) / 2)


def test_lines_without_a_finite_value_are_left_out(make):
    (run,) = make(({5: float("nan"), 10: 1.0, 0: 3.0, 20: float("inf"), 30: -1e300}, {}))
    assert series(run).steps.tolist() == [0, 10]
    assert series(run).seconds.tolist() == [0, 0.01]
    assert series(run, "loss").values.tolist() == [0.5] * 5
    assert series(run, "eval_win_rate") is None


def test_win_rates_are_compared_where_all_runs_have_one(make):
    won, other, empty = make(({0: (1.0, 0.5)}, {}), ({0: 1.0}, {"mixer": "vdn"}), ({}, {}))
    assert arrange([won, won]).metric == "eval_win_rate"
    assert arrange([won, other]).metric == "eval_return_mean"
    compared = arrange([won, empty])
    assert compared.metric == "eval_win_rate"
    assert compared.skipped == [f"{empty.folder}: no evaluation in its metrics"]
    assert arrange([won, empty], "loss").skipped == [f"{empty.folder}: no value of loss in its metrics"]
    with pytest.raises(ConfigError, match="run2: no evaluation"):
        arrange([empty])


def test_different_lengths_are_told(make):
    short, nearly, long = make(*(({0: 0.0, end: 1.0}, {"seed": end}) for end in (90, 97, 100)))
    assert arrange([nearly, long]).notes == []
    (note,) = arrange([nearly, long, short]).notes
    assert note == f"qmix on lbf 8x8: compared up to step 90 of 100, where {short.folder} ends"


def test_runs_of_one_seed_are_told(make):
    runs = make(*(({0: 0.0}, {"seed": seed}) for seed in (0, 1, 0)))
    assert arrange(runs).notes == [
        "qmix on lbf 8x8: the interval takes several runs of seed 0 for independent ones",
    ]


def test_a_table_has_a_row_for_each_group_and_task(make):
    runs = make(
        *(({0: 0.0, 100: 1.0 + k}, {"seed": k}) for k in range(3)),
        ({0: 5.0, 100: 7.0}, {"mixer": "vdn"}),
        ({0: -1.0, 50: 3.0}, {"task": "b"}),
        ({0: 1.0, 50: 1.0}, {"task": "b", "mixer": "vdn"}),
    )
    found = table(runs)
    assert [(row.task, row.group, row.seeds) for row in found] == [
        *(("lbf 8x8", "qmix", 3), ("lbf 8x8", "vdn", 1), ("lbf b", "qmix", 1), ("lbf b", "vdn", 1)),
        *(("2 tasks, normalised", "qmix", 4), ("2 tasks, normalised", "vdn", 2)),
    ]
    first, second, *_, together, _ = found
    assert (first.iqm, first.mean, first.low, first.high, first.steps) == (2.0, 2.0, 1.0, 3.0, 100)
    assert (second.iqm, second.low, second.high, second.wall_seconds) == (7.0, None, None, 0.1)
    assert together.iqm == pytest.approx((2 / 7 + 3 / 7) / 2)  # of 1/7, 2/7, 3/7 and 1
    assert (together.steps, together.wall_seconds) == (150, pytest.approx(0.15))
    alone = [run for run in runs if run.options["mixer"] == "qmix"]
    assert [row.task for row in table(alone)] == ["lbf 8x8", "lbf b"]


def test_tables_are_csv_markdown_and_latex(make, tmp_path):
    runs = make(({0: 0.5, 1000: 0.25}, {"task": "a_b|50%"}))
    found = rows(arrange(runs, labels={"qmix": "Q&A"}))
    for suffix in (".csv", ".md", ".tex"):
        write_table(found, tmp_path / f"table{suffix}")
    (row,) = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert (row["task"], row["iqm"], row["low"], row["steps"]) == ("lbf a_b|50%", "0.25", "", "1000")
    head, rule, line = (tmp_path / "table.md").read_text().splitlines()
    assert len(head) == len(rule) == len(line)
    assert line == r"| lbf a_b\|50% | Q&A   |     1 |               0.250 | 0.250 | 1,000 |             1 |"
    latex = (tmp_path / "table.tex").read_text().splitlines()
    assert r"lbf a\_b|50\% & Q\&A & 1 & 0.250 & 0.250 & 1,000 & 1 \\" in latex
    assert r"\toprule" in latex


def test_evaluations_are_written_for_marl_eval(make, tmp_path):
    runs = make(
        ({0: (0.5, 0.1), 10: (0.75, 0.2), 20: (0.25, 0.3)}, {"seed": 3}),
        ({0: (0.5, 0.1)}, {"seed": 3}),
        ({0: (2.0, 0.0)}, {"seed": 1, "mixer": "vdn", "task": None}),
    )
    write_marl_eval(arrange(runs), tmp_path / "out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["lbf"]["lbf"]["vdn"]["seed_1"]["absolute_metrics"] == {"return": [2.0], "win_rate": [0.0]}
    seeds = content["lbf"]["8x8"]["qmix"]
    assert [*seeds] == ["seed_3", "seed_3_2"]
    assert [*seeds["seed_3"]] == ["step_0", "step_1", "step_2", "absolute_metrics"]
    assert seeds["seed_3"]["step_1"] == {
        **{"step_count": 10, "elapsed_time": 0.01},
        **{"return": [0.75], "win_rate": [0.2]},
    }
    assert seeds["seed_3"]["absolute_metrics"] == {"return": [0.75], "win_rate": [0.2]}

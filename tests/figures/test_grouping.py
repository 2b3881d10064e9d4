"""Runs that differ in their seeds alone are a group, named by the options in which groups differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from pyqmix.base.errors import ConfigError
from pyqmix.figures.grouping import LONGEST_LABEL, group_runs
from pyqmix.figures.stored_run import Run


def run(**options):
    return Run(Path("run"), {"env": "lbf", "task": "8x8", "mixer": "qmix", **options}, [], None)


def labels(*runs):
    return [group.label for group in group_runs(runs)]


def test_what_does_not_change_the_algorithm_makes_no_group():
    same = [run(seed=k, run_dir=str(k), total_steps=k, threads=k, device=str(k), eval_every=k) for k in range(3)]
    (group,) = group_runs(same)
    assert (group.label, group.runs) == ("qmix", same)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([{"mixer": "vdn"}, {"mixer": "qmix"}, {"mixer": "vdn"}], ["vdn", "qmix"]),
        ([{"lr": 0.1}, {"lr": 0.01}], ["lr=0.1", "lr=0.01"]),
        ([{"double_q": True}, {"double_q": False}], ["double_q=true", "double_q=false"]),
        ([{"eps_steps": "20%"}, {"eps_steps": 7}], ["eps_steps=20%", "eps_steps=7"]),
        ([{"mixer": "vdn", "lr": 1}, {"lr": 2}], ["mixer=vdn, lr=1", "mixer=qmix, lr=2"]),
        ([{"lr": 1}, {}], ["qmix"]),
        ([{"lr": 1}, {}, {"lr": 2}], ["lr=1", "qmix", "lr=2"]),
        ([{"task": "a", "lr": 1}, {"task": "b", "lr": 2}], ["qmix"]),
        ([{"mixer": "q\x1b[2J"}, {}], ["q\N{REPLACEMENT CHARACTER}[2J #1", "qmix"]),
    ],
)
def test_labels_are_the_options_that_differ_within_a_task(options, expected):
    assert labels(*(run(**each) for each in options)) == expected


def of_variant(name, **options):
    return replace(run(**options), variant=name)


def test_variants_that_meet_on_a_task_have_their_names():
    runs = [of_variant("a b", lr=1), of_variant("c", lr=2), of_variant("c", lr=2, mixer="vdn")]
    assert labels(*runs) == ["a b", "c, qmix", "c, vdn"]
    assert labels(of_variant("a", task="x", lr=1), of_variant("b", task="y", lr=2)) == ["qmix"]


def test_long_labels_are_cut_and_numbered():
    first, second = group_runs([run(mixer_args="x" * 100 + end) for end in "ab"])
    assert (first.label[-4:], second.label[-4:]) == ("… #1", "… #2")
    assert len(first.label) <= LONGEST_LABEL + 3
    assert (first.options[-1], second.options[-1]) == ("a", "b")


def test_groups_are_renamed():
    runs = [run(), run(mixer="vdn"), run(mixer="iql")]
    groups = group_runs(runs, {"vdn": "ours", "iql": "ours"})
    assert [(group.label, len(group.runs)) for group in groups] == [("qmix", 1), ("ours", 2)]
    with pytest.raises(ConfigError, match="label: there is no group 'vdm', only 'qmix', 'vdn', 'iql'"):
        group_runs(runs, {"vdm": "ours"})

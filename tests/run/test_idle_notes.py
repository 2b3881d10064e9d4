"""A run of which a part does nothing is told of before it starts; runs of presets are not."""

import re

import pytest

from pyqmix import Config, train
from pyqmix.config import PRESETS, from_preset
from pyqmix.run.idle_notes import idle_notes

LIMIT = 50


def notes(limit=LIMIT, **options):
    return idle_notes(Config(**{"eps_steps": 1, "target_update": 1, **options}), limit)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (
            {"total_steps": 31},
            "total_steps 31: the run plays 31 episodes, fewer than batch_size 32: nothing is learned; raise "
            "total_steps",
        ),
        (
            {"total_steps": 31 * LIMIT},
            "total_steps 1,550: the run plays 31 episodes if its episodes last the limit of 50 steps, fewer than "
            "batch_size 32: nothing is learned; raise total_steps",
        ),
        (
            {"total_steps": 50, "updates_per_episode": 0.01, "batch_size": 1},
            "total_steps 50: the run plays 50 episodes, for which no training step is due: nothing is learned; "
            "raise total_steps",
        ),
        (
            {"total_steps": 41, "target_update": 11},
            "total_steps 41: the run plays 41 episodes and takes 10 training steps, fewer than target_update 11: "
            "the target networks keep their first weights; lower target_update",
        ),
        (
            {"total_steps": 100_000, "eps_steps": 800_000},
            "eps_steps 800,000: exploration is still 0.88 at the end of the run, as total_steps is 100,000; lower "
            "eps_steps",
        ),
    ],
)
def test_what_will_do_nothing_is_said(options, note):
    assert notes(**options) == [note]


@pytest.mark.parametrize(
    "options",
    [
        {"total_steps": 32 * LIMIT},
        {"total_steps": 41 * LIMIT, "target_update": 10},
        {"total_steps": 100, "batch_size": 1, "updates_per_episode": 0.5},
        {"total_steps": 2_000, "eps_steps": 4_000},
        {"total_steps": 2_000, "eps_steps": "100%"},
        {"total_steps": 2_000, "eps_steps": 10**9, "eps_start": 0.3, "eps_end": 0.3},
    ],
)
def test_a_run_that_does_everything_is_left_alone(options):
    assert notes(**options) == []


@pytest.mark.parametrize(("num_envs", "said"), [(1, True), (8, True), (16, False), (64, False)])
def test_whole_rounds_are_played(num_envs, said):
    """16 environments play two rounds where 15 of them have the steps of the run, and one more."""
    assert bool(notes(total_steps=16 * LIMIT + 1, num_envs=num_envs)) == said


def test_the_training_steps_that_are_foretold_are_those_that_are_taken(tiny_config, tmp_path):
    """Matrix games have episodes of one step, so that the numbers are exact."""
    options = {"env": "matrix", "payoff": [[1, 0], [0, 1]], "num_envs": 3, "total_steps": 100}
    config = tiny_config(**options, target_update=10**6, updates_per_episode=0.5, run_dir=str(tmp_path / "run"))
    with pytest.warns(UserWarning, match="the target networks keep their first weights") as told:
        taken = train(config, quiet=True).summary["updates"]
    (note,) = {str(each.message) for each in told}
    assert int(re.search(r"takes (\d+) training", note)[1]) == taken


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_left_alone(preset):
    config = from_preset(preset)
    assert idle_notes(config, config.create_env().spec.episode_limit) == []


def test_the_display_shows_a_note(tiny_config, tmp_path, capsys):
    train(tiny_config(run_dir=str(tmp_path / "run"), total_steps=6, batch_size=60, eval_episodes=1))
    assert "fewer than batch_size 60: nothing is learned; raise total_steps" in capsys.readouterr().out

"""Checkpoints are read while the run that writes them removes older ones."""

import shutil

import pytest

from pyqmix import Config, ConfigError, load_policy
from pyqmix.envs import TwoStep
from pyqmix.learn.learner import Learner
from pyqmix.run.evaluate import evaluate_run, load_agent
from pyqmix.run.init_from import init_from
from pyqmix.run.manifest import Manifest
from pyqmix.run.stored import read_stored


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def replace(checkpoints, kind="step"):
    """Write a further checkpoint of the networks of the newest, and remove all older ones."""
    folders = sorted(checkpoints.glob(f"{kind}_*"))
    shutil.copytree(folders[-1], checkpoints / f"{kind}_400")
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def replaced(run, monkeypatch):
    """Replace a run's checkpoints once, after the first manifest is read and before its weights are."""
    read, left = Manifest.read, ["step", "best"]

    def read_and_replace(folder):
        found = read(folder)
        while left:
            replace(run / "checkpoints", left.pop())
        return found

    monkeypatch.setattr(Manifest, "read", read_and_replace)
    return run


READERS = {
    "load_policy": load_policy,
    "load_agent": load_agent,
    "init_from": lambda run: init_from(Learner(TwoStep().spec, Config(hidden_dim=8, embed_dim=4)), run),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_checkpoint_that_is_removed_is_found_no_more_and_the_next_is_read(replaced, reader):
    reader(replaced)
    assert [folder.name for folder in (replaced / "checkpoints").glob("step_*")] == ["step_400"]


@pytest.mark.parametrize("which", ["newest", "best"])
def test_the_choice_is_made_again(replaced, which):
    assert read_stored(replaced, which).folder.name == f"{'best' if which == 'best' else 'step'}_400"


def test_a_number_of_steps_that_is_gone_is_refused(replaced):
    with pytest.raises(ConfigError, match=r"^checkpoint: expected one of newest, best, 400 of .*, got '300'$"):
        read_stored(replaced, "300")


def test_a_checkpoint_may_go_while_the_environment_is_built(run, monkeypatch):
    build = Config.create_env
    before = evaluate_run(run, 4, 0)

    def remove_and_build(config):
        shutil.rmtree(run / "checkpoints", ignore_errors=True)
        return build(config)

    monkeypatch.setattr(Config, "create_env", remove_and_build)
    stored = read_stored(run)
    assert evaluate_run(run, 4, 0).returns.tolist() == before.returns.tolist()
    assert evaluate_run(run, 4, 0, checkpoint=stored).returns.tolist() == before.returns.tolist()
    with pytest.raises(ConfigError, match="has no checkpoint"):
        read_stored(run)

"""A run that goes on from a checkpoint gives the same bits as one that was never stopped."""

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
import torch
from own_parts import Meeting
from run_files import checkpoint_files, forge, metrics, results, seal
from torch import nn

from pyqmix import Config, ConfigError, EnvError, train
from pyqmix.play.evaluator import Evaluator
from pyqmix.play.native import NativeRollout
from pyqmix.run import checkpoint
from pyqmix.run.draft import Draft
from pyqmix.run.interrupt import Interrupt, Interrupted
from pyqmix.run.lock import RunLock

VARIANTS = {
    "default": {},
    "lbf": {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3", "agent": "gru", "num_envs": 4, "checkpoint_every": 90},
    "overlap": {"overlap": True, "num_envs": 3},
    "prioritised": {"prioritised": True, "lr_end": 1e-4},
    "both": {"prioritised": True, "overlap": True, "num_envs": 2, "updates_per_episode": 0.7},
    "rmsprop": {"optimizer": "rmsprop", "standardise_rewards": "masked", "episodes_per_update": 3},
    "transitions": {"batch_transitions": 16, "target_tau": 0.5, "target_update": 3, "n_step": 1},
}


@pytest.fixture
def stopped(tiny_config, tmp_path):
    """A finished run with several checkpoints, and a copy of it as it was at one of them."""

    def make(at=1, **options):
        options = {"checkpoint_every": 60, "keep_checkpoints": 9, "total_steps": 300, "eps_end": 0.1, **options}
        whole = tmp_path / "whole"
        train(tiny_config(run_dir=str(whole), **options), quiet=True)
        copy = shutil.copytree(whole, tmp_path / "copy")
        steps = sorted(number for number, _ in checkpoint.folders(copy))
        for number in steps[at + 1 :]:
            shutil.rmtree(copy / f"checkpoints/step_{number}")
        return whole, copy

    return make


def go_on(folder, quiet=True, **options):
    config = Config.from_json(folder / "config.json").replace(run_dir=str(folder), **options)
    return train(config, resume=True, quiet=quiet)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_gives_the_same_bits(stopped, variant):
    whole, copy = stopped(**VARIANTS[variant])
    go_on(copy)
    assert results(copy) == results(whole)


@pytest.mark.parametrize("at", [0, 3])
def test_it_does_so_from_each_checkpoint(stopped, at):
    whole, copy = stopped(at)
    go_on(copy)
    assert results(copy) == results(whole)


@pytest.mark.parametrize(
    "part",
    [
        "pyqmix.replay.prioritised.PrioritisedSampler.load_state",
        "pyqmix.run.learner_state._load_optimizer",
        "pyqmix.run.window.Window.load",
    ],
)
def test_the_check_sees_a_part_that_is_lost(stopped, monkeypatch, part):
    whole, copy = stopped(prioritised=True, updates_per_episode=0.7, log_every=70)
    monkeypatch.setattr(part, lambda *_: None)
    go_on(copy)
    assert results(copy) != results(whole)


class Dropping(nn.Module):
    """A feed-forward agent with random numbers and statistics of its own."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs_dim, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, n_actions))

    def forward(self, obs, hidden):
        return self.net(obs.flatten(0, -2)).unflatten(0, obs.shape[:-1]), hidden


def test_dropout_and_running_statistics_go_on_too(tiny_config, tmp_path):
    config = tiny_config(checkpoint_every=60, keep_checkpoints=9, run_dir=str(tmp_path / "whole"))
    train(config, agent=Dropping, quiet=True)
    copy = shutil.copytree(tmp_path / "whole", tmp_path / "copy")
    train(config.replace(run_dir=str(copy)), agent=Dropping, resume=True, checkpoint=120, quiet=True)
    assert results(copy) == results(tmp_path / "whole")


def test_workers_change_nothing(stopped):
    whole, copy = stopped(env="own_parts:Meeting", num_envs=2)
    go_on(copy, num_workers=2)
    assert results(copy) == results(whole)


class Flaky(Meeting):
    """Fails in one step of a life in which nobody has mended it."""

    mended = True
    lives = 0

    def step(self, actions):
        Flaky.lives += 1
        if not Flaky.mended and Flaky.lives > 200:
            raise RuntimeError("the connection is lost")
        return super().step(actions)


@pytest.mark.parametrize("num_envs", [1, 5])
def test_a_round_in_which_the_environment_failed_is_played_again(tiny_config, tmp_path, monkeypatch, num_envs):
    config = tiny_config(total_steps=400, num_envs=num_envs, run_dir=str(tmp_path / "whole"))
    train(config, env=Flaky, quiet=True)
    monkeypatch.setattr(Flaky, "lives", 0)
    monkeypatch.setattr(Flaky, "mended", False)
    failing = config.replace(run_dir=str(tmp_path / "failing"))
    with pytest.raises(EnvError, match="the connection is lost"):
        train(failing, env=Flaky, quiet=True)
    before = checkpoint_files(tmp_path / "failing")
    with pytest.raises(EnvError, match="the connection is lost"):
        train(failing, env=Flaky, resume=True, quiet=True)
    assert checkpoint_files(tmp_path / "failing") == before
    monkeypatch.setattr(Flaky, "mended", True)
    train(failing, env=Flaky, resume=True, quiet=True)
    assert results(tmp_path / "failing") == results(tmp_path / "whole")


@pytest.mark.parametrize(("kind", "method", "call"), [(NativeRollout, "play", 40), (Evaluator, "play", 2)])
def test_a_round_that_a_second_signal_cut_off_is_done_again(
    tiny_config, tmp_path, monkeypatch, kind, method, call
):
    config = tiny_config(run_dir=str(tmp_path / "whole"))
    train(config, quiet=True)
    calls, original = [], getattr(kind, method)

    def cut_off(self, *arguments, **options):
        calls.append(arguments)
        result = original(self, *arguments, **options)
        if len(calls) == call:
            raise Interrupted(130)
        return result

    cut = config.replace(run_dir=str(tmp_path / "cut"))
    with monkeypatch.context() as patch:
        patch.setattr(kind, method, cut_off)
        patch.setattr(
            Interrupt, "seen", property(lambda self: len(calls) >= call, lambda self, value: None), raising=False
        )
        assert train(cut, quiet=True).interrupted
    train(cut, resume=True, quiet=True)
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_run_without_a_checkpoint_starts_over(tiny_config, tmp_path, capsys):
    config = tiny_config(run_dir=str(tmp_path / "whole"))
    train(config, quiet=True)
    copy = shutil.copytree(tmp_path / "whole", tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    go_on(copy, quiet=False)
    assert "stopped before its first checkpoint: it starts over" in capsys.readouterr().out
    assert results(copy) == results(tmp_path / "whole")


def test_the_replay_buffer_may_be_left_out(stopped, capsys):
    whole, copy = stopped(checkpoint_replay=False)
    assert not list(copy.glob("checkpoints/*/*.ring"))
    go_on(copy, quiet=False)
    assert "the checkpoint does not have them (--no-checkpoint-replay)" in capsys.readouterr().out
    assert results(copy) != results(whole)
    assert metrics(copy)[-1]["steps"] == "300"


@pytest.mark.parametrize(
    "changed",
    [
        *({"optimizer": "rmsprop"}, {"gamma": 0.5}, {"seed": 3}, {"mixer": "vdn"}, {"prioritised": True}),
        {"eps_steps": "9%"},
    ],
)
def test_a_changed_option_is_refused_before_anything_is_written(tiny_run, tmp_path, changed):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    (name,) = changed
    with pytest.raises(ConfigError, match=f"{name}: a resumed run keeps its"):
        go_on(copy, total_steps=400, **changed)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_fewer_steps_than_have_been_taken_are_refused(tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    with pytest.raises(ConfigError, match="total_steps: expected at least the 300 steps that the run has taken"):
        go_on(copy, total_steps=299)


def test_an_extended_run_says_what_its_schedules_do(tiny_config, tmp_path, capsys):
    schedules = {"lr": 1e-2, "lr_end": 1e-3, "prioritised": True, "eps_end": 0.1, "eps_steps": "80%"}
    config = tiny_config(run_dir=str(tmp_path / "run"), **schedules)
    train(config, quiet=True)
    assert Config.from_json(tmp_path / "run" / "config.json").eps_steps == "80%"
    train(config.replace(total_steps=600), resume=True)
    said = " ".join(capsys.readouterr().out.split())
    assert "the learning rate, whose schedule is a share of the run (--lr-end), goes from 0.001 to 0.0055" in said
    assert "the exploration, whose schedule is a share of the run (--eps-steps), goes from 0.1 to 0.4375" in said
    assert "(--per-beta-steps), goes from 1 to 0.7 at this step" in said


def test_a_schedule_of_steps_stays_in_an_extended_run(tiny_config, tmp_path, capsys):
    config = tiny_config(run_dir=str(tmp_path / "run"), eps_end=0.1, eps_steps=400, eval_every="50%")
    train(config, quiet=True)
    train(config.replace(total_steps=400), resume=True)
    assert "a share of the run" not in capsys.readouterr().out
    evaluated = [line["steps"] for line in metrics(tmp_path / "run") if line["eval_return_mean"]]
    assert evaluated == ["150", "300", "400"]


def test_a_damaged_checkpoint_is_told_and_an_older_one_offered(stopped, capsys):
    whole, copy = stopped(at=2)
    newest = checkpoint.find(copy)
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(ConfigError, match=f"{weights}: .* is damaged; --checkpoint 120 goes on from an older one"):
        go_on(copy)
    config = Config.from_json(copy / "config.json").replace(run_dir=str(copy))
    train(config, resume=True, checkpoint=120, quiet=True)
    assert results(copy) == results(whole)


def test_only_the_newest_checkpoints_and_the_best_remain(tiny_config, tmp_path):
    config = tiny_config(run_dir=str(tmp_path / "run"), checkpoint_every=20, keep_checkpoints=2, total_steps=200)
    precious = tmp_path / "run/checkpoints/step_20/notes.txt"
    train(config.replace(total_steps=40), quiet=True)
    precious.write_text("mine")
    train(config, resume=True, quiet=True)
    assert [steps for steps, _ in checkpoint.folders(tmp_path / "run")] == [200, 180]
    assert len(checkpoint.folders(tmp_path / "run", "best")) == 1
    assert precious.read_text() == "mine"


def test_fragments_of_checkpoints_are_removed(stopped):
    whole, copy = stopped()
    fragments = [copy / f"checkpoints/{name}" for name in ("step_240", "step_180.partial", "best_7.partial")]
    for folder in fragments:
        folder.mkdir()
        (folder / checkpoint.WEIGHTS).write_bytes(b"half")
    (copy / "checkpoints/step_9.partial").mkdir()
    (copy / "checkpoints/step_9.partial/notes.txt").write_text("mine")
    go_on(copy)
    assert not any((folder / checkpoint.WEIGHTS).exists() for folder in fragments if "partial" in folder.name)
    assert (copy / "checkpoints/step_9.partial/notes.txt").read_text() == "mine"
    assert results(copy) == results(whole)


def test_parts_of_the_replay_buffer_are_shared(stopped):
    whole, _ = stopped()
    newest, before = ({part.stat().st_ino for part in path.glob("replay_*")} for path in newest_two(whole))
    assert len(newest) > 1
    assert len(newest - before) == 1


def test_a_file_system_without_hard_links_gets_whole_buffers(stopped, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    whole, copy = stopped(at=2)
    assert all(len(list(path.glob("replay_*.ring"))) == 1 for _, path in checkpoint.folders(whole))
    go_on(copy)
    assert results(copy) == results(whole)


class Removing(Meeting):
    """Somebody removes or moves the run's folder in the middle."""

    folder, to, steps = None, None, 0

    def step(self, actions):
        Removing.steps += 1
        if Removing.steps == 150:
            while self.to is None and self.folder.exists():  # a checkpoint may be on its way to the disk
                shutil.rmtree(self.folder, ignore_errors=True)
            if self.to is not None:
                os.rename(self.folder, self.to)
        return super().step(actions)


@pytest.mark.parametrize("moved", [False, True])
def test_a_folder_that_is_removed_or_moved_loses_nothing(tiny_config, tmp_path, monkeypatch, moved):
    config = tiny_config(run_dir=str(tmp_path / "whole"), checkpoint_every=100)
    train(config, env=Meeting, quiet=True)
    folder = tmp_path / "run"
    monkeypatch.setattr(Removing, "folder", folder)
    monkeypatch.setattr(Removing, "to", tmp_path / "elsewhere" if moved else None)
    monkeypatch.setattr(Removing, "steps", 0)
    with pytest.raises(OSError, match=r"was removed or moved during training: .*run; continue with"):
        train(config.replace(run_dir=str(folder)), env=Removing, quiet=True)
    train(config.replace(run_dir=str(folder)), env=Removing, resume=True, quiet=True)
    expected, got = results(tmp_path / "whole"), results(folder)
    assert got[0] == expected[0]
    assert got[3:] == expected[3:]


def test_one_program_writes_a_folder(tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    lock = RunLock(copy)
    with pytest.raises(ConfigError, match="run_dir: another run of this process is writing"):
        go_on(copy, total_steps=400)
    lock.release()
    program = (
        f"import time; from pathlib import Path; from pyqmix.run.lock import RunLock\n"
        f"RunLock(Path({str(copy)!r})); print('locked', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(ConfigError, match=f"another program is writing .*: process {other.pid} on"):
        go_on(copy, total_steps=400)
    other.kill()
    other.communicate()
    assert go_on(copy, total_steps=400).summary["total_steps"] == 400
    assert not (copy / "run.lock").exists()


def test_the_current_folder_may_change(tiny_config, tmp_path, monkeypatch):
    class Wandering(Meeting):
        def __init__(self):
            super().__init__()
            (tmp_path / "away").mkdir(exist_ok=True)
            os.chdir(tmp_path / "away")

    monkeypatch.chdir(tmp_path)
    result = train(tiny_config(run_dir="run"), env=Wandering, quiet=True)
    assert result.run_dir == tmp_path / "run"
    assert (tmp_path / "run/summary.json").exists()
    assert not (tmp_path / "away/run").exists()


@pytest.mark.parametrize(
    ("name", "change"),
    {
        "weights": lambda tensors: {**tensors, "agent.fc1.bias": tensors["agent.fc1.bias"] * torch.nan},
        "moment": lambda tensors: {**tensors, "agent.fc1.bias.exp_avg": tensors["agent.fc1.bias.exp_avg"] / 0},
        "absent": lambda tensors: {k: v for k, v in tensors.items() if k != "agent.fc1.bias.exp_avg"},
        "renamed": lambda tensors: {k.replace("exp_avg_sq", "square_avg"): v for k, v in tensors.items()},
    }.items(),
    ids=str,
)
def test_a_checkpoint_with_its_own_checksums_is_checked_again(tiny_run, tmp_path, name, change):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    file = checkpoint.WEIGHTS if name == "weights" else checkpoint.OPTIMIZER
    forge(checkpoint.find(copy), file, change)
    with pytest.raises(ConfigError, match=file):
        go_on(copy, total_steps=400)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (("progress", "steps"), -1),
        (("progress", "steps"), "300"),
        (("progress", "updates"), 1.5),
        (("progress", "due_updates"), 1e400),
        (("standardiser", "variance"), -1.0),
        (("standardiser", "count"), None),
        (("spec", "n_agents"), 2.5),
        (("first_step",), 10**9),
        (("replay", "ends"), ["3"]),
        (("replay", "tickets"), 7),
        (("metrics", "lines"), -2),
        (("pending",), ["everything"]),
        (("version",), 3),
        (("files", "weights.safetensors"), {"bytes": -1, "checksum": "0" * 64}),
    ],
    ids=str,
)
def test_values_that_no_run_has_are_refused(tiny_run, tmp_path, entry, value):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    folder = checkpoint.find(copy)
    state = json.loads((folder / "progress.json").read_text())
    inner = state
    for name in entry[:-1]:
        inner = inner[name]
    inner[entry[-1]] = value
    seal(folder, state)
    with pytest.raises(ConfigError, match=str(copy)):
        go_on(copy, total_steps=400)


def newest_two(folder):
    return [path for _, path in checkpoint.folders(folder)[:2]]


def test_going_back_removes_later_checkpoints_only_when_the_run_goes_on(stopped):
    whole, _ = stopped()
    before = checkpoint_files(whole)
    config = Config.from_json(whole / "config.json")
    with pytest.raises(ConfigError, match="device"):
        train(config.replace(device="cuda"), resume=True, checkpoint=120, quiet=True)
    assert checkpoint_files(whole) == before
    best = checkpoint.find(whole, "best")
    train(config.replace(total_steps=125), resume=True, checkpoint=120, quiet=True)
    assert [steps for steps, _ in checkpoint.folders(whole)] == [126, 120, 60]
    assert int(checkpoint.find(whole, "best").name.partition("_")[2]) <= 126
    assert not best.exists() or best == checkpoint.find(whole, "best")


@pytest.mark.parametrize("method", ["log.EventFile.write", "files.RunFiles.write_best"])
def test_a_report_that_could_not_be_written_is_done_again_once(tiny_config, tmp_path, monkeypatch, method):
    config = tiny_config(run_dir=str(tmp_path / "whole"))
    train(config, quiet=True)
    kind, name = method.rsplit(".", 1)
    module, owner = kind.split(".")
    owner = getattr(sys.modules[f"pyqmix.run.{module}"], owner)
    original, calls = getattr(owner, name), []

    def fail_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(28, "No space left on device", "somewhere")
        original(self, *arguments)

    full = config.replace(run_dir=str(tmp_path / "full"))
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail_once)
        with pytest.raises(OSError, match="No space left"):
            train(full, quiet=True)
    train(full, resume=True, quiet=True)
    assert results(tmp_path / "full") == results(tmp_path / "whole")
    assert checkpoint.find(tmp_path / "full", "best").name == checkpoint.find(tmp_path / "whole", "best").name


def test_a_checkpoint_that_did_not_reach_the_disk_is_written_again(tiny_config, tmp_path, monkeypatch):
    commit, failed = Draft.commit, []

    def fail_once(self):
        if not failed and self.folder.name == "step_300":
            failed.append(self)
            raise OSError(5, "Input/output error", str(self.folder))
        commit(self)

    monkeypatch.setattr(Draft, "commit", fail_once)
    config = tiny_config(run_dir=str(tmp_path / "run"))
    with pytest.raises(OSError, match="Input/output error"):
        train(config, quiet=True)
    assert checkpoint.find(tmp_path / "run").name == "step_300"
    assert train(config, resume=True, quiet=True).summary["total_steps"] == 300


class Stubborn(Meeting):
    """Fails in a step, and again when it is closed."""

    closings = 0

    def step(self, actions):
        raise RuntimeError("the real reason")

    def close(self):
        Stubborn.closings += 1
        if Stubborn.closings > 1:  # the first one is that of the trial
            raise RuntimeError("the window is gone")


def test_the_first_error_is_the_one_that_is_told(tiny_config, tmp_path):
    with pytest.raises(EnvError, match="the real reason"):
        train(tiny_config(run_dir=str(tmp_path / "run")), env=Stubborn, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_leaves_no_thread(stopped):
    _, copy = stopped(env="own_parts:Meeting", overlap=True)
    forge(checkpoint.find(copy), checkpoint.TRAINING, lambda tensors: {})
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(ConfigError, match="expected the state of a run"):
            train(Config.from_json(copy / "config.json", trust=True), resume=True, quiet=True)
    assert threading.active_count() <= before + 1  # one may be on its way to its end


def test_a_folder_with_files_of_somebody_else_makes_room(stopped):
    _, copy = stopped(at=4)
    (copy / "checkpoints/step_180/notes.txt").write_text("mine")
    config = Config.from_json(copy / "config.json")
    train(config, resume=True, checkpoint=120, quiet=True)
    assert (copy / "checkpoints/step_180.kept-1/notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "value"), [("first", 7), ("count", 1), ("epsilon", 0.3), ("ticket", 2**52), ("behind", 2)]
)
def test_episodes_played_ahead_are_the_next_ones(stopped, name, value):
    _, copy = stopped(overlap=True, num_envs=3)
    folder = checkpoint.find(copy)
    content = json.loads((folder / "progress.json").read_text())
    content["ahead"][0][name] = value
    seal(folder, content)
    with pytest.raises(ConfigError, match="played ahead are others than the run's next ones"):
        go_on(copy)

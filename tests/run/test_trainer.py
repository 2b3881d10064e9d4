"""A run leaves the files that are documented, repeats itself, goes on after a stop and survives a failure."""

import csv
import errno
import json
import os
import shutil
import signal
import time

import pytest
import torch
from run_files import checkpoint_files as checkpoints
from run_files import options_of
from safetensors import safe_open
from safetensors.torch import load_file

from pyqmix import Config, ConfigError, EnvError, train
from pyqmix.base.errors import DivergenceError
from pyqmix.learn.learner import Learner
from pyqmix.run import checkpoint
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.metrics import read_metrics

COLUMNS = [
    *("steps", "episodes", "updates", "epsilon", "loss", "q_mean", "target_mean", "grad_norm"),
    *("train_return", "train_length", "train_win_rate", "staleness"),
    *("eval_return_mean", "eval_return_std", "eval_win_rate", "eval_win_rate_low", "eval_win_rate_high"),
    *("env_steps_per_second", "updates_per_env_step", "wall_seconds"),
]
OF_THE_CLOCK = ("env_steps_per_second", "wall_seconds")
ENDLESS = [
    *("--env", "two_step", "--run-dir", "run", "--total-steps", "1000000000", "--log-every", "200"),
    *("--batch-size", "8", "--threads", "1"),
]
SUMMARY = {
    *("env", "task", "seed", "total_steps", "updates", "wall_seconds", "env_steps_per_second"),
    *("eval_return_mean", "eval_return_std", "eval_episodes", "versions", "build_info"),
}


@pytest.fixture
def run(tiny_config, tmp_path):
    """Train a tiny run in a folder of some name and return the folder."""

    def start(name="run", **options):
        return train(tiny_config(run_dir=str(tmp_path / name), **options), quiet=True).run_dir

    return start


@pytest.fixture
def go_on():
    """Resume a run, with some options changed."""

    def resume(folder, quiet=True, **options):
        config = Config.from_json(folder / "config.json").replace(run_dir=str(folder), **options)
        return train(config, resume=True, quiet=quiet)

    return resume


def rows(folder, without=()):
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in without} for row in csv.DictReader(file)]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def progress(folder, step):
    return json.loads((folder / "checkpoints" / f"step_{step}" / "progress.json").read_text())["progress"]


def weights(folder, step):
    return (folder / "checkpoints" / f"step_{step}" / "weights.safetensors").read_bytes()


def test_files(tiny_run):
    files = {str(path.relative_to(tiny_run)) for path in tiny_run.rglob("*") if path.is_file()}
    (events,) = {name for name in files if name.startswith("events.out.tfevents.")}
    parts = ("weights.safetensors", "optimizer.safetensors", "training.safetensors", "progress.json")
    saved = {f"checkpoints/step_{step}/{part}" for step in (200, 300) for part in (*parts, "replay_0.ring")}
    saved |= {"checkpoints/step_300/replay_1.ring"}
    best = {f"{checkpoint.find(tiny_run, 'best').relative_to(tiny_run)}/{part}" for part in (parts[0], parts[-1])}
    own = {"config.json", "metrics.csv", "summary.json", "curve.png", "report.html", events}
    assert files == own | saved | best


def test_no_file_is_a_pickle(tiny_run):
    starts = [path.read_bytes()[:2] for path in tiny_run.rglob("*") if path.is_file()]
    assert not any(start.startswith((b"\x80", b"PK")) for start in starts)


def test_config_file_has_every_option(tiny_run, tiny_config):
    values = options_of(tiny_run)
    assert values == {**vars(tiny_config(run_dir=str(tiny_run))), "loggers": []}


def test_metrics_file(tiny_run):
    lines = rows(tiny_run)
    assert list(lines[0]) == COLUMNS
    assert [int(line["steps"]) for line in lines] == [50, 100, 150, 200, 250, 300]
    assert [line["eval_return_mean"] != "" for line in lines] == [False, True] * 3
    assert [int(line["episodes"]) for line in lines] == [25, 50, 75, 100, 125, 150]
    assert float(lines[-1]["epsilon"]) == 1.0
    assert float(lines[-1]["train_length"]) == 2.0
    assert float(lines[0]["updates_per_env_step"]) == (25 - 7) / 50
    assert float(lines[-1]["updates_per_env_step"]) == 0.5
    assert all(line["loss"] for line in lines)


def test_summary_file(tiny_run):
    values = summary(tiny_run)
    assert values.keys() >= SUMMARY
    assert (values["env"], values["task"], values["seed"]) == ("two_step", None, 0)
    assert (values["total_steps"], values["interrupted"], values["eval_episodes"]) == (300, False, 4)
    assert values["updates"] == 150 - 7  # none until the replay holds a batch of 8 episodes
    assert values["updates_per_env_step"] == (150 - 7) / 300
    assert values["eval_return_mean"] == read_metrics(tiny_run)[-1].eval_return_mean


def test_curve_is_a_picture(tiny_run):
    assert (tiny_run / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_checkpoint_names_online_and_target_networks(tiny_run):
    with safe_open(tiny_run / "checkpoints/step_300/weights.safetensors", "pt") as file:
        assert {name.partition(".")[0] for name in file.keys()} == set(checkpoint.NETWORKS)  # noqa: SIM118


def test_same_seed_same_bytes(tiny_run, run):
    again = run()
    assert checkpoints(again) == checkpoints(tiny_run)
    assert rows(again, OF_THE_CLOCK) == rows(tiny_run, OF_THE_CLOCK)


def test_other_seed_other_weights(tiny_run, run):
    assert weights(run(seed=1), 300) != weights(tiny_run, 300)


def test_evaluation_does_not_change_training(tiny_run, run):
    assert weights(run(eval_every=20, eval_episodes=3), 300) == weights(tiny_run, 300)


def test_the_learning_rate_of_a_run_falls(tiny_config, tmp_path):
    config = tiny_config(run_dir=str(tmp_path / "run"), lr=1e-2, lr_end=1e-3)
    result = train(config, quiet=True)
    last = result.learner.optimizer.param_groups[0]["lr"]
    assert last == pytest.approx(config.learning_rate(result.summary["total_steps"]))
    assert last == pytest.approx(1e-3)


def test_a_run_on_transitions_repeats_itself(run):
    first, again, episodes = run(batch_transitions=16), run("again", batch_transitions=16), run("whole")
    assert checkpoints(first) == checkpoints(again)
    assert weights(first, 300) != weights(episodes, 300)


@pytest.mark.parametrize("env", ["two_step", "lbf"])
@pytest.mark.parametrize("agent", ["mlp", "gru"])
def test_agents_without_shared_parameters_are_trained_saved_and_evaluated(run, go_on, agent, env):
    folder = run(agent=agent, env=env, share_parameters=False)
    saved = load_file(checkpoint.find(folder) / "weights.safetensors")
    first = saved["agent.fc1.weight"]
    assert first.shape[0] == 2
    assert not torch.equal(first[0], first[1])
    assert evaluate_run(folder, episodes=2, seed=0).returns.shape == (2,)
    assert (
        go_on(folder, total_steps=summary(folder)["total_steps"] + 20).learner.agent.fc1.weight.shape
        == first.shape
    )


def test_resume_goes_on(run, go_on, capsys):
    folder = run(total_steps=200)
    first = rows(folder)
    go_on(folder, quiet=False, total_steps=400)
    said = capsys.readouterr().out
    assert "resumed at step 200" in said
    assert "with networks, optimizer, replay buffer, random streams and counters" in said
    assert rows(folder)[: len(first)] == first
    assert [m.steps for m in read_metrics(folder)] == [50, 100, 150, 200, 250, 300, 350, 400]
    done = progress(folder, 400)
    assert done == {"steps": 400, "episodes": 200, "updates": 193, "evaluated_episodes": 16, "due_updates": 0.0}
    assert Config.from_json(folder / "config.json").total_steps == 400
    optimizer = load_file(folder / "checkpoints/step_400/optimizer.safetensors")
    assert {int(value) for name, value in optimizer.items() if name.endswith(".step")} == {193}


def test_resume_twice_gives_the_same(run, go_on):
    folders = [run(name, total_steps=200) for name in ("one", "two")]
    for folder in folders:
        go_on(folder, total_steps=300)
    assert checkpoints(folders[0]) == checkpoints(folders[1])


def test_resume_drops_lines_after_the_checkpoint(run, go_on):
    folder = run()
    shutil.rmtree(folder / "checkpoints/step_300")
    go_on(folder, total_steps=250)
    assert [m.steps for m in read_metrics(folder)] == [50, 100, 150, 200, 250]


def test_resume_of_a_finished_run_changes_no_weights(run, go_on):
    folder = run()
    before = checkpoints(folder)
    result = go_on(folder)
    assert checkpoints(folder) == before
    assert result.summary["eval_return_mean"] is not None


def test_failure_in_mid_run_keeps_a_checkpoint(run, tmp_path, faulty_task):
    with pytest.raises(EnvError, match="episode 20, step 1: step raised RuntimeError"):
        run(env="gymnasium", task=faulty_task("raise", 20))
    assert progress(tmp_path / "run", 60)["episodes"] == 20


def test_failure_in_the_first_episode_leaves_no_folder(run, tmp_path, faulty_task):
    with pytest.raises(EnvError, match="episode 0"):
        run("new/run", env="gymnasium", task=faulty_task("raise"))
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_is_whole_or_absent(run, go_on, monkeypatch):
    folder = run(total_steps=200)
    before, write = checkpoints(folder), os.write

    def fill_the_disk(descriptor, data):
        if "step_300.partial/optimizer" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill_the_disk)
        with pytest.raises(OSError, match=r"No space left on device: .*optimizer.safetensors"):
            go_on(folder, total_steps=300)
    assert before.items() <= checkpoints(folder).items()
    assert not list(folder.glob("checkpoints/step_300*"))
    assert go_on(folder).summary["total_steps"] == 300


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--overlap"]], ids=["", "overlap"])
def test_interrupted_run_ends_cleanly_and_can_be_resumed(command, run_command, tmp_path, option):
    process = command("pyqmix-train", *ENDLESS, *option)
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if "/1,000,000,000 steps" in line)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate()
    assert (process.returncode, errors.count("\n"), errors[:7]) == (130, 1, "SIGINT:")
    assert "continue with: pyqmix-train --resume run" in said
    ended = summary(tmp_path / "run")
    assert ended["interrupted"] is True
    assert progress(tmp_path / "run", ended["total_steps"])["updates"] == ended["updates"] > 0

    outcome = run_command("pyqmix-train", "--resume", "run", "--total-steps", str(ended["total_steps"] + 20))
    assert (outcome.code, outcome.stderr) == (0, "")
    assert summary(tmp_path / "run")["total_steps"] == ended["total_steps"] + 20


def test_interrupt_before_the_first_episode_can_be_resumed(tiny_config, tmp_path, monkeypatch):
    config = tiny_config(run_dir=str(tmp_path / "run"))
    with monkeypatch.context() as patch:
        patch.setattr(Interrupt, "__enter__", lambda it: vars(it).update(seen=True) or it)
        stopped = train(config, quiet=True).summary
    assert stopped["interrupted"]
    assert stopped["total_steps"] == stopped["updates_per_env_step"] == 0
    assert train(config, resume=True, quiet=True).summary["total_steps"] >= config.total_steps


@pytest.mark.slow
@pytest.mark.parametrize("inherited", [signal.default_int_handler, signal.SIG_IGN], ids=["", "ignored"])
def test_second_interrupt_does_not_wait(command, tmp_path, inherited):
    own = signal.signal(signal.SIGINT, inherited)  # a shell ignores it for what it starts with `&`
    try:
        process = command("pyqmix-train", *ENDLESS, "--eval-every", "1", "--eval-episodes", "1000000000")
    finally:
        signal.signal(signal.SIGINT, own)
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if line.startswith("run directory"))
    for _ in range(2):
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert (process.returncode, errors.count("\n"), errors[:7]) == (130, 1, "SIGINT:")
    assert summary(tmp_path / "run")["interrupted"] is True
    assert progress(tmp_path / "run", 2)["episodes"] == 1


def test_a_diverging_run_stops_and_keeps_no_spoiled_checkpoint(tiny_config, tmp_path):
    config = tiny_config(run_dir=str(tmp_path / "run"), lr=1e30, grad_clip=1e30, log_every=10)
    with pytest.raises(DivergenceError, match="the loss became"):
        train(config, quiet=True)
    assert not list((tmp_path / "run").glob("checkpoints/*"))


def test_episodes_per_update_is_one_over_updates_per_episode(run):
    one, other = run("one", episodes_per_update=4), run("other", updates_per_episode=0.25)
    assert weights(one, 300) == weights(other, 300)
    assert summary(run("three", episodes_per_update=3))["updates"] == (150 - 7) // 3


def test_training_leaves_the_callers_threads_alone(tiny_config, tmp_path):
    torch.set_num_threads(2)
    result = train(tiny_config(run_dir=str(tmp_path / "run"), threads=1), quiet=True)
    assert result.summary["threads"] == 1
    assert torch.get_num_threads() == 2


def test_weights_that_are_not_finite_are_never_saved(tiny_config, tmp_path):
    config = tiny_config(run_dir=str(tmp_path / "run"), lr=1e30, grad_clip=1e30, checkpoint_every=20)
    with pytest.raises(DivergenceError, match="no longer finite"):
        train(config, quiet=True)
    for file in tmp_path.glob("run/checkpoints/*/weights.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(file).values())


def test_a_failing_update_leaves_the_counters_in_step(tiny_config, tmp_path, monkeypatch):
    update = Learner.update

    def fail_later(self, batch, importance=None):
        if self.updates == 13:
            raise RuntimeError("out of luck")
        return update(self, batch)

    monkeypatch.setattr(Learner, "update", fail_later)
    with pytest.raises(RuntimeError, match="out of luck"):
        train(tiny_config(run_dir=str(tmp_path / "run"), num_envs=4), quiet=True)
    saved = checkpoint.find(tmp_path / "run")
    assert json.loads((saved / "progress.json").read_text())["progress"]["updates"] == 13


@pytest.mark.parametrize("name", ["metrics.csv", "summary.json", "events.out.tfevents.1", "checkpoints"])
def test_a_folder_with_files_of_a_run_is_refused_and_left_alone(tiny_config, tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(ConfigError, match=f"run_dir: .* holds {name} already"):
        train(tiny_config(run_dir=str(tmp_path)), quiet=True)
    assert (tmp_path / name).read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_metrics_of_an_older_version_lack_a_column(tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    names = [name for name in COLUMNS if name != "updates_per_env_step" and "win_rate" not in name]
    with (copy / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows(tiny_run))
    read = read_metrics(copy)
    assert [m.loss for m in read] == [m.loss for m in read_metrics(tiny_run)]
    assert {m.updates_per_env_step for m in read} == {None}


def test_a_cut_last_line_of_metrics_is_left_out(tiny_run, tmp_path):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    whole = read_metrics(copy)
    text = (copy / "metrics.csv").read_text()
    for cut in (1, 3, 20):
        (copy / "metrics.csv").write_text(text[:-cut])
        assert read_metrics(copy) == whole[:-1]

"""Mistakes end in one line on stderr with exit code 2 and leave nothing behind; the commands do what they say."""

import re
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from run_files import forge

from pyqmix import Config, __version__
from pyqmix.base.free_memory import Free
from pyqmix.cli import evaluate, train
from pyqmix.play.evaluator import Evaluation

SHORT = [
    *("--total-steps", "40", "--batch-size", "4", "--buffer-size", "64", "--eval-episodes", "2"),
    *("--threads", "1"),
]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call a command's main function in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        return SimpleNamespace(code=code or 0, **capsys.readouterr()._asdict())

    return run


@pytest.fixture
def refused(call, tmp_path):
    """Call a command that must refuse: exit code 2, one line that holds some words, all files as they were.

    Above the line stands a traceback if ``blames_code``, as an environment's own code raised an exception.
    """

    def run(main, arguments, *words, program="pyqmix-train", blames_code=False):
        before = contents(tmp_path)
        outcome = call(main, *arguments)
        assert outcome.code == 2
        *above, line = outcome.err.splitlines()
        assert ("Traceback (most recent call last):" in above) == bool(above) == blames_code
        assert line.startswith(f"{program}: error: ")
        assert [word for word in words if word not in line] == []
        assert contents(tmp_path) == before

    return run


@pytest.fixture
def damaged(tiny_run, tmp_path):
    """A copy of the finished run, to be damaged, and its newest checkpoint."""
    copy = shutil.copytree(tiny_run, tmp_path / "run")
    return copy, copy / "checkpoints" / "step_300"


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--env", "lfb"], ["--env: expected one of lbf, ", "got 'lfb'", "did you mean lbf?"]),
        (["--env=lfb"], ["got 'lfb'"]),
        (["--env"], ["--env", "expected one argument"]),
        (["--task", "Foraging-8x8-2p-3f"], ["--task: ", "did you mean Foraging-8x8-2p-3f-v3"]),
        (["--task", ""], ["--task: ", "got ''"]),
        (["--env", "gymnasium"], ["--task"]),
        (
            ["--env", "gymnasium", "--task", "Foraging-8x8-2p-3f-v9"],
            ["--task: ", "did you mean Foraging-8x8-2p-3f-v3"],
        ),
        (["--env", "gymnasium", "--task", "no_such_module:Env-v0"], ["no_such_module"]),
        (["--env", "gymnasium", "--task", "CartPole-v1"], ["CartPole-v1: expected an observation space"]),
        (["--env", "two_step", "--task", "x"], ["--task: two_step has no"]),
        (["--env", "matrix"], ["--payoff: "]),
        (["--env", "matrix", "--payoff", "[[1, 2"], ["--payoff: expected", "got '[[1, 2'"]),
        (["--env", "matrix", "--payoff", "[" * 50_000], ["--payoff: expected", "got '[[[[[[[[[[[[...[[["]),
        (["--env", "matrix", "--payoff", f"[{'0,' * 69_999}0]"], ["--payoff: ", "at most 64", "got (70000,)"]),
        (["--env", "matrix", "--payoff", "[[0, [0]]]"], ["--payoff: expected a regular nested list"]),
        (["--preset", "lbff"], ["--preset: expected one of none, lbf", "did you mean lbf"]),
        (["--preset="], ["--preset: ", "got ''"]),
        (["--total-step", "5"], ["unknown option '--total-step'", "did you mean --total-steps"]),
        (["--totl_steps=5"], ["unknown option '--totl_steps=5'", "did you mean --total-steps"]),
        (["--resum", "x"], ["did you mean --resume"]),
        (["lbf"], ["unknown option 'lbf'"]),
        (["--mixer", "qmixx"], ["--mixer: expected one of qmix, vdn, iql", "got 'qmixx'; did you mean qmix"]),
        (["--total-steps"], ["--total-steps"]),
        (["--device", "gpu"], ["--device: expected one of auto, cpu, cuda, got 'gpu'"]),
    ],
)
def test_unknown_name(refused, arguments, words):
    refused(train.main, arguments, *words)


@pytest.mark.parametrize("board", ["2x8-2p-1f", "8x2-2p-1f", "3x3-5p-9f", "5x5-0p-1f", "5x5-2p-0f"])
def test_board_that_cannot_be(refused, board):
    refused(train.main, ["--task", f"Foraging-{board}-v3"], "--task: ", board)


@pytest.mark.parametrize("option", ["--seed", "--total-steps", "--batch-size", "--num-envs", "--lr", "--eps-end"])
@pytest.mark.parametrize("value", ["-1", "many", "", "nan"])
def test_number_that_is_none(refused, option, value):
    refused(train.main, [f"{option}={value}"], f"{option}: expected ")


@pytest.mark.parametrize("option", ["--threads", "--episode-limit", "--hidden-dim", "--num-envs", "--seed"])
def test_number_too_large(refused, option):
    refused(train.main, [option, 10**30], f"{option}: expected an integer of at most ")


def test_underscores_are_taken(refused):
    refused(train.main, ["--total_steps", "-5"], "--total-steps: expected an integer of at least 1, got -5")


@pytest.mark.parametrize("preset", [[], ["--preset", "none"]])
def test_a_rate_of_updates_counts_as_given_also_where_it_is_the_default(refused, preset):
    arguments = [*preset, "--updates-per-episode", "1", "--episodes-per-update", "2"]
    refused(train.main, arguments, "--episodes-per-update: ", "got 2 and updates_per_episode 1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--buffer-size", 2**62], ["4,611,686,018,427,387,904 episodes x ", "; lower buffer_size"]),
        (["--buffer-size", 2**63 - 1, "--batch-size", 2**62], ["9,223,372,036,854,775,807 episodes x "]),
        (["--batch-size", 10**12], ["--buffer-size: expected at least batch_size + num_envs"]),
        (["--episode-limit", 2**31 - 1], ["2147483647 steps", " MiB are free", "episode_limit"]),
        (["--batch-transitions", 2**62, "--preset", "none"], ["--batch-transitions: ", "at most 10,000,000"]),
        (["--updates-per-episode", "1e17"], ["--updates-per-episode: ", "at most 10,000"]),
        (["--eval-episodes", 10**15], ["--eval-episodes: ", "at most 1,000,000,000"]),
        (["--step-timeout", "inf"], ["--step-timeout: expected a finite number"]),
        (["--step-timeout", "1e300"], ["--step-timeout: expected a number from 0 to 1e+06"]),
        (
            ["--hidden-dim", 16_384, "--embed-dim", 16_384, "--hypernet-dim", 16_384],
            ["networks: 2,4", " MiB are free", "; lower hidden_dim, embed_dim or hypernet_dim"],
        ),
    ],
)
def test_sizes_that_no_machine_has(refused, monkeypatch, arguments, words):
    monkeypatch.setattr("pyqmix.learn.network_memory.free_memory", lambda: Free(2**33))
    refused(train.main, arguments, *words)


def test_absent_device(refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(train.main, ["--device", "cuda"], "--device: ", "got 'cuda'")


def test_buffer_beyond_memory(refused):
    refused(train.main, ["--buffer-size", 10**13], "10,000,000,000,000 episodes x ", " MiB are free")


@pytest.mark.parametrize("folder", ["file", "file/run", "/proc/run", "new/" + "x" * 300])
def test_run_dir_that_cannot_be_written(refused, tmp_path, folder):
    (tmp_path / "file").touch()
    refused(train.main, ["--env", "two_step", *SHORT, "--run-dir", folder], "--run-dir: cannot write ")


def test_run_dir_that_holds_a_run(refused, damaged):
    refused(train.main, ["--env", "two_step", *SHORT, "--run-dir", damaged[0]], "--run-dir: ", "--resume")


@pytest.mark.parametrize("folder", ["nowhere", "file", "."])
def test_resume_of_no_run(refused, tmp_path, folder):
    (tmp_path / "file").touch()
    refused(train.main, ["--resume", folder], "config.json: expected the options of a run")


@pytest.mark.parametrize("file", ["config.json", "weights.safetensors", "optimizer.safetensors", "progress.json"])
@pytest.mark.parametrize("keep", [0, 40])
def test_resume_of_a_damaged_run(refused, damaged, file, keep):
    (path,) = damaged[0].glob(file) if file == "config.json" else damaged[1].glob(file)
    path.write_bytes(path.read_bytes()[:keep])
    refused(train.main, ["--resume", damaged[0]], file)


@pytest.mark.parametrize("text", ["[]", '{"progress": {}}', '{"progress": 3, "standardiser": {}, "spec": {}}'])
def test_resume_from_other_progress(refused, damaged, text):
    (damaged[1] / "progress.json").write_text(text)
    refused(train.main, ["--resume", damaged[0]], "progress.json: expected the progress of a run")


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.safetensors"])
def test_resume_without_a_tensor(refused, damaged, file):
    forge(damaged[1], file, lambda tensors: {k: v for k, v in tensors.items() if not k.startswith("agent.")})
    refused(train.main, ["--resume", damaged[0]], f"step_300/{file}: ")


def test_resume_of_other_metrics(refused, damaged):
    (damaged[0] / "metrics.csv").write_text("steps,episodes\n1,\n")
    refused(train.main, ["--resume", damaged[0]], "metrics.csv: expected the 6 lines that the run had written")


@pytest.mark.parametrize("changed", [["--seed", "7"], ["--env=lbf"], ["--lr", "1"], ["--run-dir", "elsewhere"]])
def test_resume_with_other_options(refused, damaged, changed):
    refused(train.main, ["--resume", damaged[0], *changed], changed[0].partition("=")[0] + ": ")


@pytest.mark.parametrize("run_dir", [[], ["--run-dir", "a/b"]])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", ["step 1: step raised RuntimeError: the simulator fell over"]),
        ("reward", ["step 1: the reward is nan"]),
        ("observation", ["step 2: obs of agent 1: entry 2 is inf"]),
        ("shape", ["expected (3,) float32, got (2,) float32"]),
        ("dtype", ["expected (3,) float32, got (3,) float64"]),
    ],
)
def test_environment_that_fails(refused, faulty_task, fault, words, run_dir):
    task = faulty_task(fault)
    arguments = ["--env", "gymnasium", "--task", task, *SHORT, *run_dir]
    place = f"environment {task}, episode 0, step "
    refused(train.main, arguments, place, *words, blames_code=fault == "raise")


def test_failure_keeps_a_folder_and_the_files_of_others(refused, faulty_task, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    arguments = ["--env", "gymnasium", "--task", faulty_task("raise"), *SHORT]
    for folder in ("notes", "empty"):
        refused(train.main, [*arguments, "--run-dir", folder], blames_code=True)


@pytest.mark.parametrize(
    "arguments", [["--env", "two_step", "--preset", "none"], ["--env=two_step", "--preset=none"]]
)
def test_options_with_a_space_or_an_equals_sign(call, tmp_path, arguments):
    outcome = call(train.main, *arguments, *SHORT)
    assert (outcome.code, outcome.err) == (0, "")
    config = Config.from_json(tmp_path / "runs" / "two_step-qmix-seed0" / "config.json")
    assert (config.env, config.lr, config.eps_end) == ("two_step", Config.lr, 1.0)


def test_parameters_are_shared_unless_told(call, tmp_path):
    for name, option in (("shared", []), ("own", ["--no-share-parameters"])):
        assert call(train.main, "--env", "two_step", *SHORT, "--run-dir", name, *option).code == 0
        assert Config.from_json(tmp_path / name / "config.json").share_parameters == (not option)


@pytest.mark.parametrize("resume", [["--resume", "run"], ["--resume=run"]])
def test_resume_goes_on(call, damaged, resume):
    outcome = call(train.main, *resume, "--total-steps", 340)
    assert (outcome.code, outcome.err) == (0, "")
    assert "resumed at step 300" in outcome.out
    assert Config.from_json(damaged[0] / "config.json").total_steps == 340


def test_default_run_directories_do_not_collide(call, tmp_path):
    for _ in range(2):
        assert call(train.main, "--env", "two_step", *SHORT, "--seed", 3).code == 0
    assert {folder.name for folder in (tmp_path / "runs").iterdir()} == {
        "two_step-qmix-seed3",
        "two_step-qmix-seed3-2",
    }


def test_version(call):
    outcome = call(train.main, "--version")
    assert outcome.code == 0
    assert outcome.out.startswith(f"pyqmix {__version__} (")


def test_eval_prints_mean_deviation_and_interval(call, tiny_run):
    outcome = call(evaluate.main, tiny_run, "--episodes", 20)
    assert (outcome.code, outcome.err) == (0, "")
    number = r"(-?\d+\.\d{4})"
    found = re.search(rf"mean {number}  std {number}  95 % interval \[{number}, {number}\]", outcome.out)
    mean, std, low, high = map(float, found.groups())
    assert low <= mean <= high
    assert std >= 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["RUN_DIR"]),
        (["nowhere"], ["nowhere: expected the folder of a run"]),
        (["run", "--episodes", "0"], ["--episodes: expected an integer of at least 1, got 0"]),
        (["run", "--episodes", "many"], ["--episodes: ", "got 'many'"]),
        (["run", "--seed", "-1"], ["--seed: expected an integer of at least 0, got -1"]),
        (["run", "--episode", "3"], ["unknown option '--episode'; did you mean --episodes"]),
    ],
)
def test_eval_refuses(refused, damaged, arguments, words):
    refused(evaluate.main, arguments, *words, program="pyqmix-eval")


def test_eval_draws_the_checkpoint_that_it_has_evaluated(call, damaged, monkeypatch):
    played = []

    def play(run_dir, *arguments, checkpoint, **options):
        played.append(checkpoint)
        shutil.rmtree(damaged[1])  # as a run does that goes on
        return Evaluation(np.ones(2))

    def record(run_dir, seed, checkpoint, **options):
        played.append(checkpoint)
        return SimpleNamespace(play=lambda sinks: None)

    monkeypatch.setattr("pyqmix.run.evaluate.evaluate_run", play)
    monkeypatch.setattr("pyqmix.run.recording.Recording", record)
    outcome = call(evaluate.main, "run", "--gif", "x.gif")
    assert (outcome.code, outcome.err) == (0, "")
    assert played[0] is played[1]
    assert played[0].folder.name == "step_300"


def test_eval_of_damaged_weights(refused, damaged):
    (damaged[1] / "weights.safetensors").write_bytes(b"x")
    refused(evaluate.main, ["run"], "weights.safetensors: ", program="pyqmix-eval")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("pyqmix-train", ["--mixer", "qmixx"]), ("pyqmix-eval", ["nowhere"]), ("pyqmix-plot", ["nowhere"])],
)
def test_real_command_refuses_in_one_line(run_command, tmp_path, name, arguments):
    outcome = run_command(name, *arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"{name}: error: ")
    assert list(tmp_path.iterdir()) == []

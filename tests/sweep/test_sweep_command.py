"""``pyqmix-sweep`` as a user calls it: mistakes, a kill, signals, and jobs of a cluster."""

import json
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from sweeps import OPTIONS, PROGRAM, as_options, start, states, wait_for

from pyqmix.cli import sweep as sweep_command
from pyqmix.sweep.command import Command
from pyqmix.sweep.slurm import SlurmRun, SlurmStarter, slurm


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command in a folder that has ``sweep.yaml``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, text=OPTIONS):
        Path("sweep.yaml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        code = 0
        try:
            sweep_command.main()
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (["sweep.yaml"], OPTIONS, "--out: expected a folder"),
        (["--out", "x"], OPTIONS, "expected FILE.yaml, or --seeds"),
        (["gone.yaml", "--out", "x"], OPTIONS, "gone.yaml: expected a sweep in YAML"),
        (
            ["sweep.yaml", "--out", "x"],
            "- 1\n",
            "such as a line 'seeds: 0:5', got a list",
        ),
        (["sweep.yaml", "--out", "x"], "lr-end: 1\nlr_end: 2\n", "sweep.yaml: the option lr_end occurs twice"),
        (["sweep.yaml", "--out", "x"], "totl_steps: 5\n", "sweep.yaml: unknown option 'totl_steps'; did you mean"),
        (["sweep.yaml", "--out", "x"], "seeds: [1, 1]\n", "sweep.yaml: seeds: expected each value once"),
        (["sweep.yaml", "--out", "x"], "env: evil:make\n", "would import evil: pass --trust"),
        (["sweep.yaml", "--out", "x", "--grid", "mixr=1"], OPTIONS, "unknown option 'mixr'; did you mean mixer"),
        (["sweep.yaml", "--out", "x", "--grid", "mixer=qmix"], "grid: [1]\n", "grid: expected options, each with"),
        (["sweep.yaml", "--out", "x", "--", "--lrr", "1"], OPTIONS, "unknown option 'lrr'"),
        (["sweep.yaml", "--out", "x", "--sedes", "1"], OPTIONS, "unknown option '--sedes'; did you mean --seeds"),
        (["sweep.yaml", "--out", "x", "--jobs", "4000"], OPTIONS, "--jobs: expected 1 to "),
        (["sweep.yaml", "--out", "x", "--jobs", "0"], OPTIONS, "got 0"),
        (["sweep.yaml", "--out", "x", "--slurm", "a=b", "--ray-address", "auto"], OPTIONS, "expected it without"),
        (
            ["sweep.yaml", "--out", "x", "--ray-address", "auto"],
            "env: lbf\nrollout: ray\nnum_workers: 2\nray_address: auto\n",
            "--ray-address: expected local for the players of a run that is itself on a Ray cluster, got auto for",
        ),
        (["sweep.yaml", "--out", "sweep.yaml"], OPTIONS, "--out: cannot make sweep.yaml"),
        (["sweep.yaml", "--out", "."], OPTIONS, "--out: expected a new folder, or one of a sweep"),
    ],
)
def test_refused(call, tmp_path, arguments, text, words):
    code, out, err = call(*arguments, text=text)
    assert (code, out) == (2, "")
    assert err.startswith("pyqmix-sweep: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_the_command_line_goes_before_the_file_and_its_variants(tmp_path, monkeypatch):
    text = f"{OPTIONS}lr: 0.1\nvariants: {{a: {{lr: 0.2, gamma: 0.5, mixer: vdn}}}}\n"
    (tmp_path / "sweep.yaml").write_text(text)
    options = sweep_command.Options(file=str(tmp_path / "sweep.yaml"), grid=("mixer=iql",))
    (run,) = sweep_command._planned(options, ["--lr", "0.3"])[1]
    assert (run.config.lr, run.config.gamma, run.config.mixer) == (0.3, 0.5, "iql")


def test_slurm_parameters(tmp_path):
    pytest.importorskip("submitit")
    from pyqmix import ConfigError

    for text, words in (
        ("partitoin=x", "unknown parameter 'partitoin'; did you mean partition"),
        ("time=2h", "time in minutes, got '2h'"),
        ("gpu", "expected NAME=VALUE"),
    ):
        with pytest.raises(ConfigError) as refusal:
            slurm(text, tmp_path, 1)
        assert words in str(refusal.value)


@pytest.mark.slow
def test_a_killed_sweep_and_a_stopped_one_go_on(tmp_path):
    (tmp_path / "sweep.yaml").write_text(OPTIONS.replace("300", "30000"))
    command = ["sweep.yaml", "--out", "out", "--seeds", "1", "2", "--jobs", "1"]
    process, runs = start(tmp_path, *command), tmp_path / "out" / "runs"
    wait_for(lambda: states(runs) == ["running"])
    process.kill()
    process.communicate()
    assert states(runs) == ["running"]  # the run goes on
    process = start(tmp_path, *command)
    assert process.stdout.readline().startswith("found running")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.endswith("pyqmix-sweep: interrupted; the same command goes on with it\n")
    assert states(runs) == ["stopped"]
    os.truncate(tmp_path / "sweep.yaml", 0)
    (tmp_path / "sweep.yaml").write_text(OPTIONS)
    process = start(tmp_path, *command)
    assert "total_steps is 30000 there and 300 here" in process.communicate()[1]
    assert process.returncode == 2


@pytest.mark.slow
def test_a_sweep_from_the_command_line_names_failures(tmp_path):
    arguments = ["--seeds", "0:1", "--grid", "lr=1e-3,1e30", "--", *as_options()]
    process = start(tmp_path, "--out", "out", *arguments)
    out, _ = process.communicate()
    assert process.returncode == 1
    assert "ended  two_step,lr=0.001,seed=0" in out
    assert "failed: two_step,lr=1e+30,seed=0: pyqmix-train: error: the loss became" in out
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["seeds"] == [0]


@pytest.fixture
def _interruptible():
    """Let jobs hear SIGINT also where the tests run behind a shell's ``&``, whose processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_interruptible")
def test_jobs_of_a_cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the source tree cannot shadow the package
    submitit = pytest.importorskip("submitit")
    executor = submitit.LocalExecutor(folder=tmp_path / "jobs")
    executor.update_parameters(timeout_min=5)
    program = str(PROGRAM.with_name("pyqmix-train"))
    options = [option.replace("=300", "=20000000") for option in as_options()]
    command = Command(program, tuple(options), tmp_path / "run", tmp_path / "log", tmp_path)
    process = SlurmStarter(executor).start(command)
    wait_for(lambda: states(tmp_path / "run") == ["running"] or process.poll() is not None)
    assert process.poll() is None
    process.stop(signal.SIGINT)
    wait_for(lambda: process.poll() is not None)
    assert states(tmp_path / "run") == ["stopped"]
    assert "--resume" in command.arguments


def test_a_job_whose_time_ends_is_resumed(tmp_path):
    pytest.importorskip("submitit")
    job = SlurmRun(Command("/bin/sh", ("-c", "exec sleep 100"), tmp_path / "run", tmp_path / "log", tmp_path))
    process = job._process = job._command.start()
    again = job.checkpoint()
    assert process.wait() in (0, -signal.SIGTERM)  # 0: somebody else has waited for it
    assert again.function._command == job._command


@pytest.mark.slow
def test_a_job_that_fails_says_why(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    command = Command("no-such-program", (), tmp_path / "run", tmp_path / "log", tmp_path)
    process = SlurmStarter(submitit.LocalExecutor(folder=tmp_path / "jobs")).start(command)
    wait_for(lambda: process.poll() is not None)
    assert process.poll() == 1
    assert "no-such-program" in command.last_line()


@pytest.mark.parametrize(
    ("jobs", "arguments", "threads"),
    [(1, [], "auto"), (2, [], 4), (3, [], 2), (8, [], 1), (4, ["--ray-address", "auto"], 1)],
)
def test_runs_that_go_on_at_a_time_share_the_cores(jobs, arguments, threads, monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr("pyqmix.cli.sweep.usable_cores", lambda: 8)
    monkeypatch.setattr("pyqmix.cli.sweep._starter", lambda options, out, cpus: nullcontext())
    monkeypatch.setattr("pyqmix.sweep.sweep.run_sweep", lambda *given: found.append(given[5]) or [])
    given = ["--seeds", "0:9", "--jobs", str(jobs), *arguments, "--out", str(tmp_path / "out"), "--"]
    monkeypatch.setattr("pyqmix.cli.sweep.catch", lambda stop: None)
    monkeypatch.setattr(sys, "argv", ["pyqmix-sweep", *given, "--env", "two_step"])
    sweep_command.main()
    assert found == [threads]

"""Runs on workers of Ray: resources, signals, and nodes that die."""

import _thread
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from ray_nodes import RayNodes
from run_files import results
from sweeps import OPTIONS, as_options, start, states, wait_for

from pyqmix import ConfigError
from pyqmix.sweep import ray_starter, tied
from pyqmix.sweep.command import Command, command
from pyqmix.sweep.folder import FILE
from pyqmix.sweep.plan import read_plan
from pyqmix.sweep.planned import check_plan
from pyqmix.sweep.ray_starter import RETRIES, RayStarter, run_here


class RayError(Exception):
    pass


class TaskCancelledError(RayError):
    pass


class NodeDiedError(RayError):
    pass


class RayTaskError(RayError):
    cause = ValueError("the reason\nof the task")


class FakeRay(types.ModuleType):
    """Ray whose tasks end in turn as told: with a code, or with an exception."""

    exceptions = types.SimpleNamespace(
        RayError=RayError, TaskCancelledError=TaskCancelledError, RayTaskError=RayTaskError
    )

    def __init__(self, *results):
        super().__init__("ray")
        self.results, self.tasks, self.cancelled, self.asked = list(results), [], [], []

    def nodes(self):
        dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        return [dead, {"Alive": True, "Resources": {"CPU": 2.0}}]

    def remote(self, **asked):
        self.asked.append(asked)
        task = types.SimpleNamespace(future=lambda: self)
        submitting = types.SimpleNamespace(remote=lambda command: self.tasks.append(command) or task)
        return lambda function: types.SimpleNamespace(options=lambda name: submitting)

    def done(self):
        return bool(self.results)

    def result(self):
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def cancel(self, task, force):
        assert not force
        self.cancelled.append(task)


def shell(folder, script):
    """Make the command of a "run" that is a script of the shell, in a sweep's folder."""
    (folder / "logs").mkdir(exist_ok=True)
    (folder / FILE).touch()
    return Command("/bin/sh", ("-c", script), folder / "runs" / "run", folder / "logs" / "log", folder)


@pytest.fixture
def process(tmp_path):
    """Start a "run" whose tasks end as told."""

    def begin(*results):
        ray = FakeRay(*results)
        return ray, RayStarter(ray, print).start(shell(tmp_path, ""))

    return begin


@pytest.mark.parametrize(
    ("results", "codes", "words"),
    [
        ([0], [0], ""),
        ([7], [7], ""),
        ([TaskCancelledError()], [130], ""),
        ([RayTaskError()], [1], "the task failed: the reason of the task"),
        ([NodeDiedError("node 3\nis gone"), 0], [None, 0], "the run goes on elsewhere: node 3 is gone"),
        ([NodeDiedError("gone")] * (RETRIES + 1), [None] * RETRIES + [1], "the task was lost 4 times: gone"),
    ],
)
def test_a_task_ends(process, tmp_path, results, codes, words):
    ray, run = process(*results)
    assert [run.poll() for _ in codes] == codes
    assert len(ray.tasks) == len(codes)
    log = tmp_path / "logs" / "log"
    assert words in (log.read_text() if log.exists() else "")
    assert run.poll() == codes[-1]


def test_a_stopped_run_whose_node_dies_does_not_go_on(process):
    ray, run = process()
    assert run.poll() is None
    run.stop(signal.SIGTERM)
    run.stop(signal.SIGTERM)
    assert len(ray.cancelled) == 2
    ray.results.append(NodeDiedError())
    assert run.poll() == 130
    assert len(ray.tasks) == 1


def test_resources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = read_plan({"env": "two_step", "num_workers": 2, "num_envs": 2, "threads": 3, "device": "cuda"})
    (run,) = check_plan(plan, Path("file"), False)
    ray, said = FakeRay(), []
    starter = RayStarter(ray, said.append)
    for _ in range(2):
        starter.start(command(run, Path("out"), 1))
    assert ray.asked[0] == {"num_cpus": 5, "num_gpus": 1, "max_retries": 0}
    assert said == ["runs wait for a node of 5 CPUs and 1 GPUs: the cluster has none now"]
    assert ray.tasks[0].log == tmp_path / "out" / "logs" / f"{run.name}.log"
    starter.start(Command("x", (), Path("run"), Path("log"), tmp_path, cpus=2))
    assert len(said) == 1
    plan = read_plan({"env": "two_step", "num_workers": 4, "rollout": "ray", "ray_address": "auto", "num_envs": 4})
    (run,) = check_plan(plan, Path("file"), False)
    assert command(run, Path("out"), 2).cpus == 2  # the players have their own
    alone = command(run, Path("out"), "auto")
    assert (alone.cpus, "--threads=auto" in alone.fresh) == (1, True)


@pytest.fixture
def _here(monkeypatch):
    monkeypatch.setattr(ray_starter, "program", lambda: "/bin/sh")
    monkeypatch.setattr(ray_starter, "_LOOKS", 0.01)


@pytest.mark.usefixtures("_here")
def test_a_task_passes_cancellations_on(tmp_path):
    script = "trap 'echo hears; exit 9' INT; touch begun; while :; do sleep 0.02; done"

    def cancel():
        wait_for(lambda: (tmp_path / "begun").exists())
        _thread.interrupt_main()  # as ray.cancel does in the worker

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        assert run_here(shell(tmp_path, script)) == 9
    finally:
        thread.join()
    assert (tmp_path / "logs" / "log").read_text() == "hears\n"


@pytest.mark.usefixtures("_here")
def test_a_task_waits_for_the_lock_and_hides_gpus(tmp_path, monkeypatch):
    held = iter([True, True, False])
    monkeypatch.setattr(ray_starter, "is_held", lambda folder: next(held))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert run_here(shell(tmp_path, 'echo "[$CUDA_VISIBLE_DEVICES]"; exit 3')) == 3
    assert next(held, "all") == "all"
    assert (tmp_path / "logs" / "log").read_text() == "[]\n"
    monkeypatch.setattr(ray_starter, "is_held", lambda folder: _thread.interrupt_main() or True)
    assert run_here(shell(tmp_path, "touch begun")) == 130
    assert not (tmp_path / "begun").exists()


def test_a_folder_that_the_node_does_not_have(tmp_path):
    run = shell(tmp_path, "")
    (tmp_path / FILE).unlink()
    with pytest.raises(ConfigError, match=r"does not have .*sweep\.json: expected folders that all nodes"):
        run_here(run)


@pytest.mark.parametrize("dies", ["worker", "script"])
def test_a_run_hears_of_its_workers_death(tmp_path, dies):
    run = "trap 'touch heard; exit' TERM; echo $PPID > begun; while :; do sleep 0.02; done"
    worker = (
        "import os, subprocess, sys, time\n"
        "tie = [sys.executable, '-I', '-S', sys.argv[1], str(os.getpid())]\n"
        "subprocess.Popen([*tie, '/bin/sh', '-c', sys.argv[2]])\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", worker, tied.__file__, run], cwd=tmp_path) as process:
        begun = tmp_path / "begun"
        wait_for(lambda: begun.exists() and begun.read_text().endswith("\n"))
        os.kill(process.pid if dies == "worker" else int(begun.read_text()), signal.SIGKILL)
        wait_for((tmp_path / "heard").exists)
        process.kill()


@pytest.mark.parametrize(
    ("program", "code"), [("exit 5", 5), ("kill -TERM $$", -signal.SIGTERM), ("kill -KILL $$", -signal.SIGKILL)]
)
def test_the_script_ends_as_the_run_does(program, code):
    tie = [sys.executable, "-I", "-S", tied.__file__, str(os.getpid())]
    assert subprocess.run([*tie, "/bin/sh", "-c", program]).returncode == code


def test_the_run_gets_the_signals_that_a_worker_blocks():
    tie = [sys.executable, "-I", "-S", tied.__file__, str(os.getpid())]
    program = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))",
    ]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        assert subprocess.run([*tie, *program], stdout=subprocess.PIPE, text=True).stdout == "set()\n"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_program_that_is_not_there(capfd):
    tie = [sys.executable, "-I", "-S", tied.__file__, str(os.getpid())]
    assert subprocess.run([*tie, "/no/program"]).returncode == 127
    assert capfd.readouterr().err == "cannot start /no/program: No such file or directory\n"


@pytest.fixture(scope="module")
def nodes():
    pytest.importorskip("ray")
    with RayNodes() as nodes:
        yield nodes


@pytest.fixture
def sweep(nodes, tmp_path):
    """Start a sweep on the cluster of two nodes of one CPU each."""

    def begin(steps, seeds):
        (tmp_path / "sweep.yaml").write_text(OPTIONS.replace("300", str(steps)))
        arguments = ["--out", "out", "--seeds", seeds, "--ray-address", nodes.address]
        return start(tmp_path, "sweep.yaml", *arguments)

    return begin


@pytest.mark.slow
def test_a_sweep_on_two_nodes_that_is_stopped_and_goes_on(sweep, tmp_path):
    process, runs = sweep(16_000, "0:3"), tmp_path / "out" / "runs"
    wait_for(lambda: states(runs) == ["running"] * 2)  # on either node, and the third waits
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out.count("stopped  two_step") == 3
    assert err == "pyqmix-sweep: interrupted; the same command goes on with it\n"
    assert states(runs) == ["stopped"] * 2
    out, err = (process := sweep(16_000, "0:3")).communicate()
    assert (process.returncode, err) == (0, "")
    assert out.count("resumed") == 2
    assert states(runs) == ["ended"] * 3


@pytest.mark.slow
def test_a_run_whose_node_dies_ends_with_the_same_bits(sweep, nodes, tmp_path):
    process, runs = sweep(9_000, "0:2"), tmp_path / "out" / "runs"
    wait_for(lambda: states(runs) == ["running"] * 2)
    nodes.kill()
    try:
        err = process.communicate()[1]
    finally:
        nodes.add()
    assert (process.returncode, err) == (0, "")
    logs = {log.stem: log.read_text() for log in (tmp_path / "out" / "logs").iterdir()}
    (lost,) = [name for name, text in logs.items() if "the task was lost, and the run goes on elsewhere" in text]
    assert "SIGTERM: training ends" in logs[lost]
    options = [option.replace("=300", "=9000") for option in as_options()]
    local = [Path(sys.executable).with_name("pyqmix-train"), *options, f"--seed={lost[-1]}", "--run-dir=local"]
    subprocess.run(local, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert results(runs / lost) == results(tmp_path / "local")

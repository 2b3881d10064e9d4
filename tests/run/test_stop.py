"""The commands are stopped by signals at any moment of their lives, and leave a run that goes on.

``PYQMIX_SIGNAL_MOMENTS`` sets the number of moments of the slow test; they take turns with the signals.
"""

import importlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import worker_envs

import pyqmix
from pyqmix.base.signals import STOPPING, exit_code
from pyqmix.cli.train import main

MOMENTS = int(os.environ.get("PYQMIX_SIGNAL_MOMENTS", "50"))
SHORT = (
    *("--run-dir", "run", "--hidden-dim", "8", "--batch-size", "8", "--buffer-size", "64", "--log-every", "100"),
    *("--eval-every", "200", "--eval-episodes", "4", "--checkpoint-every", "50", "--threads", "1"),
)
RUNS = {
    "native": (*SHORT, "--env", "two_step", "--total-steps", "2000"),
    "workers": (
        *(*SHORT, "--env", "gymnasium", "--task", "worker_envs:Walk-v0", "--total-steps", "600"),
        *("--num-envs", "4", "--num-workers", "2"),
    ),
}
COMMAND = (str(Path(sys.executable).parent / "pyqmix-train"),)
# The command without the handlers of its start, which the check must catch. SIGHUP has its usual effect, also
# where the shell of the tests ignores it.
FAULTY = (
    *(sys.executable, "-c"),
    "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    "from pyqmix.cli import start\nstart.catch = lambda handle: {}\nstart.train()",
)


class Ended(NamedTuple):
    """How a process ended, after how many seconds of life with handlers."""

    code: int
    stderr: str
    seconds: float


@pytest.fixture(autouse=True)
def _no_nohup():
    """Let commands see SIGHUP also where the tests run under nohup, whose children ignore it."""
    before = signal.signal(signal.SIGHUP, lambda number, frame: None)  # the default in a program that is started
    yield
    signal.signal(signal.SIGHUP, before)


def catches(process):
    """Whether a process has handlers for all stopping signals, None if it has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return None
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), "0")
    caught = all(int(mask, 16) >> (number - 1) & 1 for number in STOPPING)
    return caught if process.poll() is None else None


def members(group):
    """The processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def run_until(folder, command, options, number=None, moment=0.0):
    """Start a command in a group of its own; send the group a signal some seconds after it has handlers."""
    folder.mkdir(parents=True, exist_ok=True)
    path = {"PYTHONPATH": os.path.dirname(worker_envs.__file__), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, *options],
        cwd=folder,
        env=os.environ | path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while command is COMMAND and catches(process) is False:
            time.sleep(0.002)
        began = time.monotonic()
        if number is not None:
            time.sleep(moment)
            with suppress(ProcessLookupError):  # of a command that has ended
                os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=120)
        seconds = time.monotonic() - began
        until = time.monotonic() + 20
        while members(process.pid) and time.monotonic() < until:
            time.sleep(0.02)
        assert members(process.pid) == [], "orphans"
    return Ended(process.returncode, errors, seconds)


def require_clean_end(ended, number):
    """Require one line and the signal's exit code, or a run that had ended before."""
    assert "Traceback" not in ended.stderr
    assert ended.code in (0, exit_code(number)), ended
    lines = ended.stderr.splitlines()
    assert len(lines) == 1 if ended.code else len(lines) <= 1, ended


def is_unclean(ended):
    """Tell whether the check sees a fault in how a run ended that SIGHUP should have stopped."""
    try:
        require_clean_end(ended, signal.SIGHUP)
    except AssertionError:
        return True
    return False


def resume(folder, monkeypatch):
    """Go on in this process, which has imported everything; return whether there was a run."""
    if not (folder / "run").exists():
        return False
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["pyqmix-train", "--resume", "run", "--num-workers", "0", "--trust"])
    main()
    return True


@pytest.mark.slow
@pytest.mark.timeout(max(240, 10 * MOMENTS))
@pytest.mark.parametrize("kind", RUNS)
def test_a_signal_at_any_moment(tmp_path, monkeypatch, kind):
    options = RUNS[kind]
    whole = run_until(tmp_path / "whole", COMMAND, options)
    assert (whole.code, whole.stderr) == (0, "")
    count = max(1, MOMENTS // len(RUNS))

    def stop(k):
        number = STOPPING[k % len(STOPPING)]
        ended = run_until(tmp_path / str(k), COMMAND, options, number, whole.seconds * (k + 0.5) / count)
        return number, ended

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(stop, range(count)))
    for number, ended in outcomes:
        require_clean_end(ended, number)
    resumed = sum(resume(tmp_path / str(k), monkeypatch) for k in range(count))
    codes = [ended.code for _, ended in outcomes]
    print(f"{kind}: {count} moments in {whole.seconds:.1f} s, {codes.count(0)} after the end, {resumed} resumed")
    assert resumed > codes.count(0)


def test_a_command_says_one_line_during_its_imports_and_the_check_sees_a_fault(tmp_path):
    for number in (signal.SIGINT, signal.SIGHUP):
        require_clean_end(run_until(tmp_path / "good", COMMAND, RUNS["native"], number, 0.1), number)
    assert list((tmp_path / "good").iterdir()) == []
    assert is_unclean(run_until(tmp_path / "bad", FAULTY, RUNS["native"], signal.SIGHUP, 0.4))


def test_importing_pyqmix_imports_no_torch_and_every_name_can_be_had():
    program = (
        "import sys, pyqmix, pyqmix.cli.start\n"
        "assert 'torch' not in sys.modules and pyqmix.__version__ and 'train' in dir(pyqmix)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd="/")
    for name in pyqmix.__all__:
        assert getattr(pyqmix, name) is not None
    assert pyqmix.train is importlib.import_module("pyqmix.run.trainer").train
    assert {*pyqmix.__all__} <= {*dir(pyqmix)}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pyqmix.nonsense  # noqa: B018

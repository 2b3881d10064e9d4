"""Signals that stop a run: when they only set a flag, when they raise, and what they leave alone."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import gymnasium
import pytest
from worker_envs import Walk

from pyqmix import Config, EnvError, train
from pyqmix.base.signals import blocked, exit_code, survive
from pyqmix.play import ahead
from pyqmix.play.alarm import Alarm
from pyqmix.play.heartbeat import RESET
from pyqmix.run import interrupt as module
from pyqmix.run.interrupt import Interrupt, Interrupted

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _handlers():
    """Let a late signal not end the tests, which may themselves run under nohup."""
    before = {number: signal.signal(number, lambda number, frame: None) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", -1.0)


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_the_first_signal_is_remembered_and_said_once(number, capfd, at_once):
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        assert (interrupt.seen, interrupt.exit_code) == (False, 0)
        with interrupt.may_raise():
            signal.raise_signal(number)
        assert (interrupt.seen, interrupt.exit_code) == (True, 130 if number == signal.SIGINT else 143)
        signal.raise_signal(signal.SIGTERM)
    assert interrupt.exit_code == (130 if number == signal.SIGINT else 143)
    assert signal.getsignal(number) is before
    said = capfd.readouterr().err
    assert said.startswith(f"{number.name}: ")
    assert said.count("\n") == 1


def send(number):
    """Send a signal to this process, which is to raise nothing."""
    try:
        signal.raise_signal(number)
    except Interrupted:
        pytest.fail(f"{number.name} was raised")


def test_a_second_signal_raises_only_where_it_may(at_once):
    with Interrupt(quiet=True) as interrupt:
        send(signal.SIGTERM)
        with pytest.raises(Interrupted) as raised, interrupt.may_raise():
            signal.raise_signal(signal.SIGINT)
        assert raised.value.exit_code == 143
        send(signal.SIGINT)
        with interrupt.may_raise(earlier=False):
            pass
        with pytest.raises(Interrupted), interrupt.may_raise():
            pytest.fail("a signal that came before is raised at the block's start")


def test_signals_within_a_moment_are_one(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 60.0)
    with Interrupt(quiet=True) as interrupt, interrupt.may_raise():
        for number in STOPPING:
            signal.raise_signal(number)


def test_a_handler_interrupted_at_a_block_s_end_leaves_no_block_behind(at_once):
    with Interrupt(quiet=True) as interrupt:
        signal.raise_signal(signal.SIGINT)
        with interrupt.ending():
            interrupt.may_raise().__enter__()  # as if the signal came before the block could end
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_an_environment_s_error_counts_unless_a_signal_came():
    with Interrupt(quiet=True) as interrupt:
        with pytest.raises(EnvError), interrupt.ending():
            raise EnvError("the simulator fell over")
        signal.raise_signal(signal.SIGTERM)
        with interrupt.ending():
            raise EnvError("the simulator had the signal too")


def test_nohup_is_respected_and_other_threads_see_nothing():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupt(quiet=True) as interrupt:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupt.seen
    handlers = [signal.getsignal(number) for number in STOPPING]

    def enter():
        with Interrupt():
            assert [signal.getsignal(number) for number in STOPPING] == handlers

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()


def test_a_forked_child_of_an_environment_ends_by_terminate():
    survive()
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def test_signals_that_were_held_back_are_survived():
    with blocked():
        signal.raise_signal(signal.SIGTERM)  # to this thread; os.kill may pick another
        assert signal.SIGTERM in signal.sigpending()
        survive()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(STOPPING) == set()


def send_twice():
    for seconds in (0.5, 0.2):
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGTERM)


class Hanging(Walk):
    """Hangs in the second step of episode 9, and two signals come; the adapter has reset it once before."""

    episodes = -2

    def reset(self, **options):
        self.episodes += 1
        return super().reset(**options)

    def step(self, actions):
        if (self.episodes, self.steps) == (9, 1):
            threading.Thread(target=send_twice).start()
            time.sleep(60)
        return super().step(actions)


gymnasium.register("Hanging-v0", Hanging, max_episode_steps=9)


@pytest.fixture
def hanging(tiny_config, tmp_path):
    """Train in a Hanging."""

    def start(**options):
        config = tiny_config(env="gymnasium", task="Hanging-v0", run_dir=str(tmp_path / "run"), **options)
        return train(config, quiet=True)

    return start


@pytest.mark.parametrize("overlap", [False, True], ids=["", "overlap"])
def test_a_hang_is_told_of_and_a_second_signal_saves(hanging, tmp_path, capfd, monkeypatch, overlap):
    monkeypatch.setattr(ahead, "_GRACE", 0.1)
    result = hanging(step_timeout=0.3, overlap=overlap)
    assert (result.interrupted, result.exit_code, result.summary["episodes"]) == (True, 143, 9)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("environment Hanging-v0, episode 9, step 1: step has taken step_timeout = 0.3 s and")
    assert list((tmp_path / "run" / "checkpoints").iterdir())


def test_each_late_call_is_told_of_once():
    said = []
    alarm = Alarm(Config(env="two_step", step_timeout=0.05), said.append)
    with alarm:
        time.sleep(0.2)
    for step in (RESET, 0):
        alarm.enter(3, step)
        time.sleep(0.2)
        alarm.leave()
    for step in range(20):
        alarm.enter(4, step)
        time.sleep(0.01)
    alarm.close()
    assert [line.partition(" has taken")[0] for line in said] == [
        "environment two_step, while it is built: its constructor",
        "environment two_step, episode 3, step 0: reset",
        "environment two_step, episode 3, step 0: step",
    ]
    advice = [line.partition("cannot end it: ")[2].partition(";")[0] for line in said]
    assert advice == [
        "a second Ctrl-C interrupts it",
        *["a second Ctrl-C interrupts it and writes a checkpoint"] * 2,
    ]


def test_without_a_training_no_checkpoint_is_promised():
    said = []
    with closing(Alarm(Config(env="two_step", step_timeout=0.05), said.append, trains=False)) as alarm:
        alarm.enter(0, 1)
        time.sleep(0.2)
    (line,) = said
    assert line.endswith("this process cannot end it: Ctrl-C interrupts it")


GONE = """
import os, sys
from contextlib import suppress
from pyqmix.base.output import leave_gone_terminal
with suppress(OSError):
    os.read(0, 1)  # ends when the terminal has hung up
leave_gone_terminal()
print("into nowhere", flush=True)
os.write(int(sys.argv[1]), b"alive")
"""


def test_a_terminal_that_is_gone_is_no_error():
    ours, theirs = pty.openpty()
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", GONE, str(write)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[write],
        cwd="/",
    )
    for end in (theirs, write, ours):
        os.close(end)
    with open(read) as file:
        assert file.read() == "alive"
    assert process.wait() == 0


# A command that is signalled by a module that it imports, after its options.
IMPORTING = """
import sys, types
from pyqmix.cli import start

command = types.ModuleType("pyqmix.cli." + sys.argv[1])
sys.modules[command.__name__] = command
code = "def main():\\n import signals_its_importer\\n print('went on')"
exec(code, vars(command))
getattr(start, sys.argv[1])()
"""


@pytest.mark.parametrize("command", ["train", "evaluate", "plot"])
def test_a_signal_during_a_commands_imports_ends_it_at_once(tmp_path, command):
    module = "import os, signal\ntry: os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException: pass\n"
    (tmp_path / "signals_its_importer.py").write_text(module)
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTING, command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    name = f"pyqmix-{command.removesuffix('uate')}"
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "", f"{name}: interrupted\n")


# pyqmix-eval with a main that is signalled while it writes a file, and again, as a wrapper passes Ctrl-C on.
WRITING = """
import os, signal, sys, types
from pathlib import Path
from pyqmix.base.files import replacing
from pyqmix.cli import start

def main():
    number = int(sys.argv[2])
    with replacing(Path("x.gif")) as temporary:
        temporary.write_text("half")
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            os.kill(os.getpid(), number)

sys.modules["pyqmix.cli." + sys.argv[1]] = types.SimpleNamespace(main=main)
getattr(start, sys.argv[1])()
"""


@pytest.mark.parametrize("command", ["evaluate", "plot"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_removes_temporary_files(tmp_path, command, number):
    arguments = [sys.executable, "-c", WRITING, command, str(int(number))]
    ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    line = f"pyqmix-{command.removesuffix('uate')}: interrupted\n"
    assert (ended.returncode, ended.stderr) == (exit_code(number), line)
    assert list(tmp_path.iterdir()) == []

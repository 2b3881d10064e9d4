"""A run inside of another program: what belongs to that program stays its own, and the run's numbers do too."""

import ctypes
import dataclasses
import faulthandler
import functools
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from python_games import PythonTwoStep
from random_episodes import SPEC, make_batch
from surroundings import in_a_thread, state_of_the_process
from torch import nn

from pyqmix import Config, EpisodeRing, load_policy, train
from pyqmix.base import program_end, signals
from pyqmix.base.console import make_console
from pyqmix.base.registry import Registry
from pyqmix.base.torch_threads import torch_threads
from pyqmix.config import config as configs
from pyqmix.figures import read_run
from pyqmix.learn.learner import Learner
from pyqmix.run.evaluate import evaluate_run, load_agent
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.recording import save_gif

SEEDS = range(4)
HELPERS = Path(__file__).resolve().parents[1] / "helpers"


class Dropping(nn.Module):
    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.first, self.last = nn.Linear(obs_dim, 8), nn.Linear(8, n_actions)

    def forward(self, obs, hidden):
        return self.last(nn.functional.dropout(self.first(obs).relu(), 0.3, self.training)), None


def in_threads(call):
    """Return the results of a call of each seed, all at the same time."""
    results = {}
    threads = [threading.Thread(target=lambda s=seed: results.update({s: call(s)})) for seed in SEEDS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def outcome(config, **own):
    """Train, and return what depends on the numbers."""
    result = train(config, quiet=True, **own)
    agent = {name: made for name, made in own.items() if name == "agent"}
    policy = load_policy(str(result.run_dir), **agent)
    obs = np.ones((policy.n_agents, policy.obs_dim), np.float32)
    values, actions = policy.q_values(obs), policy.act(obs)
    policy.reset()
    greedy = evaluate_run(str(result.run_dir), 3, 7, **own)
    columns = [line.split(",")[:8] for line in (result.run_dir / "metrics.csv").read_text().splitlines()]
    return digest(result.learner.flat.block.detach().numpy(), values, actions, greedy.returns), columns


def learned(config, seed):
    """Take training steps on a batch, and return the weights."""
    batch = make_batch()
    numbers = {name: getattr(batch, name).float() for name in ("obs", "states", "rewards")}
    batch = dataclasses.replace(batch, **numbers)
    learner = Learner(SPEC, config.replace(seed=seed))
    for _ in range(8):
        learner.update(batch)
    return digest(learner.flat.block.detach().numpy())


@pytest.mark.parametrize(("agent", "mixer"), [("gru", "qmix"), ("mlp", "vdn"), (Dropping, "qmix")])
def test_networks_that_learn_in_threads_equal_the_same_seeds_alone(agent, mixer):
    config = Config(hidden_dim=8, embed_dim=4, hypernet_dim=6, mixer=mixer)
    config = config.with_own(agent=agent) if agent is Dropping else config.replace(agent=agent)
    before = torch.get_rng_state()
    alone = {seed: learned(config, seed) for seed in SEEDS}
    assert len(set(alone.values())) == len(SEEDS)
    for _ in range(3):
        assert in_threads(lambda seed: learned(config, seed)) == alone
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_that_are_the_first_to_make_a_config_get_one_class(monkeypatch):
    make, slow = configs._class_with.__wrapped__, threading.Event()

    def making(options):
        slow.wait(0.02)
        return make(options)

    monkeypatch.setattr(configs, "_class_with", functools.cache(making))
    made = in_threads(lambda seed: type(Config(env="two_step", seed=seed)))
    assert len(set(made.values())) == 1


def test_threads_that_bring_functions_of_one_name_get_their_own(monkeypatch):
    registry = Registry("thing", "pyqmix.nothing", {}, lambda name, given: given)
    bring = registry._bring

    def slowly(name, given):
        threading.Event().wait(0.01)
        bring(name, given)

    monkeypatch.setattr(registry, "_bring", slowly)
    brought = {seed: lambda seed=seed: seed for seed in SEEDS}
    names = in_threads(lambda seed: registry.refer(brought[seed]))
    assert {seed: registry[name]() for seed, name in names.items()} == {seed: seed for seed in SEEDS}


def test_networks_of_pyqmix_never_touch_the_processs_generator(monkeypatch):
    def touched(**_):
        raise AssertionError

    monkeypatch.setattr(torch.random, "fork_rng", touched)
    learned(Config(hidden_dim=8, agent="gru", mixer="qplex"), 0)
    with pytest.raises(AssertionError):  # a user's may draw in any way
        learned(Config(hidden_dim=8).with_own(agent=Dropping), 0)


def test_the_number_of_threads_is_set_for_one_thread_alone():
    seen = []

    def elsewhere():
        seen.append(torch.get_num_threads())
        inside.wait()
        seen.append(torch.get_num_threads())

    inside = threading.Event()
    other = threading.Thread(target=elsewhere)
    other.start()
    with torch_threads(2):
        inside.set()
        other.join()
        assert torch.get_num_threads() == 2
        assert in_a_thread(torch.get_num_threads) == 1
    assert seen == [1, 1]
    assert torch.get_num_threads() == 1
    assert in_a_thread(torch.get_num_threads) == 1


def test_a_run_leaves_the_process_as_it_was(tiny_config, tiny_run, tmp_path):
    before = state_of_the_process()
    train(tiny_config(run_dir=str(tmp_path / "run"), total_steps=30, threads=2), quiet=True)
    assert changes(before) == set()


def changes(before):
    """Name what of the process has changed, once threads that were told to end have done so."""
    for _ in range(100):
        after = state_of_the_process()
        found = {name for name, value in before.items() if after[name] != value}
        if not found:
            break
        time.sleep(0.02)
    return found


@contextmanager
def every_mode():
    """Set all modes of torch that a program may have set."""
    before = torch.get_default_dtype()
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    try:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16),
            torch.autograd.set_detect_anomaly(True),
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_default_dtype(before)
        torch.set_default_device(None)


def test_a_run_computes_the_same_in_every_mode_of_torch(tiny_config, tmp_path):
    config = tiny_config(total_steps=30, agent="gru", mixer="vdn")
    plain = outcome(config.replace(run_dir=str(tmp_path / "plain")))
    with every_mode():
        assert outcome(config.replace(run_dir=str(tmp_path / "moded"))) == plain


def test_networks_that_are_loaded_in_inference_mode_can_be_used_outside(tiny_run):
    with torch.inference_mode():
        policy, (_, agent) = load_policy(tiny_run), load_agent(tiny_run)
    policy.act(np.ones((policy.n_agents, policy.obs_dim), np.float32))
    assert not any(parameter.is_inference() for parameter in agent.parameters())
    agent.unroll(torch.ones(4, policy.n_agents, policy.obs_dim)).sum().backward()


class PathLike(os.PathLike):
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [str, PathLike])
def test_every_function_takes_every_kind_of_path(kind, tiny_run, tmp_path):
    load_policy(kind(tiny_run))
    load_agent(kind(tiny_run))
    evaluate_run(kind(tiny_run), 1, 0)
    config = Config.from_json(kind(tiny_run / "config.json"))
    read_run(kind(tiny_run))
    save_gif(kind(tmp_path / "it.gif"), ())
    ring = EpisodeRing(SPEC, 4)
    ring.save(kind(tmp_path / "ring"))
    EpisodeRing.load(kind(tmp_path / "ring"))
    assert config.replace(run_dir=kind(tmp_path / "x")).run_dir == str(tmp_path / "x")


@pytest.fixture
def user_signal():
    """Give SIGUSR1 back as it was."""
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def is_handled(number):
    return bool(signals._handled_signals() >> (number - 1) & 1)


def signalled_twice(number):
    """An Interrupt, inside of which this thread got a signal that is handled elsewhere, and after which again."""
    with Interrupt(quiet=True) as interrupt:
        signal.raise_signal(number)
    assert is_handled(number)
    signal.raise_signal(number)
    return interrupt


def test_a_handler_of_faulthandler_stays(user_signal, capfd):
    faulthandler.register(user_signal, file=2, all_threads=False)
    try:
        interrupt = signalled_twice(user_signal)
    finally:
        faulthandler.unregister(user_signal)
    assert not interrupt.seen
    assert capfd.readouterr().err.count("most recent call first") == 2


def test_a_handler_in_c_stays(user_signal):
    called = []
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(called.append)
    c_signal = ctypes.CDLL(None).signal
    c_signal(user_signal, handler)
    try:
        interrupt = signalled_twice(user_signal)
    finally:
        c_signal(user_signal, None)
    assert (called, interrupt.seen) == ([user_signal] * 2, False)


def test_signals_of_which_python_knows_no_handler_are_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: pytest.fail("set"))
    with Interrupt(quiet=True):
        pass


def test_a_handler_that_is_set_during_a_run_stays(user_signal):
    def handler(number, frame):
        pass

    with Interrupt(quiet=True):
        signal.signal(user_signal, handler)
    assert signal.getsignal(user_signal) is handler


def test_where_python_delivers_no_signals_none_are_caught():
    before = [signal.getsignal(number) for number in signals.STOPPING]

    def enter():
        with Interrupt(quiet=True):
            return [signal.getsignal(number) for number in signals.STOPPING]

    assert in_a_thread(enter) == before


class Bare:
    """All that print needs of a stream."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def test_any_stream_takes_the_lines_of_a_run(monkeypatch):
    bare, closed = Bare(), io.StringIO()
    closed.close()
    ascii_bytes = io.BytesIO()
    for stream in (bare, closed, None, io.TextIOWrapper(ascii_bytes, encoding="ascii", write_through=True)):
        monkeypatch.setattr(sys, "stdout", stream)
        make_console().print("run directory: runs/é")
    assert bare.text == "run directory: runs/é\n"
    assert ascii_bytes.getvalue() == b"run directory: runs/\\xe9\n"


@pytest.fixture
def ending(monkeypatch):
    """Let the program seem to end."""
    monkeypatch.setattr(program_end, "_calls", program_end._Calls())
    monkeypatch.setattr(program_end.atexit, "register", lambda end: None)
    return program_end._end


def test_calls_on_other_threads_end_when_the_program_does(ending, monkeypatch):
    ring = EpisodeRing(SPEC, 4)
    sampler = ring.sampler(0)
    errors = []
    monkeypatch.setattr(threading, "excepthook", lambda given: errors.append(given.exc_type))

    def ask():
        while True:
            sampler.state()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    while not program_end._calls.last:
        pass
    ending()
    assert not thread.is_alive()
    assert errors == [SystemExit]  # of which Python's own hook says nothing
    sampler.state()  # of the thread that ends the program


def test_a_program_that_ends_does_not_wait_for_threads_that_have_left(ending, monkeypatch):
    sampler, left, done = EpisodeRing(SPEC, 4).sampler(0), threading.Event(), threading.Event()
    monkeypatch.setattr(program_end, "_AGAIN", 0.0)

    def ask_once():
        sampler.state()
        left.set()
        done.wait()

    thread = threading.Thread(target=ask_once, daemon=True)
    thread.start()
    left.wait()
    ending()
    assert thread.is_alive()
    done.set()
    thread.join()


def test_a_forked_child_waits_for_no_thread_of_its_parent(ending):
    with program_end.call():
        child = os.fork()
        if child == 0:
            os._exit(len(program_end._calls.open))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(program_end._calls.open) == 1
    assert not program_end._calls.open


ENDS = """
import sys, threading, time
sys.path.insert(0, {helpers!r})
import numpy as np, torch
from python_games import PythonTwoStep
from pyqmix import Config, EpisodeRing, train
from pyqmix.envs import EpisodeSpec
torch.set_num_threads(1)
begun = threading.Event()

class Env(PythonTwoStep):
    def reset(self, seed):
        begun.set()
        return super().reset(seed)

def run(**options):
    sizes = dict(batch_size=8, buffer_size=64, hidden_dim=8, total_steps=10**9, checkpoint_every=500, num_envs=4)
    begun.set() if options.pop("at_once", False) else None
    own = {{"env": PythonTwoStep if options.get("num_workers") else Env}} if options.pop("python", False) else {{}}
    train(Config(env="two_step", run_dir={run_dir!r}, **sizes, **options), quiet=True, **own)

def sample():
    ring = EpisodeRing(EpisodeSpec(2, 2, 3, 3, 2), 64)
    writer, sampler = ring.writer(), ring.sampler(0)
    for _ in range(64):
        with writer.episode() as slot:
            point = (np.ones((2, 3), np.float32), np.ones((2, 2), bool), np.ones(3, np.float32))
            slot.begin(*point)
            slot.append(np.zeros(2, np.int64), 1.0, True, *point)
    begun.set()
    net = torch.nn.Linear(3, 3)
    while True:
        net(sampler.sample(32).obs).sum().backward()

if __name__ == "__main__":
    threading.Thread(target=lambda: {call}, daemon=True).start()
    begun.wait(60)
    time.sleep({seconds})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        *("sample()", "run(at_once=True, threads=2)", "run(at_once=True, agent='gru', overlap=True)"),
        *("run(python=True, mixer='vdn', overlap=True)", "run(python=True, at_once=True, num_workers=2)"),
    ],
)
def test_a_program_ends_quietly_while_a_daemon_thread_works(call, tmp_path):
    for attempt in range(2):
        program = ENDS.format(
            helpers=str(HELPERS), run_dir=str(tmp_path / f"{attempt}"), call=call, seconds=2 + attempt
        )
        (tmp_path / "program.py").write_text(program)
        ended = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"agent": "gru", "threads": 2}, {"python": True, "overlap": True}, {"own": True, "mixer": "qtran"}),
        {"env": "lbf", "total_steps": 1000, "num_envs": 16},
    ],
    ids=str,
)
def test_runs_in_threads_equal_the_same_seeds_alone(tiny_config, tmp_path, options):
    options = {"eps_steps": 50, **options}
    own = {"env": PythonTwoStep} if options.pop("python", False) else {}
    own |= {"agent": Dropping} if options.pop("own", False) else {}
    config = tiny_config(**options)

    def run(seed, where):
        return outcome(config.replace(seed=seed, run_dir=str(tmp_path / where / str(seed))), **own)

    alone = {seed: run(seed, "alone") for seed in SEEDS}
    before = state_of_the_process()
    assert in_threads(lambda seed: run(seed, "together")) == alone
    assert changes(before) == set()


@pytest.mark.slow
def test_a_process_that_is_forked_after_a_training_trains_too(tiny_config, tmp_path):
    plain = outcome(tiny_config(run_dir=str(tmp_path / "parent"), threads=2))
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        same = outcome(tiny_config(run_dir=str(tmp_path / "child"), threads=2)) == plain
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

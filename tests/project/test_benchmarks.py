"""Benchmarks: what they say when something is missing; what becomes of buffers whose processes are killed."""

import runpy
import sys
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest
from buffers import Locked
from replay import killing

MAIN = Path(__file__).resolve().parents[2] / "benchmarks" / "__main__.py"


@pytest.mark.parametrize(
    ("name", "missing"),
    [("ring", "cpprb"), ("ring_kill", "cpprb"), ("rollout", "lbforaging.foraging.environment")],
)
def test_a_benchmark_says_what_it_lacks(monkeypatch, name, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"replay.{name}", raising=False)  # another test may have loaded it
    monkeypatch.setattr(sys, "argv", ["benchmarks", "mix_error", name])
    message = rf"error: {name} needs {missing.split('.')[0]}, which is missing: pip install '.\[bench\]'$"
    with pytest.raises(SystemExit, match=message):
        runpy.run_path(str(MAIN))["main"]()


@pytest.fixture
def _quick_start():
    """Let a new fork server import pytest, the main program here; one of other tests would not have it."""
    forkserver._forkserver._stop()
    killing.CONTEXT.set_forkserver_preload([*killing.IMPORTED, "pytest"])
    yield
    forkserver._forkserver._stop()


@pytest.mark.usefixtures("_quick_start")
def test_the_ring_outlives_its_processes():
    outcome = killing.trial(killing.Ring, 20, seed=0, patience=10.0)
    assert (outcome.kills, outcome.torn, outcome.hung) == (20, 0, None)
    assert outcome.writable
    assert outcome.readable
    assert outcome.batches > 0


@pytest.mark.usefixtures("_quick_start")
@pytest.mark.slow
def test_a_buffer_that_hangs_is_told():
    outcome = killing.trial(Locked, 500, seed=0, patience=5.0)
    assert outcome.kills < 500
    assert outcome.hung == "writer"
    assert not outcome.writable
    assert outcome.readable


def test_episodes_that_are_not_whole_are_counted():
    obs, rewards = np.ones((4, *killing.OBS), np.float32), np.ones((4, *killing.REWARDS), np.float32)
    assert killing.torn_episodes(obs, rewards) == 0
    obs[0, -1, -1, -1] = rewards[2, -1] = obs[3, 0, 0, 0] = 2
    assert killing.torn_episodes(obs, rewards) == 3

"""Environments that behave oddly, and rightly or not: each trains exactly as it says, or is named in one line."""

import os
import random

import numpy as np
import pytest
import torch
import worker_envs

from pyqmix import Config, EnvError, EpisodeRing, train
from pyqmix.base.errors import WorkerTraceback, environment_traceback
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import Point, Step, TwoStep
from pyqmix.learn.learner import Learner
from pyqmix.play.rollout import Rollout

N, A, WIDTH, S, T = 2, 3, 4, 5, 3


class Plain:
    """Two agents that see random numbers; the reward tells the actions."""

    name = "plain"
    spec = EpisodeSpec(N, A, WIDTH, S, T)

    def reset(self, seed):
        self.random, self.steps = np.random.default_rng(seed), 0
        return self.point()

    def step(self, actions):
        self.steps += 1
        return Step(self.point(), float(actions @ [1, 10]), self.steps == T, False)

    def point(self):
        obs, state = self.random.random((N, WIDTH), np.float32), self.random.random(S, np.float32)
        return Point(obs, self.random.random((N, A)) < 2, state)

    def close(self):
        pass


class Moulded(Plain):
    """Gives its arrays in another form."""

    def __init__(self, mould):
        self.mould = mould

    def point(self):
        return Point(*map(self.mould, super().point()))


class Shared(Plain):
    """All of its objects write into the same arrays, at each step."""

    arrays = Point(np.empty((N, WIDTH), np.float32), np.empty((N, A), np.bool_), np.empty(S, np.float32))

    def point(self):
        for array, values in zip(self.arrays, super().point(), strict=True):
            array[...] = values
        return self.arrays


class Spoils(Plain):
    """Overwrites the actions that it has been given."""

    def step(self, actions):
        step = super().step(actions)
        actions[:] = 0
        return step


def read_only(array):
    array.setflags(write=False)
    return array


MOULDS = {
    "read-only": read_only,
    "Fortran's order": np.asfortranarray,
    "every other number": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: np.ascontiguousarray(array[..., ::-1])[..., ::-1],
    "a view into a larger one": lambda array: np.pad(array, 1)[tuple([slice(1, -1)] * array.ndim)],
    "a subclass": lambda array: array.view(np.recarray),
    "of torch's memory": lambda array: torch.from_numpy(array).numpy(),
}


def played(envs):
    agent = Learner(Plain.spec, Config(env="two_step", agent="gru", hidden_dim=8)).agent
    ring = EpisodeRing(Plain.spec, 8)
    rollout = Rollout(envs, agent, 0, Stream.ENVIRONMENT, ring)
    returns = rollout.play(0, 8, 0.2).returns.tolist()
    batch = ring.sampler(0).sample(8)
    return returns, {name: tensor.tolist() for name, tensor in batch.tensors().items()}


@pytest.fixture(scope="module")
def plainly():
    return played([Plain(), Plain(), Plain()])


@pytest.mark.parametrize("mould", MOULDS)
def test_arrays_of_any_form_are_stored_as_they_are(plainly, mould):
    assert played([Moulded(MOULDS[mould]) for _ in range(3)]) == plainly


@pytest.mark.parametrize("kind", [Shared, Spoils])
def test_arrays_that_are_overwritten_have_been_copied(plainly, kind):
    assert played([kind(), kind(), kind()]) == plainly


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8])
def test_rewards_of_few_digits_add_up_exactly(dtype):
    class Pays(Plain):
        spec = EpisodeSpec(N, A, WIDTH, S, 1000)

        def step(self, actions):
            step = super().step(actions)
            return step._replace(reward=dtype(100.0625), terminated=self.steps == 1000)

    agent = Learner(Plain.spec, Config(env="two_step", hidden_dim=8)).agent
    returns = Rollout([Pays()], agent, 0, Stream.ENVIRONMENT).play(0, 1, 1.0).returns
    assert returns.tolist() == [1000 * float(dtype(100.0625))]


def test_masked_arrays_are_refused():
    for k, name in enumerate(("obs", "avail", "state")):

        class Masks(Plain):
            def point(self, k=k):
                arrays = list(super().point())
                arrays[k] = np.ma.array(arrays[k], mask=True)
                return Point(*arrays)

        with pytest.raises(EnvError, match=rf"^environment plain, episode 0, step 0: {name}: .* \(masked\)$"):
            played([Masks()])


class Odd(worker_envs.Walk):
    """A walk that does something else in its steps."""

    max_steps = 9

    def step(self, actions):
        self.meddle()
        return super().step(actions)

    def meddle(self):
        pass


class OfScript(BaseException):
    """No Exception, as those of some test tools and schedulers."""


class Meddles(Odd):
    def meddle(self):
        print("a step")
        os.chdir("/")
        torch.set_grad_enabled(False)
        np.random.seed(0)
        torch.manual_seed(0)
        random.seed(0)


def test_meddling_with_the_process_changes_nothing(tiny_config, tmp_path, monkeypatch):
    found = []
    for each in (Odd, Meddles):
        (tmp_path / each.__name__).mkdir()
        monkeypatch.chdir(tmp_path / each.__name__)
        try:
            result = train(tiny_config(run_dir="run", total_steps=40), env=each, quiet=True)
        finally:
            torch.set_grad_enabled(True)
        found.append([parameter.tolist() for parameter in result.learner.parameters])
        assert "summary.json" in os.listdir(tmp_path / each.__name__ / "run")
    assert found[0] == found[1]


ERRORS = {
    StopIteration("over"): "StopIteration: over",
    AssertionError(): "AssertionError",
    ValueError("two\nlines"): "ValueError: two lines",
    ValueError("x" * 5000): "ValueError: " + "x" * 1000,
    OSError(2, "gone"): r"FileNotFoundError: \[Errno 2\] gone",
    SystemExit(3): "SystemExit: 3",
}


@pytest.mark.parametrize(("error", "text"), ERRORS.items(), ids=lambda x: repr(x)[:30])
def test_an_exception_is_named_in_one_line_and_chained(error, text):
    class Raises(Plain):
        def step(self, actions):
            raise error

    with pytest.raises(EnvError, match=rf"^environment plain, episode 0, step 0: step raised {text}$") as caught:
        played([Raises()])
    assert caught.value.__cause__ is error
    assert "raise error" in environment_traceback(caught.value)


def test_an_exception_without_a_text_of_its_own_is_named():
    class UnspeakableError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    class Raises(Plain):
        def reset(self, seed):
            raise UnspeakableError

    with pytest.raises(EnvError, match=r"reset raised UnspeakableError$"):
        played([Raises()])


def test_an_exception_of_pyqmix_s_code_that_the_environment_called_shows_the_call():
    class Wraps(Plain):
        def step(self, actions):
            return TwoStep().step(actions + 7)  # no such actions

    with pytest.raises(EnvError, match="step raised ") as caught:
        played([Wraps()])
    assert "# no such actions" in environment_traceback(caught.value)


def test_what_is_no_exception_is_passed_on_in_this_process_and_named_in_a_worker(tiny_config, tmp_path):
    class Escapes(worker_envs.Walk):
        max_steps, error = 9, OfScript

        def step(self, actions):
            raise self.error("out")

    class Interrupts(Escapes):
        error = KeyboardInterrupt

    config = tiny_config(run_dir=str(tmp_path / "run"))
    with pytest.raises(OfScript, match=r"^out$"):
        train(config, env=Escapes, quiet=True)
    config = config.replace(num_envs=1, num_workers=1, run_dir=str(tmp_path / "another"))
    with pytest.raises(EnvError, match=r", episode 0, step 0: step raised KeyboardInterrupt: out$") as caught:
        train(config, env=Interrupts, quiet=True)
    assert isinstance(caught.value.__cause__, WorkerTraceback)
    assert 'raise self.error("out")' in str(caught.value.__cause__)

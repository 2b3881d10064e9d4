"""An environment whose close() raises costs no result, and is named in one line."""

import multiprocessing
import os
import warnings

import pytest
import torch
import worker_envs
from recordings import Drawn

from pyqmix import Config, EnvError, train
from pyqmix.envs import SyncVectorEnv, adapt, check_env
from pyqmix.play import worker
from pyqmix.play.heartbeat import Heartbeat
from pyqmix.play.parcel import Parcel
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.recording.record import record_run

NAMED = "environment {}: close raised {}: of the simulator"


class Stays(worker_envs.Walk):
    """Raises where it is closed."""

    max_steps = 9

    def close(self):
        raise ValueError("of the simulator")


def test_a_run_and_its_evaluation_keep_their_results(tiny_config, tmp_path, capfd):
    config, named = tiny_config(run_dir=str(tmp_path / "run"), total_steps=30), NAMED.format("Stays", "ValueError")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = train(config, env=Stays)
    assert result.summary["total_steps"] == 30
    told = [line for line in capfd.readouterr().out.splitlines() if "close raised" in line]
    assert told == [named] * 2  # of the first environment, and of the training's
    with pytest.warns(UserWarning, match=named):
        assert len(evaluate_run(result.run_dir, 3, 0, env=Stays).returns) == 3


def test_workers_tell_it(monkeypatch, capsys):
    monkeypatch.setattr(worker, "survive", lambda: None)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    trainers, workers = multiprocessing.Pipe()
    trainers.close()
    worker.serve(workers, Parcel.of(Config().with_own(env=Stays)).packed, 1, None, Heartbeat())
    assert capsys.readouterr().err == f"pyqmix: in a worker process: {NAMED.format('Stays', 'ValueError')}\n"


def test_an_error_before_is_the_one_that_counts(tiny_config, tmp_path):
    class Falls(Stays):
        def step(self, actions):
            raise RuntimeError("it fell over")

    config = tiny_config(run_dir=str(tmp_path / "run"))
    with pytest.raises(EnvError, match="step raised RuntimeError: it fell over"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(config, env=Falls, quiet=True)


def test_the_others_are_closed(tmp_path):
    class Counts(worker_envs.Walk):
        max_steps = 9

        def close(self):
            super().close()
            raise ValueError(self.seed)

    envs = SyncVectorEnv([adapt(Counts(closed=str(tmp_path))) for _ in range(3)])
    envs.reset()
    with pytest.raises(EnvError, match=r"^environment Counts: close raised ValueError: \d+$") as caught:
        envs.close()
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(os.listdir(tmp_path)) == 3


def test_a_recording_is_kept(tiny_config, tmp_path):
    class Sticks(Drawn):
        def close(self):
            raise ValueError("of the simulator")

    config, named = tiny_config(run_dir=str(tmp_path / "run"), total_steps=6), NAMED.format("drawn", "ValueError")
    with pytest.warns(UserWarning, match=named):
        result = train(config, env=Sticks, quiet=True)
    with pytest.warns(UserWarning, match=named):
        record_run(result.run_dir, tmp_path / "film.gif", 0, env=Sticks, episodes=1)
    assert (tmp_path / "film.gif").stat().st_size > 0


def test_a_check_tells_its_findings_first():
    class Silent(Stays):
        def step(self, actions):
            observations, _, *rest = super().step(actions)
            return observations, 0.0, *rest

    with (
        warnings.catch_warnings(record=True) as found,
        pytest.raises(EnvError, match="close raised ValueError: of"),
    ):
        warnings.simplefilter("always")
        check_env(Silent())
    assert "the reward was always zero" in str(found[0].message)

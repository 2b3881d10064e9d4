"""Environments of a script, a notebook or a function reach worker processes; the script need not be importable."""

import multiprocessing.spawn as spawn
import os
import subprocess
import sys
import threading
import types
import warnings
from functools import partial

import gymnasium
import pytest
import worker_envs
from gymnasium.envs.registration import EnvSpec

import pyqmix
from pyqmix import Config, ConfigError, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.envs import FAMILIES
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout
from pyqmix.play.parcel import Parcel, unpack

COUNT = 4


class Made:
    """Makes environments where it is called, and where a method of it is called."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self):
        return self.kind()

    def make(self):
        return self.kind()


def loaded():
    """Return a module as an importer of the program's own leaves it."""
    module = sys.modules["loaded_by_hand"] = types.ModuleType("loaded_by_hand")
    exec(
        "import worker_envs\nclass Own(worker_envs.Walk):\n    max_steps = 9\ndef make():\n    return Own()\n",
        vars(module),
    )
    return module


def brought():
    """Return environments that a worker cannot import."""

    class Local(worker_envs.Walk):
        max_steps = 9

        def reset(self, **options):
            made.append(1)
            return super().reset(**options)

    made = []
    in_notebook = types.ModuleType("__main__")  # as a cell of a notebook leaves it
    exec(
        "class Cell(Walk):\n    max_steps = 9\n", vars(in_notebook) | {"Walk": worker_envs.Walk}, vars(in_notebook)
    )
    return {
        "a class of a function": Local,
        "a lambda": lambda: Local(),
        "a closure": lambda kind=Local: kind(),
        "a partial": partial(Local, marker=None),
        "an object": Made(Local),
        "a method": Made(Local).make,
        "a function of a module that no import finds": loaded().make,
        "a class of a notebook": in_notebook.Cell,
        "a function that makes a task": lambda: gymnasium.make("Walk-v0", disable_env_checker=True),
    }


@pytest.mark.parametrize("kind", brought())
def test_environments_of_the_program_travel(kind):
    config = Config(num_envs=2).with_own(env=brought()[kind])
    name = config.env
    parcel = Parcel.of(config)
    for table in (FAMILIES._entries, FAMILIES._brought):
        table.pop(name)  # as in a worker
    sys.modules.pop("loaded_by_hand", None)
    env, alone = unpack(parcel.packed).create_env(), worker_envs.Walk()
    first, _ = alone.reset(seed=5)
    assert env.reset(5).obs.tolist() == [each.tolist() for each in first]
    assert env.spec.episode_limit == 9


def played(config, num_workers):
    env = config.create_env()
    ring = EpisodeRing(env.spec, COUNT, shared=num_workers > 0)
    rollout = create_rollout(config, Learner(env.spec, config).agent, 0, Stream.ENVIRONMENT, 2, ring, num_workers)
    try:
        return rollout.play(0, COUNT, 0.5).returns.tolist()
    finally:
        rollout.close()


def test_a_task_that_the_program_has_registered_travels(monkeypatch):
    class Local(worker_envs.Walk):
        """A worker cannot import it."""

    lock = threading.Lock()
    task = EnvSpec("Local-v0", Local, max_episode_steps=9)
    monkeypatch.setitem(gymnasium.registry, "Local-v0", task)
    monkeypatch.setitem(gymnasium.registry, "Locked-v0", EnvSpec("Locked-v0", lambda: lock))
    config = Config(env="gymnasium", task="Local-v0", num_envs=2)
    assert played(config, 1) == played(config, 0)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>")  # otherwise a worker may find it there
    with pytest.raises(ConfigError, match=r"^env: Locked-v0 cannot be sent to worker processes: cannot pickle"):
        Parcel.of(config.replace(task="Locked-v0"))


def test_tasks_of_packages_do_not_travel_by_thousands(monkeypatch):
    for k in range(200):
        monkeypatch.setitem(gymnasium.registry, f"Many-v{k}", EnvSpec(f"Many-v{k}", "many.envs:Many"))
    monkeypatch.setitem(gymnasium.registry, "Few-v0", EnvSpec("Few-v0", "few.envs:Few"))
    packed = Parcel.of(Config(env="gymnasium", task="Few-v0")).packed
    assert b"Few-v0" in packed
    assert b"Many-v" not in packed
    assert b"CartPole" not in packed
    for name in ("Few-v0", "Walk-v0"):
        monkeypatch.delitem(gymnasium.registry, name)
    with warnings.catch_warnings():
        unpack(packed)
        warnings.simplefilter("error")
    assert gymnasium.registry["Few-v0"].entry_point == "few.envs:Few"


def test_other_environments_that_the_program_has_registered_travel():
    class Base(worker_envs.Walk):
        max_steps = 9

    pyqmix.register_env("parcel_base", Base)
    try:
        config = Config().with_own(env=lambda: pyqmix.make_env("parcel_base"))
        packed = Parcel.of(config).packed
        for name in ("parcel_base", config.env):
            for table in (FAMILIES._entries, FAMILIES._brought):
                table.pop(name)
        assert unpack(packed).create_env().reset(5).obs.shape == (2, 3)
    finally:
        for table in (FAMILIES._entries, FAMILIES._brought):
            table.pop("parcel_base", None)


SOURCES = {
    "if __name__ == '__main__':\n    pass\n": True,
    "if '__main__' == __name__:\n    pass\n": True,
    "import os\n": False,
    "def f():\n    if __name__ == '__main__':\n        pass\n": False,
    "this is no Python": False,
    "\0": False,
}


@pytest.mark.parametrize(("source", "guarded"), SOURCES.items(), ids=repr)
def test_the_main_script_is_imported_where_it_has_a_guard(monkeypatch, tmp_path, source, guarded):
    script = tmp_path / "script.py"
    script.write_text(source)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script))
    assert Parcel.of(Config(env="two_step")).imports_main is guarded
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "<stdin>")
    assert not Parcel.of(Config(env="two_step")).imports_main


def test_only_the_thread_that_starts_workers_leaves_the_main_script_out(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__)
    prepare, found = spawn.get_preparation_data, {}

    def look(key):
        found[key] = any(name.startswith("init_main") for name in spawn.get_preparation_data("x"))

    with Parcel(b"", imports_main=False).main_script():
        look("own")
        other = threading.Thread(target=look, args=["other"])
        other.start()
        other.join()
    assert found == {"own": False, "other": True}
    assert spawn.get_preparation_data is prepare


SCRIPT = """
import gymnasium, pyqmix, warnings
import worker_envs
warnings.simplefilter("ignore")
class Own(worker_envs.Walk):
    max_steps = 9
gymnasium.register("Own-v0", Own, max_episode_steps=9)
def run(k, **options):
    config = pyqmix.Config(num_envs=2, num_workers=2, run_dir=f"run{k}", total_steps=10, eval_episodes=2)
    result = pyqmix.train(config.replace(**options), quiet=True, env=None if options else Own)
    print(result.summary["eval_return_mean"])
"""
RUN = "run(1)\nrun(2, env='gymnasium', task='Own-v0')\n"
GUARDED = "if __name__ == '__main__':\n    run(1)\n    run(2, env='gymnasium', task='Own-v0')\n"
WAYS = {
    "a script without a guard": (SCRIPT + RUN, ["{script}"], ""),
    "a script with a guard": (SCRIPT + GUARDED, ["{script}"], ""),
    "standard input": ("", ["-"], SCRIPT + RUN),
    "an interactive session": ("", ["-i"], SCRIPT.replace("gymnasium.", "\ngymnasium.") + "\n" + RUN),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_whole_programs_train_in_workers(tmp_path, way):
    source, arguments, typed = WAYS[way]
    script = tmp_path / "script.py"
    script.write_text(source)
    path = {"PYTHONPATH": os.pathsep.join([os.path.dirname(worker_envs.__file__), str(tmp_path)])}
    ended = subprocess.run(
        [sys.executable, *(each.format(script=script) if "{script}" in each else each for each in arguments)],
        env=os.environ | path,
        input=typed,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.split()
    assert first == second

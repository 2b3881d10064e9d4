"""sys.exit inside an environment is an error of the environment, wherever it happens; Ctrl-C stays one."""

import gymnasium
import pytest
from worker_envs import Walk

from pyqmix import EnvError, train
from pyqmix.envs import check_env


class Exits(Walk):
    """Raises in one of its methods, from the second episode on."""

    def __init__(self, where, error="SystemExit"):
        super().__init__()
        self.where, self.error = (
            where,
            {"SystemExit": SystemExit(0), "KeyboardInterrupt": KeyboardInterrupt()}[error],
        )
        self.episodes = -2  # the adapter resets it once
        self.at("constructor")

    def reset(self, **options):
        self.episodes += 1
        self.at("reset")
        return super().reset(**options)

    def step(self, actions):
        self.at("step")
        return super().step(actions)

    def close(self):
        self.at("close")

    def at(self, where):
        if where == self.where and (self.episodes > 0 or where in ("constructor", "close")):
            raise self.error


gymnasium.register("Exits-v0", Exits, max_episode_steps=9)
PLACES = {
    "constructor": "its constructor raised SystemExit",
    "reset": "episode 1, step 0: reset raised SystemExit",
    "step": "episode 1, step 0: step raised SystemExit",
}


@pytest.mark.parametrize(("where", "what"), PLACES.items(), ids=PLACES)
def test_of_a_run(tiny_config, tmp_path, where, what):
    config = tiny_config(env="gymnasium", task="Exits-v0", run_dir=str(tmp_path / "run"), total_steps=20)
    with pytest.raises(EnvError, match=f"^environment Exits-v0.*{what}"):
        train(config.replace(env_args={"where": where}), quiet=True)


@pytest.mark.parametrize("where", ["reset", "step", "close"])
def test_of_check_env(where):
    with pytest.raises(EnvError, match="raised SystemExit: 0"):
        check_env(Exits(where), episode_limit=9)


def test_a_keyboard_interrupt_stays_one(tiny_config, tmp_path):
    config = tiny_config(env="gymnasium", task="Exits-v0", run_dir=str(tmp_path / "run"))
    with pytest.raises(KeyboardInterrupt):
        train(config.replace(env_args={"where": "step", "error": "KeyboardInterrupt"}), quiet=True)
    assert list((tmp_path / "run" / "checkpoints").iterdir())

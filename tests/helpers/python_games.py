"""The two-step game and matrix games in plain Python, which the native ones equal step for step."""

import numpy as np

from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import Point, Step


class PythonTwoStep:
    name = "two_step"
    spec = EpisodeSpec(2, 2, 3, 3, 2, obs_storage="uint8", state_storage="uint8")
    payoffs = (((7.0, 7.0), (7.0, 7.0)), ((0.0, 1.0), (1.0, 8.0)))

    def reset(self, seed):
        self.where = 0
        return self.point()

    def step(self, actions):
        if self.where == 0:
            self.where = 1 + int(actions[0])
            return Step(self.point(), 0.0, False, False)
        reward = self.payoffs[self.where - 1][actions[0]][actions[1]]
        self.where = None
        return Step(self.point(), reward, True, False)

    def close(self):
        pass

    def point(self):
        state = np.zeros(3, np.float32)
        if self.where is not None:
            state[self.where] = 1
        return Point(np.stack([state, state]), np.ones((2, 2), np.bool_), state)


class PythonMatrix:
    name = "matrix"

    def __init__(self, payoff):
        self.payoff = np.array(payoff, np.float64)
        sizes = self.payoff.shape
        self.avail = np.arange(max(sizes)) < np.array(sizes)[:, None]
        self.spec = EpisodeSpec(len(sizes), max(sizes), 1, 1, 1, obs_storage="uint8", state_storage="uint8")

    def reset(self, seed):
        return self.point(1.0)

    def step(self, actions):
        return Step(self.point(0.0), float(self.payoff[tuple(actions)]), True, False)

    def close(self):
        pass

    def point(self, value):
        obs = np.full((self.spec.n_agents, 1), value, np.float32)
        return Point(obs, self.avail, obs[0])

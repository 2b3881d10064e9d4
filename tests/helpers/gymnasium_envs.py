"""A small gymnasium environment of the tests' own: unequal sizes, masks, a state."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Uneven(gymnasium.Env):
    """Two agents with 2 and 3 numbers to see and 3 and 2 actions, the first numbered from 5.

    Args:
        offers: where the mask and the state are found: "info", "method", or "" for nowhere.
        length: steps to its termination.
        wins: how info tells a win, None for not at all.
    """

    def __init__(self, offers="", length=3, wins=None, extra=()):
        self.observation_space = spaces.Tuple(
            [spaces.Box(-16, 16, (2,), np.float32), spaces.Box(-1, 8, (3,), np.float32)]
        )
        self.action_space = spaces.Tuple([spaces.Discrete(3, start=5), spaces.Discrete(2)])
        self.length, self.wins, self.extra, self.steps = length, wins, dict(extra), 0
        self.taken, self.offers = [], offers
        if offers == "method":
            self.get_avail_actions = self._masks
            self.state = self._state

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self._observe(), self._info()

    def step(self, actions):
        assert actions in self.action_space
        self.steps += 1
        self.taken.append(actions)
        return self._observe(), [1.0, 3.0], self.steps == self.length, False, self._info()

    def _observe(self):
        return np.full(2, self.steps, np.float32), np.full(3, -self.steps, np.float32)

    def _masks(self):
        return [np.array([1, 0, self.steps % 2], np.int8), [0, 1]]

    def _state(self):
        return np.array([self.steps, 7], np.int16)

    def _info(self):
        info = dict(self.extra)
        if self.offers == "info":
            info.update(avail_actions=self._masks(), state=self._state())
        if self.wins and self.steps == self.length:
            info[self.wins] = True
        return info

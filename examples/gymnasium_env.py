"""An environment of your own in gymnasium's interface: one tuple entry for each agent, and action masks.

The command line trains it too, from the folder that holds examples/, here in two worker processes:

    pyqmix-train --env examples.gymnasium_env:Corridor --env-args '{"cells": 7}' --num-envs 4 --num-workers 2
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Tuple

import pyqmix

SHORT = pyqmix.Config(total_steps=20_000, eps_steps="50%", target_update=30, lr=2e-3, gamma=0.9)


class Corridor(gymnasium.Env):
    """Two agents swap the ends of a corridor one cell wide, which earns 1; one has to wait in the middle's bay."""

    def __init__(self, cells=5, max_steps=20):
        self.cells, self.middle, self.bay, self.max_steps = cells, cells // 2, cells, max_steps
        self.observation_space = Tuple([Box(0.0, 1.0, (2 * cells + 2,), np.float32)] * 2)
        self.action_space = Tuple([Discrete(4)] * 2)  # stay, left, right, bay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)  # seeds self.np_random
        self.places, self.steps = [0, self.cells - 1], 0
        return self.observe(), {"action_mask": self.masks()}

    def step(self, actions):
        before, self.steps = self.progress(), self.steps + 1
        for k in self.np_random.permutation(2):  # where both want one cell, chance decides
            way = self.ways(k)[actions[k]]
            self.places[k] = self.places[k] if way is None else way
        gain, over, info = self.progress() - before, self.steps >= self.max_steps, {"action_mask": self.masks()}
        return self.observe(), gain, self.progress() == 1, over, {**info, "won": self.progress() == 1}

    def observe(self):
        codes = np.eye(self.cells + 1, dtype=np.float32)[self.places]
        return codes.ravel(), codes[::-1].ravel()  # each sees itself first

    def masks(self):  # (2, 4) bool: the actions that lead to a cell where the other agent is not
        return np.array([[way is not None for way in self.ways(k)] for k in (0, 1)])

    def ways(self, k):
        place, row, bay = self.places[k], range(self.cells), {self.middle: self.bay, self.bay: self.middle}
        sides = [side if side in row and place in row else None for side in (place - 1, place + 1)]
        return [None if way == self.places[1 - k] else way for way in (place, *sides, bay.get(place))]

    def progress(self):
        first, second = (self.middle if place == self.bay else place for place in self.places)
        return (first + self.cells - 1 - second) / (2 * self.cells - 2)


def main():
    print(pyqmix.train(SHORT, env=Corridor, quiet=True).summary["eval_return_mean"])


if __name__ == "__main__":
    main()

"""An environment that tells who has won."""

import numpy as np

from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import Point, Step


class Duel:
    """Episodes of one or two steps; those of even seeds are won. Only the last step's ``won`` counts."""

    name = "duel"
    spec = EpisodeSpec(2, 2, 1, 1, 2)

    def __init__(self, tells=True):
        self.tells = tells

    def point(self):
        return Point(np.ones((2, 1), np.float32), np.ones((2, 2), np.bool_), np.ones(1, np.float32))

    def reset(self, seed):
        self.won, self.left = seed % 2 == 0, 1 + seed % 3 % 2
        return self.point()

    def step(self, actions):
        self.left -= 1
        ended = self.left == 0
        won = (self.won if ended else not self.won) if self.tells else None
        return Step(self.point(), 1.0, ended, False, won)

    def close(self):
        pass

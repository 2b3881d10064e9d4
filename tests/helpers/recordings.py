"""An environment that is drawn, a sink that keeps frames, and frames."""

import numpy as np

from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.protocol import Point, Step
from pyqmix.run.recording import EPISODES, Recording
from pyqmix.run.recording.cast import Cast
from pyqmix.run.recording.episodes import Moment
from pyqmix.run.recording.frames import Stage

CAST = Cast("game", ("0", "1"), ("stay", "go"), (), 4)


class Drawn:
    """Two agents, episodes of three steps of which the second pays; the picture tells the step."""

    name = "drawn"
    spec = EpisodeSpec(2, 2, 1, 2, 4, concat_state=True)
    action_names, agent_labels = ("stay", "go"), ("first", "second")

    def __init__(self, picture=None):
        self.steps, self.picture = 0, picture

    def point(self):
        return Point(np.full((2, 1), self.steps, np.float32), np.ones((2, 2), np.bool_), None)

    def reset(self, seed):
        self.steps, self.seed = 0, seed
        return self.point()

    def step(self, actions):
        self.steps += 1
        over = self.steps == 3
        return Step(self.point(), float(self.steps == 2), over, False, over and self.seed % 2 == 0)

    def render(self):
        return np.full((16, 16, 3), 40 * self.steps, np.uint8) if self.picture is None else self.picture

    def close(self):
        pass


class Frames:
    """A sink that keeps frames."""

    option = "frames"

    def __init__(self, most=10_000):
        self.frames, self.most = [], most

    @property
    def is_closed(self):
        return len(self.frames) >= self.most

    def add(self, frame):
        self.frames.append(frame)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def frames_of(run, episodes=EPISODES, seed=0):
    kept = Frames()
    Recording(run, seed, episodes=episodes).play([kept])
    return kept.frames


def frame(size=(40, 40), cast=CAST, **moment):
    stage = Stage(cast, "qmix", 3, size)
    return stage.frame(Moment(np.zeros((*size, 3), np.uint8), **{"episode": 0, **moment})).pixels


def acted(**changes):
    values = {"steps": 1, "actions": np.array([0, 1]), "values": np.array([0.5, -1.25], np.float32)}
    return {**values, "chose": np.array([True, True]), **changes}

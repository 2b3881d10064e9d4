"""Plays episodes of one environment and checks every point and step, for :func:`pyqmix.envs.check_env`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.errors import EnvError
from pyqmix.envs.contract import Contract
from pyqmix.envs.importing import described
from pyqmix.envs.protocol import Env, Point, Step

_ARRAYS = ("obs", "avail", "state")


@dataclass
class Record:
    """One episode of L steps: copies of what the environment has shown.

    Attributes:
        seed: of its reset.
        points: L + 1.
        actions: L, (n,) int64.
        steps: L; their points are the environment's own arrays.
    """

    seed: int
    points: list[Point] = field(default_factory=list)
    actions: list[NDArray[np.int64]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def signature(self) -> tuple[object, ...]:
        """Return what equal episodes have in common."""
        arrays = (array for point in self.points for array in point if array is not None)
        shown = [array.tobytes() for array in arrays]
        return *shown, *(step[1:] for step in self.steps)


class _Shown(NamedTuple):
    """A point as the environment gave it, and a copy of that moment."""

    t: int
    point: Point
    copy: Point


class Trial:
    """One environment on trial.

    Args:
        env: the environment.
    """

    def __init__(self, env: Env) -> None:
        self.env, self.contract = env, Contract(env.name, env.spec, getattr(env, "agent_labels", ()))
        self.episodes = 0
        self._shown: list[_Shown] = []

    def play(self, seed: int, random: np.random.Generator) -> Record:
        """Play an episode with random available actions.

        Raises:
            EnvError: the environment raised or broke its contract.
        """
        record = Record(seed, [self.reset(seed)])
        while not record.steps or not _is_last(record.steps[-1]):
            avail = record.points[-1].avail
            keys = np.where(avail, random.random(avail.shape), -1.0)
            record.actions.append(keys.argmax(-1).astype(np.int64))
            record.steps.append(self.step(record.actions[-1], len(record.steps)))
            record.points.append(self._shown[-1].copy)
        return record

    def replay(self, record: Record) -> str | None:
        """Play an episode again; return its first difference, None without one.

        Raises:
            EnvError: the environment raised or broke its contract.
        """
        self.reset(record.seed)
        if what := _difference(record.points[0], self._shown[-1].copy):
            return f"after reset, {what}"
        for t, (before, actions) in enumerate(zip(record.steps, record.actions, strict=True)):
            step = self.step(actions, t)
            what = _difference(record.points[t + 1], self._shown[-1].copy)
            for key in ("reward", "terminated", "truncated", "won"):
                was, now = getattr(before, key), getattr(step, key)
                what = what or (f"{key} was {was} and is {now}" if was != now else "")
            if what:
                return f"after step {t}, {what}"
        return None

    def reset(self, seed: int) -> Point:
        """Start an episode; return a copy of its first point."""
        self.episodes += 1
        try:
            point = self.env.reset(seed)
        except (Exception, SystemExit) as error:
            raise self._blame(f"reset raised {described(error)}", 0) from error
        self.contract.check_point(point, self.episodes - 1, 0)
        self._require_unchanged(self._shown, 0)
        self._shown = []
        return self._keep(point, 0)

    def step(self, actions: NDArray[np.int64], t: int) -> Step:
        """Take the t-th step of the episode."""
        given = actions.copy()
        try:
            step = self.env.step(given)
        except (Exception, SystemExit) as error:
            raise self._blame(f"step raised {described(error)}", t) from error
        self.contract.check_step(step, self.episodes - 1, t)
        if not np.array_equal(given, actions):
            raise self._blame("step has changed the array of actions that it was given", t)
        self._keep(step.point, t + 1)
        self._require_unchanged(self._shown[-2:], t)  # the next reset looks at all of the episode
        return step

    def _keep(self, point: Point, t: int) -> Point:
        self._require_storable(point, t)
        state = None if point.state is None else point.state.copy()
        copy = Point(point.obs.copy(), point.avail.copy(), state)
        self._shown.append(_Shown(t, point, copy))
        return copy

    def _require_unchanged(self, shown: Sequence[_Shown], step: int) -> None:
        """Refuse arrays that a later call has overwritten."""
        for t, point, copy in shown:
            for key in _ARRAYS:
                now, then = getattr(point, key), getattr(copy, key)
                if now is not None and not np.array_equal(now, then):
                    what = (
                        f"{key} of step {t} was overwritten by a later call: expected a new array for each point"
                    )
                    raise self._blame(what, step)

    def _require_storable(self, point: Point, t: int) -> None:
        spec = self.env.spec
        for key, dtype in (("obs", spec.obs_storage), ("state", spec.state_storage)):
            values = getattr(point, key)
            if values is None or dtype == "float32":
                continue
            bounds = np.iinfo(dtype)
            lossy = (values < bounds.min) | (values > bounds.max) | (values != np.floor(values))
            if lossy.any():
                where = np.argwhere(lossy)[0].tolist()
                agent = f" of agent {self.contract.labels[where[0]]}" if key == "obs" else ""
                value, storage = values[tuple(where)], f"{key}_storage {dtype}"
                what = f"{key}{agent}: entry {where[-1]} is {value}, which {storage} cannot hold exactly"
                raise self._blame(what, t)

    def _blame(self, what: str, step: int) -> EnvError:
        return self.contract.blame(what, self.episodes - 1, step)


def _is_last(step: Step) -> bool:
    return bool(step.terminated or step.truncated)


def _difference(was: Point, now: Point) -> str:
    """Name the first entry in which two points differ; empty if they are equal."""
    for key in _ARRAYS:
        one, other = getattr(was, key), getattr(now, key)
        if one is None or np.array_equal(one, other):
            continue
        where = np.argwhere(one != other)[0].tolist()
        agent = f" of agent {where[0]}" if key != "state" else ""
        return f"{key}{agent}, entry {where[-1]}, was {one[tuple(where)]} and is {other[tuple(where)]}"
    return ""

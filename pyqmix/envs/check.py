"""Checks an environment before training, as the checkers of Stable-Baselines3 and PettingZoo do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import require_int
from pyqmix.base.seeding import Stream, episode_seed
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.adapting import adapt
from pyqmix.envs.importing import blamed
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.protocol import Env
from pyqmix.envs.trial import Record, Trial

_REPLAYS = 4
_LONGEST_CYCLE = 6  # of an episode that is played again and again


def check_env(env: Any, episodes: int = 5, seed: int = 0, **options: Any) -> None:
    """Play episodes with random available actions, raise the first error and warn of what is suspicious.

    Errors are: a spec of another type; observations, masks or states whose shapes or dtypes differ from the
    spec, or that hold NaN or infinity; another number of agents; an agent without an available action before a
    step, or at a truncation; a reward that is no finite float32; an episode that goes on after
    ``episode_limit``; values that the spec's storage dtypes cannot hold; arrays that a later call overwrites; an
    episode that the same seed and actions do not reproduce; an exception of the environment, also in ``close``.

    What is legal but suspicious is a ``UserWarning``: a reward that is always zero, an action that is never
    available, inputs that never change, episodes that depend on earlier ones, a win that is reported for some
    episodes only, a step after the end that begins the next episode, and offers of an adapted environment that
    are not used.

    Args:
        env: an environment that :func:`pyqmix.envs.adapt` takes. It is closed at the end, also after an error.
        episodes: how many are played.
        seed: of the episodes and the actions.
        **options: of :class:`pyqmix.envs.AdapterOptions`, such as ``episode_limit``, for environments of other
            libraries.

    Raises:
        ConfigError: the environment cannot be adapted, or its spec is no EpisodeSpec.
        EnvError: every other error; the message names environment, episode and step, and the agent where there is
            one.
    """
    require_int("episodes", episodes, 1)
    require_int("seed", seed, 0)
    world = _adapted(env, options)
    try:
        found = list(_findings(world, episodes, seed))
    except BaseException:
        with suppress(Exception, SystemExit):
            world.close()
        raise
    try:
        for each in found:
            warnings.warn(f"environment {world.name}: {each}", UserWarning, stacklevel=2)
    finally:
        with blamed(world.name, "close"):
            world.close()


def _adapted(env: Any, options: dict[str, Any]) -> Env:
    if isinstance(env, type):
        raise ConfigError(f"env: expected an environment, got the class {env.__name__} itself")
    of_protocol = all(callable(getattr(env, name, None)) for name in ("reset", "step", "close"))
    foreign = isinstance(env, gymnasium.Env) or hasattr(env, "possible_agents") or hasattr(env, "get_env_info")
    if of_protocol and not foreign:
        spec, name = getattr(env, "spec", None), getattr(env, "name", None)
        if not isinstance(spec, EpisodeSpec):
            raise ConfigError(f"{type(env).__name__}.spec: expected a pyqmix.envs.EpisodeSpec, got {spec!r}")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{type(env).__name__}.name: expected a text that is not empty, got {name!r}")
    return adapt(env, AdapterOptions(**options))


def _findings(env: Env, episodes: int, seed: int) -> Iterator[str]:
    trial, random = Trial(env), np.random.default_rng(seed)
    wide = getattr(env, "wide_seeds", False)
    seeds = [episode_seed(seed, Stream.ENVIRONMENT, k, wide) for k in range(episodes)]
    records = [trial.play(each, random) for each in seeds]
    yield from getattr(env, "notes", ())
    yield from _suspicious(env, records)
    yield from _not_reproduced(trial, records)
    yield from _goes_on(trial, records[0])


def _suspicious(env: Env, records: Sequence[Record]) -> Iterator[str]:
    played = f"in {len(records)} episodes with random actions"
    steps = [step for record in records for step in record.steps]
    if not any(step.reward for step in steps):
        yield f"the reward was always zero {played}"
    chosen_from = [point for record in records for point in record.points[:-1]]
    never = ~np.any([point.avail for point in chosen_from], axis=0)
    common = np.flatnonzero(never.all(0)).tolist()
    if common:
        yield f"no agent ever had the actions {common} available {played}"
    for key, missing in (("obs", "observations"), ("state", "the state")):
        shown = [getattr(point, key) for record in records for point in record.points]
        if shown[0] is None or env.spec.episode_limit == 1:
            continue
        changed = np.any([values != shown[0] for values in shown], axis=0)
        if key == "state" and not changed.any():
            yield f"{missing} never changed {played}"
        if key == "obs" and not changed.any(-1).all():
            agents = np.flatnonzero(~changed.any(-1)).tolist()
            yield f"{missing} of agents {agents} never changed {played}"
    told = {record.steps[-1].won is None for record in records}
    if len(told) > 1:
        yield "won was told at the end of some episodes only, so that there is no win rate"


def _not_reproduced(trial: Trial, records: Sequence[Record]) -> Iterator[str]:
    replayed = ((k, record, trial.replay(record)) for k, record in enumerate(records[:_REPLAYS]))
    different = next((each for each in replayed if each[2] is not None), None)
    if different is None:
        return
    k, record, difference = different
    what = f"reset({record.seed}) and the same actions do not reproduce episode {k}: {difference}"
    if not _settles(trial, record.seed):
        raise trial.contract.blame(what, trial.episodes - 1)
    yield f"{what}; its repetitions are periodic, so an episode depends on those before"


def _settles(trial: Trial, seed: int) -> bool:
    """Whether an episode that is played again and again repeats itself: its history alone then makes it differ."""
    played = [trial.play(seed, np.random.default_rng(0)).signature() for _ in range(3 * _LONGEST_CYCLE)]
    last = range(-_LONGEST_CYCLE, 0)
    return any(all(played[k] == played[k - p] for k in last) for p in range(1, _LONGEST_CYCLE + 1))


def _goes_on(trial: Trial, record: Record) -> Iterator[str]:
    """Step once more after an end; an environment may refuse."""
    trial.play(record.seed, np.random.default_rng(0))
    with warnings.catch_warnings(), suppress(Exception, SystemExit):
        warnings.simplefilter("ignore")
        step = trial.env.step(record.actions[0].copy())
        if not (step.terminated or step.truncated):
            yield "a step after the end goes on: if step resets it, the last point is not the ended episode's"

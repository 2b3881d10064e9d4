"""Tells at a run's start the price of a user's networks, and doubts about them."""

from __future__ import annotations

import time
from typing import cast

from torch import nn

from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.envs import Env, NativeEnv
from pyqmix.envs.importing import closing
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.device import try_out
from pyqmix.learn.learner import Learner
from pyqmix.nn import AGENTS, Agent, make_agent
from pyqmix.nn.drawing import drawing
from pyqmix.nn.make import is_built_in
from pyqmix.nn.trial import monotony_note, reload_note
from pyqmix.play.create import create_rollout

_SECONDS = 0.2  # of each measurement
_ENVS = 32  # most environments that are played


def price_notes(config: Config, env: Env, learner: Learner) -> list[str]:
    """Say in at most one sentence what a run's networks cost that are not pyqmix's own.

    What falls back from the fused path is measured on this run's sizes, in about a second: training steps, and
    acting in a native environment, each against the nearest networks of pyqmix's own. The run's random streams and
    its networks stay as they are. VDN and IQL, which have no fused training step either, are not mentioned.

    Args:
        config: the run's options.
        env: one of its environments.
        learner: the run's.
    """
    own = list(_own(learner))
    if not own:
        return []
    nearest = {"agent": "gru" if learner.agent.recurrent else "mlp", "mixer": "qmix"}
    instead = {option: nearest[option] for option in own}
    reference = config.replace(**instead, **{f"{option}_args": None for option in own})
    others = Learner(env.spec, reference, learner.device)
    prices = []
    if type(others.step) is not AutogradStep:
        prices.append(_price_of_learning(config, reference, learner, own))
    if "agent" in own and isinstance(env, NativeEnv):
        prices.append(_price_of_acting(config, reference, learner.agent, others.agent))
    return ["; ".join(prices)] if prices else []


def doubts(config: Config, learner: Learner) -> list[str]:
    """Return sentences about a user's networks that a run may go wrong with.

    A mixer is not as monotone as it is taken to be, or an agent acts otherwise where it is made again.

    Args:
        config: the run's options.
        learner: the run's.
    """
    own, spec = _own(learner), learner.networks.spec
    found = []
    if "agent" in own:
        found.append(reload_note(f"agent {config.agent}", learner.agent, _made_again(spec), spec))
    if "mixer" in own:
        found.append(monotony_note(f"mixer {config.mixer}", own["mixer"], spec))
    return [each for each in found if each is not None]


def _own(learner: Learner) -> dict[str, nn.Module]:
    """Return the networks that are not pyqmix's own, by option."""
    networks = {"agent": cast(nn.Module, learner.agent), "mixer": cast(nn.Module, learner.mixer)}
    return {option: network for option, network in networks.items() if not is_built_in(network)}


def _made_again(spec: NetworkSpec) -> Agent:
    with drawing(0, AGENTS[spec.agent]):
        return make_agent(spec)


def _price_of_learning(config: Config, reference: Config, learner: Learner, own: list[str]) -> str:
    ours, theirs = (
        1e3 * try_out(each, learner.spec, learner.device, _SECONDS).seconds for each in (config, reference)
    )
    names = " and ".join(f"{option} {getattr(config, option)}" for option in own)
    instead = " and ".join(getattr(reference, option) for option in own)
    learn = "learn" if len(own) > 1 else "learns"
    return f"{names} {learn} by autograd: a training step takes {ours:.1f} ms, {theirs:.1f} ms with {instead}"


def _price_of_acting(config: Config, reference: Config, agent: Agent, other: Agent) -> str:
    ours, theirs = _steps_per_second(config, agent), _steps_per_second(reference, other)
    return f"agent {config.agent} acts by PyTorch: {ours:,.0f} steps/s, {theirs:,.0f} with {reference.agent}"


def _steps_per_second(config: Config, agent: Agent) -> float:
    """Measure how fast an agent plays episodes of a seed, which are not kept."""
    count = min(config.num_envs, _ENVS)
    rollout = create_rollout(config, agent, config.seed, Stream.EVALUATION, count)
    with closing(rollout, lambda line: None):  # the run tells it at its end
        rollout.play(0, 1, config.eps_start)
        steps, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < _SECONDS:
            steps += rollout.play(0, count, config.eps_start).steps
        return steps / seconds

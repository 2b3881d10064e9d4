"""Tries a user's network on small random batches when it is built: faults are named before a run begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from pyqmix.base.calling import blamed, shown
from pyqmix.base.errors import ConfigError
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.agent import Agent
from pyqmix.nn.copying import copied
from pyqmix.nn.mixers import Mixer, MonotoneMixer
from pyqmix.nn.qmixer import QMixer
from pyqmix.nn.user_agent import UserAgent
from pyqmix.nn.user_mixer import UserMixer

_ROWS = (4, 1)  # of a mixer's batches; one is where a squeeze without a dimension goes wrong
_CASES = 256  # of the check for monotony


def try_agent(option: str, agent: Agent, spec: NetworkSpec) -> None:
    """Let an agent network act and unroll three episodes, of which two have a second step.

    Observations lie between 0 and 1.

    Args:
        option: names it in messages.
        agent: the network, in evaluation mode.
        spec: the sizes.

    Raises:
        ConfigError: it raises, its values or its hidden state have the wrong shape or dtype, its values are not
            finite, acting and unrolling disagree, or it cannot be trained or saved.
    """
    require_trainable(option, agent)
    if next(agent.parameters(), None) is None:
        raise ConfigError(f"{option}: expected a module with parameters, as there is nothing to learn in it")
    counts = torch.tensor([3, 2])
    obs = torch.rand(5, spec.n_agents, spec.obs_dim, generator=_seeded(), dtype=torch.float32)
    with torch.no_grad():
        hidden = _initial_hidden(option, agent, 3)
        first, following = _act(option, agent, obs[:3], hidden, spec.n_actions)
        second, _ = _act(option, agent, obs[3:], None if following is None else following[:2], spec.n_actions)
        _act(option, agent, obs[:1], _initial_hidden(option, agent, 1), spec.n_actions)
    values = _unroll(option, agent, obs, counts, spec.n_actions)
    difference = float((torch.cat([first, second]) - values).abs().max())
    if difference > 1e-3 * float(1 + values.abs().max()):
        raise ConfigError(
            f"{option}: unroll: expected the values that acting gives, step by step, got some that differ by "
            f"{difference:.3g}"
        )


def try_mixer(option: str, mixer: nn.Module, spec: NetworkSpec) -> None:
    """Let a mixer compute values, a target and a loss of random values and of states between 0 and 1.

    Args:
        option: names it in messages.
        mixer: satisfies :class:`pyqmix.nn.Mixer`; in evaluation mode.
        spec: the sizes.

    Raises:
        ConfigError: it raises, a result has the wrong shape or dtype or is not finite, or it cannot be trained or
            saved; or it declares that it is not monotone, but not how its target is maximised.
    """
    if getattr(getattr(mixer, "net", mixer), "monotone", True) is False and takes_own_maxima(mixer):
        raise ConfigError(
            f"{option}: expected a method td_target, or batch_loss and batch_targets, because it declares "
            "monotone = False: the maximum over joint actions is then not each agent's own maximum"
        )
    require_trainable(option, mixer)
    random = _seeded()
    for rows in _ROWS:
        _try_rows(option, mixer, spec, rows, random)


def monotony_note(option: str, mixer: nn.Module, spec: NetworkSpec) -> str | None:
    """Check on random values and states whether a mixer that is used as a monotone one is so.

    Args:
        option: names it in the note.
        mixer: satisfies :class:`pyqmix.nn.Mixer`; on any device.
        spec: the sizes.

    Returns:
        A sentence with the numbers; None if it is monotone there, or has a target of its own.
    """
    if not takes_own_maxima(mixer):
        return None
    random = _seeded()
    like = next(mixer.parameters(), torch.zeros((), dtype=torch.float32))
    agent_qs = torch.randn(_CASES, spec.n_agents, generator=random, dtype=torch.float32).to(like).requires_grad_()
    states = torch.randn(_CASES, spec.state_dim, generator=random, dtype=torch.float32).to(like)
    try:
        slopes = torch.autograd.grad(mixer(agent_qs, states).sum(), agent_qs)[0]
    except (RuntimeError, IndexError):  # one that reads states as whole numbers, say
        return None
    lowest = float(slopes.min())
    negative = int((slopes < -1e-6 * slopes.abs().max()).any(-1).sum())
    if negative == 0:
        return None
    return (
        f"{option}: dq_tot/dq_i was negative in {negative} of {_CASES} random cases, as low as {lowest:.2g}: its "
        "target, each agent's own maximum, is then not the maximum over joint actions; a mixer that is not "
        "monotone defines td_target, or batch_loss and batch_targets"
    )


def reload_note(option: str, agent: Agent, again: Agent, spec: NetworkSpec) -> str | None:
    """Check whether an agent network gives the same values where it is made again and given the same weights.

    Args:
        option: names it in the note.
        agent: the network; on any device.
        again: the same, made with other random numbers; it gets the weights.
        spec: the sizes.

    Returns:
        A sentence with the difference; None if there is none.
    """
    ActorWeights.of(agent).load_into(again)
    obs = torch.rand(3, spec.n_agents, spec.obs_dim, generator=_seeded(), dtype=torch.float32)
    here = copied(agent).to("cpu", torch.float32)
    with torch.no_grad():
        values, others = (net.act(obs, net.initial_hidden(3))[0] for net in (here, again))
    difference = float((values - others).abs().max())
    if difference <= 1e-3 * float(1 + values.abs().max()):
        return None
    return (
        f"{option}: made again, with the same weights, it gives values that differ by {difference:.3g}: worker "
        "processes and saved runs act otherwise than the learner; a constructor registers what it draws at random "
        "as parameters or buffers"
    )


def takes_own_maxima(mixer: nn.Module) -> bool:
    """Whether a mixer's target is the value of each agent's own maximum."""
    if isinstance(mixer, UserMixer):
        return not mixer.own_target
    return getattr(type(mixer), "td_target", None) in (MonotoneMixer.td_target, QMixer.td_target)


def require_trainable(option: str, module: nn.Module) -> None:
    """Require parameters that share one block, and a ``state_dict`` that a checkpoint can hold.

    Raises:
        ConfigError: a parameter is not float32, or an entry is no tensor.
    """
    for name, parameter in module.named_parameters():
        if parameter.dtype != torch.float32:
            raise ConfigError(f"{option}: expected parameters of dtype float32, got {name}: {_dtype(parameter)}")
    for name, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"{option}: expected tensors alone in its state_dict, for checkpoints, got {name}: {shown(value)}"
            )


def _unroll(option: str, agent: Agent, obs: Tensor, counts: Tensor, n_actions: int) -> Tensor:
    with blamed(option, f"unroll(obs {tuple(obs.shape)}, batch_sizes {counts.tolist()})"):
        values = agent.unroll(obs, counts)
    _require_values(option, "unroll", values, (*obs.shape[:2], n_actions))
    if any(p.requires_grad for p in agent.parameters()) and not values.requires_grad:
        raise ConfigError(f"{option}: unroll: expected values that depend on parameters by differentiable steps")
    return values.detach()


def _initial_hidden(option: str, agent: Agent, episodes: int) -> Tensor | None:
    with blamed(option, f"initial_hidden({episodes})"):
        return agent.initial_hidden(episodes)


def _act(
    option: str, agent: Agent, obs: Tensor, hidden: Tensor | None, n_actions: int
) -> tuple[Tensor, Tensor | None]:
    method = "forward" if isinstance(agent, UserAgent) else "act"
    read = tuple(agent.read(obs).shape) if method == "forward" else tuple(obs.shape)
    given = f"obs {read}, hidden {None if hidden is None else tuple(hidden.shape)}"
    with blamed(option, f"{method}({given})"):
        values, following = agent.act(obs, hidden)
    _require_values(option, method, values, (*obs.shape[:2], n_actions))
    shapes = [None if x is None else tuple(x.shape) for x in (hidden, following)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"{option}: {method}: expected a hidden state of the shape that it got, {shapes[0]}, got {shapes[1]}"
        )
    return values, following


def _try_rows(option: str, module: nn.Module, spec: NetworkSpec, rows: int, random: torch.Generator) -> None:
    mixer = cast(Mixer, module)
    agent_qs = torch.randn(rows, spec.n_agents, generator=random, dtype=torch.float32).requires_grad_()
    next_qs = torch.randn(rows, spec.n_agents, spec.n_actions, generator=random, dtype=torch.float32)
    states, next_states = torch.rand(2, rows, spec.state_dim, generator=random, dtype=torch.float32)
    rewards, ended = torch.ones(rows, dtype=torch.float32), torch.zeros(rows, dtype=torch.bool)
    avail = torch.ones(next_qs.shape, dtype=torch.bool)
    given = f"agent_qs {tuple(agent_qs.shape)}, states {tuple(states.shape)}"
    with blamed(option, f"forward({given})"):
        values = mixer(agent_qs, states)
    of_agents = (rows, spec.n_agents)
    expected = of_agents if isinstance(values, Tensor) and values.shape == of_agents else (rows,)
    _require_values(option, f"forward({given})", values, expected)
    with blamed(option, f"td_target(next_qs {tuple(next_qs.shape)}, ...)"):
        targets = mixer.td_target(next_qs, avail, rewards, ended, 0.9, next_states, next_qs)
    _require_values(option, "td_target", targets, expected)
    weights = torch.full((rows,), 1 / rows, dtype=torch.float32)
    with blamed(option, f"loss({given}, targets {tuple(targets.shape)}, weights ({rows},))"):
        loss, of_loss = mixer.loss(agent_qs, states, targets.detach(), weights)
    _require_values(option, "loss", loss, ())
    _require_values(option, "the values of loss", of_loss, expected)
    slopes = torch.autograd.grad(loss, agent_qs, allow_unused=True)[0] if loss.requires_grad else None
    if slopes is None:
        raise ConfigError(f"{option}: loss: expected one that depends on agent_qs by differentiable steps")


def _require_values(option: str, call: str, values: Any, expected: Sequence[int]) -> None:
    if not isinstance(values, Tensor) or values.shape != tuple(expected) or values.dtype != torch.float32:
        got = f"{tuple(values.shape)} {_dtype(values)}" if isinstance(values, Tensor) else shown(values)
        raise ConfigError(f"{option}: {call}: expected {tuple(expected)} float32, got {got}")
    if not values.isfinite().all():
        odd = values.detach()[~values.isfinite()].flatten()[0]
        raise ConfigError(f"{option}: {call}: expected finite values, got {float(odd)}")


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)

"""The slow truth: the same operations in plain PyTorch, with the same signatures.

They run on every device, and every dtype for which PyTorch has the parts, and do not check shapes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pyqmix.base.network_spec import NetworkSpec
from pyqmix.ops.eager import has_values
from pyqmix.ops.errors import NoAvailableActionError


def mlp(features: Tensor, parameters: Sequence[Tensor], one_hot: int = 0, final_relu: bool = False) -> Tensor:
    """Compute linear layers with a ReLU between each two of them; see :func:`pyqmix.ops.mlp`."""
    hidden = features
    if one_hot > 0:
        rows = torch.arange(features.shape[0], device=features.device) % one_hot
        ids = torch.eye(one_hot, dtype=features.dtype, device=features.device)[rows]
        ids = ids.view(-1, *[1] * (features.dim() - 2), one_hot)
        hidden = torch.cat([features, ids.expand(*features.shape[:-1], one_hot)], -1)
    for k, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        hidden = hidden.relu() if k > 0 else hidden
        if weight.dim() == 2:
            hidden = F.linear(hidden, weight, bias)
        else:
            hidden = (hidden.unsqueeze(-2) @ weight.mT).squeeze(-2) + bias
    return hidden.relu() if final_relu else hidden


def linear(inputs: Tensor, weight: Tensor, bias: Tensor, relu: bool | int = False) -> Tensor:
    """Apply a linear layer and, if asked, a ReLU; see :func:`pyqmix.ops.linear`."""
    outputs = F.linear(inputs, weight, bias) if bias.dim() == 1 else F.linear(inputs, weight) + bias
    columns = weight.shape[0] * int(relu) if isinstance(relu, bool) else relu
    if columns in (0, weight.shape[0]):
        return outputs.relu() if columns else outputs
    return torch.cat([outputs[..., :columns].relu(), outputs[..., columns:]], -1)


def mix(agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> Tensor:
    """Mix the agents' values into the team's value; see :func:`pyqmix.ops.mix`."""
    n_agents, embed_dim = agent_qs.shape[-1], b1.shape[-1]
    weights = w1.abs().unflatten(-1, (n_agents, embed_dim))
    hidden = F.elu((agent_qs.unsqueeze(-2) @ weights).squeeze(-2) + b1)
    return (hidden * w_final.abs()).sum(-1) + v


def qmixer(agent_qs: Tensor, states: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Mix the agents' values under the states; see :func:`pyqmix.ops.qmixer`."""
    return mix(agent_qs, *hypernetworks(states, parameters))


def qmixer_loss(
    agent_qs: Tensor, states: Tensor, parameters: Sequence[Tensor], targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the weighted squared error of q_tot, and q_tot; see :func:`pyqmix.ops.qmixer_loss`."""
    q_tot = qmixer(agent_qs, states, parameters)
    return (weights.detach() * (targets.detach() - q_tot).square()).sum(), q_tot.detach()


def gru(
    features: Tensor,
    batch_sizes: Tensor | Sequence[int],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> Tensor:
    """Compute all hidden states of packed sequences; see :func:`pyqmix.ops.gru`."""
    if features.dim() == 2:
        parameters = (p.unsqueeze(0) for p in (weight_ih, weight_hh, bias_ih, bias_hh))
        return gru(features.unsqueeze(1), batch_sizes, *parameters).squeeze(1)
    of_inputs = torch.baddbmm(bias_ih.unsqueeze(1), features.transpose(0, 1), weight_ih.mT)  # (G, R, 3*H)
    sizes: list[int] = batch_sizes.tolist() if isinstance(batch_sizes, Tensor) else list(batch_sizes)
    hidden = features.new_zeros(features.shape[1], sizes[0] if sizes else 0, weight_hh.shape[-1])
    states = [hidden[:, :0]]
    for step in of_inputs.split(sizes, 1):
        hidden = hidden[:, : step.shape[1]]
        hidden = gru_step(step, hidden, weight_hh, bias_hh)
        states.append(hidden)
    return torch.cat(states, 1).transpose(0, 1)


def gru_step(of_inputs: Tensor, hidden: Tensor, weight_hh: Tensor, bias_hh: Tensor) -> Tensor:
    """Advance hidden (G, K, H) by a step; ``of_inputs`` (G, K, 3*H) is the inputs' part of the gates' sums."""
    of_hidden = torch.baddbmm(bias_hh.unsqueeze(1), hidden, weight_hh.mT)
    (reset_i, update_i, new_i), (reset_h, update_h, new_h) = of_inputs.chunk(3, -1), of_hidden.chunk(3, -1)
    reset, update = torch.sigmoid(reset_i + reset_h), torch.sigmoid(update_i + update_h)
    candidate = torch.tanh(new_i + reset * new_h)
    return (1 - update) * candidate + update * hidden


def pack_episodes(
    lengths: Sequence[int], points: Sequence[Tensor], next_points: Sequence[Tensor], steps: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor, Tensor, Tensor, Tensor]:
    """Lay padded episodes out without their padding, time-major; see :func:`pyqmix.ops.pack_episodes`."""
    device = steps[0].device
    order = sorted(range(len(lengths)), key=lambda k: -lengths[k])
    indices = [(k, t) for t in range(max(lengths) + 1) for k in order if t <= lengths[k]]
    place_of = {index: row for row, index in enumerate(indices)}
    of_steps = [(k, t) for k, t in indices if t < lengths[k]]
    counts = [sum(t <= length for length in lengths) for t in range(steps[0].shape[1] + 1)]

    def rows(tensors: Sequence[Tensor], at: list[tuple[int, int]]) -> list[Tensor]:
        episodes, times = torch.tensor(at, device=device).unbind(1)
        return [x[episodes, times] for x in tensors]

    now = [place_of[index] for index in of_steps]
    episodes, times = torch.tensor(of_steps, device=device).unbind(1)
    return (
        rows(points, indices),
        rows(next_points, [(k, t + 1) for k, t in of_steps]),
        rows(steps, of_steps),
        torch.tensor(counts, device=device),
        torch.tensor(now, device=device),
        episodes,
        times,
    )


def pad_episodes(
    lengths: Tensor, points: Sequence[Tensor], next_points: Sequence[Tensor], steps: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
    """Lay padded episodes out time-major with zeros for padding; see :func:`pyqmix.ops.pad_episodes`."""
    time = torch.arange(steps[0].shape[1] + 1, device=lengths.device).unsqueeze(1)
    is_point, is_step = time <= lengths, time[:-1] < lengths  # (T+1, B), (T, B)

    def rows(values: Tensor, kept: Tensor) -> Tensor:
        turned = values.transpose(0, 1)
        return turned.masked_fill(~kept.view(*kept.shape, *[1] * (turned.dim() - 2)), 0).flatten(0, 1)

    return (
        [rows(x, is_point) for x in points],
        [rows(x[:, 1:], is_step) for x in next_points],
        [rows(x, is_step) for x in steps],
        is_step.flatten(),
    )


@torch.no_grad()
def adam(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: int | Tensor,
    lr: float | Tensor,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    *,
    max_norm: float,
) -> Tensor:
    """Clip a gradient and take a step of Adam, in place; see :func:`pyqmix.ops.adam`."""
    norm: Tensor = torch.linalg.vector_norm(gradient)
    gradient *= (max_norm / (norm + 1e-6)).clamp(max=1.0)
    exp_avg.lerp_(gradient, 1 - betas[0])
    exp_avg_sq.lerp_(gradient.square(), 1 - betas[1])
    mean, mean_square = exp_avg / (1 - betas[0] ** step), exp_avg_sq / (1 - betas[1] ** step)
    parameters -= lr * mean / (mean_square.sqrt() + eps)
    return norm


def greedy_next_qs(
    next_qs: Tensor, avail: Tensor, terminated: Tensor, online_next_qs: Tensor | None = None
) -> Tensor:
    """Take each agent's value of its greedy available action.

    Args:
        next_qs: (..., n, A), values by the target network at the next observation.
        avail: (..., n, A) bool, the actions available there.
        terminated: (...) bool; the agents of a terminated step get 0, whatever the rest holds.
        online_next_qs: (..., n, A), values that choose the action (double-Q); None: next_qs chooses.

    Returns:
        (..., n), of next_qs' dtype.

    Raises:
        NoAvailableActionError: an agent of a step that is not terminated has no available action. Where values
            cannot be read, as under ``torch.vmap``, its value is NaN.
    """
    none_available = has_no_action(avail, terminated)
    if not has_values(none_available):
        return choose_next_qs(next_qs, avail, terminated, online_next_qs).masked_fill(none_available, torch.nan)
    if bool(none_available.any()):
        *index, agent = (int(i) for i in none_available.nonzero()[0])
        raise NoAvailableActionError(tuple(index), agent)
    return choose_next_qs(next_qs, avail, terminated, online_next_qs)


def has_no_action(avail: Tensor, terminated: Tensor) -> Tensor:
    """Tell which agents (..., n) of steps that are not terminated have no available action."""
    return ~avail.any(-1) & ~terminated.unsqueeze(-1)


def choose_next_qs(next_qs: Tensor, avail: Tensor, terminated: Tensor, online_next_qs: Tensor | None) -> Tensor:
    """Compute :func:`greedy_next_qs` without its check: some value of an agent that has no available action."""
    choosing = next_qs if online_next_qs is None else online_next_qs
    finite = choosing.clamp(min=torch.finfo(choosing.dtype).min)  # an available -inf still wins
    lowest = torch.full_like(choosing, -torch.inf)
    actions = torch.where(avail, finite, lowest).argmax(-1, keepdim=True)
    chosen = next_qs.gather(-1, actions).squeeze(-1)
    return torch.where(terminated.unsqueeze(-1), torch.zeros_like(chosen), chosen)


@torch.no_grad()
def td_target(
    next_qs: Tensor,
    avail: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    gamma: float,
    w1: Tensor,
    b1: Tensor,
    w_final: Tensor,
    v: Tensor,
    online_next_qs: Tensor | None = None,
) -> Tensor:
    """Compute the one-step target; see :func:`pyqmix.ops.td_target`."""
    chosen = greedy_next_qs(next_qs, avail, terminated, online_next_qs)
    bootstrapped = rewards + gamma * mix(chosen, w1, b1, w_final, v)
    return torch.where(terminated, rewards, bootstrapped)


def hypernetworks(states: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Map states (..., S) to w1 (..., n*E), b1 (..., E), w_final (..., E) and v (...).

    The parameters stand in the order of ``QMixer.parameters()``, see :func:`pyqmix.ops.qmixer`.
    """
    layers = 4 if len(parameters) == 14 else 2  # tensors of a hypernetwork
    w1, b1 = parameters[:layers], parameters[layers : layers + 2]
    w_final, value = parameters[layers + 2 : 2 * layers + 2], parameters[2 * layers + 2 :]
    return mlp(states, w1), mlp(states, b1), mlp(states, w_final), mlp(states, value).squeeze(-1)


def qmix_gradients(
    spec: NetworkSpec,
    parameters: Tensor,
    target_parameters: Tensor,
    obs: Tensor,
    states: Tensor,
    now: Tensor,
    next_avail: Tensor,
    actions: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    weights: Tensor,
    gamma: float,
    double_q: bool = False,
    *,
    point_counts: Tensor | None = None,
    out: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute a training step's loss and gradient; see :func:`pyqmix.ops.qmix_gradients`."""

    def cut(block: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        agent, mixer = spec.agent_parameters(), spec.mixer_parameters()
        parts = block.split([math.prod(size) for size in (*agent, *mixer)])
        views = [part.view(size) for part, size in zip(parts, (*agent, *mixer), strict=True)]
        return views[: len(agent)], views[len(agent) :]

    def values(agent: Sequence[Tensor]) -> Tensor:
        """Values (P, n, A): of rows of one network, or of rows of all agents' networks."""
        share, n_agents = spec.share_parameters, spec.n_agents
        rows, one_hot = obs.flatten(0, 1) if share else obs, n_agents if share and spec.agent_id else 0
        if spec.agent == "gru":
            assert point_counts is not None
            counts = point_counts * n_agents if share else point_counts
            hidden = gru(mlp(rows, agent[:2], one_hot).relu(), counts, *agent[2:6])
            return mlp(hidden, agent[6:]).view(*obs.shape[:2], -1)
        return mlp(rows, agent, one_hot).view(*obs.shape[:2], -1)

    steps = len(now)
    block = parameters.detach().clone().requires_grad_()
    with torch.enable_grad():
        agent, mixer = cut(block)
        target_agent, target_mixer = cut(target_parameters.detach())
        qs = values(agent)
        targets = td_target(
            values(target_agent)[-steps:],
            next_avail,
            rewards,
            terminated,
            gamma,
            *hypernetworks(states[-steps:], target_mixer),
            qs[-steps:] if double_q else None,
        )
        chosen = qs[now].gather(-1, actions.unsqueeze(-1)).squeeze(-1)
        q_tot = mix(chosen, *hypernetworks(states[now], mixer))
        loss = (weights * (targets - q_tot).square()).sum()
    (gradient,) = torch.autograd.grad(loss, block)
    out.copy_(gradient)
    return loss.detach(), q_tot.detach(), targets

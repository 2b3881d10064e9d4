"""A whole training step of QMIX: loss and gradients in one call of the extension."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.base.network_spec import NetworkSpec, native_network_spec
from pyqmix.ops import reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, readable
from pyqmix.ops.eager import is_plain
from pyqmix.ops.errors import NoAvailableActionError
from pyqmix.ops.gru import check_batch_sizes


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
    """Compute the loss of N steps and its gradient with respect to every parameter; on the CPU.

    The steps are those of several episodes with P points in time, laid out as
    :class:`pyqmix.learn.rows.StepRows` has them: the last N points are the steps' o', s'.

    Args:
        spec: the networks: agents of the kind ``mlp`` or ``gru``, and the mixer ``qmix``.
        parameters: (K,) float32 or float64, the online networks': each parameter behind the other, first the agent
            network's (weight and bias of each layer; of a recurrent one weight_ih, weight_hh, bias_ih, bias_hh, as
            :func:`pyqmix.ops.gru` has them), then the mixing network's in the order of ``QMixer.parameters()``.
        target_parameters: (K,), the target networks'.
        obs: (P, n, O), the observations.
        states: (P, S), the global states.
        now: (N,) int64, the point of each step's o, s.
        next_avail: (N, n, A) bool, the actions available at o'.
        actions: (N, n) int64, the actions taken.
        rewards: (N,), the team's rewards.
        terminated: (N,) bool, True where the environment ended by itself.
        weights: (N,), each step's weight in the loss.
        gamma: the discount.
        double_q: whether the online network chooses the target's actions.
        point_counts: (T,) int64, the number of episodes that have a point at each time: positive and never rising,
            with a sum of P. Recurrent agents alone need it.
        out: (K,), the gradient, written.

    Returns:
        The loss, the sum of ``weights * (targets - q_tot)**2``, a scalar; q_tot (N,); and the targets (N,).

    Raises:
        TypeError: an argument is no tensor or of the wrong dtype.
        ValueError: a shape or device does not fit, there is no step, an action or point does not exist, the points
            of recurrent agents are not counted, or the networks are of another kind.
        NoAvailableActionError: an agent of a step that is not terminated has no available action at o'.

    Source: Rashid et al., arXiv:1803.11485, equation 6; double-Q: van Hasselt et al., arXiv:1509.06461.
    """
    check_floating("obs", obs, 3, "(P, n, O)")
    points, steps = obs.shape[0], now.shape[0] if isinstance(now, Tensor) and now.dim() == 1 else -1
    dtype, device = obs.dtype, torch.device("cpu")
    if not 0 < steps <= points:
        raise ValueError(f"now: expected (N,) of 1 to {points} steps, got {steps if steps >= 0 else now}")
    if spec.mixer != "qmix":
        raise ValueError(f"spec.mixer: expected qmix, got {spec.mixer!r}")
    recurrent = spec.agent == "gru"
    if recurrent and len(spec.sizes) != 3:
        raise ValueError(f"spec.sizes: expected those of three layers where one is recurrent, got {spec.sizes}")
    counts = check_batch_sizes("point_counts", point_counts, points) if recurrent else []
    networks = native_network_spec(spec)
    agents, size = (steps, spec.n_agents), networks.parameters
    check_tensor("obs", obs, (points, spec.n_agents, spec.obs_dim), dtype, device)
    check_tensor("states", states, (points, spec.state_dim), dtype, device)
    check_tensor("now", now, (steps,), torch.int64, device)
    check_tensor("next_avail", next_avail, (*agents, spec.n_actions), torch.bool, device)
    check_tensor("actions", actions, agents, torch.int64, device)
    check_tensor("terminated", terminated, (steps,), torch.bool, device)
    for name, row in (("rewards", rewards), ("weights", weights)):
        check_tensor(name, row, (steps,), dtype, device)
    blocks = {"parameters": parameters, "target_parameters": target_parameters, "out": out}
    for name, block in blocks.items():
        check_tensor(name, block, (size,), dtype, device)
    tensors = (obs, states, now, next_avail, actions, rewards, terminated, weights)
    if not is_plain(*tensors, *blocks.values()):
        data = (parameters, target_parameters, *tensors)
        return reference.qmix_gradients(spec, *data, gamma, double_q, point_counts=point_counts, out=out)
    if not out.is_contiguous():
        raise ValueError(f"out: expected contiguous memory, got strides {out.stride()}")
    q_tot, targets = torch.empty(2, steps, dtype=dtype, device=device)
    loss, unavailable = _C.qmix_gradients_cpu(
        networks,
        point_counts=counts,
        obs=readable(obs),
        states=as_rows(states, points, spec.state_dim),
        now=readable(now),
        next_avail=readable(next_avail),
        actions=readable(actions),
        rewards=readable(rewards),
        terminated=readable(terminated),
        weights=readable(weights),
        online=readable(parameters),
        target=readable(target_parameters),
        gamma=float(gamma),
        double_q=double_q,
        gradients=out,
        q_tot=q_tot,
        targets=targets,
        threads=kernel_threads(),
    )
    if unavailable >= 0:
        step, agent = divmod(unavailable, spec.n_agents)
        raise NoAvailableActionError((step,), agent)
    return torch.tensor(loss, dtype=dtype, device=device), q_tot, targets

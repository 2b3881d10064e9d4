"""The losses of the methods straight from the papers' equations: one episode, one step, one agent at a time."""

from typing import NamedTuple

import torch
from plain_learner import plain_mix, plain_target, plain_values
from random_episodes import A, N

from pyqmix.methods import CWQMIX, OWQMIX, QPLEX, QTRANBase


class Point(NamedTuple):
    """A point in time of an episode: `qs` [i] (A,) are the agents' values, `central` [i] the central agents'."""

    state: torch.Tensor
    obs: torch.Tensor
    avail: torch.Tensor
    qs: list
    central: list | None


def points_of(agent, mixer, batch, b):
    observations = batch.obs[b, : int(batch.lengths[b]) + 1]
    qs = plain_values(agent, observations)
    central = [None] * len(qs)
    if isinstance(mixer, (CWQMIX, OWQMIX)):
        central = plain_values(mixer.central_agent, observations)
    return [
        Point(batch.states[b, t], observations[t], batch.avail[b, t], qs[t], central[t]) for t in range(len(qs))
    ]


def greedy(qs, avail):
    """The available action of the highest value, agent by agent."""
    return [max((a for a in range(A) if avail[i, a]), key=lambda a, q=qs[i]: q[a].item()) for i in range(N)]


def feed(layers, x):
    """Linear layers with ReLU between them, unit by unit."""
    linear = [layer for layer in layers if hasattr(layer, "weight")]
    for k, layer in enumerate(linear):
        x = torch.stack([layer.weight[u] @ x + layer.bias[u] for u in range(len(layer.bias))])
        if k < len(linear) - 1:
            x = torch.where(x > 0, x, 0 * x)
    return x


def with_actions(state, actions):
    hot = [float(actions[i] == a) for i in range(N) for a in range(A)]
    return torch.cat([state, torch.tensor(hot, dtype=state.dtype)])


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def qplex(mixer, point, actions):
    scale = [abs(w) for w in feed(mixer.transform_w, point.state)]
    shift = feed(mixer.transform_b, point.state)
    best = greedy(point.qs, point.avail) if point.avail.any(-1).all() else actions
    keys, of_agents = feed(mixer.keys, point.state), feed(mixer.of_agents, point.state)
    of_actions = feed(mixer.of_actions, with_actions(point.state, actions))
    total = 0.0
    for i in range(N):
        q = scale[i] * point.qs[i][actions[i]] + shift[i]
        v = scale[i] * point.qs[i][best[i]] + shift[i]
        weight = 0.0
        for k in range(mixer.n_heads):
            weight = weight + abs(keys[k]) * sigmoid(of_agents[k * N + i]) * sigmoid(of_actions[k * N + i])
        total = total + q + (weight - 1) * (q - v).detach()
    return total


def qatten(mixer, point, actions):
    queries, weights = feed(mixer.queries, point.state), feed(mixer.head_weights, point.state)
    embed, total = mixer.embed_dim, feed(mixer.constant, point.state)[0]
    for h in range(mixer.n_heads):
        query = queries[h * embed : (h + 1) * embed]
        logits = []
        for i in range(N):
            key = mixer.keys.weight[h * embed : (h + 1) * embed] @ point.obs[i]
            logits.append(torch.exp(key @ query / embed**0.5))
        for i in range(N):
            total = total + abs(weights[h]) * logits[i] / sum(logits) * point.qs[i][actions[i]]
    return total


def central(mixer, point, actions):
    chosen = torch.stack([point.central[i][actions[i]] for i in range(N)])
    return feed(mixer.central_mixer, torch.cat([point.state, chosen]))[0]


def q_jt(mixer, point, actions):
    return feed(mixer.joint, with_actions(point.state, actions))[0]


def joint_value(mixer, point, actions):
    """The value that a target is made of."""
    if isinstance(mixer, (CWQMIX, OWQMIX)):
        return central(mixer, point, actions)
    if isinstance(mixer, QTRANBase):
        return q_jt(mixer, point, actions)
    return (qplex if isinstance(mixer, QPLEX) else qatten)(mixer, point, actions)


def wqmix_error(mixer, point, actions, y):
    q_tot = plain_mix(mixer.qmix, [point.qs[i][actions[i]] for i in range(N)], point.state)[0]
    of_central = central(mixer, point, actions)
    if isinstance(mixer, CWQMIX):
        best = greedy(point.qs, point.avail)
        full = bool(y > central(mixer, point, best)) or actions == best
    else:
        full = bool(q_tot < y)
    return (1.0 if full else mixer.alpha) * (q_tot - y) ** 2 + (of_central - y) ** 2


def qtran_error(mixer, point, actions, y):
    q, v = q_jt(mixer, point, actions), feed(mixer.state_value, point.state)[0]
    best = greedy(point.qs, point.avail)
    at_best = sum(point.qs[i][best[i]] for i in range(N)) - q_jt(mixer, point, best).detach() + v
    below = sum(point.qs[i][actions[i]] for i in range(N)) - q.detach() + v
    below = below if below < 0 else 0 * below
    return (q - y) ** 2 + mixer.lambda_opt * at_best**2 + mixer.lambda_nopt * below**2


def error(mixer, point, actions, y):
    if isinstance(mixer, (CWQMIX, OWQMIX)):
        return wqmix_error(mixer, point, actions, y)
    if isinstance(mixer, QTRANBase):
        return qtran_error(mixer, point, actions, y)
    return (joint_value(mixer, point, actions) - y) ** 2


def plain_method_loss(learner, batch):
    """The mean over episodes of the mean over their steps, or the mean over all steps."""
    config, losses = learner.config, []
    for b, length in enumerate(batch.lengths.tolist()):
        online = points_of(learner.agent, learner.mixer, batch, b)
        target = points_of(learner.target_agent, learner.target_mixer, batch, b)
        following = []
        for t in range(length):
            if batch.terminated[b, t]:
                following.append(0.0)
                continue
            choosing = online if config.double_q else target
            best = greedy(choosing[t + 1].qs, batch.avail[b, t + 1])
            following.append(joint_value(learner.target_mixer, target[t + 1], best).detach())
        errors = []
        for t in range(length):
            y = plain_target(batch.rewards[b, :length], following, t, config)
            errors.append(error(learner.mixer, online[t], batch.actions[b, t].tolist(), y))
        losses.append(errors)
    if config.loss == "transitions":
        return sum(map(sum, losses)) / sum(map(len, losses))
    return sum(sum(errors) / len(errors) for errors in losses) / len(losses)

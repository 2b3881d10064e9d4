"""The learner's loss in plain Python: one episode, one step, one agent at a time."""

import torch
from random_episodes import A, N
from torch.nn import functional as F

from pyqmix.nn import GRUAgent, QMixer, VDNMixer


def plain_values(agent, observations):
    """Q-values [t][i] (A,) of one episode, one agent and one step at a time."""
    values = [[None] * N for _ in observations]
    for i in range(N):
        weights = {k: p if agent.share_parameters else p[i] for k, p in agent.named_parameters()}
        linear = lambda x, name, of=weights: F.linear(x, of[f"{name}.weight"], of[f"{name}.bias"])  # noqa: E731
        hidden = torch.zeros(8, dtype=torch.float64)
        for t, obs in enumerate(observations):
            one_hot = torch.zeros(N if agent.share_parameters else 0, dtype=torch.float64)
            one_hot[i : i + 1] = 1
            x = F.relu(linear(torch.cat([obs[i], one_hot]), "fc1"))
            if isinstance(agent, GRUAgent):
                of_x, of_h = (
                    F.linear(v, weights[f"rnn.weight_{part}_l0"], weights[f"rnn.bias_{part}_l0"]).chunk(3)
                    for v, part in ((x, "ih"), (hidden, "hh"))
                )
                reset, update = torch.sigmoid(of_x[0] + of_h[0]), torch.sigmoid(of_x[1] + of_h[1])
                hidden = (1 - update) * torch.tanh(of_x[2] + reset * of_h[2]) + update * hidden
                values[t][i] = linear(hidden, "fc2")
            else:
                values[t][i] = linear(F.relu(linear(x, "fc2")), "fc3")
    return values


def plain_mix(mixer, qs, state):
    """What the temporal-difference error is taken of: a list, of one team value or one value an agent."""
    if isinstance(mixer, QMixer):
        w1, w_final = mixer.hyper_w_1(state).abs(), mixer.hyper_w_final(state).abs()
        b1, v = mixer.hyper_b_1(state), mixer.V(state)[0]
        embed = len(b1)
        total = v
        for e in range(embed):
            unit = b1[e]
            for i in range(N):
                unit = unit + qs[i] * w1[i * embed + e]
            total = total + w_final[e] * (unit if unit > 0 else torch.exp(unit) - 1)
        return [total]
    return [sum(qs)] if isinstance(mixer, VDNMixer) else list(qs)


def plain_rewards(batch, config, seen):
    """Scaled and standardised rewards [b][t]; `seen` are all rewards of earlier batches, and grows."""
    scaled = batch.rewards * config.reward_scale
    if config.standardise_rewards == "off":
        return scaled
    real = scaled[batch.mask]
    padding = (~batch.mask).sum() if config.standardise_rewards == "padded" else 0
    seen.append(torch.cat([real, torch.zeros(padding, dtype=real.dtype)]))
    everything = torch.cat(seen)
    # Before the first batch stands 1e-4 of a value with mean 0 and variance 1.
    count = 1e-4 + len(everything)
    mean = everything.sum() / count
    variance = (1e-4 * (1 + mean**2) + (everything - mean).square().sum()) / count
    return (scaled - mean) / variance.sqrt()


def plain_return(rewards, values, t, n, gamma):
    """n rewards from step t on, and the value behind the last; `values` [t] is that of o', s' of step t."""
    n = min(n, len(rewards) - t)
    total = gamma**n * values[t + n - 1]
    for k in range(n):
        total = total + gamma**k * rewards[t + k]
    return total


def plain_target(rewards, values, t, config):
    """The target of step t of an episode, n-step or averaged over all n by lambda."""
    if config.td_lambda == 0:
        return plain_return(rewards, values, t, config.n_step, config.gamma)
    left, decay = len(rewards) - t, config.td_lambda
    total = decay ** (left - 1) * plain_return(rewards, values, t, left, config.gamma)
    for n in range(1, left):
        total = total + (1 - decay) * decay ** (n - 1) * plain_return(rewards, values, t, n, config.gamma)
    return total


def plain_episode(learner, batch, b):
    """Of an episode, the values [t] that errors are taken of, and those of the best action at o' [t]."""
    config, length = learner.config, int(batch.lengths[b])
    observations = batch.obs[b, : length + 1]
    online = plain_values(learner.agent, observations)
    target = plain_values(learner.target_agent, observations)
    values, following = [], []
    for t in range(length):
        chosen = [online[t][i][batch.actions[b, t, i]] for i in range(N)]
        values.append(plain_mix(learner.mixer, chosen, batch.states[b, t]))
        best = []
        for i in range(N):
            choosing = online if config.double_q else target
            actions = [a for a in range(A) if batch.avail[b, t + 1, i, a]]
            action = max(actions, key=lambda a, q=choosing[t + 1][i]: q[a].item(), default=None)
            best.append(torch.tensor(0.0) if action is None else target[t + 1][i][action])
        mixed = plain_mix(learner.target_mixer, best, batch.states[b, t + 1])
        following.append([0.0 if batch.terminated[b, t] else y.detach() for y in mixed])
    return values, following


def plain_targets(learner, batch, b, rewards):
    """The targets [t] of an episode, each a list of one team value or one value an agent."""
    _, following = plain_episode(learner, batch, b)
    return [
        [plain_target(rewards, list(of_one), t, learner.config) for of_one in zip(*following, strict=True)]
        for t in range(len(rewards))
    ]


def plain_loss(learner, batch, seen=None):
    """The loss as the algorithm's page writes it."""
    config = learner.config
    rewards = plain_rewards(batch, config, [] if seen is None else seen)
    per_episode, all_errors = [], []
    for b, length in enumerate(batch.lengths.tolist()):
        values, _ = plain_episode(learner, batch, b)
        targets = plain_targets(learner, batch, b, rewards[b, :length])
        errors = []
        for of_step, ys in zip(values, targets, strict=True):
            squares = [(y - q) ** 2 for q, y in zip(of_step, ys, strict=True)]
            errors.append(sum(squares) / len(squares))
        per_episode.append(sum(errors) / length)
        all_errors += errors
    if config.loss == "transitions":
        return sum(all_errors) / len(all_errors)
    return sum(per_episode) / len(per_episode)

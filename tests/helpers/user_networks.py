"""Agent networks and mixers as users might bring them, some with a fault."""

import torch
from torch import nn

from pyqmix.nn import GRUAgent, MLPAgent, QMixer, VDNMixer


class NormAgent(nn.Module):
    """Has dropout, statistics of a batch normalisation, and a count of its training passes."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(obs_dim, 8), nn.BatchNorm1d(8), nn.Linear(8, n_actions)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("scratch", torch.ones(1), persistent=False)

    def forward(self, obs, hidden):
        features = self.norm(self.first(obs.flatten(0, 1)))
        return self.last(self.dropout(features).relu()).unflatten(0, obs.shape[:2]), None


class LearnedStartAgent(nn.Module):
    """Recurrent, from a hidden state that is learned; has tied weights."""

    def __init__(self, obs_dim, n_actions, n_agents):
        super().__init__()
        self.start = nn.Parameter(torch.ones(n_agents, 8))
        self.cell, self.first, self.last = nn.GRUCell(8, 8), nn.Linear(obs_dim, 8), nn.Linear(8, n_actions)
        self.again = self.last

    def initial_hidden(self, episodes):
        return self.start.expand(episodes, -1, -1)

    def forward(self, obs, hidden):
        following = self.cell(self.first(obs).flatten(0, 1), hidden.flatten(0, 1)).view_as(hidden)
        return self.again(following), following


class PartlyLearned(nn.Module):
    """A monotone mixer, of which one parameter is frozen and one is not used."""

    def __init__(self, state_dim):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), 2.0), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(3))
        self.bias = nn.Linear(state_dim, 1)

    def forward(self, agent_qs, states):
        return self.scale * agent_qs.sum(-1) + self.bias(states).squeeze(-1)


class Signed(nn.Module):
    """Not monotone."""

    def __init__(self, n_agents, state_dim):
        super().__init__()
        self.weights = nn.Linear(state_dim, n_agents)

    def forward(self, agent_qs, states):
        return (self.weights(states) * agent_qs).sum(-1)


class SignedWithTarget(Signed):
    """Not monotone, and says how it is maximised: with two actions at most, by the signs of the weights."""

    monotone = False

    def td_target(self, next_qs, avail, rewards, terminated, gamma, next_states, online_next_qs=None):
        best = torch.where(avail, next_qs, -torch.inf).amax(-1)
        worst = torch.where(avail, next_qs, torch.inf).amin(-1)
        weights = self.weights(next_states)
        best_sum = torch.where(weights > 0, weights * best, weights * worst).sum(-1)
        return torch.where(terminated, rewards, rewards + gamma * best_sum)


class SilentlySigned(Signed):
    monotone = False


class OneColumn(Signed):
    def forward(self, agent_qs, states):
        return super().forward(agent_qs, states).unsqueeze(-1)


class WrongWidth(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, agent_qs, states):
        return agent_qs.sum(-1) + self.layer(states).squeeze(-1)


class NoNumbers(Signed):
    def forward(self, agent_qs, states):
        return super().forward(agent_qs, states) * torch.nan


class Detached(Signed):
    def forward(self, agent_qs, states):
        return super().forward(agent_qs.detach(), states)


class Doubled(Signed):
    def __init__(self, n_agents, state_dim):
        super().__init__(n_agents, state_dim)
        self.double()


class NotBuilt(Signed):
    def __init__(self, n_agents, state_dim):
        super().__init__(n_agents, state_dim)
        raise ZeroDivisionError("of layers")


class TooFewActions(nn.Module):
    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.layer = nn.Linear(obs_dim, n_actions - 1)

    def forward(self, obs, hidden):
        return self.layer(obs), hidden


class ForgetsEpisodes(LearnedStartAgent):
    def forward(self, obs, hidden):
        values, following = super().forward(obs, hidden)
        return values, following.flatten(0, 1)


class UnrollsOtherwise(LearnedStartAgent):
    def unroll(self, obs, batch_sizes):
        return self.last(self.first(obs).relu())


class Nothing(nn.Module):
    def forward(self, obs, hidden):
        return obs[..., :4], hidden


class NoTuple(TooFewActions):
    def forward(self, obs, hidden):
        return self.layer(obs)


class Louder(QMixer):
    """Overrides what QMixer computes; its loss and target must follow."""

    def forward(self, agent_qs, states):
        return 3.0 * agent_qs.sum(-1)


class OtherWeights(QMixer):
    def hypernetworks(self, states):
        return tuple(torch.ones_like(x) for x in super().hypernetworks(states))


class DoubleVDN(VDNMixer):
    def forward(self, agent_qs, states):
        return 2.0 * super().forward(agent_qs, states)


class Plus(MLPAgent):
    def unroll(self, obs, batch_sizes=None):
        return super().unroll(obs, batch_sizes) + 5.0


class ActsOtherwise(GRUAgent):
    def act(self, obs, hidden):
        qs, following = super().act(obs, hidden)
        return qs + 5.0, following


class Seen(nn.Module):
    """Tells as its values how wide observations are and what their first entry is."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.obs_dim, self.n_actions, self.zero = obs_dim, n_actions, nn.Parameter(torch.zeros(1))

    def forward(self, obs, hidden):
        assert obs.shape[-1] == self.obs_dim
        return torch.cat([obs[..., :1], obs[..., -2:], obs[..., :1]], -1) + self.zero, None


class SeenWithoutId(Seen):
    def __init__(self, obs_dim, n_actions, agent_id, obs_scale):
        super().__init__(obs_dim, n_actions)
        self.given = agent_id, obs_scale


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LazyLinear(1)

    def forward(self, agent_qs, states):
        return agent_qs.sum(-1) + self.layer(states).squeeze(-1)


class TwoStates(nn.Module):
    """Has the two hidden states of an LSTM."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.layer = nn.Linear(obs_dim, n_actions)

    def initial_hidden(self, episodes):
        return torch.zeros(episodes, 2, 8), torch.zeros(episodes, 2, 8)

    def forward(self, obs, hidden):
        return self.layer(obs), hidden


class DrawsFeatures(nn.Module):
    """Has random features that no state_dict holds."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.features, self.layer = torch.randn(obs_dim, 8), nn.Linear(8, n_actions)

    def forward(self, obs, hidden):
        return self.layer(obs @ self.features), hidden


class ColumnOfTargets(nn.Module):
    """Has targets that broadcast with the values to all pairs."""

    def batch_loss(self, rows, qs, targets, weights):
        values = rows.chosen(qs).sum(-1)
        return (values - targets).square().mean(), values.detach()

    def batch_targets(self, rows, rewards, next_qs, online_next_qs, gamma):
        return rewards.unsqueeze(-1)


class LossAlone(ColumnOfTargets):
    def batch_loss(self, rows, qs, targets, weights):
        return super().batch_loss(rows, qs, targets, weights)[0]

    def batch_targets(self, rows, rewards, next_qs, online_next_qs, gamma):
        return rewards


class Uncopied(nn.Module):
    def __init__(self):
        super().__init__()
        self.batches = (k for k in range(3))

    def forward(self, agent_qs, states):
        return agent_qs.sum(-1)


def MakesUncopied():  # noqa: N802
    return Uncopied()


def WeightNormed(n_agents, state_dim):  # noqa: N802 (named as the classes are)
    mixer = QMixer(n_agents, state_dim)
    nn.utils.parametrizations.weight_norm(mixer.hyper_b_1)
    return mixer

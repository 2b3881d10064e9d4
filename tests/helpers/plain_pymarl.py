"""The agent networks and the mixer of PyMARL and EPyMARL in plain PyTorch, by their published description.

Parameters have the names under which those programs save them. Nothing here uses pyqmix.
"""

import torch
from torch import nn
from torch.nn.functional import elu, one_hot


class RNNAgent(nn.Module):
    """Linear - ReLU - GRU cell - linear; without ``use_rnn`` a linear layer and a ReLU in place of the cell."""

    def __init__(self, inputs, hidden_dim, n_actions, use_rnn=True):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inputs, hidden_dim), nn.Linear(hidden_dim, n_actions)
        self.rnn = nn.GRUCell(hidden_dim, hidden_dim) if use_rnn else nn.Linear(hidden_dim, hidden_dim)
        self.hidden_dim, self.use_rnn = hidden_dim, use_rnn

    def step(self, inputs, hidden):
        """Map inputs (..., I) and hidden (..., H) to values (..., A) and the next hidden."""
        x, shape = torch.relu(self.fc1(inputs)), hidden.shape
        if self.use_rnn:
            hidden = self.rnn(x.reshape(-1, self.hidden_dim), hidden.reshape(-1, self.hidden_dim)).view(shape)
        else:
            hidden = torch.relu(self.rnn(x))
        return self.fc2(hidden), hidden


class RNNNSAgent(nn.Module):
    """One RNNAgent for each agent."""

    def __init__(self, n_agents, *sizes, **options):
        super().__init__()
        self.agents = nn.ModuleList([RNNAgent(*sizes, **options) for _ in range(n_agents)])
        self.hidden_dim = self.agents[0].hidden_dim

    def step(self, inputs, hidden):
        """Map inputs (K, n, I) and hidden (K, n, H) to values (K, n, A) and the next hidden."""
        outputs = [net.step(inputs[:, i], hidden[:, i]) for i, net in enumerate(self.agents)]
        return tuple(torch.stack(each, 1) for each in zip(*outputs, strict=True))


class QMixer(nn.Module):
    """The monotonic mixing network, its weights from the state by hypernetworks of one or two layers."""

    def __init__(self, n_agents, state_dim, embed_dim, hypernet_embed=None):
        super().__init__()

        def hypernet(outputs):
            if hypernet_embed is None:
                return nn.Linear(state_dim, outputs)
            return nn.Sequential(
                nn.Linear(state_dim, hypernet_embed), nn.ReLU(), nn.Linear(hypernet_embed, outputs)
            )

        self.hyper_w_1, self.hyper_w_final = hypernet(n_agents * embed_dim), hypernet(embed_dim)
        self.hyper_b_1 = nn.Linear(state_dim, embed_dim)
        self.V = nn.Sequential(nn.Linear(state_dim, embed_dim), nn.ReLU(), nn.Linear(embed_dim, 1))

    def forward(self, agent_qs, states):
        """Map values (K, n) and states (K, S) to q_tot (K,)."""
        first = self.hyper_w_1(states).abs().unflatten(1, (agent_qs.shape[1], -1))
        hidden = elu(torch.einsum("kn,kne->ke", agent_qs, first) + self.hyper_b_1(states))
        return (hidden * self.hyper_w_final(states).abs()).sum(1) + self.V(states).squeeze(1)


def inputs_of(obs, last_actions, n_actions, last_action, agent_id):
    """Join observations (K, n, O), one-hot last actions (None: none yet) and one-hot ids, in PyMARL's order."""
    parts = [obs]
    if last_action:
        none = torch.zeros(*obs.shape[:2], n_actions)
        parts.append(none if last_actions is None else one_hot(last_actions, n_actions).float())
    if agent_id:
        parts.append(torch.eye(obs.shape[1]).expand(len(obs), -1, -1))
    return torch.cat(parts, -1)


@torch.no_grad()
def play(agent, observations, n_actions, last_action, agent_id):
    """Return the values (T, K, n, A) of observations (T, K, n, O) when the greedy actions are taken."""
    steps, worlds, n, _ = observations.shape
    hidden, actions, values = torch.zeros(worlds, n, agent.hidden_dim), None, []
    for t in range(steps):
        qs, hidden = agent.step(inputs_of(observations[t], actions, n_actions, last_action, agent_id), hidden)
        actions = qs.argmax(-1)
        values.append(qs)
    return torch.stack(values)


def save(folder, agent, mixer=None, optimizer=None):
    """Save a model as those programs do."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(agent.state_dict(), folder / "agent.th")
    if mixer is not None:
        torch.save(mixer.state_dict(), folder / "mixer.th")
    if optimizer is not None:
        torch.save(optimizer.state_dict(), folder / "opt.th")

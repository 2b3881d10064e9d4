"""An environment, agents and a mixer as a user would write them."""

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import nn


class Meeting(gymnasium.Env):
    """Two agents on a line of five cells; the team is paid when both stand on one cell."""

    observation_space = spaces.Tuple([spaces.Box(0.0, 4.0, (2,), np.float32)] * 2)
    action_space = spaces.Tuple([spaces.Discrete(3)] * 2)

    def __init__(self, pay=1.0, max_steps=6):
        self.pay, self.max_steps = pay, max_steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.places, self.steps = self.np_random.integers(0, 5, 2), 0
        return self.seen(), {}

    def step(self, actions):
        self.places, self.steps = np.clip(self.places + np.array(actions) - 1, 0, 4), self.steps + 1
        met = bool(self.places[0] == self.places[1])
        return self.seen(), self.pay * met, met, self.steps >= self.max_steps, {}

    def seen(self):
        mine = self.places.astype(np.float32)
        return mine.copy(), mine[::-1].copy()


class LinearAgent(nn.Module):
    """Feed-forward: has no hidden state."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.layer = nn.Linear(obs_dim, n_actions)

    def forward(self, obs, hidden):
        return self.layer(obs), hidden


class CellAgent(nn.Module):
    """Recurrent."""

    def __init__(self, obs_dim, n_actions, n_agents, hidden_dim):
        super().__init__()
        self.n_agents, self.hidden_dim = n_agents, hidden_dim
        self.cell, self.layer = nn.GRUCell(obs_dim, hidden_dim), nn.Linear(hidden_dim, n_actions)

    def initial_hidden(self, episodes):
        return torch.zeros(episodes, self.n_agents, self.hidden_dim)

    def forward(self, obs, hidden):
        following = self.cell(obs.flatten(0, 1), hidden.flatten(0, 1)).view_as(hidden)
        return self.layer(following), following


class WeightedSum(nn.Module):
    """A monotone mixer: a sum with weights made of the state."""

    def __init__(self, n_agents, state_dim, offset=0.0):
        super().__init__()
        self.weights, self.offset = nn.Linear(state_dim, n_agents), offset

    def forward(self, agent_qs, states):
        return (self.weights(states).abs() * agent_qs).sum(-1) + self.offset

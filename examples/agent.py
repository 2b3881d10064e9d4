"""An agent network of your own, with memory, in an environment that pyqmix plays natively.

The command line trains it too, from the folder that holds examples/:

    pyqmix-train --task Foraging-5x5-2p-1f-v3 --agent examples.agent:DuelingGRU
"""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

import pyqmix


class DuelingGRU(nn.Module):
    """A recurrent unit, then the value of the situation plus each action's advantage (arXiv:1511.06581).

    pyqmix gives the sizes and options of the run that are named here. Unless the option agent_id is off, an
    observation ends with a one-hot code of the agent, which obs_dim counts.
    """

    def __init__(self, obs_dim, n_actions, n_agents, hidden_dim):
        super().__init__()
        self.n_agents, self.hidden_dim = n_agents, hidden_dim
        self.read, self.unit = nn.Linear(obs_dim, hidden_dim), nn.GRU(hidden_dim, hidden_dim)
        self.value, self.advantages = nn.Linear(hidden_dim, 1), nn.Linear(hidden_dim, n_actions)

    def initial_hidden(self, episodes):
        """Return the memory (K, n, H) at the start of K episodes."""
        return torch.zeros(episodes, self.n_agents, self.hidden_dim)

    def forward(self, obs, hidden):
        """Map observations (K, n, O) of one time step and the memory to values (K, n, A) and the next memory."""
        out, following = self.unit(self.read(obs).relu().flatten(0, 1)[None], hidden.flatten(0, 1)[None])
        return self.values(out[0]).view(*obs.shape[:2], -1), following.view_as(hidden)

    def unroll(self, obs, batch_sizes):
        """Map observations (R, n, O) of whole episodes to values (R, n, A); optional, for speed."""
        rows = PackedSequence(self.read(obs).relu().flatten(0, 1), self.n_agents * batch_sizes)
        return self.values(self.unit(rows)[0].data).view(*obs.shape[:2], -1)

    def values(self, features):
        advantages = self.advantages(features)
        return self.value(features) + advantages - advantages.mean(-1, keepdim=True)


def main():
    """Train for some seconds; a random policy gets 0.5 of the 1 that there is."""
    options = {"task": "Foraging-5x5-2p-1f-v3", "num_envs": 8, "updates_per_episode": 0.5, "target_update": 50}
    config = pyqmix.from_preset("lbf-fast", total_steps=15_000, eps_steps=8_000, eval_every=15_000, **options)
    print(pyqmix.train(config, agent=DuelingGRU, quiet=True).summary["eval_return_mean"])


if __name__ == "__main__":
    main()

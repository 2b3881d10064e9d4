"""The module that the README's commands name."""

import gymnasium
import numpy as np
import torch
from gymnasium import spaces


class MyEnv(gymnasium.Env):
    observation_space = spaces.Tuple([spaces.Box(-1, 1, (3,), np.float32)] * 2)
    action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
    max_steps = 5

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observe(), {}

    def step(self, actions):
        return self.observe(), 1.0, False, False, {}

    def observe(self):
        return tuple(self.np_random.uniform(-1, 1, 3).astype(np.float32) for _ in range(2))


class MyMixer(torch.nn.Module):
    def forward(self, agent_qs, states):
        return agent_qs.mean(-1)

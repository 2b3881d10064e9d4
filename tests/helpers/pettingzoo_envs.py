"""A small PettingZoo environment of the tests' own: an agent that dies early, masks, a state."""

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Dying(ParallelEnv):
    """Three agents; "b" dies in step 2; the others go on to a truncation in step ``length``.

    Args:
        length: steps to the truncation.
        masks: "observation", "info" or "".
        all_die: the others terminate in the last step.
        has_state: whether state() is implemented.
    """

    metadata = {"name": "dying_v0"}  # noqa: RUF012  (pettingzoo's own way)
    render_mode = None

    def __init__(self, length=4, masks="", all_die=False, has_state=True, max_cycles=4):
        self.possible_agents = ["a", "b", "c"]
        self.length, self.masks, self.all_die, self.has_state = length, masks, all_die, has_state
        self.max_cycles, self.acted = max_cycles, []
        box = spaces.Box(0, 9, (2,), np.float32)
        if masks == "observation":
            box = spaces.Dict({"observation": box, "action_mask": spaces.MultiBinary(3)})
        self._observation_space = box

    def observation_space(self, agent):
        return self._observation_space

    def action_space(self, agent):
        return spaces.Discrete(3)

    def reset(self, seed=None, options=None):
        self.random = np.random.default_rng(seed)
        self.agents, self.steps = list(self.possible_agents), 0
        return self._observe(self.agents), self._infos(self.agents)

    def step(self, actions):
        self.steps += 1
        self.acted.append(sorted(actions))
        before, last = list(self.agents), self.steps == self.length
        dead = {agent: (agent == "b" and self.steps == 2) or (last and self.all_die) for agent in before}
        cut = dict.fromkeys(before, last and not self.all_die)
        self.agents = [agent for agent in before if not dead[agent] and not cut[agent]]
        rewards = dict.fromkeys(self.possible_agents, 10.0)  # also of the dead
        return self._observe(before), rewards, dead, cut, self._infos(before)

    def state(self):
        if not self.has_state:
            raise NotImplementedError
        return np.array([self.steps, 1.0], np.float32)

    def _observe(self, agents):
        seen = {agent: np.full(2, self.steps + 1, np.float32) for agent in agents}
        if self.masks == "observation":
            return {agent: {"observation": obs, "action_mask": self._mask()} for agent, obs in seen.items()}
        return seen

    def _infos(self, agents):
        return {agent: {"action_mask": self._mask()} if self.masks == "info" else {} for agent in agents}

    def _mask(self):
        return np.array([0, 1, 1], np.int8)


def unlimited(max_cycles):
    """Make one that hides its limit."""
    env = Dying(length=max_cycles)
    env.max_cycles = None
    return env

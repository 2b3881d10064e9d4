"""A PettingZoo environment of your own: unequal observations and actions, action masks, and a global state.

The command line trains it too, from the folder that holds examples/:

    pyqmix-train --env examples.pettingzoo_env:Yard --env-args '{"tracks": 8}' --mixer vdn
"""

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

import pyqmix


class Yard(ParallelEnv):
    """A crane drops its load, which earns 1 if the truck stands below; the truck does not see the crane."""

    def __init__(self, tracks=6, max_cycles=10):
        self.tracks, self.max_cycles, self.possible_agents = tracks, max_cycles, ["crane", "truck"]

    def observation_space(self, agent):
        return spaces.Box(0, 1, (2 * self.tracks if agent == "crane" else self.tracks,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(4 if agent == "crane" else 3)  # left, stay, right; the crane: drop

    def reset(self, seed=None, options=None):
        self.agents, self.steps = self.possible_agents[:], 0
        self.places = np.random.default_rng(seed).integers(self.tracks, size=2)
        return self.observe()

    def step(self, actions):
        moves = [{0: -1, 2: 1}.get(actions[agent], 0) for agent in self.possible_agents]
        self.places, self.steps = np.clip(self.places + moves, 0, self.tracks - 1), self.steps + 1
        dropped, over = actions["crane"] == 3, self.steps >= self.max_cycles
        hit = bool(dropped and self.places[0] == self.places[1])
        observations, infos = self.observe()
        rewards = {"crane": float(hit), "truck": 0.0}  # the team gets their sum
        outcome = rewards, dict.fromkeys(self.agents, dropped), dict.fromkeys(self.agents, over)
        self.agents = [] if dropped or over else self.agents
        return observations, *outcome, {agent: {**info, "won": hit} for agent, info in infos.items()}

    def observe(self):
        crane, truck = np.eye(self.tracks, dtype=np.float32)[self.places]
        masks = [np.array([x > 0, True, x < self.tracks - 1, True], np.int8) for x in self.places]
        infos = {"crane": {"action_mask": masks[0]}, "truck": {"action_mask": masks[1][:3]}}
        return {"crane": np.concatenate([crane, truck]), "truck": truck}, infos

    def state(self):
        return np.eye(self.tracks, dtype=np.float32)[self.places].ravel()


def main():
    config = pyqmix.Config(total_steps=6_000, eps_steps="50%", target_update=30, lr=2e-3, gamma=0.8)
    print(pyqmix.train(config, env=Yard, quiet=True).summary["eval_return_mean"])


if __name__ == "__main__":
    main()

"""A small simulator with SMAC's interface, whose agents walk, shoot at one enemy and die."""

import numpy as np


class Skirmish:
    """n allies on a line shoot one enemy, which shoots back at the first that lives.

    Actions: 0 no-op (of the dead alone), 1 stop, 2 left, 3 right, 4 attack (within two steps). As in SMAC,
    ``reset`` takes no seed, ``seed()`` tells it, and an episode that the limit cuts is reported as a termination.
    """

    def __init__(self, n_agents=3, health=4, episode_limit=12, seed=0, map_name="skirmish"):
        self.n_agents, self.health, self.episode_limit, self.map_name = n_agents, health, episode_limit, map_name
        self.random, self._seed = np.random.default_rng(seed), seed
        self.closed = False

    def get_env_info(self):
        return {
            "n_agents": self.n_agents,
            "n_actions": 5,
            "obs_shape": 3,
            "state_shape": 2 * self.n_agents + 1,
            "episode_limit": self.episode_limit,
        }

    def reset(self):
        self.steps, self.enemy = 0, self.health
        self.places = self.random.integers(1, 4, self.n_agents)
        self.alive = np.ones(self.n_agents, bool)
        return self.get_obs(), self.get_state()

    def step(self, actions):
        for agent, action in enumerate(actions):
            assert self.get_avail_agent_actions(agent)[action], f"agent {agent} cannot take action {action}"
            self.places[agent] += (action == 3) - (action == 2)
        hits = sum(action == 4 for action in actions)
        self.enemy -= hits
        self.steps += 1
        won = self.enemy <= 0
        if not won and self.steps % 3 == 0:
            self.alive[self.alive.argmax()] = False
        info = {"battle_won": won, "dead_allies": int((~self.alive).sum())}
        over, late = won or not self.alive.any(), self.steps >= self.episode_limit
        if late and not over:
            info["episode_limit"] = True
        return float(hits + 10 * won), over or late, info

    def get_obs(self):
        rows = [[place / 4, self.enemy / self.health, agent] for agent, place in enumerate(self.places)]
        return [np.array(row, np.float32) * self.alive[agent] for agent, row in enumerate(rows)]

    def get_state(self):
        return np.concatenate([self.places, self.alive, [self.enemy]])

    def get_avail_agent_actions(self, agent):
        if not self.alive[agent]:
            return [1, 0, 0, 0, 0]
        place = self.places[agent]
        return [0, 1, int(place > 0), int(place < 4), int(place <= 2)]

    def get_avail_actions(self):
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def seed(self):
        return self._seed

    def close(self):
        self.closed = True


class SeededSkirmish(Skirmish):
    """The same, whose episodes depend on their seed; step returns five values, as EPyMARL's wrappers do."""

    def reset(self, seed=None):
        self.random = np.random.default_rng(seed)
        return super().reset()

    def step(self, actions):
        reward, over, info = super().step(actions)
        late = info.pop("episode_limit", False)
        return self.get_obs(), [reward / self.n_agents] * self.n_agents, over and not late, late, info

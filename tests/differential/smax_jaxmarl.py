"""Plays jaxmarl's SMAX with its heuristic enemy, and records every step: inputs, outputs and the whole state.

The module sets ``XLA_FLAGS`` when it is imported, so import it before ``jax``, in a process of its own. The
flags keep XLA from contracting to fused multiply-adds: ``xla_cpu_max_isa`` holds for XLA's own code, and
YNNPACK, to which XLA hands large sums, ignores it and is turned off.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Any, NamedTuple

EXACT_FLAGS = "--xla_cpu_max_isa=AVX --xla_cpu_experimental_ynn_fusion_type="

if "jax" in sys.modules:
    raise ImportError("import smax_jaxmarl before jax: it sets the flags of XLA")
os.environ["XLA_FLAGS"] = os.environ.get("PYQMIX_SMAX_XLA_FLAGS", EXACT_FLAGS)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario  # noqa: E402
from jaxmarl.environments.smax.heuristic_enemy import (  # noqa: E402
    create_heuristic_policy,
    get_heuristic_policy_initial_state,
)
from smax_replay import visible  # noqa: E402

MOVES = jnp.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
STOP = 4
POLICIES = ("random", "attack", "heuristic", "walls", "together", "flee", "stand")


def versions() -> str:
    """The versions of the original, and XLA's flags."""
    flags = os.environ["XLA_FLAGS"]
    return f"jaxmarl {version('jaxmarl')}, jax {jax.__version__}, jaxlib {version('jaxlib')}, XLA_FLAGS={flags!r}"


class Play(NamedTuple):
    """All worlds at one step: games, their chains of keys, and the memory of their policies."""

    state: Any
    key: jax.Array
    own_key: jax.Array  # of the actions, apart from the game's keys
    way: jax.Array  # (n,), the direction of each agent in this episode
    memory: Any  # of the heuristic ally


class Policies:
    """Choose one action for each agent; every one takes available actions only."""

    def __init__(self, env: HeuristicEnemySMAX) -> None:
        self.env, self.n = env, len(env.agents)
        self.ally = create_heuristic_policy(env._env, 0)

    def pick(self, key: jax.Array, mask: jax.Array) -> jax.Array:
        return jnp.argmax(jnp.where(mask, jax.random.uniform(key, mask.shape), -1.0), axis=1)

    def available(self, mask: jax.Array, wished: jax.Array) -> jax.Array:
        return jnp.where(jnp.take_along_axis(mask, wished[:, None], axis=1)[:, 0], wished, STOP)

    def towards(self, mask: jax.Array, vectors: jax.Array) -> jax.Array:
        return self.available(mask, jnp.argmax(vectors @ MOVES.T, axis=1))

    def random(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        return self.pick(key, mask), play.memory

    def attack(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        attacks = mask.at[:, : STOP + 1].set(False)
        return self.pick(key, jnp.where(attacks.any(1, keepdims=True), attacks, mask)), play.memory

    def heuristic(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        obs = self.env.get_obs(play.state)
        seen = jnp.stack([obs[agent] for agent in self.env.agents])
        wished, memory = jax.vmap(self.ally)(jax.random.split(key, self.n), play.memory, seen)
        return self.available(mask, wished), memory

    def walls(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        stray = jax.random.uniform(key, (self.n,)) < 0.1
        return jnp.where(stray, self.pick(key, mask), self.available(mask, play.way)), play.memory

    def together(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        positions = play.state.state.unit_positions[: self.n]
        fight = jax.random.uniform(key, ()) < 0.3
        joined = self.towards(mask, positions.mean(0) - positions)
        return jnp.where(fight, self.attack(play, key, mask)[0], joined), play.memory

    def flee(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        positions, living = play.state.state.unit_positions, play.state.state.unit_alive
        apart = positions[: self.n, None] - positions[None, self.n :]
        away = (living[self.n :, None] * apart / (1e-3 + (apart**2).sum(-1, keepdims=True))).sum(1)
        edge = jnp.where(positions < 3, 4.0, 0.0) - jnp.where(positions > 29, 4.0, 0.0)
        noise = 0.2 * jax.random.normal(key, away.shape)
        return self.towards(mask, away + edge[: self.n] + noise), play.memory

    def stand(self, play: Play, key: jax.Array, mask: jax.Array) -> Any:
        return self.pick(key, mask.at[:, :STOP].set(False)), play.memory


class Original:
    """One map of jaxmarl, in several worlds at once, compiled once.

    Batched over worlds, XLA changes one division: an agent's last attack over the number of actions, in
    observations of teams of unequal size. Plain ``env.step_env`` divides, and so the observations are computed
    one world at a time. Everything else is the same bit for bit.
    """

    def __init__(self, scenario: str, worlds: int, steps: int) -> None:
        self.scenario, self.worlds, self.steps = scenario, worlds, steps
        self.env = HeuristicEnemySMAX(scenario=map_name_to_scenario(scenario))
        self.agents = self.env.agents
        self.policies = Policies(self.env)
        self._scan = jax.jit(lambda play: jax.lax.scan(self._step, play, None, length=steps))
        self._first = jax.jit(jax.vmap(self._episode))
        self._reset = jax.jit(jax.vmap(lambda key: self._outputs(*self.env.reset(key))))

    @staticmethod
    def units_of(scenario: str) -> int:
        """Units of both teams."""
        found = map_name_to_scenario(scenario)
        return found.num_allies + found.num_enemies

    def _observed(self, state: Any) -> jax.Array:
        """Observations of all worlds, (worlds, n, O)."""

        def one(world: Any) -> jax.Array:
            obs = self.env.get_obs(world)
            return jnp.stack([obs[agent] for agent in self.agents])

        return jax.vmap(one)(state) if self.env.num_allies == self.env.num_enemies else jax.lax.map(one, state)

    def _outputs(self, obs: Any, state: Any) -> dict[str, jax.Array]:
        avail, inner, enemy = self.env.get_avail_actions(state), state.state, state.enemy_policy_state
        return {
            "obs": jnp.stack([obs[agent] for agent in self.agents]),
            "state": obs["world_state"],
            "avail": jnp.stack([avail[agent] for agent in self.agents]).astype(bool),
            "positions": inner.unit_positions,
            "health": inner.unit_health,
            "alive": inner.unit_alive,
            "types": inner.unit_types,
            "cooldowns": inner.unit_weapon_cooldowns,
            "movements": inner.prev_movement_actions,
            "attacks": inner.prev_attack_actions,
            "clock": inner.step,
            "targets": enemy.last_attacked_enemy,
            "default_targets": enemy.default_target,
        }

    def _episode(self, play: Play, reset_key: jax.Array) -> Play:
        """A new episode."""
        own_key, way, same = jax.random.split(play.own_key, 3)
        ways = jax.random.randint(way, (len(self.agents),), 0, 4)
        memory = jax.tree.map(
            lambda leaf: jnp.stack([jnp.asarray(leaf)] * len(self.agents)), get_heuristic_policy_initial_state()
        )
        return play._replace(
            state=self.env.reset(reset_key)[1],
            own_key=own_key,
            way=jnp.where(jax.random.uniform(same) < 0.5, ways[0], ways),
            memory=memory,
        )

    def _act(self, play: Play) -> tuple[jax.Array, Any, jax.Array]:
        """Actions of all worlds: world k follows policy k * len(POLICIES) // worlds."""
        split = jax.vmap(jax.random.split)(play.own_key)
        avail = jax.vmap(self.env.get_avail_actions)(play.state)
        mask = jnp.stack([avail[agent] for agent in self.agents], axis=1).astype(bool)
        share, parts = self.worlds // len(POLICIES), []
        for i, name in enumerate(POLICIES):
            group = slice(i * share, (i + 1) * share)
            some = jax.tree.map(lambda leaf, group=group: leaf[group], (play, split[:, 1], mask))
            parts.append(jax.vmap(getattr(self.policies, name))(*some))
        actions, memory = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
        return actions.astype(jnp.int32), memory, split[:, 0]

    def _play(self, key: jax.Array, state: Any, actions: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        joint = {agent: actions[i] for i, agent in enumerate(self.agents)}
        obs, state, rewards, dones, _ = self.env.step_env(key, state, joint)
        return state, self._outputs(obs, state) | {"reward": rewards[self.agents[0]], "done": dones["__all__"]}

    def _step(self, play: Play, _: None) -> tuple[Play, dict[str, jax.Array]]:
        actions, memory, own_key = self._act(play)
        keys = jax.vmap(jax.random.split)(play.key)
        subs = jax.vmap(jax.random.split)(keys[:, 1])  # as env.step does: its step's key, its reset's
        state, out = jax.vmap(self._play)(subs[:, 0], play.state, actions)
        out |= {"obs": self._observed(state), "actions": actions, "step_key": subs[:, 0], "reset_key": subs[:, 1]}
        play = play._replace(state=state, key=keys[:, 0], own_key=own_key, memory=memory)
        fresh = jax.vmap(self._episode)(play, subs[:, 1])
        ended = out["done"]
        select = jax.vmap(lambda end, new, old: jax.tree.map(lambda a, b: jnp.where(end, a, b), new, old))
        return select(ended, fresh, play), out

    def start(self, seeds: list[int]) -> tuple[np.ndarray, Play]:
        """The keys of the worlds' first resets, (worlds, 2), and the worlds after them; one 64-bit seed each."""
        halves = jnp.array([[seed >> 32, seed & 0xFFFFFFFF] for seed in seeds], jnp.uint32)
        keys = jax.vmap(jax.random.split)(halves)
        own = jax.vmap(lambda key: jax.random.fold_in(key, 2026))(halves)
        way = jnp.zeros((self.worlds, len(self.agents)), jnp.int32)
        return np.asarray(keys[:, 1]), self._first(Play(None, keys[:, 0], own, way, None), keys[:, 1])

    def record(self, play: Play) -> tuple[Play, dict[str, np.ndarray]]:
        """Play on; every array is (steps, worlds, ...), and at an end shows the world before its reset."""
        play, out = self._scan(play)
        return play, visible({name: np.asarray(value) for name, value in out.items()})

    def resets(self, keys: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of resets with these keys; every array is (keys, ...)."""
        parts = []
        for first in range(0, len(keys), self.worlds):
            block = keys[first : first + self.worlds]
            padded = np.concatenate([block, np.repeat(block[:1], self.worlds - len(block), axis=0)])
            out = self._reset(jnp.asarray(padded))
            parts.append({name: np.asarray(value)[: len(block)] for name, value in out.items()})
        return visible({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

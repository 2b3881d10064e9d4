"""JaxMARL's battles for the benchmark of SMAX."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxmarl import make
from jaxmarl.environments.smax import map_name_to_scenario


def scan(task: str, worlds: int, steps: int) -> tuple[Callable[[], Any], float]:
    """Compile a scan over all worlds; return it, and the seconds that compiling took."""
    env = make("HeuristicEnemySMAX", scenario=map_name_to_scenario(task))

    def advance(carry: Any, _: None) -> Any:
        key, _, state = carry
        key, choice, step = jax.random.split(key, 3)
        masks = jax.vmap(env.get_avail_actions)(state)
        avail = jnp.stack([masks[agent] for agent in env.agents], 1)
        actions = jnp.argmax(jax.random.uniform(choice, avail.shape) * avail, -1)
        by_agent = {agent: actions[:, i] for i, agent in enumerate(env.agents)}
        obs, state, reward, done, _ = jax.vmap(env.step)(jax.random.split(step, worlds), state, by_agent)
        return (key, obs, state), (reward[env.agents[0]], done["__all__"])

    def play(carry: Any) -> Any:
        return jax.lax.scan(advance, carry, None, steps)

    start = jax.jit(lambda key: (key, *jax.vmap(env.reset)(jax.random.split(key, worlds))))
    carry = start(jax.random.PRNGKey(0))
    begin = time.perf_counter()
    compiled = jax.jit(play).lower(carry).compile()
    seconds = time.perf_counter() - begin
    held = [carry]

    def run() -> Any:
        held[0], result = compiled(held[0])
        return jax.block_until_ready(result)

    return run, seconds

"""Compares native SMAX with ``jaxmarl`` where a distance lies within a few ulps of a range.

    python tests/differential/smax_edges.py [--maps 3m 2s3z ...] [--states 20000]

Random play seldom gets there. Units of either team are put at the attack or sight range from each other, moved
by up to three ulps; then one step is played, with every ally attacking. All that smax_differential.py compares
is compared, before the step and after it.
"""

from __future__ import annotations

import argparse

import numpy as np
from smax_jaxmarl import Original, jax, jnp, versions  # which sets the flags before it imports jax
from smax_replay import FIELDS, Replay, Steps, key_of, outputs, visible

RANGES = {"attack": [5, 6, 6, 2, 2, 5], "sight": [9, 10, 10, 9, 8, 9]}


def placed(random: np.random.Generator, types: np.ndarray, allies: int) -> np.ndarray:
    """Positions of all units, (N, 2): each enemy at a range of one of the two from an ally, give or take ulps."""
    positions = random.uniform(4, 28, (len(types), 2)).astype(np.float32)
    for enemy in range(allies, len(types)):
        ally = random.integers(allies)
        distance = RANGES[random.choice(list(RANGES))][types[random.choice([ally, enemy])]]
        angle = random.choice([random.uniform(0, 2 * np.pi), random.integers(4) * np.pi / 2])
        at = positions[ally] + (distance * np.array([np.cos(angle), np.sin(angle)])).astype(np.float32)
        for _ in range(random.integers(4)):
            at = np.nextafter(at, random.choice([-np.inf, np.inf], 2).astype(np.float32))
        positions[enemy] = at
    return positions


def compare(scenario: str, states: int) -> int:
    """Play one step from each state; return the number of differing values."""
    original = Original(scenario, 7, 1)
    env = original.env
    step = jax.jit(lambda key, state, actions: original._play(key, state, actions)[1])
    look = jax.jit(lambda state: env.get_avail_actions(state))
    _, start = jax.jit(env.reset)(jax.random.PRNGKey(0))
    random = np.random.default_rng(2026)
    replay = Replay(scenario, [0])
    native = replay.envs[0]
    units = native.units()
    for index in range(states):
        positions = placed(random, np.asarray(start.state.unit_types), env.num_allies)
        state = start.replace(state=start.state.replace(unit_positions=jnp.asarray(positions)))
        native.start(0)
        native.set_units(units | {"positions": positions, "types": np.array(start.state.unit_types)})
        seen = np.stack([np.asarray(look(state)[agent], bool) for agent in env.agents])
        replay.differing["avail before"] += int((native.avail() != seen).sum())
        actions = np.array([random.choice(np.flatnonzero(mask)[4:]) for mask in seen])
        key = np.array([7, index], np.uint32)
        expected: Steps = visible({name: np.asarray(v) for name, v in step(key, state, actions).items()})
        native.step_with(key_of(key), actions)
        ours = outputs(native)
        for field in FIELDS:
            if field != "clock":
                replay.differing[field] += int((ours[field] != expected[field]).sum())
    found = +replay.differing
    print(f"{scenario}: {states:,} states, {sum(found.values())} differing values {dict(found) or ''}", flush=True)
    return sum(found.values())


def main() -> None:
    """Compare, and print the differences of each map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", nargs="+", default=["3m", "2s3z", "5m_vs_6m"], metavar="MAP")
    parser.add_argument("--states", type=int, default=20_000, help="of each map")
    options = parser.parse_args()
    differing = sum(compare(scenario, options.states) for scenario in options.maps)
    print(f"{differing} differing values ({versions()})")
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main()

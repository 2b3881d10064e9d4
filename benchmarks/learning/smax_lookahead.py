"""How much do single choices of a trained team decide in a battle of SMAX, and could better ones win?

    python benchmarks/learning/smax_lookahead.py RUN_DIR [--battles 100] [--rollouts 100]

The team plays each battle twice. First it is greedy. Then, at each step from the first contact on, the greedy
joint action is compared with all those in which one unit does something else: each is followed by greedy play to
the end, ``--rollouts`` times with other random numbers. The team takes an alternative that wins a tenth more
often. Feed-forward agents only. Prints win rates, and how far apart the alternatives at the first contact lie.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pyqmix import _C, Config
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.wilson import wilson_interval
from pyqmix.envs.smax import SmaxEnv
from pyqmix.nn import Agent
from pyqmix.run.evaluate import load_agent

Actions = NDArray[np.int64]
SEED = 1_000_000
CONTACT = 5.5  # cells between two units, of which marines attack at 5
MARGIN = 0.1


class Lookahead:
    """Greedy play, and the outcomes of alternatives to it.

    Args:
        config: of the run.
        agent: its network.
        rollouts: for each alternative.
    """

    def __init__(self, config: Config, agent: Agent, rollouts: int) -> None:
        self.agent, self.rollouts = agent, rollouts
        options = {"task": config.task, "truncate_at_limit": True, "last_action": config.last_action}
        self.battle = SmaxEnv(**options).battle
        most = self.battle.n_allies * (self.battle.spec.n_actions - 1) + 1
        self._copies = [SmaxEnv(**options).battle for _ in range(most * rollouts)]
        self._random = np.random.default_rng(SEED)

    @torch.inference_mode()
    def greedy(self, battles: list[_C.SmaxEnv]) -> Actions:
        """Return the greedy joint actions (battles, n)."""
        obs = torch.from_numpy(np.stack([battle.observation() for battle in battles]))
        values, _ = self.agent.act(obs, None)
        available = torch.from_numpy(np.stack([battle.avail() for battle in battles])).bool()
        return values.masked_fill(~available, -torch.inf).argmax(-1).numpy()

    def outcomes(self, firsts: list[Actions]) -> NDArray[np.float64]:
        """Return the share of battles that are won (alternatives,) after each first joint action."""
        units, count = self.battle.units(), len(firsts) * self.rollouts
        copies, won = self._copies[:count], np.zeros(count)
        for copy in copies:
            copy.start(int(self._random.integers(1 << 62)))
            if self.battle.steps:
                copy.step(np.full(copy.n_allies, 4))  # stop, so that the units' last actions are taken over
            copy.set_units(units)
        actions, live = np.repeat(np.stack(firsts), self.rollouts, 0), list(range(count))
        while live:
            for index, action in zip(live, actions, strict=True):
                copies[index].step(action)
            ended = [index for index in live if copies[index].terminated or copies[index].truncated]
            won[ended] = [copies[index].won for index in ended]
            live = [index for index in live if index not in set(ended)]
            actions = self.greedy([copies[index] for index in live]) if live else actions
        return won.reshape(len(firsts), self.rollouts).mean(1)

    def alternatives(self, greedy: Actions) -> Iterator[Actions]:
        """Give the greedy joint action, then those in which one unit does something else."""
        yield greedy
        for agent, available in enumerate(self.battle.avail()):
            for action in np.flatnonzero(available):
                if action != greedy[agent]:
                    yield np.where(np.arange(len(greedy)) == agent, action, greedy)

    def play(self, seed: int, looks: bool) -> tuple[bool, NDArray[np.float64]]:
        """Play a battle; return whether it was won, and the outcomes at the first contact."""
        self.battle.start(seed)
        first = np.zeros(0)
        while not (self.battle.terminated or self.battle.truncated) or self.battle.steps == 0:
            actions = self.greedy([self.battle])[0]
            if looks and _closest(self.battle) < CONTACT:
                choices = list(self.alternatives(actions))
                outcomes = self.outcomes(choices)
                first = first if first.size else outcomes
                if outcomes.max() > outcomes[0] + MARGIN:
                    actions = choices[int(outcomes.argmax())]
            self.battle.step(actions)
        return bool(self.battle.won), first


def _closest(battle: _C.SmaxEnv) -> float:
    units = battle.units()
    living = units["health"] > 0
    allies = units["positions"][: battle.n_allies][living[: battle.n_allies]]
    enemies = units["positions"][battle.n_allies :][living[battle.n_allies :]]
    return float(np.linalg.norm(allies[:, None] - enemies[None], axis=-1).min())


def main() -> None:
    """Play the battles, and print what decided."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--battles", type=int, default=100)
    parser.add_argument("--rollouts", type=int, default=100)
    arguments = parser.parse_args()
    look = Lookahead(*load_agent(arguments.run_dir), arguments.rollouts)
    seeds = [derive_seed(SEED, Stream.EVALUATION, k) for k in range(arguments.battles)]
    for name, looks in (("greedy", False), ("with lookahead", True)):
        won, firsts = zip(*(look.play(seed, looks) for seed in seeds), strict=True)
        low, high = wilson_interval(float(np.mean(won)), len(won))
        print(f"{name}: {np.mean(won):.3f} [{low:.3f}, {high:.3f}] of {len(won)} battles won", flush=True)
    losing = [first for first in firsts if first.size and first[0] < 0.9]
    print(f"{len(losing)} first contacts after which greedy play wins less than 90 %; of these, means of")
    for name, value in (("greedy", lambda x: x[0]), ("worst", np.min), ("best", np.max), ("middle", np.median)):
        print(f"  {name} joint action: {np.mean([value(first) for first in losing]):.2f}")


if __name__ == "__main__":
    main()

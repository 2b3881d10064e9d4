"""Compares an exported file with the network that plays in pyqmix, on random observations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix.base.spec import EpisodeSpec
from pyqmix.export.traced import ACTIONS, AVAIL, HIDDEN, NEXT_HIDDEN, OBS, Q_VALUES
from pyqmix.nn import Agent
from pyqmix.play.actor import create_actor

Runner = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""What a file computes: outputs by name of inputs by name."""

EPISODES, STEPS = 32, 16


@dataclass(frozen=True)
class Difference:
    """How a file's results differ from the native actor's.

    Attributes:
        observations: of one agent each, that were compared.
        values: the largest absolute difference of a value.
        largest: the largest absolute value.
        actions: how many greedy actions differ.
        regret: by how much the worst of these is worth less than the native actor's action; infinite if it is not
            available.
    """

    observations: int
    values: float
    largest: float
    actions: int
    regret: float

    @property
    def is_rounding(self) -> bool:
        """Whether the results differ by what float32 rounds; actions of nearly equal values may differ then."""
        return max(self.values, self.regret) <= 1e-4 * max(1.0, self.largest)

    def __str__(self) -> str:
        actions = "all greedy actions equal" if self.actions == 0 else f"{self.actions} greedy actions differ"
        values = f"values of up to {self.largest:.3g} differ by at most {self.values:.1e}"
        return f"{self.observations:,} observations: {values}, {actions}"


@torch.no_grad()
def compare(
    run: Runner, agent: Agent, spec: EpisodeSpec, mask: bool, episodes: int = EPISODES, steps: int = STEPS
) -> Difference:
    """Let a file and the actor of pyqmix's own rollouts see the same random episodes.

    That actor is the extension's, where the extension has the network. Observations are normal, about as large as
    the network's scale says that the environment's are; each action is available with probability 1/2. The file
    gets its own hidden state back at each step, as in use.

    Args:
        run: the file.
        agent: the network.
        spec: the sizes.
        mask: whether the file has the input ``avail``.
        episodes: played side by side.
        steps: of each.
    """
    random = torch.Generator().manual_seed(0)
    actor, rows = create_actor(agent, spec), range(episodes)
    actor.begin(episodes)
    hidden = agent.initial_hidden(episodes)
    scale = torch.ones(spec.obs_dim) if agent.obs_scale is None else agent.obs_scale
    size = (episodes, spec.n_agents)
    differences, largest, regrets, others = *torch.zeros(3, steps), 0
    for step in range(steps):
        obs = torch.randn(*size, spec.obs_dim, generator=random) / scale
        avail = torch.rand(*size, spec.n_actions, generator=random) < 0.5
        avail[..., 0] |= ~avail.any(-1)
        given = {OBS: obs, **({AVAIL: avail} if mask else {}), **({} if hidden is None else {HIDDEN: hidden})}
        outputs = run(given)
        values = torch.from_numpy(actor.values(obs.numpy(), rows))
        differences[step] = (outputs[Q_VALUES] - values).abs().max()
        largest[step] = values.abs().max()
        allowed = torch.where(avail, values, -torch.inf) if mask else values
        chosen = allowed.gather(-1, outputs[ACTIONS].unsqueeze(-1)).squeeze(-1)
        regrets[step] = (allowed.amax(-1) - chosen).max()
        others += int((outputs[ACTIONS] != allowed.argmax(-1)).sum())
        hidden = outputs.get(NEXT_HIDDEN)
    worst, large, regret = (float(each.max()) for each in (differences, largest, regrets))
    return Difference(steps * episodes * spec.n_agents, worst, large, others, regret)

"""SMAX behind the trainer's protocol. Rutherford et al., arXiv:2311.10090."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import AgentInputs, EnvOptions, StepLimit, Task

DEFAULT_TASK = "3m"
MAPS = tuple(_C.smax_scenarios())
"""The names of the maps."""
MOVES = ("up", "right", "down", "left", "stop")
"""The first actions; the others are attacks on enemies 0, 1, ..."""
EPISODE_LIMIT = 101
"""Most steps of an episode: ``jaxmarl`` compares its max_steps of 100 before it counts the last step."""


@dataclass(frozen=True)
class SmaxOptions(EnvOptions, AgentInputs, StepLimit, Task):
    """Options of :class:`SmaxEnv`. The defaults are those of ``jaxmarl`` 0.2.0: the step limit terminates."""


class SmaxEnv(NativeEnv):
    """A battle of a team of n allies against m enemies, which a heuristic leads. Episodes tell whether it was won.

    ``HeuristicEnemySMAX`` of ``jaxmarl`` 0.2.0, bit for bit where XLA does not contract to fused multiply-adds.
    With N = n + m units there are A = 5 + m actions (up, right, down, left, stop, and an attack on each enemy),
    observations of O = 13 (N - 1) + 10 numbers and a state of S = 12 N. A unit's thirteen numbers are health,
    position relative to the observer (x, y), last move (x, y), last attack, cooldown, and its type, all 0 where it
    is dead or out of sight; its ten numbers in the own part are health, position, cooldown and type. The state has
    ten numbers for each unit, then every unit's team, then its type; positions and cooldowns are unscaled there.
    The team's reward is the share of the enemies' health that a step took, plus 1 for the victory.

    Args:
        task: a map: 3m (the default), 8m, 25m, 2s3z, 3s5z, 3s_vs_5z, 6h_vs_8z, 5m_vs_6m, 10m_vs_11m, 27m_vs_30m,
            3s5z_vs_3s6z, smacv2_5_units, smacv2_10_units or smacv2_20_units.
        **options: the other options of :class:`SmaxOptions`.

    Raises:
        ConfigError: there is no such map, or an option is unusable.
    """

    def __init__(self, task: str | None = None, **options: Any) -> None:
        chosen = SmaxOptions(task=task, **options)
        name = chosen.task or DEFAULT_TASK
        try:
            native = _C.SmaxEnv(
                name,
                episode_limit=EPISODE_LIMIT if chosen.episode_limit is None else chosen.episode_limit,
                truncate_at_limit=chosen.truncate_at_limit,
                last_action=chosen.last_action,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.battle = native
        """The game itself: units, and the heuristic as an ally (``heuristic_actions``, once in each step)."""
        super().__init__(name, native, chosen.scale_inputs)
        enemies = self.spec.n_actions - len(MOVES)
        self.action_names = (*MOVES, *(f"attack {enemy}" for enemy in range(enemies)))
        from pyqmix.envs.smax.drawing import ALLY_COLOUR  # of a world, not of its options, which --help lists

        self.agent_colours = (ALLY_COLOUR,) * self.spec.n_agents

    def render(self) -> NDArray[np.uint8]:
        """Draw the battle as (H, W, 3) uint8: see :func:`pyqmix.envs.smax.drawing.draw_battle`."""
        from pyqmix.envs.smax.drawing import draw_battle

        return draw_battle(self.battle, self.spec.episode_limit)


def _make(options: SmaxOptions) -> SmaxEnv:
    return SmaxEnv(**vars(options))


FAMILY = EnvFamily("smax", SmaxOptions, _make, preset="smax", native=True, default_task=DEFAULT_TASK)

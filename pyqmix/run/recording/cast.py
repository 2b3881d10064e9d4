"""The names that an environment gives to its agents and actions, for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyqmix.envs import Env


@dataclass(frozen=True)
class Cast:
    """Names and colours of a team.

    Attributes:
        name: the environment's.
        labels: the n agents' names.
        actions: the A actions' names.
        colours: the n agents' colours in the environment's pictures, such as "#0072b2"; empty where unknown.
        limit: the most steps of an episode.
    """

    name: str
    labels: tuple[str, ...]
    actions: tuple[str, ...]
    colours: tuple[str, ...]
    limit: int

    @classmethod
    def of(cls, env: Env) -> Cast:
        """Read the optional attributes ``agent_labels``, ``action_names`` and ``agent_colours``.

        One that is absent or has another length than the spec's is replaced: by numbers, and by no colours.
        """
        spec = env.spec
        return cls(
            name=env.name,
            labels=_texts(env, "agent_labels", spec.n_agents) or _numbers(spec.n_agents),
            actions=_texts(env, "action_names", spec.n_actions) or _numbers(spec.n_actions),
            colours=_texts(env, "agent_colours", spec.n_agents),
            limit=spec.episode_limit,
        )


def _texts(env: Any, attribute: str, count: int) -> tuple[str, ...]:
    texts = tuple(map(str, getattr(env, attribute, ())))
    return texts if len(texts) == count else ()


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))

"""Errors of the operations."""

from __future__ import annotations


class NoAvailableActionError(ValueError):
    """An agent has no available action in a step that did not terminate.

    Attributes:
        index: where, in the leading dimensions of the operation's inputs.
        agent: which agent.
    """

    def __init__(self, index: tuple[int, ...], agent: int) -> None:
        self.index = index
        self.agent = agent
        names = ("episode", "step") if len(index) == 2 else tuple(f"dim {d}" for d in range(len(index)))
        where = ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))
        super().__init__(
            f"avail: expected an available action for every agent of a step that is not terminated, "
            f"got none at {where or 'the only step'}, agent {agent}"
        )

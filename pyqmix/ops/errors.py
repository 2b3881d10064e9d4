"""Errors of the operations."""

from __future__ import annotations

from collections.abc import Sequence


class NoAvailableActionError(ValueError):
    """An agent has no available action in a step that did not terminate.

    Attributes:
        index: where, in the leading dimensions of the operation's inputs.
        agent: which agent.
        late: whether an earlier call is meant, whose GPU nobody had waited for; see
            :func:`pyqmix.ops.raise_late_errors`.
    """

    def __init__(self, index: tuple[int, ...], agent: int, late: bool = False) -> None:
        self.index, self.agent, self.late = index, agent, late
        names = ("episode", "step") if len(index) == 2 else tuple(f"dim {d}" for d in range(len(index)))
        where = ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))
        super().__init__(
            f"avail: expected an available action for every agent of a step that is not terminated, "
            f"got none at {where or 'the only step'}, agent {agent}"
            + (", of an earlier call on the GPU" if late else "")
        )


def unravel(row: int, lead: Sequence[int]) -> tuple[int, ...]:
    """Turn a row of flattened leading dimensions into an index; the first dimension's size is not used."""
    index = []
    for size in reversed(lead[1:]):
        row, i = divmod(row, size)
        index.append(i)
    return (row, *reversed(index)) if lead else ()

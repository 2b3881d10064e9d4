"""The interface of all that frames go to."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from pyqmix.run.recording.frames import Frame


class Sink(Protocol):
    """Takes frames of one size, in a ``with`` block; a file is complete at the block's end."""

    @property
    def option(self) -> str:
        """The option that asks for it, for messages."""

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more frames, because the user has closed it."""

    def add(self, frame: Frame) -> None:
        """Take the next frame."""

    def __enter__(self) -> Sink:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file; after an exception, leave none behind."""

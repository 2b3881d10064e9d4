"""Frames in a window."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from PIL import Image

from pyqmix.base.errors import ConfigError
from pyqmix.run.recording.frames import Frame

_TICK = 0.01  # seconds between two looks at the window's events


class Screen:
    """A window that shows frames at their pace; closing it, Escape and q end the show.

    Raises:
        ConfigError: Python has no tkinter, or there is no display.
    """

    option = "render"

    def __init__(self) -> None:
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise ConfigError(
                f"render: a window needs tkinter (on Debian the package python3-tk), but {error}"
            ) from None
        self._image_tk: Any = ImageTk
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise ConfigError(f"render: expected a display for the window, but {error}") from None
        self._root.withdraw()
        self._root.title("pyqmix")
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        for key in ("<Escape>", "q"):
            self._root.bind(key, lambda event: self._close())
        self.is_closed = False
        self._due: float | None = None

    def add(self, frame: Frame) -> None:
        """Show the next frame for its time."""
        if self.is_closed:
            return
        image = Image.fromarray(frame.pixels)
        image.thumbnail((0.95 * self._root.winfo_screenwidth(), 0.85 * self._root.winfo_screenheight()))
        photo = self._image_tk.PhotoImage(image, master=self._root)
        self._label.configure(image=photo)
        self._root.deiconify()
        now = time.monotonic()
        self._due = max(now, self._due or now) + frame.seconds
        while not self.is_closed and time.monotonic() < self._due:
            self._root.update()
            time.sleep(_TICK)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_closed:
            self._close()

    def _close(self) -> None:
        self.is_closed = True
        self._root.destroy()

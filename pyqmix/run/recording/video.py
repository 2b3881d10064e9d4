"""Frames as an MP4 video (H.264)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath, replacing
from pyqmix.envs.importing import import_optional
from pyqmix.run.recording.frames import FRAMES_A_SECOND, Frame

_CODEC = "libx264"
_QUALITY = {"crf": "18", "preset": "medium", "tune": "animation"}


class VideoFile:
    """An MP4 file that every player shows: H.264 with 4:2:0 colours.

    Args:
        path: the file, which appears at the end.

    Raises:
        ConfigError: PyAV is not installed, or was built without this encoder.
    """

    option, is_closed = "mp4", False

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)
        self._av: Any = import_optional("av", "mp4: videos", "'pyqmix-marl[video]'")
        if _CODEC not in self._av.codecs_available:
            raise ConfigError(f"mp4: expected an av with the encoder {_CODEC}, as PyPI's wheels have it")
        self._open = ExitStack()
        self._container: Any = None
        self._stream: Any = None

    def add(self, frame: Frame) -> None:
        """Encode the next frame, once for each fifth of a second."""
        with self._naming():
            if self._stream is None:
                self._stream = self._container.add_stream(_CODEC, rate=FRAMES_A_SECOND, options=_QUALITY)
                self._stream.height, self._stream.width = frame.pixels.shape[:2]
                self._stream.pix_fmt = "yuv420p"
            for _ in range(round(frame.seconds * FRAMES_A_SECOND)):
                picture = self._av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
                self._container.mux(self._stream.encode(picture))

    def __enter__(self) -> VideoFile:
        with ExitStack() as opening:
            temporary = opening.enter_context(replacing(self.path))
            with self._naming():
                options = {"movflags": "+faststart"}
                self._container = self._av.open(str(temporary), "w", format="mp4", options=options)
            opening.callback(self._close)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._stream is not None:
            self._open.callback(self._flush)
        self._open.__exit__(kind, error, trace)

    def _flush(self) -> None:
        """Encode the frames that the encoder still holds."""
        with self._naming():
            self._container.mux(self._stream.encode(None))

    def _close(self) -> None:
        with self._naming():
            self._container.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Turn FFmpeg's errors, as of a full disk, into an OSError that names the file."""
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

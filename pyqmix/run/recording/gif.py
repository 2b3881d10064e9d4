"""Frames as a GIF."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyqmix.base.files import AnyPath, replacing
from pyqmix.run.recording.frames import Frame
from pyqmix.run.recording.theme import shades, solid_colours

_ALIKE = 6  # Pillow does not tell colours apart whose channels differ by this or less
_MEAN_ERROR, _ERROR, _SHARE = 1.0, 64, 0.0005  # of a channel; of a pixel, and of how many pixels


class GifFile:
    """A GIF that repeats. Frames are reduced to one byte a pixel.

    The palette has the colours of the first frame and the panel's. One that it does not suit, as an environment
    shows something new, brings the palette of the frames that follow.

    Args:
        path: the file, which is written at the end.
    """

    option, is_closed = "gif", False

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)
        self._images: deque[Image.Image] = deque()
        self._palette: Image.Image | None = None

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        image = Image.fromarray(frame.pixels)
        reduced = None if self._palette is None else _reduce(image, self._palette)
        if reduced is None or not _is_like(reduced, frame.pixels):
            self._palette = _palette(image)
            reduced = _reduce(image, self._palette)
        reduced.info["duration"] = round(1000 * frame.seconds)
        self._images.append(reduced)

    def __enter__(self) -> GifFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._images:
            with replacing(self.path) as temporary:  # a link in its place is not followed
                first = self._images.popleft()
                first.save(temporary, format="GIF", save_all=True, append_images=self._rest(), loop=0, disposal=1)

    def _rest(self) -> Iterator[Image.Image]:
        """Yield the images, each of which is freed as soon as it is written."""
        while self._images:
            yield self._images.popleft()


def save_gif(path: AnyPath, frames: Iterable[Frame]) -> None:
    """Write frames as a GIF, whole or not at all.

    Args:
        path: the file.
        frames: of one size.

    Raises:
        OSError: it cannot be written.
    """
    with GifFile(path) as file:
        for frame in frames:
            file.add(frame)


def _reduce(image: Image.Image, palette: Image.Image) -> Image.Image:
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def _is_like(reduced: Image.Image, pixels: NDArray[np.uint8]) -> bool:
    """Whether neither all of a reduced picture nor a small part of it has visibly other colours."""
    error = np.abs(np.asarray(reduced.convert("RGB"), np.int16) - pixels)
    return bool(error.mean() < _MEAN_ERROR and (error.max(axis=2) > _ERROR).mean() < _SHARE)


def _palette(image: Image.Image) -> Image.Image:
    """Return an image with a palette of the panel's colours, most of which appear later, and of an image's."""
    fixed, solid = np.array(shades()), np.array(solid_colours())
    count = 256 - len(fixed)
    found = np.array(image.quantize(count, dither=Image.Dither.NONE).getpalette()).reshape(-1, 3)[:count]
    apart = np.abs(found[:, None] - solid).max(axis=2).min(axis=1) > _ALIKE
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([fixed, found[apart]]).ravel().tolist())
    return palette

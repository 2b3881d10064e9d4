"""Frames: an environment's picture, enlarged, with the panel to its right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyqmix.base.errors import ConfigError
from pyqmix.run.recording.cast import Cast
from pyqmix.run.recording.episodes import Moment
from pyqmix.run.recording.panel import SHORTEST, Panel, flash
from pyqmix.run.recording.theme import PAPER

FRAMES_A_SECOND, HELD = 5, 1.0  # seconds that an episode's last frame stays
_LONGEST = 1280  # pixels up to which a small picture is enlarged


class Frame(NamedTuple):
    """A frame.

    Attributes:
        pixels: (H, W, 3) uint8, H and W even.
        seconds: how long it is shown.
    """

    pixels: NDArray[np.uint8]
    seconds: float


class Stage:
    """Makes the frames of a recording.

    Small pictures are enlarged by a whole factor: so that the shorter side has at least 480 pixels, but the longer
    one at most 1,280. Frames have at least 480 pixels in each direction.

    Args:
        cast: names and colours.
        subtitle: the line below the environment's name.
        episodes: how many are drawn.
        size: (H, W) of the environment's pictures.
    """

    def __init__(self, cast: Cast, subtitle: str, episodes: int, size: tuple[int, int]) -> None:
        self._cast, self._size = cast, size
        self._factor = max(1, min(-(-SHORTEST // min(size)), _LONGEST // max(size)))
        height, width = (self._factor * side for side in size)
        self._border = max(height, SHORTEST) // 60
        self._panel = Panel(cast, subtitle, episodes, height + 2 * self._border)
        top, right = (self._panel.height - height) // 2, width + 2 * self._border
        self._place, self._box = (self._border, top), (0, top - self._border, right, top + height + self._border)
        self._shape = (_even(right + self._panel.width), _even(self._panel.height))

    def frame(self, moment: Moment) -> Frame:
        """Make the frame of a moment.

        Raises:
            ConfigError: its picture has another size than the first one.
        """
        if moment.picture.shape[:2] != self._size:
            raise ConfigError(
                f"environment {self._cast.name} cannot be drawn: expected pictures of {self._size}, as the first, "
                f"got {moment.picture.shape[:2]}"
            )
        image = Image.new("RGB", self._shape, PAPER)
        if (colour := flash(moment.reward)) is not None:
            image.paste(colour, self._box)  # a border around the picture
        picture = moment.picture.repeat(self._factor, axis=0).repeat(self._factor, axis=1)
        image.paste(Image.fromarray(picture), self._place)
        image.paste(self._panel.draw(moment), (self._box[2], 0))
        return Frame(np.asarray(image), HELD if moment.ended else 1 / FRAMES_A_SECOND)


def _even(length: int) -> int:
    """Round up to an even number, which a video needs."""
    return length + length % 2

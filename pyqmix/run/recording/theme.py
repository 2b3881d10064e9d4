"""Fonts and colours of the panel, which colour-blind viewers tell apart by lightness too."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, GREY, LINE = "#ffffff", "#1f2329", "#5b626b", "#d5d9de"
REWARD, LOSS, SUCCESS, FAILURE = "#f5b400", "#8c2d6f", "#00664d", "#a33f00"
ON_COLOUR = {REWARD: INK, LOSS: PAPER, SUCCESS: PAPER, FAILURE: PAPER, INK: PAPER}
"""The colour of text on each background."""
_BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SMOOTH = 4  # masks are drawn larger by this factor


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with matplotlib, at a size in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(64)
def rounded(width: int, height: int, radius: int) -> Image.Image:
    """Return the mask of a rectangle with round, smooth corners: a disc where the radius is half a side."""
    mask = Image.new("L", (_SMOOTH * width, _SMOOTH * height))
    box = (0, 0, _SMOOTH * width - 1, _SMOOTH * height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, _SMOOTH * radius, fill=255)
    return mask.reduce(_SMOOTH)


def solid_colours() -> list[tuple[int, int, int]]:
    """Return the colours of the panel's areas."""
    return sorted(_blend(colour, colour, 0.0) for colour in (PAPER, *ON_COLOUR))


def shades() -> list[tuple[int, int, int]]:
    """Return the panel's colours, and those of the smoothed edges of its text."""
    pairs = [(PAPER, INK), (PAPER, GREY), (LINE, LINE), *ON_COLOUR.items()]
    return sorted({_blend(one, other, share) for one, other in pairs for share in _BLENDS})


def _blend(one: str, other: str, share: float) -> tuple[int, int, int]:
    first, second = (bytes.fromhex(colour[1:]) for colour in (one, other))
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue

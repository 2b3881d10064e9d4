"""Pictures of a Level-Based Foraging board, without a display."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pyqmix import _C

_SHORT, _LONG = 456, 1200  # pixels of a board's shorter side at least, of its longer one at most
_CELL, _SMOOTH, _MARGIN = 48, 3, 12  # pixels of a cell and of the border; drawn larger, then scaled down
_PAPER, _GRASS, _OTHER_GRASS = "#f6f1e4", "#dfe9c9", "#d3e0b8"
_APPLE, _SHINE, _STALK, _LEAF = "#c8402f", "#e9897c", "#6b4a2b", "#5c8a3a"
_PLAYERS = ("#2f6fa8", "#d98e1f", "#7a4fa3", "#2a8c82", "#b3446c", "#5d6673", "#8a6d3b", "#3f51a3", "#9a3b3b")


def draw_board(world: _C.LbfEnv, rules: _C.LbfRules) -> NDArray[np.uint8]:
    """Draw apples and players with their levels, and how far the episode is, as (H, W, 3) uint8."""
    cell = max(_CELL, -(-_SHORT // min(rules.rows, rules.cols)))
    cell = max(8, min(cell, _LONG // max(rules.rows, rules.cols))) * _SMOOTH
    margin = _MARGIN * _SMOOTH
    size = (rules.cols * cell + 2 * margin, rules.rows * cell + 3 * margin)
    image = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(image)
    for row in range(rules.rows):
        for col in range(rules.cols):
            x, y = margin + col * cell, margin + row * cell
            draw.rectangle((x, y, x + cell, y + cell), fill=(_GRASS, _OTHER_GRASS)[(row + col) % 2])
    font = ImageFont.load_default(cell * 0.36)
    for row, col, level in world.food:
        _apple(draw, font, margin + col * cell, margin + row * cell, cell, level)
    colours = player_colours(len(world.players))
    for (row, col, level), colour in zip(world.players, colours, strict=True):
        _player(draw, font, margin + col * cell, margin + row * cell, cell, level, colour)
    _progress(draw, size, margin, world.steps / rules.max_episode_steps)
    smaller = image.resize((size[0] // _SMOOTH, size[1] // _SMOOTH), Image.Resampling.LANCZOS)
    return np.asarray(smaller)


def player_colours(count: int) -> tuple[str, ...]:
    """Return the colours of the first players in a picture."""
    return tuple(_PLAYERS[index % len(_PLAYERS)] for index in range(count))


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _apple(draw: ImageDraw.ImageDraw, font: _Font, x: float, y: float, cell: float, level: int) -> None:
    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return x + left * cell, y + top * cell, x + right * cell, y + bottom * cell

    draw.line((*box(0.5, 0.12, 0.5, 0.3),), fill=_STALK, width=max(1, round(cell * 0.05)))
    draw.ellipse(box(0.5, 0.1, 0.72, 0.22), fill=_LEAF)
    draw.ellipse(box(0.16, 0.24, 0.6, 0.86), fill=_APPLE)
    draw.ellipse(box(0.4, 0.24, 0.84, 0.86), fill=_APPLE)
    draw.ellipse(box(0.25, 0.34, 0.36, 0.5), fill=_SHINE)
    draw.text((x + 0.5 * cell, y + 0.56 * cell), str(level), fill="white", font=font, anchor="mm")


def _player(
    draw: ImageDraw.ImageDraw, font: _Font, x: float, y: float, cell: float, level: int, colour: str
) -> None:
    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return x + left * cell, y + top * cell, x + right * cell, y + bottom * cell

    draw.rounded_rectangle(box(0.2, 0.4, 0.8, 0.92), radius=cell * 0.2, fill=colour)
    draw.ellipse(box(0.32, 0.08, 0.68, 0.44), fill=colour, outline=_PAPER, width=max(1, round(cell * 0.03)))
    draw.text((x + 0.5 * cell, y + 0.67 * cell), str(level), fill="white", font=font, anchor="mm")


def _progress(draw: ImageDraw.ImageDraw, size: tuple[int, int], margin: int, share: float) -> None:
    top, bottom, width = size[1] - 1.2 * margin, size[1] - 0.8 * margin, size[0] - 2 * margin
    draw.rectangle((margin, top, margin + width, bottom), fill=_OTHER_GRASS)
    draw.rectangle((margin, top, margin + min(1.0, share) * width, bottom), fill=_STALK)

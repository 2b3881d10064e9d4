"""Pictures of a SMAX battle, without a display."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pyqmix import _C
from pyqmix.envs.smax.units import UNIT_TYPES, UnitType

_MAP = 32  # cells in each direction
_SMOOTH = 2  # drawn larger by this factor, then scaled down
_CELL, _MARGIN, _HEADER, _FOOTER = (_SMOOTH * pixels for pixels in (28, 16, 64, 32))
_LINE, _SIDE = _SMOOTH, _MAP * _CELL
_FIRST_ATTACK = 5  # action
_STEP_SECONDS = 0.5

# Blue and vermilion of Okabe and Ito, which colour-blind people tell apart, and their pale tones.
_TEAMS, _DEAD = ("#0072b2", "#d55e00"), ("#94b7cc", "#dcae90")
ALLY_COLOUR = _TEAMS[0]
_PAPER, _GROUND, _GRID, _INK, _GREY, _HEALTH = "#ffffff", "#f4f2ec", "#e7e4da", "#30343a", "#8d9097", "#2f9e63"


class _Unit(NamedTuple):
    number: int  # in its team
    team: int  # 0: allies, 1: enemies
    type: UnitType
    x: float
    y: float
    health: float
    target: int  # of its attack, among all units; -1: none

    @property
    def at(self) -> tuple[float, float]:
        return _MARGIN + self.x * _CELL, _HEADER + (_MAP - self.y) * _CELL

    @property
    def radius(self) -> float:
        return self.type.radius * _CELL


def draw_battle(battle: _C.SmaxEnv, limit: int) -> NDArray[np.uint8]:
    """Draw all units with their health, ranges and attacks, and how far the episode is, as (H, W, 3) uint8.

    Shapes tell types, colours teams, numbers agents and their targets; a cross marks the dead. A team's ranges
    of attack are one area. A line leads from a unit that attacked in the last step to its target, also where the
    weapon was still cooling down.

    Args:
        battle: the world.
        limit: the most steps of an episode.
    """
    units = _read(battle)
    living = [unit for unit in units if unit.health > 0]
    image = _empty_map().copy()
    for team in (1, 0):
        _draw_ranges(image, [unit for unit in living if unit.team == team], _TEAMS[team])
    draw = ImageDraw.Draw(image)
    for unit in units:
        if unit.health <= 0:
            _draw_cross(draw, *unit.at, unit.radius * 0.7, _DEAD[unit.team])
    for unit in reversed(living):  # allies on top
        _draw_body(draw, *unit.at, unit.radius, unit.type, _TEAMS[unit.team])
    for unit, target in _attacks(units):
        _draw_attack(draw, unit, target)
    for unit in living:
        _draw_health(draw, unit)
    for unit in living:
        _draw_number(draw, unit)
    _draw_header(draw, units, battle, limit)
    _draw_legend(draw, [kind for kind in UNIT_TYPES if any(unit.type is kind for unit in units)])
    return np.asarray(image.reduce(_SMOOTH))


def _read(battle: _C.SmaxEnv) -> list[_Unit]:
    read, allies = battle.units(), battle.n_allies
    units = []
    for i, action in enumerate(read["actions"].tolist()):
        team = int(i >= allies)
        attack = action - _FIRST_ATTACK
        # Each team numbers the other from the units that stand next to it in the list.
        target = (allies + attack, allies - 1 - attack)[team] if attack >= 0 else -1
        x, y = read["positions"][i].tolist()
        kind = UNIT_TYPES[read["types"][i]]
        units.append(_Unit(i - team * allies, team, kind, x, y, float(read["health"][i]), target))
    return units


def _attacks(units: list[_Unit]) -> Iterator[tuple[_Unit, _Unit]]:
    """Yield living attackers and their targets, if these can have been in range when the step began."""
    for unit in units:
        if unit.health <= 0 or unit.target < 0:
            continue
        target = units[unit.target]
        reach = unit.type.attack_range + target.type.velocity * _STEP_SECONDS
        if math.hypot(unit.x - target.x, unit.y - target.y) < reach:
            yield unit, target


@functools.cache
def _empty_map() -> Image.Image:
    image = Image.new("RGB", (_SIDE + 2 * _MARGIN, _HEADER + _SIDE + _FOOTER + _MARGIN // 2), _PAPER)
    border = _MARGIN // 2
    wall = Image.new("RGB", (_SIDE + 2 * border, _SIDE + 2 * border), _INK)
    draw = ImageDraw.Draw(wall)
    for start in range(-wall.width, wall.width, _MARGIN):
        draw.line((start, wall.width, start + wall.width, 0), fill=_GREY, width=_MARGIN * 2 // 5)
    draw.rectangle((border, border, border + _SIDE - 1, border + _SIDE - 1), fill=_GROUND)
    for line in range(border + 4 * _CELL, border + _SIDE, 4 * _CELL):
        draw.line((line, border, line, border + _SIDE - 1), fill=_GRID, width=_LINE)
        draw.line((border, line, border + _SIDE - 1, line), fill=_GRID, width=_LINE)
    image.paste(wall, (_MARGIN - border, _HEADER - border))
    return image


def _draw_ranges(image: Image.Image, units: list[_Unit], colour: str) -> None:
    mask = Image.new("L", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(mask)
    for inset, opacity in ((0, 110), (_LINE, 16)):  # all outlines first, then the inner parts
        for unit in units:
            x, y = unit.at
            radius = unit.type.attack_range * _CELL - inset
            draw.circle((x - _MARGIN, y - _HEADER), radius, fill=opacity)
    box = mask.getbbox()
    if box is not None:
        image.paste(
            colour, (_MARGIN + box[0], _HEADER + box[1], _MARGIN + box[2], _HEADER + box[3]), mask.crop(box)
        )


def _draw_body(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, kind: UnitType, colour: str) -> None:
    if kind.corners == 0:
        draw.circle((x, y), radius, fill=colour, outline=_PAPER, width=_LINE)
        return
    outer = radius * (1.6 if kind.corners == 3 else 1.15)  # of a polygon about as large as the disc
    angles = [math.radians(kind.turn + 360 * k / kind.corners) for k in range(kind.corners)]
    corners = [(x + outer * math.cos(angle), y - outer * math.sin(angle)) for angle in angles]
    draw.polygon(corners, fill=colour, outline=_PAPER, width=_LINE)


def _draw_number(draw: ImageDraw.ImageDraw, unit: _Unit) -> None:
    (x, y), font = unit.at, ImageFont.load_default(_CELL * (0.46 if unit.number < 10 else 0.42))
    draw.text((x, y + _LINE), str(unit.number), fill=_PAPER, font=font, anchor="mm")


def _draw_health(draw: ImageDraw.ImageDraw, unit: _Unit) -> None:
    (x, y), half = unit.at, 0.9 * unit.radius
    top = y - unit.radius - 2 * _LINE
    _draw_bar(draw, (x - half, top, x + half, top + 5 * _LINE), unit.health / unit.type.health, _HEALTH)


def _draw_bar(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], share: float, colour: str
) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=_PAPER, outline=_INK, width=_LINE)
    end = left + _LINE + min(1.0, share) * (right - left - 2 * _LINE)
    if share > 0:
        draw.rectangle((left + _LINE, top + _LINE, end, bottom - _LINE), fill=colour)


def _draw_cross(draw: ImageDraw.ImageDraw, x: float, y: float, arm: float, colour: str) -> None:
    for sign in (1, -1):
        draw.line((x - arm, y - sign * arm, x + arm, y + sign * arm), fill=colour, width=3 * _LINE)


def _draw_attack(draw: ImageDraw.ImageDraw, unit: _Unit, target: _Unit) -> None:
    (x, y), (to_x, to_y) = unit.at, target.at
    length = math.hypot(to_x - x, to_y - y) or 1.0
    dx, dy = (to_x - x) / length, (to_y - y) / length
    aside_x, aside_y = -2 * _LINE * dy, 2 * _LINE * dx  # units that attack each other have two lines
    x, y = x + unit.radius * dx + aside_x, y + unit.radius * dy + aside_y
    to_x, to_y = to_x - 0.6 * target.radius * dx + aside_x, to_y - 0.6 * target.radius * dy + aside_y
    for colour, more in ((_PAPER, _LINE), (_TEAMS[unit.team], 0)):
        draw.line((x, y, to_x, to_y), fill=colour, width=2 * _LINE + 2 * more)
        draw.circle((to_x, to_y), 2.5 * _LINE + more, fill=colour)


def _draw_header(draw: ImageDraw.ImageDraw, units: list[_Unit], battle: _C.SmaxEnv, limit: int) -> None:
    font, width = ImageFont.load_default(18 * _LINE), 0.34 * _SIDE
    line, top = 15 * _LINE, 31 * _LINE
    for team, (name, left) in enumerate((("allies", _MARGIN), ("enemies", _MARGIN + _SIDE - width))):
        own = [unit for unit in units if unit.team == team]
        text = f"{name}: {sum(unit.health > 0 for unit in own)} of {len(own)}"
        draw.text((left, line), text, fill=_TEAMS[team], font=font, anchor="lm")
        share = sum(unit.health for unit in own) / sum(unit.type.health for unit in own)
        _draw_bar(draw, (left, top, left + width, top + 9 * _LINE), share, _TEAMS[team])
    middle = _MARGIN + _SIDE / 2
    draw.text((middle, line), f"step {battle.steps} of {limit}", fill=_INK, font=font, anchor="mm")
    result, colour = _result(units, battle, limit)
    if result:
        half = 4 * _CELL
        draw.rectangle((middle - half, top - 4 * _LINE, middle + half, top + 17 * _LINE), fill=colour)
        draw.text((middle, top + 6.5 * _LINE), result, fill=_PAPER, font=font, anchor="mm")


def _result(units: list[_Unit], battle: _C.SmaxEnv, limit: int) -> tuple[str, str]:
    """Return the outcome and its colour; it is empty while the battle goes on."""
    if battle.won:
        return "won", _TEAMS[0]
    if any(unit.health > 0 and unit.team == 0 for unit in units):
        return ("out of time", _INK) if battle.steps >= limit else ("", "")
    return ("lost", _TEAMS[1]) if any(unit.health > 0 for unit in units) else ("draw", _INK)


def _draw_legend(draw: ImageDraw.ImageDraw, kinds: list[UnitType]) -> None:
    font, radius = ImageFont.load_default(15 * _LINE), 0.36 * _CELL
    x, y = _MARGIN + radius, _HEADER + _SIDE + _FOOTER * 0.6
    for kind in kinds:
        _draw_body(draw, x, y, radius, kind, _INK)
        draw.text((x + 1.6 * radius, y), kind.name, fill=_INK, font=font, anchor="lm")
        x += 4.2 * radius + draw.textlength(kind.name, font=font)
    for colour in _DEAD:
        _draw_cross(draw, x, y, 0.8 * radius, colour)
        x += 2.2 * radius
    draw.text((x - 0.6 * radius, y), "dead", fill=_INK, font=font, anchor="lm")
    draw.text((_MARGIN + _SIDE, y), "the border kills", fill=_INK, font=font, anchor="rm")

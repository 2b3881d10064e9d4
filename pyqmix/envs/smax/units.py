"""The types of SMAX's units, with the numbers of csrc/envs/smax/scenario.h that a picture needs."""

from __future__ import annotations

from typing import NamedTuple


class UnitType(NamedTuple):
    """A type of unit.

    Attributes:
        name: its name in StarCraft.
        radius: cells.
        attack_range: cells.
        velocity: cells a second.
        health: at an episode's start.
        corners: of the shape that stands for it; 0 is a disc.
        turn: degrees from the positive x axis to a corner.
    """

    name: str
    radius: float
    attack_range: float
    velocity: float
    health: float
    corners: int
    turn: float


UNIT_TYPES = (
    UnitType("marine", 0.375, 5.0, 3.15, 45.0, 0, 0.0),
    UnitType("marauder", 0.5625, 6.0, 2.25, 125.0, 4, 45.0),
    UnitType("stalker", 0.625, 6.0, 4.13, 160.0, 4, 0.0),
    UnitType("zealot", 0.5, 2.0, 3.15, 150.0, 5, 90.0),
    UnitType("zergling", 0.375, 2.0, 4.13, 35.0, 3, 90.0),
    UnitType("hydralisk", 0.625, 5.0, 3.15, 80.0, 6, 0.0),
)

"""Line charts as SVG. Matplotlib takes a hundred times as long, and every run draws them at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 14, 30
_MOST = 400  # points of a line
_LOG = 50.0  # a larger ratio of the largest to the smallest value has a logarithmic axis

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for the legend.
        points: (x, y), x rising.
        band: (x, low, high) of an area around it.
    """

    name: str
    points: Points
    band: Sequence[tuple[float, float, float]] = ()


class _Axis:
    """Maps values to a range of pixels, and has round numbers as ticks."""

    def __init__(self, low: float, high: float, first: float, last: float, logarithmic: bool = False) -> None:
        self._log = logarithmic
        low, high = self._of(low), self._of(high)
        if high <= low:
            low, high = low - 0.5, high + 0.5
        self._low, self._high, self._first, self._last = low, high, first, last

    def place(self, value: float) -> float:
        share = (self._of(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self, most: int = 5) -> list[float]:
        if self._log:
            exponents = range(math.ceil(self._low), math.floor(self._high) + 1)
            if len(exponents) >= 2:
                return [10.0**k for k in exponents][:: -(-len(exponents) // most)]
            ends = (self._low, (self._low + self._high) / 2, self._high)
            return [float(f"{10**end:.1g}") for end in ends if self._is_inside(float(f"{10**end:.1g}"))]
        rough = (self._high - self._low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * k for k in (1, 2, 5, 10) if unit * k >= rough)
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]

    def _of(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def _is_inside(self, value: float) -> bool:
        return self._low - 1e-9 <= self._of(value) <= self._high + 1e-9


def chart(title: str, lines: Sequence[Line], bounds: tuple[float, float] | None = None) -> str:
    """Draw lines over environment steps.

    Args:
        title: above the chart.
        lines: those without a finite point are left out.
        bounds: of the vertical axis; None takes them from the values.

    Returns:
        A ``<figure>``; nothing where no line has a point.
    """
    lines = [line for line in map(_finite, lines) if line.points]
    if not lines:
        return ""
    ys = [
        y for line in lines for y in [*(p[1] for p in line.points), *(e for _, *ends in line.band for e in ends)]
    ]
    xs = [x for line in lines for x, _ in line.points]
    logarithmic = bounds is None and min(ys) > 0 and max(ys) / min(ys) > _LOG
    low, high = bounds or (min(ys), max(ys))
    across = _Axis(min(0.0, *xs), max(xs), _LEFT, WIDTH - _RIGHT)
    up = _Axis(low, high, HEIGHT - _BOTTOM, _TOP, logarithmic)
    drawn = "".join(_line(line, across, up, number) for number, line in enumerate(lines))
    last = " ".join(
        f'<i class="t{number}">{escape(line.name)} {_number(line.points[-1][1])}</i>'
        for number, line in enumerate(lines)
    )
    caption = f"<figcaption><b>{escape(title)}</b><span>{last}</span></figcaption>"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return f"<figure>{caption}{svg}{_grid(across, up)}{drawn}</svg></figure>"


def _finite(line: Line) -> Line:
    kept = [point for point in line.points if all(map(math.isfinite, point))]
    band = [ends for ends in line.band if all(map(math.isfinite, ends))]
    return Line(line.name, _thinned(kept), _thinned(band))


def _thinned(points: Sequence[tuple[float, ...]]) -> list[tuple]:  # type: ignore[type-arg]
    """Leave out points in equal distances, but for the last."""
    every = -(-len(points) // _MOST) or 1
    return [*points[:-1:every], *points[-1:]]


def _grid(across: _Axis, up: _Axis) -> str:
    rows = "".join(
        f'<path class="g" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_number(value)}</text>'
        for value in up.ticks()
        for y in [up.place(value)]
    )
    columns = "".join(
        f'<text x="{across.place(value):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{_number(value)}</text>'
        for value in across.ticks()
    )
    return rows + columns


def _line(line: Line, across: _Axis, up: _Axis, number: int) -> str:
    def path(points: Points) -> str:
        return "L".join(f"{across.place(x):.1f} {up.place(y):.1f}" for x, y in points)

    band = ""
    if line.band:
        there = path([(x, high) for x, _, high in line.band])
        back = path([(x, low) for x, low, _ in reversed(line.band)])
        band = f'<path class="b c{number}" d="M{there}L{back}Z"/>'
    x, y = line.points[-1]
    end = f'<circle class="c{number}" cx="{across.place(x):.1f}" cy="{up.place(y):.1f}" r="2.5"/>'
    return f'{band}<path class="l c{number}" d="M{path(line.points)}"/>{end}'


def _number(value: float) -> str:
    """Write a number of an axis: 1.5M, 20k, 0.25, 1e-6."""
    size = abs(value)
    for unit, text in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.3g}{text}"
    return f"{value:.3g}" if size >= 1e-3 or size == 0 else f"{value:.0e}".replace("e-0", "e-")

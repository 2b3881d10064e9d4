"""The panel to the right of an environment's picture: each agent's action and value, rewards, and the outcome."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from pyqmix.run.recording.cast import Cast
from pyqmix.run.recording.episodes import Moment
from pyqmix.run.recording.theme import (
    FAILURE,
    GREY,
    INK,
    LINE,
    LOSS,
    ON_COLOUR,
    PAPER,
    REWARD,
    SUCCESS,
    font,
    rounded,
)

SHORTEST = 480  # pixels
_WIDTH, _MARGIN, _TABLE, _BANNER = 290, 14, 162, 52  # at a scale of 1
_ROW, _LOWEST_ROW, _FEWEST_PIXELS = 38, 13, 18  # height of an agent's row


class Panel:
    """Draws the panel.

    Args:
        cast: names and colours.
        subtitle: the line below the environment's name.
        episodes: how many are drawn.
        height: at least this many pixels.
    """

    def __init__(self, cast: Cast, subtitle: str, episodes: int, height: int) -> None:
        self._cast, self._subtitle, self._episodes = cast, subtitle, episodes
        self._scale = max(height, SHORTEST) / SHORTEST
        n = len(cast.labels)
        room = max(height, SHORTEST) - self._px(_TABLE + _BANNER)
        self._row = max(min(self._px(_ROW), room // n), self._px(_LOWEST_ROW), _FEWEST_PIXELS)
        self._font = font(max(10, round(0.62 * self._row)))
        self._numbered = all(label.isdecimal() for label in cast.labels)
        self._discs = self._numbered or bool(cast.colours)  # an agent with a name but no colour has none
        names = 0.0 if self._numbered else max(self._font.getlength(label) for label in cast.labels)
        heading = font(self._px(12.5)).getlength("agent")
        self._label_width = max(heading, names + self._row * self._discs) + self._px(18)
        action = max(self._font.getlength(action) for action in cast.actions)
        value = self._font.getlength("−88.88")
        self.width = math.ceil(
            max(self._px(_WIDTH), self._label_width + action + value + self._px(2 * _MARGIN + 10))
        )
        self.height = max(height, SHORTEST, self._px(_TABLE + _BANNER) + n * self._row)

    def draw(self, moment: Moment) -> Image.Image:
        """Draw the panel of a moment."""
        image = Image.new("RGB", (self.width, self.height), PAPER)
        draw = ImageDraw.Draw(image)
        self._draw_heading(draw)
        self._draw_counts(draw, moment)
        self._draw_reward(image, draw, moment.reward)
        self._draw_agents(image, draw, moment)
        if moment.ended:
            self._draw_outcome(image, draw, moment)
        return image

    def _draw_heading(self, draw: ImageDraw.ImageDraw) -> None:
        self._text(draw, (_MARGIN, 21), self._cast.name, 17, INK, bold=True)
        self._text(draw, (_MARGIN, 42), self._subtitle, 12.5, GREY)

    def _draw_counts(self, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        """Draw episode, step and return in three columns."""
        columns = (
            ("episode", f"{moment.episode + 1} of {self._episodes}", 0.3),
            ("step", f"{moment.steps} of {self._cast.limit}", 0.42),
            ("return", number(moment.total), 0.28),
        )
        left, inner = float(_MARGIN), self._inner
        for caption, value, share in columns:
            self._text(draw, (left, 66), caption, 12.5, GREY)
            self._text(draw, (left, 86), value, 17, INK, bold=True, width=share * inner - 4)
            left += share * inner

    def _draw_reward(self, image: Image.Image, draw: ImageDraw.ImageDraw, reward: float) -> None:
        left, top, width, height = (self._px(x) for x in (_MARGIN, 103, self._inner, 33))
        colour, middle = flash(reward), self.width / self._scale / 2
        image.paste(colour or LINE, (left, top), rounded(width, height, self._px(6)))
        if colour is None:
            line = max(1, self._px(1))
            inside = rounded(width - 2 * line, height - 2 * line, self._px(5))
            image.paste(PAPER, (left + line, top + line), inside)
            self._text(draw, (middle, 119.5), "no reward", 12.5, GREY, anchor="mm")
        else:
            text = f"reward {'+' if reward > 0 else ''}{number(reward)}"
            self._text(draw, (middle, 119.5), text, 18, ON_COLOUR[colour], bold=True, anchor="mm")

    def _draw_agents(self, image: Image.Image, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        """Draw a row for each agent: its label, its action and the action's value; grey if it had no choice."""
        left, right, middle = self._px(_MARGIN), self.width - self._px(_MARGIN), self._px(_TABLE - 10)
        actions_left, small = left + self._label_width, font(self._px(12.5))
        for x, text, anchor in ((left, "agent", "lm"), (actions_left, "action", "lm"), (right, "Q", "rm")):
            draw.text((x, middle), text, fill=GREY, font=small, anchor=anchor)
        for agent, label in enumerate(self._cast.labels):
            y = self._px(_TABLE) + (agent + 0.5) * self._row
            self._draw_label(image, draw, left, y, agent, label)
            action, value, colour = "–", "–", GREY
            if moment.actions is not None and moment.values is not None and moment.chose is not None:
                action, value = self._cast.actions[moment.actions[agent]], number(moment.values[agent], 2)
                colour = INK if moment.chose[agent] else GREY
            draw.text((actions_left, y), action, fill=colour, font=self._font, anchor="lm")
            draw.text((right, y), value, fill=colour, font=self._font, anchor="rm")

    def _draw_label(
        self, image: Image.Image, draw: ImageDraw.ImageDraw, left: int, y: float, agent: int, label: str
    ) -> None:
        """Draw an agent's label: a number in a disc of its colour, a name behind such a disc."""
        radius = round(0.42 * self._row)
        if self._discs:
            colour = self._cast.colours[agent] if self._cast.colours else INK
            image.paste(colour, (left, round(y) - radius), rounded(2 * radius, 2 * radius, radius))
        if self._numbered:
            inside = font(max(9, round(0.5 * self._row)), bold=True)
            draw.text((left + radius, y), label, fill=PAPER, font=inside, anchor="mm")
        else:
            draw.text((left + self._row * self._discs, y), label, fill=INK, font=self._font, anchor="lm")

    def _draw_outcome(self, image: Image.Image, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        if moment.won is None:
            text, colour = f"return {number(moment.total)}", INK
        else:
            text, colour = ("success", SUCCESS) if moment.won else ("failure", FAILURE)
        left, width, height, bottom = (self._px(x) for x in (_MARGIN, self._inner, 36, 8))
        top = self.height - bottom - height
        image.paste(colour, (left, top), rounded(width, height, self._px(6)))
        middle = self.width / self._scale / 2, (top + height / 2) / self._scale
        self._text(draw, middle, text, 19, ON_COLOUR[colour], bold=True, anchor="mm")

    @property
    def _inner(self) -> float:
        """The width between the margins, at a scale of 1."""
        return self.width / self._scale - 2 * _MARGIN

    def _text(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        size: float,
        colour: str,
        bold: bool = False,
        anchor: str = "lm",
        width: float | None = None,
    ) -> None:
        """Draw text, smaller than ``size`` if it has no room in ``width`` (all at a scale of 1)."""
        most = self._scale * (self._inner if width is None else width)
        used = font(self._px(size), bold)
        if (length := used.getlength(text)) > most:
            used = font(max(8, int(self._px(size) * most / length)), bold)
        draw.text((at[0] * self._scale, at[1] * self._scale), text, fill=colour, font=used, anchor=anchor)

    def _px(self, length: float) -> int:
        return round(self._scale * length)


def flash(reward: float) -> str | None:
    """Return the colour that marks a step with this reward; None for a step without one."""
    if reward == 0:
        return None
    return REWARD if reward > 0 else LOSS


def number(value: float, decimals: int | None = None) -> str:
    """Write a number in few characters, with a true minus; ``decimals`` None: more of them for a small one."""
    size = abs(value)
    if decimals is None:
        decimals = 3 if 0 < size < 0.0995 else 2
    if (0 < size < 0.0005 and decimals == 3) or size >= 1e6:
        text = f"{value:.1e}"
    else:
        text = f"{value:.{decimals if size < 100 else 0}f}"
    return text.replace("-", "−") if text.strip("-0.") else text.strip("-")

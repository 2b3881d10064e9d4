"""A recording's frames: enlarged pictures, and the panel that tells of actions, values and rewards."""

import numpy as np
import pytest
from recordings import CAST, Drawn, acted, frame

from pyqmix import ConfigError
from pyqmix.envs import make_env
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.run.recording.cast import Cast
from pyqmix.run.recording.episodes import Moment, draw
from pyqmix.run.recording.frames import Stage
from pyqmix.run.recording.panel import number


@pytest.mark.parametrize(
    ("size", "factor"), [((20, 30), 24), ((500, 700), 1), ((479, 479), 2), ((100, 500), 2), ((1300, 90), 1)]
)
def test_small_pictures_are_enlarged_by_whole_factors(size, factor):
    marked = np.zeros((*size, 3), np.uint8)
    marked[0, 0] = 200
    pixels = Stage(CAST, "qmix", 3, size).frame(Moment(marked, 0)).pixels
    assert min(pixels.shape[:2]) >= 480
    assert pixels.shape[0] % 2 == pixels.shape[1] % 2 == 0
    assert (pixels == 200).all(axis=2).sum() == factor**2


def test_the_panel_tells_apart_what_it_shows():
    shown = [
        {},
        acted(),
        acted(steps=2),
        acted(actions=np.array([1, 1])),
        acted(values=np.array([0.5, 1.25], np.float32)),
        acted(chose=np.array([True, False])),
        acted(reward=1.0),
        acted(reward=2.0),
        acted(reward=-1.0),
        acted(total=3.0),
        acted(episode=1),
        acted(ended=True),
        acted(ended=True, total=3.0),
        acted(ended=True, won=True),
        acted(ended=True, won=False),
    ]
    assert len({frame(**moment).tobytes() for moment in shown}) == len(shown)


def test_a_reward_flashes_around_the_picture_and_in_the_panel():
    plain, paid = frame(**acted()), frame(**acted(reward=0.5))
    colour = np.array([0xF5, 0xB4, 0x00])
    assert not (plain == colour).all(axis=2).any()
    assert (paid[0:4, 0:4] == colour).all()
    changed = (plain != paid).any(axis=2)
    assert changed[:, -290:].any()
    picture = slice(20, 480)
    assert not changed[picture, picture].any()


@pytest.mark.parametrize(
    ("won", "colour"), [(True, (0, 0x66, 0x4D)), (False, (0xA3, 0x3F, 0)), (None, (31, 35, 41))]
)
def test_the_outcome_stands_below(won, colour):
    last, before = frame(**acted(ended=True, won=won)), frame(**acted())
    below = last[-40:-10, -270:-20].reshape(-1, 3)
    assert (below == colour).all(axis=1).mean() > 0.5
    assert (before[-40:-10, -270:-20] == 255).all()


def test_every_agent_has_room():
    many = Cast("game", tuple(map(str, range(60))), ("stay", "go"), (), 4)
    ones = {"values": np.ones(60, np.float32), "chose": np.ones(60, np.bool_), "steps": 1}
    images = [frame(cast=many, actions=np.eye(60, dtype=np.int64)[k], **ones) for k in (0, 30, 59)]
    rows = [np.flatnonzero((image != frame(cast=many, actions=np.zeros(60, np.int64), **ones)).any(axis=(1, 2)))
            for image in images]  # fmt: skip
    assert all(len(r) > 5 for r in rows)
    assert rows[0].max() < rows[1].min() < rows[1].max() < rows[2].min()


def test_long_names_widen_the_panel():
    named = Cast("game", ("adversary_0", "agent_0"), ("stay where you are", "go"), (), 4)
    assert frame(cast=named, **acted()).shape[1] > frame(**acted()).shape[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.0, "0.00"), (0.5, "0.50"), (-12.345, "−12.35"), (0.02, "0.020"), (0.0001, "1.0e−04"),
     (-0.0996, "−0.10"), (1234.5, "1234"), (3e7, "3.0e+07")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_numbers_with_decimals():
    assert [number(x, 2) for x in (0.004, -0.004, -0.04, 250.0)] == ["0.00", "0.00", "−0.04", "250"]


def test_opacity_is_left_out_and_sizes_stay():
    assert draw(Drawn(np.zeros((4, 6, 4), np.uint8))).shape == (4, 6, 3)
    stage = Stage(CAST, "qmix", 1, (4, 6))
    with pytest.raises(
        ConfigError, match=r"game cannot be drawn: expected pictures of \(4, 6\), as the first, got"
    ):
        stage.frame(Moment(np.zeros((6, 4, 3), np.uint8), 0))


def test_names_come_from_the_environment():
    lbf, smax = Cast.of(make_env("lbf")), Cast.of(make_env("smax", task="2s3z"))
    assert lbf.actions == ("none", "north", "south", "west", "east", "load")
    assert len(set(lbf.colours)) == len(lbf.labels) == 2
    assert smax.actions[4:] == ("stop", "attack 0", "attack 1", "attack 2", "attack 3", "attack 4")
    drawn = Drawn()
    assert Cast.of(LastActionEnv(drawn)).actions == Cast.of(drawn).actions == ("stay", "go")
    assert Cast.of(drawn).labels == ("first", "second")
    drawn.action_names = ("stay",)
    assert Cast.of(drawn).actions == ("0", "1")
    assert Cast.of(make_env("two_step")) == Cast("two_step", ("0", "1"), ("0", "1"), (), 2)


def test_lbf_actions_are_named_in_their_order():
    env = make_env("lbf", task="Foraging-5x5-1p-1f-v3", action_mask=False)
    move = {"north": (-1, 0), "south": (1, 0), "west": (0, -1), "east": (0, 1), "none": (0, 0), "load": (0, 0)}
    moved = {name: set() for name in move}
    for seed in range(40):
        for action, name in enumerate(Cast.of(env).actions):
            env.reset(seed)
            ((row, col, _),) = env.board.players
            env.step(np.array([action]))
            ((to_row, to_col, _),) = env.board.players
            moved[name].add((to_row - row, to_col - col))
    assert moved == {name: {way, (0, 0)} for name, way in move.items()}


@pytest.mark.parametrize("rows", [5, 8, 15])
def test_boards_are_large(rows):
    assert min(make_env("lbf", task=f"Foraging-{rows}x{rows}-2p-1f-v3").render().shape[:2]) >= 480 - rows

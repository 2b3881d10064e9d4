"""The figure: panels of tasks, groups that differ in colour and dashes, and files that are the same each time."""

import pytest
from matplotlib.figure import Figure
from plotted_runs import write_run

from pyqmix.base.errors import ConfigError
from pyqmix.figures import compare, curves, read_run
from pyqmix.figures.drawing import MOST_GROUPS


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two groups of two runs on two tasks."""
    folder, runs = tmp_path_factory.mktemp("drawn"), []
    for task in ("a", "b"):
        for mixer, value in (("qmix$_x$", 0.8), ("vdn", 0.3)):
            for seed in range(2):
                name, points = f"{task}-{mixer}-{seed}", {0: (0.0, 0.0), 4_000_000: (value + 0.1 * seed, value)}
                options = {"seconds": {0: 0, 4_000_000: 14_400}, "task": task, "mixer": mixer, "seed": seed}
                runs.append(read_run(write_run(folder / name, points, **options)))
    return runs


@pytest.fixture(autouse=True)
def _few_points(monkeypatch):
    monkeypatch.setattr(curves, "POINTS", 11)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Keep figures in place of writing them."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))

    def draw(runs, **options):
        compare(runs, tmp_path / "x.png", **options)
        return figures[-1]

    return draw


def test_each_task_has_panels_over_steps_and_wall_time(drawn, runs):
    figure = drawn(runs, title="title")
    assert [axes.get_xlabel() for axes in figure.axes] == ["environment steps", "wall time (h)"] * 2
    assert [axes.get_title("left") for axes in figure.axes] == ["lbf a", "", "lbf b", ""]
    assert figure.axes[0].get_ylabel() == "greedy win rate"
    steps, wall, other = figure.axes[:3]
    assert steps.get_shared_y_axes().joined(steps, wall)
    assert not steps.get_shared_y_axes().joined(steps, other)
    assert [text.get_text() for text in figure.legends[0].texts] == ["qmix$_x$", "vdn"]
    for axes in figure.axes:
        assert (len(axes.lines), len(axes.collections)) == (2, 2)
        assert axes.lines[0].get_color() != axes.lines[1].get_color()
        assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
        assert axes.lines[0].get_ydata()[-1] == pytest.approx(0.8)
    assert [axes.lines[0].get_xdata()[-1] for axes in (steps, wall)] == [4_000_000, 4]


def test_profile_and_improvement_are_drawn_on_request(drawn, runs):
    *_, profile, better = drawn(runs, profile=True, improvements=True).axes
    assert (profile.get_xlabel(), better.get_title("left")) == (
        *("final greedy win rate τ", "probability of improvement"),
    )
    assert [line.get_ydata()[[0, 100, -1]].tolist() for line in profile.lines] == [[1, 1, 0], [1, 0, 0]]
    assert [label.get_text() for label in better.get_yticklabels()] == ["qmix$_x$ > vdn"]
    assert list(better.lines[0].get_xdata()) == [1, 1]
    *_, profile = drawn(runs[:5], profile=True).axes
    assert profile.get_title("left") == "performance profile, 1 of 2 tasks"
    *_, profile = drawn(runs, profile=True, metric="eval_return_mean").axes
    assert profile.get_xlabel() == "final normalised greedy return τ"
    with pytest.raises(ConfigError, match="improvement: expected at least two groups, got 'vdn' alone"):
        drawn(runs[-1:], improvements=True)
    with pytest.raises(ConfigError, match="expected a task of which every group has runs"):
        drawn([runs[0], runs[-1]], profile=True)


def test_a_figure_has_a_limit_of_groups(drawn, tmp_path):
    runs = [read_run(write_run(tmp_path / str(k), {0: 0.5}, lr=k)) for k in range(MOST_GROUPS + 1)]
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in drawn(runs[1:]).axes[0].lines}
    assert len(looks) == MOST_GROUPS
    with pytest.raises(ConfigError, match="expected at most 28 groups in a figure, got 29: lr=0, lr=1, lr=2, …"):
        drawn(runs)


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        ("png", b"\x89PNG"),
        pytest.param("svg", b"<?xml", marks=pytest.mark.slow),
        pytest.param("pdf", b"%PDF", marks=pytest.mark.slow),
    ],
)
def test_the_suffix_is_the_format_and_files_are_reproducible(runs, tmp_path, suffix, start):
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        compare(runs[:3], path)
    assert paths[0].read_bytes().startswith(start)
    assert paths[0].read_bytes() == paths[1].read_bytes()

"""report.html: its parts, that it needs no other file, and that nothing of a run's names becomes HTML."""

import dataclasses
import errno
import re
import shlex
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser

import pytest

import pyqmix
from pyqmix.cli import train as command_line
from pyqmix.config import PRESETS, from_preset
from pyqmix.config.origin import nearest_preset
from pyqmix.run import report, results
from pyqmix.run.metrics import Metrics
from pyqmix.run.report import picture
from pyqmix.run.report.chart import Line, chart
from pyqmix.run.report.options import command
from pyqmix.run.report.picture import picture as draw

SECTIONS = ("curves", "episodes", "configuration", "commands", "checkpoints", "machine")
SMALL = {"env": "two_step", "batch_size": 4, "buffer_size": 16, "hidden_dim": 8, "eval_episodes": 2}
NASTY = "<script>alert(1)</script>&\"'$"


class Tags(HTMLParser):
    """Collects tags and their attributes, and refuses one that is not closed."""

    VOID = ("meta", "link", "img", "path", "circle")

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def tags(text):
    parser = Tags()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.tags


def require_self_contained(text):
    found = tags(text)
    assert not {tag for tag, _ in found} & {"script", "iframe", "object", "embed", "base", "form"}
    for _, attributes in found:
        assert not [name for name in attributes if name.startswith("on")]
        assert all(attributes[name].startswith("data:") for name in ("src", "href") if name in attributes)
    assert not re.search(r"url\(|@import|https?://", text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / NASTY.replace("/", "")
    options = {**SMALL, "run_dir": str(folder), "total_steps": 100, "log_every": 20, "eval_every": 60}
    pyqmix.train(pyqmix.Config(**options, mixer_args=None), quiet=True)
    return folder


def test_a_run_leaves_a_page_with_all_sections(trained):
    text = (trained / report.NAME).read_text()
    require_self_contained(text)
    assert re.findall(r'<section id="(\w+)"', text) == list(SECTIONS)
    assert "script>alert" in unescape(text)
    assert "finished" in text
    assert f"--resume {shlex.quote(str(trained))}" in unescape(text)
    assert text.count("<svg") == 7
    assert not list(trained.glob("*.partial"))


def test_names_are_escaped():
    row = report.page.table([NASTY], [[NASTY]]) + report.page.text(NASTY) + report.page.code(NASTY)
    whole = report.page.page(
        NASTY, [row, report.page.heading(NASTY, "stopped", NASTY), report.page.gif(b"", NASTY)]
    )
    assert "script" not in {tag for tag, _ in tags(whole)}
    assert chart(NASTY, [Line(NASTY, [(0, 1), (1, 2)])]).count("<script") == 0


def test_a_failing_report_harms_no_run(tmp_path, monkeypatch, capsys):
    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("pyqmix.run.report.write.write_text", full)
    result = pyqmix.train(pyqmix.Config(**SMALL, run_dir=str(tmp_path / "run"), total_steps=20))
    assert not result.interrupted
    assert "no report.html could be written: [Errno 28]" in capsys.readouterr().out
    assert (tmp_path / "run" / "curve.png").exists()
    assert results.report is report


@pytest.mark.parametrize("preset", ["none", "lbf-fast", "smax-jaxmarl", "climb"])
def test_the_command_trains_with_the_same_options(preset, monkeypatch):
    given = {} if "env" in PRESETS[preset] else {"env": "two_step"}
    config = from_preset(
        preset, **given, seed=3, gamma=0.5, double_q=True, mixer_args={"a": "it's"}, loggers=["wandb"]
    )
    words = shlex.split(command(config, nearest_preset(config)))
    assert words[0] == "pyqmix-train"
    parsed = []

    def keep(config, **_):
        parsed.append(config)
        raise SystemExit(0)

    monkeypatch.setattr("pyqmix.run.trainer.train", keep)
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="0"):
        command_line.main()
    assert dataclasses.asdict(parsed[0]) == dataclasses.asdict(config)


def test_a_script_s_own_part_has_no_command():
    def mixer(n_agents, state_dim):
        raise AssertionError

    config = pyqmix.Config(**SMALL).with_own(mixer=mixer)
    assert command(config, nearest_preset(config)) is None


@pytest.mark.parametrize("points", [[], [(0, float("nan"))], [(5, float("inf"))]])
def test_a_chart_without_a_finite_point_is_left_out(points):
    assert chart("loss", [Line("loss", points)]) == ""


@pytest.mark.parametrize(
    "values",
    [[0.0], [3.0, 3.0], [1e-9, 1e9], [-5.0, float("nan"), 7.0], [1e300, -1e300], [1e-320, 1.0], [0.3, 17.0]],
)
def test_a_chart_keeps_to_its_bounds(values):
    drawn = chart("loss", [Line("loss", [(k * 1000, v) for k, v in enumerate(values)])])
    numbers = [
        float(x) for path in re.findall(r'class="l c0" d="M([^"]+)"', drawn) for x in re.split("[L ]", path)
    ]
    assert all(0 <= x <= 360 for x in numbers)
    tags(drawn)


def test_a_long_run_has_a_bounded_page():
    steps = [Metrics(steps=k, episodes=k, updates=k, epsilon=0.1, loss=float(k % 7)) for k in range(20_000)]
    drawn = chart("loss", [Line("loss", [(m.steps, m.loss) for m in steps])])
    assert len(drawn) < 10_000
    assert "19" in drawn  # the last point stays


def test_short_runs_and_others_environments_draw_nothing(tmp_path):
    lbf = pyqmix.Config(env="lbf")
    assert "less than 60 s" in draw(tmp_path, lbf, 50, 1.0)
    assert "native" in draw(tmp_path, pyqmix.Config(env="gymnasium", task="x:Y-v0"), 50, 100.0)
    assert "500 steps" in draw(tmp_path, lbf, 500, 100.0)
    assert "ConfigError" in draw(tmp_path, lbf, 50, 100.0)


@pytest.mark.slow
def test_it_opens_in_a_browser(tmp_path, monkeypatch):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    monkeypatch.setattr(picture, "_LONG", 0.0)
    options = {"total_steps": 2_000, "eval_every": 1_000, "eval_episodes": 2, "run_dir": str(tmp_path / "run")}
    pyqmix.train(from_preset("lbf-fast", env="lbf", hidden_dim=8, **options), quiet=True)
    path = tmp_path / "run" / report.NAME
    text = path.read_text()
    assert "data:image/gif;base64," in text
    require_self_contained(text)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    log = ["--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000", "--dump-dom"]
    for width in (1200, 380):
        shown = subprocess.run(
            [browser, *flags, *log, f"--window-size={width},900", path.as_uri()],
            capture_output=True,
            text=True,
            timeout=200,
            check=True,
        )
        assert [section for section in SECTIONS if f'id="{section}"' in shown.stdout] == list(SECTIONS)
        assert "CONSOLE" not in shown.stderr

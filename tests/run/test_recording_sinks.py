"""Frames as GIF, MP4 and in a window."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from recordings import Drawn, Frames, acted, frame, frames_of

from pyqmix import ConfigError, EnvError
from pyqmix.run.recording import Frame, Recording, Screen, VideoFile, record_run, save_gif


def test_gif_and_mp4_have_the_same_frames_and_times(drawn_run, tmp_path):
    av = pytest.importorskip("av")
    frames = frames_of(drawn_run, seed=7, episodes=2)
    record_run(drawn_run, tmp_path / "x.gif", 7, episodes=2)
    record_run(drawn_run, tmp_path / "x.MP4", 7, episodes=2)
    with Image.open(tmp_path / "x.gif") as gif:
        assert (gif.n_frames, gif.size) == (len(frames), frames[0].pixels.shape[1::-1])
        for k, made in enumerate(frames):
            gif.seek(k)
            assert gif.info["duration"] == 1000 * made.seconds
            assert np.abs(np.asarray(gif.convert("RGB"), int) - made.pixels).mean() < 1
    with av.open(str(tmp_path / "x.MP4")) as video:
        assert (video.streams.video[0].average_rate, video.format.name) == (5, "mov,mp4,m4a,3gp,3g2,mj2")
        pictures = [each.to_ndarray(format="rgb24") for each in video.decode(video=0)]
    expected = [made.pixels for made in frames for _ in range(round(5 * made.seconds))]
    assert len(pictures) == len(expected) == 2 * (3 + 5)
    for got, made in zip(pictures, expected, strict=True):
        assert np.abs(got.astype(int) - made).mean() < 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.MP4", "x.gif"]


def test_the_palette_has_colours_that_appear_later(tmp_path):
    first, flashing = frame(**acted()), frame(**acted(reward=1.0, ended=True, won=False))
    save_gif(tmp_path / "x.gif", [Frame(first, 0.2), Frame(flashing, 0.2)])
    with Image.open(tmp_path / "x.gif") as gif:
        gif.seek(1)
        shown = np.asarray(gif.convert("RGB"))
    assert np.abs(shown.astype(int) - flashing).mean() < 0.5
    assert (shown[0, 0] == flashing[0, 0]).all()


@pytest.mark.parametrize("size", [16, 480])
def test_new_colours_of_the_environment_are_shown(tmp_path, size):
    frames = [np.full((480, 640, 3), 240, np.uint8) for _ in range(3)]
    for k, colour in ((1, (255, 0, 0)), (2, (60, 160, 40))):
        frames[k][:size, :size] = colour
    save_gif(tmp_path / "x.gif", [Frame(pixels, 0.2) for pixels in frames])
    with Image.open(tmp_path / "x.gif") as gif:
        for k, pixels in enumerate(frames):
            gif.seek(k)
            assert np.abs(np.asarray(gif.convert("RGB"), int) - pixels)[: size - 1, : size - 1].max() < 12


@pytest.mark.parametrize("sink", ["gif", "mp4"])
def test_a_failure_leaves_no_file(drawn_run, tmp_path, monkeypatch, sink):
    if sink == "mp4":
        pytest.importorskip("av")
    recording = Recording(drawn_run, 0)
    monkeypatch.setattr(Drawn, "step", lambda self, actions: 1 / 0)
    sinks = [VideoFile(tmp_path / "x.mp4")] if sink == "mp4" else [Frames()]
    with pytest.raises(EnvError, match="environment drawn: step raised ZeroDivisionError"):
        recording.play(sinks)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from pyqmix.run.recording import Frame, GifFile, VideoFile

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
noise = np.random.default_rng(0).integers(0, 256, (480, 480, 3), np.uint8)
for sink in (GifFile(Path("x.gif")), VideoFile(Path("x.mp4"))):
    try:
        with sink:
            for _ in range(9):
                sink.add(Frame(noise, 1.0))
    except OSError as error:
        print(error.filename, error.strerror)
"""


@pytest.mark.slow
def test_a_full_disk_names_the_file_and_leaves_none(tmp_path):
    pytest.importorskip("av")
    command = [sys.executable, "-c", FULL_DISK]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout == "x.gif File too large\nx.mp4 File too large\n"
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_the_extra_names_it(drawn_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"^mp4: videos need av: pip install 'pyqmix-marl\[video\]'$"):
        record_run(drawn_run, tmp_path / "x.mp4", 0)


class Display:
    """A stand-in for tkinter, whose window is closed in its third update."""

    TclError = RuntimeError

    def __init__(self):
        self.updates, self.shown, self.bound = 0, [], {}

    def __getattr__(self, name):
        return lambda *arguments, **options: None

    def Tk(self):  # noqa: N802
        return self

    def Label(self, root, **options):  # noqa: N802
        return SimpleNamespace(pack=lambda: None, configure=lambda image: self.shown.append(image))

    def protocol(self, name, close):
        self.bound[name] = close

    def update(self):
        self.updates += 1
        if self.updates == 3:
            self.bound["WM_DELETE_WINDOW"]()

    def winfo_screenwidth(self):
        return 400

    def winfo_screenheight(self):
        return 300


def test_a_window_shows_frames_until_it_is_closed(monkeypatch):
    display = Display()
    monkeypatch.setitem(sys.modules, "tkinter", display)
    fake = SimpleNamespace(PhotoImage=lambda image, master: image)
    monkeypatch.setattr("PIL.ImageTk", fake, raising=False)
    with Screen() as screen:
        for _ in range(5):
            screen.add(Frame(np.zeros((480, 600, 3), np.uint8), 0.015))
        assert screen.is_closed
    assert [image.size for image in display.shown[:1]] == [(319, 255)]
    assert len(display.shown) < 5


def test_no_display_is_one_line(monkeypatch):
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(ConfigError, match=r"^render: expected a display for the window, but no display"):
        Screen()

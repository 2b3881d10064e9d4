"""Take a picture of a command in a terminal of a given width, as the documentation shows it.

    python docs/screenshots.py docs/images/display_80.png --width 80 --after 20 -- \
      pyqmix-train --env lbf --total-steps 200000 --eval-every 2000 --run-dir /tmp/run

tmux runs the command and keeps its screen, rich draws it as SVG, and headless Chromium makes a PNG of it; tmux and
chromium are packages of every Linux distribution.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

FONT, ASPECT = "DejaVu Sans Mono", 0.602  # a character's width over its height
COLOURS = 96  # of the PNG's palette
DONE = "done"


def main() -> None:
    """Take one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the PNG")
    parser.add_argument("--width", type=int, default=80, help="columns of the terminal (default: 80)")
    parser.add_argument("--height", type=int, default=24, help="rows of the terminal (default: 24)")
    parser.add_argument(
        "--after", type=float, help="seconds after the start (default: when the command has ended)"
    )
    parser.add_argument("--title", help="of the window (default: the command)")
    parser.add_argument("command", nargs="+", help="a command and its arguments, after --")
    options = parser.parse_args()
    command = shlex.join(options.command)
    screen = capture(command, options.width, options.height, options.after)
    draw(screen, options.width, options.title or command, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1024:.0f} KiB")


def capture(command: str, width: int, height: int, after: float | None) -> str:
    """Run a command in a terminal and return what stands there, with colours.

    Args:
        command: of a shell.
        width, height: of the terminal in characters.
        after: seconds after the start; None waits for the command's end.
    """
    tmux = ["tmux", "-L", f"screenshots-{os.getpid()}", "-f", os.devnull]
    waits = f"{shlex.join(tmux)} wait-for -S {DONE}; sleep 3600"
    size = ["-x", str(width), "-y", str(height)]
    subprocess.run([*tmux, "new-session", "-d", *size, f"COLORTERM=truecolor; {command}; {waits}"], check=True)
    try:
        if after is None:
            subprocess.run([*tmux, "wait-for", DONE], check=True)
        else:
            time.sleep(after)
        shown = subprocess.run([*tmux, "capture-pane", "-p", "-e", "-S", "-"], check=True, stdout=subprocess.PIPE)
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    return shown.stdout.decode().rstrip("\n")


def draw(screen: str, width: int, title: str, out: Path) -> None:
    """Write a terminal's text as PNG.

    Args:
        screen: its rows, with colours as escape sequences.
        width: of the terminal in characters.
        title: of the window.
        out: the file.
    """
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=width, file=nowhere, force_terminal=True, color_system="truecolor")
        for line in screen.split("\n"):
            console.print(Text.from_ansi(line), soft_wrap=True, highlight=False)
    room = width - 12  # beside the window's buttons
    title = title if len(title) <= room else f"{title[: room - 3]}..."
    svg = console.export_svg(title=title, font_aspect_ratio=ASPECT)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", FONT)
    (size,) = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    window = ",".join(str(math.ceil(float(length))) for length in size)
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit("screenshots: expected chromium on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "screen.svg", Path(folder) / "screen.png"
        page.write_text(svg)
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--default-background-color=00000000"]
        subprocess.run(
            [browser, *flags, f"--window-size={window}", f"--screenshot={picture}", page.as_uri()],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(picture) as image:
            image.quantize(COLOURS).save(out, optimize=True)


if __name__ == "__main__":
    main()

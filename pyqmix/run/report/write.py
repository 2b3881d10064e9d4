"""The sections of the page."""

from __future__ import annotations

import dataclasses
import os
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyqmix.base.files import write_text
from pyqmix.config import Config
from pyqmix.config.origin import nearest_preset
from pyqmix.run import checkpoint
from pyqmix.run.metrics import Metrics
from pyqmix.run.report import page
from pyqmix.run.report.chart import Line, chart
from pyqmix.run.report.options import command, shown
from pyqmix.run.report.picture import picture

NAME = "report.html"
_CURVES = "Over environment steps, with the last values. The band is the 95 % interval of a win rate."


def write_report(
    run_dir: Path, name: str, config: Config, history: Sequence[Metrics], summary: Mapping[str, Any], limit: int
) -> None:
    """Write report.html, whole or not at all.

    Args:
        run_dir: the run's folder.
        name: the path of the folder, as the user gave it.
        config: the run's options.
        history: its lines of metrics.
        summary: the content of summary.json.
        limit: the most steps of an episode.

    Raises:
        OSError: it cannot be written.
    """
    stopped = summary["interrupted"]
    drawn = "the run was stopped" if stopped else picture(run_dir, config, limit, summary["wall_seconds"])
    labels = (config.mixer, "on", config.env.rpartition(":")[2], config.task_name)
    title = " ".join(filter(None, labels))
    note = f"{config.agent} agents, seed {config.seed}, folder {name}"
    parts = (
        page.heading(title, "stopped" if stopped else "finished", note),
        page.cards(_numbers(summary)),
        page.section(
            "Curves",
            page.text(_CURVES),
            f'<div class="charts">{"".join(_charts(history))}</div>',
        ),
        page.section("Episodes", _episodes(drawn, name)),
        page.section("Configuration", _configuration(config)),
        page.section("Commands", "".join(_commands(name, config, summary))),
        page.section("Checkpoints", _checkpoints(run_dir)),
        page.section("Machine", page.table([], _machine(summary))),
    )
    write_text(run_dir / NAME, page.page(title, parts))


def _numbers(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if summary["eval_return_mean"] is not None:
        spread = f"± {summary['eval_return_std']:.3f} over {summary['eval_episodes']} episodes"
        yield "greedy return", f"{summary['eval_return_mean']:.3f}", spread
    if "eval_win_rate" in summary:
        interval = "[{eval_win_rate_low:.1%}, {eval_win_rate_high:.1%}] 95 %".format(**summary)
        yield "greedy win rate", f"{summary['eval_win_rate']:.1%}", interval
    yield "environment steps", f"{summary['total_steps']:,}", f"{summary['episodes']:,} episodes"
    yield "training steps", f"{summary['updates']:,}", f"{summary['updates_per_env_step']:.4f} for each step"
    yield "time", _time(summary["wall_seconds"]), "with evaluation"
    yield "throughput", f"{summary['env_steps_per_second']:,.0f}", f"steps/s on {summary['device']}"


def _charts(history: Sequence[Metrics]) -> Iterator[str]:
    def line(column: str, label: str, band: Sequence[tuple[float, float, float]] = ()) -> Line:
        values = ((m.steps, getattr(m, column)) for m in history)
        return Line(label, [(x, y) for x, y in values if y is not None], band)

    told = [m for m in history if m.eval_win_rate is not None]
    ends = [(m.steps, m.eval_win_rate_low or 0.0, m.eval_win_rate_high or 0.0) for m in told]
    wins = [line("eval_win_rate", "greedy", ends), line("train_win_rate", "training")]
    yield chart("return", [line("eval_return_mean", "greedy"), line("train_return", "training")])
    yield chart("win rate", wins if told else [], (0.0, 1.0))
    yield chart("loss", [line("loss", "loss")])
    yield chart("values", [line("q_mean", "Q"), line("target_mean", "target")])
    yield chart("gradient norm", [line("grad_norm", "norm")])
    yield chart("exploration", [line("epsilon", "ε")], (0.0, 1.0))
    yield chart("episode length", [line("train_length", "training")])
    yield chart("steps/s", [line("env_steps_per_second", "steps/s")])


def _episodes(drawn: bytes | str, name: str) -> str:
    if isinstance(drawn, bytes):
        return page.gif(drawn, "greedy episodes") + page.text("Greedy episodes with the last checkpoint.")
    note = f"Without a picture: {drawn}. This command draws one where the environment can be drawn:"
    return page.text(note) + page.code(f"pyqmix-eval {shlex.quote(name)} --gif episodes.gif")


def _configuration(config: Config) -> str:
    found = nearest_preset(config)
    named = f"preset {found.preset}" if found.preset != "none" else "the defaults"
    rows = [(option, shown(value), shown(before)) for option, (before, value) in found.changes.items()]
    number = f"{len(rows)} option{'s' if len(rows) > 1 else ''}"
    differs = f"As {named}, but for {number}:" if rows else f"As {named}."
    changed = page.table(["option", "this run", named], rows) if rows else ""
    every = [(option, shown(value)) for option, value in dataclasses.asdict(config).items()]
    return page.text(differs) + changed + page.folded("all options", page.table(["option", "value"], every))


def _commands(name: str, config: Config, summary: Mapping[str, Any]) -> Iterator[str]:
    folder, steps = shlex.quote(name), 2 * config.total_steps
    again = command(config, nearest_preset(config))
    yield page.text("Evaluate:") + page.code(f"pyqmix-eval {folder}")
    more = "" if summary["interrupted"] else f" --total-steps {steps}"
    yield page.text("Resume:") + page.code(f"pyqmix-train --resume {folder}{more}")
    if again is None:
        yield page.text("Train again: by the script that trained it, which has parts of its own.")
    else:
        yield page.text("Train again:") + page.code(again)
    yield page.text("Compare:") + page.code(f"pyqmix-plot {folder} OTHER_RUN... --out curves.png")
    yield page.text("Watch:") + page.code(f"tensorboard --logdir {folder}")


def _checkpoints(run_dir: Path) -> str:
    rows = []
    for kind, meaning in (("best", "networks of the best evaluation"), ("step", "all that a run goes on from")):
        for steps, folder in checkpoint.folders(run_dir, kind):
            size = sum(file.stat().st_size for file in folder.iterdir())
            rows.append((f"{checkpoint.FOLDER}/{folder.name}", f"{steps:,}", f"{size / 2**20:.1f} MiB", meaning))
    return page.table(["folder", "steps", "size", "content"], rows) if rows else ""


def _machine(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield "machine", f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}"
    yield "device", f"{summary['device']}, threads {summary['threads']}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    yield "build", ", ".join(f"{name} {shown(value)}" for name, value in summary["build_info"].items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"

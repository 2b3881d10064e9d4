"""What a run leaves behind when it has ended: its summary, its curve, its report, and the closing lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyqmix.base.files import write_json
from pyqmix.run import report
from pyqmix.run.curve import plot_curve
from pyqmix.run.metrics import Metrics
from pyqmix.run.report import write_report
from pyqmix.run.run import Run
from pyqmix.run.summary import closing_rows, say_goodbye, summarise


def write_results(run: Run, interrupted: bool) -> dict[str, Any]:
    """Write the results of a run that has finished, and return its summary; of several learners the first writes.

    Args:
        run: has finished.
        interrupted: whether a signal has ended it before its step budget was spent.
    """
    summary, history = _summary(run, interrupted), run.files.log.history()
    if run.folder.follows:
        return summary
    config, path = run.config, run.folder.path
    write_json(path / "summary.json", summary)
    title = " ".join(filter(None, [config.mixer, "on", config.env, config.task_name]))
    plot_curve(history, path / "curve.png", title)
    _write_report(run, summary, history)
    rows = closing_rows(summary, run.evaluation, history)
    rows["checkpoints"] = run.files.saver.describe(summary["wall_seconds"])
    say_goodbye(run.display, run.folder.name, summary, rows)
    return summary


def _summary(run: Run, interrupted: bool) -> dict[str, Any]:
    last, wall = run.files.log.evaluated, run.wall_seconds
    device, threads = run.learner.device, run.threads.count
    summary = summarise(run.config, device, threads, run.progress, last, wall, interrupted)
    if played := run.rollout.report():
        summary["rollout"] = played
    if (learners := run.learners.ranks.count) > 1:
        summary["learners"] = learners
    return summary


def _write_report(run: Run, summary: Mapping[str, Any], history: Sequence[Metrics]) -> None:
    folder = run.folder
    try:
        write_report(folder.path, folder.name, run.config, history, summary, run.episode_limit)
    except Exception as error:  # the run is complete without it
        run.display.message(f"no {report.NAME} could be written: {error}")

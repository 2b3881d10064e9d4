"""The numbers of a run over time, and metrics.csv, which has them as lines."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import LARGEST_INT
from pyqmix.base.untrusted import read_text


@dataclass(frozen=True)
class Metrics:
    """One line of metrics.csv; None where there is no value yet.

    Attributes:
        steps: environment steps so far.
        episodes: training episodes so far.
        updates: training steps so far.
        epsilon: exploration of the next episode.
        loss, q_mean, target_mean, grad_norm: means over the updates since the last line.
        train_return, train_length: means over the training episodes since the last line.
        train_win_rate: share of these episodes that the team has won, where the environment tells.
        staleness: mean over these episodes of the rounds of training by which the weights that played them were
            behind; None where no episode is played ahead.
        eval_return_mean, eval_return_std: of the greedy evaluation at this step, if there was one.
        eval_win_rate: share of its episodes that the team has won, where the environment tells.
        eval_win_rate_low, eval_win_rate_high: Wilson's 95 % confidence interval of that share.
        env_steps_per_second: since the last line, evaluation and checkpoints left out.
        updates_per_env_step: training steps for each environment step, since the last line.
        wall_seconds: since the run began, earlier parts of a resumed run counted in.
    """

    steps: int
    episodes: int
    updates: int
    epsilon: float
    loss: float | None = None
    q_mean: float | None = None
    target_mean: float | None = None
    grad_norm: float | None = None
    train_return: float | None = None
    train_length: float | None = None
    train_win_rate: float | None = None
    staleness: float | None = None
    eval_return_mean: float | None = None
    eval_return_std: float | None = None
    eval_win_rate: float | None = None
    eval_win_rate_low: float | None = None
    eval_win_rate_high: float | None = None
    env_steps_per_second: float | None = None
    updates_per_env_step: float | None = None
    wall_seconds: float = 0.0


COLUMNS = [field.name for field in dataclasses.fields(Metrics)]
_INTEGERS = ("steps", "episodes", "updates")


def first_lines(run_dir: Path, count: int, checksum: str) -> list[Metrics]:
    """Return the first lines of a run's metrics.csv, which a checkpoint knows.

    Args:
        run_dir: the run's folder.
        count: how many.
        checksum: SHA-256 of them with the line of the columns' names.

    Raises:
        ConfigError: the file is absent or damaged.
    """
    path = run_dir / "metrics.csv"
    kept = read_text(path, content="the metrics of a run").splitlines(keepends=True)[: count + 1]
    if hashlib.sha256("".join(kept).encode()).hexdigest() != checksum:
        raise ConfigError(
            f"{path}: expected the {count} lines that the run had written by its checkpoint, got others: the file "
            "is damaged or was changed"
        )
    return parsed(path, kept)


def read_metrics(run_dir: Path) -> list[Metrics]:
    """Read a run's metrics.csv; a last line that was cut while it was written is left out.

    Raises:
        ConfigError: the file is absent, or not a run's metrics.
    """
    path = run_dir / "metrics.csv"
    return parsed(path, read_text(path, content="the metrics of a run").splitlines(keepends=True))


def parsed(path: Path, lines: Sequence[str]) -> list[Metrics]:
    """Read lines of metrics.csv; a last one that was cut while it was written is left out.

    Raises:
        ConfigError: they are no metrics; names ``path``.
    """
    try:
        return [_parse(row) for row in csv.DictReader(line for line in lines if line.endswith("\n"))]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigError(f"{path}: expected the metrics of a run, but {error}") from error


def line(metrics: Metrics) -> str:
    """Write numbers as a line of metrics.csv."""
    return _line(_cells(metrics))


def first_line() -> str:
    """Write the line of the columns' names."""
    return _line(COLUMNS)


def _cells(metrics: Metrics) -> list[object]:
    values = (getattr(metrics, name) for name in COLUMNS)
    return ["" if value is None else value for value in values]


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _parse(row: dict[str, str]) -> Metrics:
    values = {
        name: _count(row[name]) if name in _INTEGERS else float(row[name])
        for name in COLUMNS
        if row.get(name, "") != ""  # a run of an older version lacks some columns
    }
    return Metrics(**values)  # type: ignore[arg-type]


def _count(cell: str) -> int:
    count = int(cell)
    if not 0 <= count <= LARGEST_INT:
        raise ValueError(f"a count is {count}")
    return count

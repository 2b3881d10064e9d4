"""What a run writes to its folder while it is trained, and how it is saved when something fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import Any

from pyqmix import ops
from pyqmix.base.errors import DivergenceError
from pyqmix.config import Config
from pyqmix.loggers import Status
from pyqmix.run import checkpoint, state
from pyqmix.run.external import ExternalLogs
from pyqmix.run.folder import RunFolder
from pyqmix.run.log import MetricsLog, UnwrittenLog
from pyqmix.run.manifest import Manifest
from pyqmix.run.metrics import Metrics
from pyqmix.run.ring_parts import RingParts
from pyqmix.run.saver import Saver
from pyqmix.run.schedule import Schedule
from pyqmix.run.state import Parts


class RunFiles:
    """Options, metrics and checkpoints of a run in its folder.

    Args:
        config: the run's options.
        folder: its folder, which this program alone writes.
        parts: of the run.
        schedule: knows what is due and has not been done.
        ring_parts: writes the replay buffer; None leaves it out.
        history: the lines of metrics that a resumed run has already.
        found: of a resumed run, the checkpoint that it goes on from; later ones are removed.
        external: the run's loggers, which this closes.

    Attributes:
        log: of the metrics.
        status: how the run ends, for its loggers.
        saver: of the checkpoints.

    Raises:
        OSError: of every method: a file cannot be written; ``filename`` is the file's.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        parts: Parts,
        schedule: Schedule,
        ring_parts: RingParts | None,
        history: Sequence[Metrics],
        found: Manifest | None,
        external: ExternalLogs,
    ) -> None:
        self._config, self._folder, self._parts, self._schedule = config, folder, parts, schedule
        self._ring_parts, self._several = ring_parts, parts.learner.ranks.count
        self.log: UnwrittenLog
        self._external = external
        self.status: Status = "failed"
        self._saved = -1 if found is None else parts.progress.steps
        with ExitStack() as on_failure:
            on_failure.callback(external.close, folder.path, self.status)
            folder.write_config(config)
            if folder.resumed:
                checkpoint.remove_later(folder.path, self._saved)
            self._open(history, {} if found is None or folder.follows else found.value("metrics", "events"))
            on_failure.pop_all()

    def write_metrics(self, metrics: Metrics) -> None:
        """Append a line of metrics."""
        self._folder.require_in_place()
        self.log.write(metrics)
        self._external.write(metrics)

    def write_checkpoint(self) -> None:
        """Write the checkpoint of the present step, unless it has been written."""
        self._folder.require_in_place()
        steps = self._parts.progress.steps
        if self._saved == steps:
            return
        self._require_finite()
        more: dict[str, Any] = {"metrics": self.log.state(), "pending": self._schedule.pending(steps)}
        if self._several > 1:
            more["learners"] = self._several
        with self.saver.writing("step", steps) as draft:
            state.write(draft, self._parts, self._ring_parts, more)
        self._saved = steps

    def write_best(self) -> None:
        """Write the networks as those of the best evaluation; another learner than the first writes nothing."""
        if self._folder.follows:
            return
        self._require_finite()
        with self.saver.writing("best", self._parts.progress.steps) as draft:
            state.write_networks(draft, self._parts.progress, self._parts.learner, {})

    def wait(self) -> None:
        """Wait until every checkpoint is on the disk; one that cannot be written counts as not written."""
        try:
            self.saver.wait()
        except BaseException:
            self._saved = -1
            raise

    def save_after_failure(self) -> None:
        """Write a checkpoint of the present step; in a new folder, if the run's was removed or moved."""
        if not self._folder.is_in_place:
            self._move_to_a_new_folder()
        with suppress(OSError):  # of an earlier checkpoint, in whose place this one comes
            self.wait()
        self.write_checkpoint()
        self.wait()

    def close(self) -> None:
        """Wait for checkpoints, whether or not they can be written, and close files and loggers."""
        with ExitStack() as closing:
            closing.callback(self._external.close, self._folder.path, self.status)
            closing.callback(self._close_files)

    def _close_files(self) -> None:
        with ExitStack() as closing:
            closing.callback(self.log.close)
            closing.callback(self.saver.close)

    def _open(self, history: Sequence[Metrics], events: Any) -> None:
        path = self._folder.path
        if self._folder.follows:
            self.log = UnwrittenLog(history)
        else:
            self.log = MetricsLog(path, asdict(self._config), history, events)
        # Of several learners, each keeps one more, because another's newest one may not be whole yet.
        self.saver = Saver(path, self._config.keep_checkpoints + (self._several > 1), self.log.flush)

    def _move_to_a_new_folder(self) -> None:
        history = self.log.history()
        self._close_files()
        self._folder.make_again()
        self._folder.write_config(self._config)
        self._external.save(self._folder.path)
        self._open(history, {})
        if self._ring_parts is not None:
            self._ring_parts = RingParts(self._parts.ring)
        self._saved = -1

    def _require_finite(self) -> None:
        ops.raise_late_errors()
        if not self._parts.learner.networks.is_finite():
            updates = self._parts.progress.updates
            raise DivergenceError(f"the weights are no longer finite after update {updates}")

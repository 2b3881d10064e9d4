"""One run: its parts, and the phases of training."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from pyqmix import ops
from pyqmix.base.errors import DivergenceError
from pyqmix.base.files import write_json
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.learn.step import UpdateStats
from pyqmix.play.ahead import training_rollout
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.replay import EpisodeRing, EpisodeSampler
from pyqmix.replay.batch_memory import BatchMemory
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.prioritised import PrioritisedSampler
from pyqmix.run import resume, state
from pyqmix.run.display import Display
from pyqmix.run.folder import RunFolder
from pyqmix.run.init_from import init_from
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.log import MetricsLog
from pyqmix.run.manifest import Manifest
from pyqmix.run.metrics import Metrics
from pyqmix.run.plots import plot_curves
from pyqmix.run.ring_parts import RingParts
from pyqmix.run.saver import Saver
from pyqmix.run.schedule import Schedule
from pyqmix.run.state import Parts, Progress
from pyqmix.run.summary import goodbye, summarise
from pyqmix.run.window import Window


class Run:
    """Networks, ring, environments and files of one run.

    Args:
        config: the run's options.
        spec: the sizes of its environment's episodes.
        device: where the networks live.
        display: shows progress.
        run_folder: the run's folder, which this program alone writes.
        interrupt: tells that the run is to end; cuts off what may be cut off.
        found: of a run that goes on, the checkpoint from which; None for a run from its first step.

    Raises:
        ConfigError: the checkpoint is damaged, or another run's.
        MemoryError: the replay buffer does not fit in the free memory.
    """

    def __init__(
        self,
        config: Config,
        spec: EpisodeSpec,
        device: torch.device,
        display: Display,
        run_folder: RunFolder,
        interrupt: Interrupt,
        found: Manifest | None = None,
    ) -> None:
        self.config, self.display, self.folder, self.interrupt = config, display, run_folder, interrupt
        self.learner = learner = Learner(spec, config, device)
        progress = Progress() if found is None else state.read_learner(found, learner)
        if config.init_from is not None and found is None:
            display.message(init_from(learner, Path(config.init_from)))
        self.ring = EpisodeRing(spec, config.buffer_size, shared=config.num_workers > 0)
        self._memory = BatchMemory(spec, config.batch_size, device)
        with interrupt.may_raise():
            self.rollout = training_rollout(config, learner.agent, self.ring)
        self.sampler = _sampler(config, spec, device, self.ring, progress.updates)
        window = Window(progress.steps)
        self.parts = Parts(progress, learner, self.ring, self.sampler, self.rollout, window)
        self._ring_parts = RingParts(self.ring) if config.checkpoint_replay else None
        history: list[Metrics] = []
        pending: list[str] = []
        if found is not None:
            history, pending = resume.history(found), resume.pending(found)
            display.message(resume.restore(found, self.parts, self._ring_parts))
        self._schedule = Schedule(config, progress.steps, pending)
        self.evaluator = Evaluator(config, learner.agent, config.seed, self.rollout)
        self.evaluator.skip(progress.evaluated_episodes)
        self.evaluation: Evaluation | None = None
        run_folder.write_config(config)
        self._open_files(history, 0 if found is None else found.integer("metrics", "events"))
        self.checkpointed = -1 if found is None else progress.steps
        self._first_steps = progress.steps
        self._began = time.monotonic() - self.log.wall_seconds
        display.message(f"run directory: {run_folder.name}")

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.parts.progress

    @property
    def is_complete(self) -> bool:
        """Whether the step budget is spent."""
        return self.progress.steps >= self.config.total_steps

    @property
    def is_done(self) -> bool:
        """Whether the step budget is spent, and the last evaluation has been made."""
        return self.is_complete and self._last_evaluated() == self.progress.steps

    def goes_on(self) -> bool:
        """Do all that is due at this step; return whether there is a further round to :meth:`play`."""
        self._learn()
        self._report()
        return not (self.is_complete or self.interrupt.seen)

    def play(self) -> None:
        """Play ``num_envs`` episodes into the ring, all with the exploration of their first step."""
        start = time.monotonic()
        with self.interrupt.may_raise():
            played = self.rollout.play(*self._next_episodes())
        self.parts.window.working_seconds += time.monotonic() - start
        self.progress.steps += played.steps
        self.progress.episodes += self.config.num_envs
        self.progress.due_updates += self.config.updates_due(self.config.num_envs)
        self.parts.window.played.append(played)
        self.parts.tickets = self.ring.tickets
        self.folder.keep = True

    def _learn(self) -> None:
        """Take the training steps that are due, once the ring holds a batch, and play ahead meanwhile."""
        start = time.monotonic()
        if len(self.ring) < self.config.batch_size:
            self.progress.due_updates = 0.0
            return
        if not self._is_update_due():
            return
        self.learner.set_learning_rate(self.config.learning_rate(self.progress.steps))
        if not self.is_complete:
            self.rollout.start(*self._next_episodes())
        while self._is_update_due():
            self.parts.window.updates.append(self._update())
            self.progress.updates = self.learner.updates
            self.progress.due_updates -= 1.0
        with self.interrupt.may_raise():
            self.rollout.wait()
        self.parts.window.working_seconds += time.monotonic() - start

    def _report(self) -> None:
        """Log, evaluate and write checkpoints where their time has come."""
        steps, schedule = self.progress.steps, self._schedule
        self.display.steps(steps)
        evaluate = (self.is_complete and not self.is_done) or schedule.is_due("eval", steps)
        if evaluate:
            with self.interrupt.may_raise():
                self.evaluation = self.evaluator.evaluate(self.config.eval_episodes)
        if evaluate or schedule.is_due("log", steps):
            best = self.log.best
            self._write_metrics(self.evaluation if evaluate else None)
            if evaluate:
                self.progress.evaluated_episodes += self.config.eval_episodes
                schedule.done("eval", steps)
            schedule.done("log", steps)
            if evaluate and self.evaluation is not None and self.evaluation.mean > best:
                self._save_best()
        if schedule.is_due("checkpoint", steps):
            schedule.done("checkpoint", steps)
            self._checkpoint()

    def finish(self, interrupted: bool) -> dict[str, Any]:
        """Write a run's last checkpoint, its summary and its curve."""
        self._checkpoint()
        self.folder.keep = True
        self.saver.wait()
        wall, path = time.monotonic() - self._began, self.folder.path
        summary = summarise(self.config, self.learner.device, self.progress, self.log.evaluated, wall, interrupted)
        write_json(path / "summary.json", summary)
        title = " ".join(filter(None, [self.config.mixer, "on", self.config.env, self.config.task_name]))
        plot_curves([(path.name, self.log.history())], path / "curve.png", title)
        self.display.message(self.saver.describe(wall))
        for line in goodbye(summary, self.evaluation, self.folder.name):
            self.display.message(line)
        return summary

    def rescue(self, error: BaseException) -> None:
        """Write a checkpoint when something fails; a run without a step leaves nothing behind.

        Raises:
            OSError: the run's folder was removed or moved; its new one is named.
        """
        if isinstance(error, DivergenceError):
            return  # no later checkpoint than the last would be worth keeping
        if self.progress.steps == self._first_steps:
            return
        if not self.folder.is_in_place:
            self._write_all_again()
            name = self.folder.name
            raise OSError(
                f"{name} was removed or moved during training: what was learned lies in a new folder of that "
                f"name; continue with: pyqmix-train --resume {name}"
            ) from error
        with suppress(OSError):  # of the same full disk, for example, which is told
            self._checkpoint()
            self.saver.wait()

    def close(self) -> None:
        """Close files and environments."""
        self.saver.close()
        self.log.close()
        self.rollout.close()
        self.evaluator.close()

    def _update(self) -> UpdateStats:
        config, room = self.config, self.learner.step.batch_room
        batch = self.sampler.sample(config.batch_size, self._memory, room)
        beta = config.importance_exponent(self.progress.steps)
        stats = self.learner.update(batch, self.sampler.importance(beta))
        if stats.episode_errors is not None:
            self.sampler.learn(stats.episode_errors)
        return stats

    def _next_episodes(self) -> tuple[int, int, float]:
        """Tell which episodes are next, how many, and their exploration."""
        epsilon = self.config.epsilon(self.progress.steps)
        return self.progress.episodes, self.config.num_envs, epsilon

    def _is_update_due(self) -> bool:
        return self.progress.due_updates >= 1.0 - 1e-9

    def _last_evaluated(self) -> int | None:
        return None if self.log.evaluated is None else self.log.evaluated.steps

    def _write_metrics(self, evaluation: Evaluation | None) -> None:
        ops.raise_late_errors()
        window = self.parts.window
        working = window.working_seconds
        steps, timed = (self.progress.steps - first for first in (window.first_step, window.timed_from))
        metrics = Metrics(
            steps=self.progress.steps,
            episodes=self.progress.episodes,
            updates=self.progress.updates,
            epsilon=self.config.epsilon(self.progress.steps),
            **window.means(),
            eval_return_mean=evaluation.mean if evaluation else None,
            eval_return_std=evaluation.std if evaluation else None,
            eval_win_rate=evaluation.win_rate if evaluation else None,
            env_steps_per_second=timed / working if working else None,
            updates_per_env_step=len(window.updates) / steps if steps else None,
            wall_seconds=time.monotonic() - self._began,
        )
        self.folder.require_in_place()
        self.log.write(metrics)
        self.parts.window = Window(self.progress.steps)
        self.display.metrics(metrics)
        if metrics.loss is not None and not math.isfinite(metrics.loss):
            raise DivergenceError(f"the loss became {metrics.loss} by update {metrics.updates}")

    def _checkpoint(self) -> None:
        self.folder.require_in_place()
        if self.checkpointed == self.progress.steps:
            return
        self._require_finite()
        more = {
            "metrics": self.log.state(),
            "pending": self._schedule.pending(self.progress.steps),
        }
        with self.saver.writing("step", self.progress.steps) as draft:
            state.write(draft, self.parts, self._ring_parts, more)
        self.checkpointed = self.progress.steps

    def _save_best(self) -> None:
        self._require_finite()
        with self.saver.writing("best", self.progress.steps) as draft:
            state.write_networks(draft, self.progress, self.learner, {})

    def _require_finite(self) -> None:
        ops.raise_late_errors()
        if not self.learner.networks.is_finite():
            raise DivergenceError(f"the weights are no longer finite after update {self.progress.updates}")

    def _write_all_again(self) -> None:
        """Write the run to a new folder in the place of the one that was removed or moved."""
        history = self.log.history()
        self.saver.close()
        self.log.close()
        self.folder.make_again()
        self.folder.write_config(self.config)
        self._open_files(history)
        self._ring_parts = RingParts(self.ring) if self.config.checkpoint_replay else None
        self.checkpointed = -1
        self._checkpoint()
        self.saver.wait()

    def _open_files(self, history: Sequence[Metrics], events: int = 0) -> None:
        path = self.folder.path
        self.log = MetricsLog(path, history, events)
        self.saver = Saver(path, self.config.keep_checkpoints, self.log.flush)


def _sampler(
    config: Config, spec: EpisodeSpec, device: torch.device, ring: EpisodeRing, updates: int
) -> EpisodeSampler:
    """Build the sampler; a resumed run draws as if its earlier updates had been a run apart."""
    seed = derive_seed(config.seed, Stream.REPLAY, updates)
    store = DeviceStore(spec, config.buffer_size, device) if config.replay_device == "cuda" else None
    if config.prioritised:
        return PrioritisedSampler(ring, seed, config.per_alpha, store)
    return ring.sampler(seed, store)

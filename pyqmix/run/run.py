"""One run: its parts, and the phases of training."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from pyqmix import ops
from pyqmix.base.errors import ConfigError, DivergenceError
from pyqmix.base.files import write_json
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.learn.step import UpdateStats
from pyqmix.play.ahead import training_rollout
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.replay import EpisodeBatch, EpisodeRing, EpisodeSampler
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.prioritised import PrioritisedSampler
from pyqmix.run import checkpoint, folder
from pyqmix.run.checkpoint import Progress
from pyqmix.run.display import Display
from pyqmix.run.folder import RunFolder
from pyqmix.run.init_from import init_from
from pyqmix.run.metrics import Metrics, MetricsLog
from pyqmix.run.plots import plot_curves
from pyqmix.run.schedule import Schedule
from pyqmix.run.summary import goodbye, summarise
from pyqmix.run.window import Window


class Run:
    """Networks, ring, environments and files of one run.

    Args:
        config: the run's options.
        spec: the sizes of its environment's episodes.
        device: where the networks live.
        display: shows progress.
        resume: go on with the newest checkpoint of the run in ``config.run_dir``.

    Raises:
        ConfigError: the run directory cannot be used, or holds no run to resume.
        MemoryError: the replay buffer does not fit in the free memory.
    """

    def __init__(
        self, config: Config, spec: EpisodeSpec, device: torch.device, display: Display, resume: bool
    ) -> None:
        self.config, self.display, self.resumed = config, display, resume
        self.learner = Learner(spec, config, device)
        self.progress = _resume(self.learner, config) if resume else Progress()
        if config.init_from is not None and not resume:
            display.message(init_from(self.learner, Path(config.init_from)))
        self.ring = EpisodeRing(spec, config.buffer_size, shared=config.num_workers > 0)
        self.sampler = _sampler(config, spec, device, self.ring, self.progress.updates)
        self._memory = _batch_memory(config, spec, device)
        self.rollout = training_rollout(config, self.learner.agent, self.ring)
        self.evaluator = Evaluator(config, self.learner.agent, config.seed, self.rollout)
        self.evaluator.skip(self.progress.evaluated_episodes)
        self.evaluation: Evaluation | None = None
        self.run_folder, self.log = _files(config, resume, self.progress.steps)
        self.folder = self.run_folder.path
        self.checkpointed = self.progress.steps if resume else -1
        self._schedule = Schedule(config, self.progress.steps)
        self._window, self._first_steps = Window(self.progress.steps), self.progress.steps
        self._due_updates = 0.0
        self._began = time.monotonic() - self.log.wall_seconds
        display.message(f"run directory: {self.folder}")
        if resume:
            display.message(
                f"resumed at step {self.progress.steps:,} with networks, targets, optimizer and counters; not "
                "restored: the replay buffer, which fills again, and the sampler's place in its stream"
            )

    def play(self) -> None:
        """Play ``num_envs`` episodes into the ring, all with the exploration of their first step."""
        start = time.monotonic()
        played = self.rollout.play(*self._next_episodes())
        self._window.working_seconds += time.monotonic() - start
        self.progress.steps += played.steps
        self.progress.episodes += self.config.num_envs
        self._due_updates += self.config.updates_due(self.config.num_envs)
        self._window.played.append(played)

    def learn(self) -> None:
        """Take the training steps that are due, once the ring holds a batch."""
        start = time.monotonic()
        if len(self.ring) < self.config.batch_size:
            self._due_updates = 0.0
            return
        self.learner.set_learning_rate(self.config.learning_rate(self.progress.steps))
        with self._playing_ahead():
            while self._is_update_due():
                self._due_updates -= 1.0
                self._window.updates.append(self._update())
                self.progress.updates = self.learner.updates
        self._window.working_seconds += time.monotonic() - start

    def report(self) -> None:
        """Log, evaluate and checkpoint where their time has come."""
        steps = self.progress.steps
        self.display.steps(steps)
        evaluate = self._schedule.is_due("eval", steps) or steps >= self.config.total_steps
        if evaluate:
            self._evaluate()
        if self._schedule.is_due("log", steps) or evaluate:
            self._write_metrics(self.evaluation if evaluate else None)
        if self._schedule.is_due("checkpoint", steps):
            self._checkpoint()

    def finish(self, interrupted: bool) -> dict[str, Any]:
        """Write a run's last evaluation, checkpoint, summary and curve."""
        if not interrupted and (not self.log.history or self._last_evaluated() != self.progress.steps):
            self._evaluate()
            self._write_metrics(self.evaluation)
        self._checkpoint()
        wall = time.monotonic() - self._began
        summary = summarise(self.config, self.learner.device, self.progress, self.log.history, wall, interrupted)
        write_json(self.folder / "summary.json", summary)
        title = " ".join(filter(None, [self.config.mixer, "on", self.config.env, self.config.task_name]))
        plot_curves([(self.folder.name, self.log.history)], self.folder / "curve.png", title)
        for line in goodbye(summary, self.evaluation, self.folder):
            self.display.message(line)
        return summary

    def rescue(self, error: BaseException) -> None:
        """Write a checkpoint when something fails; a run without a step leaves nothing behind."""
        if isinstance(error, DivergenceError):
            return  # no later checkpoint than the last would be worth keeping
        if self.progress.steps > self._first_steps:
            self._checkpoint()
        elif not self.resumed:
            self.log.close()
            self.run_folder.discard()

    def close(self) -> None:
        """Close files and environments."""
        self.log.close()
        self.rollout.close()
        self.evaluator.close()

    def _update(self) -> UpdateStats:
        config, room = self.config, self.learner.step.batch_room
        batch = self.sampler.sample(config.batch_size, next(self._memory), room)
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
        return self._due_updates >= 1.0 - 1e-9

    def _playing_ahead(self) -> AbstractContextManager[None]:
        """With --overlap, play the next episodes while training steps are taken, if there are both."""
        more = self.progress.steps < self.config.total_steps
        if more and self._is_update_due():
            return self.rollout.meanwhile(*self._next_episodes())
        return nullcontext()

    def _evaluate(self) -> None:
        self.evaluation = self.evaluator.evaluate(self.config.eval_episodes)
        self.progress.evaluated_episodes += self.config.eval_episodes

    def _last_evaluated(self) -> int | None:
        return next((m.steps for m in reversed(self.log.history) if m.eval_return_mean is not None), None)

    def _write_metrics(self, evaluation: Evaluation | None) -> None:
        ops.raise_late_errors()
        window, self._window = self._window, Window(self.progress.steps)
        working = window.working_seconds
        steps = self.progress.steps - window.first_step
        metrics = Metrics(
            steps=self.progress.steps,
            episodes=self.progress.episodes,
            updates=self.progress.updates,
            epsilon=self.config.epsilon(self.progress.steps),
            **window.means(),
            eval_return_mean=evaluation.mean if evaluation else None,
            eval_return_std=evaluation.std if evaluation else None,
            eval_win_rate=evaluation.win_rate if evaluation else None,
            env_steps_per_second=steps / working if working else None,
            updates_per_env_step=len(window.updates) / steps if steps else None,
            wall_seconds=time.monotonic() - self._began,
        )
        self.log.write(metrics)
        self.display.metrics(metrics)
        if metrics.loss is not None and not math.isfinite(metrics.loss):
            raise DivergenceError(f"the loss became {metrics.loss} by update {metrics.updates}")

    def _checkpoint(self) -> None:
        if self.checkpointed != self.progress.steps:
            ops.raise_late_errors()
            if not self.learner.networks.is_finite():
                raise DivergenceError(f"the weights are no longer finite after update {self.progress.updates}")
            checkpoint.save(self.folder, self.learner, self.progress)
            self.checkpointed = self.progress.steps


def _sampler(
    config: Config, spec: EpisodeSpec, device: torch.device, ring: EpisodeRing, updates: int
) -> EpisodeSampler:
    """Build the sampler; a resumed run draws as if its earlier updates had been a run apart."""
    seed = derive_seed(config.seed, Stream.REPLAY, updates)
    store = DeviceStore(spec, config.buffer_size, device) if config.replay_device == "cuda" else None
    if config.prioritised:
        return PrioritisedSampler(ring, seed, config.per_alpha, store)
    return ring.sampler(seed, store)


def _batch_memory(config: Config, spec: EpisodeSpec, device: torch.device) -> Iterator[EpisodeBatch]:
    """Allocate memory of batches; for a GPU two, because one is still being copied while the other is filled."""
    page_locked = device.type == "cuda"
    count = 2 if page_locked else 1
    return cycle([EpisodeBatch.empty(spec, config.batch_size, pin_memory=page_locked) for _ in range(count)])


def _files(config: Config, resume: bool, steps: int) -> tuple[RunFolder, MetricsLog]:
    """Open the folder of a new run, or that of one which goes on at ``steps`` with other options."""
    if not resume:
        made = folder.create(config)
        return made, MetricsLog(made.path)
    resumed = RunFolder(Path(str(config.run_dir)))
    log = MetricsLog(resumed.path, steps)
    folder.save_config(config)
    return resumed, log


def _resume(learner: Learner, config: Config) -> Progress:
    if config.run_dir is None:
        raise ConfigError("resume: expected the folder of a run in run_dir, got None")
    return checkpoint.load(checkpoint.latest(Path(config.run_dir)), learner)

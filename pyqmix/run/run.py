"""One run: its parts, and the phases of training."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch

from pyqmix import ops
from pyqmix.base import program_end
from pyqmix.base.errors import DivergenceError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.learn.step import UpdateStats
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.play.training import training_rollout
from pyqmix.replay import EpisodeRing
from pyqmix.replay.batch_memory import BatchMemory
from pyqmix.run import resume, state
from pyqmix.run.display import Display
from pyqmix.run.external import ExternalLogs
from pyqmix.run.files import RunFiles
from pyqmix.run.folder import RunFolder
from pyqmix.run.init_from import init_from
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.learners import Learners
from pyqmix.run.manifest import Manifest
from pyqmix.run.metrics import Metrics
from pyqmix.run.ring_parts import RingParts
from pyqmix.run.sampling import make_sampler
from pyqmix.run.schedule import Schedule
from pyqmix.run.state import Parts, Progress
from pyqmix.run.threads import run_threads
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
        learners: of the run, of which this program has one.
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
        learners: Learners,
        found: Manifest | None = None,
    ) -> None:
        self.config, self.display, self.folder, self.interrupt = config, display, run_folder, interrupt
        self.learners = learners
        with ExitStack() as opened:
            self._build(spec, device, found, opened)
            self._closing = opened.pop_all()
        self.evaluation: Evaluation | None = None
        self._first_steps, self.episode_limit = self.progress.steps, spec.episode_limit
        self._began = time.monotonic() - self.files.log.wall_seconds
        display.message(f"run directory: {run_folder.name}")

    def _build(self, spec: EpisodeSpec, device: torch.device, found: Manifest | None, opened: ExitStack) -> None:
        """Make all parts; ``opened`` closes those that must be closed."""
        config, share, ranks = self.config, self.learners.share, self.learners.ranks
        self.learner = Learner(spec, share, device, ranks=ranks)
        self.threads = opened.enter_context(run_threads(config, self.learner, ranks, self.display.message))
        with resume.offering_an_older_one(found):
            progress = Progress() if found is None else state.read_learner(found, self.learner)
        if config.init_from is not None and found is None:
            self.display.message(init_from(self.learner, Path(config.init_from)))
        self.ring = EpisodeRing(
            spec, share.buffer_size, shared=share.num_workers > 0 and config.rollout == "local"
        )
        self._memory = BatchMemory(spec, share.batch_size, device)
        with self.interrupt.may_raise():
            says = self.display.message, self.interrupt.give_up
            self.rollout = training_rollout(share, spec, self.learner.agent, self.ring, *says)
        opened.callback(self.rollout.close)
        self.sampler = make_sampler(share, spec, device, self.ring, progress.updates, ranks.rank)
        window = Window(progress.steps)
        self.parts = Parts(progress, self.learner, self.ring, self.sampler, self.rollout, window)
        ring_parts = RingParts(self.ring) if config.checkpoint_replay else None
        history: list[Metrics] = []
        pending: list[str] = []
        with resume.offering_an_older_one(found):
            if found is not None:
                history, pending = ranks.of_first(partial(resume.history, found)), resume.pending(found)
                self.display.message(resume.restore(found, self.parts, ring_parts))
                self.display.go_on(history)
        self.schedule = Schedule(config, progress.steps, pending)
        self.evaluator = Evaluator(share, self.learner.agent, config.seed, self.rollout)
        opened.callback(self.evaluator.close)
        self.evaluator.skip(progress.evaluated_episodes)
        say, path, resumed = self.display.message, self.folder.path, self.folder.resumed
        with self.interrupt.may_raise():  # a tool may wait for its server
            logged = config.replace(loggers=()) if self.folder.follows else config
            external = ExternalLogs(path, logged, resumed, history, say)
        self.files = RunFiles(config, self.folder, self.parts, self.schedule, ring_parts, history, found, external)
        opened.callback(self.files.close)
        self.learners.meet(self.learner, progress.steps)

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.parts.progress

    @property
    def wall_seconds(self) -> float:
        """Time since the run began, earlier parts of a resumed run counted in."""
        return time.monotonic() - self._began

    @property
    def is_complete(self) -> bool:
        """Whether the step budget is spent."""
        return self.progress.steps >= self.config.total_steps

    @property
    def is_done(self) -> bool:
        """Whether the step budget is spent, and the last evaluation has been made."""
        last = self.files.log.evaluated
        return self.is_complete and last is not None and last.steps == self.progress.steps

    def goes_on(self) -> bool:
        """Do all that is due at this step; return whether there is a further round to :meth:`play`."""
        self._learn()
        self._report()
        return not (self.is_complete or self.learners.stop)

    def play(self) -> None:
        """Play ``num_envs`` episodes into the ring, all with the exploration of their first step."""
        start = time.monotonic()
        played = self.learners.play(
            lambda mine: self.rollout.play(*self._next_episodes(mine)), self.config.num_envs
        )
        seconds = time.monotonic() - start
        self.parts.window.working_seconds += seconds
        self.threads.played(seconds, played.steps)
        self.progress.steps += played.steps
        self.progress.episodes += self.config.num_envs
        self.progress.due_updates += self.config.updates_due(self.config.num_envs)
        self.parts.window.played.append(played)
        self.parts.tickets = self.ring.tickets
        self.folder.keep = True

    def _learn(self) -> None:
        """Take the training steps that are due, once the ring holds a batch; with --overlap, play ahead."""
        start = time.monotonic()
        if len(self.ring) < self.learners.share.batch_size:
            self.progress.due_updates = 0.0
            return
        if not self._is_update_due():
            return
        self.learner.set_learning_rate(self.config.learning_rate(self.progress.steps))
        if not self.is_complete:
            self.rollout.start(*self._next_episodes(self.learners.ranks.share(self.config.num_envs)))
        before = self.learner.updates
        while self._is_update_due():
            self.parts.window.updates.append(self._update())
            self.progress.updates = self.learner.updates
            self.progress.due_updates -= 1.0
        self.learners.wait(self.rollout.wait)
        seconds = time.monotonic() - start
        self.parts.window.working_seconds += seconds
        self.threads.learned(seconds, self.learner.updates - before)

    def _report(self) -> None:
        """Log, evaluate and write checkpoints where their time has come."""
        steps, schedule = self.progress.steps, self.schedule
        self.display.steps(steps)
        evaluate = (self.is_complete and not self.is_done) or schedule.is_due("eval", steps)
        if evaluate:
            self.learners.meet(self.learner, steps)
            self.evaluation = Evaluation.of(self.learners.play(self.evaluator.play, self.config.eval_episodes))
            self.evaluator.skip(self.config.eval_episodes)
        if evaluate or schedule.is_due("log", steps):
            self._write_metrics(self.evaluation if evaluate else None)
        if schedule.is_due("best", steps):
            self.files.write_best()
            schedule.done("best", steps)
        if schedule.is_due("checkpoint", steps):
            schedule.done("checkpoint", steps)
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        self._settle()
        # All learners have the one before whole, so that each may remove older ones.
        self.learners.meet(self.learner, self.progress.steps, first=self.files.wait)
        self.files.write_checkpoint()

    def finish(self, interrupted: bool) -> None:
        """Write a run's last checkpoint."""
        self._write_checkpoint()
        self.folder.keep = True
        self.files.wait()
        self.files.status = "stopped" if interrupted else "finished"

    def _settle(self) -> None:
        """Wait for the episodes that are being played ahead, which a checkpoint keeps; not after two signals."""
        with self.interrupt.ending(), self.interrupt.may_raise():
            self.rollout.settle()

    def rescue(self, error: BaseException) -> None:
        """Write a checkpoint when something fails; a run without a new step has nothing to save.

        Raises:
            OSError: the run's folder was removed or moved; its new one is named.
        """
        if isinstance(error, DivergenceError) or self.progress.steps == self._first_steps:
            return  # after a divergence no later checkpoint than the last would be worth keeping
        if program_end.has_come():
            return  # there is no time for one
        if not self.learners.agree_on(error):
            return  # no learner can go on from a checkpoint that the others do not have
        moved, was = not self.folder.is_in_place, self.folder.name
        try:
            self.learners.meet(self.learner, self.progress.steps)
            self.files.save_after_failure()
        except Exception as another:  # of the same full disk, for example; the first error is the one that counts
            self.display.message(f"no checkpoint of this step could be written: {another}")
            return
        if moved:
            name = self.folder.name
            raise OSError(
                f"{was} was removed or moved during training: what was learned lies in a new folder, {name}; "
                f"continue with: pyqmix-train --resume {name}"
            ) from error

    def close(self) -> None:
        """Close files and environments."""
        self._closing.close()

    def _update(self) -> UpdateStats:
        config, room = self.config, self.learner.step.batch_room
        batch = self.sampler.sample(self.learners.share.batch_size, self._memory, room)
        beta = config.importance_exponent(self.progress.steps)
        stats = self.learner.update(batch, self.sampler.importance(beta))
        if stats.episode_errors is not None:
            self.sampler.learn(stats.episode_errors)
        return stats

    def _next_episodes(self, mine: range) -> tuple[int, int, float]:
        """Tell which of the next episodes are this learner's: the first, how many, and their exploration."""
        return self.progress.episodes + mine.start, len(mine), self.config.epsilon(self.progress.steps)

    def _is_update_due(self) -> bool:
        return self.progress.due_updates >= 1.0 - 1e-9

    def _write_metrics(self, evaluation: Evaluation | None) -> None:
        ops.raise_late_errors()
        progress = self.progress
        metrics = Metrics(
            steps=progress.steps,
            episodes=progress.episodes,
            updates=progress.updates,
            epsilon=self.config.epsilon(progress.steps),
            **self.parts.window.values(progress.steps),
            **({} if evaluation is None else evaluation.values()),
            wall_seconds=self.wall_seconds,
        )
        best = self.files.log.best
        self.files.write_metrics(metrics)
        self._take_note(evaluation, best)
        self.display.metrics(metrics)
        if metrics.loss is not None and not math.isfinite(metrics.loss):
            raise DivergenceError(f"the loss became {metrics.loss} by update {metrics.updates}")

    def _take_note(self, evaluation: Evaluation | None, best: float) -> None:
        """Begin the next averages, and note what has been done, when a line of metrics has been written."""
        steps = self.progress.steps
        self.parts.window = Window(steps)
        self.schedule.done("log", steps)
        if evaluation is not None:
            self.schedule.done("eval", steps)
            self.progress.evaluated_episodes += self.config.eval_episodes
            if evaluation.mean > best:
                self.schedule.request("best", steps)

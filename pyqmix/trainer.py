"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyqmix import checkpoint, rundir
from pyqmix.build import build_info, versions
from pyqmix.checkpoint import Progress
from pyqmix.config import Config
from pyqmix.display import Display
from pyqmix.envs import Env, create_env
from pyqmix.errors import ConfigError
from pyqmix.evaluate import Evaluation, Evaluator
from pyqmix.interrupt import InterruptFlag
from pyqmix.learner import Learner, UpdateStats
from pyqmix.metrics import Metrics, MetricsLog
from pyqmix.replay import EpisodeRing, describe_memory
from pyqmix.rollout import Played, Rollout
from pyqmix.rundir import RunFolder
from pyqmix.seeding import Stream, derive_seed


class DivergenceError(RuntimeError):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Result:
    """What a run brought.

    Attributes:
        run_dir: its folder.
        summary: what summary.json holds.
        learner: the trained networks.
    """

    run_dir: Path
    summary: dict[str, Any]
    learner: Learner

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it before its step budget was spent."""
        return bool(self.summary["interrupted"])


def train(config: Config, *, resume: bool = False, quiet: bool = False) -> Result:
    """Train as ``config`` says and leave a run directory behind.

    Args:
        config: the run's options.
        resume: go on with the newest checkpoint of the run in ``config.run_dir``.
        quiet: print nothing.

    Returns:
        The summary and the trained networks.

    Raises:
        ConfigError: an option cannot be used here; nothing was written.
        EnvError: an environment failed; what had been learned is in a checkpoint.
        MemoryError: the replay buffer does not fit in the free memory.
        DivergenceError: the loss became NaN or infinite.
    """
    device = resolve_device(config.device)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    envs = [create_env(config.env, config.task, config.env_options())]
    config = config.replace(task=_task_name(config, envs[0]))
    envs += [create_env(config.env, config.task, config.env_options()) for _ in range(config.num_envs - 1)]
    with Display(config.total_steps, quiet=quiet) as display, InterruptFlag() as interrupt:
        display.message(describe_memory(envs[0].spec, config.buffer_size))
        run = _Run(config, envs, device, display, resume)
        try:
            while run.progress.steps < config.total_steps and not interrupt.seen:
                run.play()
                run.learn()
                run.report()
            return run.finish(interrupted=interrupt.seen)
        except BaseException:
            run.rescue()
            raise
        finally:
            run.close()


def resolve_device(name: str) -> torch.device:
    """Turn the option ``--device`` into a device.

    Raises:
        ConfigError: there is no such device here.
    """
    if name == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError("device: expected a device of this machine, got 'cuda', but torch finds no GPU")
        if build_info()["cuda"] is None:
            raise ConfigError("device: this build of pyqmix has no CUDA kernels: reinstall it where nvcc is found")
    return torch.device("cuda" if name == "cuda" else "cpu")


class _Run:
    """The parts of one run, and the four things that happen to them in turn."""

    def __init__(
        self, config: Config, envs: list[Env], device: torch.device, display: Display, resume: bool
    ) -> None:
        self.config, self.display, self.resumed = config, display, resume
        self.learner = Learner(envs[0].spec, config, device)
        self.ring = EpisodeRing(envs[0].spec, config.buffer_size)
        self.rollout = Rollout(envs, self.learner.agent, config.seed, Stream.ENVIRONMENT, self.ring)
        self.evaluator = Evaluator(config, self.learner.agent, config.seed)
        self.progress = _resume(self.learner, config) if resume else Progress()
        self.run_folder = RunFolder(Path(str(config.run_dir))) if resume else rundir.create(config)
        self.folder = self.run_folder.path
        self.evaluator.skip(self.progress.evaluated_episodes)
        # A resumed run draws from here on as if its earlier part had been a run of its own.
        self.sampler = self.ring.sampler(derive_seed(config.seed, Stream.REPLAY, self.progress.updates))
        self.log = MetricsLog(self.folder, self.progress.steps if resume else -1)
        if resume:
            rundir.save_config(config)
        self.evaluation: Evaluation | None = None
        self.checkpointed = self.progress.steps if resume else -1
        self._began = time.monotonic() - (self.log.history[-1].wall_seconds if self.log.history else 0.0)
        self._first_steps, self._working = self.progress.steps, 0.0
        self._due_updates = 0.0
        self._window = _Window(self.progress.steps)
        self._next = {
            name: (self.progress.steps // every + 1) * every for name, every in self._intervals().items()
        }
        display.message(f"run directory: {self.folder}")
        if resume:
            display.message(
                f"resumed at step {self.progress.steps:,} with networks, targets, optimizer and counters; "
                "not restored: the replay buffer, which fills anew"
            )

    def play(self) -> None:
        """Play ``num_envs`` episodes into the ring, all with the exploration of their first step."""
        epsilon = self.config.epsilon(self.progress.steps)
        start = time.monotonic()
        played = self.rollout.play(self.progress.episodes, self.config.num_envs, epsilon)
        self._work(start)
        self.progress.steps += played.steps
        self.progress.episodes += self.config.num_envs
        self._due_updates += self.config.num_envs * self.config.updates_per_episode
        self._window.played.append(played)

    def learn(self) -> None:
        """Take the training steps that are due, once the ring holds a batch."""
        start = time.monotonic()
        if len(self.ring) < self.config.batch_size:
            self._due_updates = 0.0
            return
        while self._due_updates >= 1.0 - 1e-9:
            self._due_updates -= 1.0
            self._window.updates.append(self.learner.update(self.sampler.sample(self.config.batch_size)))
        self.progress.updates = self.learner.updates
        self._work(start)

    def report(self) -> None:
        """Log, evaluate and checkpoint where their time has come."""
        steps = self.progress.steps
        self.display.steps(steps)
        evaluate = self._is_due("eval") or steps >= self.config.total_steps
        if evaluate:
            self._evaluate()
        if self._is_due("log") or evaluate:
            self._write_metrics(self.evaluation if evaluate else None)
        if self._is_due("checkpoint"):
            self._checkpoint()

    def finish(self, interrupted: bool) -> Result:
        """Write what remains of a run; a resumed one that had no step to take may lack its evaluation."""
        if not interrupted and (not self.log.history or self._last_evaluated() != self.progress.steps):
            self._evaluate()
            self._write_metrics(self.evaluation)
        self._checkpoint()
        summary = self._summary(interrupted)
        rundir.write_json(self.folder / "summary.json", summary)
        from pyqmix.plots import (
            plot_curves,  # matplotlib takes half a second that a failing run need not wait
        )

        title = " ".join(filter(None, [self.config.mixer, "on", self.config.env, self.config.task]))
        plot_curves([(self.folder.name, self.log.history)], self.folder / "curve.png", title)
        self._say_goodbye(summary)
        return Result(self.folder, summary, self.learner)

    def rescue(self) -> None:
        """Keep what was learned when something fails; a run without a step leaves nothing behind."""
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

    def _intervals(self) -> dict[str, int]:
        config = self.config
        return {
            "eval": config.eval_every,
            "log": config.log_every,
            "checkpoint": config.checkpoint_every,
        }

    def _is_due(self, name: str) -> bool:
        if self.progress.steps < self._next[name]:
            return False
        every = self._intervals()[name]
        self._next[name] = (self.progress.steps // every + 1) * every
        return True

    def _work(self, start: float) -> None:
        self._working += time.monotonic() - start

    def _evaluate(self) -> None:
        self.evaluation = self.evaluator.evaluate(self.config.eval_episodes)
        self.progress.evaluated_episodes += self.config.eval_episodes

    def _last_evaluated(self) -> int | None:
        return next((m.steps for m in reversed(self.log.history) if m.eval_return_mean is not None), None)

    def _write_metrics(self, evaluation: Evaluation | None) -> None:
        window, self._window = self._window, _Window(self.progress.steps)
        working, self._working = self._working, 0.0
        metrics = Metrics(
            steps=self.progress.steps,
            episodes=self.progress.episodes,
            updates=self.progress.updates,
            epsilon=self.config.epsilon(self.progress.steps),
            **window.means(),
            eval_return_mean=evaluation.mean if evaluation else None,
            eval_return_std=evaluation.std if evaluation else None,
            env_steps_per_second=(self.progress.steps - window.first_step) / working if working else None,
            wall_seconds=time.monotonic() - self._began,
        )
        self.log.write(metrics)
        self.display.metrics(metrics)
        if metrics.loss is not None and not np.isfinite(metrics.loss):
            raise DivergenceError(f"the loss became {metrics.loss} by update {metrics.updates}")

    def _checkpoint(self) -> None:
        if self.checkpointed != self.progress.steps:
            checkpoint.save(self.folder, self.learner, self.progress)
            self.checkpointed = self.progress.steps

    def _summary(self, interrupted: bool) -> dict[str, Any]:
        wall = time.monotonic() - self._began
        evaluated = [m for m in self.log.history if m.eval_return_mean is not None]
        return {
            "env": self.config.env,
            "task": self.config.task,
            "seed": self.config.seed,
            "total_steps": self.progress.steps,
            "episodes": self.progress.episodes,
            "updates": self.progress.updates,
            "interrupted": interrupted,
            "wall_seconds": wall,
            "env_steps_per_second": self.progress.steps / wall,
            "eval_return_mean": evaluated[-1].eval_return_mean if evaluated else None,
            "eval_return_std": evaluated[-1].eval_return_std if evaluated else None,
            "eval_episodes": self.config.eval_episodes if evaluated else 0,
            "versions": versions(),
            "build_info": build_info(),
            "threads": torch.get_num_threads(),
            "device": str(self.learner.device),
        }

    def _say_goodbye(self, summary: dict[str, Any]) -> None:
        how = "interrupted" if summary["interrupted"] else "done"
        self.display.message(
            f"{how}: {summary['total_steps']:,} steps, {summary['episodes']:,} episodes, "
            f"{summary['updates']:,} updates in {summary['wall_seconds']:.0f} s "
            f"({summary['env_steps_per_second']:,.0f} steps/s with evaluation)"
        )
        if summary["eval_return_mean"] is not None:
            interval = ""
            if self.evaluation is not None:
                interval = " [{:.3f}, {:.3f}] 95 %".format(*self.evaluation.interval())
            self.display.message(
                f"greedy return over {summary['eval_episodes']} episodes: {summary['eval_return_mean']:.3f} "
                f"(std {summary['eval_return_std']:.3f}){interval}"
            )
        self.display.message(f"files: {self.folder}/  (summary.json, metrics.csv, curve.png, checkpoints)")
        if summary["interrupted"]:
            self.display.message(f"continue with: pyqmix-train --resume {self.folder}")


class _Window:
    """What happened since the last line of metrics."""

    def __init__(self, first_step: int) -> None:
        self.first_step = first_step
        self.played: list[Played] = []
        self.updates: list[UpdateStats] = []

    def means(self) -> dict[str, float | None]:
        """Average; the only place where the training device is waited for."""
        names = ("loss", "q_mean", "target_mean", "grad_norm")
        means: dict[str, float | None] = {name: self._mean_of(name) for name in names}
        means["train_return"] = _mean([p.returns for p in self.played])
        means["train_length"] = _mean([p.lengths for p in self.played])
        return means

    def _mean_of(self, name: str) -> float | None:
        if not self.updates:
            return None
        return float(torch.stack([getattr(update, name) for update in self.updates]).mean())


def _mean(arrays: Sequence[np.ndarray[Any, Any]]) -> float | None:
    return float(np.concatenate(arrays).mean()) if arrays else None


def _resume(learner: Learner, config: Config) -> Progress:
    if config.run_dir is None:
        raise ConfigError("resume: expected the folder of a run in run_dir, got None")
    folder = Path(config.run_dir)
    return checkpoint.load(checkpoint.latest(folder), learner)


def _task_name(config: Config, env: Env) -> str | None:
    return env.name if config.env == "lbf" else config.task

"""The training loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from pyqmix.base import program_end
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.exhaustion import naming_exhaustion, require_threads
from pyqmix.base.kernel_threads import kernel_threads_of
from pyqmix.base.ranks import joined_ranks
from pyqmix.base.torch_modes import usual_modes
from pyqmix.base.torch_threads import torch_threads
from pyqmix.config import Config
from pyqmix.config.origin import origin
from pyqmix.envs import Env, env_family
from pyqmix.envs.importing import close
from pyqmix.learn.learner import Learner
from pyqmix.learn.network_memory import require_network_memory
from pyqmix.play.alarm import Alarm
from pyqmix.play.create import require_workers_are_of_use
from pyqmix.replay import describe_memory
from pyqmix.replay.batch_memory import batch_notes
from pyqmix.run.display import Display
from pyqmix.run.folder import RunFolder
from pyqmix.run.idle_notes import idle_notes
from pyqmix.run.interrupt import Interrupt
from pyqmix.run.learners import Learners
from pyqmix.run.network_notes import doubts, price_notes
from pyqmix.run.results import write_results
from pyqmix.run.resume import start_notes
from pyqmix.run.run import Run
from pyqmix.run.several import make_learners


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        run_dir: its folder.
        summary: the content of summary.json.
        learner: the trained networks.
        exit_code: of the command: 130 where Ctrl-C has ended the run early, 143 where another signal has.
    """

    run_dir: Path
    summary: dict[str, Any]
    learner: Learner
    exit_code: int = 0

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it before its step budget was spent."""
        return bool(self.summary["interrupted"])


@naming_exhaustion()
@program_end.call()
@usual_modes()
def train(
    config: Config,
    env: Callable[..., Any] | None = None,
    agent: Callable[..., nn.Module] | None = None,
    mixer: Callable[..., nn.Module] | None = None,
    *,
    resume: bool = False,
    checkpoint: str | int = "newest",
    quiet: bool = False,
) -> Result:
    """Train as ``config`` says and leave a run directory behind.

    A class or function of your own stands in for the option of its name, and config.json records it as
    ``module:name``. A resumed run is given it again, unless ``module`` can be imported.

    A resumed run goes on as if it had never been stopped, to the same bits; only the columns of time differ.

    In each of several processes that ``torchrun`` has started, or that are in torch's default process group, this
    trains one run together with the others, as docs/cluster.md says.

    Args:
        config: the run's options.
        env: makes an environment that :func:`pyqmix.envs.adapt` takes, in place of ``config.env`` and
            ``config.task``. Worker processes get it by value if they cannot import it.
        agent: makes an agent network, as :func:`pyqmix.register_agent` says.
        mixer: makes a mixer, as :func:`pyqmix.register_mixer` says.
        resume: go on with the run in ``config.run_dir``; one that was killed before its first checkpoint starts
            over.
        checkpoint: of a resumed run, the steps of an older checkpoint to go on from; later ones are removed.
        quiet: print nothing; a doubt about a user's network, or about a part of the run that will do nothing,
            becomes a Python warning.

    Returns:
        The summary and the trained networks.

    Raises:
        ConfigError: an option cannot be used here, or another program is writing the folder; nothing was written.
        EnvError: an environment failed; a checkpoint holds the networks as they were then.
        MemoryError: the replay buffer or the networks do not fit in the free memory, or memory ran out later.
        ResourceError: no thread or process could be started.
        DivergenceError: the loss became NaN or infinite.
        OSError: a file cannot be written.
        RankError: another learner of the run has failed or ended.
    """
    config = config.with_own(env=env, agent=agent, mixer=mixer)
    if config.task_name is None and env_family(config.env).default_task is not None:
        config = config.replace(task=env_family(config.env).default_task)
    if resume and config.run_dir is None:
        raise ConfigError("resume: expected the folder of a run in run_dir, got None")
    threads = config.threads if isinstance(config.threads, int) else 1
    require_threads(2 * (threads - 1))  # torch's and the kernels', which are apart
    with (
        torch_threads(1),  # the run's networks may need more: see run_threads
        kernel_threads_of(threads),
        joined_ranks() as ranks,
        Interrupt(quiet or ranks.rank > 0) as interrupt,
    ):
        learners = make_learners(config, ranks, interrupt)
        opened = learners.open_folder(config, resume)
        try:
            return _train(config, opened, str(checkpoint) if resume else None, quiet, interrupt, learners)
        except BaseException:
            if not opened.keep:
                opened.discard()
            raise
        finally:
            opened.release()


def _train(
    config: Config, opened: RunFolder, which: str | None, quiet: bool, interrupt: Interrupt, learners: Learners
) -> Result:
    with Display(config.total_steps, quiet=quiet or opened.follows) as display:
        interrupt.show = display.notice
        found = learners.choose(config, opened, which) if which is not None else None
        with interrupt.may_raise(), closing(Alarm(config)) as alarm:
            with alarm:
                world = config.create_env()
            close(world, partial(_tell, display, quiet))
        require_workers_are_of_use(config, world)
        require_network_memory(config, world.spec)
        device, reason = learners.resolve_device(world.spec)
        display.message(origin(config))
        display.message(reason)
        display.message(describe_memory(world.spec, learners.share.buffer_size))
        for line in (*learners.notes(), *start_notes(config, opened, found)):
            display.message(line)
        run = Run(config, world.spec, device, display, opened, interrupt, learners, found)
        try:
            idle = [] if opened.resumed else idle_notes(config, world.spec.episode_limit)
            if not opened.follows:
                _say(config, world, run.learner, display, quiet, idle)
            with interrupt.ending():
                while run.goes_on():
                    run.play()
            interrupted = interrupt.seen and not run.is_done
            run.finish(interrupted)
            summary = write_results(run, interrupted)
        except BaseException as error:
            try:
                run.rescue(error)
            finally:
                with suppress(Exception):  # the first error is the one that counts
                    _close(run, interrupt)
            raise
        try:
            _close(run, interrupt)
        except EnvError as error:  # the run is complete
            _tell(display, quiet, str(error))
        return Result(opened.path, summary, run.learner, interrupt.exit_code if summary["interrupted"] else 0)


def _tell(display: Display, quiet: bool, line: str) -> None:
    """Say a line that concerns the user also where nothing is printed: as a warning, then."""
    if quiet:
        warnings.warn(line, stacklevel=5)  # at the call of train, behind its decorator
    else:
        display.message(line)


def _close(run: Run, interrupt: Interrupt) -> None:
    with interrupt.may_raise(earlier=False):
        run.close()


def _say(config: Config, world: Env, learner: Learner, display: Display, quiet: bool, idle: list[str]) -> None:
    """Say what must be known of the environment and the networks; doubts are warnings where nothing is printed."""
    found = [*doubts(config, learner), *batch_notes(world.spec, config.batch_size), *idle]
    if quiet:
        for doubt in found:
            warnings.warn(doubt, stacklevel=7)  # at the call of train, behind its decorators
        return
    offers = [f"{world.name}: {note}" for note in getattr(world, "notes", ())]
    for note in [*offers, *price_notes(config, world, learner), *found]:
        display.message(note)

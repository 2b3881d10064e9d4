"""Where to train: as asked for, or where a training step is measured to take less time."""

from __future__ import annotations

import dataclasses
import time
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from pyqmix.base.build import build_info
from pyqmix.base.errors import ConfigError
from pyqmix.base.free_memory import free_memory
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.make import is_built_in
from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.device_store import store_bytes

_WARM_UP, _MEASURED = 5, 11  # training steps; a GPU's first ones are not captured yet
_SAME = 0.05  # the largest relative difference between the losses of two devices


def resolve_device(config: Config, spec: EpisodeSpec) -> tuple[torch.device, str]:
    """Turn the option ``--device`` into a device.

    ``auto`` measures where a GPU can be used: the training steps of this run's networks and batch size on either
    device, each with the copy of the weights that acting on the CPU needs. A GPU that fails at them, or learns
    something else, is not taken.

    Returns:
        The device, and a sentence that says why.

    Raises:
        ConfigError: there is no such device here.
    """
    cpu = torch.device("cpu")
    hindrance = _no_gpu()
    if config.device == "cuda" and hindrance:
        raise ConfigError(f"device: expected a device that can be used, got 'cuda', but {hindrance}")
    if config.device == "cuda":
        device, reason = torch.device("cuda", torch.cuda.current_device()), "as asked for"
    elif config.device == "cpu":
        device, reason = cpu, "as asked for"
    elif hindrance:
        device, reason = cpu, hindrance
    else:
        device, reason = _faster(config, spec, torch.device("cuda", torch.cuda.current_device()))
    if config.replay_device == "cuda" and device.type == "cpu":
        raise ConfigError(f"replay_device: expected cpu, because the CPU trains ({reason}), got 'cuda'")
    return device, f"trains on {device.type}: {reason}"


class Trial(NamedTuple):
    """Training steps on a device.

    Attributes:
        seconds: of one, with the copy of its weights to where the policy acts.
        losses: of all of them; with a user's networks, which may have dropout, only one in evaluation mode.
    """

    seconds: float
    losses: Tensor


def try_out(config: Config, spec: EpisodeSpec, device: torch.device, limit: float = float("inf")) -> Trial:
    """Take training steps on one batch of episodes of full length; on the CPU fewer, after ``limit`` seconds.

    Episodes of which a batch would take more than an eighth of the free memory are tried at a part of their
    length, because a step limit may lie far above the length of any episode.
    """
    spec = _tried(spec, config.batch_size)
    learner = Learner(spec, config, device)
    batch = _full_batch(spec, config.batch_size, pin_memory=device.type == "cuda")
    importance = torch.ones(config.batch_size, dtype=torch.float32) if config.prioritised else None
    seconds: list[float] = []
    ours = is_built_in(learner.agent) and is_built_in(learner.mixer)
    losses = [] if ours else [learner.loss(batch, importance)[0].detach()]
    began = time.perf_counter()
    for _ in range(_WARM_UP + _MEASURED):
        start = time.perf_counter()
        if device.type == "cpu" and len(seconds) > 1 and start - began > limit:
            break
        stats = learner.update(batch, importance)
        losses += [stats.loss] if ours else []
        ActorWeights.of(learner.agent)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return Trial(median(seconds[min(_WARM_UP, len(seconds) - 1) :]), torch.stack(losses).cpu())


def _faster(config: Config, spec: EpisodeSpec, gpu: torch.device) -> tuple[torch.device, str]:
    cpu = torch.device("cpu")
    ours = try_out(config, spec, cpu)
    try:
        theirs = try_out(config, spec, gpu)
        torch.cuda.empty_cache()  # the run needs the trial's memory
        torch.testing.assert_close(theirs.losses, ours.losses, rtol=_SAME, atol=0)
    except (RuntimeError, AssertionError) as error:
        return cpu, f"the GPU failed at these training steps: {' '.join(str(error).split())}"
    reason = f"a training step takes {1e3 * ours.seconds:.2f} ms on the CPU, {1e3 * theirs.seconds:.2f} on the GPU"
    return gpu if theirs.seconds < ours.seconds else cpu, reason


def _no_gpu() -> str:
    """Say why no GPU can be used; empty if one can."""
    if not torch.cuda.is_available():
        return "torch finds no GPU"
    if build_info()["cuda"] is None:
        return "this build of pyqmix has no CUDA kernels: reinstall it where nvcc is found"
    return ""


def _tried(spec: EpisodeSpec, batch_size: int) -> EpisodeSpec:
    """Return the sizes of the episodes that are tried."""
    each = store_bytes(spec, batch_size) // spec.episode_limit
    fitting = free_memory().size // 8 // max(1, each)
    return dataclasses.replace(spec, episode_limit=max(1, min(spec.episode_limit, fitting)))


def _full_batch(spec: EpisodeSpec, batch_size: int, pin_memory: bool) -> EpisodeBatch:
    batch = EpisodeBatch.empty(spec, batch_size, pin_memory=pin_memory)
    random = torch.Generator().manual_seed(0)
    batch.obs.normal_(generator=random)
    if not spec.concat_state:
        batch.states.normal_(generator=random)
    batch.avail.fill_(True)
    batch.actions.random_(spec.n_actions, generator=random)
    batch.rewards.normal_(generator=random)
    batch.terminated.fill_(False)
    batch.lengths.fill_(spec.episode_limit)
    return batch

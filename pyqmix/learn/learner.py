"""The gradient step of a run's method on a batch of whole episodes."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.base import program_end
from pyqmix.base.errors import ConfigError
from pyqmix.base.seeding import Stream, generator
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.cuda_graph import CudaGraphs
from pyqmix.learn.graph_step import GraphStep
from pyqmix.learn.native_step import NativeStep
from pyqmix.learn.networks import Networks
from pyqmix.learn.optimizer import clipped_step, make_optimizer
from pyqmix.learn.rows import StepRows
from pyqmix.learn.standardiser import RewardStandardiser
from pyqmix.learn.step import StepInputs, TrainingStep, UpdateStats, episode_errors
from pyqmix.nn.make import is_built_in
from pyqmix.replay import EpisodeBatch


class Learner:
    """Online and target networks, the optimizer, and how one batch changes them.

    Args:
        spec: the episodes' sizes.
        config: the run's options.
        device: where the networks live.
        dtype: of their parameters.
    """

    def __init__(
        self,
        spec: EpisodeSpec,
        config: Config,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.spec, self.config, self.device = spec, config, device or torch.device("cpu")
        self.networks = networks = Networks.initial(network_spec(spec, config), config.seed, self.device, dtype)
        self.agent, self.mixer = networks.agent, networks.mixer
        _require_fitting(config, networks)
        self.target_agent, self.target_mixer = networks.target_agent, networks.target_mixer
        self.flat, self.target_flat = networks.flat, networks.target_flat
        self.parameters = self.flat.parameters
        self.step = choose_step(networks, config, spec)
        self.optimizer, self._lr = make_optimizer(config, self.flat, isinstance(self.step, GraphStep)), config.lr
        scale = spec.state_scale
        self._state_scale = None if scale is None else torch.tensor(scale, dtype=dtype, device=self.device)
        self.standardiser = RewardStandardiser(device=self.device)
        self.updates = 0

    def update(self, batch: EpisodeBatch, importance: Tensor | None = None) -> UpdateStats:
        """Take one training step; every ``target_update``-th one also updates the targets.

        Args:
            batch: the episodes. Before a GPU, one in page-locked memory may still be read when this returns; it
                may be written again when the next update returns.
            importance: (B,), factors of the episodes' weights in the loss, where sampling is prioritised.

        Raises:
            NoAvailableActionError: names episode (its place in the batch), step and agent.
        """
        program_end.rest()
        stats = self.step.take(self._change_weights, self._inputs(batch, importance))
        self.updates += 1
        if self.updates % self.config.target_update == 0:
            self.networks.update_targets(self.config.target_tau)
        return stats

    def _change_weights(self, inputs: StepInputs) -> UpdateStats:
        """Change the weights by one training step; the same operations whatever the inputs hold."""
        with self._backend(), self.networks.learning(self.config.seed, self.updates):
            rows, rewards, weights = self._prepare(inputs, self.step)
            loss, values, targets = self.step.gradients(rows, rewards, weights)
        grad_norm = clipped_step(self.optimizer, self.flat, self.config.grad_clip)
        errors = None
        if inputs.importance is not None:
            errors = episode_errors(rows, values, targets, inputs.batch.actions.shape[:2])
        return UpdateStats(torch.stack([loss, rows.mean(values), rows.mean(targets), grad_norm]), errors)

    def loss(self, batch: EpisodeBatch, importance: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Compute, by autograd, the loss, and the values and targets (N, *M) of the batch's steps by length."""
        step = AutogradStep(self.networks, self.config)
        with self._backend():
            return step.loss(*self._prepare(self._inputs(batch, importance), step))

    def _inputs(self, batch: EpisodeBatch, importance: Tensor | None = None) -> StepInputs:
        count, draws = self.config.batch_transitions, None
        if count is not None:
            draws = torch.from_numpy(generator(self.config.seed, Stream.TRANSITIONS, self.updates).random(count))
        return StepInputs(batch, importance, draws)

    def _backend(self) -> AbstractContextManager[None]:
        return ops.use_backend(self.config.backend)

    def _prepare(self, inputs: StepInputs, step: TrainingStep) -> tuple[StepRows, Tensor, Tensor]:
        """Lay the batch out; return with it the learned rewards (N,) and the weights (N,) in the loss."""
        inputs = inputs.to(self.device)
        batch = inputs.batch
        rows = step.lay_out(batch) if inputs.draws is None else StepRows.from_draws(batch, inputs.draws)
        if self._state_scale is not None:
            rows = dataclasses.replace(rows, states=rows.states * self._state_scale)
        rewards, weights = self._learned_rewards(batch, rows), self._weights(batch, rows)
        if inputs.importance is not None:
            weights = weights * inputs.importance.to(weights)[rows.episodes]
        return rows, rewards, weights

    def _learned_rewards(self, batch: EpisodeBatch, rows: StepRows) -> Tensor:
        """Scale and standardise the rewards (N,) of the real steps."""
        scale = self.config.reward_scale
        rewards = rows.rewards if scale == 1.0 else rows.rewards * scale
        if self.config.standardise_rewards == "off":
            return rewards
        if self.config.standardise_rewards == "masked":
            self.standardiser.update(rewards, rows.real)
        else:  # padding to the longest episode counts as rewards of zero
            padded = torch.where(batch.mask, batch.rewards, 0.0) * scale
            times = torch.arange(padded.shape[1], device=padded.device)
            self.standardiser.update(padded, (times < batch.lengths.max()).expand_as(padded))
        return self.standardiser.standardise(rewards)

    def _weights(self, batch: EpisodeBatch, rows: StepRows) -> Tensor:
        """Weights (N,) of the steps' errors in the loss; they sum to 1."""
        if self.config.loss == "transitions":
            return rows.share
        if self.config.batch_transitions is not None:
            lengths = batch.lengths[rows.episodes].to(rows.rewards.dtype)
            return 1.0 / (lengths * (1.0 / lengths).sum())
        return rows.of_episodes(1.0 / (batch.lengths * rows.n_episodes).to(rows.rewards.dtype))

    def set_learning_rate(self, lr: float) -> None:
        """Let the next training steps use another learning rate."""
        (group,) = self.optimizer.param_groups
        if not isinstance(group["lr"], Tensor):
            group["lr"] = lr
        elif lr != self._lr:  # a captured step reads it where it lies
            group["lr"].fill_(lr)
        self._lr = lr

    def load_optimizer_state(self, state: dict[int, dict[str, Tensor]]) -> None:
        """Take over the state that the optimizer's ``state_dict`` holds; the options stay this run's."""
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step.forget()


def _require_fitting(config: Config, networks: Networks) -> None:
    if config.batch_transitions is not None and networks.agent.recurrent:
        raise ConfigError(
            f"batch_transitions: expected an agent without a hidden state, as one needs whole episodes, got "
            f"{config.agent}"
        )


def choose_step(networks: Networks, config: Config, spec: EpisodeSpec) -> TrainingStep:
    """Choose how training steps are taken: as a CUDA graph on a GPU, else natively where the extension can."""
    capturable = is_built_in(networks.agent) and is_built_in(networks.mixer)
    if networks.device.type == "cuda" and config.backend == "fused" and capturable:
        return GraphStep(networks, config, spec, CudaGraphs(networks.device))
    if NativeStep.computes(networks, config):
        return NativeStep(networks, config)
    return AutogradStep(networks, config)

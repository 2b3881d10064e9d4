"""The gradient step of a run's method on a batch of whole episodes."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pyqmix import ops
from pyqmix.base import program_end
from pyqmix.base.errors import ConfigError
from pyqmix.base.ranks import ALONE, Ranks
from pyqmix.base.seeding import Stream, generator
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.cuda_graph import CudaGraphs
from pyqmix.learn.gradient_sum import GradientSum
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
        ranks: the learners of the run, each of which gets a part of every batch.
    """

    def __init__(
        self,
        spec: EpisodeSpec,
        config: Config,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks, self.spec, self.config, self.device = ranks, spec, config, device or torch.device("cpu")
        self.networks = networks = Networks.initial(network_spec(spec, config), config.seed, self.device, dtype)
        self.agent, self.mixer = networks.agent, networks.mixer
        _require_fitting(config, networks, ranks)
        self.target_agent, self.target_mixer = networks.target_agent, networks.target_mixer
        self.flat, self.target_flat = networks.flat, networks.target_flat
        self.parameters = self.flat.parameters
        self.step = choose_step(networks, config, spec)
        several, by_steps = ranks.count > 1, config.loss == "transitions"
        self._gradient_sum = GradientSum(ranks, self.flat, by_steps) if several else None
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
            RankError: another learner has ended.
        """
        program_end.rest()
        inputs = self._inputs(batch, importance)
        if self._gradient_sum is None:
            stats = self.step.take(self._change_weights, inputs)
        else:  # a CUDA graph has the gradient alone: the collective and the optimizer's step come behind it
            self.step.take(self._offer_gradient, inputs)
            stats = self._follow_gradient(*self._gradient_sum.total())
        self.updates += 1
        if self.updates % self.config.target_update == 0:
            self.networks.update_targets(self.config.target_tau)
        return stats

    def _change_weights(self, inputs: StepInputs) -> UpdateStats:
        """Change the weights by one training step; the same operations whatever the inputs hold."""
        rows, loss, values, targets = self._compute_gradient(inputs)
        errors = None
        if inputs.importance is not None:
            errors = episode_errors(rows, values, targets, inputs.batch.actions.shape[:2])
        return self._follow_gradient(loss, rows.mean(values), rows.mean(targets), errors)

    def _offer_gradient(self, inputs: StepInputs) -> UpdateStats:
        """Compute the gradient of this learner's part of a batch, for the other learners too."""
        assert self._gradient_sum is not None
        return UpdateStats(self._gradient_sum.offer(*self._compute_gradient(inputs)))

    def _compute_gradient(self, inputs: StepInputs) -> tuple[StepRows, Tensor, Tensor, Tensor]:
        """Write the gradient into the block; return the steps, loss (), values (N, *M) and targets (N, *M)."""
        with self._backend(), self.networks.learning(self.config.seed, self.updates, self.ranks.rank):
            rows, rewards, weights = self._prepare(inputs, self.step)
            return rows, *self.step.gradients(rows, rewards, weights)

    def _follow_gradient(
        self, loss: Tensor, q_mean: Tensor, target_mean: Tensor, errors: Tensor | None = None
    ) -> UpdateStats:
        """Take the optimizer's step."""
        grad_norm = clipped_step(self.optimizer, self.flat, self.config.grad_clip)
        return UpdateStats(torch.stack([loss, q_mean, target_mean, grad_norm]), errors)

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


def _require_fitting(config: Config, networks: Networks, ranks: Ranks) -> None:
    if config.batch_transitions is not None and networks.agent.recurrent:
        raise ConfigError(
            f"batch_transitions: expected an agent without a hidden state, as one needs whole episodes, got "
            f"{config.agent}"
        )
    for option, network in (("agent", networks.agent), ("mixer", networks.mixer)):
        normalises = any(isinstance(module, _BatchNorm) for module in cast(nn.Module, network).modules())
        if normalises and ranks.count > 1:
            raise ConfigError(
                f"{option}: expected no batch normalisation with {ranks.count} learners, each of which sees a "
                f"part of the batch, got {getattr(config, option)}"
            )


def choose_step(networks: Networks, config: Config, spec: EpisodeSpec) -> TrainingStep:
    """Choose how training steps are taken: as a CUDA graph on a GPU, else natively where the extension can."""
    capturable = is_built_in(networks.agent) and is_built_in(networks.mixer)
    if networks.device.type == "cuda" and config.backend == "fused" and capturable:
        return GraphStep(networks, config, spec, CudaGraphs(networks.device))
    if NativeStep.computes(networks, config):
        return NativeStep(networks, config)
    return AutogradStep(networks, config)

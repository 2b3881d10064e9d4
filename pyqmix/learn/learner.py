"""The gradient step of QMIX, VDN and IQL on a batch of whole episodes."""

from __future__ import annotations

import copy
import dataclasses
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.seeding import Stream, derive_seed, generator
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.learn.captured import CapturedSteps
from pyqmix.learn.cuda_graph import CudaGraphs
from pyqmix.learn.optimizer import clipped_step, make_optimizer
from pyqmix.learn.rows import StepRows
from pyqmix.learn.standardiser import RewardStandardiser
from pyqmix.learn.step import StepInputs, UpdateStats, episode_errors
from pyqmix.learn.targets import make_targets, naming_episodes
from pyqmix.nn import make_agent, make_mixer
from pyqmix.nn.flat import FlatParameters
from pyqmix.nn.mixers import squared_error
from pyqmix.replay import EpisodeBatch


class Learner:
    """Online and target networks, the optimizer, and how one batch changes them.

    Args:
        spec: what the episodes look like.
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
        self.networks = network_spec(spec, config)
        # The caller's generator stays as it is.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(config.seed, Stream.PARAMETERS))
            agent, mixer = make_agent(self.networks), make_mixer(self.networks)
        self.agent, self.mixer = agent.to(self.device, dtype), mixer.to(self.device, dtype)
        self.target_agent = copy.deepcopy(self.agent).requires_grad_(False)
        self.target_mixer = copy.deepcopy(self.mixer).requires_grad_(False)
        self.flat = FlatParameters([self.agent, self.mixer])
        self.target_flat = FlatParameters([self.target_agent, self.target_mixer])
        self.parameters = self.flat.parameters
        self.optimizer, self._lr = make_optimizer(config, self.flat), config.lr
        scale = spec.state_scale
        self._state_scale = None if scale is None else torch.tensor(scale, dtype=dtype, device=self.device)
        self.standardiser = RewardStandardiser(device=self.device)
        self.updates = 0
        # On a GPU a whole training step is one graph, whose shapes must not depend on what the batch holds.
        self.static_shapes = self.device.type == "cuda" and config.backend == "fused"
        self._captured = None
        if self.static_shapes:
            self._captured = CapturedSteps(spec, self.device, CudaGraphs(self.device))

    @property
    def batch_room(self) -> int | None:
        """With room for how many steps :meth:`pyqmix.EpisodeSampler.sample` had best lay episodes out for this."""
        return self.spec.episode_limit if self.static_shapes else None

    def update(self, batch: EpisodeBatch, importance: Tensor | None = None) -> UpdateStats:
        """Take one training step; every ``target_update``-th one also updates the targets.

        Args:
            batch: the episodes. Before a GPU, one in page-locked memory may still be read when this returns; it
                may be written again when the next update returns.
            importance: (B,), factors of the episodes' weights in the loss, where sampling is prioritised.

        Raises:
            NoAvailableActionError: names episode (its place in the batch), step and agent.
        """
        inputs = self._inputs(batch, importance)
        stats = self._step(inputs) if self._captured is None else self._captured.step(self._step, inputs)
        self.updates += 1
        if self.updates % self.config.target_update == 0:
            self.update_targets()
        return stats

    def _inputs(self, batch: EpisodeBatch, importance: Tensor | None = None) -> StepInputs:
        count, draws = self.config.batch_transitions, None
        if count is not None:
            draws = torch.from_numpy(generator(self.config.seed, Stream.TRANSITIONS, self.updates).random(count))
        return StepInputs(batch, importance, draws)

    def _step(self, inputs: StepInputs) -> UpdateStats:
        """Change the weights by one training step; the same operations whatever the inputs hold."""
        with self._backend():
            rows, rewards, weights = self._prepare(inputs)
            shape = self.whole_step
            if shape is None:
                loss, q, target = self._loss(rows, rewards, weights)
                self.flat.set_grads(loss)
            else:
                loss, q, target = self._gradients(shape, rows, rewards, weights)
        grad_norm = clipped_step(self.optimizer, self.flat, self.config.grad_clip)
        errors = None
        if inputs.importance is not None:
            errors = episode_errors(rows, q, target, inputs.batch.actions.shape[:2])
        scalars = torch.stack([loss.detach(), rows.mean(q), rows.mean(target), grad_norm])
        return UpdateStats(scalars, errors)

    def loss(self, batch: EpisodeBatch, importance: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss, the values (N, *M) and their targets (N, *M) of the steps; on a GPU of padding too."""
        with self._backend():
            return self._loss(*self._prepare(self._inputs(batch, importance)))

    def _backend(self) -> AbstractContextManager[None]:
        return ops.use_backend(self.config.backend)

    def _prepare(self, inputs: StepInputs) -> tuple[StepRows, Tensor, Tensor]:
        """Lay the batch out; return with it the learned rewards (N,) and the weights (N,) in the loss."""
        inputs = inputs.to(self.device)
        batch, rows = inputs.batch, self._pack(inputs)
        rewards, weights = self._learned_rewards(batch, rows), self._weights(batch, rows)
        if inputs.importance is not None:
            weights = weights * inputs.importance.to(weights)[rows.episodes]
        return rows, rewards, weights

    def _loss(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self._captured is not None:
            return self._loss_beside(self._captured.graphs, rows, rewards, weights)
        online_qs = self.agent.unroll(rows.obs, rows.point_counts)
        target = self._targets(rows, rewards, online_qs)
        chosen = rows.chosen(online_qs)
        loss, q = self.mixer.loss(chosen, rows.at_steps(rows.states), target, weights)
        return loss, q, target

    def _loss_beside(
        self, graphs: CudaGraphs, rows: StepRows, rewards: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what :meth:`_loss` does, the targets beside the values, neither of which fills a GPU."""
        double_q = self.config.double_q  # whose targets need the online network's values
        join = None if double_q else graphs.beside(lambda: self._targets(rows, rewards, None))
        online_qs = self.agent.unroll(rows.obs, rows.point_counts)
        if join is None:
            join = graphs.beside(lambda: self._targets(rows, rewards, online_qs))
        values = self.mixer(rows.chosen(online_qs), rows.at_steps(rows.states))
        target = join()
        loss, q = squared_error(values, target, weights)
        return loss, q, target

    def _targets(self, rows: StepRows, rewards: Tensor, online_qs: Tensor | None) -> Tensor:
        qs = None if online_qs is None or not self.config.double_q else online_qs.detach()
        return make_targets(rows, rewards, qs, self.target_agent, self.target_mixer, self.config)

    def _gradients(
        self, shape: NetworkSpec, rows: StepRows, rewards: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what :meth:`_loss` does, and the gradients, in one call."""
        assert self.flat.block.grad is not None
        with naming_episodes(rows):
            return ops.qmix_gradients(
                shape,
                self.flat.block,
                self.target_flat.block,
                self.agent.read(rows.obs),
                rows.states,
                rows.now,
                rows.next_avail,
                rows.actions,
                rewards,
                rows.terminated,
                weights,
                self.config.gamma,
                self.config.double_q,
                point_counts=rows.point_counts,
                out=self.flat.block.grad,
            )

    @property
    def whole_step(self) -> NetworkSpec | None:
        """The networks' sizes where :func:`pyqmix.ops.qmix_gradients` takes a whole training step of them."""
        config = self.config
        one_step = config.n_step == 1 and config.td_lambda == 0 and self.device.type == "cpu"
        if not one_step or (config.backend, config.mixer) != ("fused", "qmix"):
            return None
        return None if self.agent.native_kind is None else self.networks

    def set_learning_rate(self, lr: float) -> None:
        """Let the next training steps use another learning rate."""
        (group,) = self.optimizer.param_groups
        if not isinstance(group["lr"], Tensor):
            group["lr"] = lr
        elif lr != self._lr:  # a captured step reads it where it lies
            group["lr"].fill_(lr)
        self._lr = lr

    def _pack(self, inputs: StepInputs) -> StepRows:
        if inputs.draws is not None:
            rows = StepRows.from_draws(inputs.batch, inputs.draws)
        else:
            rows = (StepRows.of_fixed_shape if self.static_shapes else StepRows.by_length)(inputs.batch)
        if self._state_scale is None:
            return rows
        return dataclasses.replace(rows, states=rows.states * self._state_scale)

    def load_optimizer_state(self, state: dict[int, dict[str, Tensor]]) -> None:
        """Take over what the optimizer's ``state_dict`` holds, but for its options, which stay this run's."""
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if self._captured is not None:
            self._captured.forget()

    def is_finite(self) -> bool:
        """Whether every weight is a finite number; waits for the device."""
        return bool(self.flat.block.isfinite().all())

    def update_targets(self) -> None:
        """Move the target networks to the online ones, by ``target_tau`` of the way."""
        online, target, tau = self.flat.block, self.target_flat.block, self.config.target_tau
        with torch.no_grad():
            target.copy_(online) if tau == 1.0 else target.lerp_(online, tau)

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

"""The gradient step of QMIX, VDN and IQL on a batch of whole episodes."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.config import Config
from pyqmix.nn import make_agent, make_mixer
from pyqmix.nn.flat import FlatParameters
from pyqmix.packing import PackedEpisodes, pack
from pyqmix.prioritised import episode_errors
from pyqmix.replay import EpisodeBatch
from pyqmix.seeding import Stream, derive_seed
from pyqmix.spec import EpisodeSpec
from pyqmix.standardiser import RewardStandardiser
from pyqmix.targets import make_targets


@dataclass(frozen=True)
class UpdateStats:
    """What an update saw: detached scalars on the training device, which nobody has waited for.

    Attributes:
        loss: the loss.
        q_mean: mean of the values that the targets were compared with.
        target_mean: mean of the targets.
        grad_norm: norm of the whole gradient before clipping.
        episode_errors: (B,), the mean absolute error of each episode's steps, where sampling is prioritised.
    """

    loss: Tensor
    q_mean: Tensor
    target_mean: Tensor
    grad_norm: Tensor
    episode_errors: Tensor | None = None


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
        # The caller's generator stays as it is.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(config.seed, Stream.PARAMETERS))
            agent = make_agent(
                config.agent,
                obs_dim=spec.obs_dim,
                n_actions=spec.n_actions,
                n_agents=spec.n_agents,
                hidden_dim=config.hidden_dim,
                agent_id=config.agent_id,
                share_parameters=config.share_parameters,
            )
            mixer = make_mixer(
                config.mixer,
                n_agents=spec.n_agents,
                state_dim=spec.state_dim,
                embed_dim=config.embed_dim,
                hypernet_dim=config.hypernet_dim,
                hypernet_layers=config.hypernet_layers,
            )
        self.agent, self.mixer = agent.to(self.device, dtype), mixer.to(self.device, dtype)
        self.target_agent = copy.deepcopy(self.agent).requires_grad_(False)
        self.target_mixer = copy.deepcopy(self.mixer).requires_grad_(False)
        self.flat = FlatParameters([self.agent, self.mixer])
        self.target_flat = FlatParameters([self.target_agent, self.target_mixer])
        self.parameters = self.flat.parameters
        self.optimizer = _make_optimizer(config, self.flat.block)
        self.standardiser = RewardStandardiser()
        self.updates = 0

    def update(self, batch: EpisodeBatch, importance: Tensor | None = None) -> UpdateStats:
        """Take one training step; every ``target_update``-th one also updates the targets.

        Args:
            batch: the episodes.
            importance: (B,), factors of the episodes' weights in the loss, where sampling is prioritised.

        Raises:
            NoAvailableActionError: names episode (its place in the batch), step and agent.
        """
        loss, q, target, packed = self._loss(batch, importance)
        self.flat.set_grads(loss)
        grad_norm = nn.utils.clip_grad_norm_(self.flat.block, self.config.grad_clip)
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.config.target_update == 0:
            self.update_targets()
        errors = None if importance is None else episode_errors(packed, q, target, batch.actions.shape[:2])
        return UpdateStats(loss.detach(), q.mean(), target.mean(), grad_norm, errors)

    def loss(self, batch: EpisodeBatch, importance: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss, the values (N, *M) and their targets (N, *M) of the batch's N real steps."""
        return self._loss(batch, importance)[:3]

    def _loss(
        self, batch: EpisodeBatch, importance: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, PackedEpisodes]:
        with ops.use_backend(self.config.backend):
            return self._packed_loss(batch.to(self.device), importance)

    def _packed_loss(
        self, batch: EpisodeBatch, importance: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, PackedEpisodes]:
        packed = pack(batch)
        rewards = self._learned_rewards(batch, packed)
        online_qs = self.agent.unroll(packed.obs, packed.point_counts)
        networks = self.target_agent, self.target_mixer
        target = make_targets(packed, rewards, online_qs.detach(), *networks, self.config)
        chosen = online_qs.index_select(0, packed.now).gather(-1, packed.actions.unsqueeze(-1)).squeeze(-1)
        states = packed.states.index_select(0, packed.now)
        weights = self._weights(batch, packed)
        if importance is not None:
            weights = weights * importance.to(weights)[packed.episodes]
        loss, q = self.mixer.loss(chosen, states, target, weights)
        return loss, q, target, packed

    def is_finite(self) -> bool:
        """Whether every weight is a finite number; waits for the device."""
        return bool(self.flat.block.isfinite().all())

    def update_targets(self) -> None:
        """Move the target networks to the online ones, by ``target_tau`` of the way."""
        online, target, tau = self.flat.block, self.target_flat.block, self.config.target_tau
        with torch.no_grad():
            target.copy_(online) if tau == 1.0 else target.lerp_(online, tau)

    def _learned_rewards(self, batch: EpisodeBatch, packed: PackedEpisodes) -> Tensor:
        """Scale and standardise the rewards (N,) of the real steps."""
        rewards = packed.rewards * self.config.reward_scale
        if self.config.standardise_rewards == "off":
            return rewards
        seen = rewards
        if self.config.standardise_rewards == "padded":  # padding counts as rewards of zero
            seen = torch.where(batch.mask, batch.rewards, 0.0) * self.config.reward_scale
        self.standardiser.update(seen)
        return self.standardiser.standardise(rewards)

    def _weights(self, batch: EpisodeBatch, packed: PackedEpisodes) -> Tensor:
        """Weights (N,) of the steps' errors in the loss; they sum to 1."""
        if self.config.loss == "transitions":
            return torch.full_like(packed.rewards, 1.0 / packed.rewards.shape[0])
        per_episode = 1.0 / (batch.lengths.to(packed.rewards.dtype) * packed.n_episodes)
        return per_episode[packed.episodes]


def _make_optimizer(config: Config, parameters: nn.Parameter) -> torch.optim.Optimizer:
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop([parameters], lr=config.lr, alpha=0.99, eps=1e-5)
    return torch.optim.Adam([parameters], lr=config.lr, fused=True)

"""The training step in one call of the extension, on the CPU."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from pyqmix import ops
from pyqmix.config import Config
from pyqmix.learn.networks import Networks
from pyqmix.learn.rows import StepRows
from pyqmix.learn.step import TrainingStep
from pyqmix.learn.targets import naming_episodes


class NativeStep(TrainingStep):
    """Computes loss and gradient by :func:`pyqmix.ops.qmix_gradients`.

    Args:
        networks: some that this step :meth:`computes`.
        config: the run's options.
    """

    def __init__(self, networks: Networks, config: Config) -> None:
        super().__init__(networks, config)
        agent, mixer = networks.agent.native_kind, networks.mixer.native_kind
        assert agent is not None
        assert mixer is not None
        self._spec = dataclasses.replace(networks.spec, agent=agent, mixer=mixer)

    @staticmethod
    def computes(networks: Networks, config: Config) -> bool:
        """Whether the extension has these networks and this target."""
        known = networks.agent.native_kind is not None and getattr(networks.mixer, "native_kind", None) is not None
        one_step = config.n_step == 1 and config.td_lambda == 0
        return known and one_step and config.backend == "fused" and networks.device.type == "cpu"

    def gradients(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss (), the values and the targets (N,), and write the gradient of the loss."""
        flat = self.networks.flat
        assert flat.block.grad is not None
        with naming_episodes(rows):
            return ops.qmix_gradients(
                self._spec,
                flat.block,
                self.networks.target_flat.block,
                self.networks.agent.read(rows.obs),
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
                out=flat.block.grad,
            )

"""The training step in one call of the extension, on the CPU."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from pyqmix import ops
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.config import Config
from pyqmix.learn.networks import Networks
from pyqmix.learn.rows import StepRows
from pyqmix.learn.step import TrainingStep
from pyqmix.learn.targets import naming_episodes
from pyqmix.nn.native import native_kind


class NativeStep(TrainingStep):
    """Computes loss and gradient by :func:`pyqmix.ops.qmix_gradients`.

    Args:
        networks: some that this step :meth:`computes`.
        config: the run's options.
    """

    def __init__(self, networks: Networks, config: Config) -> None:
        super().__init__(networks, config)
        spec = _native_spec(networks)
        assert spec is not None
        self._spec = spec

    @staticmethod
    def computes(networks: Networks, config: Config) -> bool:
        """Whether the extension has these networks and this target."""
        one_step = config.n_step == 1 and config.td_lambda == 0
        here = config.backend == "fused" and networks.device.type == "cpu"
        return one_step and here and _native_spec(networks) is not None

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


def _native_spec(networks: Networks) -> NetworkSpec | None:
    """Return the networks' kinds and sizes as the extension has them; None: it does not have them.

    The sizes need not be the options': ``mixer_args`` or a user's function may have chosen others, or parametrised
    a layer. Parameters that are frozen are left to autograd.
    """
    agent, mixer, options = networks.agent, networks.mixer, networks.spec
    of_agent, of_mixer = native_kind(agent), native_kind(mixer)
    learned = all(parameter.requires_grad for parameter in networks.flat.parameters)
    if of_agent is None or of_mixer is None or not learned:
        return None
    sizes = ("embed_dim", "hypernet_dim", "hypernet_layers")
    spec = dataclasses.replace(
        options,
        agent=of_agent,
        hidden_dims=(agent.hidden_dim, agent.hidden_dim),
        agent_id=agent.agent_id,
        share_parameters=agent.share_parameters,
        mixer=of_mixer,
        **{name: getattr(mixer, name, getattr(options, name)) for name in sizes},
    )
    shapes = [tuple(parameter.shape) for parameter in networks.flat.parameters]
    return spec if shapes == spec.agent_parameters() + spec.mixer_parameters() else None

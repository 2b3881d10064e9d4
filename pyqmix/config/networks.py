"""The networks that a run's options name for an environment."""

from __future__ import annotations

from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config.config import Config


def network_spec(spec: EpisodeSpec, config: Config) -> NetworkSpec:
    """Return the sizes of a run's networks.

    Args:
        spec: the episodes' sizes.
        config: the run's options.
    """
    return NetworkSpec(
        n_agents=spec.n_agents,
        obs_dim=spec.obs_dim,
        n_actions=spec.n_actions,
        state_dim=spec.state_dim,
        agent=config.agent,
        hidden_dims=(config.hidden_dim, config.hidden_dim),
        agent_id=config.agent_id,
        share_parameters=config.share_parameters,
        obs_scale=spec.obs_scale,
        mixer=config.mixer,
        embed_dim=config.embed_dim,
        hypernet_dim=config.hypernet_dim,
        hypernet_layers=config.hypernet_layers,
        agent_args=config.agent_args or {},
        mixer_args=config.mixer_args or {},
        options=vars(config),
    )

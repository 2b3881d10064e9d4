"""Named sets of options. A preset sets options of Config and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyqmix.base.errors import unknown
from pyqmix.config.config import Config
from pyqmix.envs import FAMILIES, env_family

# A preset's value of one of them is left out where the other is given, because each is 1 / the other.
_ALTERNATIVES = {"updates_per_episode": "episodes_per_update", "episodes_per_update": "updates_per_episode"}

# Options of both presets of Level-Based Foraging, chosen by the measurements of docs/lbf.md: a recurrent agent; a
# high learning rate that falls; rewards large enough to stand out from the networks' first values; inputs with
# positions relative to the agent. Environment steps cost next to nothing, so many episodes are played for each
# update, and the buffer holds only the newest.
_FORAGING = {
    "env": "lbf",
    "agent": "gru",
    "positions": "both",
    "scale_inputs": True,
    "global_state": True,
    "truncate_at_limit": True,
    "lr": 3e-3,
    "lr_end": 1e-4,
    "reward_scale": 10.0,
    "num_envs": 32,
    "batch_size": 16,
    "buffer_size": 1_000,
    "target_update": 100,
    "eps_end": 0.02,
}

PRESETS: dict[str, dict[str, Any]] = {
    # The algorithm's own defaults.
    "none": {},
    # The algorithm as published: whole episodes, hard target copies, the plain maximum; but for the loss, in which
    # each transition has the same weight, so that unfinished episodes, which are the longest, count for most.
    # One set of options for small and large boards, full and short sight.
    "lbf": {
        **_FORAGING,
        "total_steps": 2_000_000,
        "nearest_first": True,
        "last_action": True,
        "gamma": 0.95,
        "updates_per_episode": 0.25,
        "loss": "transitions",
        "eps_steps": "10%",
    },
    # Small boards sooner: the loss over all transitions, a shorter horizon, fewer steps and updates.
    "lbf-fast": {
        **_FORAGING,
        "total_steps": 900_000,
        "gamma": 0.85,
        "updates_per_episode": 0.1875,
        "loss": "transitions",
        "eps_steps": "40%",
    },
    # EPyMARL's defaults for QMIX (arXiv:2006.07869): schedule, network and reductions.
    "epymarl": {
        "env": "lbf",
        "total_steps": 2_000_000,
        "action_mask": False,
        "last_action": False,
        "num_envs": 1,
        "updates_per_episode": 1.0,
        "batch_size": 32,
        "buffer_size": 5_000,
        "hidden_dim": 64,
        "embed_dim": 32,
        "hypernet_dim": 64,
        "hypernet_layers": 2,
        "agent_id": True,
        "gamma": 0.99,
        "lr": 5e-4,
        "optimizer": "adam",
        "grad_clip": 10.0,
        "target_update": 200,
        "target_tau": 1.0,
        "double_q": True,
        "loss": "transitions",
        "standardise_rewards": "padded",
        "truncate_at_limit": False,
        "eps_start": 1.0,
        "eps_end": 0.05,
        "eps_steps": 50_000,
    },
    # PyMARL2's QMIX for StarCraft (arXiv:2102.03479 and its code): TD(lambda), and one training step, on a large
    # batch, for eight episodes. Targets are copied every 200 episodes, which are 25 training steps.
    "pymarl2": {
        "env": "lbf",
        "total_steps": 10_050_000,
        "agent": "gru",
        "last_action": True,
        "num_envs": 8,
        "episodes_per_update": 8,
        "batch_size": 128,
        "buffer_size": 5_000,
        "hidden_dim": 64,
        "embed_dim": 32,
        "hypernet_dim": 64,
        "hypernet_layers": 2,
        "agent_id": True,
        "gamma": 0.99,
        "td_lambda": 0.6,
        "lr": 1e-3,
        "optimizer": "adam",
        "grad_clip": 10.0,
        "target_update": 25,
        "target_tau": 1.0,
        "double_q": True,
        "loss": "transitions",
        "truncate_at_limit": True,
        "eps_start": 1.0,
        "eps_end": 0.05,
        "eps_steps": 100_000,
    },
    # Battles of SMAX: one set of options for all maps, chosen by the measurements of docs/smax.md. Units see
    # nearly all that matters, so a feed-forward network does; TD(lambda) brings the victory at a battle's end to
    # its beginning; steps cost next to nothing, so four episodes are played for each update.
    "smax": {
        "env": "smax",
        "total_steps": 2_000_000,
        "agent": "mlp",
        "hidden_dim": 128,
        "last_action": True,
        "scale_inputs": True,
        "truncate_at_limit": True,
        "gamma": 0.97,
        "td_lambda": 0.6,
        "double_q": True,
        "lr": 1e-3,
        "lr_end": 1e-5,
        "reward_scale": 10.0,
        "num_envs": 32,
        "batch_size": 16,
        "buffer_size": 5_000,
        "updates_per_episode": 0.25,
        "target_update": 1,
        "target_tau": 0.01,
        "eps_steps": "20%",
        "eps_end": 0.05,
    },
    # JaxMARL's options for QMIX on SMAX (arXiv:2311.10090 and ql_rnn_smax of its code), whose eight training steps
    # for 2,048 environment steps are here one for five episodes, and whose RAdam is Adam.
    "smax-jaxmarl": {
        "env": "smax",
        "total_steps": 10_000_000,
        "agent": "gru",
        "hidden_dim": 512,
        "agent_id": True,
        "last_action": False,
        "scale_inputs": False,
        "truncate_at_limit": False,
        "embed_dim": 64,
        "hypernet_dim": 256,
        "hypernet_layers": 2,
        "gamma": 0.99,
        "double_q": True,
        "loss": "transitions",
        "lr": 5e-5,
        "optimizer": "adam",
        "grad_clip": 10.0,
        "reward_scale": 10.0,
        "num_envs": 16,
        "batch_size": 32,
        "buffer_size": 5_000,
        "episodes_per_update": 5,
        "target_update": 80,
        "target_tau": 1.0,
        "eps_start": 1.0,
        "eps_end": 0.05,
        "eps_steps": "10%",
    },
    # Claus and Boutilier, AAAI 1998: two agents must meet on the best joint action although a failed
    # attempt is punished.
    "climb": {"env": "matrix", "payoff": [[11, -30, 0], [-30, 7, 6], [0, 0, 5]], "total_steps": 5_000},
    "penalty": {
        "env": "matrix",
        "payoff": [[10, 0, -100], [0, 2, 0], [-100, 0, 10]],
        "total_steps": 5_000,
    },
}


def from_preset(preset: str | None = None, **options: Any) -> Config:
    """Build a Config from a preset and options that override it, as the command line does.

    Args:
        preset: a name in PRESETS; None takes the environment's own preset where it has one. Where ``env`` is
            another environment than the preset's, the preset's options of the environment do not apply; nor does
            its exploration where ``env`` explores fully by default.
        **options: options of Config.

    Raises:
        ConfigError: the preset is unknown, or an option is unusable.
    """
    preset = preset_of(preset, options)
    values = overlaid(PRESETS[preset], options)
    family = env_family(values.get("env", Config.env))
    dropped: set[str] = set()
    if family.name != PRESETS[preset].get("env"):
        dropped |= {name for other in FAMILIES.values() for name in other.option_names}
    if family.explores_fully:
        dropped |= {"eps_start", "eps_end", "eps_steps"}
    for name in dropped - options.keys():
        values.pop(name, None)
    return Config(**values)


def preset_of(preset: str | None, options: Mapping[str, Any]) -> str:
    """Return the name of the preset that :func:`from_preset` takes.

    Raises:
        ConfigError: the preset or the environment is unknown.
    """
    if preset is None:
        preset = env_family(options.get("env", Config.env)).preset or "none"
    require_preset(preset)
    return preset


def require_preset(name: object) -> None:
    """Raise ConfigError unless there is a preset of a name."""
    if not isinstance(name, str) or name not in PRESETS:
        raise unknown("preset", name, PRESETS)


def overlaid(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of which ``upper`` overrides ``lower``, also where it has the alternative of an option."""
    dropped = {other for name, other in _ALTERNATIVES.items() if upper.get(name) is not None}
    return {**{name: value for name, value in lower.items() if name not in dropped}, **upper}

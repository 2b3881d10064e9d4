"""The graph of an exported policy: the agent network and the greedy choice, in PyTorch's own operations alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.importing import first_line
from pyqmix.export.quiet import quiet
from pyqmix.nn import Agent

BATCH = "batch"  # the name of the first dimension of all inputs and outputs
OBS, AVAIL, HIDDEN = "obs", "avail", "hidden"
Q_VALUES, ACTIONS, NEXT_HIDDEN = "q_values", "actions", "next_hidden"


class GreedyPolicy(nn.Module):
    """Maps observations to values and to the best available actions.

    Args:
        agent: the agent network.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, obs: Tensor, avail: Tensor | None = None, hidden: Tensor | None = None) -> dict[str, Tensor]:
        """Choose actions.

        Args:
            obs: (K, n, O) float32, as the environment gives them.
            avail: (K, n, A) bool; None: all actions are available.
            hidden: (K, ...) of a recurrent network.

        Returns:
            ``q_values`` (K, n, A); ``actions`` (K, n) int64, 0 of an agent that has none available; and of a
            recurrent network ``next_hidden`` (K, ...).
        """
        qs, following = self.agent.act(obs, hidden)
        allowed = qs if avail is None else torch.where(avail, qs, -torch.inf)
        outputs = {Q_VALUES: qs, ACTIONS: allowed.argmax(-1)}
        return outputs if following is None else {**outputs, NEXT_HIDDEN: following}


def trace(agent: Agent, name: str, spec: EpisodeSpec, mask: bool) -> ExportedProgram:
    """Record the policy of an agent network for any number of episodes.

    Args:
        agent: the network, in evaluation mode.
        name: the network's, for the message.
        spec: the sizes.
        mask: whether it has the input ``avail``.

    Raises:
        ConfigError: torch.export cannot trace it.
    """
    n, episodes = spec.n_agents, 2
    inputs = {OBS: torch.zeros(episodes, n, spec.obs_dim)}
    if mask:
        inputs[AVAIL] = torch.ones(episodes, n, spec.n_actions, dtype=torch.bool)
    if (hidden := agent.initial_hidden(episodes)) is not None:
        inputs[HIDDEN] = hidden
    sizes = {key: {0: Dim(BATCH)} for key in inputs}
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(GreedyPolicy(agent).eval(), (), inputs, dynamic_shapes=sizes)
    except Exception as error:  # a user's network may do anything
        raise ConfigError(f"agent {name}: torch.export cannot trace it: {first_line(error)}") from error
    for node in program.graph.nodes:  # paths of files here, and names of classes
        for key in ("stack_trace", "nn_module_stack", "torch_fn"):
            node.meta.pop(key, None)
    return program

"""A mixer of your own: the two-step game, in which a sum of the agents' values finds 7 and the best team gets 8.

The command line trains it too, from the folder that holds examples/:

    pyqmix-train --env two_step --mixer examples.mixer:MaxMin --mixer-args '{"groups": 2}' --total-steps 6000
"""

from torch import nn

import pyqmix


class MaxMin(nn.Module):
    """Maximum over groups of the minimum over planes, all of which rise with every agent's value.

    Sill's monotonic network (NIPS 1997), with weights made of the state: enough planes approximate any monotone
    function of the values. pyqmix gives ``n_agents`` and ``state_dim``; the others come from mixer_args.
    """

    def __init__(self, n_agents, state_dim, groups=3, planes=3):
        super().__init__()
        self.shape = (groups, planes, n_agents)
        self.weights = nn.Linear(state_dim, groups * planes * n_agents)
        self.offsets = nn.Linear(state_dim, groups * planes)

    def forward(self, agent_qs, states):
        """Map values (..., n) and states (..., S) to the team's value (...)."""
        weights = self.weights(states).abs().unflatten(-1, self.shape)  # not negative: so it is monotone
        offsets = self.offsets(states).unflatten(-1, self.shape[:2])
        planes = (weights * agent_qs[..., None, None, :]).sum(-1) + offsets
        return planes.amin(-1).amax(-1)


def main():
    """Train for some seconds with a sum and with the mixer above."""
    config = pyqmix.Config(env="two_step", total_steps=6_000, lr=2e-3, target_update=100, eval_every=6_000)
    for name, mixer in (("sum", None), ("max-min", MaxMin)):
        result = pyqmix.train(config.replace(mixer="vdn"), mixer=mixer, quiet=True)
        print(name, result.summary["eval_return_mean"])


if __name__ == "__main__":
    main()

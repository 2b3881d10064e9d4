"""Classes and functions get the keywords that they accept."""

import pytest
from torch import nn

from pyqmix import ConfigError
from pyqmix.base.calling import call_accepted


class Sum(nn.Module):
    """Inherits torch's constructor, which takes any keyword and refuses all."""

    def forward(self, agent_qs, states):
        return agent_qs.sum(-1)


def test_a_module_without_a_constructor_gets_no_keywords():
    assert isinstance(call_accepted("mixer sum", Sum, {"n_agents": 2}, {}, ["n_agents"]), Sum)
    with pytest.raises(ConfigError, match="mixer sum: expected no arguments, got 'scale'"):
        call_accepted("mixer sum", Sum, {"n_agents": 2}, {"scale": 1}, ["n_agents"])

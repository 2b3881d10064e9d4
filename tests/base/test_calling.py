"""Classes and functions get the keywords that they accept."""

from functools import partial

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


def test_what_a_partial_has_set_is_not_offered():
    make = partial(lambda width, depth: (width, depth), width=4)
    assert call_accepted("mixer mine", make, {"width": 1, "depth": 2}, {}) == (4, 2)
    assert call_accepted("mixer mine", make, {"width": 1, "depth": 2}, {"width": 3}) == (3, 2)

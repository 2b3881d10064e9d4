"""Native SMAX equals steps that were recorded from jaxmarl 0.2.0, bit for bit; see tests/differential."""

import numpy as np
import pytest
import smax_recorded
from smax_recorded import MAPS, check, load

from pyqmix import _C


@pytest.mark.parametrize("scenario", MAPS)
def test_the_recorded_steps_come_out_again(scenario):
    recorded = load(scenario)
    assert len(recorded["ends"]) >= 200
    assert check(scenario, recorded) >= 3


def test_a_changed_bit_is_named():
    recorded = load("3m")
    recorded["sums"][7, list(smax_recorded.GROUPS).index("state")] ^= 1
    with pytest.raises(AssertionError, match=r"3m, seed \d+, step 7: state differ from jaxmarl's"):
        check("3m", recorded)


def test_a_battle_that_nobody_survives_gives_no_bonus():
    env = _C.SmaxEnv("3m")
    env.start(0)
    units = env.units()
    units["health"][[0, 1, 4, 5]] = 0
    units["health"][[2, 3]] = 5
    units["positions"][[2, 3]] = [[10, 16], [11, 16]]
    env.set_units(units)
    env.step_with((0, 0), np.array([4, 4, 5]))  # the two shoot at each other in the same tick
    assert not env.units()["health"].any()
    assert env.terminated
    assert env.reward == np.float32(5 / 45) * np.float32(1 / 3)

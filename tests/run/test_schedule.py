"""What is due at which step."""

from pyqmix import Config
from pyqmix.run.schedule import Schedule

EVERY = ("eval", "log", "checkpoint")


def test_intervals_that_are_a_share_of_the_run():
    config = Config(total_steps=1_000, eval_every="20%", log_every="2.5%", checkpoint_every=300)
    schedule = Schedule(config, 0)
    assert [[name for name in EVERY if schedule.is_due(name, step)] for step in (24, 25, 199, 200, 300)] == [
        [],
        ["log"],
        ["log"],
        ["eval", "log"],
        ["eval", "log", "checkpoint"],
    ]
    schedule.done("eval", 210)
    assert not schedule.is_due("eval", 399)
    assert schedule.is_due("eval", 400)


def test_such_an_interval_follows_the_length_of_the_run():
    config = Config(total_steps=1_000, eval_every="20%").replace(total_steps=5_000)
    schedule = Schedule(config, 1_000)
    assert not schedule.is_due("eval", 1_999)
    assert schedule.is_due("eval", 2_000)

"""The pool of a cluster's players, with players that are simulated."""

import time
from types import SimpleNamespace

import pytest
from cluster.model import Constants
from cluster.stand_ins import Clock, SimulatedRay, used

from pyqmix import EpisodeRing, from_preset
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.cluster import pool as pool_module
from pyqmix.play.cluster.orders import Order, Span
from pyqmix.play.cluster.pool import AHEAD, PlayerPool
from pyqmix.play.cluster.seat import Task
from pyqmix.play.create import create_rollout

FREE = Constants(0, 0, 0, 0, 0, (0, 0), 0, 0, 0, 0)


@pytest.fixture
def pool_of():
    """Make a pool over a stand-in for Ray, with all players ready."""

    def make(ray, players):
        config = from_preset("lbf", rollout="ray", num_workers=players, num_envs=players)
        with used(ray):
            made = PlayerPool(config, ray.ring.spec, print)
        while made.ready < players:
            made._listen()
        return made

    return make


@pytest.fixture
def ring():
    config = from_preset("lbf")
    made = EpisodeRing(config.create_env().spec, 8)
    create_rollout(config, Learner(made.spec, config).agent, 0, Stream.ENVIRONMENT, 4, made).play(0, 4, 1.0)
    return made


def tasks(count):
    return [Task(Order(Span(k, 1), 0, Stream.ENVIRONMENT, 1.0, sends=True), None) for k in range(count)]


def open_orders(pool):
    return [len(seat.open) for seat in pool._seats]


def test_orders_go_to_the_players_that_have_the_fewest(pool_of, ring):
    pool = pool_of(SimulatedRay(FREE, lambda order: 60.0, ring, Clock()), 20)
    pool.submit(tasks(5))
    assert open_orders(pool) == [1] * 5 + [0] * 15
    pool.submit(tasks(17))
    assert open_orders(pool) == [2] * 2 + [1] * 18
    pool.submit(tasks(100))
    assert open_orders(pool) == [AHEAD] * 20


class Waiting(Clock):
    def pass_until(self, moment):
        time.sleep(max(0.0, moment - self.now()))
        super().pass_until(moment)


def work(seconds):
    """Take CPU time of this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return 0.0


def test_transport_does_not_count_the_wait_for_players_but_looking_for_their_replies(pool_of, ring):
    def transport(looking):
        costs = SimpleNamespace(put=0, call=0, get=0, wait=lambda _: work(looking))
        pool = pool_of(SimulatedRay(costs, lambda _: 0.3, ring, Waiting()), 2)
        ordered, pool.transport_seconds = tasks(2), 0.0
        pool.submit(ordered)
        pool.finish(ordered)
        return pool.transport_seconds

    assert transport(0.0) < 0.2
    assert transport(0.1) >= 0.1


def test_players_that_do_not_start_are_missed_once(pool_of, ring, monkeypatch):
    said = []
    monkeypatch.setattr(pool_module, "_ALONE", 0.0)
    pool = pool_of(SimulatedRay(FREE, lambda order: 60.0, ring, Clock()), 4)
    pool._say = said.append
    for seat in pool._seats[:3]:
        seat.is_ready = False
    for _ in range(3):
        pool._tell_of_missing_players()
    assert said == ["1 of 4 players have started; each needs a free CPU of the Ray cluster"]
    assert pool.report()["players"] == 4  # the most at a time


def test_a_program_that_ends_waits_for_no_player(pool_of, ring):
    pool = pool_of(SimulatedRay(FREE, lambda order: 60.0, ring, Clock()), 1)
    pool._seats[0].is_ready = False

    def end():
        raise KeyboardInterrupt

    pool._may_wait = end
    with pytest.raises(KeyboardInterrupt):
        pool._tell_of_missing_players()

"""Episodes are played and written as the algorithm says, and failures of environments are named."""

import copy

import numpy as np
import pytest
import torch
from gymnasium_envs import Uneven

from pyqmix import Config, ConfigError, EnvError, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import MatrixGame
from pyqmix.envs.lbf.env import LbfEnv
from pyqmix.envs.protocol import Point, Step
from pyqmix.nn.agents import GRUAgent, MLPAgent
from pyqmix.play import rollout
from pyqmix.play.actor import NativeActor, TorchActor, create_actor
from pyqmix.play.heartbeat import Heartbeat
from pyqmix.play.rollout import Rollout, epsilon_greedy
from pyqmix.play.worlds import create_worlds
from pyqmix.replay import RingBusyError


def test_minus_infinity_is_chosen_before_the_unavailable():
    qs = np.array([[1.0, -np.inf]], np.float32)
    avail = np.array([[False, True]])
    assert epsilon_greedy(qs, avail, 0.0, np.ones((1,)), np.zeros((1,))) == [1]


class Drift:
    """Random observations and available actions; the reward tells the actions, the seed the length."""

    name = "drift"
    spec = EpisodeSpec(n_agents=3, n_actions=4, obs_dim=5, state_dim=2, episode_limit=6, obs_storage="int8")

    def __init__(self):
        self.seeds, self.broken, self.spoil = [], (), None

    def break_at(self, points, spoil):
        """Let ``spoil`` change what comes at some points: 0 is the reset's, t the t-th step's."""
        self.broken, self.spoil = points, spoil
        return self

    def reset(self, seed):
        self.seeds.append(seed)
        self.random, self.t = np.random.default_rng(seed), 0
        self.length = self.random.integers(3, 7)
        return self._show(0.0).point

    def step(self, actions):
        self.t += 1
        return self._show(float(actions @ [1, 4, 16]))

    def close(self):
        self.seeds = None

    def _show(self, reward):
        obs = self.random.integers(-9, 10, (3, 5)).astype(np.float32)
        avail = self.random.random((3, 4)) < 0.5
        avail[:, self.random.integers(4)] = True
        ended = self.t == self.length
        terminated = bool(ended and self.length % 2)
        step = Step(Point(obs, avail, obs[0, :2]), reward, terminated, bool(ended and not terminated))
        return self.spoil(step) if self.t in self.broken else step


def make_agent(spec, kind=MLPAgent):
    torch.manual_seed(0)
    return kind(spec.obs_dim, spec.n_actions, spec.n_agents, hidden_dim=16)


def make_rollout(make_env, num_envs=1, ring=None, agent=None, seed=0, stream=Stream.ENVIRONMENT):
    envs = [make_env() for _ in range(num_envs)]
    return Rollout(envs, agent or make_agent(envs[0].spec), seed, stream, ring)


def written(ring):
    """Return every episode of the ring, told apart by its first observation."""
    batch = ring.sampler(seed=0).sample(len(ring))
    episodes = {}
    for b, steps in enumerate(batch.lengths.tolist()):
        points = (batch.obs[b, : steps + 1], batch.avail[b, : steps + 1], batch.states[b, : steps + 1])
        taken = (batch.actions[b, :steps], batch.rewards[b, :steps], batch.terminated[b, :steps])
        episodes[batch.obs[b, 0].numpy().tobytes()] = [tensor.tolist() for tensor in (*points, *taken)]
    assert len(episodes) == len(ring)
    return episodes


def chi_square_of_independence(table):
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    return ((table - expected) ** 2 / expected).sum()


def test_greedy_takes_the_best_available_action():
    random = np.random.default_rng(0)
    qs = random.normal(size=(50, 3, 4)).astype(np.float32)
    avail = random.random((50, 3, 4)) < 0.4
    avail[..., 2] = True
    qs[~avail] += 10
    actions = epsilon_greedy(qs, avail, 0.0, np.zeros((50, 3)), random.random((50, 3)))
    for where in np.ndindex(50, 3):
        assert actions[where] == max(np.flatnonzero(avail[where]), key=lambda a: qs[where][a])
    assert actions.dtype == np.int64


def test_exploration_is_uniform_over_available_actions():
    random = np.random.default_rng(1)
    avail = np.array([[True, False, True, True, False], [False, False, False, True, False]])
    coins, picks = random.random((2, 6000, 2))
    actions = epsilon_greedy(np.zeros((6000, 2, 5), np.float32), np.tile(avail, (6000, 1, 1)), 1.0, coins, picks)
    counts = np.bincount(actions[:, 0], minlength=5)
    assert counts[[1, 4]].sum() == 0
    assert ((counts[[0, 2, 3]] - 2000) ** 2 / 2000).sum() < 13.8  # chi-square, 2 degrees, p = 0.001
    assert (actions[:, 1] == 3).all()


def test_the_ends_of_the_range_pick_the_first_and_last_available_action():
    avail = np.array([[False, True, True, False, True]] * 2)
    picks = np.array([0.0, np.nextafter(1.0, 0.0)])
    assert epsilon_greedy(np.zeros((2, 5), np.float32), avail, 1.0, np.zeros(2), picks).tolist() == [1, 4]


def joint_actions(epsilon=0.5, episodes=4000):
    """Count the joint actions of two agents whose greedy action is 0."""
    agent = make_agent(MatrixGame(np.zeros((4, 4))).spec)
    with torch.no_grad():
        agent.fc3.weight.zero_()
        agent.fc3.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    payoff = np.arange(16).reshape(4, 4)
    played = make_rollout(lambda: MatrixGame(payoff), 50, agent=agent).play(0, episodes, epsilon)
    return np.bincount(played.returns.astype(np.int64), minlength=16).reshape(4, 4)


def test_each_agent_draws_its_own_coin(monkeypatch):
    def one_coin(qs, avail, epsilon, coins, picks):
        return epsilon_greedy(qs, avail, epsilon, np.broadcast_to(coins[..., :1], coins.shape), picks)

    critical = 27.9  # chi-square, 9 degrees, p = 0.001
    table = joint_actions()
    np.testing.assert_allclose(table.sum(1) / 4000, [0.625, 0.125, 0.125, 0.125], atol=0.02)
    assert chi_square_of_independence(table) < critical
    monkeypatch.setattr(rollout, "epsilon_greedy", one_coin)
    assert chi_square_of_independence(joint_actions()) > critical


@pytest.mark.parametrize("kind", [MLPAgent, GRUAgent])
@pytest.mark.parametrize("make_env", [Drift, lambda: LbfEnv("Foraging-5x5-4p-1f-v3")], ids=["drift", "lbf"])
def test_episode_k_does_not_depend_on_the_number_of_environments(make_env, kind):
    spec = make_env().spec
    agent = make_agent(spec, kind)
    results = []
    for num_envs in (1, 2, 5):
        ring = EpisodeRing(spec, capacity=12)
        played = make_rollout(make_env, num_envs, ring, agent).play(3, 12, epsilon=0.5)
        results.append((played.returns.tolist(), played.lengths.tolist(), written(ring)))
    assert results[0] == results[1] == results[2]
    assert len(set(results[0][1])) > 1
    assert played.steps == played.lengths.sum()


def test_episode_k_does_not_depend_on_how_plays_are_cut():
    whole, parts = make_rollout(Drift, 2).play(0, 7, 0.5), make_rollout(Drift, 2)
    cut = [parts.play(first, count, 0.5) for first, count in ((0, 1), (1, 4), (5, 2))]
    assert np.concatenate([p.returns for p in cut]).tolist() == whole.returns.tolist()


def test_the_seed_changes_episodes_and_exploration():
    one, other = (make_rollout(Drift, seed=seed).play(0, 8, 0.0) for seed in (0, 1))
    assert one.returns.tolist() != other.returns.tolist()
    blind = [make_rollout(lambda: MatrixGame(np.arange(16).reshape(4, 4)), seed=s).play(0, 8, 1.0) for s in (0, 1)]
    assert blind[0].returns.tolist() != blind[1].returns.tolist()


def test_evaluation_plays_other_episodes():
    seats = [make_rollout(Drift, stream=stream) for stream in (Stream.ENVIRONMENT, Stream.EVALUATION)]
    seeds = []
    for seat in seats:
        seat.play(0, 20, 0.0)
        seeds.append(set(seat._worlds.envs[0].seeds))
    assert len(seeds[0]) == len(seeds[1]) == 20
    assert seeds[0].isdisjoint(seeds[1])


def test_hidden_state_is_zero_at_the_start_of_each_episode():
    """An episode played after others in the same seat is as if it had been played alone."""
    agent = make_agent(Drift.spec, GRUAgent)
    with torch.no_grad():
        agent.rnn.weight_hh_l0.mul_(10)
    together = make_rollout(Drift, agent=agent).play(0, 20, 0.0).returns
    alone = [make_rollout(Drift, agent=agent).play(k, 1, 0.0).returns[0] for k in range(20)]
    assert together.tolist() == alone


def test_what_is_written_is_what_was_played():
    ring = EpisodeRing(Drift.spec, capacity=10)
    played = make_rollout(Drift, 3, ring).play(0, 10, 0.5)
    sums = []
    for obs, avail, states, actions, rewards, terminated in written(ring).values():
        sums.append(sum(rewards))
        assert states == [point[0][:2] for point in obs]
        assert rewards == [a + 4 * b + 16 * c for a, b, c in actions]
        assert all(avail[t][i][a] for t, joint in enumerate(actions) for i, a in enumerate(joint))
        assert terminated == [False] * (len(actions) - 1) + [bool(len(actions) % 2)]
    assert sorted(sums) == sorted(played.returns.tolist())


def test_close_closes_every_environment():
    played = make_rollout(Drift, 2)
    played.close()
    assert all(env.seeds is None for env in played._worlds.envs)


def raising(step):
    raise KeyError("boom")


def in_obs(value):
    def spoil(step):
        step.point.obs[1, 2] = value
        return step

    return spoil


def in_state(value):
    return lambda step: step._replace(point=step.point._replace(state=np.array([0, value], np.float32)))


def reward_of(value):
    return lambda step: step._replace(reward=value)


def nothing_available(step):
    step.point.avail[2] = False
    return step


def endless(step):
    return step._replace(terminated=False, truncated=False)


FAILURES = {
    "reset raises": ({0}, raising, "step 0: reset raised KeyError: 'boom'"),
    "reset: obs NaN": ({0}, in_obs(np.nan), "step 0: obs of agent 1: entry 2 is nan"),
    "reset: state inf": ({0}, in_state(np.inf), "step 0: state: entry 1 is inf"),
    "reset: no action": ({0}, nothing_available, "step 0: agent 2 has no available action"),
    "reset: lossy": ({0}, in_obs(0.5), "step 0: .*0.5"),
    "step raises": ({2}, raising, "step 1: step raised KeyError: 'boom'"),
    "reward NaN": ({2}, reward_of(np.nan), "step 1: the reward is nan"),
    "reward inf": ({2}, reward_of(-np.inf), "step 1: the reward is -inf"),
    "reward beyond float32": ({2}, reward_of(1e39), r"step 1: the reward is 1e\+39"),
    "obs inf": ({2}, in_obs(-np.inf), "step 2: obs of agent 1: entry 2 is -inf"),
    "state NaN": ({2}, in_state(np.nan), "step 2: state: entry 1 is nan"),
    "no action": ({2}, nothing_available, "step 2: agent 2 has no available action"),
    "lossy": ({2}, in_obs(300), "step 2: .*300"),
    "endless": (range(7), endless, "step 6: it has not ended after its limit of 6 steps"),
}


@pytest.mark.parametrize(("points", "spoil", "message"), [*FAILURES.values()], ids=[*FAILURES])
def test_failures_name_environment_episode_and_step(points, spoil, message):
    """Break the second of two seats in episode 8; then nothing stays claimed or late, and all play on."""
    broken = Drift().break_at(points, spoil)
    ring = EpisodeRing(Drift.spec, capacity=4)
    watch = Heartbeat()
    played = Rollout([Drift(), broken], make_agent(Drift.spec), 0, Stream.ENVIRONMENT, ring, watch)
    with pytest.raises(EnvError, match=f"^environment drift, episode 8, {message}"):
        played.play(7, 2, 0.5)
    assert (watch.since, watch.place.episode) == (0.0, 8)
    assert ring.stats()["aborted"] >= 1
    broken.break_at((), None)
    again = played.play(7, 4, 0.5)
    assert again.returns.tolist() == make_rollout(Drift).play(7, 4, 0.5).returns.tolist()
    assert len(ring) == ring.capacity == 4
    assert ring.stats()["busy"] == 0


def test_no_action_is_needed_where_the_episode_terminated():
    def end_without_actions(step):
        return nothing_available(step)._replace(terminated=True, truncated=False)

    played = make_rollout(lambda: Drift().break_at({2}, end_without_actions)).play(0, 3, 0.5)
    assert played.lengths.tolist() == [2, 2, 2]


def test_truncation_needs_actions_to_bootstrap_from():
    def cut_without_actions(step):
        return nothing_available(step)._replace(terminated=False, truncated=True)

    with pytest.raises(EnvError, match="step 2: agent 2 has no available action"):
        make_rollout(lambda: Drift().break_at({2}, cut_without_actions)).play(0, 1, 0.5)


def test_too_small_a_ring_leaves_nothing_claimed():
    ring = EpisodeRing(Drift.spec, capacity=1)
    played = make_rollout(Drift, 2, ring)
    with pytest.raises(RingBusyError):
        played.play(0, 2, 0.5)
    assert played.play(0, 1, 0.5).lengths.size == len(ring) == 1


class Batch:
    """Worlds that step together: they return lists, and an exception is nobody's in particular."""

    def __init__(self, count, fails=False):
        self.envs, self.fails = [Drift() for _ in range(count)], fails
        self.name, self.spec = "batch", Drift.spec

    def __len__(self):
        return len(self.envs)

    def reset(self, indices, seeds):
        return [self.envs[k].reset(seed) for k, seed in zip(indices, seeds, strict=True)]

    def step(self, indices, actions):
        if self.fails:
            raise KeyError("boom")
        return [self.envs[k].step(joint) for k, joint in zip(indices, actions, strict=True)]

    def close(self):
        pass


def test_worlds_that_step_together_play_the_same_episodes():
    rings = [EpisodeRing(Drift.spec, capacity=9) for _ in range(2)]
    batch = Rollout(Batch(4), make_agent(Drift.spec), 0, Stream.ENVIRONMENT, rings[0]).play(2, 9, 0.5)
    alone = make_rollout(Drift, ring=rings[1]).play(2, 9, 0.5)
    assert batch.returns.tolist() == alone.returns.tolist()
    assert written(rings[0]) == written(rings[1])


def test_a_failure_of_worlds_that_step_together_names_the_first_of_their_episodes():
    ring = EpisodeRing(Drift.spec, capacity=9)
    failing = Rollout(Batch(4, fails=True), make_agent(Drift.spec), 0, Stream.ENVIRONMENT, ring)
    with pytest.raises(EnvError, match="environment batch, episode 3, step 0: step raised KeyError: 'boom'"):
        failing.play(3, 9, 0.5)
    assert ring.stats()["aborted"] == 4


@pytest.mark.parametrize("kind", [MLPAgent, GRUAgent])
def test_values_without_pytorch_are_the_agents(kind):
    """Three steps of four episodes, of which only some are asked for, and one starts afresh."""
    agent, random = make_agent(Drift.spec, kind), np.random.default_rng(0)
    actors = [create_actor(agent, Drift.spec), TorchActor(agent)]
    assert isinstance(actors[0], NativeActor)
    for each in actors:
        each.begin(4)
    for rows in ([0, 1, 2, 3], [1, 3], [0, 3]):
        obs = random.normal(size=(len(rows), 3, 5)).astype(np.float32)
        np.testing.assert_allclose(actors[0].values(obs, rows), actors[1].values(obs, rows), atol=1e-6)
        for each in actors:
            each.forget(3)


class Other(MLPAgent):
    """Has no twin in C++, so that PyTorch acts."""

    native_kind = None


def test_a_copy_that_acts_is_brought_up_to_date():
    agent = make_agent(Drift.spec, Other)
    acting = make_rollout(Drift, agent=agent)
    acting._actor._actor = copy.deepcopy(agent)  # as for an agent on a GPU
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.copy_(torch.randn_like(parameter))
    expected = make_rollout(Drift, agent=agent).play(0, 5, 0.0).returns
    assert not np.array_equal(make_rollout(Drift).play(0, 5, 0.0).returns, expected)
    assert np.array_equal(acting.play(0, 5, 0.0).returns, expected)


def test_a_function_that_returns_one_object_twice_is_refused():
    shared = Uneven()
    config = Config(num_envs=2).with_own(env=lambda: shared).replace(episode_limit=3, last_action=True)
    assert len(create_worlds(config, 1)) == 1
    with pytest.raises(ConfigError, match="env: expected a new environment at each call, got the same"):
        create_worlds(config, 2)

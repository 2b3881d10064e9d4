"""Native rollouts are those of Python, in any company, and their policy is the network."""

import contextlib
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pyqmix import _C, Config, EnvError, EpisodeRing
from pyqmix.base.network_spec import NetworkSpec, native_network_spec
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import LbfEnv, SmaxEnv
from pyqmix.learn.learner import Learner
from pyqmix.learn.native_step import NativeStep
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.agents import GRUAgent, MLPAgent
from pyqmix.play.actor import native_policy
from pyqmix.play.create import create_rollout
from pyqmix.play.native import NativeRollout
from pyqmix.play.rollout import Rollout
from pyqmix.replay import RingBusyError

TASK = "Foraging-5x5-3p-2f-v3"
BOARDS = {
    "masked": {},
    "global state, truncated": {"global_state": True, "truncate_at_limit": True, "episode_limit": 9},
    "all actions": {"action_mask": False, "team_reward": "mean"},
    "grid": {"task": "Foraging-grid-2s-6x5-2p-2f-v3"},
    "relative": {"positions": "relative", "scale_inputs": True},
    "both, scaled": {"positions": "both", "scale_inputs": True, "global_state": True},
    "last action": {"last_action": True, "positions": "relative", "scale_inputs": True},
    "grid, last action": {"task": "Foraging-grid-2s-6x5-2p-2f-v3", "last_action": True},
    "float32": {"env_args": {"max_player_level": 40_000, "min_player_level": 1}},
}


KINDS = [(kind, share) for kind in (MLPAgent, GRUAgent) for share in (True, False)]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0].__name__}-{kind[1]}")


def agent_of(spec, hidden=64, agent_id=True, seed=0, kind=KINDS[0]):
    torch.manual_seed(seed)
    agent = kind[0](spec.obs_dim, spec.n_actions, spec.n_agents, hidden, agent_id, kind[1], spec.obs_scale)
    if kind[0] is GRUAgent:  # what it remembers decides
        with torch.no_grad():
            agent.rnn.weight_hh_l0.mul_(4)
    return agent


def slots_of(ring):
    """All that a full ring holds, in the order in which a sampler of one seed draws it."""
    batch = ring.sampler(seed=3).sample(len(ring))
    return {name: value.numpy().tobytes() for name, value in batch.tensors().items()}


def play(board, epsilon, *, first=0, count=24, seed=5, capacity=24, kind=KINDS[0], **how):
    env = LbfEnv(**{"task": TASK, **board})
    ring = EpisodeRing(env.spec, capacity)
    agent = agent_of(env.spec, kind=kind)
    played = NativeRollout(env, agent, seed, Stream.ENVIRONMENT, ring, **how).play(first, count, epsilon)
    return played, ring


def play_in_python(board, epsilon, count=24, seed=5, kind=KINDS[0]):
    env = LbfEnv(**{"task": TASK, **board})
    ring = EpisodeRing(env.spec, count)
    agent = agent_of(env.spec, kind=kind)
    played = Rollout([env], agent, seed, Stream.ENVIRONMENT, ring).play(0, count, epsilon)
    return played, ring


@pytest.mark.parametrize("epsilon", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_native_episodes_are_those_of_python(board, epsilon):
    (ours, ring), (theirs, other) = play(board, epsilon), play_in_python(board, epsilon)
    np.testing.assert_array_equal(ours.returns, theirs.returns)
    np.testing.assert_array_equal(ours.lengths, theirs.lengths)
    assert slots_of(ring) == slots_of(other)


@each_kind
@pytest.mark.parametrize("board", list(BOARDS.values())[:-1], ids=list(BOARDS)[:-1])
def test_native_episodes_are_those_of_python_for_every_agent(board, kind):
    (ours, ring), (theirs, other) = (f(board, 0.2, kind=kind) for f in (play, play_in_python))
    np.testing.assert_array_equal(ours.returns, theirs.returns)
    assert slots_of(ring) == slots_of(other)


@each_kind
@pytest.mark.parametrize("how", [{"threads": 2}, {"threads": 5}, {"lanes": 1}, {"lanes": 3}])
def test_episodes_do_not_depend_on_threads_and_company(how, kind):
    (expected, ring), (played, other) = play({}, 0.3, kind=kind), play({}, 0.3, kind=kind, **how)
    np.testing.assert_array_equal(played.returns, expected.returns)
    np.testing.assert_array_equal(played.lengths, expected.lengths)
    assert slots_of(ring) == slots_of(other)


@pytest.mark.parametrize("how", [{}, {"threads": 3, "lanes": 2}])
def test_who_has_won_is_told_as_in_python(how):
    env = SmaxEnv("3m")
    agent = agent_of(env.spec)
    with torch.no_grad():  # all shoot at the same enemy, which wins one battle of ten
        agent.fc3.weight.zero_()
        agent.fc3.bias.copy_(torch.arange(env.spec.n_actions))
    ours = NativeRollout(env, agent, 0, Stream.ENVIRONMENT, **how).play(0, 900, 0.0)
    assert ours.won.dtype == np.bool_
    np.testing.assert_array_equal(ours.won, ours.returns > 1.5)
    theirs = Rollout([env], agent, 0, Stream.ENVIRONMENT).play(0, 60, 0.0)
    np.testing.assert_array_equal(ours.won[:60], theirs.won)
    assert 0 < theirs.won.sum() < 30


def test_where_a_game_does_not_tell_there_are_no_wins():
    assert play({}, 0.3, count=2)[0].won is None
    assert (LbfEnv(TASK).reports_wins, SmaxEnv("3m").reports_wins) == (False, True)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_share_few_episodes(threads):
    """Eight episodes are work for as many threads as there are."""
    env = LbfEnv(TASK)
    rollout = NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT, threads=threads)
    rollout.play(0, 8, 0.3)
    assert rollout.threads_used == threads


def test_episode_k_does_not_depend_on_how_plays_are_cut():
    whole, _ = play({}, 0.3)
    parts = [play({}, 0.3, first=first, count=count)[0] for first, count in ((0, 1), (1, 10), (11, 13))]
    np.testing.assert_array_equal(np.concatenate([part.returns for part in parts]), whole.returns)


def test_more_episodes_than_the_ring_has_slots():
    played, ring = play({}, 0.3, count=24, capacity=7, threads=2, lanes=2)
    np.testing.assert_array_equal(played.returns, play({}, 0.3)[0].returns)
    last = play({}, 0.3, first=17, count=7, capacity=7)[1]
    assert len(ring) == 7
    assert sorted(ring.sampler(0).sample(7).lengths.tolist()) == sorted(last.sampler(0).sample(7).lengths.tolist())
    assert ring.stats()["published"] == 24


def test_seed_and_stream_change_episodes():
    env = LbfEnv(TASK)
    agent = agent_of(env.spec)
    played = [
        NativeRollout(env, agent, seed, stream).play(0, 12, 0.3).returns.tolist()
        for seed, stream in ((0, Stream.ENVIRONMENT), (1, Stream.ENVIRONMENT), (0, Stream.EVALUATION))
    ]
    assert played[0] != played[1]
    assert played[0] != played[2]
    assert played[0] == NativeRollout(env, agent, 0, Stream.ENVIRONMENT).play(0, 12, 0.3).returns.tolist()


def test_a_nan_counts_as_highest_as_in_python():
    agent = agent_of(LbfEnv(TASK).spec)
    with torch.no_grad():
        agent.fc3.bias[2] = torch.nan
    env = LbfEnv(TASK, action_mask=False, episode_limit=3)
    rings = [EpisodeRing(env.spec, 2) for _ in range(2)]
    NativeRollout(env, agent, 0, Stream.ENVIRONMENT, rings[0]).play(0, 2, 0.0)
    Rollout([env], agent, 0, Stream.ENVIRONMENT, rings[1]).play(0, 2, 0.0)
    first, second = (ring.sampler(0).sample(2).actions for ring in rings)
    assert torch.equal(first, second)
    assert (first == 2).all()


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan")])
def test_epsilon_is_a_probability(epsilon):
    env = LbfEnv(TASK)
    with pytest.raises(ValueError, match="epsilon: expected a number from 0 to 1"):
        NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT).play(0, 1, epsilon)


def test_ctrl_c_is_heard_while_episodes_play():
    env = LbfEnv(TASK)
    rollout = NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT)
    interrupt = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            rollout.play(0, 50_000_000, 0.5)
    finally:
        signal.signal(signal.SIGINT, own)


def test_new_weights_are_used():
    env = LbfEnv(TASK)
    agent = agent_of(env.spec)
    rollout = NativeRollout(env, agent, 0, Stream.ENVIRONMENT)
    before = rollout.play(0, 12, 0.0).returns.tolist()
    agent.load_state_dict(agent_of(env.spec, seed=1).state_dict())
    after = rollout.play(0, 12, 0.0).returns.tolist()
    assert before != after
    assert after == NativeRollout(env, agent, 0, Stream.ENVIRONMENT).play(0, 12, 0.0).returns.tolist()


def values_of(agent, obs, hidden=None):
    """Values of observations (K, n, O) by the agent's twin; hidden (K, n, H) is changed in place."""
    spec = EpisodeSpec(obs.shape[1], agent.n_actions, obs.shape[2], 1, 1)
    policy = native_policy(agent, spec)
    policy.load(ActorWeights.of(agent).block)
    return policy.values(obs.numpy(), hidden)


def network(kind, shape, agent_id=True):
    """An agent and observations of three steps in a row."""
    episodes, n, width, hidden, n_actions = shape
    spec = EpisodeSpec(n, n_actions, width, 1, 1)
    agent = agent_of(spec, hidden, agent_id, 1, kind)
    agent.n_actions = n_actions
    return agent, torch.randint(-1, 9, (3, episodes, n, width)).float()


def native_steps(agent, steps, rows=None):
    """Values of steps in a row (T, K, n, A)."""
    recurrent = isinstance(agent, GRUAgent)
    hidden = np.zeros((*steps.shape[1:3], agent.hidden_dim), np.float32)[:rows] if recurrent else None
    return torch.from_numpy(np.stack([values_of(agent, obs[:rows], hidden) for obs in steps]))


SHAPES = [(1, 1, 1, 1, 1), (3, 2, 15, 64, 6), (40, 4, 27, 64, 6), (5, 3, 7, 33, 17), (9, 1, 200, 128, 5)]


@each_kind
@pytest.mark.parametrize("agent_id", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_are_the_networks(shape, agent_id, kind):
    agent, steps = network(kind, shape, agent_id)
    ours = native_steps(agent, steps)
    counts = torch.full((len(steps),), shape[0])
    with torch.no_grad():
        theirs = agent.unroll(steps.flatten(0, 1), counts).view_as(ours)
        exact = agent.double().unroll(steps.double().flatten(0, 1), counts).view_as(ours)
    assert (ours - exact).norm() <= 1e-6 * exact.norm()
    assert (ours - theirs).norm() <= 1e-6 * theirs.norm()
    top = theirs.topk(min(2, shape[-1]), -1).values
    clear = (top[..., 0] - top[..., -1] > 1e-5) | torch.tensor(shape[-1] == 1)
    assert clear.any()
    assert torch.equal(ours.argmax(-1)[clear], theirs.argmax(-1)[clear])
    for rows in (1, 2, shape[0]):
        assert torch.equal(native_steps(agent.float(), steps, rows), ours[:, :rows])


@each_kind
def test_nan_stays_visible(kind):
    agent, _ = network(kind, (1, 2, 3, 8, 4))
    with torch.no_grad():
        agent.fc1.weight[0, 0] = torch.nan
    values = native_steps(agent, torch.ones(1, 1, 2, 3))
    assert values[..., 0, :].isnan().all()
    assert values[..., 1, :].isnan().all() == kind[1]


def test_hidden_must_fit():
    mlp, gru = (network((kind, True), (2, 2, 3, 8, 4))[0] for kind in (MLPAgent, GRUAgent))
    obs = torch.zeros(2, 2, 3)
    with pytest.raises(ValueError, match="hidden: expected none"):
        values_of(mlp, obs, np.zeros((2, 2, 8), np.float32))
    with pytest.raises(ValueError, match=r"hidden: expected \(K, n, H\), got None"):
        values_of(gru, obs)
    with pytest.raises(ValueError, match=r"hidden: expected \(2, 2, 8\) float32"):
        values_of(gru, obs, np.zeros((2, 2, 7), np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("level", _C.build_info()["simd_compiled"])
def test_every_simd_level(level, at_simd_level):
    program = (
        "import numpy as np, torch; from pyqmix.base.spec import EpisodeSpec\n"
        "from pyqmix.nn.actor_weights import ActorWeights\n"
        "from pyqmix.nn.agents import GRUAgent, MLPAgent\n"
        "from pyqmix.play.actor import native_policy\n"
        "torch.manual_seed(0); worst = 0.0; obs = torch.randn(33, 2, 15)\n"
        "for kind in (MLPAgent, GRUAgent):\n"
        "    for share in (True, False):\n"
        "        agent = kind(15, 6, 2, 64, True, share)\n"
        "        policy = native_policy(agent, EpisodeSpec(2, 6, 15, 1, 1))\n"
        "        policy.load(ActorWeights.of(agent).block)\n"
        "        hidden = np.zeros((33, 2, 64), np.float32) if kind is GRUAgent else None\n"
        "        ours = policy.values(obs.numpy(), hidden)\n"
        "        exact = agent.double().unroll(obs.double(), torch.tensor([33])).detach().numpy()\n"
        "        worst = max(worst, np.linalg.norm(ours - exact) / np.linalg.norm(exact))\n"
        "print(worst)"
    )
    assert float(at_simd_level(level, program)) <= 1e-6


def policy_of(**options):
    spec = NetworkSpec(n_agents=2, obs_dim=3, state_dim=1, hidden_dims=(4, 4), agent_id=False, **options)
    return _C.Policy(native_network_spec(spec))


@pytest.mark.parametrize(
    ("block", "message"),
    [(np.zeros(3, np.float32), r"weights: expected \(\d+,\) float32"), (np.zeros(3), "weights: expected")],
)
def test_weights_must_fit(block, message):
    for kind in ("mlp", "gru"):
        policy = policy_of(n_actions=2, agent=kind)
        with pytest.raises(ValueError, match=message):
            policy.load(block)


def exploration(epsilon=0.5, episodes=3_000):
    """Count joint actions of two agents whose greedy action is to stay."""
    env = LbfEnv("Foraging-8x8-2p-1f-coop-v3", action_mask=False, episode_limit=1)
    agent = agent_of(env.spec)
    with torch.no_grad():
        agent.fc3.weight.zero_()
        agent.fc3.bias.copy_(torch.eye(6)[0])
    ring = EpisodeRing(env.spec, episodes)
    NativeRollout(env, agent, 0, Stream.ENVIRONMENT, ring).play(0, episodes, epsilon)
    actions = ring.sampler(0).sample(episodes).actions[:, 0].numpy()
    return np.bincount(actions[:, 0] * 6 + actions[:, 1], minlength=36).reshape(6, 6)


def test_each_agent_draws_its_own_coin_natively():
    table = exploration()
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 52.6  # chi-square, 25 degrees, p = 0.001
    np.testing.assert_allclose(table.sum(1) / table.sum(), [7 / 12] + [1 / 12] * 5, atol=0.03)


def test_a_full_ring_is_told_and_nothing_stays_claimed():
    env = LbfEnv(TASK)
    ring = EpisodeRing(env.spec, 4)
    rollout = NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT, ring)
    slots = [writer.open() for writer in (ring.writer(), ring.writer(), ring.writer())]
    with pytest.raises(RingBusyError, match="raise its capacity"):
        rollout.play(0, 4, 0.5)
    assert ring.stats()["aborted"] == 1
    for slot in slots:
        slot.abort()
    assert rollout.play(0, 4, 0.5).lengths.size == len(ring) == 4


def test_a_slot_that_is_taken_away_is_told():
    """The descriptor whose lock proves that this process lives is closed behind the ring's back."""
    env = LbfEnv(TASK)
    ring = EpisodeRing(env.spec, 4, shared=True)
    rollout = NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT, ring)
    (lock,) = descriptors_of(ring) - {ring.fileno()}
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, lock)  # closes the old one, and leaves the ring one to close
    os.close(nothing)
    writer, told = EpisodeRing.attach(ring.fileno()).writer(), threading.Event()

    def claim():
        while not told.is_set():
            with contextlib.suppress(RingBusyError):
                writer.open().abort()

    other = threading.Thread(target=claim)
    other.start()
    try:
        with pytest.raises(RuntimeError, match=r"^episode \d+: its slot was taken from this writer, as if"):
            rollout.play(0, 200_000, 0.5)
    finally:
        told.set()
        other.join()
    assert ring.stats()["revoked"] >= 1


def descriptors_of(ring):
    """All of this process's descriptors of a ring's memory file."""
    paths, file = Path("/proc/self/fd").iterdir(), os.fstat(ring.fileno())
    return {int(path.name) for path in paths if path.exists() and os.path.samestat(path.stat(), file)}


def test_a_board_without_room_is_named(monkeypatch):
    monkeypatch.setattr("pyqmix.envs.lbf.rules._require_room", lambda *_: None)
    env = LbfEnv(crowded := "Foraging-10x100-999p-1f-v3")
    ring = EpisodeRing(env.spec, 4)
    rollout = NativeRollout(env, agent_of(env.spec, hidden=1), 0, Stream.ENVIRONMENT, ring)
    message = rf"^environment {crowded}, episode \d+, step 0: player \d+ found no free cell in 1000 attempts"
    with pytest.raises(EnvError, match=message):
        rollout.play(0, 50, 1.0)
    assert ring.stats()["aborted"] >= 1


def test_ring_and_policy_must_fit_the_board():
    env, other = LbfEnv(TASK), LbfEnv("Foraging-5x5-2p-2f-v3")
    with pytest.raises(ValueError, match="ring: its episodes are not those of the environment"):
        NativeRollout(env, agent_of(env.spec), 0, Stream.ENVIRONMENT, EpisodeRing(other.spec, 4))
    policy = policy_of(n_actions=6)
    with pytest.raises(ValueError, match="policy: its sizes are not those of the environment"):
        _C.Rollout(env=env.native, policy=policy, seed=0, stream=0, ring=None)


def test_an_agent_without_a_native_twin_has_no_native_policy():
    class Other(MLPAgent):
        native_kind = None

    spec = LbfEnv(TASK).spec
    assert native_policy(Other(spec.obs_dim, spec.n_actions, spec.n_agents), spec) is None
    learner = Learner(spec, Config(task=TASK))
    assert NativeStep.computes(learner.networks, learner.config)
    learner.agent.__class__ = Other
    assert not NativeStep.computes(learner.networks, learner.config)


@each_kind
def test_native_where_the_environment_allows_it(tiny_config, kind):
    agent = agent_of(LbfEnv().spec, kind=kind)
    kinds = [
        type(create_rollout(config, agent, 0, Stream.EVALUATION, 2))
        for config in (tiny_config(env="lbf"), tiny_config(env="gymnasium", task="Foraging-8x8-2p-3f-v3"))
    ]
    assert kinds == [NativeRollout, Rollout]


def test_a_recurrent_agent_starts_every_episode_afresh():
    """Each board plays many episodes one after another; each is what it is when played alone."""
    kind = (GRUAgent, True)
    together, _ = play({}, 0.0, kind=kind, lanes=2, count=12)
    alone = [play({}, 0.0, kind=kind, first=k, count=1)[0].lengths[0] for k in range(12)]
    assert together.lengths.tolist() == alone


def test_config_reaches_the_board():
    inputs = {"positions": "both", "scale_inputs": True, "global_state": True, "action_mask": False}
    config = Config(env="lbf", env_args={"penalty": 0.5}, team_reward="mean", **inputs)
    spec = LbfEnv(positions="both").spec
    env = create_rollout(config, agent_of(spec), 0, Stream.ENVIRONMENT, 1)._env
    assert (env.rules.penalty, env.spec.concat_state, env.team_reward) == (0.5, False, "mean")
    assert (env.spec.obs_dim, len(env.spec.obs_scale)) == (spec.obs_dim, spec.obs_dim)
    assert env.native.avail().all() if env.reset(0) else False

"""A loaded policy acts as the run's own evaluation does, and needs nothing of the environment."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from run_files import options_of, seal, untrained_run
from torch import nn

from pyqmix import Config, ConfigError, EpisodeRing, load_policy, make_env
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.nn import AGENTS
from pyqmix.play.create import create_rollout
from pyqmix.run import checkpoint
from pyqmix.run.evaluate import load_agent

LBF = {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3", "action_mask": True, "scale_inputs": True}


@pytest.fixture(scope="module")
def runs(tiny_config, tmp_path_factory):
    """Make a run of some options, with a checkpoint of random weights, and return its folder."""

    def make(**options):
        folder = tmp_path_factory.mktemp("runs")
        untrained_run(tiny_config(run_dir=str(folder), **options), times=3.0)
        return folder

    return make


@pytest.fixture
def gru(runs):
    return load_policy(runs(env="two_step", agent="gru", last_action=True))


def actions_of(policy, env, seed, episodes):
    """Play evaluation's episodes with a policy; return the joint actions by the episode's first observation."""
    actions = {}
    for k in range(episodes):
        policy.reset()
        point, taken, ended = env.reset(derive_seed(seed, Stream.EVALUATION, k)), [], False
        first = point.obs[:, : policy.obs_dim].tobytes()
        while not ended:
            taken.append(policy.act(point.obs, point.avail))
            step = env.step(taken[-1])
            point, ended = step.point, step.terminated or step.truncated
        actions[first] = np.array(taken).tolist()
    return actions


def evaluated_actions(folder, seed, episodes, obs_dim):
    """Play the same episodes as pyqmix-eval does."""
    config, agent = load_agent(folder)
    ring = EpisodeRing(config.create_env().spec, episodes)
    create_rollout(config, agent, seed, Stream.EVALUATION, 1, ring).play(0, episodes, 0.0)
    batch = ring.sampler(seed=0).sample(episodes)
    firsts = [obs[0, :, :obs_dim].numpy().tobytes() for obs in batch.obs]
    return {first: batch.actions[k, : batch.lengths[k]].tolist() for k, first in enumerate(firsts)}


@pytest.mark.parametrize("agent", ["mlp", "gru"])
@pytest.mark.parametrize("last_action", [False, True], ids=["", "last_action"])
@pytest.mark.parametrize("env", ["two_step", "lbf"])
def test_it_plays_the_episodes_of_pyqmix_eval(runs, env, agent, last_action):
    options = LBF if env == "lbf" else {"env": env}
    folder = runs(**options, agent=agent, last_action=last_action)
    policy = load_policy(str(folder))
    of_env = {name: value for name, value in options.items() if name != "env"}
    world = make_env(env, **of_env)
    assert (policy.n_agents, policy.obs_dim) == (world.spec.n_agents, world.spec.obs_dim)
    assert policy.n_actions == world.spec.n_actions
    expected = evaluated_actions(folder, 3, 8, policy.obs_dim)
    assert actions_of(policy, world, 3, 8) == expected
    if last_action:  # or the environment shows the actions
        assert actions_of(load_policy(folder), make_env(env, **of_env, last_action=True), 3, 8) == expected
    if env == "lbf":
        assert len({tuple(joint) for taken in expected.values() for joint in taken}) > 3


def test_it_needs_neither_environment_nor_current_folder(runs, tmp_path, monkeypatch):
    folder = shutil.copytree(runs(env="gymnasium", task="Foraging-5x5-2p-1f-v3"), tmp_path / "run")
    expected = load_policy(folder).q_values(np.ones((2, 9)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "lbforaging", None)
    monkeypatch.setattr(Config, "create_env", lambda self: pytest.fail("an environment was built"))
    options = options_of(folder)
    (folder / "config.json").write_text(json.dumps({**options, "env": "gone", "option_of_gone": 3}))
    policy = load_policy("run")
    assert policy.config["option_of_gone"] == 3
    assert np.array_equal(policy.q_values(np.ones((2, 9))), expected)
    assert policy.act(np.ones((2, 9))).tolist() == expected.argmax(-1).tolist()


def test_values_are_those_of_the_agent_on_unscaled_observations(runs):
    folder = runs(**LBF, agent="mlp", last_action=False)
    _, agent = load_agent(folder)
    obs = make_env(**{"name": "lbf", **{k: v for k, v in LBF.items() if k != "env"}}).reset(0).obs
    qs = load_policy(folder).q_values(obs)
    assert qs.dtype == np.float32
    assert np.array_equal(qs, agent.act(torch.from_numpy(obs)[None], None)[0][0].detach().numpy())


def test_a_look_at_the_values_changes_nothing(gru):
    random = np.random.default_rng(0)
    obs = random.normal(size=(6, 2, 3))
    seen = []
    for look in (0, 2):
        gru.reset()
        values = []
        for point in obs:
            values.append([gru.q_values(point).tolist() for _ in range(look)])
            before = gru.q_values(point)
            actions = gru.act(point)
            assert actions.tolist() == before.argmax(-1).tolist()
            values[-1] = before.tolist()
        seen.append(values)
    assert seen[0] == seen[1]


def test_worlds_are_independent_of_each_other_and_reset_one_by_one(gru):
    random = np.random.default_rng(1)
    obs = random.normal(size=(5, 3, 2, 3)).astype(np.float32)
    avail = random.random((5, 3, 2, 2)) < 0.5
    avail[..., 0] = True
    alone = []
    for world in range(3):
        gru.reset()
        for t in range(5):
            if (world, t) == (1, 2):
                gru.reset()
            alone.append((gru.q_values(obs[t, world]), gru.act(obs[t, world], avail[t, world])))
    gru.reset()
    for t in range(5):
        if t == 2:
            gru.reset(1)
        qs = gru.q_values(obs[t])
        actions = gru.act(obs[t], avail[t])
        assert actions.shape == (3, 2)
        assert actions.dtype == np.int64
        for world in range(3):
            expected_qs, expected = alone[5 * world + t]
            np.testing.assert_allclose(qs[world], expected_qs, atol=1e-6)
            assert actions[world].tolist() == expected.tolist()


@pytest.mark.parametrize("worlds", [[0, 2], np.array([True, False, True])], ids=["indices", "mask"])
def test_several_worlds_are_reset(gru, worlds):
    obs = np.ones((3, 2, 3))
    first = gru.q_values(obs)
    gru.act(obs)
    later = gru.q_values(obs)
    assert not np.array_equal(first, later)
    gru.reset(worlds)
    again = gru.q_values(obs)
    assert np.array_equal(again[[0, 2]], first[[0, 2]])
    assert np.array_equal(again[1], later[1])


def test_vectors_of_unequal_widths_are_padded(gru):
    padded = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    for obs in ([[1, 2], None], (np.array([1, 2], np.int8), np.zeros(3)), [np.array([1.0, 2.0]), []]):
        assert np.array_equal(gru.q_values(obs), gru.q_values(padded))
    assert gru.act(padded, [[0, 1], [1]]).tolist() == [1, 0]
    assert gru.act(padded, [np.array([0, 1], np.int8), None]).tolist() == [1, 0]
    gru.reset()
    assert gru.act([padded, padded]).shape == (2, 2)


def test_exploration_is_the_callers(gru):
    obs = np.ones((2, 3))
    actions = [gru.act(obs, epsilon=1.0, rng=np.random.default_rng(k)).tolist() for k in range(20)]
    assert len({tuple(pair) for pair in actions}) == 4
    assert actions[3] == gru.act(obs, epsilon=1.0, rng=np.random.default_rng(3)).tolist()
    assert gru.act(obs, np.array([[0, 1], [1, 0]]), epsilon=1.0).tolist() == [1, 0]


GOOD = np.ones((2, 3))
BAD = {
    "agents": (np.ones((3, 3)), None, r"obs: expected \(2, 3\) or .*, got \(3, 3\) float64"),
    "width": (np.ones((2, 4)), None, r"obs: expected .*, got \(2, 4\) float64"),
    "dimensions": (np.ones(3), None, r"obs: expected .*, got \(3,\) float64"),
    "no world": (np.ones((0, 2, 3)), None, r"obs: expected .*, got \(0, 2, 3\)"),
    "complex": (np.ones((2, 3), complex), None, r"obs: expected .* real numbers, .*, got \(2, 3\) complex128"),
    "text": ([["a"], ["b"]], None, "obs of agent 0: expected a vector of numbers, got list"),
    "a dictionary": ({"agent_0": GOOD}, None, "obs: expected an array or a sequence, got dict"),
    "one vector": ([[1, 2, 3]], None, r"obs: expected .*, got \(1, 3\)"),
    "three": ([[1], [1, 2], [1]], None, "obs: expected one entry for each of 2 agents, got 3"),
    "too wide": ([[1], [1, 2, 3, 4]], None, "obs of agent 1: expected at most 3 numbers, got 4"),
    "NaN": (np.array([[0, 0, 0], [0, np.nan, 0]]), None, "obs of agent 1: entry 1 is nan"),
    "mask": (GOOD, np.ones((2, 3), bool), r"avail: expected \(2, 2\) bool, got \(2, 3\) bool"),
    "floats": (GOOD, np.ones((2, 2)), r"avail: expected \(2, 2\) bool, got \(2, 2\) float64"),
    "numbers": (GOOD, np.array([[0, 2], [1, 1]]), "avail: expected 0 and 1, got 0 to 2"),
    "nothing": (GOOD, np.array([[1, 1], [0, 0]]), "avail: agent 1 has no available action"),
    "nothing in a world": (
        np.ones((2, 2, 3)),
        np.array([[[1, 1], [1, 0]], [[0, 0], [1, 0]]]),
        "avail: agent 0 in world 1 has no available action",
    ),
}


@pytest.mark.parametrize(("obs", "avail", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_line_and_is_forgotten(gru, obs, avail, message):
    before = gru.q_values(GOOD)
    with pytest.raises(ValueError, match=f"^{message}") as error:
        gru.act(obs, avail)
    assert "\n" not in str(error.value)
    assert np.array_equal(gru.q_values(GOOD), before)


def test_another_number_of_worlds_needs_a_reset(gru):
    gru.act(np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"obs: expected those of 2 worlds, .*, got 3; reset\(\)"):
        gru.act(np.ones((3, 2, 3)))
    with pytest.raises(ValueError, match=r"worlds: expected indices from 0 to 1 or a mask \(2,\), got 2"):
        gru.reset(2)
    gru.reset()
    gru.act(np.ones((3, 2, 3)))


class Counting(nn.Module):
    """A user's agent, whose values are the number of steps so far and begin at 7."""

    def __init__(self, n_actions):
        super().__init__()
        self.n_actions = n_actions
        self.weight = nn.Parameter(torch.ones(1))

    def initial_hidden(self, episodes):
        return torch.full((episodes, 1), 7.0)

    def forward(self, obs, hidden):
        return hidden[:, None] * self.weight.expand(*obs.shape[:2], self.n_actions), hidden + 1


def test_a_users_agent_acts_with_its_own_hidden_state(runs, monkeypatch):
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS._entries))  # other tests do not see it
    own = Config().with_own(agent=Counting).agent
    policy = load_policy(runs(env="two_step", agent=own))
    for expected in (7, 8):
        assert (policy.q_values(np.ones((2, 2, 3))) == 3 * expected).all()
        policy.act(np.ones((2, 2, 3)))
    policy.reset(0)
    assert policy.q_values(np.ones((2, 2, 3)))[:, 0, 0].tolist() == [21, 27]


def test_an_agent_that_is_unknown_here_is_named(runs):
    folder = runs(env="two_step")
    options = options_of(folder)
    for name in ("gone", "gone:Agent"):
        (folder / "config.json").write_text(json.dumps({**options, "agent": name}))
        with pytest.raises(ConfigError, match=f"its agent '{name}' .*agent: .*{name}"):
            load_policy(folder, trust=True)
    with pytest.raises(ConfigError, match="its agent 'gone:Agent' would import gone: pass --trust"):
        load_policy(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": "64"}, "hidden_dim: expected an integer"),
        ({"hidden_dim": 10**9}, "hidden_dim: expected an integer of at most"),
        ({"agent": ["mlp"]}, "agent: expected one of"),
        ({"agent_args": 3}, "agent_args: expected a JSON object"),
        ({"agent_args": {"net": ["a.b"]}}, "its agent_args has 'a.b', which can name a module or a file"),
        ({"agent_id": None}, "agent_id: expected true or false"),
        ({"share_parameters": 1}, "share_parameters: expected true or false"),
        ({"last_action": "yes"}, "last_action: expected true or false"),
        ({"lr": "x" * 5_000}, "expected text of at most 4,096 characters"),
    ],
)
def test_options_that_cannot_be_used_are_named(runs, changes, message):
    folder = runs(env="two_step")
    options = options_of(folder)
    (folder / "config.json").write_text(json.dumps({**options, **changes}))
    with pytest.raises(ConfigError, match=message):
        load_policy(folder)


def test_what_cannot_be_loaded_is_named(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match="expected the folder of a run"):
        load_policy(tmp_path)
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    newest = checkpoint.find(folder)
    state = json.loads((newest / "progress.json").read_text())
    for change, message in (
        ({"obs_dim": 4}, r"fc1.weight: expected \(8, 6\)"),
        ({"obs_dim": 0}, "sizes of episodes"),
    ):
        seal(newest, {**state, "spec": {**state["spec"], **change}})
        with pytest.raises(ConfigError, match=message):
            load_policy(folder)

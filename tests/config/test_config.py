"""Every value is checked when it is set, and an error names the option, what was expected and what came."""

import copy
import dataclasses
import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyqmix import Config, ConfigError
from pyqmix.base.options import Kind, kinds_of
from pyqmix.config import PRESETS, from_preset
from pyqmix.envs import FAMILIES

POSITIVE_INTS = [
    *("total_steps", "hidden_dim", "embed_dim", "hypernet_dim", "batch_size", "buffer_size", "num_envs"),
    *("target_update", "eps_steps", "eval_every", "eval_episodes", "checkpoint_every", "log_every"),
    *("episode_limit", "threads", "n_step", "batch_transitions", "episodes_per_update", "per_beta_steps"),
]
OF_STEPS = ["eps_steps", "per_beta_steps", "eval_every", "log_every", "checkpoint_every"]
OPTIONAL = ["episode_limit", "batch_transitions"]
POSITIVE_NUMBERS = ["lr", "grad_clip", "updates_per_episode", "reward_scale"]
FRACTIONS = ["gamma", "eps_start", "eps_end", "target_tau", "td_lambda", "per_alpha", "per_beta"]
BOOLS = [name for name, kind in kinds_of(type(Config())).items() if kind is None]
CHOICES = [name for name, kind in kinds_of(type(Config())).items() if isinstance(kind, Kind) and kind.names]
NAMES = ["task", "run_dir"]
REFUSED = [
    *((name, value, "integer of at least 1") for name in POSITIVE_INTS for value in (0, -3, 2.0, "7", True)),
    *(
        (name, value, "share of the run")
        for name in OF_STEPS
        for value in ("0%", "-5%", "101%", "nan%", "40 %", "%", "40%%", "inf%", "abc", 0, True, 1.5)
    ),
    *(("seed", value, "integer of at least 0") for value in (-1, 0.5, "x", None)),
    *((name, 10**30, "integer of at most") for name in (*POSITIVE_INTS, "seed")),
    *((name, value, "number above 0") for name in POSITIVE_NUMBERS for value in (0, -1.5)),
    *((name, value, "number from 0 to 1") for name in FRACTIONS for value in (-0.1, 1.5)),
    *(
        (name, value, "finite number")
        for name in (*POSITIVE_NUMBERS, *FRACTIONS)
        for value in (float("nan"), float("inf"), 10**400, "x", False)
    ),
    *((name, value, "true or false") for name in BOOLS for value in (1, "yes", None)),
    *((name, value, "name that is not empty") for name in NAMES for value in ("", 3)),
    *((name, value, "one of") for name in CHOICES for value in ("zzz", 1, None, [])),
    ("target_tau", 0.0, "above 0"),
    ("lr_end", -1e-4, "number from 0 to 0.0005"),
    ("lr_end", 1e-3, "number from 0 to 0.0005"),
    ("lr_end", "x", "finite number"),
    ("hypernet_layers", 3, "integer of at most 2"),
    ("hypernet_layers", 2.0, "integer of at least 1"),
]


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_refused_value(name, value, expected):
    with pytest.raises(ConfigError) as caught:
        Config(**{name: value})
    before, got = str(caught.value).split(", got ", 1)
    assert before.startswith(f"{name}: expected ")
    assert expected in before
    assert got.startswith(str(value)[:5]) or got.startswith(repr(value))


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("env", "lfb", "lbf"), ("mixer", "qmixx", "qmix"), ("agent", "grru", "gru"), ("device", "gpu", "cpu")],
)
def test_near_names_are_suggested(name, value, meant):
    with pytest.raises(ConfigError, match=f"did you mean {meant}"):
        Config(**{name: value})


def test_buffer_must_hold_a_batch_and_the_open_episodes():
    assert Config(batch_size=30, num_envs=2, buffer_size=32)
    with pytest.raises(ConfigError, match=r"^buffer_size: expected at least .* = 33 episodes, got 32"):
        Config(batch_size=30, num_envs=3, buffer_size=32)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rollout": "ray"}, "num_workers: expected 1 or more with rollout ray"),
        ({"rollout": "ray", "num_workers": 1, "overlap": True}, "overlap: expected False with rollout ray"),
        ({"max_staleness": 2}, "max_staleness: expected 0 without rollout ray, got 2 and rollout local"),
        ({"num_workers": 3, "num_envs": 2}, "num_workers: expected at most num_envs 2, .* got 3"),
        (
            {"rollout": "ray", "num_workers": 7, "num_envs": 2, "max_staleness": 3},
            "num_workers: expected at most num_envs 2 x max_staleness 3, .* got 7",
        ),
        ({"rollout": "rays"}, "rollout: expected .*did you mean ray"),
    ],
)
def test_options_of_a_cluster_fit_together(options, said):
    with pytest.raises(ConfigError, match=said):
        Config(**options)
    assert Config(rollout="ray", num_workers=6, num_envs=2, max_staleness=3, ray_address="auto")


def test_n_step_and_lambda_targets_exclude_each_other():
    assert Config(n_step=3) != Config(td_lambda=0.5) != Config()
    expected = r"^n_step: expected 1 where td_lambda is above 0, .*, got 3 and td_lambda 0.5"
    with pytest.raises(ConfigError, match=expected):
        Config(n_step=3, td_lambda=0.5)


def test_episodes_per_update_and_updates_per_episode_exclude_each_other():
    expected = r"^episodes_per_update: expected it or updates_per_episode, .*, got 4 and updates_per_episode 0.25"
    with pytest.raises(ConfigError, match=expected):
        Config(episodes_per_update=4, updates_per_episode=0.25)
    with pytest.raises(ConfigError, match=r"got 2 and updates_per_episode 1$"):  # the default
        Config(episodes_per_update=2, updates_per_episode=1)
    assert Config(episodes_per_update=4).updates_due(6) == 1.5 == Config(updates_per_episode=0.25).updates_due(6)
    assert Config().updates_due(6) == 6.0


def test_the_rate_of_updates_replaces_that_of_a_preset_however_it_is_given():
    assert from_preset("lbf", episodes_per_update=4).updates_due(6) == 1.5
    assert from_preset("pymarl2", updates_per_episode=0.25).updates_due(6) == 1.5
    assert from_preset("pymarl2").updates_due(6) == 0.75
    with pytest.raises(ConfigError, match=r"^episodes_per_update: .* got 4 and updates_per_episode 0.5"):
        from_preset("lbf", episodes_per_update=4, updates_per_episode=0.5)


def test_an_older_run_that_has_the_default_of_updates_per_episode_can_be_read(tmp_path):
    values = {**dataclasses.asdict(Config(episodes_per_update=8)), "updates_per_episode": 1.0}
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert Config.from_json(tmp_path / "config.json") == Config(episodes_per_update=8)


def test_an_older_run_that_has_its_shares_in_steps_can_be_read(tmp_path):
    older = from_preset("lbf", eps_steps=200_000, per_beta_steps=None)
    (tmp_path / "config.json").write_text(older.to_json())
    read = Config.from_json(tmp_path / "config.json")
    assert read == older
    assert read.epsilon(150_000) == from_preset("lbf").epsilon(150_000)


def test_training_steps_have_a_largest_rate():
    assert Config(updates_per_episode=10_000).updates_due(1) == 10_000
    with pytest.raises(ConfigError, match=r"^updates_per_episode: .* above 0 and at most 10,000, got 1e\+17"):
        Config(updates_per_episode=1e17)


@pytest.mark.parametrize("copied", [lambda c: c, copy.copy, lambda c: pickle.loads(pickle.dumps(c))])
def test_an_exploration_that_was_given_stays_also_where_it_is_the_default(copied):
    assert copied(Config(env="two_step", eps_end=1.0)).replace(lr=0.1).replace(env="lbf").eps_end == 1.0
    assert copied(Config(env="two_step")).replace(lr=0.1).replace(env="lbf").eps_end == 0.05


anything = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    *(st.lists(st.integers(), max_size=2), st.from_regex(r"-?[0-9]{0,4}\.?[0-9]{0,2}%", fullmatch=True)),
)


@given(st.sampled_from([*POSITIVE_INTS, "seed", *POSITIVE_NUMBERS, *FRACTIONS, "hypernet_layers"]), anything)
def test_numbers_are_taken_or_refused_by_name(name, value):
    try:
        config = Config(**{name: value})
    except ConfigError as error:
        assert str(error).startswith((f"{name}: expected ", "buffer_size: expected "))  # noqa: PT017
    else:
        kept = getattr(config, name)
        assert kept == value or (value is None and name == "eps_end")
        assert not isinstance(kept, bool)
        if isinstance(kept, str):
            assert name in OF_STEPS
            assert 1 <= config.in_steps(kept) <= config.total_steps
        else:
            assert kept is None or math.isfinite(kept)


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(env="matrix", payoff=[[1, 2.5], [0, -3]], eps_end=0.25, threads=3, run_dir="somewhere"),
        from_preset("lbf", seed=2**63 - 1, double_q=True),
        Config(eps_steps="2.5%", per_beta_steps="90%", eval_every="5%", log_every="1%", checkpoint_every="100%"),
    ],
)
def test_json_round_trip(config, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    where = None if config.run_dir is None else str(tmp_path)
    assert Config.from_json(path) == config.replace(run_dir=where)
    assert list(json.loads(path.read_text())) == [*vars(config), "checksum"]


def test_a_changed_file_is_refused_unless_its_checksum_is_taken_out(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(Config(seed=1).to_json().replace('"seed": 1', '"seed": 3'))
    with pytest.raises(ConfigError, match="the checksum is wrong: the file is damaged or was edited"):
        Config.from_json(path)
    values = json.loads(path.read_text())
    del values["checksum"]
    path.write_text(json.dumps(values))
    assert Config.from_json(path).seed == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("{", "expected the options of a run"),
        ("[1]", "got list"),
        ('{"lr": 1, "learning_rate": 2}', "learning_rate"),
        ('{"seed": -1}', "seed: expected"),
    ],
)
def test_json_of_something_else(text, expected, tmp_path):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        Config.from_json(path)


def test_epsilon_falls_linearly_and_stays():
    config = Config(eps_start=0.9, eps_end=0.1, eps_steps=200)
    assert [config.epsilon(step) for step in (0, 50, 100, 200, 10**9)] == pytest.approx([0.9, 0.7, 0.5, 0.1, 0.1])


def test_exploration_for_a_share_of_the_run():
    config = Config(eps_start=0.9, eps_end=0.1, eps_steps="20%", total_steps=1_000)
    assert [config.epsilon(step) for step in (0, 50, 200, 999)] == pytest.approx([0.9, 0.7, 0.1, 0.1])
    longer = config.replace(total_steps=2_000)
    assert longer.eps_steps == "20%"
    assert [longer.epsilon(step) for step in (0, 100, 400)] == pytest.approx([0.9, 0.7, 0.1])


def test_the_exponent_of_the_importance_weights_rises_linearly_to_1():
    config = Config(per_beta=0.4, total_steps=1_000, per_beta_steps=200)
    steps = (0, 50, 200, 1_000)
    assert [config.importance_exponent(step) for step in steps] == pytest.approx([0.4, 0.55, 1.0, 1.0])
    share = config.replace(per_beta_steps="20%")
    assert [share.importance_exponent(step) for step in steps] == pytest.approx([0.4, 0.55, 1.0, 1.0])
    whole = config.replace(per_beta_steps=None)
    assert [whole.importance_exponent(step) for step in steps] == pytest.approx([0.4, 0.43, 0.52, 1.0])


def test_the_learning_rate_falls_linearly_to_the_end_of_the_run():
    falling = Config(lr=0.01, lr_end=0.002, total_steps=1_000)
    rates = [falling.learning_rate(step) for step in (0, 500, 1_000, 9_999)]
    assert rates == pytest.approx([0.01, 0.006, 0.002, 0.002])
    assert Config(lr=0.01).learning_rate(400_000) == 0.01


@pytest.mark.parametrize("other", [{"agent": "gru"}, {"n_step": 2}, {"td_lambda": 0.5}])
def test_single_transitions_are_enough_for_one_step_of_a_feed_forward_agent_alone(other):
    assert Config(batch_transitions=64).batch_transitions == 64
    expected = r"^batch_transitions: expected agent mlp, n_step 1 and td_lambda 0, .* got"
    with pytest.raises(ConfigError, match=expected):
        Config(batch_transitions=64, **other)


def test_lbf_has_a_preset_of_its_own():
    assert from_preset() == from_preset("lbf") == Config(**PRESETS["lbf"])
    config = from_preset()
    faithful = (
        config.loss,
        config.batch_transitions,
        config.target_tau,
        config.double_q,
        config.n_step,
        config.td_lambda,
    )
    assert faithful == ("transitions", None, 1.0, False, 1, 0.0)
    assert from_preset("none", env="lbf") == Config()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_what_its_environment_has(preset):
    config = from_preset(preset)
    config.create_env().close()


def test_another_environment_takes_nothing_of_foraging_from_a_preset():
    config = from_preset("lbf", env="two_step")
    assert config.env_options() == Config(env="two_step").env_options()
    assert config.gamma == PRESETS["lbf"]["gamma"]
    with pytest.raises(ConfigError, match="positions: two_step has no such option"):
        from_preset("lbf", env="two_step", positions="both")


def test_options_override_a_preset():
    config = from_preset("lbf", lr=0.25, num_envs=3)
    assert (config.lr, config.num_envs) == (0.25, 3)
    assert config.gamma == PRESETS["lbf"]["gamma"]


@pytest.mark.parametrize("preset", [None, *PRESETS])
@pytest.mark.parametrize("env", ["two_step", "matrix"])
def test_games_explore_fully_whatever_the_preset(env, preset):
    config = from_preset(preset, env=env)
    assert {config.epsilon(step) for step in (0, 1_000, 10**9)} == {1.0}


@pytest.mark.parametrize("preset", [None, "lbf"])
def test_games_explore_less_when_told(preset):
    config = from_preset(preset, env="two_step", eps_start=0.5, eps_end=0.1, eps_steps=10)
    assert [config.epsilon(step) for step in (0, 10)] == pytest.approx([0.5, 0.1])


@pytest.mark.parametrize(("preset", "share", "steps"), [("lbf", "10%", 10_000), ("lbf-fast", "40%", 40_000)])
def test_presets_of_foraging_explore_for_a_share_of_the_run(preset, share, steps):
    whole = from_preset(preset)
    assert whole.eps_steps == share
    for config in (from_preset(preset, total_steps=100_000), whole.replace(total_steps=100_000)):
        assert config.in_steps(config.eps_steps) == steps
        assert config.epsilon(steps - 1_000) > config.epsilon(steps) == pytest.approx(config.eps_end)
    assert from_preset(preset, total_steps=100_000, eps_steps=7).eps_steps == 7
    for number in (0, 2.5, "many", None, 10**30):
        with pytest.raises(ConfigError, match=r"^total_steps: expected an integer"):
            from_preset(preset, total_steps=number)


def test_a_preset_of_battles_is_the_default_of_smax():
    default = from_preset(env="smax", task="2s3z")
    assert default == from_preset("smax", task="2s3z")
    assert default.in_steps(default.eps_steps) == 400_000
    published = from_preset("smax-jaxmarl")
    assert published.in_steps(published.eps_steps) == 1_000_000


def test_published_presets_keep_their_steps_of_exploration():
    steps = [from_preset(preset, total_steps=1_000).eps_steps for preset in ("none", "epymarl", "pymarl2")]
    assert steps == [50_000, 50_000, 100_000]


def test_unknown_preset():
    with pytest.raises(ConfigError, match=r"^preset: expected one of none, lbf.*, got 'lbff'; did you mean lbf"):
        from_preset("lbff")


@pytest.mark.parametrize("env", FAMILIES)
def test_the_environment_may_be_given_by_place(env):
    assert Config(env) == Config(env=env)
    assert Config(env).env == env
    assert next(iter(vars(Config(env)))) == "env"


@pytest.mark.parametrize("env", FAMILIES)
def test_configs_travel_between_processes(env):
    config = Config(env=env, seed=3)
    for copied in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config)):
        assert copied == config
        assert type(copied) is type(config)


def test_a_config_of_one_environment_is_replaced_by_one_of_another():
    config = Config(env="lbf", positions="both", seed=7, last_action=True)
    matrix = config.replace(env="matrix", payoff=[[1]])
    assert (matrix.env, matrix.seed, matrix.payoff, matrix.last_action) == ("matrix", 7, [[1]], True)
    assert not hasattr(matrix, "positions")
    with pytest.raises(ConfigError, match=r"env: this Config is not of matrix: use Config.replace\(\)"):
        dataclasses.replace(config, env="matrix")


def test_options_of_one_name_have_one_default():
    defaults = {}
    for family in FAMILIES.values():
        for option in dataclasses.fields(family.options):
            assert defaults.setdefault(option.name, option.default) == option.default, option.name


@pytest.mark.parametrize("env", FAMILIES)
def test_the_configuration_of_an_older_version_is_read(env, tmp_path):
    """It held the options of all environments, and workers played every game."""
    old = {
        **{"env": env, "task": None, "payoff": None, "env_args": None, "episode_limit": None},
        **{"truncate_at_limit": False, "action_mask": True, "global_state": False, "team_reward": "sum"},
        **{"positions": "absolute", "last_action": False, "scale_inputs": False, "num_envs": 2, "num_workers": 2},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(old))
    config = Config.from_json(path)
    assert (config.env, config.num_envs) == (env, 2)
    assert config.num_workers == (0 if FAMILIES[env].native else 2)
    path.write_text(json.dumps({**old, "positions": "both"}))
    if "positions" not in FAMILIES[env].option_names:
        with pytest.raises(ConfigError, match="positions"):
            Config.from_json(path)


def test_another_environment_brings_its_own_exploration():
    assert Config(env="lbf").replace(env="two_step").eps_end == 1.0
    assert Config(env="lbf", eps_end=0.2).replace(env="two_step").eps_end == 0.2


@pytest.mark.parametrize("value", [[1], "penalty", {"players": {1, 2}}])
def test_env_args_are_named_values(value):
    with pytest.raises(ConfigError, match="env_args: expected"):
        Config(env_args=value)

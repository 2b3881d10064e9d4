"""A sweep file: what it combines, how runs are named, and mistakes in one line before anything starts."""

from pathlib import Path

import pytest

from pyqmix import Config, ConfigError, from_preset
from pyqmix.base.command_line import as_arguments
from pyqmix.sweep.arguments import read_arguments, read_grid
from pyqmix.sweep.plan import Plan, read_plan
from pyqmix.sweep.planned import check_plan, plan_runs
from pyqmix.sweep.space import read_distribution

TINY = {"env": "matrix", "preset": "climb", "total_steps": 300}
HERE = Path("sweep.yaml")


def checked(values, trust=True):
    return check_plan(read_plan({**TINY, **values}), HERE, trust)


def searched(key="random", **space):
    return {key: {"trials": 2, "space": space}}


def test_tasks_grid_and_seeds_are_combined():
    values = {"env": "lbf", "task": ["Foraging-5x5-2p-1f-v3", "Foraging-8x8-2p-2f-v3"], "seeds": "3:5"}
    runs = check_plan(read_plan({**values, "grid": {"mixer": ["qmix", "vdn"], "lr": [1e-3]}}), HERE, False)
    assert len({run.name for run in runs}) == len(runs) == 8
    assert runs[0].name == "Foraging-5x5-2p-1f-v3,mixer=qmix,lr=0.001,seed=3"
    assert {(run.config.task_name, run.config.mixer, run.config.seed) for run in runs} == {
        (task, mixer, seed) for task in values["task"] for mixer in ("qmix", "vdn") for seed in (3, 4)
    }


def test_variants_set_options_together():
    tasks = ["Foraging-5x5-2p-1f-v3", "Foraging-8x8-2p-2f-v3"]
    variants = {"plain": None, "fast one": {"preset": "lbf-fast", "lr": 0.5, "task": tasks[0]}}
    values = {"env": "lbf", "task": tasks, "lr": 0.1, "variants": variants, "grid": {"mixer": ["qmix", "vdn"]}}
    runs = check_plan(read_plan(values), HERE, False)
    assert len(runs) == 6
    assert runs[-1].name == f"{tasks[0]},fast_one,mixer=vdn,seed=0"
    of_presets = (from_preset("lbf", env="lbf"), from_preset("lbf-fast", env="lbf"))
    assert {(r.variant, r.config.task_name, r.config.mixer, r.config.lr, r.config.gamma) for r in runs} == {
        *(("plain", task, mixer, 0.1, of_presets[0].gamma) for task in tasks for mixer in ("qmix", "vdn")),
        *(("fast one", tasks[0], mixer, 0.5, of_presets[1].gamma) for mixer in ("qmix", "vdn")),
    }


def test_variants_that_differ_in_their_presets_alone_have_folders_of_their_own():
    variants = {"a b": {"preset": "climb"}, "a_b": {"preset": "penalty"}}
    assert len({run.name for run in checked({"variants": variants})}) == 2


def test_presets_apply_as_on_the_command_line():
    (run,) = checked({"lr": 0.01})
    assert (run.config.payoff[0][0], run.config.lr, run.config.task_name) == (11, 0.01, None)
    assert run.name == "matrix,seed=0"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"totl_steps": 5}, "unknown option 'totl_steps'; did you mean total_steps"),
        ({"grid": {"mixr": ["qmix"]}}, "unknown option 'mixr'; did you mean mixer"),
        (searched(lrr=[1]), "unknown option 'lrr'"),
        ({"lr": "fast"}, "lr: expected a finite number, got 'fast'"),
        (
            {"grid": {"mixer": ["qmix", "qmixx"]}},
            "got 'qmixx'; did you mean qmix, ow_qmix, cw_qmix? (where mixer=qmixx)",
        ),
        ({"grid": {"batch_size": [8, 2.5]}}, "batch_size: expected an integer of at least 1, got 2.5"),
        ({"env": "lbf", "task": ["Foraging-9x9"], "preset": None}, "task: "),
        ({"task": "3m"}, "task: matrix has no such option"),
        ({"grid": {"mixer": [{None: 1}]}}, "expected names as the keys of a sweep, got None"),
        ({"preset": "climbb"}, "preset: expected one of"),
        ({"seed": 3}, "seed: a sweep has seeds in its place, got 3"),
        ({"run_dir": "x"}, "run_dir: a sweep has --out in its place"),
        ({"seeds": 3}, "seeds: expected a list as [1, 2, 3], or text as 0:10, got 3"),
        ({"seeds": "5:5"}, "seeds: expected FIRST:END"),
        ({"seeds": [1, 1]}, "seeds: expected each value once, got 1 twice"),
        ({"seeds": [1.5]}, "seeds: expected an integer of at least 0, got 1.5"),
        ({"grid": {"mixer": "qmix"}}, "grid: expected a list of values of mixer, got 'qmix'"),
        ({"grid": ["mixer"]}, "grid: expected options, each with a list of values"),
        ({"mixer": "qmix", "grid": {"mixer": ["vdn"]}}, "mixer: expected it in one place"),
        ({"grid": {"seed": [1, 2]}}, "grid: seed has a place of its own in a sweep: seeds"),
        ({"grid": {"lr": list(range(200)), "gamma": list(range(200))}}, "at most 10,000 runs, got 40,000"),
        ({"optuna": {"trials": 2, "space": {"lr": [1]}}, "grid": {"mixer": ["vdn"]}}, "without grid and random"),
        ({"optuna": {"trials": 2, "space": {"lr": [1]}}, "variants": {"a": {}}}, "and variants"),
        ({"variants": {"a": {"lrr": 1}}}, "unknown option 'lrr'"),
        ({"variants": {"a": {"lr": 1}}, "grid": {"lr": [2]}}, "in one place, got it in grid and in variants"),
        ({"variants": {"a": {"seeds": [1]}}}, "variants: a: expected options of runs, got 'seeds'"),
        ({"variants": {"a": {"preset": 1}}}, "variants: a: expected the name of a preset, got 1"),
        ({"variants": {"a": {"lr": -1}}}, "lr: expected a number above 0, got -1 (where a)"),
        ({"variants": {"a": 1}}, "variants: a: expected options, got 1"),
        ({"variants": ["a"]}, "variants: expected names, each with options, got ['a']"),
        ({"variants": {"a" * 61: None}}, "variants: expected a name of 1 to 60 characters"),
        ({"optuna": {"trial": 2}}, "optuna: expected trials, seed, space, metric, pruning, got 'trial'"),
        ({"optuna": {"trials": 0, "space": {"lr": [1]}}}, "optuna: trials: expected an integer of at least 1"),
        ({"random": {"trials": 2}}, "random: expected a space of options"),
        (searched(lr={"loguniform": [1, 2]}), "did you mean log_uniform"),
        (searched(lr={"log_uniform": [0, 2]}), "with 0 < low < high, got [0, 2]"),
        (searched(lr={"integer": [0, 2.5]}), "with two integers, got [0, 2.5]"),
    ],
)
def test_mistake_in_a_sweep(values, words):
    with pytest.raises(ConfigError) as refusal:
        checked(values)
    assert words in str(refusal.value)


def test_names_that_a_file_may_not_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"its env 'evil:make' would import evil: pass --trust"):
        check_plan(read_plan({"env": "evil:make"}), HERE, False)
    with pytest.raises(ConfigError, match="its mixer 'evil:mixer' would import evil"):
        checked({"grid": {"mixer": ["qmix", "evil:mixer"]}}, trust=False)
    with pytest.raises(ConfigError, match="its mixer 'evil:mixer' would import evil"):
        checked({"variants": {"a": {"mixer": "evil:mixer"}}}, trust=False)
    with pytest.raises(ConfigError, match=r"its mixer .evil:mixer. cannot be imported here"):
        checked({"grid": {"mixer": ["evil:mixer"]}}, trust=frozenset({"evil:mixer"}))


def test_a_longer_random_search_has_the_same_first_draws():
    space = {"lr": {"log_uniform": [1e-4, 1e-2]}, "hidden_dim": {"log_integer": [8, 64]}, "mixer": ["qmix", "vdn"]}
    short, long = (read_plan({**TINY, "random": {"trials": n, "space": space}}).settings() for n in (3, 6))
    assert long[:3] == short
    assert len({setting["lr"] for setting in long}) == 6
    assert all(1e-4 <= each["lr"] <= 1e-2 and 8 <= each["hidden_dim"] <= 64 for each in long)
    (run,) = plan_runs(Plan({"env": "matrix"}, "climb"), [long[0]])
    assert run.name.startswith(f"matrix,lr={long[0]['lr']},")


def test_names_are_distinct_and_short():
    payoffs = [[[1, 2], [3, n]] for n in (0, 4)] + [[[0, n] * 10 for n in range(20)]]
    runs = checked({"grid": {"payoff": payoffs}})
    assert len({run.name for run in runs}) == 3
    assert max(len(run.name) for run in runs) < 120


def test_shares_of_the_run_in_a_grid_and_in_a_search():
    grid = read_grid(["eps-steps=20%,40%,20", "total-steps=1e3,2e3"])
    runs = checked({"total_steps": 300, "grid": {"eps_steps": grid["eps_steps"]}})
    assert [run.config.eps_steps for run in runs] == grid["eps_steps"] == ["20%", "40%", 20]
    assert len({run.name for run in runs}) == 3
    plan = Plan({"env": "lbf"}, "lbf-fast", grid={name: tuple(values) for name, values in grid.items()})
    configs = [run.config for run in plan_runs(plan, plan.settings())]
    assert [config.in_steps(config.eps_steps) for config in configs] == [200, 400, 400, 800, 20, 20]
    checked(searched("random", eps_steps=["20%", "40%"]))
    with pytest.raises(ConfigError, match=r"got '400%' \(where eps_steps=400%\)"):
        checked({"grid": {"eps_steps": ["400%"]}})


def test_drawn_numbers_are_those_of_the_name():
    log = read_distribution("lr", {"log_uniform": [1e-4, 1e-2]})
    assert log.from_optuna(0.00123456789) == 0.001235
    assert read_distribution("n", {"integer": [1, 3]}).from_optuna(2) == 2
    assert read_distribution("mixer", ["qmix", "vdn"]).from_optuna(1) == "vdn"


def test_options_from_the_command_line():
    given = [
        "--env=lbf",
        "--loggers",
        "wandb",
        "mlflow",
        "--lr",
        "1e-3",
        "--eps-steps",
        "2.5%",
        "--no-double-q",
        "--agent-id",
        "--mixer_args",
        '{"a": [1]}',
    ]
    expected = {
        "env": "lbf",
        "loggers": ("wandb", "mlflow"),
        "lr": 1e-3,
        "eps_steps": "2.5%",
        "double_q": False,
        "agent_id": True,
        "mixer_args": {"a": [1]},
    }
    assert read_arguments(given) == expected
    assert read_arguments(as_arguments(expected, type(Config()))) == expected
    assert read_grid(["mixer=qmix,vdn", "double-q=true,false", "payoff=[[1]],[[2]]"]) == {
        "mixer": ["qmix", "vdn"],
        "double_q": [True, False],
        "payoff": [[[1]], [[2]]],
    }
    for wrong in (["--lr"], ["lr"], ["--lrr", "1"]):
        with pytest.raises(ConfigError):
            read_arguments(wrong)
    for wrong in ("mixer", "mixr=1", "payoff=[["):
        with pytest.raises(ConfigError):
            read_grid([wrong])

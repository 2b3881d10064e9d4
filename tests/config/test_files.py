"""Options from a file: by --config, and as --print-config writes them."""

import json
import sys
from contextlib import suppress

import pytest

from pyqmix import Config, from_preset
from pyqmix.base.options import option_names
from pyqmix.cli import train
from pyqmix.config import PRESETS
from pyqmix.config.files import read_config


@pytest.fixture
def effective(monkeypatch, capsys, tmp_path):
    """Return the options that a command line means, by --print-config; or its one line of error."""
    monkeypatch.chdir(tmp_path)

    def print_config(*arguments, trust=False):
        monkeypatch.setattr(sys, "argv", ["pyqmix-train", *map(str, arguments), "--print-config"])
        with suppress(SystemExit):
            train.main()
        out, err = capsys.readouterr()
        assert not (tmp_path / "runs").exists()
        if err:
            (line,) = err.splitlines()
            return line.removeprefix("pyqmix-train: error: ")
        (tmp_path / "printed.yaml").write_text(out)
        return Config(**read_config(tmp_path / "printed.yaml", trust=trust))

    return print_config


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_read_back_exactly(effective, preset):
    printed = effective("--preset", preset, *(["--env", "two_step"] if preset == "none" else []))
    assert printed == from_preset(preset, **({"env": "two_step"} if preset == "none" else {}))


def test_what_is_printed_is_read_back_by_the_command(effective, tmp_path):
    printed = effective("--preset", "lbf", "--env-args", '{"penalty": 1e-7}', "--lr-end", "1e-05")
    assert effective("--config", "printed.yaml") == printed


def test_command_line_over_file_over_preset(effective, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "preset: lbf-fast\ntotal-steps: 2e4\nlr: 2e-3\nseed: 1_0\nloss: episodes\n"
    )
    config = effective("--config", "mine.yaml", "--lr", "0.001")
    given = {"total_steps": 20_000, "seed": 10, "loss": "episodes", "lr": 0.001}
    assert config == from_preset("lbf-fast", **given)
    assert config.in_steps(config.eps_steps) == 8_000
    assert effective("--config", "mine.yaml", "--preset", "lbf", "--lr", "0.001") == from_preset("lbf", **given)


def test_shares_of_the_run(effective, tmp_path):
    (tmp_path / "mine.yaml").write_text("total-steps: 2e4\neval_every: 2e3\nlog_every: 2.5%\neps-steps: '40%'\n")
    config = effective("--config", "mine.yaml", "--eps-steps", "5%", "--per-beta-steps=None")
    assert (config.eval_every, config.log_every) == (2_000, "2.5%")
    assert (config.eps_steps, config.per_beta_steps) == ("5%", None)
    assert effective("--config", "mine.yaml").eps_steps == "40%"
    assert effective("--config", "printed.yaml").eps_steps == "40%"
    assert effective("--config", "mine.yaml", "--eps-steps", "40 %").endswith("as 40%, got '40 %'")


def test_an_alternative_on_the_command_line_replaces_the_files(effective, tmp_path):
    (tmp_path / "mine.yaml").write_text("updates_per_episode: 0.5\n")
    config = effective("--config", "mine.yaml", "--episodes-per-update", 8)
    assert (config.updates_per_episode, config.episodes_per_update) == (None, 8)


def test_options_of_a_run_without_its_folder(effective, tmp_path):
    saved = Config(env="two_step", seed=7, lr=0.1, run_dir=str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(saved.to_json())
    assert effective("--config", "run/config.json") == saved.replace(run_dir=None)
    assert effective("--config", "run/config.json", "--run-dir", "b") == saved.replace(run_dir="b")


def test_a_link_and_a_home_folder_are_followed(effective, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("env: two_step\nrun_dir: ~/runs-of-mine\n")
    (tmp_path / "link.yaml").symlink_to("mine.yaml")
    assert effective("--config", "~/link.yaml").run_dir == f"{tmp_path}/runs-of-mine"
    assert effective("--run-dir=~/x").run_dir == Config(run_dir="~/x").run_dir == f"{tmp_path}/x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("totl_steps: 3", "mine.yaml: unknown option 'totl_steps'; did you mean total_steps"),
        ("presett: lbf", "did you mean preset"),
        ("3: x", "mine.yaml: unknown option '3'"),
        ("env: matrix\npositions: both", "mine.yaml: positions: matrix has no such option, got 'both'"),
        ("lr: fast", "mine.yaml: lr: expected a finite number, got 'fast'"),
        ("seed: 1.5", "mine.yaml: seed: expected an integer of at least 0, got '1.5'"),
        ("seed: true", "mine.yaml: seed: expected an integer"),
        ("eps_steps: 1.5", "mine.yaml: eps_steps: expected an integer of at least 1, or a share of the run"),
        ("eval_every: 140%", "at most 100%, as 40%, got '140%'"),
        ("overlap: 3", "mine.yaml: overlap: expected true or false, got 3"),
        ("mixer: [qmix]", "mine.yaml: mixer: expected one of qmix"),
        ("env: lfb", "mine.yaml: env: expected one of lbf"),
        ("preset: lbff", "mine.yaml: preset: expected one of none, lbf"),
        ("preset: [lbf]", "mine.yaml: preset: expected one of none, lbf"),
        ("lr: 1\nlr: 2", "mine.yaml, line 2: expected options, but the key 'lr' occurs twice"),
        ("total_steps: 1\ntotal-steps: 2", "mine.yaml: the option total_steps occurs twice"),
        ("", "mine.yaml: expected options, such as a line 'lr: 0.001', got an empty file"),
        ("- lr", "mine.yaml: expected options, such as a line 'lr: 0.001', got a list"),
        ("env_args: {a: os.path}", "mine.yaml: its env_args has 'os.path', which can name a module"),
        ("gamma: 7", "mine.yaml: gamma: expected a number from 0 to 1, got 7"),
        ("n_step: 3\ntd_lambda: 0.5", "--n-step: expected 1 where td_lambda is above 0"),
    ],
)
def test_refused(effective, tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    assert words in effective("--config", "mine.yaml")


def test_refused_files(effective, tmp_path):
    (tmp_path / "mine.json").write_text("[1]")
    assert "mine.json: expected the options of a run, got list" in effective("--config", "mine.json")
    assert effective("--config", ".").startswith(".: expected options in a regular file, got a folder")
    assert effective("--config", "nowhere").startswith("nowhere: expected options, but No such file")
    assert effective("--config", "mine.json", "--resume", "x") == "--config: a resumed run keeps its options"
    assert effective("--trust") == "--trust: expected --resume RUN_DIR or --config FILE with it"


@pytest.mark.parametrize("name", ["mine.yaml", "mine.json"])
def test_a_name_in_a_file_imports_nothing_without_trust(effective, tmp_path, monkeypatch, name):
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = f"planted_{name[5:]}"
    (tmp_path / f"{module}.py").write_text("open('imported', 'w').close()\ndef make(): pass\ndef mix(): pass\n")
    env, mixer = f"{module}:make", f"{module}:mix"
    (tmp_path / name).write_text(json.dumps({"env": env, "mixer": mixer}))
    assert f"' would import {module}: pass --trust" in effective("--config", name)
    assert effective("--config", name, "--env", env).startswith(f"{name}: its mixer '{mixer}' would import")
    assert not (tmp_path / "imported").exists()
    config = effective("--config", name, "--trust", trust=True)
    assert (config.env, config.mixer) == (env, mixer)
    assert effective("--config", name, "--env", env, "--mixer", mixer, trust=True) == config
    assert (tmp_path / "imported").exists()


def test_a_config_shows_what_differs_from_the_defaults():
    assert repr(Config(env="lbf")) == "Config(env='lbf')"
    config = from_preset("lbf", seed=3)
    assert eval(repr(config)) == config
    assert len(repr(config)) < 500


def test_help_describes_every_option():
    for kind in (Config, type(Config(env="lbf"))):
        assert kind.__doc__.index("from_preset") < kind.__doc__.index("Attributes:")
        assert all(f"\n    {name}: " in kind.__doc__ for name in option_names(kind))

"""``pyqmix-export`` and ``pyqmix-import``: one line for a mistake, files for the rest."""

import sys
from types import SimpleNamespace

import plain_pymarl
import pytest
import torch

from pyqmix.cli import export, import_model

LBF = {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3"}


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(command, *arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        try:
            code = command.main()
        except SystemExit as stop:
            code = stop.code
        return SimpleNamespace(code=code or 0, **capsys.readouterr()._asdict())

    return run


@pytest.fixture
def model(tmp_path):
    """A model of EPyMARL: two recurrent agents that see their ids, and a QMIX mixer."""
    folder = tmp_path / "models" / "run" / "3000"
    plain_pymarl.save(folder, plain_pymarl.RNNAgent(9 + 2, 8, 6), plain_pymarl.QMixer(2, 18, 4, 8))
    return folder.parent


def test_an_imported_model_says_how_to_go_on(call, model, tmp_path):
    told = call(import_model, model, "run", "--env", "lbf", "--task", LBF["task"])
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "run",
        "  networks  agent=gru hidden_dim=8 share_parameters=True agent_id=True last_action=False mixer=qmix",
        "  evaluate  pyqmix-eval run",
        "  train on  pyqmix-train --config run/config.json --init-from run",
    ]
    told = call(export, "run", "--format", "pymarl", "--out", "again")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "again/3000",
        "  files      agent.th, mixer.th, opt.th",
        "  EPyMARL    checkpoint_path=again agent=rnn mac=basic_mac use_rnn=True hidden_dim=8 obs_agent_id=True "
        "obs_last_action=False mixer=qmix mixing_embed_dim=4 hypernet_layers=2 hypernet_embed=8",
    ]
    before, after = (torch.load(each / "3000" / "agent.th") for each in (model, tmp_path / "again"))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_is_left_out_is_named_on_stderr(call, stored_run):
    folder, _ = stored_run(**LBF, mixer="qplex")
    told = call(export, folder, "--format", "pymarl")
    assert told.out.startswith("pymarl/10\n  files      agent.th, opt.th\n")
    assert told.err == "pyqmix-export: no mixer.th: PyMARL has no mixer qplex\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--env", "lbv"], "--env: expected one of lbf, "),
        (["--env=lbf", "--task", "nothing"], "--task: expected Foraging"),
        (["--task", "Foraging-6x6-3p-1f-v3"], "expected inputs of 12 numbers"),
        (
            ["--task", LBF["task"], "--last-action"],
            "expected inputs of 9 numbers of the environment's observation, 6 of",
        ),
        (["--env", "two_step"], "fc2.weight: expected (2, 8) for this environment, got (6, 8)"),
        (["--payoff", "3"], "unknown option '--payoff'"),
        (["--env", "gone_module:Env"], "--env: cannot import 'gone_module:Env'"),
    ],
)
def test_an_import_that_does_not_fit_is_one_line(call, model, tmp_path, arguments, line):
    told = call(import_model, model, "run", *arguments)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert line in told.err
    assert not (tmp_path / "run").exists()


def test_no_argument_is_one_line(call):
    for command in (export, import_model):
        told = call(command)
        assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "pickle"], "--format: expected one of torch, onnx, pymarl, got 'pickle'"),
        (["--out", "policy.onnx"], "--out: expected the name of a .pt2 file in a folder that exists"),
        (["--format", "pymarl", "--no-mask"], "--mask: expected it with format torch or onnx"),
        (["--checkpoint", "7"], "checkpoint: expected one of newest, best, 10"),
        (["--agent", "mine:Agent"], "agent: expected that of the run, 'mlp', got 'mine:Agent'"),
    ],
)
def test_an_export_that_cannot_be_is_one_line(call, stored_run, tmp_path, arguments, line):
    folder, _ = stored_run(env="two_step")
    told = call(export, folder, *arguments)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert line in told.err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_the_options_of_the_environment(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = call(import_model, "--env", "matrix", "--help").out
    assert told.startswith("usage: pyqmix-import [OPTIONS] MODEL_DIR RUN_DIR\n")
    assert "--payoff JSON" in told
    assert "Default: as the number of the model's inputs tells." in " ".join(told.split())
    assert "--action-mask" not in told
    assert all(len(line) <= 80 for line in told.splitlines())


@pytest.mark.slow
def test_a_policy_is_described_in_four_lines(call, stored_run):
    folder, _ = stored_run(**LBF, agent="gru")
    told = call(export, folder, "--no-mask")
    assert (told.code, told.err) == (0, "")
    path, inputs, outputs, checked = told.out.splitlines()
    assert path == "policy.pt2"
    assert inputs == "  inputs     obs (batch, 2, 9), hidden (batch, 2, 8)"
    assert outputs == "  outputs    q_values (batch, 2, 6), actions (batch, 2), next_hidden (batch, 2, 8)"
    assert checked.startswith("  checked on 1,024 observations: values of up to ")
    assert checked.endswith(", all greedy actions equal")

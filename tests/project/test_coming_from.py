"""Options that pages name exist; the table of EPyMARL's names is whole, and agrees with the preset."""

import re

import pytest
import yaml
from doc_pages import PAGES, ROOT

from pyqmix import from_preset
from pyqmix.base.command_line import dashed
from pyqmix.base.options import option_names
from pyqmix.cli import evaluate, export, import_model, plot, runs, sweep, train_options
from pyqmix.config.options import RunOptions
from pyqmix.envs import FAMILIES

# Names and values of EPyMARL's src/config/default.yaml; those of src/config/algs/qmix.yaml override them.
DEFAULT = """
runner: episode
mac: basic_mac
env: sc2
common_reward: True
reward_scalarisation: sum
env_args: {}
batch_size_run: 1
test_nepisode: 20
test_interval: 2000
test_greedy: True
log_interval: 2000
runner_log_interval: 2000
learner_log_interval: 2000
t_max: 10000
use_cuda: True
buffer_cpu_only: True
use_tensorboard: False
use_wandb: False
wandb_team: null
wandb_project: null
wandb_mode: offline
wandb_save_model: False
save_model: False
save_model_interval: 50000
checkpoint_path: ""
evaluate: False
render: False
load_step: 0
save_replay: False
local_results_path: results
gamma: 0.99
batch_size: 32
buffer_size: 32
lr: 0.0005
optim_alpha: 0.99
optim_eps: 0.00001
grad_norm_clip: 10
add_value_last_step: True
agent: rnn
hidden_dim: 64
obs_agent_id: True
obs_last_action: True
repeat_id: 1
label: default_label
hypergroup: null
"""
QMIX = """
action_selector: epsilon_greedy
epsilon_start: 1.0
epsilon_finish: 0.05
epsilon_anneal_time: 50000
evaluation_epsilon: 0.0
runner: episode
buffer_size: 5000
target_update_interval_or_tau: 200
obs_agent_id: True
obs_last_action: False
obs_individual_obs: False
standardise_returns: False
standardise_rewards: True
agent_output_type: q
learner: q_learner
double_q: True
mixer: qmix
use_rnn: False
mixing_embed_dim: 32
hypernet_layers: 2
hypernet_embed: 64
name: qmix
"""
EPYMARL = {**yaml.safe_load(DEFAULT), **yaml.safe_load(QMIX)}
# Options whose values in the preset must be EPyMARL's; where they are written in another way, how.
AGREE = {
    **{"batch_size_run": "num_envs", "gamma": "gamma", "batch_size": "batch_size", "buffer_size": "buffer_size"},
    **{"lr": "lr", "grad_norm_clip": "grad_clip", "hidden_dim": "hidden_dim", "obs_agent_id": "agent_id"},
    **{"obs_last_action": "last_action", "epsilon_start": "eps_start", "epsilon_finish": "eps_end"},
    **{"epsilon_anneal_time": "eps_steps", "target_update_interval_or_tau": "target_update"},
    **{"standardise_rewards": "standardise_rewards", "double_q": "double_q", "mixer": "mixer", "use_rnn": "agent"},
    **{"mixing_embed_dim": "embed_dim", "hypernet_layers": "hypernet_layers", "hypernet_embed": "hypernet_dim"},
    **{"reward_scalarisation": "team_reward", "mac": "share_parameters"},
}
WRITTEN = {("standardise_rewards", True): "padded", ("use_rnn", False): "mlp", ("mac", "basic_mac"): True}
# Options of other programs, which pages name too.
FOREIGN = {"env-config", "nproc-per-node", "max-restarts", "no-build-isolation", "signal", "xla"}
FOREIGN |= {"battles", "rollouts"}  # of programs in benchmarks/

PAGE = ROOT / "docs" / "coming_from_epymarl.md"
ROWS = re.findall(r"^\| `(\w+)` \| `([^`]*)` \| (\S+) \|(.*)\|$", PAGE.read_text(), re.MULTILINE)


def known_options():
    """Return every option that a command of pyqmix has, as it is typed."""
    classes = [RunOptions, *(FAMILIES[name].options for name in FAMILIES.names if ":" not in name)]
    commands = (evaluate, export, import_model, plot, runs, sweep)
    classes += [train_options.OwnOptions, *(command.Options for command in commands)]
    names = {name for each in classes for name in option_names(each)}
    return {dashed(name) for name in names} | {dashed(f"no_{name}") for name in names}


def test_the_table_has_every_name_of_epymarl_once():
    assert sorted(row[0] for row in ROWS) == sorted(EPYMARL)


def test_the_table_has_epymarls_values():
    for name, value, _, _ in ROWS:
        written = EPYMARL[name] if EPYMARL[name] != "" else '""'
        assert value == str(written), name


def test_names_without_an_option_say_why():
    for name, _, option, remark in ROWS:
        assert option != "–" or remark.strip(), name


@pytest.mark.parametrize("name", AGREE)
def test_the_preset_agrees_with_epymarl(name):
    (option,) = (row[2] for row in ROWS if row[0] == name)
    assert option == f"`{dashed(AGREE[name])}`"
    expected = WRITTEN.get((name, EPYMARL[name]), EPYMARL[name])
    assert getattr(from_preset("epymarl"), AGREE[name]) == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_option_that_a_page_names_exists(page):
    prose = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    assert named - known_options() <= {f"--{name}" for name in FOREIGN}

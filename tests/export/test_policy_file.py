"""Exported policies compute what pyqmix's own actor computes, without pyqmix, and say what they are."""

import io
import json
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pyqmix import Config, ConfigError, load_policy, make_env
from pyqmix.export import export_policy, onnx_file, policy_file, torch_file
from pyqmix.export.check import compare
from pyqmix.nn import AGENTS
from pyqmix.play.actor import NativeActor, create_actor
from pyqmix.run.stored_agent import read_agent

LBF = {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3"}
NETWORKS = [(kind, shared) for kind in ("mlp", "gru") for shared in (True, False)]
FORMATS = ("torch", "onnx")


@pytest.fixture
def export(tmp_path):
    """Export a run's policy; return what was written, and what the file computes."""

    def run(folder, format="torch", **options):
        if format == "onnx":
            pytest.importorskip("onnxruntime")
            pytest.importorskip("onnxscript")
        made = export_policy(folder, tmp_path / f"policy{policy_file.SUFFIXES[format]}", format, **options)
        runner = (torch_file if format == "torch" else onnx_file).runner(made.path.read_bytes())
        return SimpleNamespace(**vars(made), run=runner)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("kind", "shared"), NETWORKS)
def test_values_and_actions_of_100_000_observations_are_the_native_actors(
    stored_run, export, kind, shared, format, record_property
):
    folder, _ = stored_run(**LBF, agent=kind, share_parameters=shared, scale_inputs=True, last_action=True)
    exported, found = export(folder, format), read_agent(folder)
    assert isinstance(create_actor(found.network, found.spec), NativeActor)
    difference = compare(exported.run, found.network, found.spec, mask=True, episodes=1_000, steps=50)
    record_property("difference", str(difference))
    print(f"{format} {kind} {'shared' if shared else 'separate'}: {difference}")
    assert difference.observations == 100_000
    assert difference.largest > 1
    assert difference.values < 1e-5 * difference.largest
    assert difference.actions <= 2  # where two values are equal but for rounding
    assert difference.regret <= 2 * difference.values


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("last_action", [False, True])
def test_a_policy_plays_episodes_as_load_policy_does(stored_run, export, format, last_action):
    folder, _ = stored_run(**LBF, agent="gru", last_action=last_action, scale_inputs=True)
    policy, exported = load_policy(folder), export(folder, format)
    parts = exported.description["inputs"]["obs"]["columns"]
    assert parts == {"observation": [0, 9], **({"last_action": [9, 15]} if last_action else {})}
    env, taken = make_env(**{"name": LBF["env"], "task": LBF["task"], "last_action": last_action}), []
    for seed in range(3):
        point, hidden, ended = env.reset(seed), torch.zeros(1, 2, 8), False
        policy.reset()
        while not ended:
            inputs = {"obs": torch.from_numpy(point.obs)[None], "avail": torch.from_numpy(point.avail)[None]}
            outputs = exported.run({**inputs, "hidden": hidden})
            hidden, actions = outputs["next_hidden"], outputs["actions"][0].numpy()
            assert actions.tolist() == policy.act(point.obs, point.avail).tolist()
            taken.append(tuple(actions))
            step = env.step(actions)
            point, ended = step.point, step.terminated or step.truncated
    assert len(set(taken)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_any_number_of_episodes_and_the_mask(stored_run, export, format):
    folder, _ = stored_run(**LBF, agent="mlp")
    exported = export(folder, format)
    obs = torch.randn(7, 2, 9)
    together = exported.run({"obs": obs, "avail": torch.ones(7, 2, 6, dtype=torch.bool)})
    assert together["actions"].tolist() == together["q_values"].argmax(-1).tolist()
    alone = exported.run({"obs": obs[:1], "avail": torch.ones(1, 2, 6, dtype=torch.bool)})
    torch.testing.assert_close(alone["q_values"], together["q_values"][:1], atol=1e-6, rtol=1e-6)
    none = exported.run({"obs": obs, "avail": torch.zeros(7, 2, 6, dtype=torch.bool)})
    assert not none["actions"].any()
    only = torch.zeros(7, 2, 6, dtype=torch.bool)
    only[..., 4] = True
    assert (exported.run({"obs": obs, "avail": only})["actions"] == 4).all()
    unmasked = export(folder, format, mask=False)
    assert list(unmasked.description["inputs"]) == ["obs"]
    assert torch.equal(unmasked.run({"obs": obs})["actions"], together["actions"])


LOADING = """
import sys
sys.modules["pyqmix"] = None  # it cannot be imported
import json, warnings
warnings.simplefilter("error")
import torch
texts = {"pyqmix.json": ""}
policy = torch.export.load(sys.argv[1], extra_files=texts).module()
shapes = {name: each["shape"][1:] for name, each in json.loads(texts["pyqmix.json"])["inputs"].items()}
avail = torch.ones(3, *shapes["avail"], dtype=torch.bool)
outputs = policy(obs=torch.ones(3, *shapes["obs"]), avail=avail, hidden=torch.zeros(3, *shapes["hidden"]))
print(outputs["q_values"].tolist())
"""


@pytest.mark.slow
def test_torch_loads_the_file_without_pyqmix_and_it_names_no_path(stored_run, export, tmp_path):
    folder, learner = stored_run(**LBF, agent="gru")
    exported = export(folder)
    arguments = [sys.executable, "-c", LOADING, exported.path]
    ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    values = torch.tensor(json.loads(ended.stdout))
    expected, _ = learner.agent.act(torch.ones(3, 2, 9), torch.zeros(3, 2, 8))
    torch.testing.assert_close(values, expected.detach(), atol=1e-6, rtol=1e-6)
    with zipfile.ZipFile(exported.path) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith("pyqmix.json"))
    assert b"pyqmix" not in content
    assert b"site-packages" not in content


@pytest.mark.slow
def test_an_onnx_file_names_its_arrays_and_no_path(stored_run, export):
    folder, _ = stored_run(**LBF, agent="gru", share_parameters=False)
    exported = export(folder, "onnx")
    import onnx

    model = onnx.load(io.BytesIO(exported.path.read_bytes()))
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", onnx_file.OPSET)]
    for kind, arrays in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        found = {
            each.name: [dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim]
            for each in arrays
        }
        assert found == {name: each["shape"] for name, each in exported.description[kind].items()}
    (entry,) = model.metadata_props
    assert (entry.key, json.loads(entry.value)) == ("pyqmix", json.loads(json.dumps(exported.description)))
    assert b"/pyqmix/" not in exported.path.read_bytes()


@pytest.mark.slow
def test_a_file_says_what_it_is(stored_run, export):
    folder, _ = stored_run(**LBF, agent="gru", last_action=True, scale_inputs=True, steps=70)
    description = export(folder).description
    array = {"dtype": "float32", "shape": ["batch", 2, 6]}
    expected = {
        "env": "lbf",
        "task": LBF["task"],
        "checkpoint_steps": 70,
        "n_agents": 2,
        "n_actions": 6,
        "action_names": ["none", "north", "south", "west", "east", "load"],
        "outputs": {
            "q_values": array,
            "actions": {"dtype": "int64", "shape": ["batch", 2]},
            "next_hidden": {"dtype": "float32", "shape": ["batch", 2, 8]},
        },
    }
    assert {name: description[name] for name in expected} == expected
    assert description["inputs"]["avail"] == {"dtype": "bool", "shape": ["batch", 2, 6]}
    assert description["inputs"]["hidden"] == {"dtype": "float32", "shape": ["batch", 2, 8], "initial": 0.0}
    assert description["options"]["scale_inputs"] is True


class Counting(nn.Module):
    """A user's agent that has a hidden state of its own shape, which begins at 1, 2, 3."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.layer = nn.Linear(obs_dim + 3, n_actions)

    def initial_hidden(self, episodes):
        return torch.tensor([1.0, 2.0, 3.0]).repeat(episodes, 1)

    def forward(self, obs, hidden):
        seen = hidden[:, None].expand(-1, obs.shape[1], -1)
        return self.layer(torch.cat([obs, seen], -1)), hidden * 0.5


class Branching(nn.Module):
    """A user's agent that looks at its observations' values."""

    def __init__(self, obs_dim, n_actions):
        super().__init__()
        self.layer = nn.Linear(obs_dim, n_actions)

    def forward(self, obs, hidden):
        return self.layer(obs if obs.sum() > 0 else -obs), hidden


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_a_users_network_is_exported_with_its_own_hidden_state(stored_run, export, monkeypatch, format):
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS._entries))  # other tests do not see it
    folder, _ = stored_run(env="two_step", agent=Config().with_own(agent=Counting).agent)
    exported = export(folder, format)
    assert exported.description["inputs"]["hidden"]["initial"] == [1.0, 2.0, 3.0]
    assert exported.difference.is_rounding
    given = {"obs": torch.ones(4, 2, 3), "avail": torch.ones(4, 2, 2, dtype=torch.bool)}
    outputs = exported.run({**given, "hidden": torch.tensor([1.0, 2.0, 3.0]).repeat(4, 1)})
    torch.testing.assert_close(
        outputs["q_values"][0], torch.from_numpy(load_policy(folder).q_values(given["obs"][0].numpy()))
    )
    assert outputs["next_hidden"][0].tolist() == [0.5, 1.0, 1.5]


@pytest.mark.slow
def test_a_network_that_torch_cannot_trace_is_one_clear_line(stored_run, tmp_path, monkeypatch):
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS._entries))
    own = Config().with_own(agent=Branching).agent
    folder, _ = stored_run(env="two_step", agent=own)
    with pytest.raises(ConfigError, match=r"^agent .*Branching: torch.export cannot trace it: ") as error:
        export_policy(folder, tmp_path / "policy.pt2")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("wrong_output", ["q_values", "actions"])
def test_a_file_that_computes_something_else_is_not_written(stored_run, tmp_path, monkeypatch, wrong_output):
    folder, _ = stored_run(**LBF)
    known = torch_file.runner

    def wrong(content):
        run = known(content)
        return lambda inputs: {**run(inputs), wrong_output: torch.zeros_like(run(inputs)[wrong_output])}

    monkeypatch.setattr(torch_file, "runner", wrong)
    with pytest.raises(
        ConfigError, match="agent mlp: its exported file computes something else: 1,024 observations"
    ):
        export_policy(folder, tmp_path / "policy.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", onnx_file.PACKAGES)
def test_an_absent_package_is_one_clear_line(stored_run, tmp_path, monkeypatch, missing):
    folder, _ = stored_run(env="two_step")
    for name in onnx_file.PACKAGES[: onnx_file.PACKAGES.index(missing)]:
        monkeypatch.setitem(sys.modules, name, torch)  # which is there
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf"^format: ONNX files need {missing}: pip install 'pyqmix-marl\[onnx\]'$"
    with pytest.raises(ConfigError, match=message):
        export_policy(folder, tmp_path / "policy.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_named_first(stored_run, tmp_path):
    folder, _ = stored_run(env="two_step")
    with pytest.raises(ConfigError, match=r"^format: expected one of torch, onnx, got 'pickle'"):
        export_policy(folder, tmp_path / "policy.pt2", "pickle")
    with pytest.raises(ConfigError, match=r"^out: expected the name of a \.pt2 file"):
        export_policy(folder, tmp_path / "policy.onnx")
    with pytest.raises(ConfigError, match=r"expected the folder of a run"):
        export_policy(tmp_path, tmp_path / "policy.pt2")

"""Models of PyMARL: written and read, they compute what a plain-PyTorch twin of its networks computes."""

import io
import os
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import plain_pymarl
import pytest
import torch
from torch import nn

from pyqmix import Config, ConfigError, load_policy
from pyqmix.export.pymarl import state_dict_file
from pyqmix.export.pymarl.exporting import export_pymarl
from pyqmix.export.pymarl.importing import import_pymarl
from pyqmix.export.pymarl.state_dict_file import read_state_dict
from pyqmix.learn.learner import Learner
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.init_from import init_from
from pyqmix.run.learner_state import load_weights
from pyqmix.run.stored import read_stored

LBF = {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3"}
N, A, OBS, H = 2, 6, 9, 8  # of that task: agents, actions, observation; hidden units
STEPS, WORLDS = 6, 5


def observations(width=OBS):
    return torch.randn(STEPS, WORLDS, N, width, generator=torch.Generator().manual_seed(1))


def values_of_policy(run, obs):
    """The values of a run's policy when the greedy actions are taken."""
    policy, values = load_policy(run), []
    for at_time in obs.numpy():
        values.append(policy.q_values(at_time))
        policy.act(at_time)
    return torch.from_numpy(np.stack(values))


def assert_close(found, expected):
    assert (found - expected).abs().max() <= 1e-6 * max(1.0, float(expected.abs().max()))


def plain_agent(kind, shared, inputs, n_actions=A, n_agents=N):
    if shared:
        return plain_pymarl.RNNAgent(inputs, H, n_actions, use_rnn=kind == "gru")
    return plain_pymarl.RNNNSAgent(n_agents, inputs, H, n_actions, use_rnn=kind == "gru")


def learner_of(run):
    """The networks of a run's newest checkpoint."""
    config = Config.from_json(run / "config.json")
    learner = Learner(config.create_env().spec, config)
    load_weights(read_stored(run), learner)
    return learner


def q_tot_of(learner, agent_qs, states):
    scale = learner.spec.state_scale
    with torch.no_grad():
        return learner.mixer(agent_qs, states if scale is None else states * torch.tensor(scale))


def load(module, path):
    module.load_state_dict(torch.load(path, weights_only=True), strict=True)
    return module


NETWORKS = [(kind, shared) for kind in ("gru", "mlp") for shared in (True, False)]


@pytest.mark.parametrize(("kind", "shared"), NETWORKS)
@pytest.mark.parametrize("last_action", [False, True])
def test_an_exported_agent_computes_the_same_in_pymarl(stored_run, tmp_path, kind, shared, last_action):
    scaled = last_action == shared
    run, _ = stored_run(
        **LBF, agent=kind, share_parameters=shared, last_action=last_action, scale_inputs=scaled, mixer="vdn"
    )
    model = export_pymarl(run, tmp_path / "model")
    assert model.folder == tmp_path / "model" / "10"
    agent = load(plain_agent(kind, shared, OBS + A * last_action + N * shared), model.folder / "agent.th")
    expected = plain_pymarl.play(agent, observations(), A, last_action, agent_id=shared)
    assert_close(values_of_policy(run, observations()), expected)
    assert len(expected.argmax(-1).unique()) > 1
    assert (model.options["use_rnn"], model.options["obs_agent_id"]) == (kind == "gru", shared)
    assert (model.options["agent"], model.options["obs_last_action"]) == (
        "rnn" if shared else "rnn_ns",
        last_action,
    )


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("scaled", [False, True])
def test_an_exported_mixer_computes_the_same_in_pymarl(stored_run, tmp_path, layers, scaled):
    run, learner = stored_run(**LBF, hypernet_layers=layers, scale_inputs=scaled)
    model = export_pymarl(run, tmp_path)
    mixer = plain_pymarl.QMixer(N, N * OBS, 4, hypernet_embed=None if layers == 1 else 8)
    load(mixer, model.folder / "mixer.th")
    agent_qs, states = torch.randn(64, N), torch.rand(64, N * OBS) * 5
    assert_close(q_tot_of(learner, agent_qs, states), mixer(agent_qs, states).detach())
    fitting = {"mixing_embed_dim": 4, "hypernet_layers": layers, **({"hypernet_embed": 8} if layers == 2 else {})}
    assert {name: value for name, value in model.options.items() if "embed" in name or "layers" in name} == fitting


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_an_exported_optimizer_is_a_new_one_of_these_networks(stored_run, tmp_path, optimizer):
    run, _ = stored_run(**LBF, optimizer=optimizer, lr=0.003)
    folder = export_pymarl(run, tmp_path).folder
    agent, mixer = plain_agent("mlp", True, OBS + N), plain_pymarl.QMixer(N, N * OBS, 4, 8)
    parameters = [*agent.parameters(), *mixer.parameters()]
    made = torch.optim.Adam(parameters) if optimizer == "adam" else torch.optim.RMSprop(parameters)
    made.load_state_dict(torch.load(folder / "opt.th", weights_only=True))
    assert made.param_groups[0]["lr"] == 0.003
    assert not made.state
    (agent.step(torch.ones(3, OBS + N), torch.zeros(3, H))[0].sum()).backward()
    made.step()


def test_a_mixer_that_pymarl_lacks_is_left_out_and_named(stored_run, tmp_path):
    run, _ = stored_run(**LBF, mixer="qplex")
    model = export_pymarl(run, tmp_path / "qplex")
    assert model.notes == ("no mixer.th: PyMARL has no mixer qplex",)
    run, _ = stored_run(**LBF, last_action=True)
    model = export_pymarl(run, tmp_path / "codes")
    assert model.notes == ("no mixer.th: the mixer reads last actions in the state, which PyMARL's lacks",)
    assert sorted(path.name for path in model.folder.iterdir()) == ["agent.th", "opt.th"]
    with pytest.raises(ConfigError, match=r"^out: .*/codes/10 exists already"):
        export_pymarl(run, tmp_path / "codes")


@pytest.mark.parametrize(("kind", "shared"), NETWORKS)
@pytest.mark.parametrize(("last_action", "agent_id"), [(True, True), (False, False), (False, True), (True, False)])
def test_an_imported_agent_computes_the_same_here(tmp_path, kind, shared, last_action, agent_id):
    scale = shared and last_action
    agent = plain_agent(kind, shared, OBS + A * last_action + N * agent_id)
    plain_pymarl.save(tmp_path / "model", agent)
    config = import_pymarl(tmp_path / "model", tmp_path / "run", **LBF, scale_inputs=scale)
    assert (config.agent, config.hidden_dim, config.mixer) == (kind, H, "iql")
    assert (config.share_parameters, config.last_action) == (shared, last_action)
    assert not shared or config.agent_id == agent_id
    expected = plain_pymarl.play(agent, observations(), A, last_action, agent_id)
    assert_close(values_of_policy(tmp_path / "run", observations()), expected)
    assert evaluate_run(tmp_path / "run", 4, 0).returns.shape == (4,)


@pytest.mark.parametrize("hypernet", [None, 5])
@pytest.mark.parametrize("last_action", [False, True], ids=["", "last_action"])
@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
def test_an_imported_mixer_computes_the_same_here(tmp_path, hypernet, last_action, scaled):
    """The state of concatenated observations has last actions here, and none in PyMARL: they do not matter."""
    agent, mixer = (
        plain_agent("gru", True, OBS + A * last_action + N),
        plain_pymarl.QMixer(N, N * OBS, 3, hypernet),
    )
    plain_pymarl.save(tmp_path / "model", agent, mixer)
    config = import_pymarl(tmp_path / "model", tmp_path / "run", **LBF, scale_inputs=scaled)
    assert (config.mixer, config.embed_dim, config.hypernet_layers) == ("qmix", 3, 1 if hypernet is None else 2)
    learner = learner_of(tmp_path / "run")
    agent_qs, obs = torch.randn(64, N), torch.rand(64, N, OBS) * 5
    here = torch.cat([obs, torch.rand(64, N, A)], -1) if last_action else obs
    assert_close(q_tot_of(learner, agent_qs, here.flatten(1)), mixer(agent_qs, obs.flatten(1)).detach())
    for online, target in ((learner.agent, learner.target_agent), (learner.mixer, learner.target_mixer)):
        pairs = zip(online.parameters(), target.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_what_is_imported_and_exported_again_is_the_same_model(tmp_path):
    agent, mixer = plain_agent("gru", True, OBS + A + N), plain_pymarl.QMixer(N, N * OBS, 3, 5)
    plain_pymarl.save(tmp_path / "model" / "20500", agent, mixer)
    import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    model = export_pymarl(tmp_path / "run", tmp_path / "again")
    assert (model.folder.name, model.notes) == ("20500", ())
    for name, module in (("agent.th", agent), ("mixer.th", mixer)):
        found = torch.load(model.folder / name, weights_only=True)
        assert found.keys() == module.state_dict().keys()
        assert all(torch.equal(found[key], value) for key, value in module.state_dict().items()), name


def test_vdn_has_a_mixer_without_parameters(tmp_path, stored_run):
    plain_pymarl.save(tmp_path / "model", plain_agent("mlp", True, OBS + N), nn.Module())
    assert import_pymarl(tmp_path / "model", tmp_path / "run", **LBF).mixer == "vdn"
    folder = export_pymarl(tmp_path / "run", tmp_path / "again").folder
    assert torch.load(folder / "mixer.th", weights_only=True) == {}
    run, _ = stored_run(**LBF, mixer="iql")
    assert not (export_pymarl(run, tmp_path / "iql").folder / "mixer.th").exists()


def test_training_starts_from_an_imported_model(tmp_path):
    agent, mixer = plain_agent("gru", True, OBS + A + N), plain_pymarl.QMixer(N, N * OBS, 3, 5)
    plain_pymarl.save(tmp_path / "model", agent, mixer)
    config = import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    learner = Learner(config.create_env().spec, config.replace(seed=3))
    assert init_from(learner, tmp_path / "run").endswith("agent: 8 of 8; mixer: 14 of 14")
    assert torch.equal(learner.agent.fc2.bias, agent.fc2.bias)


def test_the_last_folder_of_steps_is_taken(tmp_path):
    for steps in (9, 100, 20):
        plain_pymarl.save(tmp_path / "model" / str(steps), plain_agent("mlp", True, OBS + N))
    (tmp_path / "model" / "500").mkdir()
    import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step_100"]


def test_inputs_that_can_mean_two_things_need_a_word(tmp_path):
    agent = plain_agent("mlp", True, 3 + 2, n_actions=2)  # of two_step: three numbers, two actions, two agents
    plain_pymarl.save(tmp_path / "model", agent)
    with pytest.raises(
        ConfigError, match=r"^last_action: expected true or false, because the 5 inputs of .* are 3 of"
    ):
        import_pymarl(tmp_path / "model", tmp_path / "run", "two_step")
    for last_action in (False, True):
        run = tmp_path / f"run{last_action}"
        config = import_pymarl(tmp_path / "model", run, "two_step", last_action=last_action)
        assert (config.last_action, config.agent_id) == (last_action, not last_action)
        obs = observations(3)
        expected = plain_pymarl.play(agent, obs, 2, last_action, not last_action)
        assert_close(values_of_policy(run, obs), expected)


def changed(**changes):
    state = plain_agent("gru", True, OBS + N).state_dict()
    for name, value in changes.items():
        key = name.replace("__", ".")
        if value is None:
            del state[key]
        else:
            state[key] = value
    return state


BAD_AGENTS = {
    "a key too few": (
        changed(fc2__bias=None),
        "agent.th: expected the parameters fc1, rnn and fc2 of an RNNAgent",
    ),
    "a key too many": (
        changed(fc3__bias=torch.zeros(3)),
        "expected the parameters .*, got fc1.weight, fc1.bias, ",
    ),
    "actions": (
        plain_agent("gru", True, OBS + N, n_actions=5).state_dict(),
        r"fc2.weight: expected \(6, 8\) for this",
    ),
    "inputs": (
        plain_agent("gru", True, OBS + 3).state_dict(),
        "expected inputs of 9 numbers .* perhaps 6 .*, got 12",
    ),
    "agents": (
        plain_agent("gru", False, OBS, n_agents=3).state_dict(),
        r"expected \(2, 8, 9\) for this .*, got \(3,",
    ),
    "shape": (changed(rnn__weight_hh=torch.zeros(8, 8)), r"rnn.weight_hh: expected \(24, 8\) .*, got \(8, 8\)"),
    "scalar": (changed(fc1__weight=torch.zeros(())), r"fc1.weight: expected \(1, 1\) .*, got \(\)"),
    "empty": (changed(fc1__weight=torch.zeros(0, 11)), r"fc1.bias: expected \(0,\) .*, got \(8,\)"),
    "integers": (
        changed(fc1__bias=torch.zeros(8, dtype=torch.int64)),
        "fc1.bias: expected a dense tensor of floats",
    ),
    "sparse": (
        changed(fc1__bias=torch.zeros(8).to_sparse()),
        "fc1.bias: expected a dense tensor of floats, got torch",
    ),
    "meta": (changed(fc1__bias=torch.zeros(8, device="meta")), "fc1.bias: expected a dense tensor of floats"),
    "NaN": (changed(fc1__bias=torch.full((8,), torch.nan)), "fc1.bias has values that are not finite"),
    "a number": (changed(fc1__bias=3), "fc1.bias: expected a tensor, got a int"),
    "huge": (
        changed(fc1__weight=torch.zeros(1).expand(10**6, 10**6)),
        "fc1.weight: expected tensors that the file's",
    ),
    "a list": ([torch.zeros(3)], "expected a state_dict of tensors, got a list"),
    "a number for a name": ({1: torch.zeros(3)}, "expected a state_dict of tensors, got a dict"),
    "nothing": ({}, "expected the parameters .*, got none"),
    "a gap": ({"agents.1.fc1.bias": torch.zeros(1)}, r"expected agents 0 to 0, got \[1\]"),
    "unequal agents": (
        {"agents.0.fc1.bias": torch.zeros(1), "agents.1.fc1.bias": torch.zeros(2)},
        r"expected the same parameters of all agents, but agents.1 has others",
    ),
    "one for all and one each": (
        {"agents.0.fc1.bias": torch.zeros(1), "fc1.bias": torch.zeros(2)},
        "expected agents.0.fc1.weight and its like alone, got 'fc1.bias'",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_AGENTS.values(), ids=BAD_AGENTS)
def test_a_file_of_something_else_is_one_clear_line_and_leaves_nothing(tmp_path, content, message):
    (tmp_path / "model").mkdir()
    torch.save(content, tmp_path / "model" / "agent.th")
    with pytest.raises(ConfigError, match=message) as error:
        import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        (
            plain_pymarl.QMixer(N, 17, 3, 5),
            r"mixer.th: hyper_w_1.0.weight: expected \(5, 18\) for .*, got \(5, 17\)",
        ),
        (plain_pymarl.QMixer(3, 18, 3, 5), r"mixer.th: hyper_w_1.2.weight: expected \(6, 5\) .*, got \(9, 5\)"),
        (nn.Linear(2, 2), "expected the parameters hyper_w_1, .* or none for VDN, got weight, bias"),
    ],
)
def test_a_mixer_of_something_else_is_one_clear_line(tmp_path, mixer, message):
    plain_pymarl.save(tmp_path / "model", plain_agent("mlp", True, OBS + N), mixer)
    with pytest.raises(ConfigError, match=message):
        import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class Hostile:
    """Unpickled by an ordinary unpickler, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def as_archive(value):
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def as_older_file(value):
    content = io.BytesIO()
    torch.save(value, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


@pytest.mark.parametrize("write", [as_archive, as_older_file, pickle.dumps])
@pytest.mark.parametrize("inside", [False, True])
def test_code_in_a_file_does_not_run(tmp_path, write, inside):
    proof, path = tmp_path / "executed", tmp_path / "agent.th"
    hostile = Hostile(proof)
    path.write_bytes(write({**changed(), "fc1.bias": hostile} if inside else hostile))
    with pytest.raises(ConfigError, match=r"agent.th: expected a state_dict of tensors, but ") as error:
        read_state_dict(path)
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value)  # no advice to switch the restriction off
    assert not proof.exists()
    pickle.loads(pickle.dumps(hostile)).close()
    assert proof.exists()  # it would have run


def test_older_files_of_torch_are_read(tmp_path):
    (tmp_path / "agent.th").write_bytes(as_older_file(changed()))
    assert {k: v.tolist() for k, v in read_state_dict(tmp_path / "agent.th").items()}.keys() == changed().keys()


def compressed(data):
    """The same archive, with every part compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as read, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as write:
        for entry in read.infolist():
            write.writestr(entry.filename, read.read(entry))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a state_dict of tensors, but it is damaged, or none of torch.save$"),
        (b"not a file of torch", "expected a state_dict of tensors, but it is damaged, or none of torch.save$"),
        (as_archive(changed())[:-100], "expected a state_dict of tensors, but it is damaged, or none"),
        (as_archive(changed())[:300], "expected a state_dict of tensors, but it is damaged, or none"),
        (as_older_file(changed())[:-100], "expected a state_dict of tensors, but it is damaged, or none"),
        (
            compressed(as_archive({"x": torch.zeros(10**6)})),
            "expected a state_dict of tensors that is not compressed",
        ),
        (as_archive(nn.Linear(2, 2)), "but it names torch.nn.modules.linear.Linear, which is no tensor"),
    ],
    ids=["empty", "text", "cut", "cut early", "older, cut", "compressed", "a module"],
)
def test_a_damaged_file_is_one_clear_line(tmp_path, data, message):
    (tmp_path / "agent.th").write_bytes(data)
    with pytest.raises(ConfigError, match=message) as error:
        read_state_dict(tmp_path / "agent.th")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("write", [as_archive, as_older_file])
def test_a_file_with_any_byte_changed_is_read_or_refused(tmp_path, write):
    path, random = tmp_path / "agent.th", np.random.default_rng(0)
    data = np.frombuffer(write(changed()), np.uint8)
    read = 0
    for _ in range(int(os.environ.get("PYQMIX_FUZZ", 60))):
        damaged = data.copy()
        for place in random.integers(len(data), size=random.integers(1, 4)):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged.tobytes())
        with suppress(ConfigError):
            read_state_dict(path)
            read += 1
    assert read > 0


def test_a_file_that_is_too_large_or_a_link_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "agent.th"
    path.write_bytes(as_archive(changed()))
    (tmp_path / "link.th").symlink_to(path)
    with pytest.raises(ConfigError, match=r"link.th: expected a state_dict .*, got a symbolic link"):
        read_state_dict(tmp_path / "link.th")
    monkeypatch.setattr(state_dict_file, "LARGEST", 1000)
    with pytest.raises(ConfigError, match=r"agent.th: expected a state_dict of tensors of at most 1,000 bytes"):
        read_state_dict(path)


def test_folders_that_are_no_model_or_hold_a_run_are_named(tmp_path, stored_run):
    (tmp_path / "model").mkdir()
    with pytest.raises(ConfigError, match=r"model: expected a model's agent.th, or folders named after steps"):
        import_pymarl(tmp_path / "model", tmp_path / "run", **LBF)
    with pytest.raises(ConfigError, match=r"none: expected a model's folder, but it is none"):
        import_pymarl(tmp_path / "none", tmp_path / "run", **LBF)
    plain_pymarl.save(tmp_path / "model", plain_agent("mlp", True, OBS + N))
    run, _ = stored_run(**LBF)
    before = (run / "config.json").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already"):
        import_pymarl(tmp_path / "model", run, **LBF)
    assert (run / "config.json").read_bytes() == before
    with pytest.raises(ConfigError, match="lbf"):
        import_pymarl(tmp_path / "model", tmp_path / "run", "lbv")

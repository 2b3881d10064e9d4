"""Training steps of one shape, as a GPU's graph repeats them; all that can be known without one."""

import copy
import gc
import weakref

import pytest
import torch
from graphs_stand_in import Graphs
from random_episodes import SPEC, make_batch, make_learner
from ring_episodes import SPEC as RING_SPEC
from ring_episodes import make_episode, write
from torch.utils._python_dispatch import TorchDispatchMode

from pyqmix import Config, EpisodeRing, ops
from pyqmix.learn.graph_step import GraphStep, padded_steps
from pyqmix.learn.learner import Learner
from pyqmix.learn.rows import _by_length_anywhere
from pyqmix.learn.step import StepInputs
from pyqmix.nn import agents, qmixer
from pyqmix.ops import late_errors, target
from pyqmix.replay.batch import EpisodeBatch

OPTIONS = [
    {},
    {"agent": "gru", "double_q": True},
    {"mixer": "vdn", "loss": "transitions", "standardise_rewards": "masked"},
    {"mixer": "iql", "agent": "gru", "share_parameters": False, "standardise_rewards": "padded"},
    {"n_step": 3, "optimizer": "rmsprop"},
    {"n_step": 10**9, "mixer": "iql"},
    {"td_lambda": 0.6, "double_q": True},
    {"td_lambda": 1.0, "mixer": "iql"},
    {"batch_transitions": 24, "target_tau": 0.3},
]
BATCHES = [(2, 1), (1, 3, 6), (2,), (6, 6), (1, 4, 3, 2)]


def named(options):
    return "-".join(f"{k}={v}" for k, v in options.items()) or "defaults"


def padded_with(batch, value, steps=6):
    """The batch with padding to ``steps`` that holds a value wherever one fits."""
    longer = make_batch((steps,) * len(batch.lengths))
    for name, tensor in longer.tensors().items():
        if name == "lengths":
            tensor.copy_(batch.lengths)
            continue
        held = getattr(batch, name)
        tensor.fill_(value if tensor.is_floating_point() else 0)
        for episode, length in enumerate(batch.lengths.tolist()):
            width = length + (tensor.shape[1] == steps + 1)
            tensor[episode, :width] = held[episode, :width]
    return longer


class Uncaptured(GraphStep):
    """The steps that a graph would repeat, taken one by one."""

    def take(self, step, inputs):
        return step(inputs)


def static_twin(learner, kind=Uncaptured):
    twin = copy.deepcopy(learner)
    twin.step = kind(twin.networks, twin.config, SPEC, Graphs())
    if learner.config.optimizer == "adam":  # a GPU's is torch's, and reads its learning rate from memory
        lr = torch.tensor(learner.config.lr, dtype=torch.float64)
        twin.optimizer = torch.optim.Adam([twin.flat.block], lr=lr, fused=True)
        twin.optimizer.param_groups[0]["capturable"] = True
    return twin


def assert_same_networks(a, b, **tolerance):
    for x, y in ((a.flat, b.flat), (a.target_flat, b.target_flat)):
        torch.testing.assert_close(x.block, y.block, **tolerance)


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_padding_to_one_shape_changes_nothing_that_is_learned(options):
    learner = make_learner(lr=3e-3, target_update=3, **options)
    twin = static_twin(learner)
    for lengths in BATCHES * 2:
        batch = make_batch(lengths)
        importance = torch.linspace(0.2, 1.0, len(lengths), dtype=torch.float64)
        plain, padded = learner.update(batch, importance), twin.update(padded_with(batch, torch.nan), importance)
        for name, value in vars(plain).items():
            torch.testing.assert_close(getattr(padded, name), value, rtol=1e-9, atol=1e-11, equal_nan=True)
    assert_same_networks(twin, learner, rtol=1e-8, atol=1e-9)
    assert twin.standardiser.state() == pytest.approx(learner.standardiser.state())


class WaitsError(AssertionError):
    """An operation whose result, or its shape, the host must know."""


class NothingWaits(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        indices = args[1] if name.startswith("index") and len(args) > 1 else ()
        by_mask = isinstance(indices, (list, tuple)) and any(
            i is not None and i.dtype == torch.bool for i in indices
        )
        if by_mask or name in (
            "_local_scalar_dense",
            "nonzero",
            "masked_select",
            "equal",
            "_unique2",
            "is_nonzero",
        ):
            raise WaitsError(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def composed(monkeypatch):
    """Networks as they are composed on a GPU, on the CPU."""
    monkeypatch.setattr(agents, "may_fuse", lambda *_: False)
    monkeypatch.setattr(qmixer, "may_fuse", lambda *_: False)
    monkeypatch.setattr(ops, "greedy_next_qs", target._greedy_unwaited)
    monkeypatch.setattr(late_errors, "_noted", {})


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_a_step_of_one_shape_waits_for_nothing(options, composed):
    learner = static_twin(make_learner(**options))
    inputs = learner._inputs(padded_with(make_batch((2, 5)), 0.0), torch.ones(2))
    learner._change_weights(inputs)  # allocates the optimizer's state
    before = learner.flat.block.detach().clone()
    with NothingWaits():
        learner._change_weights(inputs)
    assert not torch.equal(learner.flat.block, before)


def test_the_check_that_nothing_waits_sees_what_does():
    batch = make_batch()
    for waits in (
        lambda: _by_length_anywhere(batch),
        lambda: batch.mask.nonzero(),
        lambda: batch.rewards[batch.mask],
        lambda: batch.lengths.max().item(),
    ):
        with pytest.raises(WaitsError), NothingWaits():
            waits()


def captured_twin(learner):
    twin = static_twin(learner, GraphStep)
    return twin, twin.step.graphs


@pytest.mark.parametrize("options", [o for o in OPTIONS if "optimizer" not in o], ids=named)
def test_replayed_steps_learn_what_ordinary_ones_do(options):
    learner = make_learner(lr=3e-3, target_update=4, **options)
    twin, graphs = captured_twin(learner)
    batches = [make_batch(lengths, seed) for seed, lengths in enumerate([(2, 1), (6, 3), (1, 2), (4, 6)])]
    for update in range(24):
        batch = batches[update % len(batches)]
        importance = torch.tensor([0.3, 1.0], dtype=torch.float64) if update % 3 == 0 else None
        for one in (learner, twin):
            one.set_learning_rate(3e-3 / (1 + update // 5))
        plain, replayed = learner.update(batch, importance), twin.update(batch, importance)
        for name, value in vars(plain).items():
            torch.testing.assert_close(getattr(replayed, name), value, rtol=1e-9, atol=1e-11, equal_nan=True)
    assert_same_networks(twin, learner, rtol=1e-8, atol=1e-9)
    assert graphs.captured == 4  # two lengths, with and without importance
    assert (graphs.plain, graphs.replayed) == (12, 12)


@pytest.mark.parametrize("mixer", ["vdn", "iql"])
def test_a_missing_action_is_named_when_somebody_asks(mixer, composed):
    learner = static_twin(make_learner(mixer=mixer))
    batch = make_batch((4, 3))
    batch.avail[1, 2, 1] = False
    learner._change_weights(learner._inputs(batch))
    with pytest.raises(ops.NoAvailableActionError, match="dim 0 3, agent 1, of an earlier call on the GPU") as e:
        ops.raise_late_errors()
    assert e.value.late
    ops.raise_late_errors()
    assert not learner.networks.is_finite()


def test_what_a_replay_tells_is_the_callers_own():
    twin, _ = captured_twin(make_learner())
    stats = [twin.update(make_batch((3, 2), seed)) for seed in range(6)]
    assert len({float(s.loss) for s in stats}) == 6


def test_a_learner_with_graphs_ends_when_nobody_uses_it():
    twin, _ = captured_twin(make_learner())
    for seed in range(3):  # a stand-in's replay keeps what a graph does not
        twin.update(make_batch((3, 2), seed))
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(twin)
        del twin
        assert gone() is None
    finally:
        gc.enable()


def test_a_loaded_optimizer_is_captured_anew():
    twin, graphs = captured_twin(make_learner())
    for seed in range(5):
        twin.update(make_batch((3, 2), seed))
    before = twin.optimizer.state_dict()["state"]
    twin.load_optimizer_state(copy.deepcopy(before))
    twin.update(make_batch((3, 2), 5))
    assert (graphs.captured, graphs.plain, graphs.replayed) == (1, 4, 2)


def test_batches_are_padded_to_quarters_of_the_limit():
    assert [padded_steps(s, 50) for s in (1, 12, 13, 25, 26, 38, 39, 50)] == [13, 13, 13, 25, 38, 38, 50, 50]
    assert [padded_steps(s, 3) for s in (1, 2, 3)] == [1, 2, 3]
    assert padded_steps(1, 1) == 1
    assert all(
        steps <= padded_steps(steps, limit) <= limit for limit in range(1, 40) for steps in range(1, limit + 1)
    )


def test_the_graph_reads_no_leftover_of_a_longer_batch():
    learner = make_learner()
    twin, _ = captured_twin(learner)
    for lengths in [(6, 6)] * 4 + [(5, 5)]:  # of one padded shape
        batch = make_batch(lengths)
        plain, replayed = learner.update(batch), twin.update(batch)
        torch.testing.assert_close(replayed.loss, plain.loss, rtol=1e-9, atol=1e-11)


def test_inputs_go_to_the_device_whole():
    inputs = StepInputs(make_batch(), torch.ones(2), torch.zeros(3))
    moved = inputs.to(torch.device("meta"))
    assert moved.batch.obs.is_meta
    assert moved.importance.is_meta
    assert moved.draws.is_meta


def test_batches_of_a_ring_are_copied_whole(monkeypatch):
    ring = EpisodeRing(RING_SPEC, 16)
    for seed in range(12):
        write(ring.writer(), make_episode(RING_SPEC, 1 + seed % RING_SPEC.episode_limit, seed))
    learner = Learner(RING_SPEC, Config(hidden_dim=8, lr=1e-3, target_update=3))
    twin = copy.deepcopy(learner)
    graphs = Graphs()
    twin.step = GraphStep(twin.networks, twin.config, RING_SPEC, graphs)
    monkeypatch.setattr(GraphStep, "_gather", None)
    plain, laid_out = ring.sampler(0), ring.sampler(0)
    outs = [EpisodeBatch.empty(RING_SPEC, 2) for _ in range(2)]
    assert learner.step.batch_room is None
    for k in range(40):
        ours = twin.update(laid_out.sample(2, outs[k % 2], twin.step.batch_room)).loss
        torch.testing.assert_close(ours.float(), learner.update(plain.sample(2)).loss, rtol=1e-4, atol=1e-6)
    assert graphs.captured > 1
    assert graphs.replayed > 10

"""A whole training step in one call, and the batch without padding, against plain PyTorch."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_episodes import make_batch, make_learner

from pyqmix import ops
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.native_step import NativeStep
from pyqmix.learn.rows import StepRows
from pyqmix.ops import NetworkSpec, NoAvailableActionError, reference

SPEC = NetworkSpec(
    n_agents=2, obs_dim=5, n_actions=4, state_dim=7, hidden_dims=(8, 8), embed_dim=3, hypernet_dim=6
)
VARIANTS = [
    {},
    {"agent_id": False},
    {"share_parameters": False},
    {"hypernet_layers": 1},
    {
        "hidden_dims": (33,),
        "n_actions": 9,
        "n_agents": 3,
        "embed_dim": 33,
        "hypernet_dim": 40,
        "state_dim": 65,
    },
    {"hidden_dims": (), "n_actions": 5, "n_agents": 1, "obs_dim": 1, "state_dim": 1, "embed_dim": 1},
    {"hidden_dims": (8, 9), "agent": "gru"},
    {"hidden_dims": (8, 8), "agent": "gru", "agent_id": False},
    {"hidden_dims": (9, 8), "agent": "gru", "share_parameters": False},
    {
        "hidden_dims": (32, 64),
        "n_actions": 33,
        "agent": "gru",
        "n_agents": 3,
        "obs_dim": 32,
        "agent_id": False,
    },
]
RECURRENT = dataclasses.replace(SPEC, agent="gru")
SPECS = pytest.mark.parametrize("spec", [SPEC, RECURRENT], ids=["mlp", "gru"])


def make_counts(points, generator):
    """Numbers of episodes at each time that never rise, of so many points together."""
    counts, left = [], points
    while left:
        most = min(left, counts[-1] if counts else max(1, points // 8))
        counts.append(max(1, int(most * (0.8 + 0.2 * torch.rand((), generator=generator)))))
        left -= counts[-1]
    return torch.tensor(counts)


def make_inputs(spec=SPEC, steps=300, extra=7, dtype=torch.float64, seed=0):
    """Steps whose points are shuffled, as the operation allows, beside ``extra`` points that are only some o'."""
    torch.manual_seed(seed)
    points, (n, n_actions) = steps + extra, (spec.n_agents, spec.n_actions)
    size = sum(torch.Size(s).numel() for s in (*spec.agent_parameters(), *spec.mixer_parameters()))
    parameters, target = torch.randn(2, size, dtype=dtype) * 0.5
    avail = torch.rand(steps, n, n_actions) < 0.6
    avail[..., 0] |= ~avail.any(-1)
    return {
        "spec": spec,
        "parameters": parameters,
        "target_parameters": target,
        "obs": torch.randn(points, n, spec.obs_dim, dtype=dtype),
        "states": torch.randn(points, spec.state_dim, dtype=dtype),
        "now": torch.randperm(points)[:steps].contiguous(),
        "next_avail": avail,
        "actions": torch.randint(n_actions, (steps, n)),
        "rewards": torch.randn(steps, dtype=dtype),
        "terminated": torch.rand(steps) < 0.2,
        "weights": torch.rand(steps, dtype=dtype) / steps,
        "gamma": 0.9,
        "point_counts": make_counts(points, torch.Generator().manual_seed(seed)) if spec.agent == "gru" else None,
        "out": torch.full((size,), torch.nan, dtype=dtype),
    }


def both(inputs, **changes):
    """Loss, values, targets and gradient: ours, and the reference's."""
    results = []
    for run in (ops.qmix_gradients, reference.qmix_gradients):
        out = torch.full_like(inputs["out"], torch.nan)
        results.append((*run(**{**inputs, **changes, "out": out}), out))
    return results


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_equals_the_reference(variant, double_q):
    inputs = make_inputs(dataclasses.replace(SPEC, **variant))
    for a, b in zip(*both(inputs, double_q=double_q), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@given(st.booleans(), st.integers(1, 40), st.integers(0, 9), st.booleans(), st.integers(0, 2**32))
def test_any_number_of_steps_equals_the_reference(recurrent, steps, extra, double_q, seed):
    inputs = make_inputs(RECURRENT if recurrent else SPEC, steps=steps, extra=extra, seed=seed)
    for a, b in zip(*both(inputs, double_q=double_q), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@SPECS
def test_float32_is_as_close_to_the_truth_as_plain_pytorch(spec):
    inputs = make_inputs(spec, steps=1_000)
    narrow = {k: x.float() if torch.is_tensor(x) and x.is_floating_point() else x for k, x in inputs.items()}
    truth = both(inputs)[1][-1]
    ours, plain = ((result[-1].double() - truth).norm() for result in both(narrow))
    assert ours <= 2 * plain


@SPECS
def test_the_number_of_threads_changes_no_bit(spec):
    inputs, before = make_inputs(spec, steps=1_500, dtype=torch.float32), torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(both(inputs)[0])
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_states_that_are_rows_of_a_wider_tensor():
    inputs = make_inputs()
    wide = torch.full((inputs["states"].shape[0], 20), torch.nan, dtype=torch.float64)
    wide[:, 3:10] = inputs["states"]
    for a, b in zip(both(inputs, states=wide[:, 3:10])[0], both(inputs)[0], strict=True):
        assert torch.equal(a, b)


def test_what_follows_a_terminated_step_is_not_read():
    inputs = make_inputs(extra=0)
    inputs["now"] = torch.arange(300)
    ended = inputs["terminated"].clone()
    ended[5] = True
    expected = both(inputs, terminated=ended)[0]
    avail = inputs["next_avail"].clone()
    avail[5] = False
    for a, b in zip(both(inputs, terminated=ended, next_avail=avail)[0], expected, strict=True):
        assert torch.equal(a, b)


def test_an_agent_without_an_available_action_is_named():
    inputs = make_inputs()
    step = int((~inputs["terminated"]).nonzero()[3])
    inputs["next_avail"][step, 1] = False
    with pytest.raises(NoAvailableActionError) as raised:
        ops.qmix_gradients(**inputs)
    assert (raised.value.index, raised.value.agent) == ((step,), 1)


BAD = [
    ("obs", lambda x: x[..., :-1], ValueError, r"obs: expected \(307, 2, 5\)"),
    ("states", lambda x: x.float(), TypeError, "states: expected"),
    ("now", lambda x: x[:0], ValueError, "now: expected .* of 1 to 307 steps"),
    ("now", lambda x: x + 307, ValueError, "now: expected integers from 0 to 306"),
    ("now", lambda x: x.int(), TypeError, "now: expected"),
    ("actions", lambda x: x - 9, ValueError, "actions: expected integers from 0 to 3, got -"),
    ("next_avail", lambda x: x[1:], ValueError, "next_avail: expected"),
    ("rewards", lambda x: x.tolist(), TypeError, "rewards: expected"),
    ("terminated", lambda x: x.double(), TypeError, "terminated: expected"),
    ("weights", lambda x: x.unsqueeze(1), ValueError, "weights: expected"),
    ("parameters", lambda x: x[1:], ValueError, "parameters: expected"),
    ("target_parameters", lambda x: x.to("meta"), ValueError, "target_parameters: expected"),
    ("out", lambda x: x.repeat_interleave(2)[::2], ValueError, "out: expected contiguous"),
]


@pytest.mark.parametrize(("name", "change", "error", "message"), BAD)
def test_unusable_arguments_are_named(name, change, error, message):
    inputs = make_inputs()
    inputs[name] = change(inputs[name])
    with pytest.raises(error, match=message):
        ops.qmix_gradients(**inputs)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"point_counts": None}, TypeError, r"point_counts: expected \(T,\) int64"),
        ({"point_counts": torch.tensor([200, 106])}, ValueError, "point_counts: expected a sum of 307"),
        ({"point_counts": torch.tensor([100, 207])}, ValueError, "point_counts: expected .* never rise"),
        (
            {"spec": dataclasses.replace(RECURRENT, hidden_dims=(8,))},
            ValueError,
            "sizes: expected .* three layers",
        ),
        ({"spec": dataclasses.replace(RECURRENT, mixer="vdn")}, ValueError, "mixer: expected qmix, got 'vdn'"),
        (
            {"spec": dataclasses.replace(SPEC, agent="other")},
            ValueError,
            "agent: expected mlp or gru, got 'other'",
        ),
    ],
)
def test_networks_must_be_known_and_the_points_of_recurrent_ones_counted(changes, error, message):
    with pytest.raises(error, match=message):
        ops.qmix_gradients(**{**make_inputs(RECURRENT), **changes})


OPTIONS = [
    {},
    {"agent": "gru"},
    {"agent": "gru", "double_q": True, "agent_id": False},
    {"agent": "gru", "share_parameters": False},
    {"double_q": True},
    {"agent_id": False, "loss": "transitions"},
    {"share_parameters": False, "reward_scale": 3.0},
    {"hypernet_layers": 1, "standardise_rewards": "masked"},
    {"standardise_rewards": "padded", "double_q": True},
    {"batch_transitions": 7},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_learner_takes_the_same_gradient_in_one_call(options):
    learner, batch = make_learner(**options, lr=1e-12, grad_clip=1e9), make_batch()
    assert isinstance(learner.step, NativeStep)
    twin = copy.deepcopy(learner)
    loss, _, _ = twin.loss(batch)
    expected = torch.autograd.grad(loss, twin.parameters)
    stats = learner.update(batch)
    torch.testing.assert_close(stats.loss, loss.detach(), rtol=1e-9, atol=1e-11)
    grads = learner.flat.views(learner.flat.block.grad)
    for ours, plain in zip(grads, expected, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "options", [{"mixer": "vdn"}, {"mixer": "iql"}, {"n_step": 2}, {"td_lambda": 0.5}, {"backend": "reference"}]
)
def test_what_the_one_call_does_not_know_is_left_to_autograd(options):
    assert type(make_learner(**options).step) is AutogradStep


@given(st.lists(st.integers(1, 6), min_size=1, max_size=9), st.integers(0, 3))
def test_packing_equals_its_reference(lengths, longer):
    batch = make_batch(tuple(lengths))
    with ops.use_backend("reference"):
        expected = vars(StepRows.by_length(batch))
    for name, value in vars(StepRows.by_length(batch)).items():
        assert value is expected[name] is None or torch.equal(value, expected[name]), name


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("width", [(), (1,), (2,), (3, 5), (40, 50)], ids=str)
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.float64], ids=str)
def test_long_episodes_are_packed_by_threads(threads, width, dtype):
    lengths, before = torch.randint(1, 61, (9,)), torch.get_num_threads()
    points, steps = ((torch.rand(9, time, *width) * 9).round().to(dtype) for time in (61, 60))
    torch.set_num_threads(threads)
    packed = ops.pack_episodes(lengths, [points], [points], [steps])
    torch.set_num_threads(before)
    order = lengths.argsort(descending=True, stable=True)
    real = [[(t, b) for t in range(61) for b in order if t < lengths[b] + more] for more in (1, 0)]
    assert torch.equal(packed.points[0], torch.stack([points[b, t] for t, b in real[0]]))
    assert torch.equal(packed.next_points[0], packed.points[0][9:])
    assert torch.equal(packed.steps[0], torch.stack([steps[b, t] for t, b in real[1]]))


@pytest.mark.parametrize("lengths", [[0, 2], [4, 2], []])
def test_lengths_that_do_not_fit_are_refused(lengths):
    tensor = torch.zeros(len(lengths), 3)
    with pytest.raises(ValueError, match="lengths: expected integers from 1 to 3, got"):
        ops.pack_episodes(torch.tensor(lengths, dtype=torch.int64), [], [], [tensor])

"""The fused target against its reference, and against the enumeration of every joint action."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyqmix import ops
from pyqmix.ops import reference


def make_inputs(lead=(6,), n=3, n_actions=4, embed=8, double_q=False, dtype=torch.float64, seed=0):
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)

    avail = torch.rand((*lead, n, n_actions), generator=random) < 0.5
    picks = torch.randint(n_actions, (*lead, n, 1), generator=random)
    avail.scatter_(-1, picks, True)
    return {
        "next_qs": normal(*lead, n, n_actions),
        "avail": avail,
        "rewards": normal(*lead),
        "terminated": torch.rand(lead, generator=random) < 0.3,
        "gamma": 0.97,
        "w1": normal(*lead, n * embed),
        "b1": normal(*lead, embed),
        "w_final": normal(*lead, embed),
        "v": normal(*lead),
        "online_next_qs": normal(*lead, n, n_actions) if double_q else None,
    }


def enumerated_target(inputs, mix):
    """y by the definition: the largest q_tot over all available joint actions, one row after another.

    With double-Q, the joint action that is best by the online values, rated by the target values.
    """
    rows = []
    for row in range(len(inputs["rewards"])):
        reward = inputs["rewards"][row]
        if inputs["terminated"][row]:
            rows.append(reward)
            continue
        weights = [inputs[name][row] for name in ("w1", "b1", "w_final", "v")]
        target_qs = inputs["next_qs"][row]
        choosing = target_qs if inputs["online_next_qs"] is None else inputs["online_next_qs"][row]
        choices = [torch.nonzero(avail).flatten().tolist() for avail in inputs["avail"][row]]

        def q_tot(qs, joint, weights=weights):
            return mix(qs.gather(1, torch.tensor(joint).unsqueeze(1)).squeeze(1), *weights)

        best = max(itertools.product(*choices), key=lambda joint: float(q_tot(choosing, joint)))
        rows.append(reward + inputs["gamma"] * q_tot(target_qs, best))
    return torch.stack(rows)


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("n_actions", [1, 2, 5])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_equals_the_enumeration_of_all_joint_actions(n, n_actions, double_q):
    for seed in range(5):
        inputs = make_inputs((6,), n, n_actions, double_q=double_q, seed=seed)
        truth = enumerated_target(inputs, reference.mix)
        torch.testing.assert_close(ops.td_target(**inputs), truth, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(reference.td_target(**inputs), truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("double_q", [False, True])
def test_a_negative_row_of_w1_fails_the_enumeration(monkeypatch, double_q):
    """The check above has teeth: it sees a mixer that falls in one agent's value."""

    def falling_mix(agent_qs, w1, b1, w_final, v):
        n, embed = agent_qs.shape[-1], b1.shape[-1]
        signs = torch.ones(n, 1, dtype=w1.dtype)
        signs[0] = -1
        weights = w1.abs().unflatten(-1, (n, embed)) * signs
        hidden = torch.nn.functional.elu((agent_qs.unsqueeze(-2) @ weights).squeeze(-2) + b1)
        return (hidden * w_final.abs()).sum(-1) + v

    inputs = make_inputs((50,), double_q=double_q)
    monkeypatch.setattr(reference, "mix", falling_mix)
    wrong = reference.td_target(**inputs)
    truth = enumerated_target(inputs, falling_mix)
    assert not torch.allclose(wrong, truth, rtol=1e-6)


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(), (0,), (1,), (4, 7), (1500,)])
def test_equals_the_reference(lead, dtype, double_q):
    inputs = make_inputs(lead, 3, 6, 33, double_q, dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(
        ops.td_target(**inputs), reference.td_target(**inputs), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_unavailable_actions_are_never_chosen(target):
    inputs = make_inputs()
    plain = target(**inputs)
    inputs["next_qs"] = torch.where(inputs["avail"], inputs["next_qs"], 1e30)
    assert torch.equal(target(**inputs), plain)


@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_double_q_chooses_among_available_actions_by_the_online_values(target):
    inputs = make_inputs(double_q=True)
    plain = target(**inputs)
    inputs["online_next_qs"] = torch.where(inputs["avail"], inputs["online_next_qs"], 1e30)
    assert torch.equal(target(**inputs), plain)
    assert not torch.equal(target(**{**inputs, "online_next_qs": None}), plain)


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_a_terminated_step_reads_nothing_but_its_reward(target, garbage):
    inputs = make_inputs(double_q=True)
    plain, ended = target(**inputs), inputs["terminated"]
    assert ended.any()
    assert not ended.all()
    for name in ("next_qs", "online_next_qs", "w1", "b1", "w_final", "v"):
        inputs[name][ended] = garbage
    inputs["avail"][ended] = False
    result = target(**inputs)
    assert torch.equal(result, plain)
    assert torch.equal(result[ended], inputs["rewards"][ended])


@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_no_available_action_is_an_error_that_names_episode_step_and_agent(target):
    inputs = make_inputs((3, 5), 3, 4)
    inputs["terminated"][:] = False
    inputs["avail"][1, 4, 2] = False
    inputs["avail"][2, 0, 0] = False
    with pytest.raises(ops.NoAvailableActionError, match="got none at episode 1, step 4, agent 2") as caught:
        target(**inputs)
    assert (caught.value.index, caught.value.agent) == ((1, 4), 2)


def test_the_first_agent_without_action_is_named_whatever_the_number_of_threads():
    inputs = make_inputs((4000,), 2, 3)
    inputs["terminated"][:] = False
    inputs["avail"][[700, 3500], 1] = False
    before = torch.get_num_threads()
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            with pytest.raises(ops.NoAvailableActionError, match="dim 0 700, agent 1"):
                ops.td_target(**inputs)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_no_gradient_flows_through_the_target(target):
    inputs = make_inputs(double_q=True)
    for name, value in inputs.items():
        if name not in ("avail", "terminated", "gamma"):
            inputs[name] = value.requires_grad_()
    assert not target(**inputs).requires_grad


def test_reads_strided_inputs():
    inputs = make_inputs((8,), 2, 6)
    plain = ops.td_target(**inputs)
    strided = dict(inputs)
    for name in ("next_qs", "avail", "w1", "b1", "w_final"):
        wide = torch.cat([inputs[name], inputs[name]], dim=-1)
        strided[name] = wide[..., : inputs[name].shape[-1]]
    strided["rewards"] = inputs["rewards"].repeat_interleave(2)[::2]
    assert torch.equal(ops.td_target(**strided), plain)
    transposed = {**inputs, "next_qs": inputs["next_qs"].transpose(1, 2).contiguous().transpose(1, 2)}
    assert torch.equal(ops.td_target(**transposed), plain)


@pytest.mark.parametrize("dynamic", [None, True])
def test_compiles_whole_for_changing_batch_sizes(dynamic):
    torch._dynamo.reset()
    compiled = torch.compile(ops.td_target, fullgraph=True, dynamic=dynamic)
    for rows in (3, 8, 21):
        inputs = make_inputs((rows,), double_q=True)
        torch.testing.assert_close(compiled(**inputs), ops.td_target(**inputs))


def test_tensors_without_values_give_their_shape():
    inputs = make_inputs((4,), double_q=True)
    meta = {k: v.to("meta") if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    assert ops.td_target(**meta).shape == (4,)


@pytest.mark.parametrize("target", [ops.td_target, reference.td_target])
def test_an_available_action_of_minus_infinity_beats_unavailable_ones(target):
    inputs = make_inputs((1,), 1, 3, double_q=True)
    inputs["terminated"][:] = False
    inputs["avail"][:] = torch.tensor([False, False, True])
    plain = target(**inputs)
    inputs["online_next_qs"][..., 2] = -torch.inf
    assert torch.equal(target(**inputs), plain)


def test_the_registered_operator_checks_its_inputs():
    inputs = make_inputs(double_q=True)
    assert torch.equal(torch.ops.pyqmix.td_target(*inputs.values()), ops.td_target(**inputs))
    inputs["rewards"] = inputs["rewards"].half()
    with pytest.raises(TypeError, match=r"rewards: expected .* float64 .*, got .* float16"):
        torch.ops.pyqmix.td_target(*inputs.values())


def test_opcheck_of_the_registered_operator():
    inputs = make_inputs(double_q=True)
    torch.library.opcheck(torch.ops.pyqmix.td_target, tuple(inputs.values()))
    torch.library.opcheck(torch.ops.pyqmix.td_target, (*tuple(inputs.values())[:-1], None))


WRONG = [
    ("next_qs", lambda x: x.long(), TypeError, r"next_qs: expected \(\.\.\., n, A\) float32 or float64"),
    ("avail", lambda x: x.float(), TypeError, r"avail: expected \(6, 3, 4\) bool on cpu, got .* float32"),
    ("rewards", lambda x: x[:-1], ValueError, r"rewards: expected \(6,\) float64 on cpu, got \(5,\)"),
    ("terminated", lambda x: x.double(), TypeError, r"terminated: expected \(6,\) bool on cpu"),
    ("gamma", lambda x: float("nan"), TypeError, r"gamma: expected a finite number, got nan"),
    ("gamma", lambda x: "0.9", TypeError, r"gamma: expected a finite number, got '0.9'"),
    ("w1", lambda x: x[:, :8], ValueError, r"w1: expected \(6, 24\) float64 on cpu, got \(6, 8\)"),
    ("online_next_qs", lambda x: x[..., :2], ValueError, r"online_next_qs: expected \(6, 3, 4\) float64"),
]


@pytest.mark.parametrize(("name", "spoil", "error", "match"), WRONG)
def test_names_the_argument_that_does_not_fit(name, spoil, error, match):
    inputs = make_inputs(double_q=True)
    inputs[name] = spoil(inputs[name])
    with pytest.raises(error, match=match):
        ops.td_target(**inputs)


@settings(max_examples=60, deadline=None)
@given(
    lead=st.lists(st.integers(0, 4), max_size=2).map(tuple),
    n=st.integers(1, 5),
    n_actions=st.integers(1, 9),
    embed=st.integers(1, 40),
    double_q=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_mask_equals_the_reference(lead, n, n_actions, embed, double_q, seed):
    inputs = make_inputs(lead, n, n_actions, embed, double_q, seed=seed)
    torch.testing.assert_close(ops.td_target(**inputs), reference.td_target(**inputs), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_actions", [7, 8, 9, 16, 21, 36])
def test_of_equal_values_the_first_is_chosen_as_torch_does(n_actions, dtype):
    """Double-Q shows which: few different values choose, all different ones rate."""
    random = torch.Generator().manual_seed(n_actions)
    online = torch.randint(-2, 3, (400, 2, n_actions), generator=random).to(dtype)
    online[::7] = -torch.inf
    online[3::11, :, ::3] = torch.nan
    rate = torch.rand(400, 2, n_actions, generator=random, dtype=dtype)
    avail = torch.rand(400, 2, n_actions, generator=random) < 0.6
    avail[..., -1] |= ~avail.any(-1)
    zeros, ones = torch.zeros(400, dtype=dtype), torch.ones(400, 2, dtype=dtype)
    inputs = (
        rate,
        avail,
        zeros,
        zeros.bool(),
        1.0,
        torch.ones(400, 4, dtype=dtype),
        0 * ones,
        ones,
        zeros,
        online,
    )
    torch.testing.assert_close(ops.td_target(*inputs), reference.td_target(*inputs))

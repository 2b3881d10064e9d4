"""The operations on a GPU give what they give on the CPU. Without one, only what needs none is tested."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from random_episodes import SPEC, make_batch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from pyqmix import _C, Config, ops, train
from pyqmix.learn.learner import Learner
from pyqmix.ops import late_errors, mixing, reference, target
from pyqmix.replay.batch import EpisodeBatch

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available() or not hasattr(_C, "mix_forward_cuda"),
    reason="needs an NVIDIA GPU and a build with CUDA kernels",
)


def gpu(test):
    return pytest.mark.cuda(needs_gpu(test))


def inputs(rows, n, embed, dtype=torch.float64):
    random = torch.Generator().manual_seed(0)
    shapes = ((rows, n), (rows, n * embed), (rows, embed), (rows, embed), (rows,))
    return [torch.randn(shape, generator=random, dtype=torch.float64).to(dtype) for shape in shapes]


def target_inputs(rows, n, n_actions, embed, dtype=torch.float64, double_q=True):
    random = torch.Generator().manual_seed(1)
    _, *weights = inputs(rows, n, embed, dtype)
    next_qs, online = torch.randn(2, rows, n, n_actions, generator=random, dtype=torch.float64).to(dtype)
    avail = torch.rand(rows, n, n_actions, generator=random) < 0.5
    avail[..., -1] |= ~avail.any(-1)
    rewards = torch.randn(rows, generator=random, dtype=torch.float64).to(dtype)
    ended = torch.arange(rows) % 3 == 0
    return [next_qs, avail, rewards, ended, 0.9, *weights, online if double_q else None]


def moved(values, device="cuda"):
    return [x.to(device) if isinstance(x, torch.Tensor) else x for x in values]


def value_and_grads(tensors, mix=ops.mix):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    q_tot = mix(*leaves)
    return [q_tot.detach(), *torch.autograd.grad(q_tot.sum(), leaves)]


SHAPES = [(0, 2, 32), (1, 1, 1), (1000, 5, 33), (1600, 2, 32), (300, 27, 32), (7, 34, 132), (3, 35, 264)]


@gpu
@pytest.mark.parametrize(("rows", "n", "embed"), SHAPES)
def test_mix_on_a_side_stream_equals_the_cpu(rows, n, embed):
    tensors = inputs(rows, n, embed)
    with torch.cuda.stream(torch.cuda.Stream()):
        ours = value_and_grads(moved(tensors))
        torch.cuda.current_stream().synchronize()
    for a, b in zip(ours, value_and_grads(tensors), strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-11, atol=1e-11)


@gpu
@pytest.mark.parametrize(("rows", "n", "embed"), [(1600, 2, 32), (1600, 4, 32), (500, 27, 32), (100, 5, 33)])
def test_float32_errs_at_most_twice_as_much_as_eager(rows, n, embed, monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    tensors = inputs(rows, n, embed, torch.float32)
    truths = value_and_grads([x.double() for x in tensors])
    ours, eager = (value_and_grads(moved(tensors), mix) for mix in (ops.mix, reference.mix))
    for a, b, truth in zip(ours, eager, truths, strict=True):
        assert (a.cpu() - truth).norm() <= 2 * (b.cpu() - truth).norm()


@gpu
@pytest.mark.parametrize(("rows", "n", "embed"), [(1600, 2, 32), (500, 27, 32), (100, 5, 33), (9, 3, 264)])
def test_bfloat16_is_computed_in_float32(rows, n, embed):
    tensors = inputs(rows, n, embed, torch.bfloat16)
    truths = value_and_grads([x.double() for x in tensors])
    for ours, truth in zip(value_and_grads(moved(tensors)), truths, strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours.cpu() - truth).norm() <= 4e-3 * truth.norm()  # a unit in the last place of bfloat16


@gpu
def test_two_runs_give_the_same_bits():
    tensors = moved(inputs(3000, 9, 40, torch.float32))
    first, second = value_and_grads(tensors), value_and_grads(tensors)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    arguments = moved(target_inputs(3000, 9, 7, 40, torch.float32))
    assert torch.equal(ops.td_target(*arguments), ops.td_target(*arguments))


@gpu
def test_reads_strided_expanded_and_misaligned_inputs():
    stacked = torch.randn(6, 1 + 2 * 8 + 8 + 8 + 1, dtype=torch.float64)
    _, w1, b1, w_final, v = stacked.split([1, 16, 8, 8, 1], dim=1)
    tensors = (torch.randn(2, 6, dtype=torch.float64).T, w1, b1[:1].expand(6, 8), w_final, v.squeeze(1))
    for ours, truth in zip(value_and_grads(moved(tensors)), value_and_grads(tensors), strict=True):
        torch.testing.assert_close(ours.cpu(), truth, rtol=1e-11, atol=1e-11)
    on_device = stacked.cuda().split([1, 16, 8, 8, 1], dim=1)
    ours = ops.mix(tensors[0].cuda(), on_device[1], on_device[2], on_device[3], on_device[4].squeeze(1))
    truth = ops.mix(tensors[0], w1, b1, w_final, v.squeeze(1))
    torch.testing.assert_close(ours.cpu(), truth, rtol=1e-11, atol=1e-11)


@gpu
@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize(("rows", "n", "n_actions", "embed"), [(0, 2, 3, 8), (50, 3, 4, 8), (700, 27, 36, 33)])
def test_td_target_equals_the_cpu(rows, n, n_actions, embed, double_q):
    arguments = target_inputs(rows, n, n_actions, embed, double_q=double_q)
    ours = ops.td_target(*moved(arguments))
    torch.testing.assert_close(ours.cpu(), ops.td_target(*arguments), rtol=1e-11, atol=1e-11)


@gpu
def test_a_missing_action_is_reported_late_and_once():
    arguments = target_inputs(12, 3, 4, 8)
    arguments[1][[4, 8], 1] = False
    arguments[3][:] = False
    y = ops.td_target(*moved(arguments))
    with pytest.raises(ops.NoAvailableActionError, match="dim 0 4, agent 1, of an earlier call on the GPU") as e:
        ops.raise_late_errors()
    assert e.value.late
    assert y.isnan().nonzero().flatten().tolist() == [4, 8]
    ops.raise_late_errors()
    ops.td_target(*moved(arguments))
    torch.cuda.synchronize()
    with pytest.raises(ops.NoAvailableActionError, match="dim 0 4, agent 1"):
        ops.td_target(*moved(arguments))
    ops.raise_late_errors()  # that call was not started


@gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_the_target_does_not_wait_and_can_be_captured():
    arguments = moved(target_inputs(40, 3, 4, 8))
    tensors = [x.requires_grad_() for x in moved(inputs(40, 3, 8))]
    truth = ops.td_target(*arguments)
    torch.cuda.set_sync_debug_mode("error")
    try:
        ops.td_target(*arguments)
        ops.mix(*tensors).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = ops.td_target(*arguments)
    graph.replay()
    torch.testing.assert_close(y, truth)


def linear_and_grads(layer, tensors):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    out = layer(*leaves)
    return [out.detach(), *torch.autograd.grad(out.square().sum(), leaves)]


LAYERS = [
    ((1600,), 30, 192, ()),
    ((3264, 2), 15, 64, (2,)),
    ((300, 27), 64, 36, ()),
    ((7,), 5, 333, ()),
    ((0,), 3, 4, ()),
]


@gpu
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("rows", "inputs", "outputs", "groups"), LAYERS)
def test_linear_equals_the_cpu_and_repeats(rows, inputs, outputs, groups, relu, monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    random = torch.Generator().manual_seed(0)
    shapes = ((*rows, inputs), (outputs, inputs), (*groups, outputs))
    tensors = [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]
    truths = linear_and_grads(lambda *x: ops.linear(*x, relu), tensors)
    for ours, truth in zip(linear_and_grads(lambda *x: ops.linear(*x, relu), moved(tensors)), truths, strict=True):
        torch.testing.assert_close(ours.cpu(), truth, rtol=1e-10, atol=1e-9)
    single = moved([x.float() for x in tensors])
    ours, again = (linear_and_grads(lambda *x: ops.linear(*x, relu), single) for _ in range(2))
    eager = linear_and_grads(lambda *x: reference.linear(*x, relu), single)
    for a, b, same, truth in zip(ours, eager, again, truths, strict=True):
        assert torch.equal(a, same)
        assert (a.cpu() - truth).norm() <= 2 * (b.cpu() - truth).norm() + 1e-7 * truth.norm()


@gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 129, 50_003])
def test_adam_equals_the_cpu_and_repeats(size, dtype):
    random = torch.Generator().manual_seed(0)
    blocks = [torch.randn(size, generator=random, dtype=torch.float64).to(dtype) for _ in range(4)]
    blocks[3].abs_()
    step, lr = torch.tensor(3.0), torch.tensor(1e-2)
    results = []
    for device in ("cuda", "cuda", "cpu"):
        on_device = [x.clone().to(device) for x in blocks]
        scalars = (step.to(device), lr.to(device)) if device == "cuda" else (3, float(lr))
        norm = ops.adam(*on_device, *scalars, (0.8, 0.95), 1e-3, max_norm=0.5)
        results.append([x.cpu() for x in (*on_device, norm)])
    for a, same, truth in zip(*results, strict=True):
        assert torch.equal(a, same)
        torch.testing.assert_close(a, truth)


@gpu
def test_padded_episodes_equal_the_reference():
    lengths = torch.tensor([3, 50, 1, 17])
    points, avail = torch.randn(4, 51, 2, 15), torch.rand(4, 51, 2, 6) < 0.5
    steps = [torch.randint(0, 6, (4, 50, 2)), torch.randn(4, 50), torch.rand(4, 50) < 0.1]
    for longest in (50, 20):
        shown = [x[:, : longest + 1].cuda() for x in (points, avail)]
        arguments = lengths.clamp(max=longest).cuda(), shown[:1], shown[1:], [x[:, :longest].cuda() for x in steps]
        ours, truth = ops.pad_episodes(*arguments), reference.pad_episodes(*arguments)
        for a, b in zip(vars(ours).values(), truth, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@gpu
def test_more_than_two_to_the_31_elements():
    rows, n, embed = 1 << 16, 1024, 40
    needed = 2 * (rows * n * embed + rows * n) * 2
    if torch.cuda.mem_get_info()[0] < needed:
        pytest.skip(f"needs {needed >> 30} GiB of GPU memory")
    like = {"dtype": torch.bfloat16, "device": "cuda"}
    w1 = torch.zeros(rows, n * embed, **like)
    w1[-1] = 1.0
    agent_qs = torch.full((rows, n), 0.0078125, **like)
    ones = torch.ones(rows, embed, **like)
    q_tot = ops.mix(agent_qs, w1, torch.zeros_like(ones), ones, torch.zeros(rows, **like))
    assert float(q_tot[-1]) == 8 * embed
    assert not q_tot[:-1].any()


@gpu
def test_compiles_whole_on_the_gpu():
    torch._dynamo.reset()
    tensors = moved(inputs(20, 3, 8))
    compiled = torch.compile(lambda *x: ops.mix(*x).square().mean(), fullgraph=True)
    truth = ops.mix(*tensors).square().mean()
    torch.testing.assert_close(compiled(*tensors), truth)
    torch.library.opcheck(torch.ops.pyqmix.mix, [x.requires_grad_() for x in tensors])


LEARNERS = [
    {},
    {"agent": "gru", "double_q": True},
    {"mixer": "iql", "standardise_rewards": "padded"},
    {"mixer": "vdn", "loss": "transitions", "standardise_rewards": "masked", "optimizer": "rmsprop"},
    {"n_step": 3, "batch_size": 4},
    {"td_lambda": 0.6, "agent": "gru", "share_parameters": False},
    {"batch_transitions": 24},
]


def trained(options, device, updates=12):
    """A learner and its losses; batches of two lengths."""
    learner = Learner(SPEC, Config(hidden_dim=16, lr=1e-3, target_update=5, **options), torch.device(device))
    losses = []
    for update in range(updates):
        batch = make_batch((6, 4) if update % 2 else (2, 1), seed=update, garbage=0.0)
        floats = {k: v.float() if v.is_floating_point() else v for k, v in batch.tensors().items()}
        importance = torch.tensor([0.4, 1.0])
        learner.set_learning_rate(1e-3 / (1 + update // 4))
        losses.append(learner.update(EpisodeBatch(**floats), importance).loss)
    return learner, torch.stack(losses).cpu()


@gpu
@pytest.mark.parametrize("options", LEARNERS, ids=str)
def test_captured_steps_learn_what_the_cpus_do(options, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    ours, losses = trained(options, "cuda")
    truth, expected = trained(options, "cpu")
    torch.testing.assert_close(losses, expected, rtol=1e-3, atol=1e-5)
    assert (ours.flat.block.cpu() - truth.flat.block).norm() <= 1e-2 * truth.flat.block.norm()
    again, same = trained(options, "cuda")
    assert torch.equal(losses, same)
    assert torch.equal(ours.flat.block, again.flat.block)


@gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("options", LEARNERS, ids=str)
def test_replayed_steps_do_not_wait(options):
    learner, _ = trained(options, "cuda")
    assert all(shape.replay is not None for shape in learner.step._shapes.values())
    batch = make_batch((6, 4), garbage=0.0)
    laid_out = EpisodeBatch.empty(SPEC, 2, pin_memory=True)
    laid_out.lengths.copy_(batch.lengths)
    for name, part in laid_out.up_to(6).tensors().items():
        part.copy_(getattr(batch, name))
    inputs = learner._inputs(laid_out, torch.ones(2).pin_memory())
    assert laid_out.memory is not None
    torch.cuda.set_sync_debug_mode("error")
    try:
        learner.step.take(learner._change_weights, inputs)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@gpu
def test_a_missing_action_is_named_after_a_replay():
    for mixer in ("qmix", "iql"):
        learner, _ = trained({"mixer": mixer}, "cuda")
        batch = make_batch((6, 4), garbage=0.0)
        batch.avail[1, 2, 1] = False
        floats = {k: v.float() if v.is_floating_point() else v for k, v in batch.tensors().items()}
        learner.update(EpisodeBatch(**floats), torch.ones(2))
        with pytest.raises(ops.NoAvailableActionError, match="dim 0 3, agent 1, of an earlier call on the GPU"):
            ops.raise_late_errors()


@gpu
@pytest.mark.parametrize(
    "options", [{}, {"replay_device": "cuda"}, {"device": "auto"}, {"prioritised": True}], ids=str
)
def test_a_whole_run_trains_on_the_gpu(options, tiny_config, tmp_path):
    result = train(tiny_config(run_dir=str(tmp_path / "run"), **{"device": "cuda", **options}), quiet=True)
    assert result.summary["total_steps"] >= 300


@pytest.mark.parametrize("options", LEARNERS, ids=str)
def test_what_the_gpus_steps_are_compared_with_repeats(options):
    (a, losses), (b, same) = trained(options, "cpu"), trained(options, "cpu")
    assert torch.equal(losses, same)
    assert torch.equal(a.flat.block, b.flat.block)


def test_bfloat16_is_refused_on_the_cpu_alone():
    tensors = inputs(4, 3, 8, torch.bfloat16)
    with pytest.raises(TypeError, match=r"agent_qs: .* float32 or float64, got \(4, 3\) bfloat16 on cpu"):
        ops.mix(*tensors)
    assert ops.mix(*moved(tensors, "meta")).dtype == torch.bfloat16
    arguments = target_inputs(4, 3, 5, 8, torch.bfloat16)
    with pytest.raises(TypeError, match=r"next_qs: .* float32 or float64, got"):
        ops.td_target(*arguments)
    assert ops.td_target(*moved(arguments, "meta")).dtype == torch.bfloat16
    with pytest.raises(TypeError, match=r"agent_qs: .* float32, float64 or bfloat16, got .* float16 on meta"):
        ops.mix(*moved(inputs(4, 3, 8, torch.float16), "meta"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_tensors_without_values_give_their_shape(dtype):
    shapes = [x.to("meta") for x in inputs(4, 3, 8, dtype)]
    with FakeTensorMode() as mode:
        device = torch.device("cuda", 0)
        fake = [FakeTensor(mode, x, device) for x in shapes]
        q_tot = torch.ops.pyqmix.mix(*fake)
        grads = torch.ops.pyqmix.mix_backward(q_tot, *fake)
        assert (q_tot.shape, q_tot.dtype, q_tot.device.type) == ((4,), dtype, "cuda")
        assert [g.shape for g in grads] == [x.shape for x in fake]


class StandIn:
    """The extension, whose CUDA functions are the CPU's: what the Python around them does needs no GPU."""

    def __init__(self):
        self.launches, self.missing = [], -1

    def __getattr__(self, name):
        if not name.endswith("_cuda"):
            return getattr(_C, name)

        def launch(*arguments):
            *arguments, stream = arguments
            self.launches.append((name, arguments[0][0].element_size(), stream))
            if name == "td_target_cuda":
                *arguments, cell = arguments
                assert isinstance(cell, StandIn.MissingAction)
            cpu = getattr(_C, name.replace("_cuda", "_cpu"))
            found = cpu(*arguments, threads=1)
            if name == "td_target_cuda":
                cell.noted = found

        return launch

    class MissingAction:
        def __init__(self):
            self.noted = -1

        def take(self):
            found, self.noted = self.noted, -1
            return found


class Device(NamedTuple):
    type: str
    index: int


class OnGpu(torch.Tensor):
    """A tensor of the CPU's that says it is a GPU's."""

    device = Device(type="cuda", index=0)
    is_cuda = True


@pytest.fixture
def stand_in(monkeypatch):
    extension = StandIn()
    for module in (mixing, target, late_errors):
        monkeypatch.setattr(module, "_C", extension)
        monkeypatch.setattr(module, "require_cuda_kernels", lambda: None, raising=False)
    monkeypatch.setattr(late_errors, "_cells", {})
    nothing = SimpleNamespace(__enter__=None)

    class Guard:
        def __init__(self, device):
            assert device is OnGpu.device

        def __enter__(self):
            return nothing

        def __exit__(self, *_):
            return None

    stream = SimpleNamespace(cuda_stream=77)
    monkeypatch.setattr(torch.cuda, "device", Guard)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: stream)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    empty, empty_of_cpu = torch.empty, {"device": torch.device("cpu")}
    monkeypatch.setattr(torch, "empty", lambda *a, **k: empty(*a, **{**k, **empty_of_cpu}))
    return extension


def pretend(values):
    return [x.as_subclass(OnGpu) if isinstance(x, torch.Tensor) else x for x in values]


def target_on_gpu(arguments):
    """Compute the target of ``ops.td_target``'s arguments as on a GPU."""
    next_qs, avail, rewards, terminated, gamma, *weights, online = pretend(arguments)
    return target._td_target_cuda(
        target.TargetInputs(next_qs, avail, rewards, terminated, gamma, online), tuple(weights)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_cuda_calls_hand_over_what_the_cpus_do(stand_in, dtype):
    tensors, grad = inputs(6, 3, 8, dtype), torch.ones(6, dtype=dtype)
    arguments = target_inputs(6, 3, 4, 8, dtype)
    truths = mixing._forward(*tensors), mixing._backward(grad, *tensors), ops.td_target(*arguments)
    assert stand_in.launches == []
    assert torch.equal(mixing._forward(*pretend(tensors)), truths[0])
    assert all(
        torch.equal(a, b) for a, b in zip(mixing._backward(grad, *pretend(tensors)), truths[1], strict=True)
    )
    assert torch.equal(target_on_gpu(arguments), truths[2])
    size = torch.finfo(dtype).bits // 8
    names = ("mix_forward_cuda", "mix_backward_cuda", "td_target_cuda")
    assert stand_in.launches == [(name, size, 77) for name in names]


def test_a_noted_missing_action_is_raised_by_the_next_call_and_on_demand(stand_in):
    arguments = target_inputs(12, 3, 4, 8)
    arguments[1][4, 1] = False
    arguments[3][:] = False
    folded = [x.unflatten(0, (3, 4)) if isinstance(x, torch.Tensor) else x for x in arguments]
    target_on_gpu(folded)
    with pytest.raises(ops.NoAvailableActionError, match="episode 1, step 0, agent 1, of an earlier call") as e:
        target_on_gpu(folded)
    assert (e.value.index, e.value.agent, e.value.late) == ((1, 0), 1, True)
    ops.raise_late_errors()
    target_on_gpu(arguments)
    with pytest.raises(ops.NoAvailableActionError, match="dim 0 4, agent 1, of an earlier call"):
        ops.raise_late_errors()
    ops.raise_late_errors()


def test_the_cases_of_the_sanitizers_run():
    path = Path(__file__).with_name("small_cases.py")
    spec = importlib.util.spec_from_file_location("cuda_small_cases", path)
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    for shape in cases.SHAPES:
        for dtype in (torch.float32, torch.float64):
            cases.run_case("cpu", *shape, dtype)

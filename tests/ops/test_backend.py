"""The compiled operations and plain PyTorch train the same, and each option runs what it names."""

import copy
import threading

import pytest
import torch
from random_episodes import make_batch, make_learner

from pyqmix import _C, ops, train

COMBINATIONS = [
    {"mixer": mixer, "agent": agent, "double_q": double_q}
    for mixer in ("qmix", "vdn", "iql")
    for agent in ("mlp", "gru")
    for double_q in (False, True)
]
FURTHER = [
    {"hypernet_layers": 1, "agent_id": False},
    {"share_parameters": False, "agent": "gru", "loss": "transitions"},
]
KERNELS = [name for name in vars(_C) if name.endswith(("_cpu", "_cuda"))]


def named(options):
    return "-".join(f"{k}={v}" for k, v in options.items())


def twins(**options):
    """Two learners with the same networks and targets, one for each backend."""
    fused = make_learner(backend="fused", lr=3e-3, target_update=7, **options)
    reference = copy.deepcopy(fused)
    reference.config = fused.config.replace(backend="reference")
    return fused, reference


@pytest.mark.parametrize("options", [*COMBINATIONS, *FURTHER], ids=named)
def test_backends_agree_on_loss_gradients_and_50_updates(options):
    learners = twins(**options)
    batches = [make_batch(lengths, seed) for seed, lengths in enumerate([(4, 1, 3), (1, 3), (2,), (5, 1, 2, 5)])]
    for batch in batches:
        seen = []
        for learner in learners:
            loss, q, target = learner.loss(batch)
            grads = torch.autograd.grad(loss, learner.parameters, allow_unused=True)
            seen.append([loss, q, target, *(g for g in grads if g is not None)])
        for ours, plain in zip(*seen, strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)
    for update in range(50):
        for learner in learners:
            learner.update(batches[update % len(batches)])
    fused, reference = learners
    assert not torch.equal(fused.flat.block, twins(**options)[0].flat.block)
    for name in ("flat", "target_flat"):
        blocks = (getattr(learner, name).block for learner in (fused, reference))
        torch.testing.assert_close(*blocks, rtol=1e-9, atol=1e-9)


@pytest.fixture
def kernels_called(monkeypatch):
    """Note every kernel of the extension that is called from now on."""
    called = set()

    def noted(name, kernel):
        def call(*args, **kwargs):
            called.add(name)
            return kernel(*args, **kwargs)

        return call

    for name in KERNELS:
        monkeypatch.setattr(_C, name, noted(name, getattr(_C, name)))
    return called


@pytest.mark.parametrize("options", [*COMBINATIONS, *FURTHER], ids=named)
def test_the_reference_backend_calls_nothing_compiled(options, kernels_called):
    make_learner(backend="reference", **options).update(make_batch())
    assert not kernels_called


def test_the_fused_backend_calls_what_is_compiled(kernels_called):
    make_learner(agent="gru").update(make_batch())
    assert "qmix_gradients_cpu" in kernels_called
    kernels_called.clear()
    make_learner(agent="gru", n_step=2).update(make_batch())  # no whole step
    expected = {"gru_forward_cpu", "gru_backward_cpu", "qmixer_loss_cpu", "qmixer_td_target_cpu"}
    assert kernels_called >= expected


def test_a_whole_run_takes_its_training_steps_by_the_backend(kernels_called, tiny_config, tmp_path):
    result = train(tiny_config(backend="reference", run_dir=str(tmp_path / "run")), quiet=True)
    assert result.summary["updates"] > 100
    assert not {name for name in kernels_called if name.startswith(("qmixer", "mix", "td_target"))}
    assert '"backend": "reference"' in (tmp_path / "run" / "config.json").read_text()


def test_public_operations_follow_the_backend(kernels_called):
    random = [torch.randn(3, *shape) for shape in ((2,), (8,), (4,), (4,), ())]
    next_qs, avail = torch.randn(3, 2, 5), torch.ones(3, 2, 5, dtype=torch.bool)
    step = (torch.randn(3), torch.zeros(3, dtype=torch.bool), 0.9)
    with ops.use_backend("reference"):
        assert torch.equal(ops.mix(*random), ops.reference.mix(*random))
        ops.td_target(next_qs, avail, *step, *random[1:])
        assert not kernels_called
        with ops.use_backend("fused"):
            ops.mix(*random)
        assert kernels_called == {"mix_forward_cpu"}
    ops.td_target(next_qs, avail, *step, *random[1:])
    assert "td_target_cpu" in kernels_called


def test_a_backend_is_the_calling_threads_alone_and_ends_with_its_block(kernels_called):
    random = [torch.randn(3, *shape) for shape in ((2,), (8,), (4,), (4,), ())]
    with pytest.raises(KeyError), ops.use_backend("reference"):
        thread = threading.Thread(target=ops.mix, args=random)
        thread.start()
        thread.join()
        raise KeyError
    assert kernels_called == {"mix_forward_cpu"}
    kernels_called.clear()
    ops.mix(*random)
    assert kernels_called == {"mix_forward_cpu"}


def test_an_unknown_backend():
    with (
        pytest.raises(ValueError, match=r"^name: expected one of fused, reference, got 'torch'"),
        ops.use_backend("torch"),
    ):
        pass

"""Stands in for the extension's functions of a GPU, on the CPU's tensors: what the Python around them
does needs no GPU. The kernels themselves run in tests/cuda/run_emulated.sh, and on a GPU in test_cuda.py."""

from types import SimpleNamespace

import torch

from pyqmix.ops import reference


class StandIn:
    """Notes what it is called with."""

    ADAM_SCRATCH = 258
    STREAM = 77

    def __init__(self):
        self.calls = []

    def _note(self, name, stream):
        assert stream == self.STREAM
        self.calls.append(name)

    def bias_relu_cuda(self, values, bias, relu, stream):
        self._note("bias_relu", stream)
        assert values.stride() == (values.shape[1], 1)
        values += bias.view(-1)
        values[:, :relu].relu_()

    def bias_relu_parts(self, rows, width):
        return 3

    def bias_relu_backward_cuda(self, grad, relu, sums, grad_bias, stream):
        self._note("bias_relu_backward", stream)
        rows, width = grad.shape
        assert (*sums.shape, grad.stride(0)) == (3, width, width)
        sums.fill_(torch.nan)  # whatever it is left with
        of_layer = grad
        if relu is not None:
            outputs, masked, columns = relu
            assert outputs.shape == masked.shape == (rows, width)
            passed = (outputs > 0) | (torch.arange(width) >= columns)
            of_layer = torch.where(passed, of_layer, 0.0)
            masked.copy_(of_layer)
        grad_bias.view(width).copy_(of_layer.sum(0))

    def pad_episodes_cuda(self, lengths, times, columns, stream):
        self._note("pad_episodes", stream)
        for source, to, count, first, reach in columns:
            assert count <= times
            rows = to.view(count, len(lengths), *to.shape[1:])
            for time in range(count):
                for episode, length in enumerate(lengths.tolist()):
                    if time >= length + reach:
                        rows[time, episode] = 0
                    elif source is None:
                        rows[time, episode] = 1
                    else:
                        rows[time, episode] = source[episode, time + first]

    def adam_cuda(self, *arguments, scratch, norm, stream):
        self._note("adam", stream)
        *blocks, step, lr, beta1, beta2, eps, max_norm = arguments
        assert scratch.shape == (self.ADAM_SCRATCH,)
        assert scratch.dtype == norm.dtype == blocks[0].dtype
        scratch.fill_(torch.nan)
        scalars = [float(x) for x in (step, lr)]
        norm.copy_(reference.adam(*blocks, *scalars, (beta1, beta2), eps, max_norm=max_norm))


def stand_in(monkeypatch, *modules):
    """Put a stand-in into modules of pyqmix.ops; returns it."""
    extension = StandIn()
    for module in modules:
        monkeypatch.setattr(module, "_C", extension)
        monkeypatch.setattr(module, "require_cuda_kernels", lambda: None)

    class Guard:
        def __init__(self, device):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(torch.cuda, "device", Guard)
    stream = SimpleNamespace(cuda_stream=StandIn.STREAM)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: stream)
    return extension

"""Stands in for the extension's functions of a GPU, on addresses of the CPU's memory: what the Python around them
does needs no GPU. The kernels themselves run in tests/cuda/run_emulated.sh, and on a GPU in test_cuda.py."""

import ctypes
from types import SimpleNamespace

import torch

from pyqmix.ops import reference


def at(address, shape, dtype):
    """The tensor that lies at an address."""
    shape = torch.Size(shape)
    if shape.numel() == 0:
        return torch.empty(shape, dtype=dtype)
    memory = (ctypes.c_byte * (shape.numel() * dtype.itemsize)).from_address(address)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


class StandIn:
    """Notes what it is called with."""

    ADAM_SCRATCH = 258
    STREAM = 77

    def __init__(self):
        self.calls = []

    def _note(self, name, stream):
        assert stream == self.STREAM
        self.calls.append(name)

    def bias_relu_cuda(self, *, rows, width, values, bias, relu, is_double, stream):
        self._note("bias_relu", stream)
        dtype = torch.float64 if is_double else torch.float32
        address, stride = values
        assert stride == width
        out = at(address, (rows, width), dtype)
        out += at(bias, (width,), dtype)
        out[:, :relu].relu_()

    def bias_relu_parts(self, rows, width):
        return 3

    def bias_relu_backward_cuda(self, *, rows, width, grad, relu, parts, sums, grad_bias, is_double, stream):
        self._note("bias_relu_backward", stream)
        dtype = torch.float64 if is_double else torch.float32
        assert (parts, grad[1]) == (3, width)
        at(sums, (parts, width), dtype).fill_(torch.nan)  # whatever it is left with
        of_layer = at(grad[0], (rows, width), dtype)
        if relu is not None:
            (outputs, _), (masked, _), columns = relu
            passed = (at(outputs, (rows, width), dtype) > 0) | (torch.arange(width) >= columns)
            of_layer = torch.where(passed, of_layer, 0.0)
            at(masked, (rows, width), dtype).copy_(of_layer)
        at(grad_bias, (width,), dtype).copy_(of_layer.sum(0))

    def pad_episodes_cuda(self, *, episodes, times, lengths, columns, stream):
        self._note("pad_episodes", stream)
        lengths = at(lengths, (episodes,), torch.int64).tolist()
        for source, to, of_episode, width, count, first, reach in columns:
            assert count <= times
            rows = at(to, (count, episodes, width), torch.uint8)
            for time in range(count):
                for episode, length in enumerate(lengths):
                    if time >= length + reach:
                        rows[time, episode] = 0
                    elif source == 0:
                        rows[time, episode] = 1
                    else:
                        where = source + episode * of_episode + (time + first) * width
                        rows[time, episode] = at(where, (width,), torch.uint8)

    def adam_cuda(
        self, *, size, step, lr, beta1, beta2, eps, max_norm, scratch, norm, is_double, stream, **blocks
    ):
        self._note("adam", stream)
        dtype = torch.float64 if is_double else torch.float32
        at(scratch, (self.ADAM_SCRATCH,), dtype).fill_(torch.nan)
        names = ("parameters", "gradient", "exp_avg", "exp_avg_sq")
        tensors = [at(blocks[name], (size,), dtype) for name in names]
        scalars = [float(at(x, (), torch.float32)) for x in (step, lr)]
        at(norm, (), dtype).copy_(reference.adam(*tensors, *scalars, (beta1, beta2), eps, max_norm=max_norm))


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

"""Episodes laid out with their padding."""

import pytest
import torch
from gpu_stand_in import stand_in

from pyqmix import ops
from pyqmix.ops import padding


def make(lengths=(2, 4, 1), steps=4, room=4):
    """Tensors whose numbers tell episode and time; NaN where there is no such time."""
    episodes = len(lengths)
    code = 100.0 * torch.arange(1, episodes + 1).unsqueeze(1) + torch.arange(room + 1)
    points = code.unsqueeze(-1).repeat(1, 1, 3)
    for episode, length in enumerate(lengths):
        points[episode, length + 1 :] = torch.nan
    avail = (code % 3 != 0).unsqueeze(-1).repeat(1, 1, 5)
    actions = code[:, :room].long().unsqueeze(-1).repeat(1, 1, 2)
    ended = code[:, :room] % 2 == 0
    lengths = torch.tensor(lengths)
    return lengths, [points[:, : steps + 1]], [avail[:, : steps + 1]], [actions[:, :steps], ended[:, :steps]]


def as_loops(lengths, points, next_points, steps):
    times = steps[0].shape[1]

    def rows(tensor, first, count, reach):
        out = torch.zeros(count, len(lengths), *tensor.shape[2:], dtype=tensor.dtype)
        for episode, length in enumerate(lengths.tolist()):
            for time in range(min(count, length + reach)):
                out[time, episode] = tensor[episode, time + first]
        return out.flatten(0, 1)

    real = torch.arange(times).unsqueeze(1) < lengths
    return (
        [rows(x, 0, times + 1, 1) for x in points],
        [rows(x, 1, times, 0) for x in next_points],
        [rows(x, 0, times, 0) for x in steps],
        real.flatten(),
    )


def assert_laid_out(ours, truth):
    for a, b in zip(ours, truth, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype
            assert torch.equal(x, y)


CASES = [((2, 4, 1), 4, 4), ((2, 3, 1), 3, 6), ((1,), 1, 1), ((5, 5), 5, 5)]


@pytest.mark.parametrize(("lengths", "steps", "room"), CASES)
def test_rows_are_time_major_with_zeros_for_padding(lengths, steps, room):
    inputs = make(lengths, steps, room)
    assert_laid_out(vars(ops.pad_episodes(*inputs)).values(), as_loops(*inputs))


@pytest.mark.parametrize(("lengths", "steps", "room"), CASES)
def test_the_gpus_way_hands_over_what_the_kernel_needs(monkeypatch, lengths, steps, room):
    extension = stand_in(monkeypatch, padding)
    inputs = make(lengths, steps, room)
    assert_laid_out(vars(padding._pad_on_gpu(*inputs)).values(), as_loops(*inputs))
    lengths, points, *others = inputs
    turned = [x.transpose(0, 1).contiguous().transpose(0, 1) for x in points]  # another layout
    assert_laid_out(vars(padding._pad_on_gpu(lengths, turned, *others)).values(), as_loops(*inputs))
    assert extension.calls == ["pad_episodes"] * 2


def test_unusable_arguments_are_named():
    lengths, points, next_points, steps = make()
    with pytest.raises(TypeError, match=r"lengths: expected \(3,\) int64"):
        ops.pad_episodes(lengths.int(), points, next_points, steps)
    with pytest.raises(ValueError, match=r"points: expected \(3, 5, 3\) float32"):
        ops.pad_episodes(lengths, [points[0][:, :4]], next_points, steps)
    with pytest.raises(ValueError, match=r"steps: expected \(3, 4\) bool"):
        ops.pad_episodes(lengths, points, next_points, [steps[0], steps[1][:2]])
    with pytest.raises(ValueError, match="at most 7 tensors, one of steps, got 1, 1 and 0"):
        ops.pad_episodes(lengths, points, next_points, [])
    with pytest.raises(ValueError, match="at most 7 tensors, one of steps, got 6, 1 and 2"):
        ops.pad_episodes(lengths, points * 6, next_points, steps)

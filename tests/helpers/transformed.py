"""Public operations and modules as functions of tensors, each with its composition of PyTorch's own operations."""

from __future__ import annotations

from typing import NamedTuple

import torch

from pyqmix import ops
from pyqmix.nn import GRUAgent, MLPAgent, QMixer
from pyqmix.ops import reference

ROWS, AGENTS, STATE, EMBED, HYPER, ACTIONS, OBS, HIDDEN = 5, 3, 4, 6, 2, 4, 3, 2
SIZES = torch.tensor([3, 2])  # of packed sequences: ROWS in all


class Subject(NamedTuple):
    """Maps ``tensors`` by both functions, which are to agree whatever is done to them."""

    function: object
    twin: object
    tensors: list


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def _mixing():
    shapes = ((ROWS, AGENTS), (ROWS, AGENTS * EMBED), (ROWS, EMBED), (ROWS, EMBED), (ROWS,))
    return [draw(*shape) for shape in shapes]


def _mixer(layers=2):
    return QMixer(AGENTS, STATE, EMBED, HYPER, layers).double()


def _target_inputs():
    avail = torch.rand(ROWS, AGENTS, ACTIONS) < 0.6
    avail[..., 0] = True
    return draw(ROWS, AGENTS, ACTIONS), avail, draw(ROWS), torch.arange(ROWS) == 1, draw(ROWS, AGENTS, ACTIONS)


def _qmixer():
    states = draw(ROWS, STATE)
    tensors = [draw(ROWS, AGENTS), *(p.detach() for p in _mixer().parameters())]
    return Subject(
        lambda q, *p: ops.qmixer(q, states.to(q.device), p),
        lambda q, *p: reference.qmixer(q, states.to(q.device), p),
        tensors,
    )


def _qmixer_loss():
    states, targets, weights = draw(ROWS, STATE), draw(ROWS), draw(ROWS).abs()
    tensors = [draw(ROWS, AGENTS), *(p.detach() for p in _mixer().parameters())]

    def made(function):
        def loss(q, *p):
            s, t, w = (x.to(q.device) for x in (states, targets, weights))
            return function(q, s, p, t, w)[0]

        return loss

    return Subject(made(ops.qmixer_loss), made(reference.qmixer_loss), tensors)


def _td_target():
    next_qs, avail, rewards, terminated, online = _target_inputs()
    _, *weights = _mixing()

    def made(function):
        return lambda q, r, o, *w: function(q, avail.to(q.device), r, terminated.to(q.device), 0.9, *w, o)

    return Subject(made(ops.td_target), made(reference.td_target), [next_qs, rewards, online, *weights])


def _qmixer_td_target():
    next_qs, avail, rewards, terminated, online = _target_inputs()
    states, parameters = draw(ROWS, STATE), [p.detach() for p in _mixer(1).parameters()]

    def fused(q, r, o, s, *p):
        return ops.qmixer_td_target(q, avail.to(q.device), r, terminated.to(q.device), 0.9, s, p, o)

    def composed(q, r, o, s, *p):
        weights = reference.hypernetworks(s, p)
        return reference.td_target(q, avail.to(q.device), r, terminated.to(q.device), 0.9, *weights, o)

    return Subject(fused, composed, [next_qs, rewards, online, states, *parameters])


def _greedy():
    next_qs, avail, _, terminated, online = _target_inputs()
    made = lambda f: lambda q, o: f(q, avail.to(q.device), terminated.to(q.device), o)  # noqa: E731
    return Subject(made(ops.greedy_next_qs), made(reference.greedy_next_qs), [next_qs, online])


def _mlp():
    features = draw(2 * AGENTS, OBS)
    shapes = ((HIDDEN, OBS + AGENTS), (HIDDEN,), (ACTIONS, HIDDEN), (ACTIONS,))
    made = lambda f: lambda *p: f(features.to(p[0].device), p, AGENTS)  # noqa: E731
    return Subject(made(ops.mlp), made(reference.mlp), [draw(*shape) for shape in shapes])


def _gru():
    shapes = ((ROWS, OBS), (3 * HIDDEN, OBS), (3 * HIDDEN, HIDDEN), (3 * HIDDEN,), (3 * HIDDEN,))
    made = lambda f: lambda x, *p: f(x, SIZES, *p)  # noqa: E731
    return Subject(made(ops.gru), made(reference.gru), [draw(*shape) for shape in shapes])


def _linear():
    made = lambda f: lambda x, w, b: f(x, w, b, True)  # noqa: E731
    return Subject(made(ops.linear), made(reference.linear), [draw(ROWS, OBS), draw(HIDDEN, OBS), draw(HIDDEN)])


def _padding():
    lengths = torch.tensor([2, 1])
    made = lambda f: lambda x, y: f(lengths.to(x.device), [x], [x], [y])  # noqa: E731
    return Subject(
        lambda x, y: torch.cat([made(ops.pad_episodes)(x, y).points[0], made(ops.pad_episodes)(x, y).steps[0]]),
        lambda x, y: torch.cat([made(reference.pad_episodes)(x, y)[k][0] for k in (0, 2)]),
        [draw(2, 3, OBS), draw(2, 2, OBS)],
    )


def _packing():
    lengths = torch.tensor([2, 1])
    function = lambda x, y: ops.pack_episodes(lengths, [x], [], [y]).points[0]  # noqa: E731
    twin = lambda x, y: torch.stack([x[0, 0], x[1, 0], x[0, 1], x[1, 1], x[0, 2]])  # noqa: E731
    return Subject(function, twin, [draw(2, 3, OBS), draw(2, 2, OBS)])


def _adam():
    def made(function):
        def step(p, g):
            block = [p.detach() + 0, g.detach() + 0]
            function(*block, torch.zeros_like(p), torch.zeros_like(p), 1, 1e-3, max_norm=1.0)
            return block[0]

        return step

    return Subject(made(ops.adam), made(reference.adam), [draw(7), draw(7)])


def of_module(module, twin, *inputs):
    """A module as a function of its inputs and parameters, by ``functional_call``."""
    names, own = zip(*module.named_parameters(), strict=True)

    def function(*tensors):
        parameters = dict(zip(names, tensors[len(inputs) :], strict=True))
        return torch.func.functional_call(module, parameters, tensors[: len(inputs)])

    function.inner = module, len(inputs)
    constants = [p.detach() for p in own]
    twin.inner = (lambda *x: twin(*x, *constants)), len(inputs)
    return Subject(function, twin, [*inputs, *(p.detach() for p in module.parameters())])


class Unrolled(torch.nn.Module):
    """An agent whose call is its unroll."""

    def __init__(self, agent):
        super().__init__()
        self.agent = agent

    def forward(self, obs):
        return self.agent.unroll(obs, SIZES)


def _qmixer_module(layers):
    return of_module(
        _mixer(layers), lambda q, s, *p: reference.qmixer(q, s, p), draw(ROWS, AGENTS), draw(ROWS, STATE)
    )


def _mlp_agent():
    def twin(obs, *p):
        return reference.mlp(obs.flatten(0, 1), p, AGENTS).unflatten(0, (-1, AGENTS))

    return of_module(Unrolled(MLPAgent(OBS, ACTIONS, AGENTS, HIDDEN).double()), twin, draw(ROWS, AGENTS, OBS))


def _gru_agent():
    def twin(obs, *p):
        features = reference.mlp(obs.flatten(0, 1), p[:2], AGENTS).relu()
        hidden = reference.gru(features, [k * AGENTS for k in SIZES.tolist()], *p[2:6])
        return reference.mlp(hidden, p[6:]).unflatten(0, (-1, AGENTS))

    return of_module(Unrolled(GRUAgent(OBS, ACTIONS, AGENTS, HIDDEN).double()), twin, draw(ROWS, AGENTS, OBS))


SUBJECTS = {
    "`ops.mix`": lambda: Subject(ops.mix, reference.mix, _mixing()),
    "`ops.qmixer`": _qmixer,
    "`ops.qmixer_loss`": _qmixer_loss,
    "`ops.td_target`": _td_target,
    "`ops.qmixer_td_target`": _qmixer_td_target,
    "`ops.greedy_next_qs`": _greedy,
    "`ops.mlp`": _mlp,
    "`ops.gru`": _gru,
    "`ops.linear`": _linear,
    "`ops.pad_episodes`": _padding,
    "`ops.pack_episodes`": _packing,
    "`ops.adam`": _adam,
    "`nn.QMixer`": lambda: _qmixer_module(2),
    "`nn.QMixer`, 1 layer": lambda: _qmixer_module(1),
    "`nn.MLPAgent`": _mlp_agent,
    "`nn.GRUAgent`": _gru_agent,
}

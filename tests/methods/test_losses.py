"""Losses and gradients of the methods against their equations written out, in float64."""

import pytest
import torch
from plain_methods import plain_method_loss
from random_episodes import make_batch, make_learner

from pyqmix import ConfigError
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.rows import StepRows
from pyqmix.ops import NoAvailableActionError

ARGUMENTS = {
    "cw_qmix": {"alpha": 0.3, "central_dim": 5},
    "ow_qmix": {"alpha": 0.3, "central_dim": 5},
    "qplex": {"n_heads": 3, "attention_layers": 2, "attention_dim": 5},
    "qtran": {"lambda_opt": 0.7, "lambda_nopt": 0.4, "joint_dim": 5},
    "qatten": {"n_heads": 3},
}
OPTIONS = [
    {"agent": "mlp", "double_q": True},
    {"agent": "gru", "double_q": False, "loss": "transitions"},
    {"agent": "mlp", "td_lambda": 0.6},
]


def learner_of(mixer, **options):
    return make_learner(mixer=mixer, mixer_args=ARGUMENTS[mixer], **options)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda x: "-".join(map(str, x.values())))
@pytest.mark.parametrize("mixer", ARGUMENTS)
def test_loss_and_gradients_are_those_of_the_equations(mixer, options):
    learner, batch = learner_of(mixer, **options), make_batch()
    loss, _, _ = learner.loss(batch)
    truth = plain_method_loss(learner, batch)
    torch.testing.assert_close(loss, truth, rtol=1e-9, atol=1e-9)
    ours = torch.autograd.grad(loss, learner.parameters)
    plain = torch.autograd.grad(truth, learner.parameters, allow_unused=True)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("mixer", ARGUMENTS)
def test_the_losses_of_fixed_shapes_and_of_single_transitions_are_finite(mixer):
    """Padding contributes nothing to a loss on rows of fixed shape, whatever it holds."""
    learner, batch = learner_of(mixer), make_batch()
    assert torch.isfinite(learner_of(mixer, batch_transitions=7).loss(batch)[0])
    step = AutogradStep(learner.networks, learner.config)
    step.lay_out = StepRows.of_fixed_shape
    loss, _, _ = step.loss(*learner._prepare(learner._inputs(batch), step))
    torch.testing.assert_close(loss, learner.loss(batch)[0])


@pytest.mark.parametrize("mixer", ARGUMENTS)
def test_an_agent_without_action_is_named(mixer):
    batch = make_batch((2, 4, 3))
    batch.avail[2, 2, 1] = False
    with pytest.raises(NoAvailableActionError, match="episode 2, step 1, agent 1"):
        learner_of(mixer).loss(batch)


@pytest.mark.parametrize(
    ("mixer", "arguments", "message"),
    [
        ("cw_qmix", {"alpha": 0.0}, "alpha: expected a number above 0 and at most 1, got 0.0"),
        ("ow_qmix", {"central_dim": 0}, "central_dim: expected an integer of at least 1, got 0"),
        ("qplex", {"n_heads": 0}, "n_heads: expected an integer of at least 1, got 0"),
        ("qtran", {"lambda_opt": -1}, "lambda_opt: expected a number from 0 to inf, got -1"),
        ("qatten", {"n_heads": "4"}, "n_heads: expected an integer of at least 1, got '4'"),
    ],
)
def test_arguments_are_checked(mixer, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make_learner(mixer=mixer, mixer_args=arguments)

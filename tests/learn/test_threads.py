"""The bits of training steps do not depend on the number of threads of the kernels."""

import pytest
import torch

from pyqmix import Config, ops
from pyqmix.base.kernel_threads import kernel_threads, kernel_threads_of, set_kernel_threads
from pyqmix.base.spec import EpisodeSpec
from pyqmix.learn.learner import Learner
from pyqmix.learn.torch_products import has_torch_products
from pyqmix.replay.batch import EpisodeBatch

SMALL = EpisodeSpec(n_agents=3, obs_dim=6, n_actions=5, state_dim=8, episode_limit=30)  # of several chunks of rows
LARGE = EpisodeSpec(n_agents=8, obs_dim=30, n_actions=9, state_dim=60, episode_limit=60)  # torch would share sums
SIZES = {"batch_size": 24, "target_update": 2, "hidden_dim": 16, "embed_dim": 8, "hypernet_dim": 16}
OPTIONS = {
    "one step": {},
    "double-Q": {"double_q": True},
    "TD(lambda)": {"td_lambda": 0.6},
    "n-step": {"n_step": 3, "double_q": True},
    "one layer": {"hypernet_layers": 1, "td_lambda": 0.3},
    "prioritised": {"prioritised": True, "n_step": 2},
    "of each agent": {"share_parameters": False, "td_lambda": 0.6},
    "transitions": {"loss": "transitions", "td_lambda": 0.6},
    "standardised": {"standardise_rewards": "masked", "td_lambda": 0.6},
    "padded": {"standardise_rewards": "padded"},
    "RMSprop": {"optimizer": "rmsprop", "target_tau": 0.3},
    "drawn": {"batch_transitions": 700},
}
CASES = [("mlp", name) for name in OPTIONS] + [("gru", name) for name in OPTIONS if name != "drawn"]
METHODS = ("cw_qmix", "ow_qmix", "qatten", "qplex", "qtran")


def batch_of(spec, episodes):
    batch, draws = EpisodeBatch.empty(spec, episodes), torch.Generator().manual_seed(1)
    for tensor in (batch.obs, batch.states, batch.rewards):
        tensor.normal_(generator=draws)
    batch.avail.fill_(True)
    batch.terminated.fill_(False)
    batch.actions.random_(spec.n_actions, generator=draws)
    batch.lengths.random_(spec.episode_limit // 3, spec.episode_limit + 1, generator=draws)
    batch.lengths[0] = spec.episode_limit
    return batch


def learned(threads, spec=SMALL, steps=3, **options):
    """All numbers of some training steps with a number of threads."""
    config = Config(**{**SIZES, **options})
    with kernel_threads_of(threads):
        learner, batch = Learner(spec, config), batch_of(spec, config.batch_size)
        importance = torch.linspace(0.5, 1.0, config.batch_size) if config.prioritised else None
        stats = [learner.update(batch, importance) for _ in range(steps)]
    errors = [] if importance is None else [stats[-1].episode_errors]
    return [learner.flat.block.detach(), learner.target_flat.block, *(each.scalars for each in stats), *errors]


def require_same_bits(spec=SMALL, **options):
    expected = learned(1, spec, **options)
    for threads in (2, 3, 5):
        for got, known in zip(learned(threads, spec, **options), expected, strict=True):
            assert torch.equal(got, known), threads


@pytest.mark.parametrize("mixer", ["qmix", "vdn", "iql"])
@pytest.mark.parametrize(("agent", "name"), CASES)
def test_the_number_of_threads_changes_no_bit(agent, mixer, name):
    require_same_bits(agent=agent, mixer=mixer, **OPTIONS[name])


@pytest.mark.parametrize("mixer", METHODS)
def test_nor_with_the_mixers_of_other_methods(mixer):
    require_same_bits(agent="gru", mixer=mixer)


@pytest.mark.slow
@pytest.mark.parametrize("mixer", ["qmix", "vdn", "iql"])
@pytest.mark.parametrize(("agent", "name"), CASES)
def test_nor_of_a_large_batch(agent, mixer, name):
    options = OPTIONS[name] | ({"batch_transitions": 40_000} if name == "drawn" else {})
    require_same_bits(LARGE, agent=agent, mixer=mixer, **{**options, "hidden_dim": 64})


def test_a_product_that_depends_on_it_is_noticed(monkeypatch):
    kernel = ops.mlp
    monkeypatch.setattr(ops, "mlp", lambda *x, **y: kernel(*x, **y) * (1 + 1e-6 * (kernel_threads() > 2)))
    with pytest.raises(AssertionError, match="3"):
        require_same_bits(agent="gru", td_lambda=0.6)


def test_recurrent_agents_take_no_products_of_torchs(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a product of torch's")

    monkeypatch.setattr(torch.nn.functional, "linear", refuse)
    for name in ("baddbmm", "mm", "bmm", "matmul"):
        monkeypatch.setattr(torch, name, refuse)
    for mixer in ("qmix", "vdn", "iql"):
        for share in (True, False):
            learned(1, agent="gru", mixer=mixer, td_lambda=0.6, share_parameters=share)


def test_which_training_steps_multiply_in_torch():
    def of(**options):
        return has_torch_products(Learner(SMALL, Config(**{**SIZES, **options})))

    for agent in ("mlp", "gru"):
        assert not any(of(agent=agent, mixer=mixer) for mixer in ("qmix", "vdn", "iql"))
        assert all(of(agent=agent, mixer=mixer) for mixer in METHODS)
    assert of(backend="reference")
    learner = Learner(SMALL, Config(**SIZES))
    learner.agent.fc2.register_forward_hook(lambda *_: None)
    assert has_torch_products(learner)


def test_the_number_of_the_kernels_is_torchs_or_their_own():
    torch.set_num_threads(3)
    assert kernel_threads() == 3
    with kernel_threads_of(2):
        assert kernel_threads() == 2
        set_kernel_threads(4)
        assert (kernel_threads(), torch.get_num_threads()) == (4, 3)
    assert kernel_threads() == 3

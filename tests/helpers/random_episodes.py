"""Batches of random episodes, and learners for them, in float64."""

import torch

from pyqmix import Config
from pyqmix.base.spec import EpisodeSpec
from pyqmix.learn.learner import Learner
from pyqmix.replay import EpisodeBatch

N, A, OBS, S = 2, 4, 3, 5
SPEC = EpisodeSpec(n_agents=N, n_actions=A, obs_dim=OBS, state_dim=S, episode_limit=6)


def make_batch(lengths=(4, 1, 3), seed=0, garbage=float("nan")):
    """Episodes of random content whose padding holds garbage."""
    random = torch.Generator().manual_seed(seed)
    b, t = len(lengths), max(lengths)
    steps = torch.tensor(lengths)
    avail = torch.rand(b, t + 1, N, A, generator=random) < 0.5
    avail.scatter_(-1, torch.randint(A, (b, t + 1, N, 1), generator=random), True)
    batch = EpisodeBatch(
        obs=torch.randn(b, t + 1, N, OBS, generator=random, dtype=torch.float64),
        avail=avail,
        states=torch.randn(b, t + 1, S, generator=random, dtype=torch.float64),
        actions=torch.randint(A, (b, t, N), generator=random),
        rewards=torch.randn(b, t, generator=random, dtype=torch.float64),
        terminated=torch.zeros(b, t, dtype=torch.bool),
        lengths=steps,
    )
    batch.terminated[0, lengths[0] - 1] = True  # the others are truncated
    behind = torch.arange(t + 1) > steps.unsqueeze(1)
    batch.obs[behind], batch.states[behind], batch.avail[behind] = garbage, garbage, False
    batch.rewards[~batch.mask] = garbage
    batch.actions[~batch.mask] = A - 1
    return batch


def make_learner(**options):
    learner = Learner(SPEC, Config(hidden_dim=8, embed_dim=4, hypernet_dim=6, **options), dtype=torch.float64)
    with torch.no_grad():  # targets that differ from the online networks, as in the middle of a run
        for network in (learner.target_agent, learner.target_mixer):
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return learner

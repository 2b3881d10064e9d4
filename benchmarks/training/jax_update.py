"""The same training step in JAX, jitted as a whole: what a compiler makes of it on the CPU.

Episodes of one length, time-major, no padding. The online network sees o, the target network o' (a recurrent one
all points), and nothing else is computed; loss, gradients, clipping and Adam are one program, whose parameters are
given up to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pyqmix.learn.learner import Learner
from pyqmix.replay import EpisodeBatch

Arrays = dict[str, jax.Array]


def parameters(learner: Learner) -> Arrays:
    """Copy the online networks' parameters, by their names."""
    modules = {"agent": learner.agent, "mixer": learner.mixer}
    return {
        f"{kind}.{name}": jnp.array(parameter.detach().numpy())
        for kind, module in modules.items()
        for name, parameter in module.named_parameters()
    }


def time_major(batch: EpisodeBatch) -> Arrays:
    """Copy a batch of episodes of one length as (T, B, ...) arrays, observations and states (T+1, B, ...)."""
    assert bool((batch.lengths == batch.lengths[0]).all())
    by_time = {name: np.moveaxis(x.numpy(), 1, 0) for name, x in batch.tensors().items() if name != "lengths"}
    return {name: jnp.array(x) for name, x in by_time.items()}


def linear(p: Arrays, name: str, x: jax.Array) -> jax.Array:
    """One linear layer."""
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def hypernet(p: Arrays, name: str, x: jax.Array) -> jax.Array:
    """Linear - ReLU - linear."""
    return linear(p, f"{name}.2", jax.nn.relu(linear(p, f"{name}.0", x)))


def first_layer(p: Arrays, obs: jax.Array) -> jax.Array:
    """The agents' first layer; the one-hot agent id selects a column of its weights."""
    weight = p["agent.fc1.weight"]
    width = obs.shape[-1]
    return jax.nn.relu(obs @ weight[:, :width].T + p["agent.fc1.bias"] + weight[:, width:].T)


def mlp_values(p: Arrays, obs: jax.Array) -> jax.Array:
    """Map observations (T, B, n, O) to values (T, B, n, A)."""
    return linear(p, "agent.fc3", jax.nn.relu(linear(p, "agent.fc2", first_layer(p, obs))))


def gru_values(p: Arrays, obs: jax.Array) -> jax.Array:
    """Map observations (T, B, n, O) to values (T, B, n, A); the features' products are one for all steps."""
    features = first_layer(p, obs)
    of_inputs = features @ p["agent.rnn.weight_ih_l0"].T + p["agent.rnn.bias_ih_l0"]
    weight, bias = p["agent.rnn.weight_hh_l0"], p["agent.rnn.bias_hh_l0"]

    def step(hidden: jax.Array, of_input: jax.Array) -> tuple[jax.Array, jax.Array]:
        reset_i, update_i, new_i = jnp.split(of_input, 3, -1)
        reset_h, update_h, new_h = jnp.split(hidden @ weight.T + bias, 3, -1)
        update = jax.nn.sigmoid(update_i + update_h)
        candidate = jnp.tanh(new_i + jax.nn.sigmoid(reset_i + reset_h) * new_h)
        hidden = (1 - update) * candidate + update * hidden
        return hidden, hidden

    flat = of_inputs.reshape(len(obs), -1, of_inputs.shape[-1])
    _, hidden = jax.lax.scan(step, jnp.zeros((flat.shape[1], features.shape[-1])), flat)
    return linear(p, "agent.fc2", hidden.reshape(features.shape))


def mix(p: Arrays, agent_qs: jax.Array, states: jax.Array) -> jax.Array:
    """Mix agent_qs (T, B, n) under states (T, B, S) into q_tot (T, B)."""
    w1 = jnp.abs(hypernet(p, "mixer.hyper_w_1", states)).reshape(*agent_qs.shape, -1)
    hidden = jax.nn.elu(jnp.einsum("tbn,tbne->tbe", agent_qs, w1) + linear(p, "mixer.hyper_b_1", states))
    w_final = jnp.abs(hypernet(p, "mixer.hyper_w_final", states))
    return (hidden * w_final).sum(-1) + hypernet(p, "mixer.V", states)[..., 0]


def make_loss(agent: str, gamma: float) -> Callable[[Arrays, Arrays, Arrays], jax.Array]:
    """Build the loss of online parameters, target parameters and batch, for the agent ``mlp`` or ``gru``."""
    values = gru_values if agent == "gru" else mlp_values

    def loss(online: Arrays, target: Arrays, batch: Arrays) -> jax.Array:
        obs, states = batch["obs"], batch["states"]
        next_qs = values(target, obs)[1:] if agent == "gru" else values(target, obs[1:])
        best = jnp.where(batch["avail"][1:], next_qs, -jnp.inf).max(-1)
        best = jnp.where(batch["terminated"][..., None], 0.0, best)
        following = jnp.where(batch["terminated"], 0.0, mix(target, best, states[1:]))
        y = jax.lax.stop_gradient(batch["rewards"] + gamma * following)
        chosen = jnp.take_along_axis(values(online, obs[:-1]), batch["actions"][..., None], -1)[..., 0]
        return jnp.square(y - mix(online, chosen, states[:-1])).mean()  # all episodes are of one length

    return loss


def make_update(agent: str, gamma: float, lr: float, grad_clip: float) -> Callable[..., Any]:
    """Build the jitted step (state, target parameters, batch) -> (state, loss)."""
    loss = make_loss(agent, gamma)

    def update(state: Any, target: Arrays, batch: Arrays) -> Any:
        online, first, second, count = state
        value, grads = jax.value_and_grad(loss)(online, target, batch)
        norm = jnp.sqrt(sum(jnp.square(grad).sum() for grad in grads.values()))
        scale = jnp.minimum(1.0, grad_clip / (norm + 1e-6))
        count = count + 1
        of_first, of_second = 1 - 0.9**count, 1 - 0.999**count
        new: tuple[Arrays, Arrays, Arrays] = ({}, {}, {})
        for name, grad in grads.items():
            new[1][name] = 0.9 * first[name] + 0.1 * scale * grad
            new[2][name] = 0.999 * second[name] + 0.001 * jnp.square(scale * grad)
            deviation = jnp.sqrt(new[2][name] / of_second) + 1e-8
            new[0][name] = online[name] - lr * new[1][name] / of_first / deviation
        return (*new, count), value

    return jax.jit(update, donate_argnums=0)


def initial_state(online: Arrays) -> Any:
    """Parameters and Adam's moments before the first step; copies, since a step gives its state up."""
    zeros = [{name: jnp.zeros_like(p) for name, p in online.items()} for _ in range(2)]
    return ({name: jnp.array(p) for name, p in online.items()}, *zeros, jnp.zeros(()))

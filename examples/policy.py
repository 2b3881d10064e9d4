"""A trained policy in a plain script: observations go in and actions come out, as numpy arrays.

It trains one first, or takes a run of the command line, from the folder that holds examples/:

    pyqmix-train --env examples.gymnasium_env:Corridor --total-steps 20000 --run-dir runs/corridor
    python examples/policy.py runs/corridor
"""

import sys

import gymnasium_env as example

import pyqmix


def play(policy, env, seed):
    """Play an episode through the environment's own interface and tell whether the agents have swapped ends."""
    observations, info = env.reset(seed=seed)
    policy.reset()  # a policy with memory forgets the episode before
    while True:
        actions = policy.act(observations, info["action_mask"])
        observations, _, terminated, truncated, info = env.step(actions)
        if terminated or truncated:
            return terminated


def main():
    folder = (
        sys.argv[1] if len(sys.argv) > 1 else pyqmix.train(example.SHORT, env=example.Corridor, quiet=True).run_dir
    )
    policy = pyqmix.load_policy(folder)
    env = example.Corridor()
    observations, _ = env.reset(seed=0)
    print(policy.q_values(observations).round(2))  # of each agent and action, at the start
    print(sum(play(policy, env, seed) for seed in range(50)) / 50)


if __name__ == "__main__":
    main()

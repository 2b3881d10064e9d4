"""Play native episodes with random actions and print checksums of states, observations and rewards.

They are the same on every CPU.
"""

import hashlib

import numpy as np

import pyqmix

TASKS = [
    ("lbf", "Foraging-8x8-2p-2f-coop-v3"),
    ("lbf", "Foraging-2s-10x10-4p-4f-pen-v3"),
    ("smax", "3s5z"),
    ("smax", "27m_vs_30m"),
    ("smax", "smacv2_20_units"),
]
ENVS, STEPS = 4, 120


def checksum(env: str, task: str) -> str:
    envs = pyqmix.make_env(env, task=task, num_envs=ENVS, seed=0)
    random, seen = np.random.default_rng(0), hashlib.sha256()
    observations, infos = envs.reset()
    for _ in range(STEPS):
        available = infos["avail_actions"]
        actions = np.argmax(random.random(available.shape) * available, -1)
        for part in (observations, infos["state"], available, actions):
            seen.update(np.ascontiguousarray(part).tobytes())
        observations, *outcome, infos = envs.step(actions)
        for part in outcome:
            seen.update(np.ascontiguousarray(part).tobytes())
    return seen.hexdigest()


if __name__ == "__main__":
    for env, task in TASKS:
        print(env, task, checksum(env, task)[:16])

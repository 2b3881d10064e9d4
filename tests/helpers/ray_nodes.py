"""A Ray cluster of two nodes on the loopback, in a process that ends with its stdin."""

import subprocess
import sys


class RayNodes:
    """A context manager.

    Args:
        cpus: of each node.

    Attributes:
        address: of the cluster.
    """

    def __init__(self, cpus=1):
        self._cpus = str(cpus)

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._cpus],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.address = self._process.stdout.readline().decode().strip()
        assert self.address
        return self

    def __exit__(self, *_):
        with self._process:  # closes its streams, and waits
            self._process.stdin.close()

    def kill(self):
        """Kill the second node's raylet, as SIGKILL would."""
        self._say("kill")

    def add(self):
        """Start a second node."""
        self._say("add")

    def _say(self, word):
        self._process.stdin.write(f"{word}\n".encode())
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{word}\n".encode()


def main():
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    ray_constants.ENABLE_RAY_CLUSTER = False  # Ray replaces 127.0.0.1 by the network's address otherwise
    node = {"num_cpus": int(sys.argv[1]), "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    second = cluster.add_node(**node)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(second, allow_graceful=False)
        else:
            second = cluster.add_node(**node)
        print(line.strip(), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()

"""A Ray cluster is joined or started, with one line for a mistake, and signals keep their handlers."""

import os
import signal
import socket
import subprocess
import sys
import types

import pytest

from pyqmix import ConfigError
from pyqmix.base import ray_cluster


class FakeRay(types.ModuleType):
    """Ray as far as the module calls it."""

    def __init__(self, error=None):
        super().__init__("ray")
        self.error, self.options, self.ends = error, None, 0

    def is_initialized(self):
        return self.options is not None

    def init(self, **options):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.error is not None:
            raise self.error
        self.options = options
        self.seen = self.constants.ENABLE_RAY_CLUSTER, self.constants.NUM_REDIS_GET_RETRIES

    def shutdown(self):
        self.options, self.ends = None, self.ends + 1


@pytest.fixture
def fake(monkeypatch):
    """Put a fake Ray in place, with nodes on this machine."""

    def put(error=None, nodes=("node",)):
        ray, private = FakeRay(error), types.ModuleType("ray._private")
        services, constants = types.ModuleType("services"), types.ModuleType("constants")
        services.find_node_ids = lambda: set(nodes)
        ray.constants, constants.ENABLE_RAY_CLUSTER, constants.NUM_REDIS_GET_RETRIES = constants, True, 20
        modules = {"ray": ray, "ray._private": private}
        modules |= {"ray._private.services": services, "ray._private.ray_constants": constants}
        modules |= {
            "ray._private.worker": types.ModuleType("worker"),
            "ray.job_config": types.ModuleType("config"),
        }
        modules["ray.job_config"].JobConfig = type("JobConfig", (), {})
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        return ray

    monkeypatch.setattr(ray_cluster, "_joined", 0)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return put


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_local_cluster_is_ended_and_the_programs_own_is_not(fake):
    ray = fake()
    before = signal.getsignal(signal.SIGTERM)
    assert ray_cluster.connect("local", 2) is ray
    assert signal.getsignal(signal.SIGTERM) is before
    assert ray.options["num_cpus"] == 2
    assert ray.seen == (False, 20)  # Ray may take 127.0.0.1, and has its time to start
    assert ray.constants.ENABLE_RAY_CLUSTER
    assert ray.options["_node_ip_address"] == "127.0.0.1"
    assert ray_cluster.connect("local") is ray  # a second part of the program
    ray_cluster.disconnect()
    assert ray.ends == 0
    ray_cluster.disconnect()
    ray_cluster.disconnect()
    assert ray.ends == 1
    ray.options = {}
    ray_cluster.connect("auto")
    ray_cluster.disconnect()
    assert ray.ends == 1


def test_a_cluster_by_its_address(fake, listening, monkeypatch):
    ray = fake()
    ray_cluster.connect(listening, 2)
    assert ray.options["address"] == listening
    assert "num_cpus" not in ray.options
    assert ray.seen == (False, ray_cluster._TRIES)
    ray_cluster.disconnect()
    os.environ["RAY_ADDRESS"] = listening
    ray_cluster.connect("auto")
    assert ray.options["address"] == "auto"  # which Ray replaces by RAY_ADDRESS


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: Connection refused"),
        ("ray://somewhere:10001", "Ray Client is not supported"),
        ("somewhere", "expected auto, local or HOST:PORT, got 'somewhere'"),
        ("somewhere:many", "expected auto, local or HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster(fake, address, words):
    ray = fake()
    with pytest.raises(ConfigError, match=words):
        ray_cluster.connect(address)
    assert ray.options is None


def test_a_cluster_that_cannot_be_joined(fake, listening, monkeypatch):
    fake(RuntimeError("Version mismatch:\n  Ray: 2.0\n"))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConfigError, match=r"cannot join a cluster by '127.*': Version mismatch: Ray: 2.0$"):
        ray_cluster.connect(listening)
    assert signal.getsignal(signal.SIGTERM) is before
    fake(nodes=())
    with pytest.raises(ConfigError, match="this machine is no node"):
        ray_cluster.connect(listening)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"ray: expected Ray: pip install 'pyqmix-marl\[ray\]'"):
        ray_cluster.connect("local")


_REAL = """
import signal, socket
from pyqmix.base import ray_cluster

before = signal.getsignal(signal.SIGTERM)
ray = ray_cluster.connect("local", 1)
assert signal.getsignal(signal.SIGTERM) is before
assert ray.cluster_resources()["CPU"] == 1
assert ray.get(ray.remote(lambda: 3).remote()) == 3
nodes = ray.nodes()
assert [node["NodeManagerAddress"] for node in nodes] == ["127.0.0.1"]
for other in {i[4][0] for i in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "::1"}:
    try:
        socket.create_connection((other, nodes[0]["NodeManagerPort"]), 1)
    except OSError:
        pass
    else:
        raise AssertionError(f"a port is open to {other}")
ray_cluster.disconnect()
assert not ray.is_initialized()
"""


@pytest.mark.slow
def test_a_real_local_cluster(tmp_path):
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", _REAL], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

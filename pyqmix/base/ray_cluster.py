"""Joins a cluster of Ray, or starts one of this machine alone; Ray is imported only then."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.signals import STOPPING

WAIT = 5.0  # seconds for a TCP connection; Ray itself waits for minutes where nobody answers
_TRIES = 3  # a second each, where a cluster answers but refuses; Ray makes 20
_LOOPBACK = ("127.0.0.1", "localhost")
# Calls of connect() that disconnect() has not ended yet; 0 where the program itself has initialised Ray.
_joined = 0


def connect(address: str, cpus: int | None = None, log_to_driver: bool = False) -> ModuleType:
    """Join the Ray cluster at an address, or start one on this machine; return the ``ray`` module.

    Where the program has initialised Ray already, that cluster is used. The handlers of signals stay as they
    are, although ``ray.init`` replaces one.

    Args:
        address: ``auto`` (the cluster that ``RAY_ADDRESS`` names, or one with a node on this machine),
            ``HOST:PORT`` of a cluster that this machine is a node of, or ``local``: a new cluster of this machine
            alone, whose ports are open to this machine only and which ends with :func:`disconnect` or the process.
        cpus: CPUs of a ``local`` cluster; None are those of the machine. Other clusters have their own.
        log_to_driver: write the output of Ray's workers to this process's.

    Raises:
        ConfigError: Ray is not installed, no cluster answers at the address, or it has another version of Ray or
            Python.
    """
    global _joined
    ray = _import_ray()
    if ray.is_initialized():
        _joined += _joined > 0
        return ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as coming versions do; ends a FutureWarning
    options: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": log_to_driver}
    options["job_config"] = _own_path()
    changed: dict[str, Any] = {}
    if address == "local":
        options.update(address="local", num_cpus=cpus, include_dashboard=False, _node_ip_address="127.0.0.1")
        changed["ENABLE_RAY_CLUSTER"] = False  # otherwise Ray replaces 127.0.0.1 by the network's address
    else:
        found = _answering(address)
        # Only by "auto" does Ray use the token that lies in the home directory without RAY_AUTH_MODE=token.
        options["address"] = address if address == "auto" else found
        changed["NUM_REDIS_GET_RETRIES"] = _TRIES
        if found.rpartition(":")[0] in _LOOPBACK:
            changed["ENABLE_RAY_CLUSTER"] = False
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it says that there is a token
    try:
        with _constants(changed), _kept_handlers():
            ray.init(**options)
    except Exception as error:  # of several classes of Ray's own
        with suppress(Exception):
            ray.shutdown()
        reason = " ".join(str(error).split())
        if isinstance(error, ConnectionError):  # of a cluster that answers
            reason += "; one with authentication needs its token here, and RAY_AUTH_MODE=token"
        raise ConfigError(f"ray_address: cannot join a cluster by {address!r}: {reason}") from error
    _print_messages(log_to_driver)
    _joined = 1
    return ray


def disconnect() -> None:
    """Leave the cluster that :func:`connect` joined, and end one that it started; leave one of the program alone.

    Call it once for each call of :func:`connect`; the last one counts.
    """
    global _joined
    if _joined == 1:
        with _kept_handlers():
            _import_ray().shutdown()
        _print_messages(True)
    _joined = max(0, _joined - 1)


def _import_ray() -> ModuleType:
    try:
        return import_module("ray")
    except ImportError as error:
        raise ConfigError("ray: expected Ray: pip install 'pyqmix-marl[ray]'") from error


def _answering(address: str) -> str:
    """Return ``HOST:PORT`` of a cluster; require that somebody listens there and that this machine is a node."""
    found = os.environ.get("RAY_ADDRESS") or _found_here() if address == "auto" else address
    host, colon, port = found.rpartition(":")
    if "://" in found:
        raise ConfigError(
            f"ray_address: expected auto, local or HOST:PORT of a cluster that this machine is a node of, got "
            f"{found!r}: Ray Client is not supported"
        )
    if not (host and colon and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ConfigError(f"ray_address: expected auto, local or HOST:PORT, got {found!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), WAIT).close()
    except OSError as error:
        raise ConfigError(f"ray_address: no Ray cluster answers at {found}: {error.strerror or error}") from error
    find_nodes = getattr(_services(), "find_node_ids", None)  # not in Ray 2.52, which waits for a node itself
    if find_nodes is not None and not find_nodes():
        raise ConfigError(
            f"ray_address: this machine is no node of a Ray cluster: run ray start --address={found} here first"
        )
    return found


def _found_here() -> str:
    """Return the address of a cluster with a node on this machine."""
    try:
        return str(_services().get_ray_address_from_environment("auto", None))
    except ConnectionError as error:
        raise ConfigError(
            "ray_address: found no Ray cluster on this machine: run ray start, or name a cluster by HOST:PORT or "
            "RAY_ADDRESS"
        ) from error


def _services() -> Any:
    return import_module("ray._private.services")  # Ray has no public function that finds a cluster


def _own_path() -> Any:
    """Keep Ray from putting this process's current folder first where its workers look for modules.

    A folder of the name of an installed package would be imported in its place, as pyqmix's source tree is.
    """

    class JobConfig(import_module("ray.job_config").JobConfig):  # type: ignore[misc]
        def _serialize(self) -> Any:
            self._py_driver_sys_path.clear()
            return super()._serialize()

    return JobConfig()


def _print_messages(enabled: bool) -> None:
    """Let Ray print the last lines of a node's log to stdout where the node dies, or keep it from that."""
    worker: Any = import_module("ray._private.worker")
    worker._worker_logs_enabled = enabled


@contextmanager
def _constants(values: Mapping[str, Any]) -> Iterator[None]:
    """Give constants of Ray, which it reads from the environment at its import, other values meanwhile."""
    constants = import_module("ray._private.ray_constants")
    before = {name: getattr(constants, name) for name in values}
    try:
        vars(constants).update(values)
        yield
    finally:
        vars(constants).update(before)


@contextmanager
def _kept_handlers() -> Iterator[None]:
    """Give the stopping signals their handlers back afterwards: ``ray.init`` ends the process upon SIGTERM."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                with suppress(ValueError):  # not the main thread, in which Ray takes none either
                    signal.signal(number, handler)

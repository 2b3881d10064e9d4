"""The cores of this process: those of its affinity, as far as its control groups leave their time."""

import os

import pytest
from control_groups import V1, V2, Machine

from pyqmix.base import cores as module
from pyqmix.base.control_groups import cores_in_groups
from pyqmix.base.cores import usable_cores


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def version_2(group, text):
    group.mkdir(parents=True, exist_ok=True)
    (group / "cpu.max").write_text(f"{text}\n")


def version_1(group, quota, period=100_000):
    group.mkdir(parents=True, exist_ok=True)
    (group / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (group / "cpu.cfs_period_us").write_text(f"{period}\n")


def test_every_group_from_the_own_one_to_the_mount_counts(machine):
    root = machine.mount("unified", "cgroup2")
    version_2(root / "a" / "b", "max 100000")
    version_2(root / "a", "150000 100000")
    version_2(root, "40000 20000")
    version_2(root / "other", "1000 100000")
    assert cores_in_groups(machine.proc(V2)) == [1.5, 2.0]


def test_version_1_is_found_by_its_controller(machine):
    version_1(machine.mount("memory", "cgroup", "rw,memory") / "a" / "b", 1)
    root = machine.mount("cpu,memory", "cgroup", "rw,cpu,memory")
    version_1(root / "a" / "b", 300_000)
    version_1(root / "a", -1)
    assert cores_in_groups(machine.proc(V1)) == [3.0]


@pytest.mark.parametrize("text", ["", "max", "1 2 3", "much 100000", "0 100000", "100000 0"])
def test_no_limit_can_be_read(machine, text):
    version_2(machine.mount("unified", "cgroup2"), text)
    assert cores_in_groups(machine.proc("0::/\n")) == []


def test_the_least_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    for limits, expected in (([], 6), ([8.0], 6), ([2.5, 4.0], 3), ([0.2], 1)):
        monkeypatch.setattr(module, "cores_in_groups", lambda limits=limits: limits)
        assert usable_cores() == expected


def test_this_machine_has_some():
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))

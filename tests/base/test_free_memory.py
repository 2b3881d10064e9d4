"""Free memory is the least that the machine, the process's control groups and its address space leave."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from control_groups import V1, V2, Machine

from pyqmix.base import free_memory as module
from pyqmix.base.control_groups import free_in_groups
from pyqmix.base.free_memory import MiB, free_memory


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def version_2(group, limit, used, droppable=0, high="max"):
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.high").write_text(f"{high}\n")
    (group / "memory.current").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"anon 5\nfile 7\ninactive_file {droppable}\n")


def version_1(group, limit, used, droppable=0):
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (group / "memory.usage_in_bytes").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"inactive_file 1\ntotal_cache 9\ntotal_inactive_file {droppable}\n")


def test_every_group_from_the_own_one_to_the_mount_counts(machine):
    root = machine.mount("unified", "cgroup2")
    version_2(root / "a" / "b", "max", 10)
    version_2(root / "a", 1_000, 400)
    version_2(root, 5_000, 100)
    version_2(root / "other", 1, 1)
    assert machine.free(V2) == {"unified/a": 600, "unified": 4_900}


def test_page_cache_that_is_not_in_use_is_free(machine):
    version_2(machine.mount("unified", "cgroup2"), 1_000, 700, droppable=500)
    version_1(machine.mount("memory", "cgroup", "rw,memory"), 1_000, 700, droppable=300)
    assert machine.free("4:memory:/\n0::/\n") == {"unified": 800, "memory": 600}


def test_a_group_is_slowed_beyond_memory_high(machine):
    version_2(machine.mount("unified", "cgroup2"), 1_000, 700, high=900)
    assert machine.free("0::/\n") == {"unified": 200}


def test_a_group_that_is_over_its_limit_leaves_nothing(machine):
    version_2(machine.mount("unified", "cgroup2"), 500, 700)
    assert machine.free("0::/\n") == {"unified": 0}


def test_version_1_is_found_by_its_controller(machine):
    version_1(machine.mount("cpuset", "cgroup", "rw,cpuset") / "a" / "b", 1, 1)
    version_1(machine.mount("cpu,memory", "cgroup", "rw,cpu,memory") / "a" / "b", 1_000, 100)
    assert machine.free(V1) == {"cpu,memory/a/b": 900}


def test_a_mount_may_begin_at_a_group(machine):
    """A container sees its own group at the mount; a group that lies elsewhere takes the limit of the mount."""
    root = machine.mount("unified", "cgroup2", root="/docker/1f")
    version_2(root / "job", 400, 0)
    version_2(root, 900, 0)
    assert machine.free("0::/docker/1f/job\n") == {"unified/job": 400, "unified": 900}
    for elsewhere in ("/", "/../../x", "/docker/2e", "/docker/1f/../2e"):
        assert machine.free(f"0::{elsewhere}\n") == {"unified": 900}


def test_the_folder_may_have_a_space(machine):
    version_2(machine.mount("my groups", "cgroup2"), 1_000, 1)
    assert machine.free(V2) == {"my groups": 999}


@pytest.mark.parametrize("own", ["", "nonsense\n", "4:memory\n", ":::\n", V1])
def test_no_limit_can_be_found(machine, own):
    version_2(machine.mount("unified", "cgroup2"), "max", 1)
    assert machine.free(own) == {}


def test_no_proc(tmp_path):
    assert free_in_groups(tmp_path / "absent") == []


def test_the_least_counts_and_is_named(monkeypatch):
    assert 0 < free_memory().size < 2**50
    monkeypatch.setattr(module, "free_in_groups", lambda: [(700 * MiB, Path("/g/a")), (3 * MiB, Path("/g"))])
    assert str(free_memory()) == "3.0 MiB are free in the control group /g"
    monkeypatch.setattr(module, "free_in_groups", lambda: [(2**60, Path("/g"))])
    assert str(free_memory()).endswith(" MiB are free")


def test_a_machine_without_any_limit(monkeypatch):
    monkeypatch.setattr(module, "free_in_groups", list)
    assert 0 < free_memory().size < 2**50
    assert free_memory().where == ""


def test_the_address_space_counts(monkeypatch):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limits = (used + 900 * MiB, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(module, "free_in_groups", list)
    free = free_memory()
    assert 800 * MiB < free.size <= 900 * MiB
    assert free.where == " under the limit of the address space (ulimit -v)"


MEMORY_V1 = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def group_of_700_mb():
    """A control group with 700 MB, inside this process's own one."""
    text = Path("/proc/self/cgroup").read_text()
    own = next((x.split(":")[2] for x in text.splitlines() if x.split(":")[1] == "memory"), None)
    group = MEMORY_V1 / (own or "").strip("/") / f"pyqmix-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("700M")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
def test_a_run_in_a_control_group_is_refused_or_trains_to_its_end(group_of_700_mb, tmp_path):
    def train(*options):
        command = [Path(sys.executable).parent / "pyqmix-train", "--env", "lbf", "--eval-episodes", "2", *options]
        return subprocess.run(
            ["sh", "-c", f'echo $$ > {group_of_700_mb}/cgroup.procs && exec "$@"', "sh", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    refused = train("--total-steps", "2000", "--buffer-size", "685000")
    assert refused.returncode == 2, refused
    (line,) = refused.stderr.splitlines()
    assert line.startswith("pyqmix-train: error: replay buffer: 685,000 episodes x ")
    assert " = 2,8" in line
    assert f" MiB are free in the control group {group_of_700_mb}; lower buffer_size" in line
    assert not (tmp_path / "runs").exists()
    small = train("--total-steps", "2000", "--buffer-size", "1000")
    assert small.returncode == 0, small

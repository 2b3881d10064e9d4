"""The lock of a run's folder, and a folder that somebody changes while a run writes it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from own_parts import Meeting
from run_files import results

from pyqmix import Config, ConfigError, train
from pyqmix.base import files
from pyqmix.run import folder, lock
from pyqmix.run.lock import FILE, LockedError, RunLock

TAKE = "from pathlib import Path; from pyqmix.run.lock import RunLock; lock = RunLock(Path('.'))"


@pytest.fixture
def take():
    """Take locks that are given back at the end."""
    taken = []

    def take(path):
        taken.append(RunLock(path))
        return taken[-1]

    yield take
    for each in taken:
        each.release()


@pytest.fixture
def holder(tmp_path):
    """Start a program that holds the lock of a folder until it is killed."""
    started = []

    def start(path):
        program = f"{TAKE}; print('locked', flush=True); import time; time.sleep(60)"
        started.append(
            subprocess.Popen([sys.executable, "-c", program], cwd=path, stdout=subprocess.PIPE, text=True)
        )
        assert started[-1].stdout.readline() == "locked\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_free(path):
    try:
        RunLock(path).release()
    except LockedError:
        return False
    return True


def test_one_thread_gets_the_lock(tmp_path):
    for _ in range(50):
        got, barrier = [], threading.Barrier(4)

        def take(got=got, barrier=barrier):
            barrier.wait()
            try:
                got.append(RunLock(tmp_path))
            except LockedError:
                got.append(None)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        locks = [each for each in got if each is not None]
        assert len(locks) == 1
        locks[0].release()
        assert not os.listdir(tmp_path)


@pytest.fixture(params=["F_OFD_SETLK", "flock"])
def kind(request, monkeypatch):
    """Both kinds of locks."""
    if request.param == "flock":

        def refuse(*_):
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(lock.fcntl, "fcntl", refuse)
    return request.param


def test_code_of_the_same_process_may_read_the_folder(kind, tmp_path, take):
    (tmp_path / "run").mkdir()
    held = take(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (tmp_path / "run" / FILE).read_text()
    assert held.works
    with pytest.raises(LockedError, match=r"run_dir: another run of this process is writing .*run$"):
        RunLock(tmp_path / "run")
    if kind == "F_OFD_SETLK":
        other = subprocess.run(
            [sys.executable, "-c", TAKE], cwd=tmp_path / "run", check=False, capture_output=True, text=True
        )
        assert f"another program is writing .: process {os.getpid()} on" in other.stderr
    assert is_free(tmp_path / "copy")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_does_not_hold_the_lock(kind, tmp_path):
    ours, theirs = os.pipe()
    held = RunLock(tmp_path)
    child = os.fork()
    if child == 0:
        try:
            held.release()  # as code that unwinds does: the parent's lock and file stay
            os.write(theirs, b"." if (tmp_path / FILE).exists() and not held.holds() else b"!")
            signal.pause()
        finally:
            os._exit(1)
    try:
        assert os.read(ours, 1) == b"."
        assert not is_free(tmp_path)
        held.release()
        assert is_free(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ours)
        os.close(theirs)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, take):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "fcntl", refuse)
    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    assert not take(tmp_path).works


def test_a_lock_that_is_refused_leaves_the_holders_file(tmp_path, take):
    take(tmp_path)
    with pytest.raises(LockedError):
        RunLock(tmp_path)
    assert (tmp_path / FILE).exists()
    assert not is_free(tmp_path)


def test_the_file_of_the_lock_may_be_removed(tmp_path, take):
    held = take(tmp_path)
    (tmp_path / FILE).unlink()
    assert held.holds()
    assert not is_free(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()  # which cannot be locked, by nobody
    assert held.holds()
    (tmp_path / FILE).rmdir()
    assert held.holds()
    assert not is_free(tmp_path)


def test_who_locks_a_removed_file_first_has_the_folder(tmp_path, take):
    held = take(tmp_path)
    (tmp_path / FILE).unlink()
    take(tmp_path)
    assert not held.holds()
    held.release()
    assert not is_free(tmp_path)


def test_another_folder_in_the_same_place_is_told_apart(tmp_path, take):
    run = tmp_path / "run"
    run.mkdir()
    held = take(run)
    shutil.rmtree(run)
    assert not held.holds()
    run.mkdir()  # may get the number of the inode again, unless the lock keeps it
    assert not held.holds()
    run.rename(tmp_path / "other")
    assert not held.holds()


def test_a_moved_folder_keeps_no_file_of_the_lock(tmp_path, take):
    (tmp_path / "run").mkdir()
    held = take(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    held.release()
    assert not os.listdir(tmp_path / "moved")


def test_the_names_of_new_folders_are_on_the_disk(tiny_config, tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(folder, "flush", flushed.append)
    folder.create(tiny_config(run_dir=str(tmp_path / "a/b/run"))).release()
    assert set(flushed) == {tmp_path, tmp_path / "a", tmp_path / "a/b"}


def test_a_folder_that_cannot_be_reopened_is_not_locked(tiny_run, tmp_path, monkeypatch):
    copy = shutil.copytree(tiny_run, tmp_path / "copy")
    for name in ("config.json.mine.partial", "config.json.abcd1234.partial"):
        (copy / name).touch()

    def fail(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", fail)
        with pytest.raises(ConfigError, match=r"run_dir: cannot write .*abcd1234\.partial: Permission denied$"):
            folder.reopen(str(copy))
    assert is_free(copy)
    folder.reopen(str(copy)).release()
    assert sorted(copy.glob("*.partial")) == [copy / "config.json.mine.partial"]


class Intruded(Meeting):
    """Somebody changes the run's folder in the middle."""

    change, steps = None, 0

    def step(self, actions):
        Intruded.steps += 1
        if Intruded.steps == 150:
            Intruded.change()
        return super().step(actions)


@pytest.fixture
def intruded(tiny_config, tmp_path, monkeypatch):
    """Train while somebody changes the run's folder; return the configuration of the run."""

    def start(change):
        monkeypatch.setattr(Intruded, "change", staticmethod(change))
        monkeypatch.setattr(Intruded, "steps", 0)
        config = tiny_config(run_dir=str(tmp_path / "run"))
        train(config, env=Intruded, quiet=True)
        return config

    return start


@pytest.mark.parametrize("live", [False, True])
def test_another_run_in_the_old_place_stays_as_it_is(intruded, tiny_run, tmp_path, live, holder):
    run = tmp_path / "run"

    def exchange():
        run.rename(tmp_path / "moved")
        shutil.copytree(tiny_run, run)
        if live:
            for name in ("config.json", "metrics.csv", "summary.json", "checkpoints"):
                path = run / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for path in run.iterdir():
                path.unlink()
            holder(run)  # of a run that has not written anything yet

    (tmp_path / "run-2").touch()
    with pytest.raises(OSError, match=r"run was removed or moved .* pyqmix-train --resume \S*/run-3$"):
        intruded(exchange)
    if live:
        assert [file.name for file in run.iterdir()] == [FILE]
    else:
        assert results(run) == results(tiny_run)
    again = tmp_path / "run-3"
    config = Config.from_json(again / "config.json")
    assert config.run_dir == str(again)
    assert train(config, env=Intruded, resume=True, quiet=True).summary["total_steps"] >= 300


def test_a_run_without_the_file_of_its_lock_goes_on(intruded, tmp_path):
    intruded((tmp_path / "run" / FILE).unlink)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert not (tmp_path / "run" / FILE).exists()


@pytest.mark.parametrize(("lost", "again"), [("*", "run"), ("checkpoints", "run-2")])
def test_a_folder_that_is_emptied_loses_nothing(intruded, tmp_path, lost, again):
    def empty():
        while found := list((tmp_path / "run").glob(lost)):  # a checkpoint may be on its way to the disk
            for path in found:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    with pytest.raises(OSError, match=f"was removed or moved .* pyqmix-train --resume .*/{again}$"):
        intruded(empty)
    config = Config.from_json(tmp_path / again / "config.json")
    assert train(config, env=Intruded, resume=True, quiet=True).summary["total_steps"] >= 300


def test_the_current_folder_gets_another_name(tiny_config, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    opened = folder.create(tiny_config(run_dir="."))
    files.write_text(tmp_path / "run/config.json", "{}")
    opened.make_again()
    opened.release()
    assert (opened.path, opened.name) == (tmp_path / "run-2", str(tmp_path / "run-2"))

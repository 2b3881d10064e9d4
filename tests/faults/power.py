"""Power loss at every call of one save: from each state that it may leave on disk, --resume goes on.

    LD_PRELOAD=shim.so python power.py STATES SIZES

A model of a disk replays the calls of a save, as shim.c logged them, up to each one. All, some or nothing is lost
of what was not synchronised by then: the data of a file is absent, cut, or zeros of the right length, as long as
the file was not synchronised; a name is absent or present, as long as its folder was not. STATES of the different
ones are tried, at random, or all with 0.
"""

import random
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import harness
import plants
import runs
from stopped import SIZES, Stopped


class File:
    """Content, and the part of it that a power loss cannot take."""

    def __init__(self, data: bytes = b"", kept: bytes = b"") -> None:
        self.data, self.kept = data, kept

    def write(self, offset: int, data: bytes) -> None:
        """Write at a place, behind zeros if the file is shorter."""
        self.resize(max(len(self.data), offset))
        self.data = self.data[:offset] + data + self.data[offset + len(data) :]

    def resize(self, size: int) -> None:
        """Cut, or append zeros."""
        self.data = self.data[:size].ljust(size, b"\0")

    def after_loss(self, fate: str) -> bytes:
        """Return one of the contents that it may have after a power loss."""
        if fate == "lost" or self.data == self.kept:
            return self.kept
        if fate == "written":
            return self.data
        common = 0  # the first bytes, which are not lost because they were not changed
        while common < min(len(self.kept), len(self.data)) and self.kept[common] == self.data[common]:
            common += 1
        if fate == "zeros":
            return self.data[:common].ljust(len(self.data), b"\0")
        return self.data[: (common + len(self.data)) // 2]


class Folder:
    """Names, and those of them that a power loss cannot take."""

    def __init__(self) -> None:
        self.names: dict[str, File | Folder] = {}
        self.kept: dict[str, File | Folder] = {}


class Change(NamedTuple):
    """Names that appear (with what they name) or vanish (None) together."""

    names: tuple[tuple[Folder, str, File | Folder | None], ...]


class Disk:
    """The files of a folder, and what of them is not synchronised.

    Args:
        run_dir: where a call's paths begin.
        inodes: by inode, the paths that are there at the beginning, all of them synchronised.
    """

    def __init__(self, root: Path, inodes: dict[int, list[str]]) -> None:
        self.root, self.files, self.pending = Folder(), {}, []
        for inode, paths in inodes.items():
            for path in paths:
                folder, name = self._place(path, make=True)
                data = (root / path.lstrip("/")).read_bytes()
                folder.names[name] = folder.kept[name] = self.files.setdefault(inode, File(data, data))

    def apply(self, call) -> None:
        """Do what a logged call did."""
        match call.kind:
            case "create":
                self._change((*self._place(call.path), self.files.setdefault(call.inode, File())))
            case "empty":
                self.files[call.inode].resize(0)
            case "write":
                self.files[call.inode].write(call.offset, call.data)
            case "truncate":
                self.files[call.inode].resize(call.offset)
            case "mkdir":
                self._change((*self._place(call.path), Folder()))
            case "link":
                self._change((*self._place(call.path2), self._named(call.path)))
            case "rename":
                moved = self._named(call.path)
                self._change((*self._place(call.path), None), (*self._place(call.path2), moved))
            case "unlink":
                self._change((*self._place(call.path), None))
            case "fsync":
                self._synchronise(self.files.get(call.inode) or self._named(call.path))

    def after_loss(self, changes: list[bool], fate) -> dict[str, bytes]:
        """Return the files by their paths after a power loss.

        Args:
            changes: which of the pending changes of names have reached the disk.
            fate: gives "lost", "written", "cut" or "zeros" for each file that was not synchronised.
        """
        kept = {folder: dict(folder.kept) for folder in self._folders()}
        for change, happened in zip(self.pending, changes, strict=True):
            for folder, name, what in change.names if happened else ():
                _set(kept.setdefault(folder, {}), name, what)
        found: dict[str, bytes] = {}
        self._collect(self.root, "", kept, fate, found)
        return found

    def whole(self) -> dict[str, bytes]:
        """Return the files by their paths if nothing is lost."""
        return self.after_loss([True] * len(self.pending), lambda: "written")

    def _collect(self, folder: Folder, path: str, kept: dict, fate, found: dict[str, bytes]) -> None:
        for name, what in kept.get(folder, {}).items():
            if isinstance(what, Folder):
                found[f"{path}/{name}/"] = b""
                self._collect(what, f"{path}/{name}", kept, fate, found)
            else:
                found[f"{path}/{name}"] = what.after_loss(fate())

    def _folders(self) -> list[Folder]:
        found, waiting = [], [self.root]
        while waiting:
            found.append(folder := waiting.pop())
            waiting += {
                id(f): f for f in [*folder.names.values(), *folder.kept.values()] if isinstance(f, Folder)
            }.values()
        return found

    def _change(self, *names: tuple[Folder, str, "File | Folder | None"]) -> None:
        for folder, name, what in names:
            _set(folder.names, name, what)
        self.pending.append(Change(names))

    def _synchronise(self, what: File | Folder) -> None:
        if isinstance(what, File):
            what.kept = what.data
            return
        reached = [any(folder is what for folder, _, _ in change.names) for change in self.pending]
        for change in (change for change, here in zip(self.pending, reached, strict=True) if here):
            for folder, name, named in change.names:
                _set(folder.kept, name, named)
        self.pending = [change for change, here in zip(self.pending, reached, strict=True) if not here]

    def _place(self, path: str, make: bool = False) -> tuple[Folder, str]:
        """Return the folder of a path, and its name in it."""
        *parents, name = path.strip("/").split("/")
        folder = self.root
        for parent in parents:
            if make and parent not in folder.names:
                folder.names[parent] = folder.kept[parent] = Folder()
            folder = folder.names[parent]
        return folder, name

    def _named(self, path: str) -> File | Folder:
        folder, name = self._place(path)
        return folder.names[name] if name else folder


def _set(names: dict, name: str, what: File | Folder | None) -> None:
    if what is None:
        names.pop(name, None)
    else:
        names[name] = what


def states(stopped: Stopped, seed: int) -> list[tuple[int, dict[str, bytes]]]:
    """Return the different states that a power loss in the save may leave, each behind the number of its calls."""
    disk, chosen = Disk(stopped.work / "stopped" / "run", stopped.disk), random.Random(seed)
    found: dict[int, tuple[int, dict[str, bytes]]] = {}
    for number, call in enumerate(stopped.calls):
        disk.apply(call)
        if not 0 <= number - stopped.first < stopped.size + 5:
            continue
        pending = len(disk.pending)
        for fate in ("lost", "written", "cut", "zeros"):
            for count in {0, pending // 2, pending}:
                state = disk.after_loss([k < count for k in range(pending)], lambda fate=fate: fate)
                found.setdefault(hash(tuple(sorted(state.items()))), (number - stopped.first + 1, state))
        for _ in range(4):
            changes = [chosen.random() < 0.5 for _ in range(pending)]
            state = disk.after_loss(changes, lambda: chosen.choice(("lost", "written", "cut", "zeros")))
            found.setdefault(hash(tuple(sorted(state.items()))), (number - stopped.first + 1, state))
    left = {path: data for path, data in disk.whole().items() if not path.endswith("/")}
    there = {f"/{p.relative_to(stopped.logged)}": p.read_bytes() for p in stopped.logged.rglob("*") if p.is_file()}
    different = sorted(path for path in left | there if left.get(path) != there.get(path))
    assert not different, f"the log of the calls is not complete: {different}"
    return list(found.values())


def main(count: int, sizes: int, seed: int) -> None:
    """Resume from states that a power loss may leave, then from those of a trainer without fsync."""
    harness.warm()
    failed = False
    for size in list(SIZES)[:sizes]:
        with harness.folder() as work:
            stopped = Stopped(work, size)
            tried, wrong = _tried(stopped, count, seed)
        with harness.folder() as work:
            _, planted = _tried(Stopped(work, size, plants.leave_out_fsync), min(count or 60, 60), seed)
        print("".join(f"  {line[:300]}\n" for line in wrong[:20]), end="")
        print(
            f"power loss in a save ({size}): {tried} states that its {stopped.size} calls may leave, {len(wrong)} "
            f"not resumed to the end of a run that was never stopped; without fsync {len(planted)} are not"
        )
        failed |= bool(wrong) or not planted
    if failed:
        sys.exit(1)


def _tried(stopped: Stopped, count: int, seed: int) -> tuple[int, list[str]]:
    """Resume from COUNT of the states, 0 for all; return how many, and what is wrong."""
    found = states(stopped, seed)
    tried = random.Random(seed).sample(range(len(found)), min(count or len(found), len(found)))
    results = harness.in_parallel(lambda k: resumed(stopped, k, found[k][1]), tried)
    return len(tried), [f"after call {found[k][0]}: {r}" for k, r in zip(tried, results, strict=True) if r]


def resumed(stopped: Stopped, number: int, state: dict[str, bytes]) -> str:
    """Write a state, resume from it, and say what is wrong."""
    cwd = stopped.work / f"state{number}"
    for path, data in state.items():
        place = cwd / "run" / path.strip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.write_bytes(data)
    outcome = harness.run(["--resume", "run"], cwd, before=harness.light)
    wrong = runs.verdict(outcome, stopped.expected, cwd / "run")
    shutil.rmtree(cwd)
    return "; ".join(wrong)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)

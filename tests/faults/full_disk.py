"""A disk that is really full: one line that names the file, and --resume once there is room again.

    python full_disk.py

Needs the right to mount; without it, a sentence says that nothing was tried.
"""

import subprocess
import sys
from pathlib import Path

import harness
import plants
import runs

ARGUMENTS = [*runs.LBF, "--run-dir", "disk/run"]
ROOM = 1024  # KiB more than a run takes
SIZES = (16, 64, 128, 192, 256, 320)  # KiB that are free


def main() -> None:
    """Fill disks of several sizes."""
    harness.warm()
    with harness.folder() as work:
        disk = work / "disk"
        disk.mkdir()
        outcome = harness.run(ARGUMENTS, work)
        assert outcome.code == 0, outcome
        expected = runs.content(disk / "run")
        used = _kib(disk)
        subprocess.run(["rm", "-r", disk / "run"], check=True)
        if not _mount(disk, used + ROOM):
            print("full disk: not tried, because this user cannot mount a tmpfs")
            return
        subprocess.run(["umount", disk], check=True)
        results = [_filled(work, disk, used, expected, free) for free in SIZES]
        planted = [_filled(work, disk, used, expected, free, plants.let_errors_escape) for free in SIZES]
    wrong = [f"{free} KiB: {complaint}" for free, (_, complaint) in zip(SIZES, results, strict=True) if complaint]
    full, caught = sum(stopped for stopped, _ in results), sum(bool(complaint) for _, complaint in planted)
    print("".join(f"  {complaint[:300]}\n" for complaint in wrong), end="")
    print(
        f"full disk: {len(SIZES)} sizes, {full} ended training; {len(wrong)} without one line or not continued; "
        f"where errors escape, {caught}"
    )
    if wrong or not full or not caught:
        sys.exit(1)


def _filled(work: Path, disk: Path, used: int, expected: dict, free: int, before=None) -> tuple[bool, str]:
    """Mount a disk with ``free`` KiB of room, and train on it; return whether it was full, and what is wrong."""
    assert _mount(disk, used + ROOM)
    try:
        (disk / "filler").write_bytes(bytes(1024 * (used + ROOM - free)))
        return fill(work, disk, expected, before)
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(work: Path, disk: Path, expected: dict, before=None) -> tuple[bool, str]:
    """Train until the disk is full, then with enough room; return whether it was full, and what is wrong."""
    outcome = harness.run(ARGUMENTS, work, before=before)
    (disk / "filler").unlink()
    if outcome.code and not (outcome.is_one_line and "run/" in outcome.stderr and "space" in outcome.stderr):
        return True, f"exit code {outcome.code}, ... {outcome.stderr[-200:]!r}"
    begun = (disk / "run" / "config.json").exists()
    again = harness.run(["--resume", "disk/run"] if begun else ARGUMENTS, work)
    if again.code:
        return True, f"not continued: exit code {again.code}, {again.stderr[-200:]!r}"
    return outcome.code != 0, "; ".join(runs.differences(expected, disk / "run"))


def _kib(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4 + 4 for path in folder.rglob("*"))


def _mount(folder: Path, kib: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    main()

"""A disk that is really full: one line that names the file, and --resume once there is room again.

    python full_disk.py

Needs the right to mount; without it, a sentence says that nothing was tried.
"""

import subprocess
import sys
from pathlib import Path

import harness
import runs

ARGUMENTS = [*runs.LBF, "--run-dir", "disk/run"]
SIZES = (64, 128, 192, 256, 320)  # KiB that are free


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
        wrong, full = [], 0
        for free in SIZES:
            if not _mount(disk, used + 1024):
                print("full disk: not tried, because this user cannot mount a tmpfs")
                return
            try:
                stopped, complaint = fill(work, disk, free, used, expected)
            finally:
                subprocess.run(["umount", disk], check=True)
            full += stopped
            wrong += [f"{free} KiB: {complaint}"] if complaint else []
    for complaint in wrong:
        print(f"  {complaint[:300]}")
    print(f"full disk: {len(SIZES)} sizes, {full} ended training with one line; {len(wrong)} did harm")
    if wrong or not full:
        sys.exit(1)


def fill(work: Path, disk: Path, free: int, used: int, expected: dict) -> tuple[bool, str]:
    """Train with ``free`` KiB of room, then with enough; return whether the disk was full, and a complaint."""
    (disk / "filler").write_bytes(bytes(1024 * (used + 1024 - free)))
    outcome = harness.run(ARGUMENTS, work)
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

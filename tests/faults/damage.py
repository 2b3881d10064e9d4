"""Truncations and single-bit flips of each file of a run: a typed error that names the file, or an untouched load.

    python damage.py FLIPS LENGTHS [SEED]

FLIPS of each file are random; LENGTHS of each file are cut off, 0 for all. Each damaged file is loaded in process by
the functions that --resume and pyqmix-eval use; a sample is given to the commands themselves.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import harness
import runs
from pyqmix.run.manifest import Manifest

from pyqmix.base.errors import ConfigError
from pyqmix.config import Config
from pyqmix.run import resume

UNREAD = ("summary.json", "curve.png", "run.lock", "events.out.tfevents")  # by --resume and pyqmix-eval
COMMANDS = 6  # damages of each file that the commands are tried with
PLANTED_FLIPS = 300


def main(flips: int, lengths: int, seed: int) -> None:
    """Damage each file of a run, then the same without the comparison of checksums."""
    harness.warm()
    with harness.folder() as work:
        arguments = [*runs.LBF, "--run-dir", "run", "--buffer-size", "16", "--keep-checkpoints", "1"]
        expected = runs.reference(arguments, work)
        jobs = [(path, flips, lengths, seed) for path in readable(work / "run")]
        results = harness.in_parallel(lambda job: damaged(work, expected, *job), jobs)
        planted = harness.in_parallel(lambda job: without_checksums(work, job[0], seed), jobs)
    total: Counter[str] = Counter()
    for (path, *_), (counts, complaints) in zip(jobs, results, strict=True):
        total += Counter(counts)
        for complaint in complaints[:5]:
            print(f"  {path}: {complaint[:300]}")
    print(
        f"damage: {len(jobs)} files, {total['flipped']} bits flipped and {total['cut']} truncations (seed {seed}): "
        f"{total['refused']} refused by name, {total['untouched']} loaded as they were, {total['silent']} loaded "
        f"otherwise, {total['odd']} ended otherwise; without checksums {sum(planted)} loaded otherwise"
    )
    if total["silent"] or total["odd"] or not sum(planted):
        sys.exit(1)


def readable(run_dir: Path) -> list[str]:
    """Return the files that --resume and pyqmix-eval read, by their paths in the run."""
    files = sorted(str(path.relative_to(run_dir)) for path in run_dir.rglob("*") if path.is_file())
    return [file for file in files if not file.startswith(UNREAD)]


def loader(run_dir: Path, file: str) -> Callable[[], object]:
    """Return a function that loads what a file of a run has a part in, as the commands do."""
    if file == "config.json":
        return lambda: Config.from_json(run_dir / file).to_json()
    folder = runs.newest(run_dir) if file == "metrics.csv" else (run_dir / file).parent
    if file == "metrics.csv":
        return lambda: resume.history(Manifest.read(folder))
    return lambda: _checkpoint(folder)


def _checkpoint(folder: Path) -> object:
    found = Manifest.read(folder)
    found.verify()
    return found.state, {n: (folder / n).read_bytes() for n in found.state["files"]}


def damaged(
    work: Path, expected: dict[str, object], file: str, flips: int, lengths: int, seed: int
) -> tuple[Counter[str], list[str]]:
    """Damage one file; count the results, and tell of the bad ones."""
    chosen, path, counts, complaints = random.Random(f"{seed} {file}"), work / "run" / file, Counter[str](), []
    load, whole = loader(work / "run", file), path.read_bytes()
    before = load()
    cuts = range(len(whole)) if not lengths else sorted(chosen.choices(range(len(whole)), k=lengths))
    for bit in (chosen.randrange(8 * len(whole)) for _ in range(flips)):
        counts["flipped"] += 1
        result = _result(load, before, path, _flipped(whole, bit))
        counts[result.partition(":")[0]] += 1
        if result.startswith(("silent", "odd")):
            complaints.append(f"bit {bit}: {result}")
    for length in cuts:
        counts["cut"] += 1
        result = _result(load, before, path, whole[:length])
        counts[result.partition(":")[0]] += 1
        if result.startswith(("silent", "odd")):
            complaints.append(f"first {length} bytes: {result}")
    path.write_bytes(whole)
    return counts, complaints


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _result(load: Callable[[], object], before: object, path: Path, data: bytes) -> str:
    path.write_bytes(data)
    try:
        return "untouched" if load() == before else "silent"
    except ConfigError as error:
        named = path.name in str(error) or path.parent.name in str(error)
        return "refused" if named and "\n" not in str(error) else f"odd: {error}"
    except Exception as error:
        return f"odd: {type(error).__name__}: {error}"


class _AnyText(str):
    """Equals every text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)

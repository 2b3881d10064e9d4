"""Truncations and single-bit flips of each file of a run: a typed error that names the file, or an untouched load.

    python damage.py FLIPS LENGTHS [SEED]

FLIPS of each file are random; it is cut to LENGTHS random lengths, or to every one with 0. Each damaged file is
loaded in process by the functions that --resume and pyqmix-eval use; some are given to the commands themselves.
"""

import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import plants
import runs

from pyqmix.base.errors import ConfigError
from pyqmix.config import Config
from pyqmix.run import resume
from pyqmix.run.manifest import Manifest

# By --resume and pyqmix-eval.
UNREAD = ("summary.json", "curve.png", "report.html", "run.lock", "events.out.tfevents")
OF_COMMANDS = 4  # damages of each file that the commands are tried with
PLANTED = 300  # flips of each file without checksums
ARGUMENTS = [*runs.LBF, "--run-dir", "run", "--checkpoint-every", "500", "--keep-checkpoints", "1"]


def main(flips: int, lengths: int, seed: int) -> None:
    """Damage each file of a run, then the same without checksums."""
    harness.warm()
    with harness.folder() as work:
        (work / "whole").mkdir()
        expected = runs.reference(ARGUMENTS, work / "whole")
        files = readable(work / "whole" / "run")
        results = harness.in_parallel(lambda file: damaged(work, file, flips, lengths, seed), files)
        commands = harness.in_parallel(lambda file: by_commands(work, expected, file, seed), files)
        planted = harness.in_parallel(lambda file: without_checksums(work, file, seed), files)
    counts: Counter[str] = sum((Counter(count) for count, _ in results), Counter())
    bad = [f"{file}, {line}" for file, (_, lines) in zip(files, results, strict=True) for line in lines]
    bad += [line for lines in commands for line in lines]
    print("".join(f"  {line[:300]}\n" for line in bad[:30]), end="")
    print(
        f"damage: {len(files)} files, {counts['flip']} flips and {counts['cut']} truncations (seed {seed}): "
        f"{counts['refused']} refused by name, {counts['untouched']} loaded as they were, {counts['silent']} "
        f"loaded otherwise, {counts['odd']} ended otherwise; {OF_COMMANDS * len(files)} by each command, "
        f"{sum(map(len, commands))} wrong; without checksums {sum(planted)} loaded otherwise"
    )
    if bad or not sum(planted):
        sys.exit(1)


def readable(run_dir: Path) -> list[str]:
    """Return the files that --resume and pyqmix-eval read, by their paths in the run; the largest first."""
    files = sorted((path for path in run_dir.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)
    names = [str(path.relative_to(run_dir)) for path in files]
    return [name for name in names if not name.startswith(UNREAD)]


def damaged(work: Path, file: str, flips: int, lengths: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Damage one file in process; count the results, and tell of the bad ones."""
    run_dir = work / file.replace("/", " ") / "run"
    shutil.copytree(work / "whole" / "run", run_dir)
    path, counts, bad = run_dir / file, Counter[str](), []
    load, whole = _loader(run_dir, file), path.read_bytes()
    before = load()
    for kind, place, data in _damages(whole, flips, lengths, f"{seed} {file}"):
        path.write_bytes(data)
        result = _result(load, before, path)
        counts.update((kind, result.partition(":")[0]))
        if result.startswith(("silent", "odd")):
            bad.append(f"{kind} at {place}: {result}")
    shutil.rmtree(run_dir)
    return counts, bad


def by_commands(work: Path, expected: dict[str, object], file: str, seed: int) -> list[str]:
    """Give some damages of a file to the commands; tell of the bad ends."""
    bad = []
    whole = (work / "whole" / "run" / file).read_bytes()
    for kind, place, data in _damages(whole, OF_COMMANDS // 2, OF_COMMANDS // 2, f"{seed} commands {file}"):
        cwd = work / f"{file.replace('/', ' ')} {kind} {place}"
        shutil.copytree(work / "whole" / "run", cwd / "run")
        (cwd / "run" / file).write_bytes(data)
        evaluated = harness.run(["run", "--episodes", "2"], cwd, command="pyqmix-eval")
        resumed = harness.run(["--resume", "run"], cwd, before=harness.light)
        for name, outcome in (("pyqmix-eval", evaluated), ("--resume", resumed)):
            if outcome.code and not outcome.is_one_line:
                bad.append(f"{name}, {file}, {kind} at {place}: {outcome.code}, {outcome.stderr[-200:]!r}")
        if resumed.code == 0 and (different := runs.differences(expected, cwd / "run")):
            bad.append(f"--resume, {file}, {kind} at {place}: {different[0]}")
        shutil.rmtree(cwd)
    return bad


def without_checksums(work: Path, file: str, seed: int) -> int:
    """Count the flips of a file that are loaded otherwise where every checksum counts as right."""
    plants.leave_out_checksums()
    return damaged(work, file, PLANTED, 1, seed)[0]["silent"]


def _damages(whole: bytes, flips: int, lengths: int, seed: str) -> Iterator[tuple[str, int, bytes]]:
    """Give the kind, the place and the content of each damage."""
    chosen = random.Random(seed)
    for _ in range(flips):
        bit, changed = chosen.randrange(8 * len(whole)), bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        yield "flip", bit, bytes(changed)
    all_of_them = range(len(whole))
    for length in chosen.sample(all_of_them, min(lengths or len(whole), len(whole))):
        yield "cut", length, whole[:length]


def _loader(run_dir: Path, file: str) -> Callable[[], object]:
    """Return a function that loads a file of a run as the commands do."""
    if file == "config.json":
        return lambda: Config.from_json(run_dir / file).to_json()
    if file == "metrics.csv":
        return lambda: resume.history(Manifest.read(runs.newest(run_dir)))
    folder = (run_dir / file).parent

    def load() -> object:
        found = Manifest.read(folder)
        found.verify()
        return found.state, {name: (folder / name).read_bytes() for name in found.state["files"]}

    return load


def _result(load: Callable[[], object], before: object, path: Path) -> str:
    try:
        return "untouched" if load() == before else "silent"
    except ConfigError as error:
        named = path.name in str(error) or path.parent.name in str(error)
        return "refused" if named and "\n" not in str(error) else f"odd: {error}"
    except Exception as error:
        return f"odd: {type(error).__name__}: {error}"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)

"""Compares a wheel with the sources: each file of the package, one compiled module, the licences, and no more.

python tests/release/contents.py WHEEL
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[2]


def kind(name: str) -> str:
    """Return the name without the parts that differ between machines and versions."""
    folder, _, rest = name.partition("/")
    if folder.endswith(".dist-info"):
        return f"dist-info/{rest}"
    return "pyqmix/_C" if name.startswith("pyqmix/_C.") and name.endswith(".so") else name


def expected() -> set[str]:
    """Return the names that a wheel has."""
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pyqmix").rglob("*")
        if path.is_file() and path.suffix != ".so" and "__pycache__" not in path.parts
    }
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"}
    return {*sources, "pyqmix/_C", *(f"dist-info/{name}" for name in about)}


def main() -> None:
    """Say what differs."""
    found = Counter(kind(name) for name in ZipFile(sys.argv[1]).namelist() if not name.endswith("/"))
    wrong = [f"is missing: {name}" for name in sorted(expected() - set(found))]
    wrong += [f"does not belong there: {name}" for name in sorted(set(found) - expected())]
    wrong += [f"is there {count} times: {name}" for name, count in found.items() if count > 1]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{sum(found.values())} files, as expected")


if __name__ == "__main__":
    main()

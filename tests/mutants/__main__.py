"""Plants every fault of mutants.py, runs the tests that must catch it, and prints a table.

    python tests/mutants [WORD...]      only those whose name has one of the words

Needs cmake and pybind11 beside the test tools: faults in C++ are compiled. The tests run on a copy of the
package, which must not be installed in editable mode. Exits 1 if a fault is not caught.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]


class Plantation:
    """A copy of the sources and of the installed package, in which one fault at a time is planted."""

    def __init__(self, folder: Path) -> None:
        self.sources, self.package, self.build = folder / "sources", folder / "site" / "pyqmix", folder / "build"
        self.tests = folder / "tests"  # apart from the sources, which would shadow the package
        _copy(("csrc", "pyqmix", "CMakeLists.txt"), self.sources)
        _copy(("tests", "benchmarks", "docs", "examples", "pyproject.toml"), self.tests)
        shutil.copytree(self.sources / "pyqmix", self.package)
        found = importlib.util.find_spec("pyqmix._C")
        assert found is not None
        assert found.origin is not None
        self.module = self.package / Path(found.origin).name
        shutil.copy(found.origin, self.module)
        self.built = False

    def survives(self, mutant: Mutant) -> bool:
        """Plant a fault, run its tests, take it out again; True if every test passed all the same."""
        source = self.sources / mutant.file
        text = source.read_text()
        if text.count(mutant.old) != 1:
            sys.exit(f"{mutant.name}: expected its text once in {mutant.file}, found {text.count(mutant.old)}")
        source.write_text(text.replace(mutant.old, mutant.new))
        try:
            return self._tests_pass(mutant)
        finally:
            source.write_text(text)
            self._install(mutant)

    def _tests_pass(self, mutant: Mutant) -> bool:
        self._install(mutant)
        run = self._pytest(mutant.tests)
        if run.returncode in range(2, 129):  # pytest itself failed; a fault may crash it
            sys.exit(f"{mutant.name}: its tests did not run:\n{run.stdout}{run.stderr}")
        return run.returncode == 0

    def check_unplanted(self, chosen: list[Mutant]) -> None:
        """Require that the tests pass without a fault, on this copy: else they would catch anything."""
        files = sorted({mutant.tests.split()[0] for mutant in chosen})
        run = self._pytest(" ".join(files))
        if run.returncode != 0:
            sys.exit(f"the tests fail without a planted fault:\n{run.stdout}{run.stderr}")

    def _pytest(self, arguments: str) -> subprocess.CompletedProcess[str]:
        command = f"{sys.executable} -m pytest -m '' -x -q -p no:cacheprovider {arguments}"
        env = {**os.environ, "PYTHONPATH": str(self.package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command, shell=True, cwd=self.tests, env=env, capture_output=True, text=True, check=False
        )

    def _install(self, mutant: Mutant) -> None:
        """Bring the changed file into the package; C++ through a build, whose module replaces the old one."""
        if mutant.file.endswith(".py"):
            shutil.copy(self.sources / mutant.file, self.package.parent / mutant.file)
            return
        if not self.built:
            pybind = subprocess.check_output([sys.executable, "-m", "pybind11", "--cmakedir"], text=True).strip()
            options = [f"-Dpybind11_DIR={pybind}", f"-DPython_EXECUTABLE={sys.executable}", "-DPYQMIX_CUDA=OFF"]
            _quietly("cmake", "-S", self.sources, "-B", self.build, *options)
            self.built = True
        _quietly("cmake", "--build", self.build, "-j", "2")
        self.module.unlink()
        shutil.copy(self.build / self.module.name, self.module)


def _copy(names: tuple[str, ...], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)


def _quietly(*command: object) -> None:
    run = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{run.stdout}{run.stderr}")


def main() -> None:
    """Plant, test, print."""
    words = sys.argv[1:]
    chosen = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        plantation = Plantation(Path(folder))
        plantation.check_unplanted(chosen)
        for mutant in chosen:
            survived = plantation.survives(mutant)
            survivors += [mutant.name] if survived else []
            print(
                f"| {mutant.trap:<14} | {mutant.name:<60} | {'SURVIVED' if survived else 'caught'} |", flush=True
            )
    print(f"planted {len(chosen)}, caught {len(chosen) - len(survivors)}")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()

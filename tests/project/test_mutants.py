"""The list of planted faults fits the source; `python tests/mutants` plants them."""

import re
from pathlib import Path

import mutants
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_a_fault_can_be_planted(mutant):
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1


def test_every_trap_of_the_documentation_has_a_planted_fault_and_its_tests():
    rows = re.findall(
        r"^\| `([a-z-]+)` \|.*\| (`test_.*`) \|$", (ROOT / "docs/algorithm.md").read_text(), re.MULTILINE
    )
    assert {mutant.trap for mutant in mutants.MUTANTS} - {""} == {trap for trap, _ in rows}
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", " ".join(names for _, names in rows)):
        assert f"def {name}(" in tests

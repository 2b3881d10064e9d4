"""The list of planted faults fits the source; `python tests/mutants` plants them."""

from pathlib import Path

import mutants
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_a_fault_can_be_planted(mutant):
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1


def test_every_trap_has_a_planted_fault():
    assert {mutant.trap for mutant in mutants.MUTANTS} - {""} == set(mutants.TRAPS)

"""Every public operation and network under PyTorch's transforms: docs/ops.md says what happens, cell by cell.

A cell is E (a kernel ran), C (composed: PyTorch's own operations ran) or R (refused with a sentence). The results
equal those of the composition under the same transform; – stands where PyTorch refuses the composition.
"""

import re
from pathlib import Path

import pytest
import torch
from transformed import SUBJECTS
from transforms import SLOW, TRANSFORMS

from pyqmix import _C

PAGE = Path(__file__).parents[2] / "docs/ops.md"
KERNELS = [name for name in dir(_C) if name.endswith("_cpu")] + ["pack_episodes"]
SENTENCE = re.compile(r"[a-z_0-9.]+: expected ")

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, of tracing and of slow batching


@pytest.fixture
def launched(monkeypatch):
    """The names of the kernels that were launched."""
    names = []

    def noting(name, kernel):
        def launch(*arguments, **options):
            names.append(name)
            return kernel(*arguments, **options)

        return launch

    for name in KERNELS:
        monkeypatch.setattr(_C, name, noting(name, getattr(_C, name)))
    return names


def attempt(transform, function, tensors):
    try:
        return transform(function, tensors), None
    except Exception as error:
        return None, error


def cell(transform, subject, launched):
    """What happens to one subject under one transform, after a comparison of the results."""
    torch.manual_seed(0)
    made = SUBJECTS[subject]()
    ours, error = attempt(TRANSFORMS[transform], made.function, made.tensors)
    kind = "E" if launched else "C"
    theirs, of_torch = attempt(TRANSFORMS[transform], made.twin, made.tensors)
    if error is not None and of_torch is not None:
        assert type(error) is type(of_torch), (error, of_torch)
        return "–"
    if error is not None:
        assert SENTENCE.match(str(error)), error
        return "R"
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    return kind


def read_table():
    """The tables of docs/ops.md: a cell for each transform and subject."""
    cells, subjects = {}, []
    for line in PAGE.read_text().splitlines():
        name, *entries = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("| |"):
            subjects = entries
        elif line.startswith("|") and name != "---":
            cells |= {(name, subject): entry for subject, entry in zip(subjects, entries, strict=True)}
    return cells


def require_cells(transform, subjects, launched):
    table = read_table()
    for subject in subjects:
        launched.clear()
        assert (subject, cell(transform, subject, launched)) == (subject, table[transform, subject])


@pytest.mark.parametrize("transform", [name for name in TRANSFORMS if name not in SLOW])
def test_the_table_of_the_documentation(transform, launched):
    require_cells(transform, SUBJECTS, launched)


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("transform", SLOW)
def test_the_table_of_the_documentation_where_it_takes_long(transform, subject, launched):
    require_cells(transform, [subject], launched)


def test_the_table_is_whole():
    assert set(read_table()) == {(transform, subject) for transform in TRANSFORMS for subject in SUBJECTS}


def test_a_kernel_that_runs_under_a_transform_is_noticed(launched, monkeypatch):
    """The check's own fault: as if transforms were not seen."""
    monkeypatch.setattr("pyqmix.ops.eager._is_transformed", lambda: False)
    with pytest.raises(AssertionError):
        cell("dual tensors", "`ops.mix`", launched)

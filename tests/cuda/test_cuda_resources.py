"""The comparison of the kernels' registers and spills with the checked-in table sees what it must."""

import importlib.util
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("resources.py")
LOG = """
-- pyqmix: CUDA kernels with nvcc 13.0.88 for 75-virtual;80-real;90-real
ptxas info    : Compiling entry function '_Z8a_kernelIfLi4EEvPT_' for 'sm_80'
ptxas info    : Function properties for _Z8a_kernelIfLi4EEvPT_
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers, 360 bytes cmem[0]
ptxas info    : Compiling entry function '_Z8a_kernelIfLi4EEvPT_' for 'sm_90'
ptxas info    : Function properties for _Z8a_kernelIfLi4EEvPT_
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 48 registers, used 0 barriers, 360 bytes cmem[0]
"""


@pytest.fixture(scope="module")
def resources():
    spec = importlib.util.spec_from_file_location("cuda_resources", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reads_the_log_and_its_own_table(resources):
    version, usage = resources.read_log(LOG)
    assert version == "13.0.88"
    assert usage == {("a_kernel<float, 4>", "sm_80"): (40, 0), ("a_kernel<float, 4>", "sm_90"): (48, 16)}
    assert resources.read_table(resources.write_table(version, usage)) == (version, usage)


def test_kernels_are_named_as_in_the_source(resources):
    assert resources.kernel_name("_Z8a_kernelIfLi4EEvPT_") == "a_kernel<float, 4>"
    of_no_type = "_ZN6pyqmix12_GLOBAL__N_119pad_episodes_kernelENS_14PaddedEpisodesEi"
    assert resources.kernel_name(of_no_type) == "pad_episodes_kernel"


FAULTS = [
    ("Used 40 registers", "Used 41 registers", "a_kernel<float, 4> for sm_80: expected 40 registers, got 41"),
    ("    0 bytes stack", "    24 bytes stack", "a_kernel<float, 4> for sm_80: expected 40 registers, got 40+24"),
    ("for 'sm_80'", "for 'sm_86'", "a_kernel<float, 4> for sm_86: not in the table"),
    ("for 'sm_80'", "for 'sm_86'", "a_kernel<float, 4> for sm_80: not in the build"),
    ("Compiling entry function '_Z8a_kernelIfLi4EEvPT_' for 'sm_90'", "", "for sm_90: not in the build"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_a_changed_log_differs_from_the_table(resources, old, new, message):
    (_, expected), (_, found) = resources.read_log(LOG), resources.read_log(LOG.replace(old, new))
    assert not list(resources.differences(expected, expected, True))
    assert any(message in line for line in resources.differences(expected, found, True))


def test_another_nvcc_may_allot_other_registers_but_not_spill_more(resources):
    _, expected = resources.read_log(LOG)
    other = {key: resources.Resources(value.registers + 8, value.spilled) for key, value in expected.items()}
    assert not list(resources.differences(expected, other, False))
    worse = {key: resources.Resources(value.registers, value.spilled + 4) for key, value in expected.items()}
    assert len(list(resources.differences(expected, worse, False))) == 2


def test_the_table_has_every_kernel_for_every_architecture_and_no_spills_in_the_hot_ones(resources):
    version, usage = resources.read_table(resources.TABLE.read_text())
    kernels, architectures = {kernel for kernel, _ in usage}, {a for _, a in usage}
    assert version != "unknown"
    mixing, linear, others = 18, 10, 5  # by dtype, most of them in packs and one by one
    assert len(kernels) == mixing + linear + others
    assert {"sm_80", "sm_86", "sm_89", "sm_90"} <= architectures
    assert set(usage) == {(kernel, a) for kernel in kernels for a in architectures}
    assert not any(entry.spilled for (kernel, _), entry in usage.items() if "double" not in kernel)

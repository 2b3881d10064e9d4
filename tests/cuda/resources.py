"""Compares registers and spills of the CUDA kernels with the checked-in table.

    python tests/cuda/resources.py BUILD_LOG            exits 1 where log and table differ
    python tests/cuda/resources.py BUILD_LOG --update   writes the table anew

The log is that of a build with PYQMIX_CUDA_ARCHITECTURES=release and CMAKE_CUDA_FLAGS=-Xptxas=-v. An entry
of the table is registers, or registers+bytes spilled. What another nvcc than the table's allots cannot be
compared: then only missing kernels and spills count.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("resources.md")
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
NVCC = re.compile(r"CUDA kernels with nvcc ([\d.]+)")


class Resources(NamedTuple):
    """What one kernel uses on one architecture.

    Attributes:
        registers: of a thread.
        spilled: bytes of its stack frame, which spills and arrays in local memory make.
    """

    registers: int
    spilled: int

    def __str__(self) -> str:
        return f"{self.registers}+{self.spilled}" if self.spilled else str(self.registers)

    @staticmethod
    def parse(entry: str) -> Resources:
        """Read an entry of the table."""
        registers, _, spilled = entry.partition("+")
        return Resources(int(registers), int(spilled or 0))


Usage = dict[tuple[str, str], Resources]  # (kernel, architecture)


def kernel_name(symbol: str) -> str:
    """Write ``mix_forward_kernel<float, 4>``, or a plain function's name, for a mangled symbol."""
    plain = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\w+)<([^<>]*)>\(", plain)
    if found:
        return f"{found[1]}<{found[2].replace('pyqmix::', '')}>"
    found = re.search(r"(\w+)\(", plain)
    return found[1] if found else plain.strip()


def read_log(log: str) -> tuple[str, Usage]:
    """Find nvcc's version and what ptxas says of every kernel."""
    version = NVCC.search(log)
    usage: Usage = {}
    key, spilled = None, 0
    for line in log.splitlines():
        if found := ENTRY.search(line):
            key = kernel_name(found[1]), found[2]
        elif found := SPILLS.search(line):
            spilled = max(map(int, found.groups()))
        elif (found := REGISTERS.search(line)) and key:
            usage[key] = Resources(int(found[1]), spilled)
            key = None
    return version[1] if version else "unknown", usage


def write_table(version: str, usage: Usage) -> str:
    """Lay the table out in Markdown, a row for each kernel."""
    kernels = sorted({kernel for kernel, _ in usage})
    architectures = sorted({a for _, a in usage}, key=lambda name: int(re.sub(r"\D", "", name)))
    rows = [["kernel", *architectures], ["---"] * (len(architectures) + 1)]
    rows += [[f"`{k}`", *(str(usage.get((k, a), "")) for a in architectures)] for k in kernels]
    lines = ("| " + " | ".join(row) + " |" for row in rows)
    return (
        f"Registers of a thread, as ptxas of nvcc {version} allots them; `+` bytes spilled. Written by\n"
        "`tests/cuda/resources.py`, compared by `.ci/run`.\n\n" + "\n".join(lines) + "\n"
    )


def read_table(text: str) -> tuple[str, Usage]:
    """Read what :func:`write_table` wrote."""
    version = re.search(r"nvcc ([\d.]+) ", text)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    usage = {
        (row[0].strip("`"), architecture): Resources.parse(entry)
        for row in rows[2:]
        for architecture, entry in zip(rows[0][1:], row[1:], strict=True)
        if entry
    }
    return version[1] if version else "unknown", usage


def differences(expected: Usage, found: Usage, same_nvcc: bool) -> Iterable[str]:
    """Say what is missing, new, or other than in the table."""
    for key, now in found.items():
        if key not in expected and same_nvcc:
            yield f"{key[0]} for {key[1]}: not in the table"
        elif key not in expected and now.spilled:
            yield f"{key[0]} for {key[1]}: spills {now.spilled} bytes"
    for key, before in expected.items():
        if key not in found:
            yield f"{key[0]} for {key[1]}: not in the build"
        elif found[key] != before and (same_nvcc or found[key].spilled > before.spilled):
            yield f"{key[0]} for {key[1]}: expected {before} registers, got {found[key]}"


def main() -> None:
    """Compare, or update."""
    version, found = read_log(Path(sys.argv[1]).read_text())
    if not found:
        sys.exit(
            f"{sys.argv[1]}: expected the log of a build with CMAKE_CUDA_FLAGS=-Xptxas=-v, found no kernel in it"
        )
    if "--update" in sys.argv[2:]:
        TABLE.write_text(write_table(version, found))
    of_table, expected = read_table(TABLE.read_text())
    wrong = list(differences(expected, found, version == of_table))
    if wrong:
        sys.exit("\n".join(wrong))
    how = (
        "registers and spills as"
        if version == of_table
        else f"nvcc {version}, not {of_table}: no more spills than"
    )
    print(f"{len(found)} kernels, {how} in {TABLE.name}")


if __name__ == "__main__":
    main()

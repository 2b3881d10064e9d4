"""What PYQMIX_CUDA_ARCHITECTURES builds for, asked of CMake with stand-ins for nvcc and nvidia-smi."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CMAKE = shutil.which("cmake")
FILE = Path(__file__).resolve().parents[2] / "cmake" / "cuda_architectures.cmake"
KNOWN = "75 80 86 87 88 89 90 100 110 103 120 121"
pytestmark = pytest.mark.skipif(CMAKE is None, reason="needs cmake")


def architectures(folder, setting, gpus="", more=()):
    """The list that CMake comes to; `gpus` is what nvidia-smi prints, which fails without any."""
    programs = {"nvcc": f"printf 'sm_%s\\n' {KNOWN}", "nvidia-smi": f"echo '{gpus}'; test -n '{gpus}'"}
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    (folder / "ask.cmake").write_text(
        f'include("{FILE}")\npyqmix_set_cuda_architectures()\nmessage("=${{CMAKE_CUDA_ARCHITECTURES}}")\n'
    )
    options = [f"-DPYQMIX_CUDA_ARCHITECTURES={setting}", f"-DCMAKE_CUDA_COMPILER={folder / 'nvcc'}", *more]
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run(
        [CMAKE, *options, "-P", folder / "ask.cmake"], env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stderr.strip().partition("=")[2]


def test_a_release_has_one_ptx_and_machine_code_for_the_rest(tmp_path):
    real = ";".join(f"{number}-real" for number in (80, 86, 89, 90, 100, 103, 110, 120, 121))
    assert architectures(tmp_path, "release") == f"75-virtual;{real}"


def test_auto_takes_the_gpus_in_sight_or_else_one_ptx(tmp_path):
    assert architectures(tmp_path, "auto", gpus="GPU 0") == "native"
    assert architectures(tmp_path, "auto") == "75-virtual"
    assert architectures(tmp_path, "auto", more=["-DCMAKE_CUDA_ARCHITECTURES=80"]) == "80"


def test_a_list_is_taken_as_it_is(tmp_path):
    assert architectures(tmp_path, "80-real;90") == "80-real;90"

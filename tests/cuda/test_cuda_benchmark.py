"""The GPU benchmark's code runs on the CPU with a clock of the host's; without a GPU it says so and stops."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from gpu import cuda_acting, cuda_clock, cuda_ops, cuda_update, gpu_report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def _plain_compile(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, mode: function)


@pytest.mark.usefixtures("_plain_compile")
def test_every_case_agrees_and_is_timed():
    clock = cuda_clock.HostClock()
    machine, lines, data = cuda_ops.measure(clock, [(40, 2, 5), (24, 27, 7)], repeats=2, size=32)
    assert all(rate > 0 for rate in machine)
    labels = ["mixing 40 x (2, 5)", "mix 40 x 2", "td_target 40 x (2, A=6)"]
    assert [line[0] for line in lines[:3]] == labels
    assert len(lines) == 6
    assert all(len(line) == len(cuda_ops.HEADER) for line in lines)
    for label, of_case in data.items():
        assert set(of_case["seconds"]) - {"compiled"} == {"ours", "eager"}
        assert ("compiled" in of_case["seconds"]) == label.startswith("mixing")
        assert all(len(times) == 2 for times in of_case["seconds"].values())
        assert of_case["copies_of_inputs"] >= 2
        assert of_case["floor"] > 0


@pytest.mark.usefixtures("_plain_compile")
def test_a_candidate_that_differs_is_not_timed():
    calls = dict(cuda_ops.mix_case(cuda_clock.HostClock(), 8, 2).calls)
    cuda_ops.require_agreement(calls)
    right = calls["ours"][0]
    calls["ours"] = [lambda: [1.01 * x for x in right()]]
    with pytest.raises(SystemExit, match=r"ours differs from eager by .*: nothing was timed"):
        cuda_ops.require_agreement(calls)


def test_inputs_rotate_beyond_the_cache():
    clock = cuda_clock.HostClock()
    assert cuda_clock.rotation(clock, 1) == cuda_clock.LARGEST_ROTATION
    assert cuda_clock.rotation(clock, clock.l2_bytes // 8) == 16
    assert cuda_clock.rotation(clock, 100 * clock.l2_bytes) == 2


def test_whole_training_steps_agree_and_are_timed(monkeypatch):
    monkeypatch.setattr(cuda_update, "RUN", 5)
    monkeypatch.setattr(cuda_update.harness, "WARM_UP", 0)
    rows, data = cuda_update.measure(torch.device("cpu"), [("mlp", 2, 64), ("gru", 3, 64)], repeats=1)
    assert [row[0] for row in rows] == ["mlp 64, 2 agents", "gru 64, 3 agents"]
    assert all(len(row) == len(cuda_update.HEADER) for row in rows)
    assert all(set(of_row) == {"captured", "kept", "plain", "cpu"} for of_row in data.values())


def test_acting_agrees_and_is_timed(monkeypatch):
    monkeypatch.setattr(cuda_acting.harness, "WARM_UP", 0)
    shapes = [("mlp", 2, 64), ("gru", 3, 64)]
    rows, data = cuda_acting.measure(cuda_clock.HostClock(), shapes, counts=(1, 5), repeats=1)
    assert [row[:2] for row in rows[1:3]] == [["mlp 64, 2 agents", "5"], ["gru 64, 3 agents", "1"]]
    assert all(len(row) == len(cuda_acting.HEADER) for row in rows)
    assert all(set(of_row) == {"cpu", "captured", "plain"} for of_row in data.values())


def test_the_floor_is_the_largest_of_its_three():
    machine = cuda_ops.Machine(bandwidth=10.0, flops=100.0, node=1.0)
    assert machine.floor(50, 100, 2) == 5
    assert machine.floor(10, 800, 2) == 8
    assert machine.floor(10, 100, 2) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([sys.executable, "benchmarks", "cuda"], "python benchmarks cuda: no NVIDIA GPU was found"),
        (["bash", "benchmarks/gpu_check.sh", "."], "gpu_check: no NVIDIA GPU was found: nothing was checked"),
    ],
)
def test_without_a_gpu_it_stops_with_one_sentence(command, message):
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert run.stderr.startswith(message)
    assert run.stderr.count("\n") == 1


def test_the_report_tells_every_stage(tmp_path):
    stages = {
        "build": (0, "Successfully installed"),
        "tests": (0, "..s\n31 passed in 9.70s"),
        "memcheck": (0, "========= ERROR SUMMARY: 0 errors\nmemcheck sees the planted fault: out-of-bounds"),
        "racecheck": (9, "========= RACECHECK SUMMARY\nit broke"),
    }
    for name, (status, log) in stages.items():
        (tmp_path / f"{name}.tsv").write_text(f"{name}\t{status}\t12\n")
        (tmp_path / f"{name}.log").write_text(log + "\n")
    report = gpu_report.write_report(gpu_report.read_stages(tmp_path), "A GPU, 580.0", "| what |")
    lines = report.splitlines()
    assert lines[0] == "A GPU, 580.0"
    assert "| build | passed | 12 |  |" in lines
    assert "| tests | passed | 12 | 31 passed in 9.70s |" in lines
    told = "ERROR SUMMARY: 0 errors; memcheck sees the planted fault: out-of-bounds"
    assert f"| memcheck | passed | 12 | {told} |" in lines
    assert "| racecheck | failed | 12 | it broke |" in lines
    assert "| synccheck | not run |  |  |" in lines
    assert lines[-1] == "| what |"
    assert gpu_report.table_of("# cuda\n\ntext\n\n| a |\n| - |\n\nmore") == "| a |\n| - |"

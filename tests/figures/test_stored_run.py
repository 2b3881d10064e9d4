"""A run's folder is read as data."""

import shutil
import subprocess
import sys

import pytest

from pyqmix.base.errors import ConfigError
from pyqmix.figures import read_run
from pyqmix.figures.folders import require_runs


@pytest.fixture
def folder(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))


def test_a_run_is_read(folder):
    run = read_run(folder)
    assert (run.folder, run.options["env"], run.options["hidden_dim"]) == (folder, "two_step", 8)
    assert run.metrics[-1].steps == run.summary["total_steps"]


def test_a_run_that_goes_on_is_read_to_its_last_whole_line(folder):
    whole = read_run(folder)
    (folder / "summary.json").unlink()
    metrics = folder / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes()[:-3])
    run = read_run(folder)
    assert (run.summary, run.metrics) == (None, whole.metrics[:-1])
    metrics.unlink()
    assert read_run(folder).metrics == []


@pytest.mark.parametrize("name", ["config.json", "metrics.csv", "summary.json"])
def test_a_damaged_file_is_named(folder, name):
    (folder / name).write_bytes(b"\xff\n")
    with pytest.raises(ConfigError, match=f"run/{name}: expected"):
        read_run(folder)


def test_a_summary_is_an_object(folder):
    (folder / "summary.json").write_text("[]")
    with pytest.raises(ConfigError, match="expected the summary of a run, got list"):
        read_run(folder)


def test_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere/config\.json: expected the options of a run"):
        read_run(tmp_path / "nowhere")


def test_a_folder_of_runs_is_expanded(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "deep" / "er" / "other")
    assert require_runs(tmp_path) == [other, folder]
    assert require_runs(folder) == [folder]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: expected the folder of a run, or one with runs below it"):
        require_runs(tmp_path / "empty")


@pytest.mark.parametrize(
    ("module", "absent"), [("pyqmix.figures.tables", ["torch", "matplotlib"]), ("pyqmix.cli.plot", ["numpy"])]
)
def test_what_is_not_needed_is_not_imported(module, absent):
    program = f"import sys, {module}; sys.exit(not sys.modules.keys().isdisjoint({absent}))"
    assert subprocess.run([sys.executable, "-P", "-c", program], cwd="/", check=False).returncode == 0

"""Runs commands as a user types them, with the console commands of this environment."""

import os
import subprocess
import sys
from pathlib import Path


def run_command(command, folder, *importable):
    """Return the standard output of a shell command that is typed in a folder; the test fails where it fails.

    Packages of the folders in ``importable`` count as installed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    packages = [*map(str, importable), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(packages)}
    run = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def run_script(script, folder):
    """Return the standard output of a Python script."""
    return run_command(f"{sys.executable} {script}", folder)

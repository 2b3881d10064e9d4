"""Runs commands as a user types them, with the console commands of this environment."""

import os
import subprocess
import sys
from pathlib import Path


def run_command(command, folder, **variables):
    """Return the standard output of a shell command that is typed in a folder; the test fails where it fails.

    Further arguments are environment variables.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, **{name: str(value) for name, value in variables.items()}}
    run = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def run_script(script, folder):
    """Return the standard output of a Python script."""
    return run_command(f"{sys.executable} {script}", folder)

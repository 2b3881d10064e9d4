"""The commands start quickly: heavy libraries are imported after the options are known."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

SCRIPTS = {x.name: x.value for x in entry_points(group="console_scripts") if x.name.startswith("pyqmix-")}
HEAVY = ("torch", "matplotlib", "tensorboard", "scipy", "gymnasium", "pandas", "optuna", "PIL")

PROGRAM = """
import importlib, sys
module, name = sys.argv[1].split(":")
sys.argv = [sys.argv[2], "--help"]
try:
    getattr(importlib.import_module(module), name)()
except SystemExit as stop:
    assert stop.code in (0, None), stop.code
    raise
finally:
    print("HEAVY:", *(each for each in %r if each in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_imports_nothing_heavy(script):
    arguments = [sys.executable, "-c", PROGRAM % (HEAVY,), SCRIPTS[script], script]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd="/")
    assert f"usage: {script} " in ended.stdout
    assert ended.stderr == "HEAVY:\n"

"""Native SMAX beside jaxmarl itself, where that is installed: a process of its own, as XLA's flags need one."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "differential" / "smax_differential.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(find_spec("jaxmarl") is None, reason="jaxmarl is not installed: pip install '.[smax]'")
def test_twenty_thousand_steps_have_no_differing_bit():
    script = subprocess.run(
        [sys.executable, str(SCRIPT), "--steps", "20000"], capture_output=True, text=True, timeout=1800
    )
    assert script.returncode == 0, script.stdout[-3000:] + script.stderr[-3000:]
    assert "0 differing values" in script.stdout.splitlines()[-1]

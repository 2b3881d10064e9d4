"""Every command and every block of docs/howto/export.md works as it stands, only shorter, from top to bottom."""

import re
import shutil
from pathlib import Path

import plain_pymarl
import pytest
from consoles import run_command, run_script

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "export.md"
PARTS = re.findall(r"^```python\n(.*?)^```$|^    (pyqmix-[^\n]*)$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
SHORT = " --total-steps 300 --eval-episodes 2 --batch-size 4"


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path):
    pytest.importorskip("onnxruntime")
    (model,) = re.findall(r"pyqmix-import (\S+)", PAGE.read_text())[:1]
    agent, mixer = plain_pymarl.RNNAgent(9 + 2, 64, 6), plain_pymarl.QMixer(2, 18, 32, 64)
    plain_pymarl.save(tmp_path / model / "20000", agent, mixer)
    assert len(PARTS) > 7
    for number, (block, command) in enumerate(PARTS):
        if command.startswith("pyqmix-train"):
            command = re.sub(r" --total-steps \d+", "", command) + SHORT
            command += "" if "--run-dir" in command else " --run-dir again"
        if block:
            (tmp_path / f"block{number}.py").write_text(block)
            run_script(f"block{number}.py", tmp_path)
        else:
            printed = run_command(command, tmp_path)
        if command == "pyqmix-export runs/lbf":
            shown = re.search(r"^    policy.pt2\n(?:    .*\n)+", PAGE.read_text(), re.MULTILINE)[0]
            assert [x.strip() for x in shown.splitlines()][:3] == [x.strip() for x in printed.splitlines()][:3]
            assert "all greedy actions equal" in printed
    shutil.rmtree(tmp_path / "runs")


def test_links_lead_to_files():
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target

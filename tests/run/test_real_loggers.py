"""W&B, MLflow and trackio themselves, with a run that Ctrl-C stops and that goes on."""

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest
from run_files import metrics

from pyqmix.run import external

pytestmark = pytest.mark.slow
COMMAND = shutil.which("pyqmix-train")
OPTIONS = "--env two_step --batch-size 4 --buffer-size 64 --hidden-dim 8 --eval-episodes 2 --log-every 400"


def records(path):
    """The records of a .wandb file: pieces with checksum, length and kind, in blocks of 32 KiB after 7 bytes."""
    data, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32_768 - at % 32_768) < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""


def steps_of_wandb(folder, run_id):
    internal = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    for path in sorted(folder.glob(f"wandb/offline-run-*-{run_id}/*.wandb")):
        for data in records(path):
            record = internal.Record.FromString(data)
            if record.WhichOneof("record_type") == "history":
                yield record.history.step.num


def steps_of_mlflow(folder, run_id):
    with sqlite3.connect(folder / "mlflow.db") as database:
        statuses = database.execute("SELECT status FROM runs WHERE run_uuid = ?", (run_id,)).fetchall()
        assert statuses == [("FINISHED",)]
        query = "SELECT step FROM metrics WHERE run_uuid = ? AND key = 'episodes' ORDER BY step"
        yield from (step for (step,) in database.execute(query, (run_id,)))


def steps_of_trackio(folder, run_id):
    with sqlite3.connect(next(folder.glob("trackio/*.db"))) as database:
        query = "SELECT step FROM metrics WHERE run_name = ? ORDER BY step"
        yield from (step for (step,) in database.execute(query, (run_id,)))


TOOLS = {"wandb": steps_of_wandb, "mlflow": steps_of_mlflow, "trackio": steps_of_trackio}


@pytest.mark.parametrize("name", TOOLS)
def test_a_stopped_run_goes_on_in_the_same_run_of_the_tool(tmp_path, name):
    pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[{name}]'")
    home = {"HOME": str(tmp_path), "TRACKIO_DIR": str(tmp_path / "trackio"), "WANDB_MODE": "offline"}
    alone = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "MLFLOW", "TRACKIO"))}
    ours = {"cwd": tmp_path, "env": {**alone, **home}, "stderr": subprocess.STDOUT, "text": True}
    first = [COMMAND, *OPTIONS.split(), "--total-steps", "10000000", "--run-dir", "run", "--loggers", name]
    with subprocess.Popen(first, stdout=subprocess.PIPE, **ours) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.split()[:1] == ["800/10,000,000"]:
                process.send_signal(signal.SIGINT)
        assert process.wait(150) == 130, "".join(said)
    stopped = int(metrics(tmp_path / "run")[-1]["steps"])
    total = str(stopped + 1_000)
    again = [COMMAND, "--resume", "run", "--total-steps", total]
    went_on = subprocess.run(again, stdout=subprocess.PIPE, timeout=200, check=False, **ours)
    assert went_on.returncode == 0, went_on.stdout
    assert f"logger {name}: " in went_on.stdout
    (entry,) = json.loads((tmp_path / "run" / external.NAME).read_text()).values()
    steps = list(TOOLS[name](Path(tmp_path), entry["id"]))
    assert steps == [int(row["steps"]) for row in metrics(tmp_path / "run")]
    assert any(step > stopped for step in steps)

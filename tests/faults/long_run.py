"""Memory, descriptors and threads of a long run: their slope over its second half, with its standard error.

    python long_run.py [MINUTES]

A real pyqmix-train is sampled every 10 seconds. Samples of memory depend on those before, so the standard error of
the slope is that of Newey and West (1987), with lags up to five minutes. A leak is planted by adding one to the
samples.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import harness
import numpy as np
from numpy.typing import NDArray

SECONDS, LAGS = 10, 30
NAMES = ("RSS, MiB", "RssAnon, MiB", "descriptors", "threads")
LEAK = 6.0  # MiB an hour
TOLERATED = 0.5  # units an hour that count as none, whatever their error
COMMAND = ["pyqmix-train", "--env", "lbf", "--total-steps", "1000000000", "--threads", "1", "--run-dir", "run"]


def main(minutes: float) -> None:
    """Sample a run, end it, and print the slopes."""
    with harness.folder(in_memory=False) as work, (work / "log").open("w") as log:
        program = [Path(sys.executable).parent / COMMAND[0], *COMMAND[1:]]
        process = subprocess.Popen(program, cwd=work, stdout=log, stderr=log)
        samples = []
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            time.sleep(SECONDS)
            assert process.poll() is None, (work / "log").read_text()
            samples.append(sample(process.pid))
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    table = np.array(samples[len(samples) // 2 :])
    grows = []
    for name, values in zip(NAMES, table.T, strict=True):
        slope, error = trend(values)
        grows += [name] if slope > max(TOLERATED, 2 * error) else []
        print(f"  {name}: {values[0]:.1f} to {values[-1]:.1f}, {slope:+.2f} an hour, standard error {error:.2f}")
    leaking = table[:, 1] + LEAK * np.arange(len(table)) * SECONDS / 3600
    slope, error = trend(leaking)
    print(
        f"long run: the later {len(table)} of {len(samples)} samples; growing: {', '.join(grows) or 'none'}; "
        f"a leak of {LEAK} MiB an hour would be seen at {slope:+.2f} +- {error:.2f}"
    )
    if grows or slope <= max(TOLERATED, 2 * error):
        sys.exit(1)


def sample(process: int) -> list[float]:
    """Return what NAMES says of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    memory = [int(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]
    return [*memory, len(os.listdir(f"/proc/{process}/fd")), int(status["Threads"])]


def trend(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope an hour of equidistant samples, and its standard error."""
    hours = np.arange(len(values)) * SECONDS / 3600
    centred = hours - hours.mean()
    slope = centred @ (values - values.mean()) / (centred @ centred)
    moments = centred * (values - values.mean() - slope * centred)
    lags = min(LAGS, len(values) // 4)
    variance = moments @ moments
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (moments[lag:] @ moments[:-lag])
    return float(slope), float(np.sqrt(max(variance, 0.0)) / (centred @ centred))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)

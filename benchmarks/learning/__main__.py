"""Records what the runs of a sweep have learned, and writes its table and its figure.

    pyqmix-sweep benchmarks/learning/sweeps/evidence.yaml --out DIR --jobs 2
    python benchmarks/learning evidence DIR

The first command trains. The second one evaluates each run of the sweep that has ended in DIR and is not recorded
yet, and adds it to ``results/NAME.csv``; the sweep may be going on. Without DIR the record alone is read. A run is
repeated once its row and the lines of its curve are deleted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this folder is the program

from harness import README, with_results
from learning.record import Record, sweep_names
from learning.report import write_report

from pyqmix import ConfigError


def main() -> None:
    """Record what is new, then report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sweep", choices=sweep_names(), help="a file of sweeps/, without .yaml")
    parser.add_argument("out", nargs="?", type=Path, metavar="DIR", help="the folder of pyqmix-sweep")
    arguments = parser.parse_args()
    record = Record(arguments.sweep)
    try:
        if arguments.out is not None:
            for line in record.add(arguments.out):
                print(line, flush=True)
        record.add_random()
        write_report(record)
        README.write_text(with_results(README.read_text()))
    except ConfigError as error:
        sys.exit(f"python benchmarks/learning: error: {error}")


if __name__ == "__main__":
    main()

"""``pyqmix-export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.base.options import one_of
from pyqmix.base.printable import printable
from pyqmix.cli.parsing import USER_ERRORS, fail, import_from_here, option_style, parse

PROGRAM = "pyqmix-export"
FORMATS = {"torch": "policy.pt2", "onnx": "policy.onnx", "pymarl": "pymarl"}
"""Each with the file or folder that it is written to by default."""


@dataclass(frozen=True)
class Options:
    """Write the trained agents of a run for other programs.

    The formats torch and onnx are one file that maps observations to values and greedy actions. It needs no pyqmix
    and describes its inputs and outputs itself. The format pymarl is a model that EPyMARL and PyMARL load.
    """

    run_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run."""
    format: Annotated[str, one_of(*FORMATS)] = "torch"
    """Program of torch.export; ONNX (needs pip install 'pyqmix-marl[onnx]'); or a folder with agent.th and
    mixer.th."""
    out: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """File, or folder of pymarl, to write. Default: policy.pt2, policy.onnx or pymarl."""
    checkpoint: Annotated[str, tyro.conf.arg(metavar="newest|best|STEPS")] = "newest"
    """Checkpoint to write: the newest one, that of the best evaluation, or one by its number of steps."""
    mask: bool = True
    """Give the policy an input with the available actions; without it, all are available."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import the modules that the run's config.json names; without it, nothing is imported by a name in that
    file."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """The run's agent network module:name, to be imported. Default: not imported."""

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise unknown("format", self.format, FORMATS)
        if self.format == "pymarl" and not self.mask:
            raise ConfigError(
                "mask: expected it with format torch or onnx, as a model of PyMARL has no such input"
            )


def main() -> None:
    """Export as the command line says."""
    options = parse(Options, PROGRAM, sys.argv[1:])
    try:
        _export(options)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)


def _export(options: Options) -> None:
    given = {} if options.agent is None else {"agent": options.agent}
    import_from_here(given.values(), options.trust)
    from pyqmix.config.saved import require_same

    run_dir = Path(os.path.expanduser(options.run_dir))
    require_same(run_dir / "config.json", given)
    out = options.out or FORMATS[options.format]
    trust = options.trust or frozenset(given.values())
    if options.format == "pymarl":
        from pyqmix.export.pymarl.exporting import export_pymarl

        model = export_pymarl(run_dir, out, options.checkpoint, trust=trust)
        files = ", ".join(sorted(path.name for path in model.folder.iterdir()))
        fitting = " ".join(f"{name}={value}" for name, value in model.options.items())
        _print(model.folder, {"files": files, "EPyMARL": f"checkpoint_path={out} {fitting}"})
        for note in model.notes:
            print(f"{PROGRAM}: {note}", file=sys.stderr)
        return
    from pyqmix.export.policy_file import export_policy

    policy = export_policy(run_dir, out, options.format, options.checkpoint, mask=options.mask, trust=trust)
    arrays = {kind: _arrays(policy.description[kind]) for kind in ("inputs", "outputs")}
    _print(policy.path, {**arrays, "checked on": str(policy.difference)})


def _arrays(described: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(f"{name} ({', '.join(map(str, each['shape']))})" for name, each in described.items())


def _print(path: Path, rows: Mapping[str, str]) -> None:
    print(path)
    for name, text in rows.items():
        print(f"  {name:<11}{printable(text)}")


if __name__ == "__main__":
    main()

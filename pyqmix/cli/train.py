"""``pyqmix-train``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import cast

from pyqmix import __version__
from pyqmix.base.build import build_info
from pyqmix.base.options import Kind, kinds_of
from pyqmix.cli.parsing import USER_ERRORS, dashed, fail, import_from_here, option_style, parse
from pyqmix.config import PRESETS, Config, from_preset
from pyqmix.config.trust import Trust
from pyqmix.envs import FAMILIES
from pyqmix.run.interrupt import Interrupted

PROGRAM = "pyqmix-train"
NAMES = ("--env", "--task", "--agent", "--mixer")  # options whose values may name a module
FLAGS = ("--trust", "--version")
# A preset's values of other options depend on these.
RELATED = ("total_steps", "updates_per_episode", "episodes_per_update")
OF_RESUME = ("--resume", "--checkpoint", "--trust")
OWN_OPTIONS = ("--preset", *OF_RESUME, "--version")
DESCRIPTION = f"""Train QMIX or another value-decomposition method.

Also: --preset NAME sets options, which those below override ({", ".join(PRESETS)}; --env lbf and smax
use the presets of these names, none is the algorithm's own defaults); --resume RUN_DIR continues a run as if it
had never been stopped (give --total-steps to extend it), from its newest checkpoint or, with --checkpoint STEPS,
from an older one;
--trust lets it import the modules that the run's config.json names, which otherwise must be named again (--env,
--task, --agent, --mixer); --version shows how pyqmix was built."""


def main() -> None:
    """Train as the command line says."""
    arguments = sys.argv[1:]
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("--resume", "--checkpoint", "--preset", *NAMES):
        first.add_argument(name)
    for name in RELATED:
        first.add_argument(dashed(name), f"--{name}")
    for name in FLAGS:
        first.add_argument(name, action="store_true")
    try:
        known, _ = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        fail(PROGRAM, error)
    if known.version:
        print(_version())
        return
    names = {name: getattr(known, name[2:]) for name in NAMES}
    import_from_here(names.values(), known.trust)
    try:
        if known.resume is not None:
            if known.preset is not None:
                fail(PROGRAM, "--preset: a resumed run keeps its options")
            trust = known.trust or frozenset(filter(None, names.values()))
            config = _resumed(known.resume, known.env, _without(arguments, *OF_RESUME), trust)
        elif known.trust:
            fail(PROGRAM, "--trust: expected --resume RUN_DIR with it")
        else:
            if known.checkpoint is not None:
                fail(PROGRAM, "--checkpoint: expected --resume RUN_DIR with it")
            env = {} if known.env is None else {"env": known.env}
            defaults = from_preset(known.preset, **env, **_related(known))
            config = _parse(_without(arguments, "--preset"), defaults)
        from pyqmix.run.trainer import train  # after the options, because torch takes seconds

        result = train(config, resume=known.resume is not None, checkpoint=known.checkpoint or "newest")
    except USER_ERRORS as error:
        of_envs = [dashed(name) for family in FAMILIES.values() for name in family.option_names]
        fail(PROGRAM, option_style(error, Config, [*OWN_OPTIONS, *of_envs]), error)
    except KeyboardInterrupt as error:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, Interrupted) else 130)
    if result.interrupted:
        sys.exit(result.exit_code)


def _related(known: argparse.Namespace) -> dict[str, object]:
    """Return the values that the command line has for the options on which a preset's others depend."""
    texts = {name: getattr(known, name) for name in RELATED if getattr(known, name) is not None}
    kinds = kinds_of(Config)
    return {name: cast(Kind, kinds[name]).instance_from_str([text]) for name, text in texts.items()}


def _resumed(folder: str, env: str | None, arguments: list[str], trust: Trust) -> Config:
    saved = Config.from_json(Path(folder) / "config.json", trust=trust).replace(run_dir=folder)
    if env is not None and env != saved.env:
        fail(PROGRAM, f"--env: a resumed run keeps its {saved.env!r}, got {env!r}")
    config = _parse(arguments, saved)
    if config.run_dir != folder:
        fail(PROGRAM, f"--run-dir: --resume goes on in {folder}, got {config.run_dir!r}")
    return config


def _parse(arguments: list[str], defaults: Config) -> Config:
    def elsewhere(name: str) -> str | None:
        having = [family.name for family in FAMILIES.values() if name in family.option_names]
        return f"{defaults.env} has no such option; only {' and '.join(having)}" if having else None

    return parse(
        type(defaults),
        PROGRAM,
        arguments,
        also=OWN_OPTIONS,
        elsewhere=elsewhere,
        default=defaults,
        description=DESCRIPTION,
    )


def _without(arguments: list[str], *options: str) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in options:
            skip = argument not in FLAGS
        elif argument.partition("=")[0] not in options:
            kept.append(argument)
    return kept


def _version() -> str:
    info = build_info()
    cuda = f"CUDA {info['cuda']} for {info['cuda_architectures']}" if info["cuda"] else "CPU only"
    return f"pyqmix {__version__} ({info['compiler']}, {info['simd']}, {cuda})"


if __name__ == "__main__":
    main()

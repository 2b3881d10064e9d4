"""``pyqmix-train``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

from pyqmix import __version__
from pyqmix.base.build import build_info
from pyqmix.base.command_line import dashed
from pyqmix.base.options import Kind, kinds_of
from pyqmix.cli.help import print_help
from pyqmix.cli.parsing import NAMES, USER_ERRORS, fail, import_from_here, option_style, parse
from pyqmix.cli.train_options import OWN_NAMES, RELATED, all_options, read_own, without_own
from pyqmix.config import Config, from_preset
from pyqmix.config.presets import overlaid, preset_of
from pyqmix.config.trust import Trust
from pyqmix.envs import FAMILIES
from pyqmix.run.interrupt import Interrupted

PROGRAM = "pyqmix-train"
ABOUT = "Train QMIX or another value-decomposition method."
MORE = "--help-all shows all {count} options; with --env, those of that environment."


def main() -> None:
    """Train as the command line says."""
    arguments = sys.argv[1:]
    try:
        own = read_own(arguments)
    except argparse.ArgumentError as error:
        fail(PROGRAM, error)
    if own.version:
        print(_version())
        return
    names = {name: value for name in NAMES if (value := getattr(own, name)) is not None}
    import_from_here(names.values(), own.trust)
    try:
        _refuse_pairs(own)
        origins: dict[str, str] = {}
        if own.resume is not None:
            defaults = _resumed(own, own.trust or frozenset(names.values()))
        else:
            defaults, origins = _started(own, names)
        if own.help or own.help_all:
            _print_help(defaults, origins, everything=own.help_all)
            return
        config = _parse(without_own(arguments), defaults)
        if own.resume is not None and config.run_dir != defaults.run_dir:
            fail(PROGRAM, f"--run-dir: --resume goes on in {defaults.run_dir}, got {config.run_dir!r}")
        if own.print_config:
            print(_as_yaml(config), end="")
            return
        from pyqmix.run.trainer import train  # after the options, because torch takes seconds

        result = train(config, resume=own.resume is not None, checkpoint=own.checkpoint or "newest")
    except USER_ERRORS as error:
        of_envs = [dashed(name) for family in FAMILIES.values() for name in family.option_names]
        fail(PROGRAM, option_style(error, Config, [*map(dashed, OWN_NAMES), *of_envs]), error)
    except KeyboardInterrupt as error:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, Interrupted) else 130)
    if result.interrupted:
        sys.exit(result.exit_code)


def _refuse_pairs(own: argparse.Namespace) -> None:
    """Refuse options of the command that say nothing together, or by themselves."""
    for name in ("preset", "config"):
        if own.resume is not None and getattr(own, name) is not None:
            fail(PROGRAM, f"{dashed(name)}: a resumed run keeps its options")
    if own.trust and own.resume is None and own.config is None:
        fail(PROGRAM, "--trust: expected --resume RUN_DIR or --config FILE with it")
    if own.checkpoint is not None and own.resume is None:
        fail(PROGRAM, "--checkpoint: expected --resume RUN_DIR with it")


def _started(own: argparse.Namespace, names: Mapping[str, str]) -> tuple[Config, dict[str, str]]:
    """Return the options of a new run, but for those that the command line gives, and whose defaults they are."""
    file: dict[str, Any] = {}
    if own.config is not None:
        from pyqmix.config.files import read_config

        file = read_config(Path(os.path.expanduser(own.config)), names, own.trust)
    preset = own.preset if own.preset is not None else file.get("preset")
    file.pop("preset", None)
    given = {**({} if own.env is None else {"env": own.env}), **_related(own)}
    options = overlaid(file, given)
    config = from_preset(preset, **options)
    origins = dict.fromkeys(file, Path(own.config or "").name) | dict.fromkeys(given, "given")
    if (named := preset_of(preset, options)) != "none":
        changed = (each.name for each in fields(config) if getattr(config, each.name) != each.default)
        origins = {**dict.fromkeys(changed, f"preset {named}"), **origins}
    return config, origins


def _related(own: argparse.Namespace) -> dict[str, object]:
    """Return the values that the command line has for the options on which a preset's others depend."""
    texts = {name: getattr(own, name) for name in RELATED if getattr(own, name) is not None}
    kinds = kinds_of(Config)
    return {name: cast(Kind, kinds[name]).instance_from_str([text]) for name, text in texts.items()}


def _resumed(own: argparse.Namespace, trust: Trust) -> Config:
    folder = os.path.expanduser(own.resume)
    saved = Config.from_json(Path(folder) / "config.json", trust=trust).replace(run_dir=folder)
    if own.env is not None and own.env != saved.env:
        fail(PROGRAM, f"--env: a resumed run keeps its {saved.env!r}, got {own.env!r}")
    return saved


def _parse(arguments: list[str], defaults: Config) -> Config:
    def elsewhere(name: str) -> str | None:
        having = [family.name for family in FAMILIES.values() if name in family.option_names]
        return f"{defaults.env} has no such option; only {' and '.join(having)}" if having else None

    own = map(dashed, OWN_NAMES)
    return parse(type(defaults), PROGRAM, arguments, also=[*own], elsewhere=elsewhere, default=defaults)


def _print_help(defaults: Config, origins: Mapping[str, str], everything: bool) -> None:
    options = all_options(type(defaults), essential=not everything)
    count = len(all_options(type(defaults), essential=False))
    more = "" if everything else MORE.format(count=count)
    print_help(PROGRAM, ABOUT, options, more, vars(defaults), origins)


def _as_yaml(config: Config) -> str:
    from pyqmix.base.yaml_files import to_yaml

    return f"# of pyqmix {__version__}, for {PROGRAM} --config\n{to_yaml(asdict(config))}"


def _version() -> str:
    info = build_info()
    cuda = f"CUDA {info['cuda']} for {info['cuda_architectures']}" if info["cuda"] else "CPU only"
    return f"pyqmix {__version__} ({info['compiler']}, {info['simd']}, {cuda})"


if __name__ == "__main__":
    main()

"""``pyqmix-import``."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, make_dataclass, replace
from typing import Annotated, Any

import tyro

from pyqmix.base.command_line import dashed
from pyqmix.base.describe import Described, describe
from pyqmix.base.options import ESSENTIAL, name_in
from pyqmix.cli.help import print_help
from pyqmix.cli.parsing import USER_ERRORS, fail, import_from_here, option_style, parse
from pyqmix.config import from_preset
from pyqmix.envs import FAMILIES, env_family

PROGRAM = "pyqmix-import"
_OWN = ("model_dir", "run_dir", "env")


@dataclass(frozen=True)
class Options:
    """Make a run's folder of a model that PyMARL or EPyMARL trained.

    The folder has one checkpoint, which pyqmix-eval plays and --init-from starts a training from. The weights tell
    networks and sizes. The environment and its options must give the observations that the model was trained on;
    --help shows those of the environment that --env names. Nothing in the model's files is executed.
    """

    model_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL_DIR")]
    """Folder with agent.th and mixer.th, or with folders of steps that have them, of which the last is taken."""
    run_dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_DIR")]
    """Folder for the run's files; it must not hold a run yet."""
    env: Annotated[str, name_in(FAMILIES), ESSENTIAL] = "lbf"
    """Environment that the model was trained in."""


def main() -> None:
    """Import as the command line says."""
    arguments = sys.argv[1:]
    try:
        _import(arguments)
    except USER_ERRORS as error:
        of_envs = [dashed(name) for family in FAMILIES.values() for name in family.option_names]
        fail(PROGRAM, option_style(error, Options, of_envs), error)


def _import(arguments: Sequence[str]) -> None:
    env, task = _named("env", arguments) or Options.env, _named("task", arguments)
    import_from_here((env, task), trust=False)
    kind = _with_environment(env)
    if not {"-h", "--help"}.isdisjoint(arguments):
        about = inspect.cleandoc(Options.__doc__ or "")
        print_help(PROGRAM, about, _described(env), values={"env": env, **_defaults(env), "last_action": None})
        return
    given = parse(kind, PROGRAM, arguments, default=kind(tyro.MISSING, tyro.MISSING, env, **_defaults(env)))
    options = {name: value for name, value in asdict(given).items() if name not in _OWN}
    if not {"--last-action", "--no-last-action"} & {each.replace("_", "-") for each in arguments}:
        options["last_action"] = None
    from pyqmix.export.pymarl.importing import import_pymarl

    config = import_pymarl(given.model_dir, given.run_dir, env, **options)
    folder, trust = shlex.quote(str(given.run_dir)), " --trust" if ":" in f"{env}{task}" else ""
    print(given.run_dir)
    names = ("agent", "hidden_dim", "share_parameters", "agent_id", "last_action", "mixer")
    print(f"  networks  {' '.join(f'{name}={getattr(config, name)}' for name in names)}")
    print(f"  evaluate  pyqmix-eval {folder}{trust}")
    print(f"  train on  pyqmix-train --config {folder}/config.json --init-from {folder}{trust}")


def _named(option: str, arguments: Sequence[str]) -> str | None:
    """Return the value of an option that others depend on; None where it is absent."""
    for argument, following in zip(arguments, [*arguments[1:], None], strict=False):
        name, equals, value = argument.partition("=")
        if name == f"--{option}":
            return value if equals else following
    return None


def _defaults(env: str) -> dict[str, Any]:
    """Return the environment's options as EPyMARL has them."""
    config = from_preset("epymarl", env=env)
    return {name: getattr(config, name) for name in env_family(env).option_names}


def _described(env: str) -> list[Described]:
    of_env = [replace(each, topic="Environment") for each in describe(env_family(env).options)]
    told = " Default: as the number of the model's inputs tells."
    return [
        *describe(Options),
        *(replace(each, sentence=each.sentence + told) if each.name == "last_action" else each for each in of_env),
    ]


def _with_environment(env: str) -> Any:
    """Make the class of this command's options and an environment's, which a Config checks later."""
    unchecked = {"__post_init__": lambda self: None}
    return make_dataclass(
        "Options", (), bases=(env_family(env).options, Options), frozen=True, namespace=unchecked
    )


if __name__ == "__main__":
    main()

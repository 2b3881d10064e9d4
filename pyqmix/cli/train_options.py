"""The options of ``pyqmix-train`` that are not the run's."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from tyro.conf import FlagCreatePairsOff

from pyqmix.base.command_line import dashed
from pyqmix.base.describe import Described, describe
from pyqmix.base.options import ESSENTIAL, Text, one_of
from pyqmix.cli.parsing import NAMES
from pyqmix.config import PRESETS

Flag = Annotated[bool, FlagCreatePairsOff]


@dataclass(frozen=True)
class Help:
    """About the command itself."""

    TOPIC: ClassVar = "Help"

    help: Annotated[bool, FlagCreatePairsOff, ESSENTIAL] = False
    """Show the options that most runs need."""
    help_all: Annotated[bool, FlagCreatePairsOff, ESSENTIAL] = False
    """Show all options."""
    version: Flag = False
    """Show the version and how pyqmix was built."""


@dataclass(frozen=True)
class Continuation:
    """A run that goes on."""

    TOPIC: ClassVar = "Run"

    resume: Annotated[str | None, Text("RUN_DIR"), ESSENTIAL] = None
    """Continue a run as if it had never been stopped; --total-steps extends it."""
    checkpoint: Annotated[str | None, Text("STEPS")] = None
    """--resume from an older checkpoint of the run. Default: from its newest one."""


@dataclass(frozen=True)
class Source:
    """Where options come from."""

    TOPIC: ClassVar = "Configuration"

    preset: Annotated[str | None, one_of(*PRESETS), ESSENTIAL] = None
    """Set of options, which all others override. Default: --env lbf and smax have the presets of their names, and
    other environments have none, the algorithm as published."""
    config: Annotated[str | None, Text("FILE"), ESSENTIAL] = None
    """File of options: YAML, or the config.json of a run, whose run_dir is not taken over. The command line
    overrides the file, and the file overrides the preset, which it may name itself (preset: NAME)."""
    print_config: Flag = False
    """Print all options as YAML, which --config reads, in place of training."""
    trust: Flag = False
    """Import the modules that the file of --config, or the run of --resume, names. Without it they must be named
    again (--env, --task, --agent, --mixer)."""


@dataclass(frozen=True)
class OwnOptions(Source, Continuation, Help):
    """All of them; the last base's come first."""


# A preset's values of other options depend on these.
RELATED = ("updates_per_episode", "episodes_per_update")
_OWN = describe(OwnOptions)
OWN_NAMES = tuple(each.name for each in _OWN)
_FLAGS = frozenset(each.name for each in _OWN if each.metavar is None)


def read_own(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command's own options, and those of the run on which others depend; None for those not given.

    Raises:
        argparse.ArgumentError: an option lacks its value.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in (*OWN_NAMES, *NAMES, *RELATED):
        spelled = [*dict.fromkeys((dashed(name), f"--{name}"))]
        if name in _FLAGS:
            parser.add_argument(*(["-h"] if name == "help" else []), *spelled, dest=name, action="store_true")
        else:
            parser.add_argument(*spelled, dest=name)
    return parser.parse_known_args(arguments)[0]


def without_own(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without the command's own options."""
    kept, skip = [], False
    for argument in arguments:
        name = argument.partition("=")[0].replace("-", "_").removeprefix("__")
        if skip:
            skip = False
        elif argument.startswith("--") and name in OWN_NAMES:
            skip = "=" not in argument and name not in _FLAGS
        elif argument != "-h":
            kept.append(argument)
    return kept


def all_options(config: type[Any], essential: bool) -> list[Described]:
    """Describe the options of the command and of a run, in the order of the help's topics.

    Args:
        config: the class of the run's options.
        essential: only those that most runs need.
    """
    of_run = [each if each.topic else replace(each, topic="Environment") for each in describe(config)]
    first = [each for each in of_run if each.topic == "Environment"]
    rest = [each for each in of_run if each.topic != "Environment"]
    found = [*first, *describe(Source), *rest, *describe(Continuation), *describe(Help)]
    return [each for each in found if each.essential or not essential]

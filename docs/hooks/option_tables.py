"""The page of every option and preset, read from the code at each build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pyqmix.base.command_line import dashed
from pyqmix.base.describe import Described, describe, shown
from pyqmix.base.errors import ConfigError
from pyqmix.base.options import LARGEST_INT, Text, kinds_of
from pyqmix.cli import evaluate, export, import_model, plot, runs, sweep, train_options
from pyqmix.config import PRESETS
from pyqmix.config.options import RunOptions
from pyqmix.envs import FAMILIES

PROBES = (object(), -(10**30), 10**30)  # each is refused by a kind that has such a bound
COMMANDS = {
    "pyqmix-train": train_options.OwnOptions,
    "pyqmix-eval": evaluate.Options,
    "pyqmix-sweep": sweep.Options,
    "pyqmix-plot": plot.Options,
    "pyqmix-runs": runs.Options,
    "pyqmix-export": export.Options,
    "pyqmix-import": import_model.Options,
}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages."""
    files.append(File.generated(config, "reference/options.md", content=options_page()))
    files.append(File.generated(config, "reference/presets.md", content=presets_page()))
    return files


def options_page() -> str:
    """Write the tables of all options: of a run, of each environment, of each command."""
    lines = [
        "# Every option",
        "",
        "Read from the code when this page is built. On the command line an option is written as here, in YAML and"
        " in `pyqmix.Config` with underscores: `--batch-size 16`, `batch_size: 16`, `Config(batch_size=16)`."
        " *Accepts* is what the check of the option itself says. Defaults are the algorithm's own;"
        " [presets](presets.md) set others.",
        "",
        "## Options of every run",
    ]
    run = describe(RunOptions)
    for topic in dict.fromkeys(each.topic for each in run):
        lines += ["", f"### {topic}", "", *_table(RunOptions, [each for each in run if each.topic == topic])]
    lines += ["", "## Options of environments", "", "`--env NAME` decides which of them a run has."]
    for name in FAMILIES.names:
        if ":" not in name and (options := FAMILIES[name].options):
            lines += ["", f"### `--env {name}`", "", *_table(options, describe(options))]
    lines += ["", "## Options of the commands", "", "`pyqmix-train` has these besides those of the run."]
    for command, options in COMMANDS.items():
        lines += ["", f"### {command}", "", *_table(options, describe(options))]
    return "\n".join(lines)


def presets_page() -> str:
    """Write a table of all presets: the options that each sets."""
    lines = [
        "# Presets",
        "",
        'A preset sets named options and nothing else: `--preset NAME`, or `from_preset("NAME")`. Read from the'
        " code when this page is built. `none` is the algorithm's own defaults.",
    ]
    for preset, values in PRESETS.items():
        lines += ["", f"## {preset}", ""]
        rows = [(f"`{dashed(name)}`", f"`{shown(value)}`") for name, value in values.items()]
        lines += _rows(("option", "value"), rows) if rows else ["Sets nothing."]
    return "\n".join(lines)


def _table(options: type[Any], described: Sequence[Described]) -> list[str]:
    kinds = kinds_of(options)
    rows = []
    for each in described:
        name = f"`{each.metavar if each.positional else dashed(each.name)}`"
        default = f"`{shown(each.default)}`" if shown(each.default) else "–"
        rows.append((name, _accepted(each, kinds[each.name]), default, _text(each.sentence)))
    return _rows(("option", "accepts", "default", "meaning"), rows)


def _accepted(option: Described, kind: Any) -> str:
    """Return what an option's own check says that it expects."""
    if option.metavar is None:
        return f"a flag; `{dashed('no_' + option.name)}` denies it" if option.negated else "a flag"
    if isinstance(kind, Text) or option.metavar == "NAME":  # the sentence tells the names
        return f"`{option.metavar}`"
    found: dict[str, None] = {}
    if kind is not None:
        for probe in PROBES:
            try:
                kind.check("", probe)
            except ConfigError as error:
                found[str(error).partition("expected ")[2].partition(", got ")[0]] = None
    texts = [text for text in found if text and text != "a finite number" and f"{LARGEST_INT:,}" not in text]
    return _text("; ".join(texts).replace("; an integer of at most", ", at most")) or f"`{option.metavar}`"


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def _text(text: str) -> str:
    return escape(text, quote=False).replace("|", "&#124;").replace("*", "&#42;").replace("_", "&#95;")

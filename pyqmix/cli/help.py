"""The help of the commands: options in groups by topic, in as many columns as the terminal has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from rich.console import Console
from rich.text import Text

from pyqmix.base.describe import Described, shown
from pyqmix.base.printable import printable

NARROWEST, WIDEST = 40, 110  # longer lines are hard to read
_INDENT, _COLUMN = 2, 30  # of an option; of its sentence
_CONSOLE = Console(width=WIDEST)  # which wrapping asks for its defaults
_TWO_COLUMNS = 72  # the narrowest terminal that has room for them


def print_help(
    program: str,
    about: str,
    options: Sequence[Described],
    more: str = "",
    values: Mapping[str, object] | None = None,
    origins: Mapping[str, str] | None = None,
) -> None:
    """Print the help of a command on standard output.

    Args:
        program: its name.
        about: a sentence or more, with an empty line between paragraphs.
        options: in the order of their topics; of one topic, they are shown together.
        more: a paragraph at the end.
        values: defaults in place of the classes' own, by option.
        origins: whose default it is, by option, where it is not the class's own.
    """
    console = Console(highlight=False)
    width = min(max(console.width, NARROWEST), WIDEST)
    positional = [each.usage for each in options if each.positional]
    for line in chain(
        _wrapped(" ".join(["usage:", program, "[OPTIONS]", *positional]), width),
        *([Text(), *_wrapped(" ".join(each.split()), width)] for each in about.split("\n\n") if each),
        _groups(options, width, values or {}, origins or {}),
        [Text(), *_wrapped(more, width)] if more else [],
    ):
        console.print(line, soft_wrap=True)


def _groups(
    options: Sequence[Described], width: int, values: Mapping[str, object], origins: Mapping[str, str]
) -> Iterator[Text]:
    for topic in dict.fromkeys(each.topic for each in options):
        yield Text()
        yield Text(topic or "Options", "bold")
        for option in options:
            if option.topic == topic:
                value = values.get(option.name, option.default)
                yield from _entry(option, width, _default(value, origins.get(option.name, "default")))


def _entry(option: Described, width: int, default: str) -> Iterator[Text]:
    """Lay out one option: its sentence to the right of it, or below where there is no room."""
    usage = Text(" " * _INDENT).append(option.usage, "cyan")
    sentence = Text(option.sentence)
    if default:
        sentence.append(f" ({default})" if option.sentence else f"({default})", "dim")
    column = _COLUMN if width >= _TWO_COLUMNS else 3 * _INDENT
    lines = iter(_wrapped(sentence, width - column))
    if len(usage) > column - 2:
        for line in _wrapped(option.usage, width - _INDENT):
            line.stylize("cyan")
            yield Text(" " * _INDENT) + line
    else:
        usage.pad_right(column - len(usage))
        yield usage + next(lines, Text())
    for line in lines:
        yield Text(" " * column) + line


def _default(value: object, origin: str) -> str:
    text = printable(shown(value))  # of --config, a file that may come from anyone
    return f"{origin}: {text}" if text else ""


def _wrapped(text: Text | str, width: int) -> Iterator[Text]:
    """Break a text into lines."""
    text = Text(text) if isinstance(text, str) else text
    for line in text.wrap(_CONSOLE, width):
        line.rstrip()
        yield line

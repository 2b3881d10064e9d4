"""Errors that a user can cause; the commands print them as one line and exit with code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """An option, or a combination of options, that cannot be used."""


class EnvError(RuntimeError):
    """An environment raised, or gave something unusable; names environment, episode and step."""


class DivergenceError(RuntimeError):
    """The loss is no longer a finite number."""


def near(got: str, known: Iterable[str], most: int = 3) -> str:
    """Suggest known names that look like ``got``: ``; did you mean a, b?`` or nothing."""
    matches = difflib.get_close_matches(got, list(known), n=most, cutoff=0.5)
    return f"; did you mean {', '.join(matches)}?" if matches else ""


def unknown(option: str, got: object, known: Iterable[str]) -> ConfigError:
    """Build the error for a value that is not one of a small set of names."""
    known = list(known)
    text = f"{option}: expected one of {', '.join(known)}, got {got!r}"
    return ConfigError(text + near(str(got), known))

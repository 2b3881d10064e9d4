"""Paths of output files that the user names, checked before any work is done for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath, require_writable
from pyqmix.base.untrusted import require_replaceable


def destination(option: str, given: AnyPath, suffixes: Sequence[str]) -> Path:
    """Return the path of a file that can be written there, with ``~`` expanded.

    Args:
        option: names it in messages.
        given: the path.
        suffixes: those that the file may have, in lower case; upper case is allowed too.

    Raises:
        ConfigError: the suffix is another one, the folder does not exist, no file can be written there, or
            something else than a file would be replaced.
    """
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:  # ~name of an unknown user
        raise ConfigError(f"{option}: expected the path of a file, got {str(given)!r}: {error}") from None
    if path.suffix.lower() not in suffixes or not path.parent.is_dir():
        kinds = " or ".join(suffixes)
        raise ConfigError(f"{option}: expected the name of a {kinds} file in a folder that exists, got {given}")
    try:
        require_replaceable(path)
        require_writable(path)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{option}: {path} cannot be written: {error.strerror or error}") from None
    return path

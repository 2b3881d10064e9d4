"""The folder of a sweep: it records the sweep, and one program at a time runs it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import write_json
from pyqmix.base.untrusted import read_json
from pyqmix.run.lock import LockedError, RunLock
from pyqmix.sweep.plan import Plan

FILE = "sweep.json"
_MISSING = "nothing"


@contextmanager
def opened(out: Path, plan: Plan) -> Iterator[None]:
    """Make the folder of a sweep, or open it if it has the same one, and keep other programs from it.

    A sweep may be larger than the one that the folder has: further tasks, seeds, variants, values of the
    grid, or trials.

    Raises:
        ConfigError: the folder has another sweep (the message says how it differs), other files, or is in use.
    """
    new, path = as_data(plan), out / FILE
    if not path.exists() and out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"out: expected a new folder, or one of a sweep, but {out} has other files")
    try:
        for folder in (out / "runs", out / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(out)
    except LockedError as error:
        raise ConfigError(f"out: {str(error).partition(': ')[2]}") from error
    except OSError as error:
        raise ConfigError(f"out: cannot make {error.filename or out}: {error.strerror}") from error
    try:
        if path.exists():
            old = read_json(path, content="a sweep")
            if changes := _differences(old, new):
                raise ConfigError(f"out: {out} holds another sweep: {'; '.join(changes)}")
        write_json(path, new)
        yield
    finally:
        lock.release()


def as_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON holds it."""
    data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(plan)))
    return data


def _differences(old: object, new: Mapping[str, Any]) -> list[str]:
    """List the differences from the sweep in a folder, but for additions."""
    if not isinstance(old, Mapping):
        return [f"its {FILE} is no sweep"]
    found = []
    for key in ("preset", "options", "tasks", "seeds", "variants", "grid", "random", "optuna"):
        was, now = old.get(key, {}), new[key]  # a folder of an older version has no variants
        if was and isinstance(was, Mapping) and isinstance(now, Mapping):
            for name in dict.fromkeys([*was, *now]):
                if not _grew(name, was.get(name, _MISSING), now.get(name, _MISSING), within=key):
                    label = name if key == "options" else f"{key}: {name}"
                    found.append(_change(label, was.get(name, _MISSING), now.get(name, _MISSING)))
        elif not _grew(key, was, now):
            found.append(_change(key, was, now))
    return found


def _grew(name: str, was: Any, now: Any, within: str = "") -> bool:
    if was == now:
        return True
    if within == "variants":
        return bool(was == _MISSING)
    if (name in ("tasks", "seeds") or within == "grid") and isinstance(was, list) and isinstance(now, list):
        return all(value in now for value in was)
    return name == "trials" and isinstance(was, int) and isinstance(now, int) and was <= now


def _change(name: str, was: Any, now: Any) -> str:
    was, now = (value if value == _MISSING else json.dumps(value) for value in (was, now))
    return f"{name} is {was[:80]} there and {now[:80]} here"

"""Calls what a user wrote: with those keywords that it accepts, and naming what it raises or returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyqmix.base.errors import ConfigError

_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@contextmanager
def blamed(option: str, call: str) -> Iterator[None]:
    """Turn an exception of a user's code into a ConfigError that names it, with the exception as its cause.

    Args:
        option: what the code is, such as ``mixer mine``.
        call: what is done with it, such as ``forward(agent_qs (4, 2))``.
    """
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join([f"{type(error).__name__}:", *str(error).strip().splitlines()[:1]])
        raise ConfigError(f"{option}: {call} raised {reason}") from error


def accepts(factory: Callable[..., Any], name: str) -> bool:
    """Whether a class or function names a parameter so."""
    parameter = _parameters(factory).get(name)
    return parameter is not None and parameter.kind in _BY_KEYWORD


def call_accepted(
    option: str,
    factory: Callable[..., Any],
    offered: Mapping[str, Any],
    given: Mapping[str, Any],
    always: Iterable[str] = (),
) -> Any:
    """Call a class or function with keywords.

    Args:
        option: names it in messages, such as ``mixer mine``.
        factory: the class or function.
        offered: keywords that it gets if its signature names them. What a ``functools.partial`` has set stays.
        given: keywords that it gets in any case.
        always: those of ``offered`` that it also gets where its signature ends in ``**kwargs``.

    Raises:
        ConfigError: it has no parameter of a given name, or needs one that is neither offered nor given.
    """
    parameters = _parameters(factory)
    named = {name for name, p in parameters.items() if p.kind in _BY_KEYWORD}
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    if (surplus := sorted(given.keys() - named)) and not takes_any:
        expected = f"arguments among {', '.join(sorted(named))}" if named else "no arguments"
        raise ConfigError(f"{option}: expected {expected}, got {surplus[0]!r}")
    wanted = named | set(always) if takes_any else named
    wanted -= getattr(factory, "keywords", {}).keys() if isinstance(factory, partial) else set()
    arguments = {**{name: offered[name] for name in wanted & offered.keys()}, **given}
    needed = {n for n in named if parameters[n].default is inspect.Parameter.empty}
    if missing := sorted(needed - arguments.keys()):
        raise ConfigError(
            f"{option}: its parameter {missing[0]!r} has no value: expected a default, one of the arguments that "
            f"pyqmix offers ({', '.join(sorted(offered))}), or one in {option.split()[0]}_args"
        )
    return factory(**arguments)


def shown(value: object) -> str:
    """Describe in one line what a user's code returned: a tensor by its shape, others by their types."""
    from torch import Tensor

    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {', '.join(map(shown, value)) or 'nothing'}"
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def _parameters(factory: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a class or function; a module without a constructor of its own takes none."""
    from torch import nn

    if getattr(factory, "__init__", None) is nn.Module.__init__:  # whose signature ends in **kwargs
        return {}
    return inspect.signature(factory).parameters

"""Calls that do not fit: `@checked_arguments` answers them with one sentence in place of Python's TypeError."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from .errors import ArgumentError, UnknownIndexError
from .nearest import did_you_mean, known_elsewhere, nearest

T = TypeVar("T", bound=Callable[..., Any])


def checked_arguments(target: T) -> T:
    """Of a public function, or of all public methods of a class: arguments that it does not have, or lacks, raise
    ArgumentError with the nearest right name. The signature stays what it is.

    A call that fits costs one more Python call: what is wrong is looked for once Python has refused it.
    """
    if not inspect.isclass(target):
        return _checked(target)
    if not hasattr(target, "__getattr__"):
        target.__getattr__ = _no_attribute
    for name, member in list(vars(target).items()):
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        if inspect.isfunction(member):
            setattr(target, name, _checked(member))
        elif isinstance(member, classmethod):
            setattr(target, name, classmethod(_checked(member.__func__)))
    return target


def _checked(function: Any) -> Any:
    settings = getattr(function, "__signature__", None)  # in place of **settings, by settings.shows_settings

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if settings is not None and not settings.parameters.keys() >= kwargs.keys():
            raise misfit(function, args, kwargs)
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside the function
        raise misfit(function, args, kwargs)

    return call


def _no_attribute(self: Any, name: str) -> Any:
    """`__getattr__` of a public class: an attribute that it does not have, with the nearest one that it has."""
    if hasattr(type(self), name):
        return object.__getattribute__(self, name)  # a property failed: its own error
    kind, near = type(self).__name__, list[str]()
    if not name.startswith("_"):
        near = nearest(name, (one for one in dir(type(self)) if not one.startswith("_")), n=1, cutoff=0.6)
    raise AttributeError(f"{kind} has no attribute {name!r}.{did_you_mean(near)}")


def misfit(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ArgumentError:
    """What is wrong with a call that Python, or the signature that the function shows, refuses."""
    name, parameters = spoken_name(function), list(inspect.signature(function).parameters.values())
    if "." in function.__qualname__:
        parameters, args = parameters[1:], args[1:]  # self, cls
    known = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for one in kwargs:
        if one not in known and all(p.kind is not p.VAR_KEYWORD for p in parameters):
            return unknown_argument(name, one, known)
    placed = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    lacking = [
        p.name for p in parameters
        if p.name in known[len(args) :] and p.name not in kwargs and p.default is p.empty
    ]  # fmt: skip
    if twice := [one for one in placed[: len(args)] if one in kwargs]:
        return ArgumentError(f"{name} got {twice[0]} twice, by position and by name. Pass it once.")
    if lacking:
        return ArgumentError(f"{name} needs {' and '.join(lacking)}. {_listed(known)}")
    if name in _INDEXED and len(args) == 1:
        return ArgumentError(f"{name} takes no arguments: {_INDEXED[name].format(described(args[0]))}.")
    by_name = [f"{one}=" for one in known if one not in placed]
    hint = f" Others go by name: {', '.join(by_name)}." if by_name else ""
    takes = ", ".join(placed) if placed else "no arguments"
    return ArgumentError(
        f"{name} takes {takes}{' in this order' if placed[1:] else ''}, "
        f"got {len(args)} value{'' if len(args) == 1 else 's'}.{hint}"
    )


# Calls that give a sequence, and are given the index of what is wanted.
_INDEXED = {
    "Generation.ledger": "the ledger is indexed: out.ledger()[{}]",
    "Model.names": "the names are a sequence, and a table by name: model.names()[{}]",
}


def unknown_argument(name: str, given: str, known: Iterable[str]) -> ArgumentError:
    """A keyword that a call does not have. name: of what was called, as users write it."""
    listed = [*known]
    hint = known_elsewhere(given, listed) or did_you_mean(nearest(given, listed, n=1), _listed(listed))
    return ArgumentError(f"{name} has no argument '{given}'.{hint}")


def spoken_name(function: Callable[..., Any]) -> str:
    """As users write it: load, views.loss, Model.generate, Temperature."""
    name = function.__qualname__.removesuffix(".__init__").removesuffix(".__call__")
    return f"views.{name}" if function.__module__.startswith("cutaway.views.") and name.islower() else name


def _listed(known: list[str]) -> str:
    return f"Its arguments are: {', '.join(known)}." if known else "It has no arguments."


def item(rows: Sequence[Any], index: int, what: str) -> Any:
    """rows[index]; UnknownIndexError, which is an IndexError, where there is none. what: the kind of each."""
    try:
        return rows[index]
    except IndexError:
        n = len(rows)
        there = f"the {what}s are 0 to {n - 1}" if n > 1 else "there is one, 0" if n else "there are none"
        raise UnknownIndexError(f"There is no {what} {index}: {there}.") from None


def check_text(what: str, text: str) -> None:
    """ArgumentError for a text that has no UTF-8 form, where bytes are no way out."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{what} has a lone surrogate at position {error.start}, which is no character and has no UTF-8 form. "
            "Remove it."
        ) from None


def described(value: Any) -> str:
    """A value in the words of the one who passed it."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {list(value.shape)}"
    if isinstance(value, (str, bytes)):
        return f"the {'text' if isinstance(value, str) else 'bytes'} {value[:40]!r}{'...' if len(value) > 40 else ''}"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"

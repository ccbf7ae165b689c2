"""Public names that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from .nearest import did_you_mean, nearest


def lazy(
    package: str, homes: Mapping[str, str], submodules: Iterable[str] = (), elsewhere: Mapping[str, str] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package.

    homes: public name -> the module of the package that holds it. submodules: those that are public as they are.
    elsewhere: names that are looked for here and live in another place -> how they are written there.
    """
    space = vars(sys.modules[package])

    def get(name: str) -> object:
        if name in submodules:
            return import_module(f".{name}", package)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}.{_meant(name)}")
        value = getattr(import_module(f".{homes[name]}", package), name)
        space[name] = value
        return value

    def _meant(name: str) -> str:
        if name.startswith("_"):
            return ""
        spelled = {**(elsewhere or {}), **{one: repr(one) for one in space["__all__"]}}
        return did_you_mean(spelled[one] for one in nearest(name, spelled, n=1, cutoff=0.6))

    return get, lambda: sorted({*space, *space["__all__"]})

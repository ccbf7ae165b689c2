"""cutaway: an LLM engine with the side panel off."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ArgumentError, Error, FormatError, MemoryLimitError

if TYPE_CHECKING:
    from .sampler import (
        FrequencyPenalty,
        MinP,
        PresencePenalty,
        RepetitionPenalty,
        Sampler,
        Temperature,
        TopK,
        TopP,
    )

__all__ = [
    "ArgumentError",
    "Error",
    "FormatError",
    "FrequencyPenalty",
    "MemoryLimitError",
    "MinP",
    "PresencePenalty",
    "RepetitionPenalty",
    "Sampler",
    "Temperature",
    "TopK",
    "TopP",
]
__version__ = "0.1.0"

# Where a name lives that is loaded when it is first used.
_LAZY = {
    "FrequencyPenalty": "sampler",
    "MinP": "sampler",
    "PresencePenalty": "sampler",
    "RepetitionPenalty": "sampler",
    "Sampler": "sampler",
    "Temperature": "sampler",
    "TopK": "sampler",
    "TopP": "sampler",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'cutaway' has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})

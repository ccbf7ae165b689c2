"""cutaway: an LLM engine with the side panel off."""

from importlib import import_module

from .errors import ArgumentError, Error, FormatError, MemoryLimitError

TYPE_CHECKING = False  # for type checkers true; `typing` takes longer to import than all the rest here
if TYPE_CHECKING:
    from . import views
    from .catalogue import models
    from .chat import ChatTemplate
    from .comparison.run import compare
    from .comparison.table import Comparison
    from .inspect import inspect_file
    from .model import Model, Session, isas, load, step
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
    from .tokenizer import Tokenizer

# Public name -> the module that holds it, imported when the name is first used: `import cutaway` itself stays
# instant and loads nothing that a notebook may not need.
_LAZY = {
    "ChatTemplate": "chat",
    "Comparison": "comparison.table",
    "FrequencyPenalty": "sampler",
    "MinP": "sampler",
    "Model": "model",
    "PresencePenalty": "sampler",
    "RepetitionPenalty": "sampler",
    "Sampler": "sampler",
    "Session": "model",
    "Temperature": "sampler",
    "Tokenizer": "tokenizer",
    "TopK": "sampler",
    "TopP": "sampler",
    "compare": "comparison.run",
    "inspect_file": "inspect",
    "isas": "model",
    "load": "model",
    "models": "catalogue",
    "step": "model",
}
_SUBMODULES = ("views",)  # public as they are

__all__ = [
    "ArgumentError",
    "ChatTemplate",
    "Comparison",
    "Error",
    "FormatError",
    "FrequencyPenalty",
    "MemoryLimitError",
    "MinP",
    "Model",
    "PresencePenalty",
    "RepetitionPenalty",
    "Sampler",
    "Session",
    "Temperature",
    "Tokenizer",
    "TopK",
    "TopP",
    "compare",
    "inspect_file",
    "isas",
    "load",
    "models",
    "step",
    "views",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name not in _LAZY:
        import difflib

        near = difflib.get_close_matches(name, __all__, n=1)
        hint = f". Did you mean {near[0]!r}?" if near and not name.startswith("_") else ""
        raise AttributeError(f"module 'cutaway' has no attribute {name!r}{hint}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""cutaway: an LLM engine with the side panel off."""

from .errors import ArgumentError, Error, FormatError, MemoryLimitError, UnknownIndexError, UnknownNameError
from .lazy import lazy

TYPE_CHECKING = False  # for type checkers true; `typing` takes longer to import than all the rest here
if TYPE_CHECKING:
    from . import views
    from .catalogue import models
    from .chat import ChatTemplate
    from .comparison.run import compare
    from .comparison.table import Comparison
    from .encodings import tokenizer, tokenizer_for
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
    from .tokenization import Tokenizer

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
    "Tokenizer": "tokenization",
    "TopK": "sampler",
    "TopP": "sampler",
    "compare": "comparison.run",
    "inspect_file": "inspect",
    "isas": "model",
    "load": "model",
    "models": "catalogue",
    "step": "model",
    "tokenizer": "encodings",
    "tokenizer_for": "encodings",
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
    "UnknownIndexError",
    "UnknownNameError",
    "compare",
    "inspect_file",
    "isas",
    "load",
    "models",
    "step",
    "tokenizer",
    "tokenizer_for",
    "views",
]
__version__ = "0.1.0"


# Where a beginner looks for them.
_ELSEWHERE = {
    name: f"model.{name}, of model = ca.load(...)" for name in ("chat", "generate", "run_with_cache", "score")
}
__getattr__, __dir__ = lazy(__name__, _LAZY, _SUBMODULES, _ELSEWHERE)

"""cutaway: an LLM engine with the side panel off."""

from .errors import ArgumentError, Error, FormatError, MemoryLimitError, UnknownIndexError, UnknownNameError
from .lazy import lazy

TYPE_CHECKING = False  # for type checkers true; `typing` takes longer to import than all the rest here
if TYPE_CHECKING:
    from . import calc, views
    from .catalogue import models
    from .chat import ChatTemplate
    from .comparison.run import compare
    from .comparison.table import Comparison
    from .encodings import tokenizer, tokenizer_for
    from .formats import compare_formats
    from .inspect import inspect_file
    from .languages import language_cost
    from .messages import ChatOverhead, count_tokens, fit_messages
    from .model import Model, Session, isas, load, step
    from .parallel import read_massive, read_udhr
    from .prices import cost
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
    from .tokenizer_diff import diff_tokenizers
    from .training import train_bpe

# Public name -> the module that holds it, imported when the name is first used: `import cutaway` itself stays
# instant and loads nothing that a notebook may not need.
_LAZY = {
    "ChatOverhead": "messages",
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
    "compare_formats": "formats",
    "cost": "prices",
    "count_tokens": "messages",
    "diff_tokenizers": "tokenizer_diff",
    "fit_messages": "messages",
    "inspect_file": "inspect",
    "isas": "model",
    "language_cost": "languages",
    "load": "model",
    "models": "catalogue",
    "read_massive": "parallel",
    "read_udhr": "parallel",
    "step": "model",
    "tokenizer": "encodings",
    "tokenizer_for": "encodings",
    "train_bpe": "training",
}
_SUBMODULES = ("calc", "views")  # public as they are

__all__ = [
    "ArgumentError",
    "ChatOverhead",
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
    "calc",
    "compare",
    "compare_formats",
    "cost",
    "count_tokens",
    "diff_tokenizers",
    "fit_messages",
    "inspect_file",
    "isas",
    "language_cost",
    "load",
    "models",
    "read_massive",
    "read_udhr",
    "step",
    "tokenizer",
    "tokenizer_for",
    "train_bpe",
    "views",
]
__version__ = "0.1.0"


# Where a beginner looks for them.
_ELSEWHERE = {
    name: f"model.{name}, of model = ca.load(...)" for name in ("chat", "generate", "run_with_cache", "score")
}
__getattr__, __dir__ = lazy(__name__, _LAZY, _SUBMODULES, _ELSEWHERE)

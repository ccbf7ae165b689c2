"""cutaway: an LLM engine with the side panel off."""

from .errors import ArgumentError, Error, FormatError, MemoryLimitError

__all__ = ["ArgumentError", "Error", "FormatError", "MemoryLimitError"]
__version__ = "0.1.0"

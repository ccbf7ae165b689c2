"""cutaway: an LLM engine with the side panel off."""

from .errors import ArgumentError, Error, FormatError, MemoryLimitError
from .inspect import FileInfo, inspect_file
from .tokenizer import Tokenizer

__all__ = ["ArgumentError", "Error", "FileInfo", "FormatError", "MemoryLimitError", "Tokenizer", "inspect_file"]
__version__ = "0.1.0"

"""cutaway: an LLM engine with the side panel off."""

from .errors import ArgumentError, Error, FormatError, MemoryLimitError
from .inspect import FileInfo, inspect_file

__all__ = ["ArgumentError", "Error", "FileInfo", "FormatError", "MemoryLimitError", "inspect_file"]
__version__ = "0.1.0"

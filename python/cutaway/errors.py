"""The exceptions of the package. `ca.Error` is the root; each message says what, got, expected, what to do."""


class Error(Exception):
    """Anything cutaway refuses to do."""


class FormatError(Error):
    """A file that is not what it should be."""


class ArgumentError(Error, ValueError):
    """A call that cannot be carried out as asked."""


class MemoryLimitError(Error, MemoryError):
    """More memory than there is."""

"""The exceptions of the package. `ca.Error` is the root; each message says what, got, expected, what to do."""


class Error(Exception):
    """Anything cutaway refuses to do."""


class FormatError(Error):
    """A file that is not what it should be."""


class ArgumentError(Error, ValueError):
    """A call that cannot be carried out as asked."""


class UnknownNameError(ArgumentError, KeyError):
    """A name that a mapping does not hold, such as `model.weights` or a trace."""

    __str__ = Exception.__str__  # KeyError's shows the message as a string in quotes


class MemoryLimitError(Error, MemoryError):
    """More memory than there is."""

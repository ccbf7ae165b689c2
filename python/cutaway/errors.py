"""The exceptions of the package. `ca.Error` is the root; each message says what, got, expected, what to do."""

from typing import Any


class Error(Exception):
    """Anything cutaway refuses to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the user's own lines, and the sentence."""
        return [*_own_lines(self), "", f"{type(self).__module__.split('.')[0]}.{type(self).__name__}: {self}"]


class FormatError(Error):
    """A file that is not what it should be."""


class ArgumentError(Error, ValueError):
    """A call that cannot be carried out as asked."""


class UnknownNameError(ArgumentError, KeyError):
    """A name that a mapping does not hold, such as `model.weights` or a trace."""

    __str__ = Exception.__str__  # KeyError's shows the message as a string in quotes


class UnknownIndexError(ArgumentError, IndexError):
    """An index beyond the end of a sequence, such as the steps of a generation."""


class MemoryLimitError(Error, MemoryError):
    """More memory than there is."""


def stopped(sentence: str) -> KeyboardInterrupt:
    """Ctrl-C in a download, with what is left of it; to be raised outside of the loop that it broke.

    No class of its own: Python ends a script by the signal, as a shell's loop expects, for KeyboardInterrupt alone.
    """
    error: Any = KeyboardInterrupt(sentence)
    error._render_traceback_ = lambda: [*_own_lines(error), "", f"KeyboardInterrupt: {sentence}"]
    return error


_WORKINGS = ("cutaway", "contextlib", "IPython", "ipykernel")  # modules whose frames tell a user nothing


def _own_lines(error: BaseException) -> list[str]:
    """The frames of the user's own code, outermost first, a line or two each."""
    import linecache

    lines, at = list[str](), error.__traceback__
    while at is not None:
        frame, number, at = at.tb_frame, at.tb_lineno, at.tb_next
        if str(frame.f_globals.get("__name__")).split(".")[0] in _WORKINGS:
            continue
        name = frame.f_code.co_filename
        lines.append(f"{_place(name)}, line {number}" + (f", in {frame.f_code.co_name}" if lines else ""))
        if source := linecache.getline(name, number, frame.f_globals).strip():
            lines.append(f"    {source}")
    return lines


def _place(filename: str) -> str:
    """A file, or a notebook's cell by the number that stands beside it."""
    import sys

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    known = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(filename)
    return " ".join(known) if known else f"File {filename}"

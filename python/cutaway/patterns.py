"""Regular expressions of tokenizer.json files for which the engine has no scanner of its own.

Hugging Face's library runs them with Oniguruma in its Ruby syntax; here the package `regex` does, after what the two
read differently has been rewritten. The engine calls back into this module.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from .errors import Error

# What one atom can be: an escape with braces, any other escape, a class (found by hand), a group's head, a character.
_ESCAPE = re.compile(r"\\(?:[pP]\{[^}]*\}|x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}|k<[^>]*>|.)", re.S)
_PROPERTIES = re.compile(r"\\[pPwWdDsSX]|\[:")
_QUANTIFIER = re.compile(r"[*+?]|\{\d*,?\d*\}")
_HEAD = re.compile(r"\((?:\?(?:[:=!>]|<[=!]|<[A-Za-z_]\w*>|[a-z]*(?:-[a-z]+)?[:)]|#[^)]*\)))?")
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"  # \w of Oniguruma in a class
_LATIN = "²³¹¼-¾"  # and these, outside of one
_ONLY_RUBY = {"h": "0-9A-Fa-f"}  # \h: a hexadecimal digit
# What all matches of one text may take together: tens of times what expressions in use take.
_SECONDS, _SECONDS_A_CHARACTER = 2.0, 2e-5
_REFUSED = "gKRXyYzZ"  # calls, keep, line breaks, grapheme clusters; \z and \Z mean other things in both


def compile_pattern(expression: str) -> tuple[Callable[[str], list[tuple[int, int]]], bool]:
    """A function that gives every match in a text, (begin, end) in characters, as Oniguruma's iterator would; and
    whether the expression asks for properties of characters, which `regex` has of a newer Unicode.

    Error where the package `regex` is missing, or the expression cannot be read.
    """
    try:
        import regex
    except ImportError:
        raise Error(
            f"This tokenizer cuts its text by the regular expression {expression!r}, for which the package 'regex' is "
            "needed: pip install regex, or pip install 'cutaway[regex]'."
        ) from None
    try:
        pattern = regex.compile(translated(expression), regex.VERSION1 | regex.MULTILINE)
    except regex.error as problem:
        raise Error(f"The regular expression {expression!r} of the tokenizer cannot be read: {problem}.") from None
    return (lambda text: list(_matches(pattern, text, expression))), _PROPERTIES.search(expression) is not None


def _matches(pattern: Any, text: str, expression: str) -> Iterator[tuple[int, int]]:
    at, last = 0, -1
    end_of_time = time.monotonic() + _SECONDS + _SECONDS_A_CHARACTER * len(text)
    while at <= len(text):
        try:
            found = pattern.search(text, at, timeout=max(end_of_time - time.monotonic(), 0.001))
        except TimeoutError:
            raise Error(
                f"The regular expression {expression!r} of the tokenizer takes too long on a text of {len(text):,} "
                f"characters: it was stopped at character {at:,}. Expressions that try every way to divide a text take "
                "twice as long for each character more."
            ) from None
        if found is None:
            return
        begin, end = found.span()
        if begin == end == last:  # an empty match that touches the one before is none
            at = end + 1
            continue
        yield begin, end
        at = last = end


def translated(expression: str) -> str:
    r"""The expression with what `regex` would read differently rewritten.

    - `{1,3}+` repeats the repetition in Ruby's syntax, and is possessive in others.
    - `\w` is another set (with `²` and its like in it, but not in a class), `\h` is a hexadecimal digit.
    - `(?m` makes a dot match line breaks; `^` and `$` always are those of lines.
    """
    out: list[str] = []
    groups: list[int] = []  # where in `out` each open group began
    atom = -1  # where in `out` the last atom began
    at = 0
    while at < len(expression):
        c = expression[at]
        if c == "\\":
            whole = _ESCAPE.match(expression, at)
            if whole is None:
                raise Error(f"The regular expression {expression!r} ends with a backslash.")
            atom = len(out)
            out.append(_escape(whole[0], expression, False))
            at = whole.end()
        elif c == "[":
            atom = len(out)
            end = _class_end(expression, at)
            out.append(_class(expression[at:end], expression))
            at = end
        elif c == "(":
            head = _HEAD.match(expression, at)
            assert head is not None
            text = head[0]
            if text.endswith(")") and text != ")":  # a comment, or flags for what follows
                out.append(_flags(text, expression))
            else:
                groups.append(len(out))
                out.append(_flags(text, expression))
            at = head.end()
        elif c == ")":
            atom = groups.pop() if groups else len(out)
            out.append(c)
            at += 1
        elif (quantifier := _QUANTIFIER.match(expression, at)) and atom >= 0 and quantifier[0] != "{}":
            out.append(quantifier[0])
            at = quantifier.end()
            if quantifier[0].startswith("{") and expression[at : at + 1] == "+":
                out[atom] = "(?:" + out[atom]
                out.append(")+")
                at += 1
        else:
            if c not in "|^$":
                atom = len(out)
            out.append(c)
            at += 1
    return "".join(out)


def _flags(head: str, expression: str) -> str:
    """The head of a group; of its flags, `m` becomes `s`."""
    flags = re.fullmatch(r"\(\?([a-z]*)(?:-([a-z]+))?([:)])", head)
    if flags is None:
        return head
    on, off = flags[1], flags[2] or ""
    if set(on + off) - set("imx"):
        raise Error(f"The regular expression {expression!r} has the flags {head!r}; i, m and x are known.")
    on, off = on.replace("m", "s"), off.replace("m", "s")
    return f"(?{on}{'-' + off if off else ''}{flags[3]}"


def _escape(escape: str, expression: str, in_class: bool) -> str:
    letter = escape[1]
    if letter in _REFUSED and not in_class:
        raise Error(f"The regular expression {expression!r} has {escape!r} in it, which is not supported.")
    inside = _WORD if letter in "wW" else _ONLY_RUBY.get(letter.lower())
    if inside is None:
        return escape
    if letter in "wW" and not in_class:
        inside += _LATIN
    if letter.islower() and in_class:
        return inside
    return f"[^{inside}]" if letter.isupper() else f"[{inside}]"


def _class_end(expression: str, at: int) -> int:
    """Where the class that begins at `at` ends; classes may stand in classes."""
    depth = 0
    while at < len(expression):
        c = expression[at]
        if c == "\\":
            at += 1
        elif expression.startswith("[:", at) and depth and (end := expression.find(":]", at)) > 0:
            at = end + 1
        elif c == "[":
            depth += 1
            at += expression.startswith("^", at + 1)
            at += expression.startswith("]", at + 1)  # a bracket that comes first is one of the characters
        elif c == "]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise Error(f"The regular expression {expression!r} has a class without an end.")


def _class(given: str, expression: str) -> str:
    """A class; what `regex` takes for operators between sets is a character twice in Oniguruma."""
    text = _ESCAPE.sub(lambda found: _escape(found[0], expression, True), given)
    return re.sub(r"(?<!\\)(--|\|\||~~)", lambda found: "\\" + found[0], text)

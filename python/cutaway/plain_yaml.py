"""Plain data as YAML in block style: what PyYAML's safe_load, and any reader of YAML 1.1 or 1.2, reads back exactly."""

from __future__ import annotations

import math
import re
from typing import Any

from .arguments import described
from .errors import ArgumentError

_DEPTH = 100
_KEY = 1000  # characters; readers take a key of up to 1,024
# Words that YAML 1.1 or 1.2 takes for something else than a text.
_TAKEN = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
# Begins with a letter; has no colon, comma, hash or double quote.
_PLAIN = re.compile(r"[^\W\d_](?:[\w ./()'+@%-]*[\w./()'+@%-])?")


def to_yaml(value: Any) -> str:
    """Mappings with str keys, lists, str, int, float, bool and None as YAML, ending in a line break.

    ArgumentError for anything else, with the place: other keys, NaN and infinities, lone surrogates.
    """
    return "\n".join(_lines(value, "record", 0)) + "\n"


def _lines(value: Any, where: str, depth: int) -> list[str]:
    if depth > _DEPTH:
        raise ArgumentError(f"{where[:60]}... is nested more than {_DEPTH} deep.")
    if isinstance(value, dict) and value:
        out = []
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ArgumentError(f"{where} has the key {key!r}; keys must be str, as in JSON.")
            name = _scalar(key, where)
            if len(name) > _KEY:
                raise ArgumentError(f"{where} has a key of {len(key):,} characters; YAML takes up to {_KEY:,}.")
            out += _under(f"{name}:", inner, f"{where}[{key!r}]", depth)
        return out
    if isinstance(value, (list, tuple)) and value:
        out = []
        for i, inner in enumerate(value):
            lines = _lines(inner, f"{where}[{i}]", depth + 1)
            out += [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])]
        return out
    if isinstance(value, dict):
        return ["{}"]
    if isinstance(value, (list, tuple)):
        return ["[]"]
    return [_scalar(value, where)]


def _under(head: str, inner: Any, where: str, depth: int) -> list[str]:
    """A key's line and what is below it, or beside it where that is one value."""
    lines = _lines(inner, where, depth + 1)
    if not inner or not isinstance(inner, (dict, list, tuple)):
        return [f"{head} {lines[0]}"]
    return [head, *(f"  {line}" if isinstance(inner, dict) else line for line in lines)]


def _scalar(value: Any, where: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value, where)
    if not isinstance(value, str):
        raise ArgumentError(f"{where} is {described(value)}; expected a dict, list, str, number, bool or None.")
    if _PLAIN.fullmatch(value) and value.lower() not in _TAKEN and value.isprintable():
        return value
    return _quoted(value, where)


def _float(value: float, where: str) -> str:
    if not math.isfinite(value):
        raise ArgumentError(f"{where} is {value!r}, which JSON cannot hold; expected a finite number.")
    text = repr(float(value))
    mantissa, e, exponent = text.partition("e")  # readers of YAML 1.1 want the point and the sign: 1.0e+16
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}" if e else mantissa


_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(text: str, where: str) -> str:
    out = []
    for i, c in enumerate(text):
        code = ord(c)
        if 0xD800 <= code < 0xE000:
            raise ArgumentError(f"{where} has a lone surrogate at position {i}, which has no UTF-8 form. Remove it.")
        if c in _SHORT:
            out.append(_SHORT[c])
        elif c == " " or (c.isprintable() and code != 0xFEFF):
            out.append(c)
        else:
            out.append(f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}")
    return f'"{"".join(out)}"'

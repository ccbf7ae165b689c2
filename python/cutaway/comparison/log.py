"""Finished rows on disk, one JSON line each, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..cache import _try_lock
from ..errors import ArgumentError, Error
from .answers import Answer

_KIND = "cutaway compare"
_VERSION = 1


class Log:
    """The file of one run. Its first line holds the settings; a line is there whole or not at all.

    Opening reads what is there. A last line without its end, from a killed run, is dropped. ArgumentError for a file
    of other settings, or of another kind: it is left as it is. Error where another process writes to it.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path).expanduser()
        self._settings = json.loads(json.dumps(settings))
        try:
            self._file: BinaryIO = open(self.path, "a+b")  # noqa: SIM115 - closed by `close`
        except OSError as err:
            raise ArgumentError(f"resume: {self.path} cannot be opened: {err.strerror or err}.") from None
        try:
            if not _try_lock(self._file):
                raise Error(f"resume: another process is writing {self.path}. Wait for it, or give another file.")
            self.answers = self._read()
        except BaseException:
            self._file.close()
            raise

    def add(self, answer: Answer) -> None:
        self._write({name: _plain(value) for name, value in _fields(answer).items()})

    def close(self) -> None:
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def _read(self) -> list[Answer]:
        self._file.seek(0)
        text = self._file.read()
        whole = text.rfind(b"\n") + 1
        first = json.dumps({"kind": _KIND, "version": _VERSION})[:-1].encode()
        if not text[: len(first)] == first[: len(text)]:
            raise ArgumentError(
                f"resume: {self.path} is no file of a comparison. It is left as it is; give another name."
            )
        lines = text[:whole].splitlines()
        if lines:
            self._check(self._parsed(lines[0], 1).get("settings"))
        self._file.truncate(whole)
        if not lines:
            self._write({"kind": _KIND, "version": _VERSION, "settings": self._settings})
        return [self._answer(line, number) for number, line in enumerate(lines[1:], start=2)]

    def _check(self, found: Any) -> None:
        if not isinstance(found, dict):
            raise ArgumentError(f"resume: {self.path} has no settings in its first line. Give another name.")
        names = [k for k in sorted({*found, *self._settings}) if found.get(k) != self._settings.get(k)]
        if names:
            said = "; ".join(f"{k} was {_short(found.get(k))}, now {_short(self._settings.get(k))}" for k in names)
            raise ArgumentError(
                f"resume: {self.path} holds a run with other settings: {said}. It is left as it is; give another name, "
                "or the same settings to go on."
            )

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise ArgumentError(
                f"resume: line {number} of {self.path} is damaged. Remove that line to run its row again."
            )
        return record

    def _answer(self, line: bytes, number: int) -> Answer:
        record = self._parsed(line, number)
        try:
            values = {f.name: record[f.name] for f in dataclasses.fields(Answer)}
        except KeyError as err:
            raise ArgumentError(
                f"resume: line {number} of {self.path} has no {err.args[0]!r}. Remove that line to run its row again."
            ) from None
        return Answer(**{name: _restored(value, Answer.__annotations__[name]) for name, value in values.items()})


def digest_of(texts: Any) -> str:
    """A short digest of a list of texts, for the settings of a log."""
    return hashlib.blake2b(json.dumps(list(texts)).encode(), digest_size=16).hexdigest()


def _fields(answer: Answer) -> dict[str, Any]:
    return {f.name: getattr(answer, f.name) for f in dataclasses.fields(answer)}


def _plain(value: Any) -> Any:
    """JSON has neither NaN nor infinities: None stands for what is no number."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _restored(value: Any, annotation: str) -> Any:
    if isinstance(value, list):
        return tuple(_restored(one, "float" if "float" in annotation else "") for one in value)
    return math.nan if value is None and annotation == "float" else value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

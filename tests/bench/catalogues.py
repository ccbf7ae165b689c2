"""Lines in many languages: the messages of Django (BSD) and the names of languages, countries and regions of pycountry
(LGPL 2.1), from the wheels that scripts/fetch_texts.py leaves in cutaway's cache. Nothing of them lies in the repository."""

from __future__ import annotations

import gettext
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from cutaway.cache import cache_dir

from .files import ROOT

_SAME = {"zh_Hans": "zh_CN", "zh_Hant": "zh_TW", "nb_NO": "nb"}
_STORE = Path(os.environ.get("CUTAWAY_TEST_TEXTS") or cache_dir() / "texts")  # before a test sets another cache


def wheels() -> list[Path]:
    """Both wheels. FileNotFoundError where they are not."""
    names = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "tests" / "texts.txt").read_text("utf-8"), re.M)
    found = [path for name, version in names for path in _STORE.glob(f"{name}-{version}-*.whl")]
    if len(found) != len(names):
        raise FileNotFoundError(f"the texts of tests/texts.txt are not in {_STORE}: python scripts/fetch_texts.py")
    return found


def lines_of(wanted: Callable[[str], bool]) -> dict[str, list[str]]:
    """{language: lines} of the languages that are wanted, each line once, Django's before pycountry's; "en" is what is
    translated."""
    found: dict[str, dict[str, None]] = {"en": {}}
    for wheel in wheels():
        for language, message, translated in _messages(wheel, wanted):
            found["en"] |= dict.fromkeys(_lines(message))
            if translated != message:
                found.setdefault(language, {}).update(dict.fromkeys(_lines(translated)))
    return {language: list(lines) for language, lines in sorted(found.items())}


def _messages(wheel: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str, str]]:
    with zipfile.ZipFile(wheel) as members:
        for name in sorted(members.namelist()):
            language = Path(name).parts[-3] if name.endswith(".mo") else ""
            language = _SAME.get(language, language)
            if not language or not wanted(language):
                continue
            catalogue = gettext.GNUTranslations(io.BytesIO(members.read(name)))
            for message, translated in catalogue._catalog.items():  # type: ignore[attr-defined]
                source = message[0] if isinstance(message, tuple) else message  # of plurals: (message, which)
                if source:
                    yield language, source.rpartition("\x04")[2], translated


def _lines(message: str) -> list[str]:
    return [line for line in message.split("\n") if line.strip()]


@cache
def countries() -> list[str]:
    """The two letters of every country of ISO 3166-1, of pycountry."""
    for wheel in wheels():
        with zipfile.ZipFile(wheel) as members:
            if (name := "pycountry/databases/iso3166-1.json") in members.namelist():
                return sorted(one["alpha_2"] for one in json.loads(members.read(name))["3166-1"])
    raise FileNotFoundError("no wheel of tests/texts.txt has ISO 3166-1")

"""Lines in many languages: the messages of Django (BSD) and the names of languages, countries and regions of pycountry
(LGPL 2.1), from the wheels that scripts/fetch_texts.py leaves in cutaway's cache. Nothing of them lies in the repository."""

from __future__ import annotations

import gettext
import io
import os
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT
from cutaway.cache import cache_dir

# 26 languages in 20 scripts, of each of which there are a thousand lines.
LANGUAGES = "ar bn de el en fa fr gu he hi hy ja ka kn ko lo ml or pa ru ta th tr vi zh_CN zh_TW".split()
_SAME = {"zh_Hans": "zh_CN", "zh_Hant": "zh_TW", "nb_NO": "nb"}
_STORE = Path(os.environ.get("CUTAWAY_TEST_TEXTS") or cache_dir() / "texts")  # before a test sets another cache


def wheels() -> list[Path]:
    """Both wheels. Where they are not: the test fails in continuous integration, and is skipped elsewhere."""
    names = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "tests" / "texts.txt").read_text("utf-8"), re.M)
    found = [path for name, version in names for path in _STORE.glob(f"{name}-{version}-*.whl")]
    if len(found) != len(names):
        absent = f"the texts of tests/texts.txt are not in {_STORE}: python scripts/fetch_texts.py"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    return found


@cache
def translations(every: bool = False) -> dict[str, list[str]]:
    """{language: lines}, each once, Django's before pycountry's; "en" is what is translated. every: all 171 languages
    and variants, else LANGUAGES."""
    found: dict[str, dict[str, None]] = {"en": {}}
    for wheel in wheels():
        for language, message, translated in _messages(wheel, every):
            found["en"] |= dict.fromkeys(_lines(message))
            if translated != message:
                found.setdefault(language, {}).update(dict.fromkeys(_lines(translated)))
    return {language: list(lines) for language, lines in sorted(found.items())}


def _messages(wheel: Path, every: bool) -> Iterator[tuple[str, str, str]]:
    with zipfile.ZipFile(wheel) as members:
        for name in sorted(members.namelist()):
            language = Path(name).parts[-3] if name.endswith(".mo") else ""
            language = _SAME.get(language, language)
            if not language or not (every or language in LANGUAGES):
                continue
            catalogue = gettext.GNUTranslations(io.BytesIO(members.read(name)))
            for message, translated in catalogue._catalog.items():  # type: ignore[attr-defined]
                source = message[0] if isinstance(message, tuple) else message  # of plurals: (message, which)
                if source:
                    yield language, source.rpartition("\x04")[2], translated


def _lines(message: str) -> list[str]:
    return [line for line in message.split("\n") if line.strip()]

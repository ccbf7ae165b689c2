"""The lines of bench.catalogues, for tests: without the wheels they are skipped, and fail in continuous integration."""

from __future__ import annotations

import os
from functools import cache

import pytest
from bench import catalogues

# 26 languages in 20 scripts, of each of which there are a thousand lines.
LANGUAGES = "ar bn de el en fa fr gu he hi hy ja ka kn ko lo ml or pa ru ta th tr vi zh_CN zh_TW".split()


def need_wheels() -> None:
    try:
        catalogues.wheels()
    except FileNotFoundError as absent:
        if os.environ.get("CI"):
            pytest.fail(str(absent))
        pytest.skip(str(absent))


@cache
def translations(every: bool = False) -> dict[str, list[str]]:
    """{language: lines}. every: all 171 languages and variants, else LANGUAGES."""
    need_wheels()
    return catalogues.lines_of(lambda language: every or language in LANGUAGES)

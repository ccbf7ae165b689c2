"""The name of a token where there is room for one line only."""

from __future__ import annotations

from .chips import marked


def label(text: str) -> str:
    """The token as one line that is never blank: spaces alone are counted, what does not print is escaped."""
    if text.strip(" "):
        return marked(text)
    return "␣" * len(text) if 0 < len(text) < 4 else f"␣×{len(text)}"

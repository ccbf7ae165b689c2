"""Stop strings on a text that arrives in pieces, as tokens do: nothing is let out that may turn out to be a stop."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Feeds text through `push`; each call returns the text that is safe to show, and whether a stop was completed.

    The stop that is completed first ends the text (of those, the one that began first); what follows it is dropped, and
    so is the stop itself. Where pieces begin and end makes no difference.
    """

    def __init__(self, stops: Sequence[str] = ()):
        self.stops = tuple(stops)
        self._held = ""

    def push(self, piece: str) -> tuple[str, bool]:
        text = self._held + piece
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)[1]], True
        keep = max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def finish(self) -> str:
        """The text still held back: no more text comes, so it is no stop."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop` and is shorter than it."""
    for n in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:n]):
            return n
    return 0

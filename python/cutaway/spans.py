"""Where the contents of a conversation's messages lie in its rendered text.

A content is not searched for: it may occur twice, or read like the template's own words. The conversation is rendered
again with marks, characters that occur nowhere in it, set into the contents, and where the marks come out the contents
lie. Such a rendering counts only if it is the plain one once its marks are taken out, so a template that trims, cuts or
inspects a content is answered with marks in places that do not disturb it, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

from .errors import Error

Render = Callable[[list[dict[str, Any]]], str]
Key = tuple[int, int]  # message, part: a content is one text, or a list of parts of which some are text
_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))  # Unicode gives them no meaning
_TRIES = 100  # renderings spent on one content that a template cuts or inspects


@dataclass(frozen=True, order=True)
class Span:
    """text[begin:end] of the rendered text is from the content of messages[message]."""

    begin: int
    end: int
    message: int


def content_spans(render: Render, messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[Span]]:
    """The rendered text and its content spans, in order and apart.

    A content that is printed twice has two spans; one that the template leaves out, or rewrites beyond recognition, has
    none. Of a content that is trimmed or cut, the spans are what is left.
    """
    plain = [dict(message) for message in messages]
    text = render(plain)
    contents = dict(_contents(plain))
    search = _Search(render, plain, text, contents)
    found = search.between({key: _ends(content)[0] for key, content in contents.items()})
    if found is None:  # some content is not taken as it is; each on its own then
        found = [span for key, content in contents.items() for span in search.alone(key, content)]
    return text, _apart(found)


class _Search:
    """Renderings of one conversation with marks in some of its contents."""

    def __init__(self, render: Render, messages: list[dict[str, Any]], text: str, contents: dict[Key, str]) -> None:
        self._render, self._messages, self._text = render, messages, text
        self._used = set(text).union(*contents.values())

    def alone(self, key: Key, content: str) -> list[Span]:
        for ends in _ends(content):
            found = self.between({key: ends})
            if found is not None:
                return found
        return self.words(key, content)

    def between(self, ends: dict[Key, tuple[int, int]]) -> list[Span] | None:
        """Spans of contents marked at a begin and an end each; None where marks change the text or come out singly."""
        marked = self._marked({key: list(pair) for key, pair in ends.items()})
        if marked is None:
            return None
        found, open = [], None
        for at, key, which in marked:
            if which == 0:
                if open is not None:
                    return None
                open = at, key
            elif open is None or open[1] != key:
                return None
            else:
                found.append(Span(open[0], at, key[0]))
                open = None
        return found if open is None else None

    def words(self, key: Key, content: str) -> list[Span]:
        """Spans of a content that the template cuts or inspects: from each mark before a word as far as they agree."""
        words = [(m.start(), m.end()) for m in re.finditer(r"\S+", content)]
        places = self._harmless(key, [begin for begin, _ in words], [_TRIES])
        marked = self._marked({key: places})
        if not marked:
            return []
        found, end_of, ends = [], dict(words), [at for at, _, _ in marked[1:]] + [len(self._text)]
        for (begin, _, i), limit in zip(marked, ends, strict=True):
            start, stop = places[i], places[i + 1] if i + 1 < len(places) else len(content)
            for piece in (content[start:stop], content[start : end_of[start]]):
                if self._text.startswith(piece, begin) and begin + len(piece) <= limit:
                    found.append(Span(begin, begin + len(piece), key[0]))
                    break
        # A first word that the template looks at bears no mark; it stands before the second one, or was cut off.
        begin, _, i = marked[0]
        lead = content[: places[0]].lstrip()
        if i == 0 and lead and self._text[:begin].endswith(lead):
            found.append(Span(begin - len(lead), begin, key[0]))
        return found

    def _harmless(self, key: Key, places: list[int], tries: list[int]) -> list[int]:
        """The places at which a mark does not change the text, by halves; those not tried in time count as harmful."""
        if not places or not tries[0]:
            return []
        tries[0] -= 1
        if self._marked({key: places}) is not None:
            return places
        half = len(places) // 2
        return self._harmless(key, places[:half], tries) + self._harmless(key, places[half:], tries) if half else []

    def _marked(self, places: dict[Key, list[int]]) -> list[tuple[int, Key, int]] | None:
        """Where marks come out: (position in the plain text, key, which of its places), in the order of the text."""
        free = (mark for mark in map(chr, chain(*_PRIVATE)) if mark not in self._used)
        meaning, messages = dict[str, tuple[Key, int]](), [dict(m) for m in self._messages]
        for key, at in places.items():
            marks = [*islice(free, len(at))]
            if len(marks) < len(at):
                return None
            meaning.update({mark: (key, which) for which, mark in enumerate(marks)})
            _replace(messages, key, at, marks)
        try:
            rendered = self._render(messages)
        except Error:  # the template takes a marked content for something that it refuses
            return None
        kept, found, position = [], [], 0
        for piece in re.split(f"([{''.join(meaning)}])", rendered) if meaning else [rendered]:
            if piece in meaning:
                found.append((position, *meaning[piece]))
            else:
                kept.append(piece)
                position += len(piece)
        return found if "".join(kept) == self._text else None


def _contents(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Key, str]]:
    """The texts of the contents that are not empty."""
    for i, message in enumerate(messages):
        content = message.get("content")
        parts = [content] if isinstance(content, str) else content if isinstance(content, (list, tuple)) else []
        for j, part in enumerate(parts):
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str) and text:
                yield (i, j), text


def _replace(messages: list[dict[str, Any]], key: Key, places: list[int], marks: list[str]) -> None:
    message, part = messages[key[0]], key[1]
    content = message["content"]
    if isinstance(content, str):
        message["content"] = _insert(content, places, marks)
        return
    parts = list(content)
    old = parts[part]
    text = _insert(old["text"] if isinstance(old, Mapping) else old, places, marks)
    parts[part] = {**old, "text": text} if isinstance(old, Mapping) else text
    message["content"] = parts


def _insert(content: str, places: list[int], marks: list[str]) -> str:
    cuts = [0, *places, len(content)]
    pieces = [content[a:b] for a, b in pairwise(cuts)]
    return "".join(piece + mark for piece, mark in zip(pieces, [*marks, ""], strict=True))


def _ends(content: str) -> list[tuple[int, int]]:
    """Where a begin and an end may go: around all of it, then inside white space that a template may trim."""
    left, right = len(content) - len(content.lstrip()), len(content.rstrip())
    if left >= right:
        return [(0, len(content))]
    tried = [(0, len(content)), (left, len(content)), (0, right), (left, right)]
    return list(dict.fromkeys(tried))


def _apart(spans: list[Span]) -> list[Span]:
    """In order, neighbours of one message joined, nothing twice and nothing empty."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and out[-1].message == span.message and span.begin <= out[-1].end:
            out[-1] = Span(out[-1].begin, max(span.end, out[-1].end), span.message)
        elif span.end > span.begin and (not out or span.begin >= out[-1].end):
            out.append(span)
    return out

"""WordPiece, step by step and in plain Python: the twin of the engine's. It takes the longest piece that a word begins
with, again and again."""

from __future__ import annotations

from collections.abc import Mapping


class WordPiece:
    """BERT's (Schuster and Nakajima 2012). ids: piece -> id; those that continue a word begin with ##."""

    def __init__(self, ids: Mapping[str, int], unknown: str = "[UNK]", longest_word: int = 100) -> None:
        self.ids, self.unknown, self.longest_word = ids, unknown, longest_word

    def encode(self, word: str) -> list[int]:
        """The ids of one word, as normaliser and pre-tokenizer leave it."""
        out: list[int] = []
        at = 0
        while at < len(word) <= self.longest_word:
            mark = "##" if at else ""
            end = next((end for end in range(len(word), at, -1) if mark + word[at:end] in self.ids), None)
            if end is None:
                return [self.ids[self.unknown]]
            out.append(self.ids[mark + word[at:end]])
            at = end
        return out if len(word) <= self.longest_word else [self.ids[self.unknown]]

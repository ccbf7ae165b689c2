"""The unigram language model, step by step and in plain Python: the twin of the engine's.

It merges nothing. `Unigram` (T5, XLM-R) gives every piece a log probability, lists every piece that occurs anywhere in
a text (the *lattice*), and finds the row of pieces of highest sum that covers it (Viterbi).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

UNKNOWN_PENALTY = 10.0  # a character that no piece covers costs this much more than the rarest piece


@dataclass(frozen=True)
class Edge:
    """A piece at a place of the text: characters [begin, end), its id and its score."""

    begin: int
    end: int
    id: int
    score: np.float32


class Unigram:
    """SentencePiece's unigram model (Kudo 2018). ids: piece -> id; scores: id -> log probability."""

    def __init__(self, ids: Mapping[str, int], scores: Mapping[int, float], unknown: int) -> None:
        self.ids, self.unknown = ids, unknown
        self.scores = {id: np.float32(score) for id, score in scores.items()}
        self.unknown_score = np.float32(min(self.scores.values()) - np.float32(UNKNOWN_PENALTY))
        self.longest = max(map(len, ids))

    def lattice(self, text: str) -> list[Edge]:
        """Every piece in the text, by where it begins and then by length. A character that is no piece is unknown."""
        edges = []
        for begin in range(len(text)):
            found = [
                Edge(begin, end, self.ids[text[begin:end]], self.scores[self.ids[text[begin:end]]])
                for end in range(begin + 1, min(begin + self.longest, len(text)) + 1)
                if text[begin:end] in self.ids
            ]
            if not any(edge.end == begin + 1 for edge in found):
                found.append(Edge(begin, begin + 1, self.unknown, self.unknown_score))
            edges += found
        return edges

    def best_path(self, text: str) -> list[Edge]:
        """The edges of highest sum from the start to the end; of equals the one whose last piece is longest.

        Sums are float32, as SentencePiece has them (it starts them anew beyond 100,000, which no text of a lesson
        reaches)."""
        best: dict[int, tuple[np.float32, list[Edge]]] = {0: (np.float32(0), [])}
        for edge in self.lattice(text):
            if edge.begin in best:
                total, path = best[edge.begin]
                total = np.float32(total + edge.score)
                if edge.end not in best or total > best[edge.end][0]:
                    best[edge.end] = (total, [*path, edge])
        return best[len(text)][1] if text else []

    def encode(self, text: str) -> list[int]:
        """The ids of a normalised text (spaces written as U+2581): one unknown id for a run of unknown characters."""
        out: list[int] = []
        for edge in self.best_path(text):
            if edge.id != self.unknown or out[-1:] != [self.unknown]:
                out.append(edge.id)
        return out

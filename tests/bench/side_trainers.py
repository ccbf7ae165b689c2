"""Trainers of byte-level BPE as sides of a comparison: GPT-2's pattern, the 256 bytes, no special tokens."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np


class Cutaway:
    def facts(self) -> dict[str, Any]:
        import cutaway as ca

        return {"version": ca.__version__}

    def train(self, texts: list[str], size: int) -> Any:
        import cutaway as ca

        return ca.train_bpe(texts, size, progress=False)

    def merges(self, trained: Any) -> list[tuple[str, str]]:
        return list(trained.merges)


class Transformers:
    """Hugging Face's trainer; its threads are its own choice, as they are for its users."""

    def facts(self) -> dict[str, Any]:
        import tokenizers

        return {"version": tokenizers.__version__}

    def train(self, texts: list[str], size: int) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        made.train_from_iterator(texts, trainer)
        return made

    def merges(self, trained: Any) -> list[tuple[str, str]]:
        return [(left, right) for left, right in json.loads(trained.to_str())["model"]["merges"]]


# ---- what a worker is asked


def training(side: Any, texts: list[str], size: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    side.train(texts, size)
    return time.perf_counter() - began


def merges(side: Any, texts: list[str], size: int) -> np.ndarray:
    """[n, 2]: what was merged, as the file would spell it."""
    return np.array(side.merges(side.train(texts, size)))

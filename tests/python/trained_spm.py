"""SentencePiece models, trained here by SentencePiece itself on the golden lines: one for each thing that a model file
can say."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import sentencepiece
from tokenizer_files import golden_lines

BASE: dict[str, Any] = {
    "vocab_size": 1100,
    "model_type": "unigram",
    "character_coverage": 0.98,
    "hard_vocab_limit": False,
    "minloglevel": 2,
    "num_threads": 1,
}
MODELS: dict[str, dict[str, Any]] = {
    "unigram": {},
    "unigram, identity": {"normalization_rule_name": "identity"},
    "unigram, bytes": {"byte_fallback": True, "vocab_size": 1400},
    "unigram, bytes, identity": {
        "byte_fallback": True,
        "vocab_size": 1400,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
    },
    "unigram, suffix": {"treat_whitespace_as_suffix": True},
    "unigram, no prefix": {"add_dummy_prefix": False},
    "unigram, spaces kept": {"remove_extra_whitespaces": False, "add_dummy_prefix": False},
    "unigram, folded case": {"normalization_rule_name": "nmt_nfkc_cf"},
    "unigram, user-defined": {"user_defined_symbols": ["<b>", "<b>>", "the", "①", "▁of", "ab", "bab", "e\u0301", " x"]},
    "unigram, user-defined, all kept": {
        "user_defined_symbols": ["<b>", "▁▁", "▁▁▁", "\n", "ff"],
        "remove_extra_whitespaces": False,
        "normalization_rule_name": "identity",
        "byte_fallback": True,
        "vocab_size": 1400,
    },
    "unigram, pieces over spaces": {"split_by_whitespace": False},
    "unigram, control and surface": {"control_symbols": ["<ctl>", "<c2>"], "unk_surface": "[?]", "unk_piece": "[UNK]"},
    "unigram, no bos": {"bos_id": -1, "eos_id": 1, "pad_id": 0, "unk_id": 2},
    "bpe": {"model_type": "bpe"},
    "bpe, bytes": {
        "model_type": "bpe",
        "byte_fallback": True,
        "vocab_size": 1400,
        "normalization_rule_name": "identity",
    },
    "bpe, suffix": {"model_type": "bpe", "treat_whitespace_as_suffix": True},
    "bpe, spaces kept": {"model_type": "bpe", "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True},
    "bpe, pieces over spaces": {"model_type": "bpe", "split_by_whitespace": False},
    "bpe, Mistral's instructions": {
        "model_type": "bpe",
        "byte_fallback": True,
        "vocab_size": 1400,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "control_symbols": ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"],
    },
    "bpe, user-defined": {
        "model_type": "bpe",
        "user_defined_symbols": ["<b>", "<b>>", "the", "①", "▁of", "ab", "bab", "\n", "▁▁", "▁▁▁▁"],
        "remove_extra_whitespaces": False,
    },
}


@cache
def trained(name: str) -> bytes:
    """A model file. name: of MODELS."""
    writer = io.BytesIO()
    lines = [line for line in golden_lines()[:700] if "\0" not in line]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=writer, **{**BASE, **MODELS[name]}
    )
    return writer.getvalue()

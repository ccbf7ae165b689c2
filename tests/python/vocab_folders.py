"""Model folders without a tokenizer.json: a small vocabulary for each class of transformers that such folders name."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import cutaway as ca
from tokenizer_files import golden_lines

LINES = [
    *golden_lines()[::37],
    "ÀÉÎ naïve CAFÉ e\u0301 Straße ǅ İ", "中文abc 漢字、かな", "don't we'LL 12345 ½²", " a  b\t\n  c ", "\u0130\u00a0x\u200by",
    "<|endoftext|> <s>a</s> <mask> [MASK] [CLS]", "<|startoftext|>Tag<|ENDOFTEXT|>", "", "   ", "x<|im_end|>y <extra>",
]  # fmt: skip
BERT = {
    "as it is": {},
    "cased": {"do_lower_case": False},
    "cased, accents off": {"do_lower_case": False, "strip_accents": True},
    "accents kept": {"strip_accents": False},
    "Chinese in words": {"tokenize_chinese_chars": False, "do_lower_case": True},
    "other names": {"tokenizer_class": "DistilBertTokenizer", "unk_token": "[PAD]", "never_split": None},
}  # fmt: skip
END = ["<|endoftext|>"]
MASK = {
    "__type": "AddedToken",
    "content": "<mask>",
    "lstrip": True,
    "rstrip": False,
    "normalized": True,
    "single_word": False,
}
CLASSES: dict[str, tuple[list[str], dict[str, Any]]] = {  # class -> (special tokens of its vocabulary, settings)
    "GPT2Tokenizer": (END, {}),
    "CodeGenTokenizer": (END, {"add_prefix_space": True}),
    "GPTNeoXTokenizer": ([*END, "<|padding|>"], {}),
    "RobertaTokenizer": (["<s>", "<pad>", "</s>", "<unk>", "<mask>"], {"mask_token": MASK}),
    "BartTokenizer": (["<s>", "<pad>", "</s>", "<unk>", "<mask>"], {"mask_token": MASK, "add_prefix_space": True}),
    "CLIPTokenizer": (["<|startoftext|>", *END], {}),
    "WhisperTokenizer": ([*END, "<|startoftranscript|>", "<|notimestamps|>"], {}),
}


@cache
def _bpe(name: str) -> tuple[dict[str, int], list[str]]:
    """Vocabulary and merges, learned from the golden lines; CLIP's have every piece at the end of a word as well."""
    tok = ca.train_bpe(golden_lines()[:700], 1500, special_tokens=CLASSES[name][0], progress=False)
    pieces = [tok.piece(i) for i in range(len(tok))]
    if name == "CLIPTokenizer":
        merges = [line for left, right in tok.merges for line in (f"{left} {right}", f"{left} {right}</w>")]
        pieces = [*(f"{piece}{end}" for end in ("", "</w>") for piece in pieces[2:]), *pieces[:2]]
    else:
        merges = [f"{left} {right}" for left, right in tok.merges]
    return {piece: i for i, piece in enumerate(pieces)}, merges


def write_bpe(folder: Path, name: str) -> dict[str, Any]:
    """vocab.json, merges.txt and tokenizer_config.json of a class. The settings."""
    vocab, merges = _bpe(name)
    settings = {"tokenizer_class": name, **CLASSES[name][1]}
    (folder / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return settings


@cache
def _words() -> list[str]:
    """Every character of the golden lines, beginning a word and continuing one, and common words."""
    text = "\n".join(golden_lines()[:600])
    letters = sorted(set(text) - set(" \t\n\r\0"))
    counts = Counter(re.findall(r"\w+", text) + re.findall(r"\w+", text.lower()))
    common = sorted(counts, key=lambda word: (-counts[word], word))[:500]
    endings = [f"##{word[2:]}" for word in common if len(word) > 3]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = dict.fromkeys([*special, *letters, *(f"##{c}" for c in letters), *common, *endings])
    return [word for word in words if word.split() == [word] and "\x85" not in word]


def write_bert(folder: Path, settings: dict[str, Any]) -> None:
    """vocab.txt and tokenizer_config.json."""
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in _words()), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")

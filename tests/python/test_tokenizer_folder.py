"""Model folders: which files are read, what the settings beside them change, and what is said where some are missing."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest

tokenizers = pytest.importorskip("tokenizers")

ALPHABET = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
WORDS = [*ALPHABET, "Ġa", "ab", "<s>", "</s>", "<|end|>"]
BOS, EOS, END = (WORDS.index(word) for word in ("<s>", "</s>", "<|end|>"))
FILE = {
    "version": "1.0",
    "added_tokens": [{"id": i, "content": WORDS[i], "special": True} for i in (BOS, EOS)],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {w: i for i, w in enumerate(WORDS)}, "merges": ["Ġ a", "a b"]},
}


def write(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        name = {"merges": "merges.txt", "template": "chat_template.jinja"}.get(name, f"{name}.json")
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def test_settings(tmp_path: Path) -> None:
    config = {
        "bos_token": "<s>", "eos_token": {"content": "</s>", "special": True}, "pad_token": None, "add_bos_token": True,
        "chat_template": [{"name": "tools", "template": "T"}, {"name": "default", "template": "D"}],
        "added_tokens_decoder": {str(END): {"content": "<|end|>", "special": True}}, "model_max_length": 10**30,
    }  # fmt: skip
    tok = ca.Tokenizer.from_file(
        write(tmp_path, tokenizer=FILE, tokenizer_config=config, generation_config={"eos_token_id": [EOS, END]})
    )
    assert (tok.bos_id, tok.eos_id, tok.stop_ids) == (BOS, EOS, sorted([EOS, END]))
    assert tok.encode("ab", add_special_tokens=True).tolist() == [BOS, WORDS.index("ab")]
    assert tok.encode("ab a").tolist() == [WORDS.index("ab"), WORDS.index("Ġa")]
    assert tok.token_type(END) == "control" and tok.encode("<|end|>", parse_special=True).tolist() == [END]
    assert tok.chat_templates == {"default": "D", "tools": "T"}
    assert tok.decode([BOS, WORDS.index("Ġa"), EOS], skip_special_tokens=True) == " a"
    write(tmp_path, template="{{ messages }}")
    assert ca.Tokenizer.from_file(tmp_path).chat_template == "{{ messages }}"


def test_flags_go_before_the_post_processor(tmp_path: Path) -> None:
    around = {"type": "BertProcessing", "cls": ["<s>", BOS], "sep": ["</s>", EOS]}
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    for flags, expected in (
        ({}, [BOS, 0, EOS]),
        ({"add_bos_token": False}, [0, EOS]),
        ({"add_eos_token": False}, [BOS, 0]),
    ):
        write(tmp_path, tokenizer=FILE | {"post_processor": around}, tokenizer_config=names | flags)
        tok = ca.Tokenizer.from_file(tmp_path)
        assert tok.encode(WORDS[0], add_special_tokens=True).tolist() == expected


def test_vocabulary_and_merges(tmp_path: Path) -> None:
    vocab = {w: i for i, w in enumerate(WORDS)}
    write(tmp_path, vocab=vocab, merges="#version: 0.2\nĠ a\na b\n")
    reference = tokenizers.ByteLevelBPETokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    tok = ca.Tokenizer.from_file(tmp_path)
    for text in ("ab a\tab", "Hello, world's é", "", "  ab"):
        assert tok.encode(text).tolist() == reference.encode(text).ids
        assert tok.decode(tok.encode(text)) == text
    write(tmp_path, tokenizer_config={"tokenizer_class": "StrangeTokenizer"})
    with pytest.raises(ca.FormatError, match="'StrangeTokenizer'.*GPT2Tokenizer"):
        ca.Tokenizer.from_file(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        ca.FormatError,
        match=r"expected tokenizer.json, or vocab.json and merges.txt, or tokenizer.model, or vocab.txt, or one file \*.tik",
    ):
        ca.Tokenizer.from_file(tmp_path)
    write(tmp_path, vocab={"a": 0})
    with pytest.raises(ca.FormatError, match=r"it lacks merges.txt beside its vocab.json"):
        ca.Tokenizer.from_file(tmp_path)


def test_a_file_that_needs_its_folder(tmp_path: Path) -> None:
    """A vocabulary may well have the words "version" and "model" in it."""
    for vocab in ({"a": 0, "version": 1}, {"model": 0, "version": 1}, {}):
        write(tmp_path, vocab=vocab)
        with pytest.raises(
            ca.FormatError, match=r"vocab.json: is no tokenizer.json, .* give the folder that holds them"
        ):
            ca.Tokenizer.from_file(tmp_path / "vocab.json")


def test_vocabularies_with_names_of_their_own(tmp_path: Path) -> None:
    """What a repository of the hub may consist of works as a folder too."""
    (tmp_path / "rwkv_vocab_small.txt").write_text("1 'a' 1\n2 'ab' 2\n3 'b' 1\n")
    assert ca.Tokenizer.from_file(tmp_path).encode("abb").tolist() == [2, 3]
    letters = "".join(f"{base64.b64encode(bytes([b])).decode()} {b}\n" for b in range(256))
    (tmp_path / "small.tiktoken").write_text(letters)
    with pytest.raises(ca.FormatError, match=r"has 2 tokenizers, rwkv_vocab_small.txt and small.tiktoken among them"):
        ca.Tokenizer.from_file(tmp_path)
    (tmp_path / "rwkv_vocab_small.txt").unlink()
    assert ca.Tokenizer.from_file(tmp_path, pattern="cl100k").encode("ab").tolist() == [97, 98]
    with pytest.raises(ca.FormatError, match="pattern"):
        ca.Tokenizer.from_file(tmp_path)


def test_a_named_token_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ca.FormatError, match="the bos token '<nope>' is not in the vocabulary"):
        ca.Tokenizer.from_file(write(tmp_path, tokenizer=FILE, tokenizer_config={"bos_token": "<nope>"}))


def test_a_model_folder_works_with_text(small_model: Any, tmp_path: Path) -> None:
    small = small_model("llama", shards=1)
    folder = Path(small.path)
    assert folder.is_dir()
    with pytest.raises(ca.FormatError, match=r"expected tokenizer.json, or vocab.json and merges.txt"):
        _ = ca.load(folder).tokenizer
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    model = ca.load(write(tmp_path, tokenizer=FILE, tokenizer_config={"eos_token": "</s>"}))
    ids = model.tokenizer.encode("ab a")
    assert (model("ab a") == model(ids)).all()
    assert model.tokenizer.stop_ids == [EOS]

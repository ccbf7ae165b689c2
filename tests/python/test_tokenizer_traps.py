"""What tokenizers are known to get wrong: a test for each, against the library that it is of."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cutaway as ca
import pytest
import sentencepiece
import tiktoken
import tokenizers
from peers import conformance_file, encoding, ours, theirs
from test_rank_files import BYTES, GOOD, WORDS, written
from tokenizer_files import golden_lines

BPE = {
    "type": "BPE",
    "vocab": {piece: i for i, piece in enumerate([*"abcdeinlu<m>_.()", "un", "able", "ab", "le", "unable"])},
    "merges": ["u n", "a b", "l e"],  # neither "able" nor "unable" comes of them
}


def both(folder: Path, **parts: Any) -> tuple[ca.Tokenizer, Any]:
    """A tokenizer.json, read by us and by `tokenizers`."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], **parts}), "utf-8")
    return ca.Tokenizer.from_file(path), tokenizers.Tokenizer.from_file(str(path))


def added(content: str, id: int, **flags: bool) -> dict[str, Any]:
    no = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": id, "content": content, **no, **flags}


def test_entries_that_merges_cannot_reach(tmp_path: Path) -> None:
    """They are in the vocabulary, and never in the ids of a text."""
    tok, hf = both(tmp_path, model=BPE)
    assert tok.tokens(tok.encode("unable")) == hf.encode("unable").tokens == ["un", "ab", "le"]
    assert tok.decode([tok.to_id("unable")]) == "unable"


def test_ignore_merges(tmp_path: Path) -> None:
    """A word that is an entry is that entry; merges make the rest, and a longer word is no entry."""
    words = {"type": "WhitespaceSplit"}
    tok, hf = both(tmp_path, model=BPE | {"ignore_merges": True}, pre_tokenizer=words)
    for text, tokens in {
        "unable": ["unable"],
        "able un": ["able", "un"],
        "unableable": ["un", "ab", "le", "ab", "le"],
    }.items():
        assert tok.tokens(tok.encode(text)) == hf.encode(text).tokens == tokens
    assert tok.explain("unable").pieces[0].merges == ()


def test_whole_words_of_rank_files(tmp_path: Path) -> None:
    """In a rank file a word that is a token is that token, though its letters never merge; within a word it is not."""
    tok = ca.Tokenizer.from_file(written(tmp_path, GOOD), pattern="gpt-2")
    ranks = {token: rank for rank, token in enumerate([*BYTES, *WORDS])}
    peer = tiktoken.Encoding("t", pat_str=r" ?\p{L}+| ?\S+|\s+", mergeable_ranks=ranks, special_tokens={})
    for text in ("xyz", "xyzz", "axyz", "the xyz", "thexyz"):
        assert tok.encode(text).tolist() == peer.encode_ordinary(text)
    assert tok.encode("xyz").tolist() == [ranks[b"xyz"]] and ranks[b"xyz"] not in tok.encode("xyzz")


def test_added_tokens_inside_words(tmp_path: Path) -> None:
    """They are cut out of the middle of a word, unless they are single words; the rest merges as if it stood alone."""
    n = len(BPE["vocab"])
    tokens = [added("ble", n), added("li", n + 1, single_word=True), added("<m>", n + 2, special=True, lstrip=True)]
    tok, hf = both(tmp_path, model=BPE, added_tokens=tokens, pre_tokenizer={"type": "WhitespaceSplit"})
    for text in (
        "unable",
        "unableunable",
        "lili li",
        "un li<m>able",
        "un  <m>able",
        "li_ li. (li)",
        "bleble",
        "unab le",
    ):
        for special in (False, True):
            hf.encode_special_tokens = not special
            assert tok.encode(text, parse_special=special).tolist() == hf.encode(text).ids, text
    assert tok.tokens(tok.encode("unable")) == ["un", "a", "ble"] and n + 1 not in tok.encode("lili")


@pytest.mark.parametrize(
    ("name", "special"),
    [
        ("cl100k_base.tiktoken", "<|endoftext|>"), ("roberta.tokenizer.json", "<mask>"), ("phi2.tokenizer.json", "<|endoftext|>"),
        ("bert_base_uncased_vocab.txt", "[SEP]"), ("llama2.spm.model", "<s>"), ("ggml-vocab-llama-spm.gguf", "</s>"),
        ("whisper.tokenizer.json", "<|fr|>"), ("ggml-vocab-gpt-2.gguf", "<|endoftext|>"), ("llama3.tiktoken.model", "<|eot_id|>"),
    ],
)  # fmt: skip
def test_special_tokens_in_user_text(name: str, special: str) -> None:
    """Plain text unless asked, in one text and in many, in ids, counts and explanations."""
    tok, text = ours(name), f"a{special}b"
    id = tok.to_id(special)
    plain = tok.encode(text)
    assert id not in plain and len(plain) > 3
    assert id in tok.encode(text, parse_special=True)
    assert tok.encode_batch([text])[0].tolist() == plain.tolist() == list(tok.explain(text).ids)
    assert tok.count(text) == len(plain) == len(tok.offsets(text))
    assert special.lower() in tok.decode(plain).lower().replace(" ", "")


def test_special_tokens_that_are_pieces_too() -> None:
    """T5's are pieces of its unigram model: the library finds them as such even where it is told to take them for text."""
    tok, peer = ours("t5.tokenizer.json"), theirs("t5.tokenizer.json")
    for text in ("a</s>b", "a <extra_id_3> b", "x<pad>"):
        assert tok.encode(text).tolist() == peer([text])[0]
    assert tok.to_id("</s>") in tok.encode("a</s>b")


@pytest.mark.parametrize("name", ["llama2.spm.model", "ggml-vocab-llama-spm.gguf", "llama3.tiktoken.model"])
def test_double_bos(name: str) -> None:
    """BOS is added once, where it is asked for; one that is written in the text is another, and never hidden."""
    tok = ours(name)
    bos = tok.piece(tok.bos_id)
    once = tok.encode("Hi", add_special_tokens=True).tolist()
    assert once == [tok.bos_id, *tok.encode("Hi")] and tok.encode("Hi", True, True).tolist() == once
    twice = tok.encode(f"{bos}Hi", add_special_tokens=True, parse_special=True).tolist()
    assert twice[:2] == [tok.bos_id] * 2 and twice.count(tok.bos_id) == 2
    # A rendered chat template begins with its own: none is added to it.
    messages = [{"role": "user", "content": "Hi"}]
    rendered = tok.apply_chat_template(messages, template="{{ bos_token }}{{ messages[0].content }}", tokenize=True)
    assert rendered.tolist() == once


@pytest.mark.parametrize("name", ["llama2.spm.model", "ggml-vocab-llama-spm.gguf", "t5.unigram.model"])
def test_the_dummy_prefix_and_its_decoding(name: str) -> None:
    """A space goes before a text and comes off again, once; a text that begins with spaces keeps its own."""
    tok = ours(name)
    file = "llama2.spm.model" if "llama" in name else name
    peer = sentencepiece.SentencePieceProcessor(model_file=str(conformance_file(file)))
    for text in ("Hello", " Hello", "  Hello", "", " ", "Hello ", "\nHello", "a b"):
        ids = peer.encode(text)
        assert tok.encode(text).tolist() == ids
        assert tok.decode(ids) == peer.decode(ids)
        if "llama" in name:
            assert tok.decode(ids) == text
    ids = peer.encode("Hello world")
    assert tok.piece(ids[0]) == "▁Hello" and tok.decode(ids[1:], continuation=True) == " world"
    stream = tok.stream()
    assert "".join([*(stream.push(i) for i in ids), stream.finish()]) == "Hello world"


@pytest.mark.parametrize("name", ["llama2.spm.model", "mistral-v3.spm.model", "ggml-vocab-phi-3.gguf"])
def test_byte_fallback(name: str) -> None:
    """What has no piece becomes the pieces of its bytes, and those the character again, one at a time too."""
    tok = ours(name)
    text = "a𓀀\u0378🫠b"
    ids = tok.encode(text).tolist()
    spelled = [tok.token_bytes(i) for i in ids if tok.token_type(i) == "byte"]
    assert b"".join(spelled) == "𓀀\u0378🫠".encode() and all(len(raw) == 1 for raw in spelled)
    assert tok.decode(ids) == text
    stream = tok.stream()
    pushed = [stream.push(i) for i in ids]
    assert "".join([*pushed, stream.finish()]) == text and "\ufffd" not in "".join(pushed)
    assert tok.decode(tok.encode(b"\xf0\x9f")) == "\ufffd" and tok.decode_bytes(tok.encode(b"\xf0\x9f")) == b"\xf0\x9f"


UNIGRAM = [
    ["<unk>", 0.0],
    ["a", -1.0],
    ["b", -1.0],
    ["ab", -2.0],
    ["ba", -2.0],
    ["aba", -3.0],
    ["bab", -3.0],
    ["aa", -2.0],
]


def test_unigram_ties(tmp_path: Path) -> None:
    """Many paths of one sum: the same one as in the library, for every text of seven letters."""
    tok, hf = both(tmp_path, model={"type": "Unigram", "unk_id": 0, "vocab": UNIGRAM})
    for length in range(8):
        for number in range(2**length):
            text = "".join("ab"[number >> i & 1] for i in range(length))
            assert tok.encode(text).tolist() == hf.encode(text).ids, text


def test_unigram_ties_of_sentencepiece(tmp_path: Path) -> None:
    """The same in a model file whose pieces have all been given one score a letter."""
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(golden_lines()[:300]), model_writer=writer, vocab_size=500, model_type="unigram",
        character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, num_threads=1, user_defined_symbols=["ab", "ba", "aba", "bab"],
    )  # fmt: skip
    path = tmp_path / "ties.model"
    path.write_bytes(writer.getvalue())
    tok, peer = ca.Tokenizer.from_file(path), sentencepiece.SentencePieceProcessor(model_file=str(path))
    for number in range(2**9):
        text = "".join("ab"[number >> i & 1] for i in range(9))
        assert tok.encode(text).tolist() == peer.encode(text), text


def test_falcon_cuts_bytes() -> None:
    """Its file takes "numbers" out of the letters that stand for bytes, and knows the punctuation of Unicode 8."""
    texts = ["½¾\U000bd4f3x", "\U0010fffe\U000bd4f3", "  ⹛ß", "ò²³12345", "a\u166d\U000111c9!", "\x19½\x1e¾ 1½"]
    for name in ("falcon.tokenizer.json", "ggml-vocab-falcon.gguf"):
        with pytest.warns(ca.tokenization.DroppedBytesWarning):
            found = [ours(name).encode(text).tolist() for text in texts]
        assert found == theirs(name)(texts)


def test_strings_that_books_print() -> None:
    tok, peer = ours("o200k_base.tiktoken"), encoding(conformance_file("o200k_base.tiktoken"))
    assert tok.encode("Hello, world! This is tokenization.").tolist() == [13225, 11, 2375, 0, 1328, 382, 6602, 2860, 13]
    assert tok.count("What is the capital of France?") == 7
    assert tok.count("What is the meaning of life, the universe, and everything?") == 13
    assert len(tok) == peer.n_vocab == 200_019


STEPS = {
    "BPE": (BPE, "merge", "rank", "unable"),
    "WordPiece": (
        {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
         "vocab": {"[UNK]": 0, "un": 1, "##able": 2}}, "match", "length", "unable",
    ),
    "Unigram": ({"type": "Unigram", "unk_id": 0, "vocab": UNIGRAM}, "edge", "score", "abab"),
}  # fmt: skip


@pytest.mark.parametrize("kind", STEPS)
def test_what_the_steps_of_a_tokenizer_json_are_called(kind: str, tmp_path: Path) -> None:
    model, step, key, text = STEPS[kind]
    shown = both(tmp_path, model=model)[0].explain(text)
    assert (shown.step_name, shown.key_name) == (step, key)
    assert shown.pieces[0].merges and f"  {key} " in repr(shown)
    page = shown.view()._repr_html_()
    plural = "matches" if step == "match" else f"{step}s"
    assert f"{plural}, in order" in page and f"  {key} " in page


@pytest.mark.parametrize(
    "name", ["cl100k_base.tiktoken", "o200k_base.tiktoken", "p50k_base.tiktoken", "llama3.tiktoken.model"]
)
def test_ranks_of_a_rank_file_are_ranks(name: str) -> None:
    """Each merge made the token whose rank it has, and the page calls it that."""
    tok = ours(name)
    shown = tok.explain("tokenization unbelievableness")
    steps = [step for piece in shown.pieces for step in piece.merges]
    assert shown.key_name == "rank" and len(steps) > 5
    for step in steps:
        assert tok.token_bytes(step.id) == step.left + step.right == step.joined and step.key == step.id
    assert "  rank " in repr(shown) and "  rank " in repr(shown.view()) and "score" not in shown._repr_html_()


def test_ranks_of_a_byte_level_file_are_ranks(shared_path: Callable[[str], Path]) -> None:
    shown = ca.Tokenizer.from_file(shared_path("conformance/tokenizers/roberta.tokenizer.json")).explain("unbelievable")
    merges = json.loads(conformance_file("roberta.tokenizer.json").read_text("utf-8"))["model"]["merges"]
    assert shown.key_name == "rank" and len(shown.pieces[0].merges) > 3
    for merge in shown.pieces[0].merges:
        assert merges[int(merge.key)] in (
            f"{merge.left.decode()} {merge.right.decode()}",
            [merge.left.decode(), merge.right.decode()],
        )

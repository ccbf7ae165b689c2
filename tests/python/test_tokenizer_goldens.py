"""Exact ids: stored readings of other libraries on 2,489 lines, and vectors that nobody here wrote."""

import json
import warnings

import numpy as np
import pytest
from cutaway.tokenization import DroppedBytesWarning, Tokenizer
from tokenizer_files import GOLDEN, golden_ids, golden_lines

MODELS = ["smollm2", "gemma3"]
_open: dict[str, Tokenizer] = {}


@pytest.fixture
def tokenizer(model_path, request):
    name = request.param
    if name not in _open:
        _open[name] = Tokenizer.from_file(model_path(name))
    return name, _open[name]


@pytest.mark.parametrize("tokenizer", MODELS, indirect=True)
def test_ids_of_the_reference_libraries(tokenizer):
    name, tok = tokenizer
    data = np.load(GOLDEN / f"tokenizer_{name}.npz")
    lines, ids = golden_lines(), golden_ids(data)
    assert len(lines) == len(ids) >= 2000
    missing = set(tok.missing_bytes)
    for line, expected in zip(lines, ids, strict=True):
        if missing & set(line.encode()):
            with pytest.warns(DroppedBytesWarning, match="left out"):
                got = tok.encode(line)
        else:
            got = tok.encode(line)
        assert got.tolist() == expected.tolist(), repr(line)


@pytest.mark.parametrize("tokenizer", MODELS, indirect=True)
def test_special_tokens_are_parsed_as_the_reference_libraries_do(tokenizer):
    name, tok = tokenizer
    data = np.load(GOLDEN / f"tokenizer_{name}.npz")
    lines = json.loads(data["special_lines"].tobytes())
    for line, expected in zip(lines, golden_ids(data, "special_"), strict=True):
        assert tok.encode(line, parse_special=True).tolist() == expected.tolist(), repr(line)
        assert tok.decode(expected) == line


@pytest.mark.parametrize("tokenizer", MODELS, indirect=True)
def test_round_trip_stream_and_spans_of_every_line(tokenizer):
    name, tok = tokenizer
    missing = set(tok.missing_bytes)
    for line in golden_lines():
        if missing & set(line.encode()):
            continue
        ids = tok.encode(line)
        # To SentencePiece the character U+2581 is a space; so it comes back as one.
        expected = line.replace("\u2581", " ") if name == "gemma3" else line
        assert tok.decode(ids) == expected
        stream = tok.stream()
        assert "".join(stream.push(int(i)) for i in ids) + stream.finish() == expected
        offsets = tok.offsets(line)
        assert offsets.shape == (len(ids), 2)
        for i, (begin, end) in zip(ids, offsets, strict=True):
            token = tok.decode([i], continuation=True)
            if "\ufffd" not in token:  # else the token is a part of the character that it spans
                assert expected[begin:end] == token


@pytest.mark.parametrize("tokenizer", MODELS, indirect=True)
def test_bytes_that_are_not_utf8_come_back(tokenizer):
    _, tok = tokenizer
    rng = np.random.default_rng(3)
    usable = np.array([b for b in range(256) if b not in tok.missing_bytes], np.uint8)
    for size in [1, 2, 3, 17, 400, 5000]:
        raw = rng.choice(usable, size).tobytes()
        assert tok.decode_bytes(tok.encode(raw)) == raw.replace("\u2581".encode(), b" ")


@pytest.mark.parametrize("tokenizer", MODELS, indirect=True)
def test_bos_and_flags_of_the_file(tokenizer):
    name, tok = tokenizer
    ids = tok.encode("Hello world").tolist()
    with_special = tok.encode("Hello world", add_special_tokens=True).tolist()
    assert with_special == ([2, *ids] if name == "gemma3" else ids)
    assert tok.bos_id == {"gemma3": 2, "smollm2": 1}[name]
    assert tok.stop_ids == {"gemma3": [1], "smollm2": [2]}[name]
    assert tok.vocab_size == {"gemma3": 262144, "smollm2": 49152}[name]
    assert tok.missing_bytes == (
        b"" if name == "gemma3" else bytes.fromhex("04 06 13 14 16 1d c0 c1 f1 f2 f5f6f7f8f9fafbfcfdfeff")
    )


@pytest.mark.parametrize("name", ["gpt-2", "llama-spm", "phi-3"])
def test_vectors_of_real_vocabularies(shared_path, name):
    base = shared_path(f"conformance/tokenizers/ggml-vocab-{name}.gguf")
    tok = Tokenizer.from_file(base)
    texts = base.with_suffix(".gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    rows = base.with_suffix(".gguf.out").read_text().split("\n")
    assert len(texts) == len(rows) == 47
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text, row in zip(texts, rows, strict=True):
            ids = tok.encode(text)
            assert ids.tolist() == [int(i) for i in row.split()], repr(text)
            assert tok.decode(ids) == text


def test_phi3_tokens_swallow_the_space_after_them(shared_path):
    tok = Tokenizer.from_file(shared_path("conformance/tokenizers/ggml-vocab-phi-3.gguf"))
    hello = tok.encode("Hello").tolist()
    assert tok.encode("<|user|> \n\u3000Hello", parse_special=True).tolist() == [tok.to_id("<|user|>"), *hello]
    assert tok.encode("<s> Hello", parse_special=True).tolist() == [1, *tok.encode(" Hello").tolist()]


@pytest.mark.parametrize("tokenizer", ["smollm2"], indirect=True)
def test_chat_prompt_of_a_real_model(tokenizer):
    _, tok = tokenizer
    messages = [{"role": "user", "content": "Hi"}]
    text = tok.apply_chat_template(messages)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tok.apply_chat_template(messages, tokenize=True).tolist()
    assert ids == tok.encode(text, parse_special=True).tolist()
    assert (ids[0], ids.count(1), ids.count(2)) == (1, 3, 2)

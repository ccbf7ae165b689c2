"""Ids that other people's libraries gave: 920 lists of 20 tokenizers, and those beside llama.cpp's vocabularies."""

import json

import cutaway as ca
import pytest

# name in vectors_20_tokenizers.json -> file beside it
FILES = {
    "tiktoken:r50k_base": "r50k_base.tiktoken",
    "tiktoken:p50k_base": "p50k_base.tiktoken",
    "tiktoken:cl100k_base": "cl100k_base.tiktoken",
    "tiktoken:o200k_base": "o200k_base.tiktoken",
    "tiktoken:llama3": "llama3.tiktoken.model",
    "spm:llama2": "llama2.spm.model",
    "spm:mistral_v1": "mistral-v1.spm.model",
    "spm:mistral_v3": "mistral-v3.spm.model",
    "spm:t5": "t5.unigram.model",
    "spm:spm_test_en_unigram": "sp-test-en.unigram.model",
    "spm:spm_test_ja": "sp-test-ja.model",
    "hf:neox": "neox.tokenizer.json",
    "hf:phi2": "phi2.tokenizer.json",
    "hf:falcon": "falcon.tokenizer.json",
    "hf:roberta": "roberta.tokenizer.json",
    "hf:t5_hf": "t5.tokenizer.json",
    "hf:whisper": "whisper.tokenizer.json",
    "hf:clip": "clip.tokenizer.json",
    "wordpiece:bert_uncased": "bert_base_uncased_vocab.txt",
    "wordpiece:bert_cased": "bert_base_cased_vocab.txt",
}
# vectors beside llama.cpp's vocabularies -> file
GGUF = {
    "ggml-vocab-gpt-2.gguf": "ggml-vocab-gpt-2.gguf",
    "ggml-vocab-llama-spm.gguf": "ggml-vocab-llama-spm.gguf",
    "ggml-vocab-phi-3.gguf": "ggml-vocab-phi-3.gguf",
    "ggml-vocab-falcon.gguf": "ggml-vocab-falcon.gguf",
    "ggml-vocab-bert-bge.gguf": "ggml-vocab-bert-bge.gguf",
    "ggml-vocab-llama-bpe.gguf": "llama3.tiktoken.model",
    "ggml-vocab-roberta-bpe.gguf": "roberta.tokenizer.json",
}

pytestmark = pytest.mark.filterwarnings("ignore::cutaway.tokenization.DroppedBytesWarning")


def test_all_tokenizers_are_named(shared_path):
    known = json.loads(shared_path("conformance/tokenizers/vectors_20_tokenizers.json").read_text("utf-8"))
    assert set(known["ids"]) == set(FILES) and sum(map(len, known["ids"].values())) == 920


@pytest.mark.parametrize("name", FILES)
def test_vectors_of_twenty_tokenizers(name, shared_path):
    known = json.loads(shared_path("conformance/tokenizers/vectors_20_tokenizers.json").read_text("utf-8"))
    tok = ca.Tokenizer.from_file(shared_path(f"conformance/tokenizers/{FILES[name]}"))
    for text, ids in zip(known["inputs"], known["ids"][name], strict=True):
        assert tok.encode(text).tolist() == ids, text
        assert tok.count(text) == len(ids) == len(tok.offsets(text)), text


@pytest.mark.parametrize("name", GGUF)
def test_vectors_beside_vocabularies(name, shared_path):
    tok = ca.Tokenizer.from_file(shared_path(f"conformance/tokenizers/{GGUF[name]}"))
    texts = shared_path(f"conformance/tokenizers/{name}.inp").read_text("utf-8").split("\n__ggml_vocab_test__\n")[:-1]
    lines = shared_path(f"conformance/tokenizers/{name}.out").read_text("utf-8").split("\n")
    assert len(texts) == 46
    for text, line in zip(texts, lines, strict=False):
        assert tok.encode(text).tolist() == [int(id) for id in line.split()], text

"""Fills in the token ids of prompts.json, the texts that the forward goldens run on, for both models.

    python tests/golden/make_prompts.py smollm2.gguf gemma3.gguf

The ids are llama.cpp's (which reads the vocabulary from the same file), compared with those of transformers before
they are written; a new prompt is added to prompts.json with its text, add_special_tokens (BOS and EOS by the file's
own flags) and parse_special. Needs llama-cpp-python and transformers; nothing in the package does.
"""

import ctypes
import json
import sys
from pathlib import Path

import llama_cpp
from transformers import AutoTokenizer

FILE = Path(__file__).parent / "prompts.json"
GEMMA_BOS = 2


@llama_cpp.llama_log_callback
def silent(level, text, user_data):
    """Kept at module level: llama.cpp calls it for as long as the process lives."""


def llama_cpp_encoder(path):
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    vocab = llama_cpp.llama_model_get_vocab(llama_cpp.llama_model_load_from_file(str(path).encode(), params))

    def encode(text, add_special, parse_special):
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 8))()
        n = llama_cpp.llama_tokenize(vocab, data, len(data), buffer, len(buffer), add_special, parse_special)
        return list(buffer[:n])

    return encode


def main(paths):
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    encoders = {name: llama_cpp_encoder(path) for name, path in paths.items()}
    peers = {name: AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name) for name, path in paths.items()}
    prompts = json.loads(FILE.read_text(encoding="utf-8"))
    for prompt in prompts:
        prompt["ids"] = {}
        for model, encode in encoders.items():
            ids = encode(prompt["text"], prompt["add_special_tokens"], prompt["parse_special"])
            bos = [GEMMA_BOS] if model == "gemma3" and prompt["add_special_tokens"] else []
            other = bos + peers[model].encode(prompt["text"], add_special_tokens=False)
            if ids != other:
                raise SystemExit(f"{model} {prompt['name']}: llama.cpp {ids}, transformers {other}")
            prompt["ids"][model] = ids
        print(prompt["name"], {m: len(i) for m, i in prompt["ids"].items()})
    lines = ",\n".join(json.dumps(p, ensure_ascii=False) for p in prompts)
    FILE.write_text("[\n" + lines + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(dict(zip(("smollm2", "gemma3"), map(Path, sys.argv[1:3]), strict=True)))

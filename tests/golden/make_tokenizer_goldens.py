"""Writes tokenizer_<model>.npz: the ids that other people's libraries give the lines of tokenizer_lines.json.

    python tests/golden/make_tokenizer_goldens.py FOLDER     # with smollm2.gguf and gemma3.gguf

Needs llama-cpp-python, transformers 5, tokenizers, sentencepiece, gguf, torch. Three readings of each vocabulary are
compared; where they differ the golden is the library that the model was trained with, and the differing lines are
listed in the file and explained in docs/tokenizers.md:
- smollm2: `tokenizers` with the pre-tokenizer of SmolLM2's own tokenizer.json (digits alone, then GPT-2's pattern).
- gemma3: `sentencepiece` with the model rebuilt from the file's pieces, scores and types.

Arrays: ids int32 (all lines after one another), ends int64 [lines]; special_ids and special_ends likewise for
SPECIAL with control tokens parsed; differs_<library> int64: the lines where that library differs.
"""

import json
import os
import random
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import llama_cpp
import numpy as np
from gguf import GGUFReader
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

HERE = Path(__file__).parent
Encode = Callable[[str], list[int]]


def vocabulary(path: Path) -> dict[str, Any]:
    fields = GGUFReader(str(path)).fields
    return {
        key.removeprefix("tokenizer.ggml."): field.contents()
        for key, field in fields.items()
        if key.startswith("tokenizer.ggml.")
    }


def special_lines(controls: list[str]) -> list[str]:
    """Texts with control tokens in them, whole, cut short, doubled and glued to words."""
    rng = random.Random(7)
    parts = [
        *controls,
        *controls,
        "user\n",
        "Hello there",
        " ",
        "\n",
        "  two",
        "<",
        "|>",
        "é字",
        "1",
        controls[0][:-1],
        controls[-1][1:],
    ]
    return ["".join(rng.choice(parts) for _ in range(rng.randint(1, 9))) for _ in range(200)]


def by_llama_cpp(path: Path, special: bool) -> Encode:
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return lambda line: model.tokenize(line.encode(), add_bos=False, special=special)


def by_transformers(path: Path, special: bool) -> Encode:
    tok = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    return lambda line: tok.encode(line, add_special_tokens=False, split_special_tokens=not special)


def by_tokenizers(vocab: dict[str, Any], special: bool) -> Encode:
    pairs = [tuple(merge.split(" ")) for merge in vocab["merges"]]
    tok = Tokenizer(models.BPE({piece: i for i, piece in enumerate(vocab["tokens"])}, pairs))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tok.decoder = decoders.ByteLevel()
    if special:
        tok.add_special_tokens(
            [piece for piece, kind in zip(vocab["tokens"], vocab["token_type"], strict=True) if kind == 3]
        )
    return lambda line: tok.encode(line, add_special_tokens=False).ids


def by_sentencepiece(vocab: dict[str, Any]) -> Encode:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto

    model = proto.ModelProto()
    for piece, score, kind in zip(vocab["tokens"], vocab["scores"], vocab["token_type"], strict=True):
        spelled = piece.replace(" ", "\u2581") if kind == 4 else piece  # converters undo this for user-defined pieces
        kind = 2 if piece == "<unk>" else kind
        model.pieces.add(piece=spelled, score=score, type=kind)
    model.trainer_spec.model_type = proto.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = vocab.get("add_space_prefix", True)
    model.normalizer_spec.remove_extra_whitespaces = False
    model.normalizer_spec.escape_whitespaces = True
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    return lambda line: processor.encode(line)


def has_a_number(line: str) -> bool:
    return any(unicodedata.category(c)[0] == "N" for c in line)


# The only reasons there are, by model and library (docs/tokenizers.md says more). Any other difference is an error.
REASONS: dict[tuple[str, str], Callable[[str], bool]] = {
    ("smollm2", "llama_cpp"): lambda line: "\x04" in line or "\x06" in line,  # bytes that have no token
    ("smollm2", "transformers"): has_a_number,
    ("gemma3", "transformers"): lambda line: " " * 32 in line,
    ("gemma3", "llama_cpp"): lambda line: "\u2581\u2581" in line or "</s>" in line,
}


def pack(ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    flat = [i for line in ids for i in line]
    return np.array(flat, np.int32), np.cumsum([len(line) for line in ids]).astype(np.int64)


def compare(name: str, lines: list[str], readings: dict[str, list[list[int]]]) -> dict[str, np.ndarray]:
    chosen, *others = readings
    out = {}
    for other in others:
        differs = [i for i in range(len(lines)) if readings[other][i] != readings[chosen][i]]
        print(f"{name}: {other} differs from {chosen} on {len(differs)} of {len(lines)} lines")
        unexplained = [lines[i] for i in differs if not REASONS.get((name, other), lambda _: False)(lines[i])]
        if unexplained:
            raise SystemExit(f"{name}: {other} differs without a known reason on {unexplained}")
        out[f"differs_{other}"] = np.array(differs, np.int64)
    return out


def main(folder: Path) -> None:
    lines = json.loads((HERE / "tokenizer_lines.json").read_text())
    for name, controls in (
        ("smollm2", ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>"]),
        ("gemma3", ["<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<unused7>", "<b>", "</b>"]),
    ):
        path = folder / f"{name}.gguf"
        vocab = vocabulary(path)
        original = by_tokenizers(vocab, False) if name == "smollm2" else by_sentencepiece(vocab)
        encoders = {
            "original": original,
            "llama_cpp": by_llama_cpp(path, False),
            "transformers": by_transformers(path, False),
        }
        readings = {library: [encode(line) for line in lines] for library, encode in encoders.items()}
        arrays = compare(name, lines, readings)
        arrays["ids"], arrays["ends"] = pack(readings["original"])

        special = special_lines(controls)
        encoders = {"transformers": by_transformers(path, True), "llama_cpp": by_llama_cpp(path, True)}
        if name == "smollm2":
            encoders = {"original": by_tokenizers(vocab, True), **encoders}
        parsed = {library: [encode(line) for line in special] for library, encode in encoders.items()}
        compare(f"{name}, special tokens parsed", special, parsed)
        arrays["special_ids"], arrays["special_ends"] = pack(next(iter(parsed.values())))
        arrays["special_lines"] = np.frombuffer(json.dumps(special).encode(), np.uint8)
        target = HERE / f"tokenizer_{name}.npz"
        np.savez_compressed(target, **arrays)
        print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Converts a model of llama2.c's checkpoint format, such as the 260K-parameter stories260K.bin, to GGUF.

The format is seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a negative vocab_size
means a head of its own), then float32 matrices, all layers of one kind together:
https://github.com/karpathy/llama2.c (export.py, legacy). Its rotary pairs are neighbours, as in GGUF's Llama.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from .llama_1b import llama_writer


def read_checkpoint(path: Path) -> tuple[dict[str, int], int, dict[str, np.ndarray]]:
    """(shape, seq_len, GGUF name -> float32 array)"""
    raw = path.read_bytes()
    d, d_mlp, n_layers, n_heads, n_kv_heads, d_vocab, seq_len = struct.unpack_from("<7i", raw)
    tied, d_vocab = d_vocab > 0, abs(d_vocab)
    d_head = d // n_heads
    d_kv = d_head * n_kv_heads
    flat, at = np.frombuffer(raw, "<f4", offset=28), 0

    def take(*shape: int) -> np.ndarray:
        nonlocal at
        n = int(np.prod(shape))
        if at + n > len(flat):
            raise ValueError(f"{path} ends in the middle: {len(flat)} numbers, {at + n} wanted")
        at += n
        return flat[at - n : at].reshape(shape)

    out = {"token_embd.weight": take(d_vocab, d)}
    of_layer = {
        "attn_norm": (d,),
        "attn_q": (d, d),
        "attn_k": (d_kv, d),
        "attn_v": (d_kv, d),
        "attn_output": (d, d),
        "ffn_norm": (d,),
        "ffn_gate": (d_mlp, d),
        "ffn_down": (d, d_mlp),
        "ffn_up": (d_mlp, d),
    }
    for name, size in of_layer.items():
        layers = take(n_layers, *size)
        out |= {f"blk.{i}.{name}.weight": layers[i] for i in range(n_layers)}
    out["output_norm.weight"] = take(d)
    take(seq_len, d_head)  # cosines and sines, which engines compute themselves
    if not tied:
        out["output.weight"] = take(d_vocab, d)
    shape = {"n_layers": n_layers, "d_model": d, "n_heads": n_heads, "n_kv_heads": n_kv_heads, "d_mlp": d_mlp}
    return shape | {"d_vocab": d_vocab}, seq_len, out


def read_vocabulary(path: Path, d_vocab: int) -> list[tuple[bytes, float]]:
    """(piece, score) of every token: int32 longest, then per token float32 score, int32 length, bytes."""
    raw, at, out = path.read_bytes(), 4, []
    for _ in range(d_vocab):
        score, length = struct.unpack_from("<fi", raw, at)
        out.append((raw[at + 8 : at + 8 + length], score))
        at += 8 + length
    return out


def convert(checkpoint: Path, vocabulary: Path, target: Path) -> Path:
    """Writes the GGUF file, float32 throughout."""
    shape, seq_len, tensors = read_checkpoint(checkpoint)
    writer = llama_writer(target, checkpoint.stem, shape, seq_len, 0, 10000.0)
    pieces = read_vocabulary(vocabulary, shape["d_vocab"])
    words = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % b for b in range(256))]
    words += [piece.replace(b" ", "\u2581".encode()) for piece, _ in pieces[len(words) :]]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([score for _, score in pieces])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (len(words) - 259)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, array in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target

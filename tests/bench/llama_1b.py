"""Writes a Llama of about a billion random weights in one GGUF type: speed depends on shapes and types alone.

    python -m bench.llama_1b FOLDER [TYPE ...]

Blocks hold random bytes with set scales, so no quantiser plays a part. The standard deviation of the weights is 0.02,
which keeps the residual stream near 1 over all layers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

STD = 0.02
SHAPE = {"n_layers": 16, "d_model": 2048, "n_heads": 32, "n_kv_heads": 8, "d_mlp": 8192, "d_vocab": 32000}
# type: (file type, weights a block, bytes a block, where d lies, where the minimum lies and its ratio to d, code std)
# The code std is that of (q - offset), of s * (q - 32), of s * q - ratio * ms, over random bits; of IQ4_XS that of
# (s - 32) times an entry of its table.
BLOCKS = {
    "Q4_0": (2, 32, 18, 0, None, 4.6),
    "Q4_K": (14, 256, 144, 0, (2, 7.5), 258.0),
    "Q5_K": (17, 256, 176, 0, (2, 15.5), 527.0),
    "Q6_K": (18, 256, 210, 208, None, 1367.0),
    "Q8_0": (7, 32, 34, 0, None, 74.0),
    "F16": (1, 1, 2, None, None, 1.0),
    "BF16": (32, 1, 2, None, None, 1.0),
    "Q2_K": (10, 256, 84, 80, (82, 1.5), 13.9),
    "Q3_K": (11, 256, 110, 108, None, 43.3),
    "IQ4_XS": (30, 256, 136, 0, None, 1246.0),
}
TYPES = ("Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "F16", "BF16")  # those whose speed is compared


def random_matrix(rng: np.random.Generator, kind: str, rows: int, columns: int) -> np.ndarray:
    """uint8 [rows, bytes of a row]"""
    _, block, size, scale_at, minimum, code_std = BLOCKS[kind]
    if kind in ("F16", "BF16"):
        w = rng.standard_normal((rows, columns), np.float32) * np.float32(STD)
        stored = w.astype(np.float16) if kind == "F16" else (w.view(np.uint32) >> 16).astype(np.uint16)
        return stored.view(np.uint8)
    n = rows * columns // block
    raw = np.frombuffer(rng.bytes(n * size), np.uint8).reshape(n, size).copy()
    d = (STD / code_std * rng.uniform(0.5, 1.5, n)).astype(np.float32)
    if minimum:
        raw[:, minimum[0] : minimum[0] + 2] = half_bytes(d * minimum[1])
    else:
        d *= rng.choice(np.float32([-1, 1]), n)
    raw[:, scale_at : scale_at + 2] = half_bytes(d)
    return raw.reshape(rows, -1)


def half_bytes(values: np.ndarray) -> np.ndarray:
    """float [n] -> uint8 [n, 2], as float16"""
    return values.astype("<f2").view(np.uint8).reshape(-1, 2)


def matrices(shape: dict[str, int]) -> dict[str, tuple[int, int]]:
    """GGUF name -> (rows, columns). Embedding and head are tied, as in Llama 3.2 1B."""
    d, d_mlp = shape["d_model"], shape["d_mlp"]
    d_kv = d // shape["n_heads"] * shape["n_kv_heads"]
    of_layer = {"attn_q": (d, d), "attn_k": (d_kv, d), "attn_v": (d_kv, d), "attn_output": (d, d)}
    of_layer |= {"ffn_gate": (d_mlp, d), "ffn_up": (d_mlp, d), "ffn_down": (d, d_mlp)}
    out = {"token_embd.weight": (shape["d_vocab"], d)}
    for i in range(shape["n_layers"]):
        out |= {f"blk.{i}.{name}.weight": size for name, size in of_layer.items()}
    return out


def vocabulary(writer, d_vocab: int) -> None:
    """The smallest SentencePiece vocabulary that engines accept: control tokens, bytes, made-up words."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "\u2581"]
    words += [f"\u2581w{i}" for i in range(d_vocab - len(words))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([-float(i) for i in range(d_vocab)])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (d_vocab - 259)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def llama_writer(path: Path, name: str, shape: dict[str, int], n_ctx: int, file_type: int, rope_base: float):
    """A GGUF writer with the metadata of a Llama."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_file_type(file_type)
    writer.add_context_length(n_ctx)
    writer.add_embedding_length(shape["d_model"])
    writer.add_block_count(shape["n_layers"])
    writer.add_feed_forward_length(shape["d_mlp"])
    writer.add_head_count(shape["n_heads"])
    writer.add_head_count_kv(shape["n_kv_heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(rope_base)
    writer.add_rope_dimension_count(shape["d_model"] // shape["n_heads"])
    writer.add_vocab_size(shape["d_vocab"])
    return writer


def write(path: Path, kind: str, shape: dict[str, int] | None = None, seed: int = 0) -> Path:
    """One file, written tensor by tensor: it need not fit into memory."""
    import gguf

    shape = SHAPE if shape is None else shape
    rng = np.random.default_rng(seed)
    writer = llama_writer(path, f"random 1B-shaped Llama {kind}", shape, 4096, BLOCKS[kind][0], 500000.0)
    vocabulary(writer, shape["d_vocab"])
    sizes = matrices(shape)
    norms = [f"blk.{i}.{name}.weight" for i in range(shape["n_layers"]) for name in ("attn_norm", "ffn_norm")]
    norms.append("output_norm.weight")
    _, block, size, *_ = BLOCKS[kind]
    stored = np.dtype(np.uint8)  # with a type of its own the writer takes the shape in bytes
    for name, (rows, columns) in sizes.items():
        bytes_a_row = columns // block * size
        writer.add_tensor_info(
            name, (rows, bytes_a_row), stored, rows * bytes_a_row, raw_dtype=gguf.GGMLQuantizationType[kind]
        )
    for name in norms:
        writer.add_tensor_info(name, (shape["d_model"],), np.dtype(np.float32), 4 * shape["d_model"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for rows, columns in sizes.values():
        writer.write_tensor_data(random_matrix(rng, kind, rows, columns))
    for _ in norms:
        writer.write_tensor_data(np.ones(shape["d_model"], np.float32))
    writer.close()
    return path


def cached(kind: str, folder: Path, shape: dict[str, int] | None = None) -> Path:
    """The file in a folder, made if it is not there."""
    layers = (shape or SHAPE)["n_layers"]
    path = folder / f"llama-1b-{layers}-layers-{kind.lower()}.gguf"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write(partial, kind, shape).rename(path)
    return path


if __name__ == "__main__":
    for kind in sys.argv[2:] or TYPES:
        print(cached(kind, Path(sys.argv[1])))

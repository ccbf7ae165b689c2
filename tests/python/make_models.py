"""Writes random 2-layer models of both families, as a GGUF file or as a folder with config.json and safetensors.

Sizes are ugly but legal: a vocabulary that no vector width divides, more query heads than key heads, heads whose width
is not d_model / n_heads (Gemma), a window of 8. Weights are random blocks of the wanted type with scales that keep the
numbers near 0.08: the quality of a quantiser plays no part, so none is needed.
"""

import json
import math
from pathlib import Path

import numpy as np
from cutaway.reference.blocks import DECODED, TYPES
from cutaway.reference.config import Config
from cutaway.reference.gguf_file import Tensor
from cutaway.reference.loader import build
from cutaway.reference.rope import inverse_frequencies, llama3_frequencies
from make_files import write_gguf, write_safetensors
from toy_vocabulary import toy_vocabulary

WEIGHT_TYPES = DECODED
STD = 0.08
# standard deviation of random codes: of (q - offset), of s * (q - 32), of s * q - 7.5 * ms, of values[q]
CODE_STD = {
    "Q4_0": 4.6, "Q4_1": 4.6, "Q5_0": 9.2, "Q5_1": 9.2, "Q8_0": 74.0, "Q2_K": 13.9, "Q3_K": 43.3, "Q4_K": 258.0,
    "Q5_K": 527.0, "Q6_K": 1367.0, "IQ4_NL": 67.4, "IQ4_XS": 1246.0, "MXFP4": 5.9,
}  # fmt: skip
# where the float16 numbers of a block lie: its scale, and its minimum with its ratio to the scale
SCALE_AT = {
    "Q4_0": 0, "Q4_1": 0, "Q5_0": 0, "Q5_1": 0, "Q8_0": 0, "Q2_K": 80, "Q3_K": 108, "Q4_K": 0, "Q5_K": 0, "Q6_K": 208,
    "IQ4_NL": 0, "IQ4_XS": 0,
}  # fmt: skip
MINIMUM = {"Q4_1": (2, -7.5), "Q5_1": (2, -15.5), "Q2_K": (82, 1.5), "Q4_K": (2, 7.5), "Q5_K": (2, 15.5)}
FILE_TYPE = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K": 12, "Q4_K": 14,
    "Q5_K": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32, "MXFP4": 38,
}  # fmt: skip
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def default_sizes(family: str, weight_type: str) -> dict:
    """Sizes that whole blocks of the type fit: any for floats, multiples of 32 or of 256 for quantised types."""
    block = TYPES[weight_type][1]
    d_model, d_mlp, llama_head, gemma_head = {1: (84, 150, 14, 18), 32: (96, 160, 16, 40), 256: (256, 512, 64, 128)}[
        block
    ]
    n_heads = 4 if block == 256 or family == "gemma3" else 6
    sizes = dict(n_layers=2, d_model=d_model, n_heads=n_heads, d_mlp=d_mlp, d_vocab=273, n_ctx=256)
    if family == "llama":
        return sizes | dict(n_kv_heads=2, d_head=llama_head, tied=False, rope_base=10000.0)
    own = dict(n_kv_heads=1, d_head=gemma_head, tied=True, rope_base=1e6, sliding_window=8, window_pattern=2)
    return sizes | own


class Stream:
    """Random numbers that are the same in every version of NumPy: the raw output of PCG64, which NumPy keeps stable."""

    def __init__(self, seed: int) -> None:
        self.raw = np.random.PCG64(seed).random_raw

    def bytes(self, n: int) -> np.ndarray:
        """uint8 [n]"""
        return self.raw(-(-n // 8)).astype("<u8").view(np.uint8)[:n].copy()

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        """float64 in [low, high)"""
        unit = (self.raw(math.prod(shape)) >> np.uint64(11)) * 2.0**-53
        return low + (high - low) * unit.reshape(shape)


def random_blocks(rng: Stream, weight_type: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor of this type with random codes; a scale in twenty is zero; without a minimum half are negative (MXFP4's
    scales are positive powers of two)."""
    _, block, size = TYPES[weight_type]
    if shape[-1] % block:
        raise ValueError(f"rows of {shape[-1]} weights are not whole {weight_type} blocks of {block}")
    if block == 1:
        w = rng.uniform(-STD * 3**0.5, STD * 3**0.5, shape).astype(np.float32)
        raw = {"F32": w, "F16": w.astype(np.float16), "BF16": (w.view(np.uint32) >> 16).astype(np.uint16)}[weight_type]
        return Tensor(weight_type, shape, np.frombuffer(raw.tobytes(), np.uint8))
    n = math.prod(shape) // block
    raw = rng.bytes(n * size).reshape(n, size)
    d = STD / CODE_STD[weight_type] * rng.uniform(0.5, 1.5, (n,)) * (rng.uniform(0, 1, (n,)) >= 0.05)

    def put(offset: int, value: np.ndarray) -> None:
        raw[:, offset : offset + 2] = value.astype("<f2").view(np.uint8).reshape(-1, 2)

    if weight_type == "MXFP4":  # d = 2^(e - 128): a power of two near the others' scale, or 2^-128 for zero
        exponents = np.rint(np.log2(np.maximum(d, 2.0**-128))).astype(np.int64)
        raw[:, 0] = exponents + 128
        return Tensor(weight_type, shape, raw.reshape(-1))
    if weight_type in MINIMUM:
        offset, ratio = MINIMUM[weight_type]
        put(offset, ratio * d)
    else:
        d = np.where(rng.uniform(0, 1, (n,)) < 0.5, d, -d)
    put(SCALE_AT[weight_type], d)
    return Tensor(weight_type, shape, raw.reshape(-1))


def norm_weight(rng: Stream, n: int) -> Tensor:
    """Near 1, in steps of 1/256: then Gemma's w - 1 in a safetensors file is exact."""
    w = (0.5 + rng.bytes(n) / 256).astype(np.float32)
    return Tensor("F32", (n,), np.frombuffer(w.tobytes(), np.uint8))


def make_tensors(family: str, weight_type: str, seed: int, s: dict) -> dict[str, Tensor]:
    """Every tensor by its GGUF name."""
    rng = Stream(seed)
    d_model, d_q, d_kv = s["d_model"], s["n_heads"] * s["d_head"], s["n_kv_heads"] * s["d_head"]
    matrices = {
        "attn_q": (d_q, d_model),
        "attn_k": (d_kv, d_model),
        "attn_v": (d_kv, d_model),
        "attn_output": (d_model, d_q),
        "ffn_gate": (s["d_mlp"], d_model),
        "ffn_up": (s["d_mlp"], d_model),
        "ffn_down": (d_model, s["d_mlp"]),
    }
    norms = {"attn_norm": d_model, "ffn_norm": d_model}
    if family == "gemma3":
        norms |= {"post_attention_norm": d_model, "post_ffw_norm": d_model}
        norms |= {"attn_q_norm": s["d_head"], "attn_k_norm": s["d_head"]}

    def fitting(columns: int) -> str:
        """The type, or Q8_0, or F32 for rows that are not whole blocks: as real files mix them."""
        return next(t for t in (weight_type, "Q8_0", "F32") if columns % TYPES[t][1] == 0)

    tensors = {"token_embd.weight": random_blocks(rng, fitting(d_model), (s["d_vocab"], d_model))}
    for i in range(s["n_layers"]):
        for name, shape in matrices.items():
            tensors[f"blk.{i}.{name}.weight"] = random_blocks(rng, fitting(shape[-1]), shape)
        for name, n in norms.items():
            tensors[f"blk.{i}.{name}.weight"] = norm_weight(rng, n)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output") if s.get("attention_bias") else ():
            b = rng.uniform(-0.5, 0.5, (matrices[name][0],)).astype(np.float32)
            tensors[f"blk.{i}.{name}.bias"] = Tensor("F32", b.shape, np.frombuffer(b.tobytes(), np.uint8))
    tensors["output_norm.weight"] = norm_weight(rng, d_model)
    if not s["tied"]:
        tensors["output.weight"] = random_blocks(rng, fitting(d_model), (s["d_vocab"], d_model))
    if s.get("llama3"):
        plain = inverse_frequencies(s["d_head"], s["rope_base"])
        factors = (plain / llama3_frequencies(plain, *LLAMA3.values())).astype(np.float32)
        tensors["rope_freqs.weight"] = Tensor("F32", factors.shape, np.frombuffer(factors.tobytes(), np.uint8))
    return tensors


def make_metadata(family: str, weight_type: str, s: dict) -> dict:
    """GGUF metadata, key -> (type, value): the keys that real files of the family have."""
    u32, f32 = "u32", "f32"
    own = {
        "context_length": (u32, s["n_ctx"]),
        "embedding_length": (u32, s["d_model"]),
        "block_count": (u32, s["n_layers"]),
        "feed_forward_length": (u32, s["d_mlp"]),
        "attention.head_count": (u32, s["n_heads"]),
        "attention.head_count_kv": (u32, s["n_kv_heads"]),
        "attention.layer_norm_rms_epsilon": (f32, 1e-5 if family == "llama" else 1e-6),
        "rope.freq_base": (f32, s["rope_base"]),
    }
    if family == "gemma3" or s["n_heads"] * s["d_head"] != s["d_model"]:
        own |= {"attention.key_length": (u32, s["d_head"]), "attention.value_length": (u32, s["d_head"])}
    if family == "llama":
        own |= {"vocab_size": (u32, s["d_vocab"]), "rope.dimension_count": (u32, s["d_head"])}
    else:
        own["attention.sliding_window"] = (u32, s["sliding_window"])
        own["attention.sliding_window_pattern"] = (u32, s["window_pattern"])
    if s.get("rope_linear_factor"):
        own |= {"rope.scaling.type": ("string", "linear"), "rope.scaling.factor": (f32, s["rope_linear_factor"])}
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        if s.get(key):
            own[key] = (f32, s[key])
    general = {
        "general.architecture": ("string", family),
        "general.type": ("string", "model"),
        "general.name": ("string", f"random {family} {weight_type}"),
        "general.file_type": (u32, FILE_TYPE[weight_type]),
        "general.quantization_version": (u32, 2),
    }
    return general | {f"{family}.{key}": value for key, value in own.items()}


def in_newer_spelling(config: dict) -> dict:
    """What transformers 5 writes: base and scaling together in rope_parameters, dtype for torch_dtype."""
    out = {k: v for k, v in config.items() if k not in ("rope_theta", "rope_scaling", "torch_dtype")}
    scaling = config["rope_scaling"] or {"rope_type": "default"}
    rope = {"rope_theta": config["rope_theta"]} | scaling
    return out | {"dtype": config["torch_dtype"], "rope_parameters": rope, "transformers_version": "5.0.0"}


def hugging_face_config(config: Config, s: dict, dtype: str) -> dict:
    """config.json with the keys that the families' own files have; in transformers 5's spelling where s asks for it."""
    out = {
        "attention_bias": bool(s.get("attention_bias")),
        "attention_dropout": 0.0,
        "head_dim": config.d_head,
        "hidden_size": config.d_model,
        "initializer_range": 0.02,
        "intermediate_size": config.d_mlp,
        "max_position_embeddings": config.n_ctx,
        "num_attention_heads": config.n_heads,
        "num_hidden_layers": config.n_layers,
        "num_key_value_heads": config.n_kv_heads,
        "rms_norm_eps": 1e-5 if config.arch == "llama" else 1e-6,
        "rope_scaling": None,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied,
        "torch_dtype": dtype,
        "use_cache": True,
        "vocab_size": config.d_vocab,
    }
    if s.get("rope_linear_factor"):
        out["rope_scaling"] = {"rope_type": "linear", "factor": s["rope_linear_factor"]}
    if config.arch == "llama":
        if s.get("llama3"):
            out["rope_scaling"] = {"rope_type": "llama3"} | LLAMA3
        own = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "mlp_bias": False}
        out = in_newer_spelling(out) if s.get("rope_parameters") else out
        return own | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "pretraining_tp": 1} | out
    kinds = ["sliding_attention" if config.is_local(i) else "full_attention" for i in range(config.n_layers)]
    own = {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "layer_types": kinds}
    own |= {"_sliding_window_pattern": config.window_pattern, "sliding_window": config.sliding_window}
    own |= {"hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": config.d_head}
    own |= {"rope_local_base_freq": config.rope_base_local, "use_bidirectional_attention": False}
    own |= {"attn_logit_softcapping": config.attn_soft_cap, "final_logit_softcapping": config.final_soft_cap}
    if s.get("rope_parameters"):
        out = in_newer_spelling(out)
        local = {"rope_theta": own.pop("rope_local_base_freq"), "rope_type": "default"}
        out["rope_parameters"] = {"full_attention": out["rope_parameters"], "sliding_attention": local}
    return own | {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0} | out


def hugging_face_tensors(config: Config, w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights by their names in a Hugging Face checkpoint, matrices as [out, in]."""
    gemma = config.arch == "gemma3"
    shift = np.float32(1 if gemma else 0)  # Gemma's checkpoints hold w - 1
    norms = {"ln1": "input_layernorm", "ln2": "pre_feedforward_layernorm" if gemma else "post_attention_layernorm"}
    if gemma:
        norms |= {"ln1_post": "post_attention_layernorm", "ln2_post": "post_feedforward_layernorm"}
        norms |= {"attn.q_norm": "self_attn.q_norm", "attn.k_norm": "self_attn.k_norm"}
    out = {"model.embed_tokens.weight": w["embed.W_E"], "model.norm.weight": w["ln_final.w"] - shift}
    if not config.tied:
        out["lm_head.weight"] = w["unembed.W_U"].T
    for i in range(config.n_layers):
        block, layer = f"blocks.{i}", f"model.layers.{i}"
        for ours, theirs in norms.items():
            out[f"{layer}.{theirs}.weight"] = w[f"{block}.{ours}.w"] - shift
        for c in "QKV":
            rows = w[f"{block}.attn.W_{c}"].transpose(0, 2, 1).reshape(-1, config.d_model)
            out[f"{layer}.self_attn.{c.lower()}_proj.weight"] = rows
        out[f"{layer}.self_attn.o_proj.weight"] = w[f"{block}.attn.W_O"].reshape(-1, config.d_model).T
        for c in "QKVO":
            if f"{block}.attn.b_{c}" in w:
                out[f"{layer}.self_attn.{c.lower()}_proj.bias"] = w[f"{block}.attn.b_{c}"].reshape(-1)
        for ours, theirs in {"W_gate": "gate_proj", "W_in": "up_proj", "W_out": "down_proj"}.items():
            out[f"{layer}.mlp.{theirs}.weight"] = w[f"{block}.mlp.{ours}"].T
    return out


def write_folder(
    folder: Path, config: Config, w: dict[str, np.ndarray], weight_type: str, s: dict, shards: int
) -> None:
    """config.json and model.safetensors, or shards with their index. Quantised weights are written decoded."""
    dtype = weight_type if weight_type in ("F16", "BF16") else "F32"
    stored = {}
    for name, value in hugging_face_tensors(config, w).items():
        if dtype == "BF16" and value.ndim == 2:  # exact: the values came from bfloat16
            raw = (np.ascontiguousarray(value).view(np.uint32) >> 16).astype("<u2").tobytes()
            stored[name] = ("BF16", value.shape, raw)
        elif dtype == "F16" and value.ndim == 2:
            stored[name] = ("F16", value.shape, value.astype("<f2").tobytes())
        else:
            stored[name] = ("F32", value.shape, value.astype("<f4").tobytes())
    folder.mkdir(parents=True, exist_ok=True)
    torch_dtype = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[dtype]
    (folder / "config.json").write_text(json.dumps(hugging_face_config(config, s, torch_dtype), indent=2))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", stored, {"format": "pt"})
        return
    files = {name: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(stored)}
    for file in set(files.values()):
        write_safetensors(folder / file, {n: t for n, t in stored.items() if files[n] == file}, {"format": "pt"})
    index = {"metadata": {"total_size": sum(len(raw) for _, _, raw in stored.values())}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def make_model(
    path: str | Path, family: str, weight_type: str, seed: int = 0, *, tokenizer: bool = True, shards: int = 1, **sizes
) -> dict:
    """Writes a model and returns {"config": Config, "weights": {TransformerLens name: float32 array}} for the twins.

    path ending in .gguf: one file, matrices of weight_type, norms F32, a toy vocabulary unless tokenizer=False.
    Any other path: a Hugging Face folder with the same weights (float32 unless weight_type is F16 or BF16).
    sizes override default_sizes: n_layers, d_model, n_heads, n_kv_heads, d_head, d_mlp, d_vocab, n_ctx, tied,
    rope_base, sliding_window, window_pattern; also rope_linear_factor=2.0, llama3=True, attention_bias=True,
    attn_logit_softcapping=30.0, final_logit_softcapping=20.0, rope_parameters=True (config.json as transformers 5 does).
    """
    s = default_sizes(family, weight_type) | sizes
    path = Path(path)
    metadata, tensors = make_metadata(family, weight_type, s), make_tensors(family, weight_type, seed, s)
    as_read = {key: float(np.float32(value)) if kind == "f32" else value for key, (kind, value) in metadata.items()}
    config, weights = build(as_read, tensors)
    if path.suffix == ".gguf":
        metadata |= toy_vocabulary(family, s["d_vocab"]) if tokenizer else {}
        write_gguf(path, metadata, [(name, t.shape, t.type, t.raw.tobytes()) for name, t in tensors.items()])
    else:
        write_folder(path, config, weights, weight_type, s, shards)
    return {"config": config, "weights": weights}

"""`ca.load` on broken files: whatever passes the checks of the container must not get through, or past, those of the
model. Each case is a `ca.FormatError` that names the file, or a model that runs."""

import random
import time

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from make_files import GGML_TYPES, write_gguf
from make_models import make_model

SMALL = dict(d_model=32, n_heads=4, n_kv_heads=2, d_head=8, d_mlp=32, d_vocab=273, n_ctx=64)


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def sound(request, tmp_path_factory):
    """(family, path) of a small sound model with a toy vocabulary."""
    path = tmp_path_factory.mktemp("sound") / "sound.gguf"
    sizes = SMALL | ({"n_kv_heads": 1} if request.param == "gemma3" else {})
    make_model(path, request.param, "Q8_0", 3, **sizes)
    return request.param, path


def parts(path):
    """The file as write_gguf takes it: metadata {key: (type, value)}, tensors [(name, shape, type, bytes)]."""
    checkpoint = _core.Checkpoint(str(path))
    values, types = checkpoint.metadata()
    tensors = [(t.name, tuple(t.shape), t.type, bytes(checkpoint.read(t.name))) for t in ca.inspect_file(path).tensors]
    return {k: (types[k], values[k]) for k in values}, tensors


def load(path) -> "ca.Model | None":
    """The model, or None for a FormatError that names the file, raised soon."""
    began = time.perf_counter()
    try:
        model = ca.load(path, threads=1)
    except ca.FormatError as error:
        assert str(path) in str(error), error
        assert time.perf_counter() - began < 1
        return None
    assert np.asarray(model([1, 2, 3])).shape == (3, model.config.d_vocab)
    return model


def refused(path) -> str:
    with pytest.raises(ca.FormatError) as error:
        ca.load(path, threads=1)
    assert str(path) in str(error.value)
    return str(error.value)


WRONG = {"string": ("u32", 7), "u32": ("string", "seven"), "f32": ("string", "a half"), "bool": ("string", "yes"),
         "i32": ("string", "3")}  # fmt: skip


def test_every_key_of_the_wrong_type(sound, tmp_path):
    family, path = sound
    metadata, tensors = parts(path)
    read = [k for k in metadata if k == "general.architecture" or k.startswith((f"{family}.", "tokenizer."))]
    assert len(read) > 12
    for key in read:
        kind = metadata[key][0]
        wrong = WRONG.get(kind, ("string", "not an array"))
        bad = tmp_path / "bad.gguf"
        write_gguf(bad, metadata | {key: wrong}, tensors)
        assert key in refused(bad), key


@pytest.mark.parametrize(
    "key, value",
    [("block_count", 0), ("block_count", 1_000_000), ("block_count", 3), ("embedding_length", 0), ("embedding_length", 33),
     ("attention.head_count", 0), ("attention.head_count", 5), ("attention.head_count", 2**32 - 1),
     ("attention.head_count_kv", 3), ("feed_forward_length", 2**31), ("context_length", 0),
     ("attention.layer_norm_rms_epsilon", float("nan")), ("rope.freq_base", -1.0), ("rope.freq_base", float("inf"))],
)  # fmt: skip
def test_impossible_sizes(sound, tmp_path, key, value):
    family, path = sound
    metadata, tensors = parts(path)
    bad = tmp_path / "bad.gguf"
    write_gguf(bad, metadata | {f"{family}.{key}": ("f32" if isinstance(value, float) else "u32", value)}, tensors)
    refused(bad)


def test_missing_keys(sound, tmp_path):
    family, path = sound
    metadata, tensors = parts(path)
    needed = [f"{family}.{k}" for k in ("block_count", "embedding_length", "attention.head_count", "context_length",
                                        "feed_forward_length", "attention.layer_norm_rms_epsilon")]  # fmt: skip
    for key in ["general.architecture", *needed]:
        bad = tmp_path / "bad.gguf"
        write_gguf(bad, {k: v for k, v in metadata.items() if k != key}, tensors)
        assert key in refused(bad)


def test_nothing_is_dropped(sound, tmp_path):
    family, path = sound
    metadata, tensors = parts(path)
    bad = tmp_path / "bad.gguf"
    write_gguf(bad, metadata | {f"{family}.attention.clever_trick": ("f32", 2.0)}, tensors)
    assert "clever_trick" in refused(bad)
    write_gguf(bad, metadata, [*tensors, ("blk.0.attn_sinks.weight", (8,), "F32", bytes(32))])
    assert "attn_sinks" in refused(bad)
    write_gguf(bad, metadata | {"general.architecture": ("string", "qwen9")}, tensors)
    assert "qwen9" in refused(bad)


def test_missing_swapped_and_foreign_tensors(sound, tmp_path):
    _, path = sound
    metadata, tensors = parts(path)
    bad = tmp_path / "bad.gguf"
    for i in range(len(tensors)):
        write_gguf(bad, metadata, tensors[:i] + tensors[i + 1 :])
        if tensors[i][0] != "output.weight":  # without it the head is tied
            assert tensors[i][0] in refused(bad)
    name, shape, _, _ = tensors[1]
    for kind in ("IQ2_S", "I32", "NVFP4"):
        _, block, size = GGML_TYPES[kind]
        if np.prod(shape) % block == 0 and shape[-1] % block == 0:
            blob = bytes(int(np.prod(shape)) // block * size)
            write_gguf(bad, metadata, [tensors[0], (name, shape, kind, blob), *tensors[2:]])
            message = refused(bad)
            assert kind in message and name in message and "Q4_K" in message


def test_special_ids_out_of_range(sound, tmp_path):
    _, path = sound
    metadata, tensors = parts(path)
    for key, value in (
        ("tokenizer.ggml.eos_token_id", ("u32", 10**6)),
        ("tokenizer.ggml.bos_token_id", ("u32", 10**6)),
    ):
        bad = tmp_path / "bad.gguf"
        write_gguf(bad, metadata | {key: value}, tensors)
        assert key in refused(bad)


@pytest.mark.parametrize("part", range(4))
def test_flipped_bits(sound, tmp_path, part):
    """Seeded flips over the whole header: an error, or a model that runs."""
    _, path = sound
    raw = path.read_bytes()
    header = raw.index(b"output_norm.weight") + 60
    rng = random.Random(part)
    outcomes = {True: 0, False: 0}
    for _ in range(200):
        flipped = bytearray(raw)
        flipped[rng.randrange(header)] ^= 1 << rng.randrange(8)
        bad = tmp_path / "bad.gguf"
        bad.write_bytes(flipped)
        outcomes[load(bad) is None] += 1
    assert outcomes[True] > 20 and outcomes[False] > 0


def test_truncated(sound, tmp_path):
    _, path = sound
    raw = path.read_bytes()
    bad = tmp_path / "bad.gguf"
    for n in [*range(0, len(raw), max(1, len(raw) // 150)), len(raw) - 1]:
        bad.write_bytes(raw[:n])
        if n < len(raw) - 32:  # what is missing may be the padding behind the last tensor
            refused(bad)
        else:
            load(bad)

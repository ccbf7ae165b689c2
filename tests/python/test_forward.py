"""The forward pass against transformers' goldens, llama.cpp's stored figure, and the NumPy twins."""

import functools
import json
import os
import re

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference import loader
from goldens import FOLDER, forward_goldens
from make_models import WEIGHT_TYPES
from small_variants import IDS, VARIANTS

MODELS = ["smollm2", "gemma3"]
FAMILIES = ["llama", "gemma3"]
PROMPTS = [prompt["name"] for prompt in json.loads((FOLDER / "prompts.json").read_text(encoding="utf-8"))]


# ---- the real models


def shifted_exp(logits):
    """exp(logits - max), and the log of its sum in float64 with the maximum put back. logits: [d_vocab]."""
    e = np.exp(logits - logits.max())
    return e, float(np.log(e.sum(dtype=np.float64)) + logits.max())


def kl_of_row(p, q):
    """KL(softmax(p) || softmax(q)) in nats; logits [d_vocab]. Exponentials in float32, sums in float64."""
    e_p, log_z_p = shifted_exp(p)
    _, log_z_q = shifted_exp(q)
    mean_gap = np.dot(e_p, p - q) / e_p.sum(dtype=np.float64)
    return float(mean_gap) - (log_z_p - log_z_q)


@pytest.fixture(scope="module")
def compared(real_model):
    """compared("gemma3", "essay"): how far both compute modes are from the golden, and from each other."""
    goldens = functools.cache(forward_goldens)

    @functools.cache
    def compare(name, prompt):
        golden, model = goldens(name)[prompt], real_model(name, "float32")
        layers = [f"blocks.{i}.{what}" for i in golden.resid_post for what in ("resid_post", "attn.pattern")]
        logits, trace = model.run_with_cache(golden.ids, layers) if layers else (model(golden.ids), None)
        quantised = real_model(name, "int8")(golden.ids)
        top = np.take_along_axis(logits, golden.top_ids, 1)
        log_z = [shifted_exp(row)[1] for row in logits]
        following = [float(row[id]) - z for row, id, z in zip(logits[:-1], golden.ids[1:], log_z[:-1], strict=True)]
        resid, pattern = 0.0, 0.0
        for i, expected in golden.resid_post.items():
            error = np.abs(trace[f"blocks.{i}.resid_post"] - expected) / np.abs(expected).max(1, keepdims=True)
            resid = max(resid, float(error.max()))
            pattern = max(pattern, float(np.abs(trace[f"blocks.{i}.attn.pattern"] - golden.pattern[i]).max()))
        sure = golden.gap > 5e-3
        return {
            "shape": logits.shape,
            "top": float(np.abs(top - golden.top_logits).max()),
            "fixed": float(np.abs(logits[:, golden.fixed_ids] - golden.fixed_logits).max()),
            "argmax": (logits.argmax(1)[sure].tolist(), golden.argmax[sure].tolist()),
            "logprob": float(np.abs(following - golden.next_logprob).max()) if following else 0.0,
            "resid": resid,
            "pattern": pattern,
            "kl": [kl_of_row(p, q) for p, q in zip(logits, quantised, strict=True)],
        }

    return compare


def test_there_are_prompts_enough():
    assert len(PROMPTS) >= 24
    for name in MODELS:
        lengths = [len(g.ids) for g in forward_goldens(name).values()]
        assert min(lengths) == 1 and max(lengths) >= 600
        assert sum(bool(g.resid_post) for g in forward_goldens(name).values()) >= 8


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("name", MODELS)
def test_float32_equals_transformers(name, prompt, compared):
    got = compared(name, prompt)
    assert got["top"] <= 1e-3
    assert got["fixed"] <= 1e-3
    assert got["argmax"][0] == got["argmax"][1]
    assert got["logprob"] <= 1e-3
    assert got["resid"] <= 1e-4
    assert got["pattern"] <= 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_int8_stays_as_near_as_llama_cpp(name, compared, capsys):
    """Mean KL(float32 || int8) per token over all prompts, at most 1.05x llama.cpp's on the same ids."""
    stored = json.loads((FOLDER / "kl_llama_cpp.json").read_text())["models"][name]
    rows = [kl for prompt in PROMPTS for kl in compared(name, prompt)["kl"]]
    assert len(rows) == stored["tokens"]
    mean = float(np.mean(rows))
    with capsys.disabled():
        print(f"\n{name}: mean KL(float32 || int8) {mean:.6f} nats per token, llama.cpp {stored['kl']:.6f}")
    assert 0 < mean <= 1.05 * stored["kl"]


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_batches_chunks_and_cache_give_the_same_bits(name, compute, real_model):
    model, golden = real_model(name, compute), forward_goldens(name)["sql"]
    ids = golden.ids
    whole = model(ids)
    others = [forward_goldens(name)[other].ids for other in ("one_token", "french")]
    for row, lone in zip(model([others[0], ids, others[1]]), [others[0], ids, others[1]], strict=True):
        assert np.array_equal(row.view(np.uint32), (whole if lone is ids else model(lone)).view(np.uint32))
    try:
        for chunk in (1, 7, 64):
            model._core.chunk = chunk
            assert np.array_equal(model(ids).view(np.uint32), whole.view(np.uint32)), chunk
    finally:
        model._core.chunk = 0
    session = model.session()
    cached = np.concatenate([session.append(part, logits="all") for part in np.split(ids, [1, 2, 20])])
    assert np.array_equal(cached.view(np.uint32), whole.view(np.uint32))


# ---- random 2-layer models against the NumPy twins


def assert_equals_twin(small, ids, atol=1e-4):
    """Every activation that both have. Scores, which reach -inf, where they are finite."""
    logits, trace = small.model.run_with_cache(ids)
    twin = loader.forward(small.config, small.weights, ids)
    assert set(twin) == {name for name in trace.names() if not name.endswith("attn.result")}
    for name, expected in twin.items():
        np.testing.assert_allclose(trace[name], expected, atol=atol, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(logits, twin["logits"], atol=atol, rtol=0)


@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_type_equals_the_twin(family, weight_type, small_model):
    assert_equals_twin(small_model(family, weight_type), IDS)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("weight_type", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_safetensors_folders_give_the_bits_of_the_gguf(family, weight_type, shards, small_model):
    folder, gguf = small_model(family, weight_type, shards=shards), small_model(family, weight_type)
    assert folder.model.info()["format"] == "safetensors" and gguf.model.info()["format"] == "gguf"
    assert_equals_twin(folder, IDS)
    assert np.array_equal(folder.model(IDS).view(np.uint32), gguf.model(IDS).view(np.uint32))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_turn_of_a_config_equals_transformers(name, small_model):
    family, weight_type, sizes = VARIANTS[name]
    with np.load(FOLDER / "forward_small.npz", allow_pickle=False) as golden:
        for shards in (0, 1):
            logits = small_model(family, weight_type, shards=shards, **sizes).model(IDS)
            np.testing.assert_allclose(logits, golden[name], atol=1e-4, rtol=0)


def test_attention_biases_equal_the_twin(small_model):
    for shards in (0, 2):
        assert_equals_twin(small_model("llama", "F32", shards=shards, attention_bias=True), IDS)


@pytest.mark.parametrize("sizes", [
    {"attn_logit_softcapping": 0.5},
    {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "tied": False},
    {"n_kv_heads": 4, "sliding_window": 1},
    {"n_layers": 3, "window_pattern": 3, "sliding_window": 100},
])  # fmt: skip
def test_soft_caps_and_windows_equal_the_twin(sizes, small_model):
    assert_equals_twin(small_model("gemma3", "F32", **sizes), IDS)


def test_a_length_beyond_every_block_size_equals_the_twin(small_model):
    """150 positions: three KV blocks of 64, ten rows of keys at a time, the softmax's lanes with a tail."""
    ids = (np.arange(150) * 31 % 273).astype(np.int32)
    for family in FAMILIES:
        assert_equals_twin(small_model(family), ids)


@pytest.mark.parametrize("weight_type", [t for t in WEIGHT_TYPES if t not in ("F32", "F16", "BF16")])
def test_int8_is_near_float32_on_random_models(weight_type, small_model):
    """Not the same arithmetic, so not the same bits; but a wrong scale or nibble would be far off."""
    for family in FAMILIES:
        exact, codes = (small_model(family, weight_type, compute).model(IDS) for compute in ("float32", "int8"))
        assert not np.array_equal(exact, codes)
        assert np.abs(exact - codes).max() < 0.05 * np.abs(exact).max()


# ---- what may be passed


def test_what_a_prompt_may_be(small_model):
    model = small_model("llama").model
    ids = model.tokenizer.encode("the other", add_special_tokens=True)
    expected = model(ids)
    assert expected.shape == (len(ids), 273) and expected.dtype == np.float32
    assert expected.flags.c_contiguous and not expected.flags.writeable
    for x in ("the other", ids.tolist(), tuple(ids.tolist()), ids.astype(np.int64), ids.astype(np.uint16), ids[::1]):
        np.testing.assert_array_equal(model(x), expected)
    for batch in (["the other", [5]], [ids, np.array([5])], ["the other", (5,)]):
        rows = model(batch)
        assert isinstance(rows, list) and [r.shape for r in rows] == [(len(ids), 273), (1, 273)]
        np.testing.assert_array_equal(rows[0], expected)
        np.testing.assert_array_equal(rows[1], model([5]))
    assert model(ids, batch_axis=True).shape == (1, len(ids), 273)
    assert [r.shape for r in model([ids, [5]], batch_axis=True)] == [(1, len(ids), 273), (1, 1, 273)]


@pytest.mark.parametrize(("x", "message"), [
    ([], "the prompt is empty"),
    ("", "the prompt is empty"),
    ([[1], []], "prompt 1 is empty"),
    (["a", ""], "prompt 1 is empty"),
    (np.zeros((2, 3), np.int32), r"shape \[2, 3\]"),
    ([1.5, 2.0], "dtype float64"),
    ([True], "dtype bool"),
    (None, "the prompt is None, expected text or ids"),
    (3, r"the single number 3, expected text or a list of ids; one id is written \[3\]"),
    ([273], "token id 273, expected 0 to 272"),
    ([5, -1], "token id -1, expected 0 to 272"),
    ([2**40], "token id 1099511627776"),
    ([2**70], "the prompt holds 1180591620717411303424, expected"),
    (np.zeros(257, np.int32), "the prompt has 257 tokens, and the context holds 256"),
])  # fmt: skip
def test_bad_prompts_are_named(x, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        small_model("llama").model(x)


@pytest.mark.parametrize(("options", "message"), [
    ({"compute": "bf16"}, "'bf16', expected 'float32' or 'int8'"),
    ({"isa": "avx9000"}, "avx9000"),
    ({"threads": 0}, "threads must be a whole number, 1 or greater, got 0"),
    ({"threads": 1.5}, "threads must be a whole number"),
    ({"n_ctx": 257}, "n_ctx is 257, but the file's context length is 256"),
    ({"n_ctx": -1}, "n_ctx must be a whole number"),
])  # fmt: skip
def test_bad_load_options_are_named(options, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        ca.load(small_model("llama").path, **options)


def test_amx_is_an_option(small_model, monkeypatch):
    path = small_model("llama", "Q4_1", "int8").path
    assert ca.isas()[-1] != "amx" and ca.load(path).info()["isa"] == os.environ.get("CUTAWAY_ISA", ca.isas()[-1])
    if "amx" in ca.isas():
        assert np.array_equal(ca.load(path, isa="amx")(IDS), ca.load(path, isa="scalar")(IDS))
        return
    offered = re.escape(f"isa: this machine has no 'amx'; it offers {', '.join(ca.isas())} (ca.isas())")
    with pytest.raises(ca.ArgumentError, match=f"^{offered}$"):
        ca.load(path, isa="amx")
    monkeypatch.setenv("CUTAWAY_ISA", "amx")
    with pytest.raises(ca.ArgumentError, match=f"^{offered}$"):
        ca.load(path)


def test_info_says_what_is_in_force(small_model):
    small = small_model("llama", "Q4_1", "int8")
    info = small.model.info()
    assert info["path"] == str(small.path.resolve()) and info["format"] == "gguf" and info["arch"] == "llama"
    assert info["compute"] == "int8" and info["kv_dtype"] == "float16" and info["isa"] in ca.isas()
    assert info["tensors"]["blk.0.attn_q.weight"]["type"] == "Q4_1"
    assert info["bytes"]["file"] == small.path.stat().st_size
    assert info["bytes"]["tensors"] == sum(t["bytes"] for t in info["tensors"].values())
    assert ca.load(small.path).info()["compute"] == "int8"  # the default where weights are stored quantised
    assert ca.load(small_model("llama", "BF16").path).info()["compute"] == "float32"
    assert ca.load(small.path, isa="scalar", threads=3, n_ctx=9).info() | {"threads": 3} == info | {
        "isa": "scalar", "threads": 3, "n_ctx": 9,
    }  # fmt: skip


def test_score_is_the_log_probability_of_each_next_token(small_model):
    model = small_model("gemma3").model
    logits = model(IDS).astype(np.float64)
    expected = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    scores = model.score(IDS)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [row[id] for row, id in zip(expected[:-1], IDS[1:], strict=True)], atol=1e-12)
    assert [s.tolist() for s in model.score([IDS, IDS[:3]])] == [scores.tolist(), scores[:2].tolist()]
    with pytest.raises(ca.ArgumentError, match="at least 2 tokens"):
        model.score([4])

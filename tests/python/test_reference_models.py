"""The composed twins: random 2-layer models of every weight type, transformers' goldens, the two real models."""

import json

import numpy as np
import pytest
from cutaway.reference import gguf_file, loader
from cutaway.reference.sublayers import attention_result
from goldens import FOLDER, forward_goldens
from make_models import WEIGHT_TYPES, make_model
from small_variants import IDS, SEED, VARIANTS

BLOCK_NAMES = [
    "resid_pre",
    "ln1.scale",
    "ln1.normalized",
    "attn.q",
    "attn.k",
    "attn.v",
    "attn.rot_q",
    "attn.rot_k",
    "attn.scores",
    "attn.pattern",
    "attn.z",
    "attn_out",
    "resid_mid",
    "ln2.scale",
    "ln2.normalized",
    "mlp.pre",
    "mlp.pre_linear",
    "mlp.post",
    "mlp_out",
    "resid_post",
]
SANDWICH_NAMES = ["ln1_post.scale", "ln1_post.normalized", "ln2_post.scale", "ln2_post.normalized"]


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def small(request, tmp_path_factory):
    """A random model and its run over 24 ids."""
    path = tmp_path_factory.mktemp(request.param) / "model.gguf"
    model = make_model(path, request.param, "F32", SEED)
    return model | {"values": loader.forward(model["config"], model["weights"], IDS), "path": path}


@pytest.mark.parametrize("name", VARIANTS)
def test_small_models_equal_transformers(name, tmp_path):
    family, weight_type, sizes = VARIANTS[name]
    model = make_model(tmp_path / "model.gguf", family, weight_type, SEED, **sizes)
    with np.load(FOLDER / "forward_small.npz", allow_pickle=False) as golden:
        np.testing.assert_array_equal(golden["ids"], IDS)
        logits = loader.forward(model["config"], model["weights"], IDS)["logits"]
        np.testing.assert_allclose(logits, golden[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
def test_files_of_every_weight_type_are_read_back(family, weight_type, tmp_path):
    model = make_model(tmp_path / "m.gguf", family, weight_type, 5)
    config, weights = loader.load(tmp_path / "m.gguf")
    assert config == model["config"]
    assert weights.keys() == model["weights"].keys()
    for name, w in weights.items():
        np.testing.assert_array_equal(w, model["weights"][name], err_msg=name)
        assert np.isfinite(w).all() and w.std() > 0.01
    stored = {t.type for name, t in gguf_file.read(tmp_path / "m.gguf")[1].items() if "norm" not in name}
    assert stored == {weight_type}
    logits = loader.forward(config, weights, IDS[:9])["logits"]
    assert logits.shape == (9, 273) and logits.dtype == np.float32
    assert 0.1 < logits.std() < 20


def test_gguf_reader_agrees_with_gguf(small):
    gguf = pytest.importorskip("gguf", reason="the gguf package is the reference of the file format")
    metadata, tensors = gguf_file.read(small["path"])
    theirs = gguf.GGUFReader(small["path"])
    fields = {k: f.contents() for k, f in theirs.fields.items() if not k.startswith("GGUF.")}
    assert metadata == fields
    assert [t.name for t in theirs.tensors] == list(tensors)
    for t in theirs.tensors:
        assert tensors[t.name].type == t.tensor_type.name
        assert tensors[t.name].shape == tuple(int(n) for n in t.shape[::-1])
        np.testing.assert_array_equal(tensors[t.name].raw, t.data.reshape(-1).view(np.uint8))


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_folder_holds_the_same_weights(family, tmp_path):
    model = make_model(tmp_path / "folder", family, "BF16", 5, shards=3)
    weights, config = model["weights"], json.loads((tmp_path / "folder/config.json").read_text())
    assert (config["hidden_size"], config["head_dim"]) == (model["config"].d_model, model["config"].d_head)
    index = json.loads((tmp_path / "folder/model.safetensors.index.json").read_text())["weight_map"]
    assert len(set(index.values())) == 3
    name = "model.layers.1.self_attn.k_proj.weight"
    raw = (tmp_path / "folder" / index[name]).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    entry = json.loads(raw[8 : 8 + size])[name]
    lo, hi = (8 + size + o for o in entry["data_offsets"])
    stored = (np.frombuffer(raw[lo:hi], "<u2").astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
    heads = stored.reshape(-1, config["head_dim"], config["hidden_size"]).transpose(0, 2, 1)
    np.testing.assert_array_equal(heads, weights["blocks.1.attn.W_K"])


def test_every_value_has_its_name_and_shape(small):
    config, values = small["config"], small["values"]
    gemma = config.arch == "gemma3"
    names = BLOCK_NAMES + (SANDWICH_NAMES if gemma else [])
    expected = {f"blocks.{i}.{n}" for i in range(config.n_layers) for n in names}
    assert set(values) == expected | {"embed", "ln_final.scale", "ln_final.normalized", "logits"}
    n, p = len(IDS), "blocks.1"
    assert values["embed"].shape == (n, config.d_model)
    assert values[f"{p}.ln1.scale"].shape == (n, 1)
    assert values[f"{p}.attn.q"].shape == values[f"{p}.attn.z"].shape == (n, config.n_heads, config.d_head)
    assert values[f"{p}.attn.rot_k"].shape == values[f"{p}.attn.v"].shape == (n, config.n_kv_heads, config.d_head)
    assert values[f"{p}.attn.pattern"].shape == (config.n_heads, n, n)
    assert values[f"{p}.mlp.post"].shape == (n, config.d_mlp)
    assert {v.dtype for v in values.values()} == {np.dtype(np.float32)}


def test_the_books_close(small):
    values, weights = small["values"], small["weights"]
    for i in range(2):
        p = f"blocks.{i}"
        np.testing.assert_array_equal(values[f"{p}.resid_mid"], values[f"{p}.resid_pre"] + values[f"{p}.attn_out"])
        np.testing.assert_array_equal(values[f"{p}.resid_post"], values[f"{p}.resid_mid"] + values[f"{p}.mlp_out"])
        np.testing.assert_allclose(values[f"{p}.attn.pattern"].sum(-1), 1, atol=1e-6)
        if small["config"].arch == "llama":
            heads = attention_result(values, weights, i)  # [pos, n_heads, d_model]
            np.testing.assert_allclose(heads.sum(1), values[f"{p}.attn_out"], atol=1e-5)


def test_a_local_layer_sees_its_window(small):
    pattern = [small["values"][f"blocks.{i}.attn.pattern"] for i in range(2)]
    seen = [int((p > 0).sum(-1).max()) for p in pattern]
    assert seen == ([8, 24] if small["config"].arch == "gemma3" else [24, 24])


def test_later_tokens_change_nothing_before_them(small):
    values = loader.forward(small["config"], small["weights"], IDS[:10])
    np.testing.assert_allclose(values["logits"], small["values"]["logits"][:10], atol=1e-5)


def test_edits_replace_values(small):
    config, weights, values = small["config"], small["weights"], small["values"]
    for name in values:
        same = loader.forward(config, weights, IDS, {name: lambda x: x.copy()})
        np.testing.assert_array_equal(same["logits"], values["logits"], err_msg=name)

    def add_one(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[5] += 1
        return x

    for name in ("blocks.0.ln1.scale", "blocks.0.attn.rot_q", "blocks.1.attn.z", "blocks.1.mlp.pre", "embed"):
        edited = loader.forward(config, weights, IDS, {name: add_one})
        changed = np.abs(edited["logits"] - values["logits"]).max(1)
        assert (changed[:5] == 0).all() and changed[5] > 1e-4, name
    with pytest.raises(KeyError, match=r"no activation is called 'blocks\.9\.resid_pre'"):
        loader.forward(config, weights, IDS, {"blocks.9.resid_pre": add_one})


def test_llama_rows_are_put_back_in_hugging_face_order():
    n_heads, d_head, d_model = 3, 8, 5
    w = np.arange(n_heads * d_head * d_model, dtype=np.float32).reshape(n_heads, d_head, d_model)
    # what converters write: i and i + d_head / 2 become neighbours
    permuted = np.empty_like(w)
    permuted[:, 0::2], permuted[:, 1::2] = w[:, : d_head // 2], w[:, d_head // 2 :]
    np.testing.assert_array_equal(loader.halves_from_pairs(permuted, d_head), w)
    np.testing.assert_array_equal(loader.halves_from_pairs(permuted, 4)[:, 4:], permuted[:, 4:])


def test_unknown_architecture_is_named(tmp_path):
    make_model(tmp_path / "m.gguf", "llama", "F32", 0)
    metadata, tensors = gguf_file.read(tmp_path / "m.gguf")
    with pytest.raises(ValueError, match="'rwkv7'; the reference knows llama, gemma3"):
        loader.config_of(metadata | {"general.architecture": "rwkv7"}, tensors)


@pytest.mark.parametrize("model", ["smollm2", "gemma3"])
def test_real_models_equal_transformers(model, model_path):
    """Two short prompts (tests/golden holds 28): Gemma's logits reach 232 on the second."""
    config, weights = loader.load(model_path(model))
    for name, golden in forward_goldens(model).items():
        if name not in ("capital", "hindi"):
            continue
        values = loader.forward(config, weights, golden.ids)
        logits = values["logits"]
        np.testing.assert_allclose(np.take_along_axis(logits, golden.top_ids, 1), golden.top_logits, atol=1e-3, rtol=0)
        np.testing.assert_allclose(logits[:, golden.fixed_ids], golden.fixed_logits, atol=1e-3, rtol=0)
        sure = golden.gap > 5e-3
        np.testing.assert_array_equal(logits.argmax(1)[sure], golden.argmax[sure])
        for i, resid in golden.resid_post.items():
            error = np.abs(values[f"blocks.{i}.resid_post"] - resid) / np.abs(resid).max(1, keepdims=True)
            assert error.max() < 1e-4, (name, i)
            assert np.abs(values[f"blocks.{i}.attn.pattern"] - golden.pattern[i]).max() < 1e-4, (name, i)

"""model.weights: exact, by TransformerLens's names and shapes, and the ones that the forward pass used."""

import numpy as np
import pytest
from cutaway.reference import loader
from cutaway.reference.norms import rms_norm
from goldens import forward_goldens
from make_models import WEIGHT_TYPES

MODELS = ["smollm2", "gemma3"]


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
def test_random_models_decode_exactly(weight_type, compute, small_model):
    for family, shards in (("llama", 0), ("gemma3", 0), ("llama", 1), ("gemma3", 1)):
        small = small_model(family, weight_type, compute, shards=shards)
        expected = {name: w for name, w in small.weights.items() if name != "rope_factors"}
        assert set(small.model.weights) == set(expected)
        for name, w in expected.items():
            np.testing.assert_array_equal(small.model.weights[name], w, err_msg=name, strict=True)


@pytest.mark.parametrize("name", MODELS)
def test_real_models_decode_exactly(name, real_model, model_path):
    """Every weight of the file, bit for bit, in both modes' packed form."""
    weights, (_, expected) = real_model(name, "int8").weights, loader.load(model_path(name))
    assert set(weights) == set(expected)
    for key in list(expected):
        if key == "unembed.W_U":
            continue  # the transpose of W_E, checked by the logits below
        assert np.array_equal(weights[key], expected.pop(key)), key


def test_biases_decode_exactly_and_are_those_in_force(small_model):
    for shards in (0, 1):
        small = small_model("llama", shards=shards, attention_bias=True)
        model, c = small.model, small.config
        assert set(model.weights) == set(small.weights)
        for name, shape in {"b_Q": (6, 14), "b_K": (2, 14), "b_V": (2, 14), "b_O": (84,)}.items():
            bias = model.weights[f"blocks.1.attn.{name}"]
            np.testing.assert_array_equal(bias, small.weights[f"blocks.1.attn.{name}"], strict=True)
            assert bias.shape == shape
        _, trace = model.run_with_cache(np.arange(9), "blocks.1.*")
        x = trace["blocks.1.ln1.normalized"]
        for name in "QKV":
            w, b = model.weights[f"blocks.1.attn.W_{name}"], model.weights[f"blocks.1.attn.b_{name}"]
            expected = np.einsum("pm,hmd->phd", x, w) + b
            np.testing.assert_allclose(trace[f"blocks.1.attn.{name.lower()}"], expected, atol=1e-5)
        heads = trace["blocks.1.attn.result"].sum(1) + model.weights["blocks.1.attn.b_O"]
        np.testing.assert_allclose(trace["blocks.1.attn_out"], heads, atol=1e-5)
        assert heads.shape == (9, c.d_model)


def test_shapes_are_transformer_lens_s(small_model):
    small = small_model("gemma3")
    w, c = small.model.weights, small.config
    shapes = {
        "embed.W_E": (c.d_vocab, c.d_model),
        "unembed.W_U": (c.d_model, c.d_vocab),
        "blocks.1.attn.W_Q": (c.n_heads, c.d_model, c.d_head),
        "blocks.1.attn.W_K": (c.n_kv_heads, c.d_model, c.d_head),
        "blocks.1.attn.W_V": (c.n_kv_heads, c.d_model, c.d_head),
        "blocks.1.attn.W_O": (c.n_heads, c.d_head, c.d_model),
        "blocks.1.attn.q_norm.w": (c.d_head,),
        "blocks.1.mlp.W_in": (c.d_model, c.d_mlp),
        "blocks.1.mlp.W_gate": (c.d_model, c.d_mlp),
        "blocks.1.mlp.W_out": (c.d_mlp, c.d_model),
        "blocks.1.ln2_post.w": (c.d_model,),
        "ln_final.w": (c.d_model,),
    }
    for name, shape in shapes.items():
        assert w[name].shape == w.info()[name]["shape"] == shape
        assert w[name].dtype == np.float32 and w[name].flags.c_contiguous
    assert len(w) == len(list(w)) == 3 + 2 * 13
    assert w.info()["blocks.0.attn.W_Q"]["tensor"] == "blk.0.attn_q.weight"
    assert small_model("llama", "Q4_K").model.weights.info()["blocks.0.mlp.W_in"]["type"] == "Q4_K"
    assert f"{len(w)} weights" in repr(w)


def test_arrays_are_read_only(small_model):
    w = small_model("llama").model.weights["blocks.0.attn.W_Q"]
    with pytest.raises(ValueError, match="WRITEABLE"):
        w.setflags(write=True)


def test_unknown_weights_show_near_misses(small_model):
    weights = small_model("llama").model.weights
    with pytest.raises(KeyError, match="no weight 'blocks.0.attn.WQ'. Did you mean .*blocks.0.attn.W_Q"):
        weights["blocks.0.attn.WQ"]
    assert "blocks.0.attn.WQ" not in weights and weights.get("blocks.0.attn.WQ") is None


# ---- float32 mode: the traced values are these weights' products


def assert_near(got, expected, share, what):
    """Within `share` of the largest entry."""
    assert np.abs(got - expected).max() <= share * np.abs(expected).max(), what


@pytest.mark.parametrize("name", MODELS)
def test_q_k_and_v_are_products_of_the_shown_weights(name, real_model):
    """For every head of every layer: ln1.normalized @ W[h] + b, then the q or k norm where there is one."""
    model, ids = real_model(name, "float32"), forward_goldens(name)["numbers"].ids
    _, trace = model.run_with_cache(
        ids, ["blocks.*.ln1.normalized", "blocks.*.attn.q", "blocks.*.attn.k", "blocks.*.attn.v"]
    )
    for i in range(model.config.n_layers):
        x = trace[f"blocks.{i}.ln1.normalized"]
        for c in "QKV":
            w, traced = model.weights[f"blocks.{i}.attn.W_{c}"], trace[f"blocks.{i}.attn.{c.lower()}"]
            bias = model.weights.get(f"blocks.{i}.attn.b_{c}")
            norm = model.weights.get(f"blocks.{i}.attn.{c.lower()}_norm.w")
            assert (norm is not None) == (name == "gemma3" and c != "V")
            for head in range(len(w)):
                expected = x @ w[head] + (0 if bias is None else bias[head])
                if norm is not None:
                    expected = rms_norm(expected, norm, model.config.eps)
                assert_near(traced[:, head], expected, 1e-4, (i, c, head))


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_last_norm_times_w_u(name, real_model):
    model, ids = real_model(name, "float32"), forward_goldens(name)["sql"].ids
    logits, trace = model.run_with_cache(ids, "ln_final.normalized")
    assert_near(trace["ln_final.normalized"] @ model.weights["unembed.W_U"], logits, 1e-5, name)


@pytest.mark.parametrize("name", MODELS)
def test_head_results_add_up_to_attn_out(name, real_model):
    model, ids = real_model(name, "float32"), forward_goldens(name)["french"].ids
    _, trace = model.run_with_cache(ids, ["blocks.*.attn.result", "blocks.*.attn_out"])
    for i in range(model.config.n_layers):
        result = trace[f"blocks.{i}.attn.result"]
        assert result.shape == (len(ids), model.config.n_heads, model.config.d_model) and not result.flags.writeable
        expected = result.sum(1)
        post = model.weights.get(f"blocks.{i}.ln1_post.w")
        if post is not None:
            expected = rms_norm(expected, post, model.config.eps)
        assert_near(trace[f"blocks.{i}.attn_out"], expected, 1e-4, i)

"""Traces: what names mean, what the arrays are, and what must hold between them."""

import cutaway as ca
import numpy as np
import pytest
from cutaway.trace import to_float16
from goldens import forward_goldens
from small_variants import IDS

MODELS = ["smollm2", "gemma3"]
FAMILIES = ["llama", "gemma3"]


def bits(a):
    return np.ascontiguousarray(a).view(np.uint32)


def equal_bits(a, b):
    return a.shape == b.shape and np.array_equal(bits(a), bits(b))


# ---- names


@pytest.mark.parametrize("family", FAMILIES)
def test_names_say_shape_dtype_and_equation(family, small_model):
    small = small_model(family)
    names, config = small.model.names(), small.config
    _, trace = small.model.run_with_cache(IDS)
    lengths = {"pos": len(IDS), "query_pos": len(IDS), "key_pos": len(IDS)}
    assert [a.name for a in names] == trace.names() == list(trace)
    for a in names:
        shape = tuple(lengths[word] if word in lengths else int(word.rpartition("=")[2]) for word in a.shape)
        assert trace[a.name].shape == shape, a.name
        assert a.dtype == str(trace[a.name].dtype) == "float32"
        assert a.equation and trace[a.name].flags.c_contiguous
    assert names["blocks.1.attn.k"].shape == ("pos", f"n_kv_heads={config.n_kv_heads}", f"d_head={config.d_head}")
    assert names["blocks.0.attn.pattern"].shape == (f"n_heads={config.n_heads}", "query_pos", "key_pos")
    assert names["blocks.1.ln2.scale"].shape == ("pos", "1")
    assert names["logits"].shape == ("pos", "d_vocab=273")
    assert names["blocks.0.mlp.post"].shape == ("pos", f"d_mlp={config.d_mlp}")
    sandwich = {"blocks.0.ln1_post.scale", "blocks.0.ln2_post.normalized"}
    assert all((name in names) == (family == "gemma3") for name in sandwich)


def test_what_a_name_may_be(small_model):
    model = small_model("llama").model

    def chosen(names):
        return model.run_with_cache(IDS, names)[1].names()

    assert chosen("blocks.1.attn.pattern") == ["blocks.1.attn.pattern"]
    assert chosen(["blocks.*.resid_post", "embed"]) == ["embed", "blocks.0.resid_post", "blocks.1.resid_post"]
    assert chosen("blocks.*.attn.hook_pattern") == ["blocks.0.attn.pattern", "blocks.1.attn.pattern"]
    assert chosen(["embed", "hook_embed", "em*"]) == ["embed"]
    assert chosen([]) == []
    assert len(chosen("*")) == len(model.names()) == len(model.run_with_cache(IDS)[1])
    spellings = {
        "blocks.0.hook_resid_pre": "blocks.0.resid_pre",
        "blocks.1.attn.hook_attn_scores": "blocks.1.attn.scores",
        "blocks.1.attn.hook_rot_q": "blocks.1.attn.rot_q",
        "blocks.1.attn.hook_result": "blocks.1.attn.result",
        "blocks.0.ln1.hook_scale": "blocks.0.ln1.scale",
        "blocks.0.mlp.hook_pre_linear": "blocks.0.mlp.pre_linear",
        "blocks.0.hook_mlp_out": "blocks.0.mlp_out",
        "ln_final.hook_normalized": "ln_final.normalized",
    }
    _, trace = model.run_with_cache(IDS, list(spellings))
    assert set(trace.names()) == set(spellings.values())
    for theirs, ours in spellings.items():
        assert theirs in trace and ours in trace and theirs in model.names()
        assert trace[theirs] is trace[ours] or np.shares_memory(trace[theirs], trace[ours])


@pytest.mark.parametrize(("names", "message"), [
    ("blocks.0.atn.pattern", r"no activation 'blocks.0.atn.pattern'. Did you mean blocks.0.attn.pattern"),
    ("blocks.2.resid_post", r"Layers are 0 to 1\."),
    (["embed", "blocks.*.nothing"], r"no activation 'blocks\.\*\.nothing'"),
    ("", "model.names.. lists them all"),
    ([3], "names must be strings, got 3"),
])  # fmt: skip
def test_unknown_names_show_near_misses(names, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        small_model("llama").model.run_with_cache(IDS, names)


def test_a_name_that_was_not_traced_is_told_apart(small_model):
    _, trace = small_model("llama").model.run_with_cache(IDS, "embed")
    with pytest.raises(ca.ArgumentError, match="blocks.0.attn.z was not traced; this trace has embed"):
        trace["blocks.0.attn.z"]
    with pytest.raises(ca.ArgumentError, match="Did you mean blocks.0.attn.z"):
        trace["blocks.0.attn.zz"]
    assert "blocks.0.attn.z" not in trace and "nonsense" not in trace


# ---- positions, batches


@pytest.mark.parametrize(("positions", "rows"), [
    (3, [3]), (-1, [23]), ([0, -1], [0, 23]), ([5, 5, 2], [5, 5, 2]), (np.array([-24, 7]), [0, 7]), (range(24), range(24)),
])  # fmt: skip
def test_positions_keep_rows(positions, rows, small_model):
    model = small_model("gemma3").model
    logits, whole = model.run_with_cache(IDS)
    got, trace = model.run_with_cache(IDS, positions=positions)
    assert equal_bits(got, logits)  # positions are about the trace alone
    for name in trace.names():
        if name == "logits":
            continue
        axis = 1 if name.endswith(("pattern", "scores")) else 0
        assert equal_bits(trace[name], np.take(whole[name], list(rows), axis)), name


@pytest.mark.parametrize(("positions", "message"), [
    (24, "positions has 24, but the call has 24 new positions; expected -24 to 23"),
    ([0, -25], "positions has -25"),
    ([], "positions is empty"),
])  # fmt: skip
def test_bad_positions(positions, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        small_model("llama").model.run_with_cache(IDS, positions=positions)


def test_batches_give_one_trace_each(small_model):
    model = small_model("gemma3").model
    prompts = [IDS, IDS[:1], IDS[3:15]]
    results = model.run_with_cache(prompts, positions=-1)
    assert isinstance(results, list) and len(results) == 3
    for ids, (logits, trace) in zip(prompts, results, strict=True):
        lone, alone = model.run_with_cache(ids, positions=[-1])
        assert equal_bits(logits, lone)
        for name in trace:
            assert equal_bits(trace[name], alone[name]), name
    for (logits, trace), ids in zip(model.run_with_cache(prompts), prompts, strict=True):
        assert trace["blocks.1.attn.pattern"].shape == (4, len(ids), len(ids))
        assert equal_bits(logits, trace["logits"])


def test_batch_axis(small_model):
    model = small_model("llama").model
    flat = model.run_with_cache(IDS)[1]
    logits, trace = model.run_with_cache(IDS, batch_axis=True)
    assert logits.shape == (1, 24, 273)
    for name in trace:
        assert trace[name].shape == (1, *flat[name].shape) and equal_bits(trace[name][0], flat[name])
    assert trace["blocks.0.attn.z"].base is not None and not trace["blocks.0.attn.z"].flags.owndata


# ---- float16 storage


@pytest.mark.parametrize("dtype", ["float16", np.float16, np.dtype("float16")])
@pytest.mark.parametrize("family", FAMILIES)
def test_float16_is_a_rounded_copy_of_float32(family, dtype, small_model):
    model = small_model(family).model
    logits, whole = model.run_with_cache(IDS)
    got, half = model.run_with_cache(IDS, dtype=dtype)
    assert got.dtype == np.float32 and equal_bits(got, logits)
    assert half.names() == whole.names()
    for name in half:
        expected = whole[name].astype(np.float16)  # NumPy rounds to nearest even
        assert half[name].dtype == np.float16 and not half[name].flags.writeable
        assert np.array_equal(half[name].view(np.uint16), expected.view(np.uint16)), name
    scores = half["blocks.0.attn.scores"]
    masked = np.isneginf(whole["blocks.0.attn.scores"])
    assert masked.any() and np.isneginf(scores[masked]).all() and np.isfinite(scores[~masked]).all()
    facts = half.info()["blocks.0.resid_post"]
    assert (facts["dtype"], facts["copy"]) == ("float16", True)
    assert facts["bytes"] * 2 == whole.info()["blocks.0.resid_post"]["bytes"]
    assert not whole.info()["blocks.0.resid_post"]["copy"] and whole.info()["blocks.0.attn.result"]["copy"]
    assert "float16 copies" in repr(half) and "copies" not in repr(whole)
    z = sum(whole[name].nbytes for name in whole if name.endswith("attn.z"))
    assert half.nbytes == whole.nbytes // 2 + z  # z stays in float32 too, for result
    last = "blocks.0.resid_post", "blocks.1.resid_pre"
    assert len({half.info()[name]["address"] for name in last}) == len({whole.info()[name]["address"] for name in last})


def test_float16_takes_positions_batches_and_derived_names(small_model):
    model = small_model("llama").model
    pairs = model.run_with_cache([IDS, IDS[:5]], ["*.attn.result", "logits"], positions=-1, dtype="float16")
    for ids, (_, half) in zip([IDS, IDS[:5]], pairs, strict=True):
        whole = model.run_with_cache(ids, ["*.attn.result", "logits"], positions=-1)[1]
        for name in whole:
            assert np.array_equal(half[name], whole[name].astype(np.float16)), name
    flat = model.run_with_cache(IDS, "embed", dtype="float16")[1]["embed"]
    assert np.array_equal(model.run_with_cache(IDS, "embed", dtype="float16", batch_axis=True)[1]["embed"], flat[None])


@pytest.mark.parametrize("dtype", ["float64", np.int8, None, "half"])
def test_other_dtypes_are_refused(dtype, small_model):
    with pytest.raises(ca.ArgumentError, match="expected 'float32' or 'float16'"):
        small_model("llama").model.run_with_cache(IDS, dtype=dtype)


@pytest.mark.parametrize(
    ("value", "fits"), [(65504.0, True), (65519.99, True), (65520.0, False), (-1e9, False), (3e38, False)]
)
def test_where_float16_ends(value, fits):
    array = np.asarray([1.0, -np.inf, np.nan, np.inf, value, 2**-25, 2049.0], np.float32)
    if not fits:
        with pytest.raises(
            ca.ArgumentError,
            match=f"^x does not fit into float16: its largest magnitude is {abs(value):.7g}".replace("+", "[+]"),
        ):
            to_float16("x", array)
        return
    half = to_float16("x", array)
    assert half[[1, 3]].tolist() == [-np.inf, np.inf] and np.isnan(half[2])
    assert half[[0, 4, 5, 6]].tolist() == [1.0, 65504.0, 0.0, 2048.0]  # ties go to even


def test_an_overflow_in_a_hooked_model_names_the_activation(small_model):
    model = small_model("llama").model
    with model.hooks({"blocks.1.mlp_out": lambda a, name: a + 1e5}):
        with pytest.raises(
            ca.ArgumentError, match=r"blocks\.1\.mlp_out does not fit .* dtype='float32', or leave it out"
        ):
            model.run_with_cache(IDS, dtype="float16")
        assert model.run_with_cache(IDS, "blocks.1.ln1.*", dtype="float16")[1].names()


def test_gemma_overflows_float16(real_model):
    model, ids = real_model("gemma3", "int8"), forward_goldens("gemma3")["german"].ids
    largest = {n: np.abs(a).max() for n, a in model.run_with_cache(ids, "*.resid_post")[1].items()}
    first = next(name for name in largest if largest[name] >= 65520)
    with pytest.raises(
        ca.ArgumentError, match=f"{first} does not fit into float16: its largest magnitude is {largest[first]:.7g}"
    ):
        model.run_with_cache(ids, "*.resid_post", dtype="float16")


# ---- what must hold between the values


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_the_books_close(name, compute, real_model):
    model, ids = real_model(name, compute), forward_goldens(name)["german"].ids
    stream = [f"blocks.*.{w}" for w in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")]
    _, trace = model.run_with_cache(ids, ["embed", *stream])
    assert equal_bits(trace["embed"], trace["blocks.0.resid_pre"])
    for i in range(model.config.n_layers):
        p = f"blocks.{i}"
        assert equal_bits(trace[f"{p}.resid_mid"], trace[f"{p}.resid_pre"] + trace[f"{p}.attn_out"]), i
        assert equal_bits(trace[f"{p}.resid_post"], trace[f"{p}.resid_mid"] + trace[f"{p}.mlp_out"]), i


def assert_is_a_pattern(pattern, window, first=0):
    """Rows are distributions over the visible keys. pattern: [n_heads, n_new, n_keys], queries from `first` on."""
    assert np.abs(pattern.sum(-1, dtype=np.float64) - 1).max() < 1e-6
    assert pattern.min() >= 0
    query, key = np.arange(first, first + pattern.shape[1])[:, None], np.arange(pattern.shape[2])[None]
    hidden = (key > query) | (key <= query - (window or pattern.shape[2]))
    assert hidden.any() or pattern.shape[2] == 1
    assert (pattern[:, hidden] == 0).all()


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_patterns_are_distributions_over_what_is_visible(name, compute, real_model):
    model, ids = real_model(name, compute), forward_goldens(name)["sql"].ids
    _, trace = model.run_with_cache(ids, "blocks.*.attn.*")
    for i, window in enumerate(model.config.sliding_window):
        pattern, scores = trace[f"blocks.{i}.attn.pattern"], trace[f"blocks.{i}.attn.scores"]
        assert_is_a_pattern(pattern, window)
        above = np.triu(np.ones(scores.shape[1:], bool), 1)
        assert np.isneginf(scores[:, above]).all() and np.isfinite(scores[:, ~above]).all()


def test_a_window_narrower_than_the_prompt(real_model):
    """Gemma's local layers see 512 keys; its prompt here has 600."""
    model, ids = real_model("gemma3", "int8"), forward_goldens("gemma3")["essay"].ids
    windows = model.config.sliding_window
    assert windows[0] == 512 < len(ids) and windows[5] is None
    _, trace = model.session().append(ids, None, ["blocks.0.attn.pattern", "blocks.5.attn.pattern"])
    for i in (0, 5):
        assert_is_a_pattern(trace[f"blocks.{i}.attn.pattern"], windows[i])


@pytest.mark.parametrize("family", FAMILIES)
def test_an_appended_call_traces_its_new_positions(family, small_model):
    model = small_model(family).model
    _, whole = model.run_with_cache(IDS)
    session = model.session()
    session.append(IDS[:9])
    for logits in ("all", "last", None):
        branch = session.fork()
        row, trace = branch.append(IDS[9:14], logits, "*")
        assert ("logits" in trace) == (logits is not None)
        assert (
            row is None
            if logits is None
            else equal_bits(row, whole["logits"][13 if logits == "last" else slice(9, 14)])
        )
        for name in trace:
            if name.endswith(("pattern", "scores")):
                expected = whole[name][:, 9:14, :14]
            elif name == "logits":
                expected = np.atleast_2d(row)
            else:
                expected = whole[name][9:14]
            assert equal_bits(trace[name], expected), name
        for i, window in enumerate(model.config.sliding_window):
            assert_is_a_pattern(trace[f"blocks.{i}.attn.pattern"], window, 9)


def test_text_fingerprints_and_tables(small_model):
    model = small_model("gemma3").model
    _, trace = model.run_with_cache("the hat", ["blocks.0.attn.*", "logits"])
    n = len(model.tokenizer.encode("the hat", add_special_tokens=True))
    assert f"blocks.0.attn.pattern  [4, {n}, {n}]" in repr(trace)
    assert "blocks.0.attn.result" not in trace._arrays  # computed when asked for, not when shown
    assert f"  blocks.0.attn.result  {list(trace['blocks.0.attn.result'].shape)}" in repr(trace)
    same = model.run_with_cache("the hat", ["blocks.0.attn.*", "logits"])[1].fingerprints()
    assert trace.fingerprints() == same and len(set(same.values())) == len(same) and len(same["logits"]) == 32
    assert f"Trace of {len(trace)} arrays" in repr(trace)
    for shown in (trace._repr_html_(), model.names()._repr_html_()):
        assert shown.startswith('<div class="ca">') and "blocks.0.attn.pattern" in shown and len(shown) < 200_000
    assert "blocks.0 stands for all 2 blocks" in repr(model.names())
    assert "read-only" in repr(model.names())

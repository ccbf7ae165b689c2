"""A KV cache in another type: the stored numbers are the twin's, nothing overflows, the same bits everywhere."""

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference.int8 import quantise
from test_first_hour import sentence

IDS = (np.arange(150) * 67 % 273).astype(np.int32)  # past two blocks of 64 positions


@pytest.fixture(scope="module", params=[("llama", 32), ("gemma3", 96)])
def path(request, small_model):
    family, d_head = request.param
    return small_model(family, "Q4_0", d_model=96, d_head=d_head, d_mlp=64).path


def equal_bits(a, b):
    return (
        a.shape == b.shape and a.dtype == b.dtype == np.float32 and np.array_equal(a.view(np.int32), b.view(np.int32))
    )


def rounded(x, kind):
    """float32 [pos, head, d_head] as a cache of this type gives it back."""
    if kind != "Q8_0":
        return x.astype(np.float16 if kind == "F16" else np.float32).astype(np.float32)
    codes, scales = quantise(x.reshape(-1, x.shape[-1]))
    return (codes.astype(np.float32) * scales[:, :, None]).reshape(x.shape)


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
def test_the_cache_holds_what_the_twin_says(path, compute, kind):
    session = ca.load(path, compute=compute, kv_type=kind).session()
    traces = [session.append(part, None, "blocks.*.attn.*")[1] for part in (IDS[:100], IDS[100:])]
    for layer in range(2):
        for stored, name in zip(session.kv(layer), ("rot_k", "v"), strict=True):
            shown = np.concatenate([t[f"blocks.{layer}.attn.{name}"] for t in traces])
            assert equal_bits(stored, rounded(shown, kind))
            assert (kind == "F32") == np.array_equal(stored, shown)


@pytest.mark.parametrize(("compute", "kind", "dtype"), [("int8", "F16", "float16"), ("float32", "F32", "float32")])
def test_the_default_by_its_name_changes_nothing(path, compute, kind, dtype):
    default, named = ca.load(path, compute=compute), ca.load(path, compute=compute, kv_type=kind)
    assert default.info()["kv_dtype"] == named.info()["kv_dtype"] == dtype
    assert equal_bits(default(IDS), named(IDS))


@pytest.mark.parametrize("compute", ["float32", "int8"])
def test_the_same_bits_in_every_instruction_set(path, compute):
    want = ca.load(path, threads=1, compute=compute, isa="scalar", kv_type="Q8_0")(IDS)
    for isa in ca.isas():
        model = ca.load(path, compute=compute, isa=isa, kv_type="Q8_0", threads=2)
        assert model(IDS).tobytes() == want.tobytes(), isa
        session = model.session()  # token by token, and behind a prefix that is shared
        session.append(IDS[:70], logits=None)
        fork = session.fork()
        rows = [session.append(int(id)) for id in IDS[70:]]
        assert np.stack(rows).tobytes() == want[70:].tobytes(), isa
        assert fork.append(IDS[70:], "all").tobytes() == want[70:].tobytes(), isa
    assert not np.array_equal(want, ca.load(path, compute=compute)(IDS))
    assert not np.array_equal(want, ca.load(path, compute=compute, kv_type="F16")(IDS))


def test_what_is_said_of_it(path):
    model = ca.load(path, kv_type="Q8_0")
    assert model.info()["kv_dtype"] == "Q8_0" and "KV in Q8_0" in repr(model)
    assert repr(model.session()) == f"Session of 0 positions, KV in Q8_0, n_ctx {model.n_ctx}"
    assert "KV in float16" in repr(ca.load(path))


def test_the_bytes_of_attention_are_those_of_the_codes(path):
    def read(kind):
        phases = ca.load(path, kv_type=kind).profile(IDS, max_new_tokens=4).to_pandas()
        return phases[(phases["phase"] == "attention") & (phases["stage"] == "decode")]["bytes"].sum()

    pytest.importorskip("pandas")
    assert read("F16") > 0
    assert read("Q8_0") * 64 == read("F16") * 36  # 32 codes and a scale, beside 32 float16


def test_numbers_of_any_size_are_kept(path):
    model = ca.load(path, kv_type="Q8_0")
    session = model.session()
    session.append(IDS)
    with model.hooks({"blocks.1.attn.v": lambda x, name: np.full_like(x, 7e4)}):
        session.append(1)  # more than float16 holds
    v = session.kv(1)[1]
    assert (v[-1] == np.float32(127) * (np.float32(7e4) / np.float32(127))).all()
    for bad in (np.inf, np.nan):  # the block of 32 tells, the others do not change
        before = session.kv(1)[1]

        def spoil(x, name, bad=bad):
            x[:, 0, 3] = bad

        with model.hooks({"blocks.1.attn.v": spoil}):
            _, trace = session.append(2, names="blocks.1.attn.v")
        after = session.kv(1)[1].copy()
        assert np.isnan(after[-1, 0, :32]).all()
        others = trace["blocks.1.attn.v"].copy()
        others[:, 0, :32] = after[-1, 0, :32] = 0
        assert equal_bits(after[-1:], rounded(others, "Q8_0"))
        assert equal_bits(after[:-1], before)
        session.truncate(len(session) - 1)


def test_wrong_types_are_refused(path, small_model):
    odd = small_model("llama").path
    d_head = small_model("llama").model.config.d_head
    assert sentence(ca.load, odd, kv_type="Q8_0") == (
        f"kv_type is 'Q8_0', whose blocks hold 32 numbers; the heads of this model have {d_head}, which is no multiple "
        "of that; leave kv_type out, or load with 'F16'"
    )
    assert sentence(ca.load, path, kv_type="Q4_0") == "kv_type is 'Q4_0', expected 'F32', 'F16' or 'Q8_0'"
    assert sentence(ca.load, path, kv_type="q8_0") == "kv_type is 'q8_0', expected 'F32', 'F16' or 'Q8_0'"
    assert sentence(ca.load, path, kv_type=8) == "kv_type must be a str such as 'Q8_0', got 8."

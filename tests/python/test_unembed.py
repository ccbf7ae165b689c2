"""The head alone: model.unembed has the bits of the head, in every mode, and says what it cannot use."""

import signal
import threading
import time

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from cutaway.reference.embed import unembed
from cutaway.reference.norms import rms_norm
from small_variants import IDS, VARIANTS


def bits(a):
    return np.ascontiguousarray(a).view(np.uint32)


def last_resid(model, x):
    name = f"blocks.{model.config.n_layers - 1}.resid_post"
    logits, trace = model.run_with_cache(x, name)
    return logits, trace[name]


@pytest.mark.parametrize("isa", ca.isas())
@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize(("family", "kind", "sizes"), [
    ("llama", "F32", {}),
    ("llama", "Q8_0", {"tied": True}),
    ("gemma3", "Q8_0", {"final_logit_softcapping": 2.0}),
    ("gemma3", "F16", {"tied": False}),
])  # fmt: skip
def test_has_the_bits_of_the_head(family, kind, sizes, compute, isa, small_model):
    path = small_model(family, kind, **sizes).path
    ids = np.resize(IDS, 150)  # two chunks and a rest
    for threads in (1, 2, 3):
        model = ca.load(path, compute=compute, isa=isa, threads=threads)
        logits, resid = last_resid(model, ids)
        assert np.array_equal(bits(model.unembed(resid)), bits(logits))
        for n in (1, 15, 16, 17, 63, 65):
            assert np.array_equal(bits(model.unembed(resid[-n:])), bits(logits[-n:]))
        assert np.array_equal(bits(model.unembed(resid[7])), bits(logits[7]))
        assert np.array_equal(bits(model.unembed(resid[::-3])), bits(logits[::-3]))  # rows need not lie together


@pytest.mark.parametrize("variant", VARIANTS)
def test_equals_the_numpy_twin(variant, small_model):
    family, kind, sizes = VARIANTS[variant]
    small = small_model(family, kind, **sizes)
    x = np.random.default_rng(3).normal(size=(5, small.model.config.d_model)).astype(np.float32)
    w = small.weights
    normed = rms_norm(x, w["ln_final.w"], small.config.eps)
    expected = unembed(normed, w["unembed.W_U"], small.config.final_soft_cap)
    np.testing.assert_allclose(small.model.unembed(x), expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_real_models(name, compute, real_model):
    model = real_model(name, compute)
    logits, resid = last_resid(model, "The Eiffel Tower stands in the middle of")
    assert np.array_equal(bits(model.unembed(resid)), bits(logits))


def test_the_result_is_read_only_and_the_input_stays(small_model):
    model = small_model("llama").model
    x = np.ones((3, model.config.d_model), np.float32)
    out = model.unembed(x)
    assert out.shape == (3, model.d_vocab) and out.dtype == np.float32 and not out.flags.writeable
    assert (x == 1).all()
    assert model.unembed(x[:0]).shape == (0, model.d_vocab)
    assert np.array_equal(model.unembed(x.astype(np.float16)), out)
    assert np.array_equal(model.unembed(x[0].tolist()), out[0])


@pytest.mark.parametrize(("resid", "got"), [
    (np.zeros((2, 3), np.float32), r"an array of float32 with shape \[2, 3\]"),
    (np.zeros((1, 2, 84), np.float32), r"an array of float32 with shape \[1, 2, 84\]"),
    (np.zeros((2, 84), complex), r"an array of complex128 with shape \[2, 84\]"),
    (np.zeros((2, 84), bool), r"an array of bool with shape \[2, 84\]"),
    ("The", "the text 'The'"),
    (None, "None"),
    ([[1.0], [1.0, 2.0]], "a list"),
])  # fmt: skip
def test_what_it_cannot_use(resid, got, small_model):
    with pytest.raises(ca.ArgumentError, match=rf"^unembed got {got}, expected rows of a residual stream"):
        small_model("llama").model.unembed(resid)


def test_more_rows_than_memory(small_model):
    model = small_model("llama", d_vocab=20_000).model
    n = 2 * _core.available_bytes() // (4 * model.d_vocab)
    rows = np.zeros((n, model.config.d_model), np.float32)  # pages that nobody touches take no memory
    with pytest.raises(ca.MemoryLimitError, match=r"needs about \d+ MiB and \d+ MiB are free; unembed fewer rows"):
        model.unembed(rows)
    assert model.unembed(rows[:2]).shape == (2, 20_000)


def test_ctrl_c_and_other_threads(small_model):
    """Signals are looked at while it runs, and the lock of the interpreter is not held."""
    model = ca.load(small_model("llama", d_vocab=20_000).path, isa="scalar", threads=1)
    rows = np.zeros((3000, model.config.d_model), np.float32)  # some seconds of work
    main, at_work = threading.main_thread().ident, time.perf_counter()

    def fire():
        time.sleep(0.1)
        signal.pthread_kill(main, signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=fire)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.unembed(rows)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, previous)
    assert time.perf_counter() - at_work < 2
    assert model.unembed(rows[:2]).shape == (2, 20_000)

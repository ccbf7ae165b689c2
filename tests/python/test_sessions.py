"""Sessions: the KV cache in the open."""

import threading

import cutaway as ca
import numpy as np
import pytest
from goldens import forward_goldens
from small_variants import IDS

MODELS = ["smollm2", "gemma3"]
MODES = [("llama", "float32"), ("llama", "int8"), ("gemma3", "float32"), ("gemma3", "int8")]
LONG = (np.arange(200) * 67 % 273).astype(np.int32)  # over three blocks of 64 positions


def equal_bits(a, b):
    return a.shape == b.shape and np.array_equal(np.ascontiguousarray(a).view(np.uint32), b.view(np.uint32))


@pytest.fixture(params=MODES, ids=lambda mode: "-".join(mode))
def model(request, small_model):
    family, compute = request.param
    return small_model(family, "Q8_0", compute).model


# ---- append


def test_append_gives_what_is_asked_for(model):
    whole, session = model(IDS), model.session()
    assert len(session) == 0
    assert session.append(IDS[:5], logits=None) is None
    last = session.append(IDS[5:9])
    assert last.shape == (273,) and equal_bits(last, whole[8]) and not last.flags.writeable
    assert equal_bits(session.append(IDS[9:12], logits="all"), whole[9:12])
    assert equal_bits(session.append(int(IDS[12])), whole[12])  # one int
    assert equal_bits(session.append(IDS[13:14].tolist()), whole[13])
    assert len(session) == 14
    assert f"Session of 14 positions, KV in {'float16' if model.info()['compute'] == 'int8' else 'float32'}" in repr(
        session
    )


@pytest.mark.parametrize(("ids", "message"), [
    ([], "empty"), ([273], "token id 273"), (-1, "token id -1"), ([1.0], "dtype float64"), ("text", "takes token ids; encode the text"), (None, "holds None|is None, expected"),
])  # fmt: skip
def test_bad_ids_leave_the_session(ids, message, small_model):
    session = small_model("llama").model.session()
    session.append(IDS[:3])
    with pytest.raises(ca.ArgumentError, match=message):
        session.append(ids)
    with pytest.raises(ca.ArgumentError, match="logits is 'first', expected 'last', 'all' or None"):
        session.append([1], logits="first")
    assert len(session) == 3


def test_the_context_ends_at_n_ctx(small_model):
    model = ca.load(small_model("llama").path, compute="float32", n_ctx=10)
    assert model.n_ctx == model.info()["n_ctx"] == 10
    session = model.session()
    session.append(IDS[:8])
    with pytest.raises(
        ca.ArgumentError,
        match=r"has 3 new tokens behind the 8 in the cache, and the context holds 10. .* its file allows at most 256",
    ):
        session.append(IDS[8:11])
    assert len(session) == 8
    assert equal_bits(session.append(IDS[8:10]), model(IDS[:10])[-1])
    with pytest.raises(ca.ArgumentError, match="the context holds 10"):
        session.append(1)
    with pytest.raises(ca.ArgumentError, match="the context holds 10"):
        model(IDS)


# ---- fork, truncate


@pytest.mark.parametrize("at", [1, 63, 64, 65, 130])
def test_forks_diverge_without_touching_each_other(at, model):
    trunk = model.session()
    trunk.append(LONG[:at], logits=None)
    stored = trunk.kv(1)
    left, right = trunk.fork(), trunk.fork()
    texts = [LONG[: at + 40], np.concatenate([LONG[:at], LONG[::-1][:70]])]
    for session, text in ((left, texts[0]), (right, texts[1])):
        for id in text[at:-9]:  # by turns token by token and in one piece
            session.append(id, logits=None)
        assert equal_bits(session.append(text[-9:], "all"), model(text)[-9:])
    again = left.fork()
    assert equal_bits(again.append(7), model(np.append(texts[0], 7))[-1])
    assert (len(trunk), len(left), len(right), len(again)) == (at, at + 40, at + 70, at + 41)
    for was, now in zip(stored, trunk.kv(1), strict=True):
        assert equal_bits(was, now)
    assert equal_bits(trunk.append(LONG[at : at + 3]), model(LONG[: at + 3])[-1])


def test_a_fork_outlives_its_trunk(small_model):
    model = small_model("gemma3").model
    trunk = model.session()
    trunk.append(LONG[:70], logits=None)
    fork = trunk.fork()
    trunk.truncate(0)
    trunk.append(LONG[::-1].copy(), logits=None)
    del trunk
    assert equal_bits(fork.append(LONG[70:75]), model(LONG[:75])[-1])


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 149, 150])
def test_truncate_then_append_equals_fresh(n, model):
    session = model.session()
    session.append(LONG[:150], logits=None)
    kept = [a[:n] for a in session.kv(0)]
    session.truncate(n)
    assert len(session) == n and all(equal_bits(a, b) for a, b in zip(kept, session.kv(0), strict=True))
    text = np.concatenate([LONG[:n], LONG[::-1][:20]])
    assert equal_bits(session.append(text[n:], "all"), model(text)[n:])


def test_bad_truncate_and_kv(small_model):
    session = small_model("llama").model.session()
    session.append(IDS[:6])
    for n in (7, -1):
        with pytest.raises(ca.ArgumentError, match=f"truncate: {n} positions asked for, expected 0 to 6"):
            session.truncate(n)
    for layer in (2, -1):
        with pytest.raises(ca.ArgumentError, match=f"kv: layer {layer} asked for, expected 0 to 1"):
            session.kv(layer)
    for call in (lambda: session.truncate(2.5), lambda: session.truncate(2**70), lambda: session.kv("x")):
        with pytest.raises(ca.ArgumentError, match="must be a whole number"):
            call()
    assert len(session) == 6


# ---- kv


def test_kv_is_what_the_trace_shows_rounded_once(model):
    half = model.info()["compute"] == "int8"
    session = model.session()
    _, first = session.append(LONG[:100], None, "blocks.*.attn.*")
    _, then = session.append(LONG[100:], None, "blocks.*.attn.*")
    for layer in range(2):
        for stored, name in zip(session.kv(layer), ("rot_k", "v"), strict=True):
            shown = np.concatenate([t[f"blocks.{layer}.attn.{name}"] for t in (first, then)])
            expected = shown.astype(np.float16).astype(np.float32) if half else shown
            assert equal_bits(stored, expected) and not stored.flags.writeable
            assert half != np.array_equal(stored, shown)


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_kv_of_real_models(name, compute, real_model):
    model, ids = real_model(name, compute), forward_goldens(name)["german"].ids
    session, layer = model.session(), model.config.n_layers - 1
    logits, trace = session.append(ids, "last", f"blocks.{layer}.attn.*")
    k, v = session.kv(layer)
    assert k.shape == v.shape == (len(ids), model.config.n_kv_heads, model.config.d_head)
    kind = np.float16 if compute == "int8" else np.float32
    assert equal_bits(k, trace[f"blocks.{layer}.attn.rot_k"].astype(kind).astype(np.float32))
    assert equal_bits(v, trace[f"blocks.{layer}.attn.v"].astype(kind).astype(np.float32))
    branch = session.fork()
    branch.truncate(len(ids) // 2)
    assert equal_bits(branch.append(ids[len(ids) // 2 :]), logits)


# ---- one call at a time


def test_a_session_in_use_says_so(small_model):
    model = small_model("llama").model
    session, refused = model.session(), []

    def intrude(x, name):
        for call in (lambda: session.append(1), session.fork, lambda: session.truncate(0), lambda: session.kv(0)):
            with pytest.raises(ca.ArgumentError, match="in use by another call") as caught:
                call()
            refused.append(caught.value)
        assert len(session) == 0

    with model.hooks({"blocks.0.resid_mid": intrude}):
        logits = session.append(IDS, "all")
    assert len(refused) == 4 and len(session) == len(IDS)
    assert equal_bits(logits, model(IDS)) and equal_bits(session.append(5), model([*IDS, 5])[-1])


def test_sessions_run_at_once_in_threads(small_model):
    model = small_model("gemma3", "Q8_0", "int8").model
    texts = [np.roll(LONG, 13 * i)[: 40 + 9 * i].copy() for i in range(6)]
    expected, got = [model(t) for t in texts], [None] * len(texts)

    def work(i):
        session = model.session()
        got[i] = np.concatenate([session.append(part, "all") for part in np.array_split(texts[i], 7)])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(texts))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(equal_bits(a, b) for a, b in zip(got, expected, strict=True))


# ---- step


def test_a_value_beyond_float16_is_an_error_in_int8_mode(small_model):
    for compute in ("float32", "int8"):
        model = small_model("llama", "Q8_0", compute).model
        session = model.session()
        session.append(IDS)
        with model.hooks({"blocks.1.attn.v": lambda x, name: np.full_like(x, 7e4)}):
            if compute == "float32":
                session.append(1)
                assert (session.kv(1)[1][-1] == np.float32(7e4)).all()
                continue
            message = r"blocks\.1\.attn\.v has a number beyond the range of float16.*compute='float32'"
            with pytest.raises(ca.ArgumentError, match=message):
                session.append(1)
        assert len(session) == len(IDS) and equal_bits(session.append(1), model([*IDS, 1])[-1])


def test_step_equals_lone_appends(model):
    sessions = []
    for n in (1, 63, 64, 100, 5):
        sessions.append(model.session())
        sessions[-1].append(LONG[:n], logits=None)
    sessions.append(sessions[3].fork())
    alone, ids = [s.fork() for s in sessions], LONG[50:56]
    rows = ca.step(sessions, ids)
    assert rows.shape == (6, 273) and rows.dtype == np.float32
    for row, session, id in zip(rows, alone, ids, strict=True):
        assert equal_bits(row, session.append(id))
    assert [len(s) for s in sessions] == [2, 64, 65, 101, 6, 101]
    assert equal_bits(ca.step(sessions[:1], [3])[0], alone[0].append(3))


def test_step_of_more_than_sixteen(small_model):
    model = small_model("llama", "Q4_1", "int8").model
    trunk = model.session()
    trunk.append(LONG[:66], logits=None)
    forks = [trunk.fork() for _ in range(19)]
    for id in (3, 4):
        rows = ca.step(forks, [id + i for i in range(19)])
    for i, row in enumerate(rows):
        assert equal_bits(row, model(np.append(LONG[:66], [3 + i, 4 + i]))[-1])


def test_bad_steps(small_model):
    model, other = small_model("llama").model, small_model("gemma3").model
    a, b, theirs = model.session(), model.session(), other.session()
    for sessions, ids, message in (
        ([], [], "at least one session"),
        ([a, theirs], [1, 2], "belong to different models"),
        ([a, b], [1], r"ids of shape \[1\] for 2 sessions"),
        ([a, b], [[1], [2]], r"ids of shape \[2, 1\]"),
        ([a, a], [1, 2], "a session is in the list twice; fork it"),
        ([a, b], [1, 999], "token id 999"),
    ):
        with pytest.raises(ca.ArgumentError, match=message):
            ca.step(sessions, ids)
    assert [len(a), len(b), len(theirs)] == [0, 0, 0]
    assert equal_bits(ca.step([a, b], [1, 2])[1], model([2])[0])  # none is left in use


def test_a_step_that_fails_restores_every_session(small_model):
    model = small_model("llama").model
    full, roomy = model.session(), model.session()
    full.append(np.resize(IDS, 256), logits=None)
    roomy.append(IDS)
    with pytest.raises(ca.ArgumentError, match="prompt 1 has 1 new token behind the 256 in the cache, and"):
        ca.step([roomy, full], [1, 2])
    assert (len(roomy), len(full)) == (24, 256)
    assert equal_bits(roomy.append(1), model([*IDS, 1])[-1])

"""The same bits (docs/determinism.md): the full product of everything that must not matter, on 2-layer random models;
pairwise for weight types that differ from another in their unpacking alone, and on the real models. The reference is the scalar instruction set, one thread, one chunk, alone,
nothing traced, an empty cache; for the real models, where scalar float32 takes a second per token, the fastest set, which
is compared with scalar once, logits and every value of the first, a middle and the last layer."""

from functools import cache
from itertools import count, product
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from cutaway.reference.blocks import TYPES
from make_models import WEIGHT_TYPES, make_model

THREADS = (1, 2, 3, 4)
CHUNKS = (1, 7, 64, 0)  # 0: whole
TAPS = (None, ["blocks.1.attn.pattern"], "*")
CACHES = ("cold", "warm", "forked", "truncated")
PAST, SHORT, LENGTH = 23, 34, 67
# Like Q4_0, Q4_1, Q4_K or Q6_K but for a few instructions that unpack: the full product of these would take minutes each.
PAIRWISE = ("Q5_1", "Q2_K", "Q3_K", "Q5_K", "IQ4_NL", "IQ4_XS", "MXFP4")


def small_sizes(family: str, weight_type: str) -> dict:
    wide = TYPES[weight_type][1] == 256
    sizes = dict(d_model=256 if wide else 32, n_heads=2 if wide else 4, n_kv_heads=1 if wide else 2, d_vocab=41)
    sizes |= dict(d_head=16 if wide or family == "gemma3" else 8, d_mlp=32 if wide else 64)
    return sizes | (dict(n_kv_heads=1) if family == "gemma3" else {})


def bits(array: np.ndarray) -> np.ndarray:
    """Every NaN as one pattern, so that equal bits are equal integers."""
    return np.where(np.isnan(array), np.float32(np.nan), array).astype(np.float32).view(np.int32)


def same(name: str, got: np.ndarray, whole: np.ndarray, past: int) -> bool:
    """Does an array of positions past.. have the bits of these rows of the whole run's?"""
    want = whole[:, past:] if name.endswith((".pattern", ".scores")) else whole[past:]
    return got.shape == want.shape and np.array_equal(bits(got), bits(want))


def first(name: str, array: np.ndarray, n: int) -> np.ndarray:
    """What an array of a whole run says of its first n positions."""
    return array[:, :n, :n] if name.endswith((".pattern", ".scores")) else array[:n]


def prepared(model: ca.Model, cache: str, ids: np.ndarray, other: np.ndarray) -> ca.Session:
    """A session that holds ids[:PAST], by three ways; empty for a cold one."""
    session = model.session()
    if cache == "cold":
        return session
    session.append(ids[:PAST], logits=None)
    if cache == "forked":
        fork = session.fork()
        session.append(other, logits=None)  # writes into what was shared
        return fork
    if cache == "truncated":
        session.append(other, logits=None)
        session.truncate(PAST)
    return session


def cases() -> list[tuple]:
    """Chunk x batch x taps x hooks x cache. A hooked call is always one chunk, whatever the setting."""
    return [c for c in product(CHUNKS, (False, True), TAPS, (False, True), CACHES) if not (c[3] and c[0])]


def check(model: ca.Model, case: tuple, ids: np.ndarray, other: np.ndarray, logits: np.ndarray, trace: dict) -> None:
    chunk, batched, taps, hooked, cache = case
    model._core.chunk = chunk
    if chunk in (1, 7):  # a shorter text has the bits of the longer one's first rows
        ids, logits = ids[:SHORT], logits[:SHORT]
        trace = {n: first(n, a, SHORT) for n, a in trace.items()}
    session, past = prepared(model, cache, ids, other), 0 if cache == "cold" else PAST
    sessions, prompts = [session._core], [ids[past:]]
    if batched:  # ragged neighbours on both sides
        sessions = [model.session()._core, session._core, model.session()._core]
        prompts = [other[:5], ids[past:], other]
    hooks = {a.name: lambda array, name: None for a in model.names() if a.replaceable} if hooked else {}
    with model.hooks(hooks):
        rows, traces = model._run(prompts, sessions, "all", taps, None, False)
    row, kept = (rows[1], traces[1]) if batched else (rows[0], traces[0])
    assert same("logits", row, logits, past), case
    for name in kept.names() if taps else ():
        assert same(name, kept[name], trace[name], past), (name, case)


def reference(path: Path, compute: str, ids: np.ndarray, kv_type: str | None = None) -> tuple[np.ndarray, dict]:
    model = ca.load(path, threads=1, isa="scalar", compute=compute, kv_type=kv_type)
    logits = model(ids)
    again, trace = model.run_with_cache(ids)
    assert np.array_equal(bits(again), bits(logits))
    return logits, {name: trace[name] for name in trace.names()}


def small(folder: Path, family: str, weight_type: str, compute: str, kv_type: str | None = None) -> tuple:
    """path, ids, other ids, logits, trace of a random model"""
    path = folder / "model.gguf"
    sizes = small_sizes(family, weight_type) | ({"d_head": 32} if kv_type else {})
    make_model(path, family, weight_type, 11, tokenizer=False, **sizes)
    rng = np.random.default_rng(5)
    ids, other = rng.integers(0, 41, LENGTH), rng.integers(0, 41, 30)
    logits, trace = reference(path, compute, ids, kv_type)
    assert np.isfinite(logits).all() and np.ptp(logits) > 0.01
    return path, ids, other, logits, trace


def load(path: Path, isa: str, threads: int, compute: str, kv_type: str | None = None) -> ca.Model:
    model = ca.load(path, threads=threads, isa=isa, compute=compute, kv_type=kv_type)
    assert (model.info()["isa"], model.info()["threads"]) == (isa, threads)
    return model


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("weight_type", [t for t in WEIGHT_TYPES if t not in PAIRWISE])
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_full_product(tmp_path, family, weight_type, compute):
    path, *run = small(tmp_path, family, weight_type, compute)
    runs = 0
    for isa, threads in product(ca.isas(), THREADS):
        model = load(path, isa, threads, compute)
        for case in cases():
            check(model, case, *run)
            runs += 1
    assert runs == len(ca.isas()) * 4 * (4 + 1) * 2 * 3 * 4


def pairs(case: tuple) -> set[tuple]:
    """The pairs of settings that a case covers; settings by their place in their list."""
    return {(i, case[i], j, case[j]) for i in range(len(case)) for j in range(i + 1, len(case))}


@cache
def pairwise(isas: tuple[str, ...]) -> list[tuple]:
    """Cases (ISA, threads, chunk, batch, taps, hooks, cache) such that every pair of two settings occurs in one."""
    lists = [isas, THREADS, CHUNKS, (False, True), TAPS, (False, True), CACHES]
    everything = list(product(*(range(len(values)) for values in lists)))
    need = set().union(*(pairs(case) for case in everything))
    chosen: list[tuple] = []
    for offset in count():  # greedy: the case that covers most of what is left, among every 7th to stay quick
        if not need:
            break
        best = max(everything[offset % 7 :: 7], key=lambda case: len(pairs(case) & need))
        if pairs(best) & need:
            chosen.append(tuple(values[i] for values, i in zip(lists, best, strict=True)))
            need -= pairs(best)
    return chosen


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize(("weight_type", "kv_type"), [*((t, None) for t in PAIRWISE), ("Q4_0", "Q8_0")])
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_pairwise_product(tmp_path, family, weight_type, kv_type, compute):
    path, *run = small(tmp_path, family, weight_type, compute, kv_type)
    chosen = pairwise(tuple(ca.isas()))
    assert len(chosen) >= len(THREADS) * len(CHUNKS)
    for isa, threads in sorted({case[:2] for case in chosen}):
        model = load(path, isa, threads, compute, kv_type)
        for case in chosen:
            if case[:2] == (isa, threads):
                check(model, case[2:], *run)


@pytest.mark.parametrize("compute", ["int8", "float32"])
@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_pairwise_on_real_models(model_path, name, compute):
    path = model_path(name)
    rng = np.random.default_rng(6)
    ids, other = rng.integers(100, 30000, LENGTH), rng.integers(100, 30000, 30)
    fast = ca.load(path, threads=2, compute=compute)
    logits, whole = fast.run_with_cache(ids)
    trace = {n: whole[n] for n in whole.names() if not n.endswith("attn.result")}
    # The scalar set once: a few rows, all of the network; traced are all kinds of three layers and what has no layer.
    scalar, few = ca.load(path, isa="scalar", compute=compute), 5 if compute == "float32" else LENGTH
    layers = (0, scalar.config.n_layers // 2, scalar.config.n_layers - 1)
    names = [n for n in trace if not n.startswith("blocks.") or int(n.split(".")[1]) in layers]
    assert len(names) >= 3 * 19 + 4
    row, traced = scalar.run_with_cache(ids[:few], names)
    assert same("logits", row, logits[:few], 0)
    for n in names:
        assert same(n, traced[n], first(n, trace[n], few), 0), n
    del whole, scalar, traced
    chosen = pairwise(tuple(ca.isas()[1:] or ca.isas()))
    for isa, threads in sorted({case[:2] for case in chosen}):
        model = ca.load(path, threads=threads, isa=isa, compute=compute)
        for case in chosen:
            if case[:2] == (isa, threads):
                chunk, batched, taps, hooked, cache = case[2:]
                taps = ["*.resid_*", "*.attn.*_*", "*.pattern", "*.mlp.*", "ln_final.*"] if taps == "*" else taps
                check(model, (chunk, batched, taps, hooked, cache), ids, other, logits, trace)

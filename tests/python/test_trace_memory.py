"""Traces: whose memory the arrays show, how long it lives, and what is refused for lack of it."""

import gc
import os
import subprocess
import sys
import time
import weakref

import cutaway as ca
import numpy as np
import pytest
from small_variants import IDS

FAMILIES = ["llama", "gemma3"]


def equal_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32), b.view(np.uint32))


def test_arrays_are_views_of_the_engines_buffers(small_model):
    for family in FAMILIES:
        logits, trace = small_model(family).model.run_with_cache(IDS)
        info = trace.info()
        assert list(info) == trace.names()
        for name, a in [*trace.items(), ("logits", logits)]:
            assert info[name]["address"] == a.ctypes.data
            assert info[name]["bytes"] == a.nbytes and info[name]["shape"] == a.shape
            assert not a.flags.owndata and not a.flags.writeable and a.flags.aligned
            with pytest.raises(ValueError, match="WRITEABLE"):
                a.setflags(write=True)
            with pytest.raises(ValueError, match="read-only"):
                a[...] = 0
            base = a
            while isinstance(base, np.ndarray):  # nor through any array on the way to the owner
                assert not base.flags.writeable
                base = base.base
            assert base is not None


def test_one_buffer_where_two_names_are_one_value(small_model):
    model = small_model("gemma3").model
    _, trace = model.run_with_cache(IDS)

    def at(name):
        return trace.info()[name]["address"]

    assert at("blocks.0.resid_post") == at("blocks.1.resid_pre")
    assert at("embed") == at("blocks.0.resid_pre")
    assert at("blocks.1.attn_out") == at("blocks.1.ln1_post.normalized")
    assert len({at(f"blocks.{i}.resid_{w}") for i in (0, 1) for w in ("mid", "post")}) == 4
    assert trace.nbytes == sum({i["address"]: i["bytes"] for i in trace.info().values()}.values())
    with model.hooks({"blocks.1.resid_pre": lambda x, name: x + 1}):
        _, trace = model.run_with_cache(IDS, ["blocks.0.resid_post", "blocks.1.resid_pre"])
    assert at("blocks.0.resid_post") != at("blocks.1.resid_pre")
    assert equal_bits(trace["blocks.0.resid_post"] + np.float32(1), trace["blocks.1.resid_pre"])


def test_views_outlive_the_trace_and_the_model(small_model):
    small = small_model("llama")
    model = ca.load(small.path, compute="float32")
    logits, trace = model.run_with_cache(IDS)
    views = {name: trace[name] for name in trace} | {"logits": logits}
    copies = {name: view.copy() for name, view in views.items()}
    for _ in range(5):  # the buffers of later calls are others
        model.run_with_cache(IDS[::-1].copy())
    for name, view in views.items():
        assert equal_bits(view, copies[name]), name
    gone = weakref.ref(model)
    del model, trace, logits
    gc.collect()
    assert gone() is None
    for _ in range(5):
        small.model.run_with_cache(IDS[::-1].copy())
    for name, view in views.items():
        assert equal_bits(view, copies[name]), name


GROWTH = """
import sys
import cutaway as ca

def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1])

model = ca.load(sys.argv[1], threads=1)
def call(i):
    ids = [1, 2, 3][: 1 + i % 3]
    model.run_with_cache(ids, sys.argv[2])
for i in range(50):
    call(i)
before = resident()
for i in range(1000):
    call(i)
print(before, resident())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
@pytest.mark.parametrize(("name", "traced"), [("smollm2", "blocks.*.resid_post"), ("small", "*")])
def test_a_thousand_traced_calls_do_not_grow(name, traced, model_path, small_model):
    path = small_model("gemma3", "Q8_0", "int8").path if name == "small" else model_path(name)
    out = subprocess.run([sys.executable, "-c", GROWTH, str(path), traced], capture_output=True, text=True, check=True)
    before, after = map(int, out.stdout.split())
    assert after < 1.05 * before, f"{before} pages before, {after} after"


def test_a_request_beyond_the_memory_is_refused_before_anything_runs(small_model):
    model = small_model("llama", n_ctx=2**20).model
    ids = np.ones(10**6, np.int32)
    session = model.session()
    session.append([1, 2, 3])
    began = time.monotonic()
    # 6 heads x 10^12 x 4 bytes: 22 TiB
    for call in (lambda: model.run_with_cache(ids, "blocks.0.attn.pattern"), lambda: session.append(ids, names="*")):
        with pytest.raises(ca.MemoryLimitError, match=r"needs about \d{8,} MiB and \d+ MiB are free") as caught:
            call()
        assert isinstance(caught.value, MemoryError) and isinstance(caught.value, ca.Error)
    with pytest.raises(ca.MemoryLimitError), model.hooks({"blocks.1.attn.scores": lambda x, name: None}):
        model(ids)
    assert time.monotonic() - began < 5
    assert len(session) == 3

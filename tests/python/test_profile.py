"""model.profile: what is counted follows from the configuration, what is measured adds up, and no bit changes."""

import cutaway as ca
import numpy as np
import pytest

KEYS = ["stage", "phase", "layer", "seconds", "flops", "bytes", "flops_per_second", "bytes_per_second"]


def linear_macs(c) -> int:
    """Multiply-adds of the linear layers of one token in one layer."""
    heads = c["n_heads"] * c["d_head"]
    return c["d_model"] * (2 * heads + 2 * c["n_kv_heads"] * c["d_head"] + 3 * c["d_mlp"])


def attention_flops(c, seen: int) -> int:
    return 4 * seen * c["n_heads"] * c["d_head"]


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_counted_work_agrees_with_the_configuration(name, real_model):
    model = real_model(name, "int8")
    c, n, steps = model._core.config(), 40, 3
    windows = c["sliding_window"]
    profile = model.profile(list(range(5, 5 + n)), max_new_tokens=steps)
    seen = sum(min(t + 1, w or n) for w in windows for t in range(n))
    head = 2 * c["d_model"] * c["d_vocab"]
    expected = 2 * n * linear_macs(c) * c["n_layers"] + attention_flops(c, seen) + head
    assert profile.prefill.flops == pytest.approx(expected, rel=1e-12)
    seen = sum(min(t + 1, w or t + 1) for w in windows for t in range(n, n + steps))
    expected = steps * (2 * linear_macs(c) * c["n_layers"] + head) + attention_flops(c, seen)
    assert profile.decode.flops == pytest.approx(expected, rel=1e-12)
    # A step reads all weights but the embedding, of which it reads a row, or the tied one as the head; tiles are padded
    # to 64 bytes and 16 rows.
    kv = sum(
        2 * min(t + 1, w or t + 1) * c["n_kv_heads"] * c["d_head"] * 2 for w in windows for t in range(n, n + steps)
    )
    weights = sum(size for _, _, shape, size in model._core.tensors() if len(shape) == 2)
    assert profile.decode.bytes == pytest.approx(steps * weights + kv, rel=0.01)
    # The prompt reads them once for all its tokens, a row of the embedding for each, and every key and value.
    (embedding,) = (size for label, _, _, size in model._core.tensors() if label == "token_embd.weight")
    kv = 2 * n * c["n_kv_heads"] * c["d_head"] * 2 * c["n_layers"]
    assert profile.prefill.bytes == pytest.approx(weights + n * embedding / c["d_vocab"] + kv, rel=0.01)


def test_a_prompt_in_chunks_reads_the_weights_for_each(small_model):
    model = ca.load(small_model("llama").path)
    whole = model.profile(list(range(150)), max_new_tokens=1).prefill
    model._core.chunk = 64
    cut = model.profile(list(range(150)), max_new_tokens=1).prefill
    assert cut.flops == pytest.approx(whole.flops, rel=1e-12)
    times = {"embed": 1, "head": 1, "attention": (64 + 128 + 150) / 150}  # a chunk reads the keys of those before it
    for one, other in zip(whole.by_phase(), cut.by_phase(), strict=True):
        assert other.bytes == pytest.approx(times.get(one.phase, 3) * one.bytes, rel=1e-12), one.phase


# With many rows the threads take blocks of rows through a chain of phases, each as many as it gets to.
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("compute", ["int8", "float32"])
def test_every_phase_takes_its_time_on_any_number_of_threads(threads, compute, small_model):
    model = ca.load(small_model("gemma3", "Q8_0").path, compute=compute, threads=threads)
    profile = model.profile(list(range(200)), max_new_tokens=2)
    for stage in profile.stages:
        assert len(stage.phases) == 2 + 5 * 2
        assert all(p.seconds > 0 for p in stage.phases), [p for p in stage.phases if not p.seconds]
        assert sum(p.seconds for p in stage.phases) <= stage.seconds


# Where another process had the cores while the limits were measured, they are what the profile itself achieved.
def test_no_share_of_the_limits_is_above_all_of_it(monkeypatch, small_model):
    model = small_model("llama").model
    monkeypatch.setattr(ca.profile._core, "measure_limits", lambda *_: (1.0, 1.0, 1.0))
    profile = model.profile(list(range(20)), max_new_tokens=2)
    assert max(r["per_cent_of_peak"] for r in profile.records()) == pytest.approx(100, rel=1e-12)
    assert max(profile.of_bandwidth(stage) for stage in profile.stages) == 1.0
    assert profile.limits.flops == max(r["flops_per_second"] for r in profile.records())
    monkeypatch.setattr(ca.profile._core, "measure_limits", lambda *_: (1e20, 1e20, 1e20))
    assert model.profile(list(range(20)), max_new_tokens=2).limits == ca.profile.Limits(1e20, 1e20)


def test_what_is_measured_adds_up(small_model):
    profile = small_model("llama").model.profile(list(range(20)), max_new_tokens=4, price_per_hour=3.6)
    for stage, tokens, passes in ((profile.prefill, 20, 1), (profile.decode, 4, 4)):
        assert (stage.tokens, stage.passes) == (tokens, passes)
        assert 0 < sum(p.seconds for p in stage.phases) <= stage.seconds
        assert {p.phase for p in stage.by_phase()} == {
            "embed", "qkv_rope", "attention", "attn_out", "gated_mlp", "mlp_out", "head"
        }  # fmt: skip
        for part in (stage.by_phase(), stage.by_layer()):
            assert sum(p.seconds for p in part) == pytest.approx(sum(p.seconds for p in stage.phases))
            assert sum(p.flops for p in part) == pytest.approx(stage.flops)
        assert [p.layer for p in stage.by_layer()] == [0, 1, None, None]
        assert stage.cost(3.6) == pytest.approx(3.6 / 3600 * 1000 * stage.seconds / tokens)
    frame = profile.records()
    assert list(frame[0])[: len(KEYS)] == KEYS and {r["stage"] for r in frame} == {"prefill", "decode"}
    text = repr(profile)
    assert "20 tokens all at once" in text and "4 tokens one after the other" in text and "1,000 tokens cost" in text
    assert "<svg" in profile.view().page()


def test_no_bit_changes(small_model):
    model = small_model("llama").model
    before = model([1, 2, 3])
    model.profile([1, 2, 3], max_new_tokens=2)
    assert np.array_equal(before.view(np.uint32), model([1, 2, 3]).view(np.uint32))
    ids, rows = np.arange(100, dtype=np.int32), []
    logits = [
        model._core.forward([model._core.session()], [ids], "last", [], {}, [], profile)[0][0]
        for profile in (None, rows, None)
    ]
    assert rows and all(np.array_equal(logits[0].view(np.uint32), other.view(np.uint32)) for other in logits[1:])


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"max_new_tokens": 0}, "max_new_tokens must be"), ({"price_per_hour": -1}, "price_per_hour must be"),
     ({"price_per_hour": "2"}, "price_per_hour must be"), ({"max_new_tokens": 10**6}, "the context holds")],
)  # fmt: skip
def test_refusals(settings, said, small_model):
    with pytest.raises(ca.Error, match=said):
        small_model("llama").model.profile([1, 2], **settings)

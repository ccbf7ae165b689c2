"""The harness behind `make bench`: its statistics, its arithmetic, its files and its page. No timing is asserted."""

import hashlib
import os
import struct

import cutaway as ca
import numpy as np
import pytest
from bench import __main__ as command
from bench import kl, limits, llama_1b, machine, probe, registry, stories, texts, traces
from bench.run import Run
from bench.summary import bootstrap, check
from cutaway.bench import gate, summary, work
from cutaway.bench.workers import Side, SideError, Worker
from cutaway.reference.blocks import DECODED, TYPES
from make_models import make_model


def test_spread_is_median_and_range():
    assert summary.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0, "runs": [3.0, 1.0, 2.0]}
    assert summary.spread([1.0, 4.0])["median"] == 2.5
    assert summary.spread([123456.0])["median"] == 123500.0


def test_interleave_goes_by_turns_and_drops_the_warm_up():
    calls = []

    def job(label):
        calls.append(label)
        return float(len(calls))

    got = summary.interleave({"a": lambda: job("a"), "b": lambda: job("b")}, rounds=2)
    assert calls == ["a", "b"] * 3
    assert got == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_checks_say_whether_a_bound_is_reached():
    assert check("x", 2.0, least=2.0)["reached"] and not check("x", 1.99, least=2.0)["reached"]
    assert check("x", 1.15, most=1.15)["reached"] and not check("x", 1.16, most=1.15)["reached"]
    assert check("x", 1.0) == {"what": "x", "got": 1.0}


def test_bootstrap_draws_whole_blocks():
    same = [np.full(7, 3.0)] * 5
    assert bootstrap(np.mean, same) == (3.0, 3.0)
    rng = np.random.default_rng(5)
    blocks = [rng.normal(rng.normal(0, 1), 0.01, 50) for _ in range(40)]
    low, high = bootstrap(np.mean, blocks)
    # the spread between blocks counts, 1 / sqrt(40), not that of 2,000 independent numbers
    assert 0.4 < high - low < 0.9 and low < np.mean(blocks) < high
    assert bootstrap(np.mean, blocks) == (low, high)


def test_kl_against_its_formula():
    rng = np.random.default_rng(0)
    exact, other = (rng.normal(0, 3, (4, 11)).astype(np.float32) for _ in range(2))
    p, q = (np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum(1, keepdims=True) for x in (exact, other))
    got = kl.divergence(exact, exact, other)
    np.testing.assert_allclose(got[:, 1], (p * np.log(p / q)).sum(1), rtol=1e-12)
    assert (got[:, 0] == 0).all()
    assert kl.mean_ratio(np.array([[1.0, 2.0], [3.0, 6.0]])) == 0.5


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.gguf"
    make_model(path, "llama", "Q4_0", n_layers=2)
    return path


def test_work_counts_every_matrix_once(small):
    config = ca.load(small).config
    got = limits.work_of(small)
    attention = config.d_model * config.d_head * 2 * (config.n_heads + config.n_kv_heads)
    layers = config.n_layers * (attention + 3 * config.d_model * config.d_mlp)
    head = config.d_model * config.d_vocab
    _, block, size = TYPES["Q4_0"]
    assert got.body_weights == {"int8": layers} and got.head_weights == {"int8": head}
    assert got.head_bytes == head // block * size
    norms = 4 * config.d_model * (2 * config.n_layers + 1)
    assert got.body_bytes == layers // block * size + norms
    assert limits.work_of(small, "float32").body_weights == {"f32": layers}
    kv = 2 * config.n_layers * config.n_kv_heads * config.d_head
    assert limits.decode_bytes(got, 10, 2, rows=3) == got.body_bytes + got.head_bytes + 3 * 10 * kv * 2


def test_a_window_bounds_what_a_layer_reads(tmp_path):
    make_model(tmp_path / "g.gguf", "gemma3", "Q8_0", n_layers=2, sliding_window=8, window_pattern=2)
    got = limits.work_of(tmp_path / "g.gguf")
    assert [window for _, window in got.kv_widths] == [8, 8, None, None]
    width = got.kv_widths[0][0]
    assert limits.decode_bytes(got, 100) - limits.decode_bytes(got, 0) == 2 * 2 * width * (8 + 100)


def test_limits_are_plain_arithmetic():
    asked = limits.Work("m", 0, 900, 100, {"int8": 1_000_000, "f32": 500_000}, {"int8": 2_000_000})
    assert limits.decode_bytes(asked) == 1000
    # 10 tokens: 20 M int8 operations and 10 M float32 ones in the body, 4 M int8 ones in the head
    assert limits.prefill_limit(asked, {"int8": 2.0, "f32": 1.0}, 10) == pytest.approx(10 / (24e6 / 2e9 + 10e6 / 1e9))


def test_gate():
    row = np.array([1.0, 2.0, 4.0], np.float32)
    assert gate.agreement(row, row)["correlation"] == 1.0
    assert gate.agreement(row, -row, row)["peer error"] == round(8 / float(row.std()), 5)
    assert gate.same_prefix([1, 2, 3], [1, 2, 4]) == 2 and gate.same_prefix([1], [1]) == 1
    assert gate.passes({"greedy": 16, "tokens": 16, "correlation": 0.5})
    assert not gate.passes({"greedy": 15, "tokens": 16, "correlation": 0.98})
    assert not gate.passes({"greedy": 15, "tokens": 16, "correlation": 0.999}, "float32")


def test_a_worker_runs_one_side_and_says_what_went_wrong(small):
    with Worker(Side("cutaway.bench.side_cutaway:Cutaway", {"path": str(small), "threads": 1})) as worker:
        ids = np.arange(5, dtype=np.int32)
        row = worker(work.last_logits, ids)
        assert (row == ca.load(small).session().append(ids)).all()
        assert worker(work.greedy, ids, 3) == ca.load(small).generate(ids, temperature=0, max_new_tokens=3).ids.tolist()
        assert worker.memory()["peak"] >= worker.memory()["imports"] > 1 << 20
        with pytest.raises(SideError, match="Traceback"):
            worker(work.last_logits, np.array([10**6]))
        assert worker(work.facts)["compute"] == "int8"
    with pytest.raises(SideError, match=r"FormatError|ArgumentError|Error: .*absent"):
        Worker(Side("cutaway.bench.side_cutaway:Cutaway", {"path": str(small.with_name("absent.gguf")), "threads": 1}))


class SetProbes(probe.Probes):
    """A machine that reads a million bytes a second."""

    def take(self):
        self.rates.append(0.001)
        self.peaks = {"int8": 2.0, "f32": 1.0}
        return 0.001

    def facts(self):
        return {"samples": list(self.rates)}


def test_a_comparison_of_cutaway_with_itself(small):
    run = Run(threads=1, rounds=2, say=lambda text: None)
    sides = {
        "cutaway": run.cutaway(small),
        "llama.cpp": run.cutaway(small),
        "other": Side("bench.absent:X", {"path": "x"}),
    }
    ids = np.arange(40, dtype=np.int32)
    with run.started(sides) as (workers, missing):
        assert list(missing) == ["other"] and "absent" in missing["other"]
        gates = run.gates(workers, ids, run.exact(small, ids))
        assert gates["llama.cpp"]["passed"] and gates["llama.cpp"]["correlation"] == 1.0
        probes = SetProbes(1000, 1)
        line = run.compared("a case", workers, (work.prefill, ids), 40, gates, missing, {"llama.cpp": 1e9}, probes)
        run.memory_check(line, most=1e9)
        assert workers["cutaway"](work.traced, ids, traces.SHOWN["cutaway"]) > 0
        assert workers["cutaway"](work.batch_steps, 3, ids[:4], 2) > 0
        gates["llama.cpp"]["passed"] = False
        alone = run.compared("a case", workers, (work.prefill, ids), 40, gates, missing, {}, probes)
    assert [c["reached"] for c in line["checks"]] == [False, True]
    assert len(line["sides"]["cutaway"]["runs"]) == 2
    assert line["probes"]["samples"] == [0.001] * 3  # one a round, the warm-up included
    assert list(alone["sides"]) == ["cutaway"] and not alone["checks"]


def test_a_text_is_read_only_if_its_hash_is_right(tmp_path, monkeypatch):
    raw = b"licence\r\nthe text itself\r\n"
    source = ("docs/book.txt", hashlib.sha256(raw).hexdigest(), 9)
    monkeypatch.setenv("CUTAWAY_BENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("CUTAWAY_SHARED", str(tmp_path))
    monkeypatch.setitem(texts.SOURCES, "prose", source)
    place = tmp_path / f"{texts.ARCHIVE}-book.txt"
    monkeypatch.setattr(texts, "fetch", lambda: place.write_bytes(raw))
    assert texts.text("prose") == "the text itself\n"
    monkeypatch.setattr(texts, "fetch", lambda: None)
    assert texts.text("prose") == "the text itself\n"
    place.write_bytes(raw + b"more")
    with pytest.raises(ValueError, match="expected"):
        texts.text("prose")


def test_every_row_of_the_table_is_there_once():
    rows = registry.all_rows()
    assert sorted(n for r in rows for n in r.numbers) == [
        *range(1, 12),
        13,
        14,
        15,
        16,
        17,
        18,
        19,
    ]  # 12 is rows 1-5 with one thread
    assert sorted(n for r in rows if r.one_thread for n in r.numbers) == [1, 2, 3, 4, 5]
    assert all(r.about and r.title for r in rows)


def test_the_plan(monkeypatch, capsys):
    parse = command.parser().parse_args
    names = [r.name for r in registry.all_rows()]
    full = command.plan(parse([]), cores=4)
    assert [(r.name, n) for r, n in full[: len(names)]] == [(name, 2) for name in names]
    assert [(r.name, n) for r, n in full[len(names) :]] == [("prefill", 1), ("decode", 1), ("shapes_1b", 1)]
    assert [(r.name, n) for r, n in command.plan(parse(["decode"]), 4)] == [("decode", 2)]
    assert [(r.name, n) for r, n in command.plan(parse(["--quick"]), 1)] == [("prefill", 1), ("decode", 1)]
    with pytest.raises(SystemExit, match="There is no row 'speed'"):
        command.plan(parse(["speed"]), 2)


@pytest.mark.parametrize("kind", llama_1b.BLOCKS)
def test_random_blocks_have_the_standard_deviation_they_promise(kind):
    import gguf

    raw = llama_1b.random_matrix(np.random.default_rng(1), kind, 64, 512)
    w = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[kind])
    assert w.shape == (64, 512) and w.std() == pytest.approx(llama_1b.STD, rel=0.15)
    assert abs(w.mean()) < llama_1b.STD / 20


@pytest.mark.parametrize("kind", llama_1b.BLOCKS)
def test_the_1b_shapes_in_small(kind, tmp_path):
    shape = {"n_layers": 2, "d_model": 256, "n_heads": 4, "n_kv_heads": 2, "d_mlp": 512, "d_vocab": 300}
    path = llama_1b.cached(kind, tmp_path, shape)
    assert llama_1b.cached(kind, tmp_path, shape) == path and not [*tmp_path.glob("*.partial")]
    stored = {t.name: t.type for t in ca.inspect_file(path).tensors}
    assert set(stored.values()) == {kind, "F32"} and "output.weight" not in stored
    if kind in DECODED:
        row = ca.load(path).session().append(np.arange(9))
        assert row.shape == (300,) and np.isfinite(row).all() and row.std() > 0.01


def test_a_checkpoint_of_llama2_c(tmp_path):
    d, d_mlp, layers, heads, kv_heads, d_vocab, seq = 8, 12, 2, 2, 1, 262, 16
    rng = np.random.default_rng(0)
    n = d_vocab * d + layers * (2 * d + 2 * d * d + 2 * 4 * d + 3 * d * d_mlp) + d + seq * 4
    floats = rng.normal(0, 0.3, n).astype("<f4")
    (tmp_path / "m.bin").write_bytes(
        struct.pack("<7i", d, d_mlp, layers, heads, kv_heads, d_vocab, seq) + floats.tobytes()
    )
    pieces = [b"x%d" % i for i in range(d_vocab)]
    words = b"".join(struct.pack("<fi", -i, len(p)) + p for i, p in enumerate(pieces))
    (tmp_path / "v.bin").write_bytes(struct.pack("<i", 4) + words)
    model = ca.load(stories.convert(tmp_path / "m.bin", tmp_path / "v.bin", tmp_path / "m.gguf"))
    assert (model.config.n_layers, model.config.d_head, model.config.n_kv_heads) == (2, 4, 1)
    assert (model.weights["embed.W_E"] == floats[: d_vocab * d].reshape(d_vocab, d)).all()
    assert (model.weights["ln_final.w"] == floats[-seq * 4 - d : -seq * 4]).all()
    assert model.tokenizer.tokens([261]) == ["x261"]
    (tmp_path / "m.bin").write_bytes((tmp_path / "m.bin").read_bytes()[:-300])
    with pytest.raises(ValueError, match="ends in the middle"):
        stories.read_checkpoint(tmp_path / "m.bin")


def test_stories260k_tells_a_story(shared_path, tmp_path):
    folder = shared_path("conformance/models/stories260K.bin").parent
    path = stories.convert(folder / "stories260K.bin", folder / "tok512.bin", tmp_path / "stories260K.gguf")
    model = ca.load(path)
    text = model.generate("Once upon a time", max_new_tokens=40, temperature=0).text
    assert (
        text
        == ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."
    )


def test_the_probe_measures_something(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTAWAY_BENCH_CACHE", str(tmp_path))
    probe.binary.cache_clear()
    try:
        try:
            probe.binary()
        except probe.ProbeError as err:
            pytest.skip(str(err))
        assert probe.bandwidth(1 << 22, 1) > 0 and probe.bandwidth(1 << 22, 2, "write") > 0
        probes = probe.Probes(1 << 20, 1)
        assert probes.take() > 0 and probes.rate > 0 and min(probes.arithmetic.values()) > 0
        assert probes.facts()["read GB/s"]["1"] == probes.facts()["samples"][0] and all(probe.instruction_sets())
        with pytest.raises(probe.ProbeError, match="not positive"):
            probe._run("read", 1 << 20, 0, 1)
    finally:
        for cached in (probe.binary, probe.instruction_sets):
            cached.cache_clear()


def test_machine():
    about = machine.describe()
    assert about["cores"] >= 1 and about["isa"] in ca.isas() and about["cpu"]
    assert set(machine.physical_cores()) <= os.sched_getaffinity(0)
    assert machine.command("decode", 1) == "python -m bench decode --threads 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12345.6, "12,346"),
        (1.0, "1"),
        (0.012345, "0.01235"),
        (99.949, "99.95"),
        (-3.5, "-3.5"),
        (1.3e-4, "0.00013"),
    ],
)
def test_numbers_of_the_page(value, text):
    assert summary.number(value) == text


def test_help_names_the_rows(capsys):
    with pytest.raises(SystemExit) as done:
        command.parser().parse_args(["--help"])
    assert done.value.code == 0 and "long_context" in capsys.readouterr().out

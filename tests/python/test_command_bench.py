"""`cutaway bench` on a small model: what it says and refuses. No timing is asserted."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cutaway as ca
import pytest
from command_line import run
from cutaway.bench import measure, workers
from cutaway.bench.rows import ROWS
from cutaway.bench.side_cutaway import Cutaway
from cutaway.catalogue import DEFAULT

PACKAGE = str(Path(ca.__file__).parents[1])


@pytest.fixture(scope="module")
def small(small_model):
    """A model that has room for every row."""
    return small_model("llama", "Q8_0", "int8", n_layers=2, n_ctx=8192)


@pytest.fixture
def peer(monkeypatch):
    """peer("Same"): what --peer llama.cpp measures in its place."""

    def put(name):
        monkeypatch.setitem(measure.PEERS, "llama.cpp", (f"fake_peer:{name}", "cutaway", ""))

    return put


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(measure, "Worker", lambda *_: pytest.fail("a model was loaded"))


def test_every_row_has_its_figures_and_its_limit(small, capsys):
    status, out, _ = run(capsys, "bench", str(small.path), "--rounds", "2", "--threads", "1", "--json")
    result = json.loads(out)
    assert status == 0 and [row["row"] for row in result["rows"]] == list(ROWS)
    assert (result["compute"], result["threads"], result["rounds"]) == ("int8", 1, 2)
    assert result["path"] == str(small.path) and result["isa"] in ca.isas() and result["cpu"]
    assert min(result["ceilings"].values()) > 0 and not result["interrupted"]
    for row in result["rows"]:
        assert len(row["runs"]) == 2 and row["low"] == min(row["runs"]) and row["high"] == max(row["runs"])
        assert row["median"] == pytest.approx(statistics.median(row["runs"]), rel=1e-3)
        assert row["memory"] > 1 << 20 and row["peer"] is None and row["times_peer"] is None
        if row["row"] == "load":
            assert (row["unit"], row["limit"], row["limited_by"], row["per_cent_of_limit"]) == ("ms", None, None, None)
        else:
            assert row["unit"] == "tok/s" and row["limited_by"] in ("arithmetic", "bandwidth")
            assert row["per_cent_of_limit"] == pytest.approx(100 * row["median"] / row["limit"], rel=1e-2)
    assert result["compared"] is None


def test_the_table(small, capsys):
    status, out, _ = run(capsys, "bench", str(small.path), "decode", "load", "decode", "--rounds", "1")
    head, empty, columns, *rows = out.splitlines()
    assert status == 0 and head.startswith("model.gguf: int8, ") and not empty
    assert columns.split("  ")[0] == "row" and "of the limit" in columns and "peak memory" in columns
    assert [row.split()[0] for row in rows[:2]] == ["decode", "load"] and not rows[2]
    assert " tok/s " in rows[0] and " % of " in rows[0] and " MiB" in rows[0] and " ms " in rows[1]
    assert rows[3].startswith("Medians of 1 run. At best this machine did ")


def test_quick_is_two_rows_of_three_turns(small, capsys):
    out = run(capsys, "bench", str(small.path), "--quick", "--json")[1]
    assert [(row["row"], len(row["runs"])) for row in json.loads(out)["rows"]] == [("prefill", 3), ("decode", 3)]


def test_what_a_row_needs_is_what_the_engine_counts(small):
    """The counts behind the limits are those of `model.profile`, and counting changes no bit."""
    side = Cutaway(str(small.path), threads=1)
    prefill = ROWS["prefill"].of(side.d_vocab, 5)
    flops, moved = measure.work.needed(side, *prefill.same)
    stage = small.model.profile(prefill.job[1], max_new_tokens=1).prefill
    assert (flops, moved) == (stage.flops, stage.bytes)
    with side.counting():
        counted = measure.work.last_logits(side, prefill.job[1])
    assert counted.tobytes() == measure.work.last_logits(side, prefill.job[1]).tobytes()
    batch = ROWS["batch"].of(side.d_vocab, 5)
    flops_8, moved_8 = measure.work.needed(side, *batch.same)
    flops_1, moved_1 = measure.work.needed(side, batch.same[0], 1, *batch.same[2:])
    assert flops_8 == 8 * flops_1 and moved_1 < moved_8 < 8 * moved_1  # weights are read once for all
    assert side.counted is None


def test_a_peer_is_measured_by_turns_behind_a_gate(small, capsys, peer):
    peer("Same")
    argv = ("bench", str(small.path), "prefill", "batch", "trace", "load", "--rounds", "1", "--peer", "llama.cpp")
    status, out, err = run(capsys, *argv, "--json")
    result = json.loads(out)
    assert status == 0
    gate = {"correlation": 1.0, "greedy": 16, "tokens": 16, "passed": True}
    assert result["compared"] == {
        "name": "llama.cpp",
        "version": "1.2",
        "threads": result["threads"],
        "system": "a CPU",
        "gate": gate,
    }
    for row in result["rows"]:
        if row["row"] == "trace":  # no peer keeps what is traced
            assert row["peer"] is None
            continue
        ours, theirs = row["median"], row["peer"]["median"]
        ratio = theirs / ours if row["unit"] == "ms" else ours / theirs
        assert row["times_peer"] == pytest.approx(ratio, rel=1e-3) and row["peer"]["memory"] > 1 << 20
    status, out, err = run(capsys, *argv[:3], "trace", *argv[6:])
    assert status == 0 and out.splitlines()[2].endswith("cutaway is") and " times as fast\n" in out
    assert "[llama.cpp: 16 of 16 greedy ids equal, correlation 1.00000; llama.cpp 1.2, a CPU]\n" in err


def test_a_peer_that_computes_something_else_is_not_measured(small, capsys, peer):
    peer("Other")
    argv = ("bench", str(small.path), "prefill", "--rounds", "1", "--peer", "llama.cpp")
    status, out, err = run(capsys, *argv)
    assert status == 0 and "prefill" in out and "times as fast" not in out
    assert ", correlation -" in err and "so it is not measured; llama.cpp 1.2, a CPU]\n" in err


def test_a_peer_that_is_not_there_or_cannot_run(small, small_model, capsys, monkeypatch, peer):
    path = str(small.path)
    monkeypatch.setattr(measure, "find_spec", lambda name: None)
    status, out, err = run(capsys, "bench", path, "--peer", "llama.cpp")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert "needs a package that is not installed" in err and "pip install --no-binary llama-cpp-python" in err
    monkeypatch.undo()
    peer("Absent")
    err = run(capsys, "bench", path, "--peer", "llama.cpp")[2].splitlines()[-1]
    assert err.startswith(f"cutaway: llama.cpp cannot run {path}: AttributeError: ")
    folder = small_model("llama", shards=1).path
    err = run(capsys, "bench", str(folder), "--peer", "llama.cpp")[2].splitlines()[-1]
    assert err == f"cutaway: {folder} is a folder, and llama.cpp reads single GGUF files."


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("x.gguf", "decod"), "There is no row 'decod'. Did you mean decode? The rows are prefill, decode, "),
        (("x.gguf", "7"), "There is no row '7'. The rows are prefill, decode, long_context, batch, trace, load."),
        (("-m", "x.gguf", "speed"), "There is no row 'speed'. "),
        (("prefill",), f"prefill is a row, and the model comes first: cutaway bench {DEFAULT} prefill\n"),
        (("smollm2",), "There is no model 'smollm2'. Did you mean 'smollm2-135m-instruct'? "),
        (("x.gguf", "--rounds", "0"), "--rounds must be a whole number, 1 or greater, got 0."),
        (("x.gguf",), "There is no file or folder "),
    ],
)
def test_mistakes_are_one_sentence(argv, said, capsys, nothing_runs):
    status, out, err = run(capsys, "bench", *argv)
    assert (status, out, err.count("\n")) == (1, "", 1) and err.startswith(f"cutaway: {said}")


def test_words_behind_an_option_have_no_place(capsys):
    status, _, err = run(capsys, "bench", "x.gguf", "--quick", "decode")
    assert status == 2 and err.startswith(
        "cutaway: bench has no use for 'decode' there; options come behind all words."
    )
    status, _, err = run(capsys, "bench", "x.gguf", "--peer", "llama.cp")
    assert status == 2 and "Did you mean llama.cpp?" in err


def test_the_engines_own_sentences_come_through(small, capsys, tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF")
    status, out, err = run(capsys, "bench", str(tmp_path / "bad.gguf"))
    assert (status, out) == (1, "") and err.splitlines()[-1].startswith("cutaway: ") and "bad.gguf" in err
    err = run(capsys, "bench", str(small.path), "--isa", "altivec")[2].splitlines()[-1]
    with pytest.raises(ca.Error) as direct:
        ca.load(small.path, isa="altivec")
    assert err == f"cutaway: {direct.value}"


def test_a_short_context_leaves_rows_out(small, capsys):
    argv = ("bench", str(small.path), "--rounds", "1", "--n-ctx", "300", "--json")
    status, out, err = run(capsys, *argv, "--quick")
    assert status == 0 and [row["row"] for row in json.loads(out)["rows"]] == ["decode"]
    assert "[prefill needs a context of 512 tokens, and that of this model is 300: left out]\n" in err
    status, out, err = run(capsys, argv[0], argv[1], "decode", "long_context", *argv[2:])
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("cutaway: long_context needs a context of 4,192 tokens, ")


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_what_was_there_stays(flag, small, capsys, monkeypatch):
    def ended_by(kind):
        whole = measure.Bench._timed

        def timed(self, row):
            if row.name == "decode":
                raise kind
            return whole(self, row)

        monkeypatch.setattr(measure.Bench, "_timed", timed)
        got = run(capsys, "bench", str(small.path), "--rounds", "1", *flag)
        monkeypatch.undo()
        return got

    for kind, expected in ((KeyboardInterrupt(), 130), (ca.MemoryLimitError("No room."), 1)):
        status, out, err = ended_by(kind)
        assert status == expected and ("cutaway: No room.\n" in err) == (expected == 1)
        if flag:
            result = json.loads(out)
            assert result["interrupted"] == (expected == 130) and [r["row"] for r in result["rows"]] == ["prefill"]
        else:
            assert out.splitlines()[3].startswith("prefill ") and "decode" not in out


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_the_workers_in_silence(small):
    """To the whole group, as a terminal sends it, while a worker runs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, os.environ.get("PYTHONPATH", "")])}
    argv = [sys.executable, "-m", "cutaway", "bench", str(small.path), "prefill", "--rounds", "1000000", "--json"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
    ) as child:
        time.sleep(3)
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)  # until nobody holds stderr any longer: the workers have ended too
    assert child.returncode == 130 and b"Traceback" not in err
    assert not out or json.loads(out)["interrupted"]  # nothing, if even the first load was not over


def test_a_worker_keeps_the_sentence_of_what_was_refused(small):
    with workers.Worker(workers.Side("cutaway.bench.side_cutaway:Cutaway", {"path": str(small.path)})) as worker:
        with pytest.raises(workers.SideError, match="Traceback") as failed:
            worker(measure.work.last_logits, [10**6])
        assert isinstance(failed.value.__cause__, ca.ArgumentError)

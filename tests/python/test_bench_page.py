"""The page of figures: what is stored, shown with its verdicts, new runs and old ones."""

import json
import os

import numpy as np
from bench import __main__ as command
from bench import kl_study, page, registry
from bench.summary import check, limit_shares
from conftest import ROOT
from cutaway.bench import summary


def stored_run():
    memory = {"peak": 123_000_000, "imports": 30_000_000}
    side = summary.spread([10.0, 11.0, 12.0]) | {"memory": memory}
    passed = {"correlation": 0.999, "greedy": 16, "tokens": 16, "passed": True}
    probes = {"bytes": 5_000_000, "read GB/s": {"1": 10.0, "2": 20.0}, "int8": "A", "f32": "B"}
    line = {"case": "a model, decode", "unit": "tok/s", "gate": {"llama.cpp": passed}, "missing": {"torch": "absent"}}
    line |= {"sides": {"cutaway": side}, "checks": [check("times llama.cpp", 2.0, least=1.8)]}
    line |= {"probes": probes, "limit": {"what": "bandwidth", "tok/s": 25.0}}
    about = {"cpu": "a CPU", "MHz": 3000, "cores": 2, "isa": "avx2", "commit": "abc", "date": "2026-01-01", "load": 0.1}
    return {"row": "decode", "title": "Decode", "numbers": [3, 4], "about": "What it is.", "machine": about, "threads": 2,
            "rounds": 3, "command": "python -m bench decode", "lines": [line], "seconds": 1,
            "sides": {"cutaway": [{"compute": "int8"}]}}  # fmt: skip


def test_the_page_shows_what_is_stored(tmp_path):
    command.store(stored_run(), tmp_path)
    command.store(stored_run() | {"threads": 1}, tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["decode.json", "decode_one_thread.json"]
    text = page.benchmarks_page(tmp_path)
    for expected in (
        "\n## Decode (row 3, 4)\n",
        "\n## Decode, one thread (row 12)\n",
        "\n- cutaway: compute int8\n",
        "| a model, decode | cutaway | 11 tok/s (10 to 12) | 123 MB |",
        "| a model, decode | times llama.cpp | 2 | at least 1.8 | yes |",
        "gate with llama.cpp passed: 16 of 16 greedy ids, correlation 0.99900.",
        "torch not measured: absent",
        "read GB/s 10 / 20 (A; B); limit 25 tok/s by bandwidth.",
        "No run is stored of: prefill, shapes_1b, batch,",
    ):
        assert expected in text, expected


def test_the_page_shows_the_kl_study(tmp_path):
    rng = np.random.default_rng(0)
    facts = kl_study.summarise([rng.uniform(0, 0.01, (20, 2)) for _ in range(6)])
    assert facts["tokens"] == 120 and facts["ratio interval"][0] < facts["ratio"] < facts["ratio interval"][1]
    model = {"case": "a model", "reached": True, "texts": {"prose": facts}} | facts
    study = {"machine": stored_run()["machine"], "command": "c", "reach": 1.02, "models": [model]}
    study |= {"sources": {"prose": {"from": "a book", "sha256": "0"}}, "types": [{"case": "Q9", "missing": "unknown"}]}
    (tmp_path / "kl_study.json").write_text(json.dumps(study))
    text = page.benchmarks_page(tmp_path)
    assert "| at most 1.02 | yes |" in text and "| a model, prose | 120 |" in text and "| Q9 | | not measured |" in text


def test_stored_results_are_whole():
    """What lies in the repository: every row as `make bench` wrote it, of a commit without local changes."""
    for path in (ROOT / "tests/bench/results").glob("*.json"):
        stored = json.loads(path.read_text("utf-8"))
        assert {"cpu", "cores", "isa", "commit", "date"} <= set(stored["machine"]) and stored["command"]
        assert str(ROOT) not in path.read_text("utf-8") and os.path.expanduser("~/") not in path.read_text("utf-8")
        if path.stem != "kl_study":
            assert stored["row"] in {r.name for r in registry.all_rows()} and stored["lines"]


def test_the_page_names_the_study_that_is_not_stored(tmp_path):
    assert "No run is stored of the KL study" in page.benchmarks_page(tmp_path)


def test_a_limit_that_a_side_went_past_leaves_its_shares_open(tmp_path):
    run = stored_run()
    line = run["lines"][0]
    line["checks"] = []
    limit_shares(line, "bandwidth", 1 / 10, reach=75)  # 10 tok/s; the side does 11
    command.store(run, tmp_path)
    text = page.benchmarks_page(tmp_path)
    assert "| cutaway: % of the bandwidth limit | 110 | at least 75 | **open** |" in text
    assert "limit 10 tok/s by bandwidth, **unusable: cutaway went past it**." in text
    # a run of a version that called it reached
    old = {
        "what": "cutaway: % of the bandwidth limit",
        "got": 110.7,
        "reach": 75.0,
        "side": "at least",
        "reached": True,
    }
    line |= {"checks": [old], "limit": {"what": "bandwidth", "tok/s": 10.0}}
    command.store(run, tmp_path)
    text = page.benchmarks_page(tmp_path)
    assert "| 110.7 | at least 75 | **open** |" in text and "**unusable: cutaway went past it**" in text


def test_intervals_samples_and_a_busy_start(tmp_path):
    run = stored_run()
    line = run["lines"][0]
    line["checks"] = [check("a cost", 1.0, most=1.3, interval=(0.5, 1.5))]
    line["probes"] |= {"samples": [9.0, 12.0, 10.0]}
    line["gate"] = {"llama.cpp": {"ours": [5], "theirs": [6, 7], "passed": False}}
    run["machine"] |= {"load at start": 0.6}
    command.store(run, tmp_path)
    text = page.benchmarks_page(tmp_path)
    assert "| a cost | 1 (0.5 to 1.5) | at most 1.3 | **open** |" in text
    assert "3 samples between the turns, 9 to 12 GB/s" in text
    assert "gate with llama.cpp **not passed**: first token 5 beside 6, 7." in text
    assert "**load 0.6 before the first row: not idle**" in text
    run["machine"]["load at start"] = 0.5
    command.store(run, tmp_path)
    assert "2026-01-01, load 0.5 before the first row;" in page.benchmarks_page(tmp_path)

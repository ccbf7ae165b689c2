"""What the harness judges: limits, intervals, pairs, gates and single calls, on numbers that are known."""

import numpy as np
import pytest
from bench import traces
from bench.rows import crowded, load, shapes_1b
from bench.summary import check, limit_shares, median_interval, paired, past_limit, verdict
from cutaway.bench import gate, work
from cutaway.bench.machine import lacking


def test_a_bound_inside_an_interval_is_open():
    assert verdict(check("x", 1.0)) == ""
    assert verdict(check("x", 1.0, most=1.3)) == "yes" and verdict(check("x", 1.4, most=1.3)) == "no"
    assert verdict(check("x", 1.0, most=1.3, interval=(0.9, 1.3))) == "yes"
    crossing = check("x", 1.0, most=1.3, interval=(0.9, 1.31))
    assert verdict(crossing) == "open" and not crossing["reached"] and crossing["interval"] == [0.9, 1.31]
    assert verdict(check("x", 1.5, most=1.3, interval=(1.4, 1.6))) == "no"
    assert verdict(check("x", 2.0, least=1.8, interval=(1.8, 2.2))) == "yes"
    assert verdict(check("x", 2.0, least=1.8, interval=(1.7, 2.2))) == "open"


def test_shares_of_a_limit():
    def line(unit, ours, theirs):
        return {"unit": unit, "sides": {"cutaway": {"median": ours}, "peer": {"median": theirs}}, "checks": []}

    rising = line("tok/s", 80.0, 40.0)
    limit_shares(rising, "bandwidth", 0.01, reach=75)
    assert rising["limit"] == {"what": "bandwidth", "value": 100.0, "unit": "tok/s"}
    assert [(c["got"], verdict(c)) for c in rising["checks"]] == [(80.0, "yes"), (40.0, "")]
    falling = line("ms", 20.0, 40.0)
    limit_shares(falling, "bandwidth", 0.01)
    assert [c["got"] for c in falling["checks"]] == [50.0, 25.0] and falling["limit"]["value"] == 10.0
    past = line("tok/s", 90.0, 101.0)  # the peer's figure shows that the limit is not one
    limit_shares(past, "bandwidth", 0.01, reach=75)
    assert past_limit(past) == ["peer"] and [verdict(c) for c in past["checks"]] == ["open", ""]


def test_a_limit_that_is_unusable_asks_for_no_less():
    line = {"unit": "tok/s", "sides": {"cutaway": {"median": 9.0}, "llama.cpp": {"median": 9.0}}, "checks": [{}]}
    limit_shares(line, "bandwidth", 0.1)
    usable = {**line, "checks": line["checks"][1:]}
    shapes_1b.needed(usable)
    assert usable["checks"][0]["reach"] == 1.0  # 90 % of 10 tok/s
    past = {**line, "checks": []}
    limit_shares(past, "bandwidth", 1 / 8)
    shapes_1b.needed(past)
    assert past["checks"][0]["reach"] == 1.2


def test_the_interval_of_a_median():
    # of 6 and of 9 values: all of them, 1 - 2 / 64; the second to the eighth, 1 - 2 * 10 / 512
    assert median_interval([6, 1, 5, 2, 4, 3]) == (3.5, 1, 6)
    assert median_interval(range(9)) == (4, 1, 7)
    assert median_interval(range(20)) == (9.5, 5, 14)  # the sign test's table
    with pytest.raises(ValueError, match="needs more than 5 values"):
        median_interval(range(5))


def test_pairs_take_turns_at_going_first():
    calls = []

    def job(label, seconds):
        calls.append(label)
        return seconds

    got = paired(lambda: job("a", 1.0), lambda: job("b", 2.0), 3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab" and (got == [[1.0, 2.0]] * 3).all()


class Side:
    def __init__(self):
        self.did = []

    def clear(self):
        self.did = []

    def append(self, ids):
        self.did.append(("plain", list(ids)))

    def append_traced(self, ids, names):
        self.did.append(("traced", list(ids)))


def test_steps_of_a_decode_by_pairs_and_one_by_one():
    side = Side()
    got = work.decode_pairs(side, np.arange(7), ["x"])
    assert got.shape == (3, 2) and (got >= 0).all()
    kinds = "plain plain traced traced plain plain traced".split()
    assert side.did == [(kind, [i]) for i, kind in enumerate(kinds)]
    assert len(work.step_times(side, np.arange(5))) == 4 and [ids for _, ids in side.did] == [[i] for i in range(5)]


def test_what_a_trace_costs_is_the_median_of_the_pairs():
    class Writes:
        rate = 1e9

    both = np.array([[1.0, 1.0 + 0.001 * i] for i in range(9)])  # differences 0 to 8 ms; 5 MB stream in 5 ms
    stream, cost = traces.cost_of("cutaway, int8", both, 5_000_000, Writes(), 1.3)
    assert stream["got"] == 0.005
    assert (cost["got"], cost["interval"], verdict(cost)) == (0.8, [0.2, 1.4], "open")


def test_an_error_far_above_the_peers_is_refused():
    exact = np.array([0.0, 1.0, 2.0, 3.0])
    facts = gate.agreement(np.array([0, 1, 2, 3.3]), np.array([0, 1, 2, 3.2]), exact)
    scale = exact.std()
    assert facts["error"] == round(0.3 / scale, 5) and facts["peer rms"] == round(0.1 / scale, 6)
    known = {"greedy": 16, "tokens": 16, "correlation": 1.0}
    assert gate.passes(known | {"rms": 0.15, "peer rms": 0.1}) and gate.passes(known)
    assert not gate.passes(known | {"rms": 0.16, "peer rms": 0.1})
    assert gate.passes(known | {"rms": 0.16, "peer rms": 0.1}, judged=False)
    assert "0.15 beside 0.1 (root mean square)" in gate.errors({"rms": 0.15, "peer rms": 0.1})


def test_first_tokens_are_a_gate():
    assert load.first_tokens({"cutaway": {7}, "llama.cpp": {7}})["passed"]
    assert load.first_tokens({"cutaway": {7}, "llama.cpp": {8}}) == {"ours": [7], "theirs": [8], "passed": False}
    assert not load.first_tokens({"cutaway": {7, 8}, "llama.cpp": {7, 8}})["passed"]


def test_the_slowest_of_single_calls():
    got = crowded.slowest_call("a", [1.0] * 9 + [11.0])
    assert got["got"] == 11.0 and verdict(got) == "no" and "slowest of 10 calls" in got["what"]
    assert verdict(crowded.slowest_call("a", [1.0] * 9 + [10.0])) == "yes"


def test_a_llama_cpp_that_was_not_built_for_this_cpu():
    system = "CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 1 | AVX512_VBMI = 1 | REPACK = 1 |"
    assert lacking(system, ["avx2", "avx512f", "avx512_vnni"]) == ["AVX512_VNNI"]
    assert lacking(system, ["avx2", "avx512f"]) == [] == lacking("", ["avx2"])
    assert lacking("CPU : AVX512 = 0 |", ["avx512f"]) == ["AVX512"]

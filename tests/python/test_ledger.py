"""The sampler ledger of generated texts: against the NumPy twins, resampled, as tables."""

import cutaway as ca
import numpy as np
import pandas
import pytest
from cutaway.generate import generate
from cutaway.reference import sampler as ref
from cutaway.settings import KEPT_LOGITS
from fake_model import FakeModel

CHAIN = {"repetition_penalty": 1.3, "presence_penalty": 0.2, "frequency_penalty": 0.1}
CHAIN |= {"temperature": 0.8, "top_k": 20, "top_p": 0.9, "min_p": 0.01}


def text(**settings):
    return generate(FakeModel(), [5, 9, 9], max_new_tokens=12, seed=3, **settings)


def test_every_step_equals_the_twin():
    out = text(**CHAIN)
    seen, ledger = [5, 9, 9], out.ledger()
    assert len(ledger) == len(out.steps) == 12
    chain = [(name, float(CHAIN[name])) for name in CHAIN]
    for step, line in zip(out.steps, ledger, strict=True):
        history = np.asarray(seen)
        assert [(s.name, *s.values) for s in line.stages] == chain
        for i, s in enumerate(line.stages):
            before, after = (ref.probs(step.logits, chain[:n], history) for n in (i, i + 1))
            assert (s.candidates_in, s.candidates_out) == ((before > 0).sum(), (after > 0).sum())
            assert s.mass_removed == pytest.approx(before[after == 0].sum(), abs=1e-15)
            for probs, entropy, top in (
                (before, s.entropy_before, s.top_before),
                (after, s.entropy_after, s.top_after),
            ):
                p = probs[probs > 0]
                assert entropy == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)
                assert top == p.max()
        raw, last = ref.probs(step.logits, [], history), ref.probs(step.logits, chain, history)
        d = line.draw
        assert d.u == ref.uniform(3, step.index) and d.low <= d.u < d.high
        cumulative = np.cumsum(last)
        assert d.token == step.id == np.flatnonzero(cumulative > d.u)[0]
        assert (d.high, d.probability) == (pytest.approx(cumulative[step.id]), last[step.id])
        assert d.rank_before == 1 + (step.logits > step.logits[step.id]).sum()
        assert d.probability_before == raw[step.id] == pytest.approx(np.exp(step.logprob))
        assert step.sampled_logprob == d.sampled_logprob == pytest.approx(np.log(last[step.id]))
        assert line.candidates == (last > 0).sum()
        seen.append(step.id)


def test_resample_is_a_draw_from_the_kept_logits():
    out = text(temperature=0.9)
    for step in out.steps:
        assert step.resample().token == step.id
        hot = ca.Sampler([ca.Temperature(3.0)], seed=8)
        assert step.resample(hot).token == hot.sample(step.logits, step=step.index)
        other = step.resample([ca.TopK(2)], seed=11)
        assert other.token == ca.Sampler([ca.TopK(2)], seed=11).sample(step.logits, step=step.index)
        assert other.source.sampler.seed == 11 and step.resample([ca.TopK(2)]).source.sampler.seed == 3
    with pytest.raises(ca.ArgumentError, match="is not a stage"):
        out.steps[0].resample([0.7])


def test_the_penalties_of_a_resample_see_the_text_so_far():
    out = text(temperature=0.0)
    step = out.steps[5]
    seen = [5, 9, 9, *out.ids[:5].tolist()]
    stages = [ca.FrequencyPenalty(1.5), ca.Temperature(0.0)]
    assert step.resample(stages).token == ca.Sampler(stages, seed=0).sample(step.logits, ids=seen)


def test_kept_logits_do_not_change():
    out = text()
    with pytest.raises(ValueError, match="read-only"):
        out.steps[0].logits[0] = 0
    mine = np.zeros(4)
    line = ca.Sampler(seed=0).explain(mine)
    mine[:] = 7
    assert line.source.logits.tolist() == [0, 0, 0, 0]


def test_a_ledger_is_kept_where_it_fits():
    fake = FakeModel()
    longest = KEPT_LOGITS // (4 * fake.d_vocab)
    from cutaway.settings import parse_settings

    def kept(max_new_tokens, **more):
        given = {"max_new_tokens": max_new_tokens, **{k: more.pop(k) for k in ("ledger", "n") if k in more}}
        return parse_settings(given, n_ctx=10**9, stop_ids=[], d_vocab=fake.d_vocab, **more).ledger

    assert kept(longest) and not kept(longest + 1)
    assert not kept(longest, n=2) and not kept(longest, prompts=2)
    assert kept(longest + 1, ledger=True) and not kept(1, ledger=False)
    assert text(ledger=False).settings["ledger"] is False and text().settings["ledger"] is True
    with pytest.raises(ca.ArgumentError, match="ledger=True"):
        text(ledger=False).ledger()


def test_tables():
    out = text(top_k=3)
    ledger = out.ledger()
    steps, stages = ledger.to_pandas(), ledger.to_pandas(stages=True)
    assert isinstance(steps, pandas.DataFrame)
    assert steps["token"].tolist() == out.ids.tolist() and steps["logprob"].tolist() == out.logprobs.tolist()
    assert stages[["step", "stage"]].iloc[:3].values.tolist() == [[0, "temperature"], [0, "top_k"], [1, "temperature"]]
    assert out.steps[1].explain().to_pandas()["stage"].tolist() == ["temperature", "top_k"]
    assert len(ledger[2:5]) == 3 and ledger[-1].token == out.ids[-1]
    assert repr(ledger).count("\n") == 12 and "Sampler ledger" in ledger._repr_html_()
    assert repr(ledger[:0]) == "Sampler ledger: no rows"


def test_the_view_of_a_step():
    out = text(top_k=2)
    view = out.steps[4].explain()._repr_html_()
    assert view.count("removed") >= 2 and "<script" not in view and "u = " in view
    assert 'src="http' not in view and "@import" not in view


def test_a_sampler_without_stages_has_entropies_all_the_same():
    logits = np.log(np.asarray([0.5, 0.25, 0.25], np.float32))
    one = ca.Sampler([], seed=1).explain(logits)
    assert one.entropies == (pytest.approx(1.5 * np.log(2), rel=1e-6),) * 2 and one.stages == ()
    ledger = text(sampler=[]).ledger()
    same = text(temperature=1.0).ledger()
    assert [e.draw for e in ledger] == [e.draw for e in same]
    for a, b in zip(ledger.records(), same.records(), strict=True):
        assert a["entropy_before"] == a["entropy_after"] == pytest.approx(b["entropy_before"], rel=1e-12)
    assert [cells[3] for cells in map(ledger.cells, ledger)] == [cells[3] for cells in map(same.cells, same)]


def test_the_view_of_an_explanation(tmp_path):
    one = text(top_k=5).steps[2].explain()
    view = one.view(top=2)
    assert view._repr_html_().count("<tr") < one._repr_html_().count("<tr")
    assert view.save(tmp_path / "step.html").read_text("utf-8") == view.page()
    with pytest.raises(ca.ArgumentError, match="top must be a whole number, 1 or greater, got 0"):
        one.view(top=0)
    with pytest.raises(ca.Error, match="cannot be written: No such file"):
        view.save(tmp_path / "nowhere" / "step.html")

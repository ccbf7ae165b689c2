"""The logit lens against NumPy: what each layer would say, the target's rank, and the table of it."""

import re
from dataclasses import replace

import cutaway as ca
import numpy as np
import pytest
from cutaway import lens as module
from cutaway.reference import llama
from cutaway.reference.embed import unembed
from cutaway.reference.norms import rms_norm
from cutaway.views import lens as lens_view
from small_variants import IDS

TEXT = "the other water in the hall"


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_hand(model, x, positions=None):
    """Probabilities of every layer [layer, pos, d_vocab], and the model's own logits."""
    names = ["embed", *(f"blocks.{i}.resid_post" for i in range(model.config.n_layers))]
    logits, trace = model.run_with_cache(x, names)
    rows = slice(None) if positions is None else positions
    return softmax(np.stack([model.unembed(trace[name]) for name in names]))[:, rows], logits[rows]


@pytest.mark.parametrize("compute", ["float32", "int8"])
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_every_number_by_hand(family, compute, small_model):
    model = small_model(family, "Q8_0", compute=compute).model
    got = model.lens(IDS, top=4)
    probs, logits = by_hand(model, IDS)
    assert got.layers == ("embed", "0", "1") and got.names[-1] == "blocks.1.resid_post"
    order = np.argsort(-probs, axis=-1, kind="stable")
    assert np.array_equal(got.top_ids, order[..., :4]) and np.array_equal(got.ids, order[..., 0])
    np.testing.assert_allclose(got.top_probs, np.take_along_axis(probs, order[..., :4], -1), rtol=1e-12)
    np.testing.assert_allclose(got.entropy, -(probs * np.log(probs)).sum(-1), rtol=1e-9, atol=1e-12)
    final = logits.argmax(1)  # the last layer is the model's own prediction
    assert np.array_equal(got.ids[-1], final) and np.array_equal(got.target_ids, final)
    assert (got.target_ranks[-1] == 1).all() and np.array_equal(got.target_probs[-1], got.probs[-1])
    ranks = 1 + np.argmax(order == final[None, :, None], axis=-1)
    assert np.array_equal(got.target_ranks, ranks) and ranks[0].max() > 1
    np.testing.assert_allclose(
        got.target_probs, np.take_along_axis(probs, final[None, :, None], -1)[..., 0], rtol=1e-12
    )


def test_equals_the_numpy_twin(small_model):
    small = small_model("llama")
    values, w = llama.forward(small.config, small.weights, IDS), small.weights
    got = small.model.lens(IDS)
    for i, name in enumerate(got.names):
        twin = unembed(rms_norm(values[name], w["ln_final.w"], small.config.eps), w["unembed.W_U"])
        np.testing.assert_allclose(got.probs[i], softmax(twin).max(1), rtol=2e-4)


def test_targets(small_model):
    model = small_model("llama").model
    probs, _ = by_hand(model, IDS)
    following = model.lens(IDS, target="next")
    assert following.target_ids.tolist() == [*IDS[1:], -1]
    np.testing.assert_allclose(following.target_probs[:, :-1], probs[:, np.arange(23), IDS[1:]], rtol=1e-12)
    assert np.isnan(following.target_probs[:, -1]).all() and (following.target_ranks[:, -1] == 0).all()
    one = model.lens(IDS, target=7, positions=[-1, 3])
    assert one.positions.tolist() == [23, 3] and one.target_ids.tolist() == [7, 7]
    np.testing.assert_allclose(one.target_probs, probs[:, [23, 3], 7], rtol=1e-12)
    assert model.lens(IDS, target=[5, 6], positions=[0, 1]).target_ids.tolist() == [5, 6]
    for bad in ("last", [1, 2, 3], 1.5, [[1], [2, 3]]):
        with pytest.raises(ca.ArgumentError, match="target is .*, expected 'final'"):
            model.lens(IDS, target=bad)
    for bad in (-1, 273):
        with pytest.raises(ca.ArgumentError, match=r"expected 0 to 272"):
            model.lens(IDS, target=bad)
    with pytest.raises(ca.ArgumentError, match="top must be a whole number"):
        model.lens(IDS, top=0)


def test_chunks_do_not_show(small_model, monkeypatch):
    """No array [layer, pos, d_vocab]: rows are unembedded in chunks, and any chunk gives the same bits."""
    model = small_model("gemma3").model
    whole = model.lens(IDS)
    sizes = []
    unembed_rows = type(model).unembed
    monkeypatch.setattr(type(model), "unembed", lambda self, rows: sizes.append(len(rows)) or unembed_rows(self, rows))
    monkeypatch.setattr(module, "_CHUNK_BYTES", 4 * 273 * 5)
    parts = model.lens(IDS)
    assert max(sizes) == 5 and sum(sizes) == 3 * 24
    for name in ("top_ids", "top_probs", "entropy", "target_probs", "target_ranks"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_a_batch_and_a_hook(small_model):
    model = small_model("llama").model
    a, b = model.lens([IDS, IDS[:5]])
    assert np.array_equal(a.top_probs, model.lens(IDS).top_probs) and b.ids.shape == (3, 5)
    broken = model.hooks({"blocks.0.resid_post": lambda x, name: np.full_like(x, np.nan)})
    with broken, pytest.raises(ca.ArgumentError, match="after blocks.1.resid_post at position 0 are not finite"):
        model.lens(IDS)


def test_frame(small_model):
    pytest.importorskip("pandas")
    got = small_model("llama").model.lens(TEXT, positions=[0, -1], target="next")
    table = got.to_pandas()
    assert len(table) == 3 * 2 and table["layer"].tolist() == ["embed"] * 2 + ["0"] * 2 + ["1"] * 2
    assert table["token"][0] == "t" and table["target_text"].isna().tolist() == [False, True] * 3
    assert table["id"].tolist() == got.ids.reshape(-1).tolist()
    assert np.array_equal(table["probability"], got.probs.reshape(-1))


# ---- the table


def test_the_table_marks_the_target_and_says_what_it_shows(small_model):
    result = small_model("llama").model.lens(TEXT)
    view = lens_view(result)
    page, n = view.page(), len(result.positions)
    assert len(re.findall(r"<td class=\"?heat", page)) == 3 * n
    assert page.count('class="heat hit"') == (result.ids == result.target_ids).sum()
    assert f"{n} positions" in page and "the target, the model's own answer" in page
    assert result._repr_html_() == view._repr_html_() and repr(result) == repr(view)
    lines = repr(view).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["layer", "embed", "0", "1"] and "*" in lines[3]


def test_long_texts_are_windowed_below_200_kb(small_model):
    model = small_model("llama", n_layers=12).model
    result = model.lens(np.resize(IDS, 200), top=10)
    page = lens_view(result).page()
    assert len(page.encode()) < 200_000
    stop = int(re.search(r"positions 0 to (\d+) of 200; start=\d+ shows more", page)[1]) + 1
    rest = lens_view(result, start=stop).page()
    assert f"positions {stop} to" in rest and len(rest.encode()) < 200_000
    assert "positions 7 to 9 of 200" in lens_view(result, start=7, count=3).page()
    with pytest.raises(ca.ArgumentError, match="start is 200, but there are 200 positions"):
        lens_view(result, start=200)
    with pytest.raises(ca.ArgumentError, match=r"shows a Lens, got the text .text.; pass model.lens\(text\)"):
        lens_view("text")


class Hostile:
    def tokens(self, ids):
        return ["</td><script>alert(1)</script>\"'" for _ in ids]


def test_hostile_and_missing_token_text(small_model):
    result = small_model("llama").model.lens(IDS)
    result = replace(result, tokenizer=Hostile())
    page = lens_view(result).page()
    assert "<script>alert" not in page and "</td><script" not in page and "&lt;/td&gt;" in page
    page = lens_view(replace(result, tokenizer=None)).page()
    assert f"id {result.ids[0, 0]}" in page


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_real_models_know_the_answer_late(name, real_model):
    model = real_model(name)
    result = model.lens("The capital of France is the city of", positions=-1)
    assert result.text(result.ids[-1, 0]) == " Paris"
    assert result.target_ranks[0, 0] > 100 and result.target_ranks[-1, 0] == 1
    assert np.array_equal(result.ids[-1], model("The capital of France is the city of")[-1:].argmax(1))

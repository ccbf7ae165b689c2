"""The attention view: what it embeds is the pattern, what it shows can be chosen, and what it leaves out it says."""

import base64
import html
import json
import re
import zlib

import cutaway as ca
import numpy as np
import pytest
from browser import probe
from cutaway.views import attention
from cutaway.views.masks import alpha_png, pooled
from small_variants import IDS

QUANTUM = 0.004


def data_of(view):
    return json.loads(re.search(r"data-w='(.*?)'", view.page())[1])


def decoded(data, layer):
    """float64 [n_heads, row, earlier + key]: the weights in the page, 0 behind each query."""
    ends = [q + 1 + data["earlier"] for q in data["queries"]]
    raw = np.frombuffer(base64.b64decode(data["layers"][str(layer)]), np.uint8).reshape(-1, sum(ends))
    out = np.zeros((len(raw), len(ends), max(ends)))
    for i, (at, end) in enumerate(zip(np.cumsum([0, *ends]), ends, strict=False)):
        out[:, i, :end] = (raw[:, at : at + end] / 255) ** 2
    return out


def patterns(model, ids=IDS):
    return model.run_with_cache(ids, "blocks.*.attn.pattern")[1]


def uniform(n_heads, n):
    """Every query looks at all keys up to it alike."""
    return np.repeat((np.tri(n) / np.arange(1, n + 1)[:, None])[None], n_heads, 0).astype(np.float32)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_page_holds_the_pattern(family, small_model):
    trace = patterns(small_model(family).model)
    data = data_of(attention(trace))
    assert sorted(data["layers"]) == ["0", "1"] and data["queries"] == [*range(24)] and data["earlier"] == 0
    for i in (0, 1):
        np.testing.assert_allclose(decoded(data, i), trace[f"blocks.{i}.attn.pattern"], atol=QUANTUM, rtol=0)
    if family == "gemma3":  # a window of 8: nothing outside it
        assert decoded(data, 0)[:, 20, :13].max() == 0 < decoded(data, 1)[:, 20, :13].max()


def test_a_window_sums_up_what_is_before_it(small_model):
    trace = patterns(small_model("llama").model)
    view = attention(trace, layer=1, start=10, count=6)
    data, whole = data_of(view), trace["blocks.1.attn.pattern"]
    got = decoded(data, 1)
    assert data["earlier"] == 1 and data["queries"] == [*range(6)]
    np.testing.assert_allclose(got[:, :, 0], whole[:, 10:16, :10].sum(2), atol=QUANTUM)
    np.testing.assert_allclose(got[:, :, 1:], whole[:, 10:16, 10:16], atol=QUANTUM)
    page = view.page()
    assert "Tokens 10 to 15 of 24" in page and "10 earlier" in page


def test_appended_tokens_know_their_past(small_model):
    model = small_model("llama").model
    session = model.session()
    session.append(IDS[:9])
    _, trace = session.append(IDS[9:12], names="blocks.*.attn.pattern")
    assert trace.ids.tolist() == IDS[:12].tolist() and trace.positions.tolist() == [9, 10, 11]
    data = data_of(attention(trace))
    assert data["queries"] == [9, 10, 11]
    np.testing.assert_allclose(decoded(data, 0), trace["blocks.0.attn.pattern"], atol=QUANTUM)
    assert repr(attention(trace)).count("\n") >= 4
    step = model.generate(IDS, max_new_tokens=3, temperature=0, names=["blocks.*.attn.pattern"]).steps[2]
    assert data_of(attention(step.trace))["queries"] == [25]
    _, chosen = model.run_with_cache(IDS, "blocks.0.attn.pattern", positions=[-1, 4])
    assert chosen.positions.tolist() == [23, 4] and data_of(attention(chosen))["queries"] == [23, 4]


def test_a_session_knows_its_ids(small_model):
    model = small_model("llama").model
    a = model.session()
    assert a.ids.tolist() == []
    a.append(IDS[:4])
    b = a.fork()
    ca.step([a, b], [7, 8])
    b.truncate(3)
    b.append(9)
    assert a.ids.tolist() == [*IDS[:4], 7] and b.ids.tolist() == [*IDS[:3], 9]
    model._core.forward([b._core], [np.asarray([1, 2], np.int32)], "none", [], {}, [])  # as an interrupt leaves it
    assert b.ids is None
    b.append([3])
    assert b.ids is None
    b.truncate(4)
    assert b.ids.tolist() == [*IDS[:3], 9]


def test_arrays_and_what_is_wrong_with_them(small_model):
    p = uniform(2, 3)
    assert data_of(attention(p, list("abc"), head=1))["head"] == 1
    assert np.allclose(decoded(data_of(attention(p[0], list("abc"))), 0)[0], p[0], atol=QUANTUM)
    for same in (p[None], p.astype(np.float16), p[None].astype(np.float16)):  # 1/3 rounds to 85/255 in both
        assert data_of(attention(same, list("abc"))) == data_of(attention(p, list("abc")))
    model = small_model("llama").model
    trace = patterns(model)
    for call, message in [
        (lambda: attention(np.stack([p, p]), list("abc")), "expected a trace or weights"),
        (lambda: attention(p), "Pass tokens=, the 3 tokens of the keys"),
        (lambda: attention(p, ["a"]), "tokens has 1 names, expected one per key: 3"),
        (lambda: attention(np.zeros((2, 3, 2)), list("ab")), "expected a trace or weights"),
        (lambda: attention(-p, list("abc")), r"outside \[0, 1\]"),
        (lambda: attention(p * np.nan, list("abc")), r"outside \[0, 1\]"),
        (lambda: attention(np.swapaxes(p, 1, 2), list("abc")), "keys behind their query"),
        (lambda: attention(trace, layer=2), "Layer 2 is not in the trace; it has patterns of layers 0 to 1"),
        (lambda: attention(trace, layers=[0, 5]), "Layer 5 is not in the trace"),
        (lambda: attention(trace, head=6), "head is 6, expected 0 to 5"),
        (lambda: attention(trace, start=24), "start is 24, but there are 24 tokens"),
        (lambda: attention(model.run_with_cache(IDS, "embed")[1]), "no attention patterns; trace names="),
    ]:
        with pytest.raises(ca.ArgumentError, match=message):
            call()


@pytest.mark.parametrize(("n_heads", "count"), [(9, None), (9, 200), (32, 200)])
def test_200_tokens_stay_below_200_kb(n_heads, count):
    rng = np.random.default_rng(5)
    p = np.tril(rng.random((n_heads, 200, 200)) ** 8).astype(np.float32)  # noise: nothing to compress
    p /= np.maximum(p.sum(2, keepdims=True), 1e-9)
    view = attention(p, [f" tok{i}" for i in range(200)], count=count)
    page = view.page()
    assert len(page.encode()) < 200_000
    assert re.search(r"Tokens 0 to \d+ of 200; start= and count= show others", page)
    np.testing.assert_allclose(
        decoded(data_of(view), 0), p[:, : len(data_of(view)["queries"]), : len(data_of(view)["queries"])], atol=QUANTUM
    )


def test_layers_that_do_not_fit_are_named(small_model):
    model = small_model("llama", n_layers=12).model
    trace = patterns(model, np.resize(IDS, 90))
    page = attention(trace, layer=5, count=90).page()
    assert len(page.encode()) < 200_000
    inside = [int(i) for i in data_of(attention(trace, layer=5, count=90))["layers"]]
    assert 5 in inside and 1 < len(inside) < 12
    assert f"In this page: layers {inside[0]} to {inside[-1]}" in page and "For layers 0 to " in page
    chosen = attention(trace, layer=5, count=90, layers=[5, 11])
    assert sorted(data_of(chosen)["layers"]) == ["11", "5"]
    _, one = model.run_with_cache(IDS, "blocks.3.attn.pattern")
    assert "Traced: layer 3 of 12" in attention(one).page()


READ = """const tok=i=>document.querySelectorAll('.flow .tok')[i], big=document.querySelector('.big .map');
const state=()=>({label:big.getAttribute('aria-label'),now:document.querySelector('.now').textContent,
  shares:[...document.querySelectorAll('.flow .tok')].map(t=>+t.style.getPropertyValue('--v')),
  query:[...document.querySelectorAll('.flow .tok')].findIndex(t=>t.classList.contains('query')),
  pressed:[...document.querySelectorAll('.head')].findIndex(b=>b.getAttribute('aria-pressed')==='true'),
  mask:getComputedStyle(big).getPropertyValue('--m').length});"""


def test_selecting_a_head_a_layer_and_a_token(small_model, tmp_path):
    trace = patterns(small_model("llama").model, IDS[:8])
    before, head, layer, token, tip = probe(
        attention(trace).page(),
        READ
        + """const out=[state()];document.querySelectorAll('.head')[3].click();out.push(state());
        const s=document.querySelector('select');s.value=1;s.dispatchEvent(new Event('change'));out.push(state());
        tok(4).focus();out.push(state());out.push(tok(4).querySelector('.tip p').textContent);return out""",
        tmp_path,
    )
    assert before["label"] == "attention pattern of layer 0, head 0" and before["pressed"] == 0
    assert head["label"] == "attention pattern of layer 0, head 3" and head["pressed"] == 3
    assert layer["label"] == "attention pattern of layer 1, head 3"
    assert before["query"] == layer["query"] == 7 and token["query"] == 4
    for state, i, h, q in ((before, 0, 0, 7), (head, 0, 3, 7), (layer, 1, 3, 7), (token, 1, 3, 4)):
        expected = trace[f"blocks.{i}.attn.pattern"][h, q]
        np.testing.assert_allclose(np.square(state["shares"]), expected, atol=QUANTUM + 1e-3)
        assert state["mask"] > 100
    assert token["now"].startswith("layer 1, head 3, query '")
    weights = trace["blocks.1.attn.pattern"][3, 4]
    shown = [float(w) for w in re.findall(r"' ([\d.]+) %", tip)]
    np.testing.assert_allclose(shown, 100 * np.sort(weights)[::-1][: len(shown)], atol=1.0)


def test_the_map_shows_the_pattern(tmp_path):
    """The pixels of the large map: lightness falls with the weight, and the row under the pointer is read out."""
    p = uniform(1, 4)
    page = attention(p, [f"t{i}" for i in range(4)]).page()
    now = probe(
        page,
        """const area=document.querySelector('.big .area'), box=document.querySelector('.big .map').getBoundingClientRect();
        area.dispatchEvent(new PointerEvent('pointermove',{clientX:box.left+box.width*.4,clientY:box.top+box.height*.6}));
        return document.querySelector('.now').textContent""",
        tmp_path,
    )
    assert now == "layer 0, head 0, query 't2' → key 't1' 33 %"


def test_arrow_keys_read_the_map(tmp_path):
    page = attention(uniform(1, 4), [f"t{i}" for i in range(4)]).page()
    read = probe(
        page,
        """const area=document.querySelector('.big .area');area.focus();
        const press=key=>{document.activeElement.dispatchEvent(new KeyboardEvent('keydown',{key:'Arrow'+key}));
          return document.querySelector('.now').textContent.split('query ')[1]};
        return [area.tabIndex,...['Left','Up','Up','Left','Left','Down','Right','Right','Down','Down'].map(press)]""",
        tmp_path,
    )
    assert read == [
        0,  # the last query is shown first, and its own key
        *("'t3' → key 't2' 25 %", "'t2' → key 't2' 33 %", "'t1' → key 't1' 50 %", "'t1' → key 't0' 50 %"),
        *("'t1' → key 't0' 50 %", "'t2' → key 't0' 33 %", "'t2' → key 't1' 33 %", "'t2' → key 't2' 33 %"),
        *("'t3' → key 't2' 25 %", "'t3' → key 't2' 25 %"),
    ]


def test_hostile_token_text(tmp_path):
    evil = [
        "</span><script>document.title='owned'</script>",
        "' onfocus='x",
        '"><img src=x onerror=alert(1)>',
        "\u202eb",
    ]
    page = attention(uniform(2, 4), evil).page()
    assert "<img" not in page and "<script>document" not in page and html.escape(evil[2]) in page
    title, names = probe(
        page,
        "document.querySelectorAll('.flow .tok')[3].focus();return [document.title,"
        "document.querySelectorAll('.flow .tok')[3].querySelector('.tip p').textContent]",
        tmp_path,
    )
    assert title == "Attention" and evil[0] in names and "\u202e" not in names


def test_the_terminal_draws_the_chosen_head(small_model):
    p = uniform(2, 3)
    p[1] = np.eye(3)
    lines = repr(attention(p, ["a", "b", "c"], head=1)).splitlines()
    assert lines[0].startswith("layer 0, head 1") and lines[2].endswith("0 ██") and lines[4].endswith("2     ██")
    assert "152 more tokens" in repr(attention(uniform(1, 200), ["x"] * 200))


def test_masks():
    alpha = np.arange(6 * 5, dtype=np.uint8).reshape(6, 5) * 8
    png = alpha_png(alpha)
    at = png.index(b"IDAT")
    size = int.from_bytes(png[at - 4 : at], "big")
    rows = np.frombuffer(zlib.decompress(png[at + 4 : at + 4 + size]), np.uint8).reshape(6, 11)
    assert (rows[:, 0] == 0).all() and np.array_equal(rows[:, 2::2], alpha) and (rows[:, 1::2] == 0).all()
    assert pooled(alpha, 6).tolist() == alpha.tolist()
    assert pooled(alpha, 3).tolist() == [[48, 64, 72], [128, 144, 152], [208, 224, 232]]

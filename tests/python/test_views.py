"""The rules of the house that every view keeps, in a real browser."""

import re
import tempfile
from functools import cache
from pathlib import Path

import colours
import cutaway as ca
import numpy as np
import pytest
from browser import probe
from compare_models import answer, made, table_of_tokens
from cutaway.generate import generate
from cutaway.pages import page
from cutaway.views import View, attention, chat, loss, next_token, pieces, tokens
from cutaway.views.page import escape, share
from fake_model import FakeModel
from make_models import make_model

ROW = np.log(np.asarray([0.1, 0.2, 0.05, 0.4, 0.25]))

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?\n"}]
CHATML_TEXT = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?\n<|im_end|>\n"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


@cache
def model() -> ca.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.gguf"
        make_model(path, "llama", "F32", 11)
        return ca.load(path)


@cache
def written():
    return generate(FakeModel(), [5, 9], max_new_tokens=8, seed=3, top_k=40)


@cache
def traced():
    return model().run_with_cache("the other\nwater", "*.pattern")[1]


@cache
def file():
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder) / "small.gguf", "llama", "F32", 11)
        return ca.inspect_file(Path(folder) / "small.gguf")


@cache
def timed():
    return model().profile("the other\nwater", max_new_tokens=3, price_per_hour=1.5)


# name -> a result that shows itself, and the number of rows of its table
RESULTS = {
    "generation": (written, 8),
    "ledger": (lambda: written().ledger(), 8),
    "explanation": (lambda: written().steps[2].explain(), 2),
    "comparison": (lambda: made([answer("base"), answer("tuned")]), 2),
    "tokens of two models": (table_of_tokens, None),
    "lens": (lambda: model().lens("the other\nwater"), None),
    "merges": (lambda: model().tokenizer.explain("the other\nwater 12"), None),
    "models": (ca.models, len(ca.models())),
    "names": (lambda: model().names(), None),
    "trace": (traced, 2),
    "file": (file, None),
    "profile": (timed, None),
}

# name -> a small one of every kind of view
VIEWS = {
    **{name: lambda result=result: result().view() for name, (result, _) in RESULTS.items()},
    "side_by_side": lambda: made([answer("base"), answer("tuned"), answer("base", 1), answer("tuned", 1)]).view(),
    "next_token": lambda: next_token(ROW, ca.Sampler([ca.Temperature(0.7), ca.TopK(3)], seed=1)),
    "next_token without a draw": lambda: next_token(ROW),
    "tokens by entropy": lambda: tokens(written(), color="entropy"),
    "loss": lambda: loss(model(), "the other\nwater"),
    "chat": lambda: chat(model(), SAID, template=CHATML),
    "attention": lambda: attention(traced(), layer=1, head=2),
    "pieces": lambda: pieces(model(), "the other\nwater 12"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_stands_alone(name):
    page = VIEWS[name]().page()
    assert not re.search(r"(src|href)\s*=\s*[\"']?(?!data:|#)|@import|url\((?!data:)", page)
    assert "\x1b" not in repr(VIEWS[name]())


@pytest.mark.parametrize("name", VIEWS)
def test_text_stays_a_string_in_a_notebook(name, monkeypatch, capsys):
    outside = repr(VIEWS[name]())
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    inside = repr(VIEWS[name]())
    assert inside == outside != ""
    assert capsys.readouterr().out == ""  # rich shows what it prints there, as a second output of the cell


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_shows_before_a_script_and_reads_in_both_schemes(name, dark, tmp_path):
    seen = probe(
        VIEWS[name]().page(),
        """const view=document.querySelector('.ca'), tips=[...document.querySelectorAll('.tip')];
        const luminance=c=>{const k=document.createElement('canvas').getContext('2d');k.fillStyle=c;k.fillRect(0,0,1,1);
          return [...k.getImageData(0,0,1,1).data].slice(0,3).map(v=>v/255).map(v=>v<=.04045?v/12.92:((v+.055)/1.055)**2.4)
            .reduce((sum,v,i)=>sum+v*[.2126,.7152,.0722][i],0)};
        const style=getComputedStyle(view), fg=luminance(style.color);
        const grounds=[style.backgroundColor,...[...document.querySelectorAll('.heat')].map(e=>getComputedStyle(e).backgroundColor)];
        const contrast=Math.min(...grounds.map(luminance).map(bg=>(Math.max(fg,bg)+.05)/(Math.min(fg,bg)+.05)));
        const closed=tips.filter(tip=>{const owner=tip.parentElement;owner.focus();
          return owner.tabIndex<0||document.activeElement!==owner||getComputedStyle(tip).display==='none'}).length;
        return {height:view.getBoundingClientRect().height,dark:luminance(style.backgroundColor)<.1,contrast,tips:tips.length,closed}""",
        tmp_path,
        dark=dark,
        scripts=False,
    )
    assert seen["dark"] is dark and seen["height"] > 40
    assert seen["contrast"] >= 4.5  # WCAG 2.1 AA, over the darkest and the lightest cell alike
    assert seen["closed"] == 0  # whatever shows on hover can be reached by Tab


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lightness_of_the_scale_is_monotone(dark, tmp_path):
    cells = "".join(f'<i class=heat style="{share(i / 50)}">x</i>' for i in range(51))
    answer = probe(
        View("scale", cells, str).page(),
        "return [...document.querySelectorAll('.heat')].map(e=>getComputedStyle(e).backgroundColor)",
        tmp_path,
        dark=dark,
    )
    shown = [[float(n) for n in re.match(r"oklab\((\S+) (\S+) ([^\s)]+)", colour).groups()] for colour in answer]
    np.testing.assert_allclose(shown, colours.heat(dark), atol=2e-3)  # what the next test looks at
    steps = np.diff(shown, axis=0)[:, 0]
    assert len(shown) == 51 and ((steps > 0).all() if dark else (steps < 0).all())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["protanopia", "deuteranopia", "tritanopia"])
def test_the_scale_keeps_its_order_for_the_colour_blind(name, dark):
    """Whoever lacks a kind of cone still sees every share darker (in the dark lighter) than the one before it."""
    rgb = colours.linear(colours.heat(dark))
    for simulated in (colours.MACHADO, colours.VIENOT):
        if name in simulated:
            seen = colours.lightness(rgb @ np.transpose(simulated[name]))
            steps = np.diff(seen) * (1 if dark else -1)
            assert steps.min() > 0.3 * steps.mean() > 0.1  # L*: no two neighbours alike, no flat stretch
            assert np.ptp(seen) > 0.8 * np.ptp(colours.lightness(rgb))


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_saves_a_page_and_has_its_rows(name, tmp_path):
    make, n = RESULTS[name]
    result = make()
    path = result.save(tmp_path / "x.html")
    page = path.read_text("utf-8")
    assert path == tmp_path / "x.html" and page.startswith("<!doctype html>")
    assert result._repr_html_() in page and f"<title>{escape(result.view().title)}</title>" in page
    frame, records = result.to_pandas(), result.records()
    assert len(frame) == len(records) == (n or len(records)) > 1 and frame.columns.tolist() == list(records[0])
    assert result.view().to_pandas().equals(frame)
    assert repr(result) and "<" not in repr(result).split("\n")[0]


def test_what_is_no_table_says_so(tmp_path):
    with pytest.raises(ca.Error, match="'Attention' is a picture and has no rows"):
        VIEWS["attention"]().to_pandas()
    with pytest.raises(ca.Error, match="cannot be written"):
        ca.models().save(tmp_path)


def test_rows_of_views_that_are_no_result():
    scored = loss(model(), [3, 4, 5], start=1, count=1).to_pandas()
    assert scored.id.tolist() == [3, 4, 5] and np.isnan(scored.loss[0])
    assert scored.loss[1:].tolist() == pytest.approx((-model().score([3, 4, 5])).tolist())
    bars = next_token(ROW, top=3).to_pandas()
    assert bars.id.tolist() == [3, 4, 1] and bars.probability.tolist() == pytest.approx([0.4, 0.25, 0.2])
    said = chat(model(), SAID, template=CHATML).to_pandas()
    text = CHATML_TEXT
    assert [text[a:b] for a, b in zip(said.begin, said.end, strict=True)] == said.text.tolist()
    assert "messages[0], system" in said["from"].tolist() and said["from"][0] == "the template"


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_is_cut_on_a_narrow_screen(name, tmp_path):
    seen = probe(
        VIEWS[name]().page(),
        """const focusable=e=>e.tabIndex>=0||e.querySelector('[tabindex],summary,button:enabled');
        const boxes=[...document.querySelectorAll('.ca, .ca *')].filter(e=>e.clientWidth&&!e.closest('svg'));
        const wide=boxes.filter(e=>e.scrollWidth>e.clientWidth+1&&getComputedStyle(e).overflowX==='auto');
        const cut=[...document.querySelectorAll('.ca [tabindex]>.tip')].filter(tip=>{tip.parentElement.focus();
          return [tip,...tip.querySelectorAll('div')].some(e=>e.scrollWidth>e.clientWidth+1||e.scrollHeight>e.clientHeight+2)});
        return {page:document.documentElement.scrollWidth,locked:wide.filter(e=>!focusable(e)).length,cut:cut.length}""",
        tmp_path,
        width=500,
    )
    assert seen == {"page": 500, "locked": 0, "cut": 0}


@pytest.mark.parametrize("name", VIEWS)
def test_the_text_remains_where_the_style_is_stripped(name, tmp_path):
    """A notebook that is not trusted: no style sheets, no scripts."""
    page = re.sub("<(style|script)>.*?</(style|script)>", "", VIEWS[name]().page(), flags=re.S)
    seen = probe(
        page,
        """const left=[...document.querySelectorAll('.tip,.styled')].filter(e=>e.getClientRects().length).length;
        const bare=[...document.querySelectorAll('[hidden]')].filter(e=>!e.getAttribute('hidden')).length;
        return {text:document.body.innerText,left,bare}""",
        tmp_path,
        scripts=False,
    )
    assert "once this notebook is trusted" in seen["text"] and seen["left"] == 0
    assert seen["bare"] == 0  # JupyterLab drops an attribute without a value
    assert 100 < len(seen["text"]) < 4000


def test_many_views_on_one_page_keep_their_looks(tmp_path):
    """As in a notebook: the style sheet of each comes again after that of the one before."""
    looks = "return [...document.querySelectorAll('.styled')].map(e=>getComputedStyle(e).display)"
    names = ("attention", "lens", "next_token", "chat", "comparison")
    views = [VIEWS[name]() for name in names]
    alone = [look for view in views for look in probe(view.page(), looks, tmp_path)]
    together = probe(page("all", {}, [("", view) for view in views]), looks, tmp_path)
    assert together == alone and {"grid", "flex", "block"} == set(alone)


def test_keeps_its_tables_in_jupyterlab(tmp_path):
    """JupyterLab's own rules for the outputs of cells: numbers to the right, code on grey, stripes."""
    lab = (
        "<style>.jp-RenderedHTMLCommon:not(.jp-RenderedMarkdown) td,.jp-RenderedHTMLCommon:not(.jp-RenderedMarkdown) th"
        "{text-align:right;padding:.5em}.jp-RenderedHTMLCommon tbody tr:nth-child(odd){background:red}"
        ".jp-RenderedHTMLCommon :not(pre)>code{background:grey;padding:1px 5px}</style>"
    )
    seen = probe(
        f"<!doctype html>{lab}<div class=jp-RenderedHTMLCommon>{VIEWS['next_token']()._repr_html_()}</div>",
        """const of=(what,key)=>[...new Set([...document.querySelectorAll('.ca '+what)].map(e=>getComputedStyle(e)[key]))];
        return {align:of('.stages td','textAlign'),row:of('tbody tr','backgroundColor'),code:of('code','paddingLeft')}""",
        tmp_path,
    )
    assert seen == {"align": ["left"], "row": ["rgba(0, 0, 0, 0)"], "code": ["0px"]}

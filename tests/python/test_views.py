"""The rules of the house that every view keeps, in a real browser."""

import re
import tempfile
from functools import cache
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from browser import probe
from compare_models import answer, made, table_of_tokens
from cutaway.generate import generate
from cutaway.views import View, attention, chat, lens, loss, next_token, pieces, tokens
from cutaway.views.divergence import divergence
from cutaway.views.page import share
from fake_model import FakeModel
from make_models import make_model

ROW = np.log(np.asarray([0.1, 0.2, 0.05, 0.4, 0.25]))

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?\n"}]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


@cache
def model() -> ca.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.gguf"
        make_model(path, "llama", "F32", 11)
        return ca.load(path)


# name -> a small one of every kind of view
VIEWS = {
    "side_by_side": lambda: made([answer("base"), answer("tuned"), answer("base", 1), answer("tuned", 1)]).view(),
    "divergence": lambda: divergence(table_of_tokens()),
    "next_token": lambda: next_token(ROW, ca.Sampler([ca.Temperature(0.7), ca.TopK(3)], seed=1)),
    "tokens": lambda: tokens(generate(FakeModel(), [5, 9], max_new_tokens=8, seed=3)),
    "tokens by entropy": lambda: tokens(generate(FakeModel(), [5, 9], max_new_tokens=8, seed=3), color="entropy"),
    "loss": lambda: loss(model(), "the other\nwater"),
    "chat": lambda: chat(model(), SAID, template=CHATML),
    "attention": lambda: attention(model().run_with_cache("the other\nwater", "*.pattern")[1], layer=1, head=2),
    "lens": lambda: lens(model().lens("the other\nwater")),
    "pieces": lambda: pieces(model(), "the other\nwater 12"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_stands_alone(name):
    page = VIEWS[name]().page()
    assert not re.search(r"(src|href)\s*=\s*[\"']?(?!data:|#)|@import|url\((?!data:)", page)
    assert "\x1b" not in repr(VIEWS[name]())


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
          return document.activeElement!==owner||getComputedStyle(tip).display==='none'}).length;
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
    lightness = [float(re.match(r"oklab\(([\d.]+)", colour)[1]) for colour in answer]
    steps = np.diff(lightness)
    assert len(lightness) == 51 and ((steps > 0).all() if dark else (steps < 0).all())


def test_saves_a_page(tmp_path):
    path = VIEWS["next_token"]().save(tmp_path / "x.html")
    assert path == Path(tmp_path / "x.html") and path.read_text("utf-8").startswith("<!doctype html>")

"""Views of texts, token by token: exact on small models, within their size on a real one, safe with hostile text."""

import io
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import cutaway as ca
import fake_model
import numpy as np
import pytest
from cutaway import views
from cutaway.generate import generate
from cutaway.views.alternatives import alternatives
from fake_model import FakeModel
from rich.console import Console

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Chips(HTMLParser):
    """The chips of a view: .text as it would be copied (line breaks by <br>), .share, .classes, .tip as text lines."""

    def __init__(self, view):
        super().__init__()
        self.chips, self._open, self._tip_at = [], [], None
        self.feed(view if isinstance(view, str) else view._repr_html_())

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        classes = given.get("class", "").split()
        if "tok" in classes:
            found = re.search(r"--v:([\d.e-]+)", given.get("style", ""))
            share = float(found[1]) if found else None
            self.chips.append(SimpleNamespace(text="", share=share, classes=classes, tip="", breaks=0, parts=[]))
            self._open = ["tok"]
        elif self._open:
            if tag == "br":
                self.chips[-1].tip += "\n" * (self._tip_at is not None)
            else:
                self._open.append(tag)
                if "tip" in classes:
                    self._tip_at = len(self._open)
                if "part" in classes:
                    self.chips[-1].parts.append("")
        elif tag == "br" and self.chips:
            self.chips[-1].breaks += 1

    def handle_endtag(self, tag):
        if self._open:
            self.chips[-1].tip += "\n" * (tag in ("div", "u"))
            if self._tip_at == len(self._open):
                self._tip_at = None
            self._open.pop()

    def handle_data(self, data):
        if self._open and self._tip_at is None:
            self.chips[-1].text += data
            if self.chips[-1].parts and len(self._open) > 1:
                self.chips[-1].parts[-1] += data
        elif self._open:
            self.chips[-1].tip += data


def chips(view):
    return Chips(view).chips


def plain_text(page):
    return re.sub(r"<[^>]+>", "", re.sub(r"<style>.*?</style>", "", page, flags=re.S))


# ---- generated tokens


def test_chips_say_what_the_ledger_says():
    out = generate(FakeModel(), [5, 200, 256], max_new_tokens=9, seed=4, temperature=0.8, top_k=30)
    prompt, new = chips(views.tokens(out))[:3], chips(views.tokens(out))[3:]
    assert [chip.classes for chip in prompt] == [["tok", "dim"]] * 3 and prompt[2].text == "<stop>"
    assert len(new) == len(out.steps)
    for chip, step, line in zip(new, out.steps, out.ledger(), strict=True):
        probs = np.exp(step.logits - step.logits.max(), dtype=np.float64)
        probs /= probs.sum()
        assert chip.share == pytest.approx(np.exp(step.logprob), rel=5e-3) and "heat" in chip.classes
        tip = chip.tip.split("\n")
        assert tip[0].endswith(f"id {step.id}") and tip[1] == f"step {step.index}, position {3 + step.index}"
        assert tip[2] == f"model: P {100 * np.exp(step.logprob):.1f} %, log P {step.logprob:.3f}"
        assert tip[3] == f"sampler: P {100 * np.exp(step.sampled_logprob):.1f} %, log P {step.sampled_logprob:.3f}"
        entropy = line.stages[0].entropy_before
        assert tip[4] == f"rank {line.draw.rank_before}, entropy {entropy:.2f} nats"
        best = np.argsort(-probs, kind="stable")[:5]
        assert [float(part.split(" %")[0]) for part in tip[5:10]] == [round(100 * probs[i], 1) for i in best]


def test_the_colour_of_entropy_grows_with_it():
    out = generate(FakeModel(), [5], max_new_tokens=6, seed=4)
    entropies = np.asarray([alternatives(step.logits, step.id, 0).entropy for step in out.steps])
    shares = [chip.share for chip in chips(views.tokens(out, color="entropy"))[1:]]
    np.testing.assert_allclose(shares, entropies / entropies.max(), rtol=5e-3)


@pytest.mark.parametrize("logits", [[0.0, 3.0, 3.0, -np.inf, 1.0, 3.0], [0.5] * 7, [1.0], [-np.inf, 2.0]])
def test_alternatives_equal_a_sort(logits):
    row = np.asarray(logits, np.float32)
    probs = np.exp(row.astype(np.float64) - row.max())
    probs /= probs.sum()
    order = np.argsort(-row, kind="stable")
    entropy = -sum(p * np.log(p) for p in probs if p > 0)
    for id in range(len(row)):
        found = alternatives(row, id, 3)
        assert found.rank == 1 + list(order).index(id) and found.entropy == pytest.approx(entropy, abs=1e-12)
        assert [i for i, _ in found.best] == [i for i in order[:3] if probs[i] > 0]
        assert [p for _, p in found.best] == pytest.approx([probs[i] for i, _ in found.best])


def test_line_breaks_break_lines_and_show(monkeypatch):
    monkeypatch.setitem(fake_model.SPELLING, fake_model.HELLO, b".\n\n\n")
    model = FakeModel([97, 10, fake_model.HELLO, 98, fake_model.STOP], n_prompt=1)
    view = views.tokens(generate(model, [97], max_new_tokens=5, temperature=0, ledger=True))
    assert [(chip.text, chip.breaks) for chip in chips(view)] == [
        ("a", 0),
        ("a", 0),
        ("", 1),
        (".", 2),
        ("b", 0),
        ("<stop>", 0),
    ]
    assert view._repr_html_().count("<i class=nl>") == 4
    assert repr(view).startswith("aa⏎\n.⏎⏎⏎\n\nb<stop>\n")


def test_hostile_tokens_stay_text(monkeypatch):
    hostile = {
        250: b"<script>alert(1)</script>",
        251: b"\"'`&amp;",
        252: b"\x00\x1b[31m",
        253: "\u202eabc\u200f".encode(),
    }
    for id, spelling in hostile.items():
        monkeypatch.setitem(fake_model.SPELLING, id, spelling)
    out = generate(FakeModel([*hostile, 65]), [250], max_new_tokens=5, temperature=0)
    page = out._repr_html_()
    assert [chip.text for chip in chips(page)] == [
        "<script>alert(1)</script>",
        "<script>alert(1)</script>",
        "\"'`&amp;",
        r"\x00\x1b[31m",
        r"\u202eabc\u200f",
        "A",
    ]
    for text in (page, repr(views.tokens(out))):
        assert not set("\x00\x1b\u202e\u200f") & set(text)
    assert "<script" not in page and "'<script>alert(1)</script>' id 250" in chips(page)[0].tip


def test_windows():
    model = FakeModel()
    model.stop_ids = []
    out, n = generate(model, list(range(100)), max_new_tokens=230, seed=2, ledger=True), 230
    first = views.tokens(out)
    assert len(chips(first)) == 60 + 200 and "… 40 tokens of the prompt …" in first._repr_html_()
    assert f"new tokens 0 to 199 of {n}; start=200 shows more" in plain_text(first._repr_html_())
    rest = views.tokens(out, start=200)
    assert [int(re.search(r"step (\d+)", chip.tip)[1]) for chip in chips(rest)] == list(range(200, n))
    assert f"new tokens 200 to {n - 1} of {n};" in plain_text(rest._repr_html_()).replace(
        " the prompt", "; the prompt", 1
    )
    assert len(chips(views.tokens(out, start=7, count=3))) == 3
    with pytest.raises(ca.ArgumentError, match=f"start is {n}, but there are {n} new tokens; expected 0 to {n - 1}"):
        views.tokens(out, start=n)
    with pytest.raises(ca.ArgumentError, match="count must be a whole number, 1 or greater"):
        views.tokens(out, count=0)


def test_an_empty_generation():
    out = generate(FakeModel(), [65, 66], max_new_tokens=0)
    for color in ("probability", "entropy"):
        view = views.tokens(out, color=color)
        assert [chip.text for chip in chips(view)] == ["A", "B"] and "0 new tokens" in repr(view)


def test_without_a_tokenizer_there_are_ids():
    out = generate(FakeModel(tokenizer=False), [65, 66], max_new_tokens=3, seed=1)
    shown = chips(out._repr_html_())
    assert [chip.text for chip in shown] == [str(i) for i in (65, 66, *out.ids)]
    assert shown[2].tip.startswith(f"id {out.ids[0]}\nstep 0")
    assert repr(views.tokens(out)).startswith(" ".join(str(i) for i in (65, 66, *out.ids)))


def test_without_a_ledger_the_probabilities_remain():
    out = generate(FakeModel(), [65], max_new_tokens=4, seed=1, ledger=False)
    for chip, step in zip(chips(views.tokens(out))[1:], out.steps, strict=True):
        assert chip.share == pytest.approx(np.exp(step.logprob), rel=5e-3)
        assert "rank and alternatives: generate with ledger=True" in chip.tip
    assert f"{out.steps[2].logprob:.3f}" in repr(views.tokens(out))
    with pytest.raises(ca.ArgumentError, match="ledger=True"):
        views.tokens(out, color="entropy")


def test_what_is_no_generation_is_named():
    out = [generate(FakeModel(), [65], max_new_tokens=2)]
    with pytest.raises(ca.ArgumentError, match=r"got a list; pass views.tokens\(out\[0\]\)"):
        views.tokens(out)
    with pytest.raises(ca.ArgumentError, match="got a Stream; pass model.generate"):
        views.tokens(generate(FakeModel(), [65], stream=True))
    with pytest.raises(ca.ArgumentError, match="color is 'rank', expected 'probability' or 'entropy'"):
        views.tokens(out[0], color="rank")


def test_colours_in_the_terminal():
    out = generate(FakeModel("ab"), [65], max_new_tokens=2, temperature=0)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=100)
    console.print(views.tokens(out))
    assert "48;2;86;168;232m" in console.file.getvalue()  # probability 1: the upper end of the scale
    assert "Generation" not in repr(out) and repr(out).startswith("ab\n[tokens: ")


def test_a_generation_shows_its_facts_below():
    out = generate(FakeModel(), [65], max_new_tokens=3, seed=9)
    shown = plain_text(out._repr_html_())
    for fact in ("1 prompt, 3 new, finish_reason", "seed=9", "tok/s", out.fingerprint):
        assert fact in shown


def test_200_tokens_of_a_real_model_are_below_200_kb(real_model):
    model = real_model("smollm2", "int8")
    story = "One day, a girl named Lily went to the park with her mother. " * 15
    out = model.generate(story[:300], max_new_tokens=200, seed=1, temperature=1.5)
    steps = len(out.steps)
    page = views.tokens(out).page()
    assert len(chips(page)) == 60 + steps and len(page.encode()) < 200_000
    view = views.loss(model, story)
    assert len(chips(view)) == 200 and len(view.page().encode()) < 200_000
    long = views.pieces(model, story * 10)
    assert len(chips(long)) == 250 and len(long.page().encode()) < 200_000
    talk = views.chat(model, [{"role": "user", "content": story * 10}])
    assert len(chips(talk)) == 400 and len(talk.page().encode()) < 200_000


# ---- loss


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_loss_is_minus_the_log_probability(small_model):
    model = small_model("llama").model
    ids = np.arange(3, 30, 2)
    losses = -log_softmax(model(ids))[np.arange(len(ids) - 1), ids[1:]]
    assert (-model.score(ids)).tolist() == pytest.approx(losses.tolist(), abs=1e-9)
    view = views.loss(model, ids)
    given, *scored = chips(view)
    assert given.share is None and "given, not scored" in given.tip
    np.testing.assert_allclose([chip.share for chip in scored], losses / losses.max(), rtol=5e-3)
    for t, chip in enumerate(scored, 1):
        tip = chip.tip.split("\n")
        assert tip[1:3] == [f"position {t}", f"loss {losses[t - 1]:.3f} nats = {losses[t - 1] / np.log(2):.3f} bits"]
        assert tip[4].startswith(f"rank {alternatives(model(ids)[t - 1], int(ids[t]), 0).rank}, ")
    mean, shown = losses.mean(), plain_text(view._repr_html_())
    n_bytes = sum(len(model.tokenizer.token_bytes(int(i))) for i in ids[1:])
    for fact in (
        f"mean over {len(losses)} tokens = {mean:.4f} nats",
        f"perplexity = exp(mean) = {np.exp(mean):,.2f}",
        f"{losses.sum() / np.log(2) / n_bytes:.3f} bits per byte ({n_bytes} bytes)",
        "losst = −log P(xt | x&lt;t)",
    ):
        assert fact in shown
    assert "loss_t = -log P(x_t | x_<t)" in repr(view) and f"{losses[3]:.3f}" in repr(view)


def test_loss_of_a_long_text_is_windowed_and_its_mean_is_not(small_model):
    model = small_model("llama", n_ctx=700).model
    ids = np.random.default_rng(3).integers(3, 270, 600)
    losses = -model.score(ids)
    logits = model(ids)
    view = views.loss(model, ids, start=250, count=12)  # across the chunks in which logits are computed
    shown = chips(view)
    assert len(shown) == 12 and "tokens 250 to 261 of 600; start=262 shows more" in plain_text(view._repr_html_())
    for t, chip in enumerate(shown, 250):
        assert f"loss {losses[t - 1]:.3f} nats" in chip.tip
        found = alternatives(logits[t - 1], int(ids[t]), 5)
        assert f"rank {found.rank}, entropy {found.entropy:.2f}" in chip.tip
    assert f"mean over 599 tokens = {losses.mean():.4f} nats" in plain_text(view._repr_html_())


def test_loss_without_a_tokenizer_and_of_too_little(small_model):
    model = small_model("llama", tokenizer=False).model
    view = views.loss(model, [3, 4, 5])
    assert [chip.text for chip in chips(view)] == ["3", "4", "5"] and "bits per byte" not in repr(view)
    with pytest.raises(ca.ArgumentError, match="at least 2 tokens, got 1"):
        views.loss(model, [3])
    with pytest.raises(ca.ArgumentError, match="one text, got a list of 2"):
        views.loss(model, [[3, 4], [5, 6]])


def test_bytes_of_a_loss_are_those_of_the_text(real_model):
    """Gemma's BOS is given and no text; SmolLM2's first token is text, given too."""
    text = "Paris – naïve."
    for name, given in (("gemma3", b""), ("smollm2", b"Paris")):
        model = real_model(name)
        losses = -model.score(text)
        n_bytes = len(text.encode()) - len(given)
        assert f"{losses.sum() / np.log(2) / n_bytes:.3f} bits per byte ({n_bytes} bytes)" in repr(
            views.loss(model, text)
        )


# ---- chat


def test_chat_marks_contents_and_nothing_else(real_model):
    tok = real_model("smollm2").tokenizer
    messages = [{"role": "system", "content": "user"}, {"role": "user", "content": "Hi <|im_end|>\n"}]
    view = views.chat(tok, messages, template=CHATML)
    text = tok.apply_chat_template(messages, template=CHATML)
    ids, offsets = tok.encode(text, parse_special=True), tok.offsets(text, parse_special=True)
    shown = chips(view)
    assert len(shown) == len(ids)
    for chip, id, (begin, end) in zip(shown, ids, offsets, strict=True):
        assert f"id {id}\n" in chip.tip and f"characters {begin} to {end}\n" in chip.tip
        assert f"bytes {tok.token_bytes(int(id)).hex(' ').upper()}" in chip.tip
        assert ("special" in chip.classes) == (tok.token_type(int(id)) == "control")
    own = [(chip.text, re.search("from (.*)", chip.tip)[1]) for chip in shown if "from the template" not in chip.tip]
    assert own == [
        ("user", "messages[0], system"),
        ("Hi", "messages[1], user"),
        (" ", "messages[1], user"),
        ("<|im_end|>", "messages[1], user"),  # as the model reads it: a user can write control tokens
        ("", "messages[1], user"),
    ]
    page = view._repr_html_()
    assert re.findall(r'class=who data-role="(\w+)"', page) == ["system", "user"]
    assert "[system]user<|im_end|>⏎" in repr(view) and "messages[1]" in repr(view)


def test_a_token_of_two_owners_shows_both(real_model):
    tok = real_model("gemma3").tokenizer
    template = "{% for m in messages %}{{ '\\n' + m.content }}{% endfor %}"
    (both, rest) = chips(views.chat(tok, [{"role": "user", "content": "\nHi"}], template=template))
    assert "from the template and messages[0], user" in both.tip and (both.breaks, both.parts) == (2, [""])
    assert rest.text == "Hi" and rest.share is not None


def test_chat_says_what_a_template_leaves_out(real_model):
    messages = [{"role": "user", "content": "one"}, {"role": "<b>tool", "content": "two"}]
    view = views.chat(real_model("smollm2"), messages, template="{{ messages[0].content }}{# '<b>tool' #}")
    for shown in (view._repr_html_(), repr(view)):
        assert "The content of messages[1]" in shown and "leaves it out or rewrites it" in shown
    assert "<b>tool" not in view._repr_html_()
    empty = views.chat(real_model("smollm2"), [{"role": "user", "content": ""}], template="-")
    assert "leaves it out" not in repr(empty)


def test_chat_windows(real_model):
    messages = [{"role": "user", "content": "word " * 50}]
    view = views.chat(real_model("smollm2"), messages, template=CHATML, start=10, count=4)
    assert len(chips(view)) == 4 and "tokens 10 to 13 of" in repr(view)


# ---- pieces


def test_pieces_show_ids_bytes_and_spaces(real_model):
    tok = real_model("smollm2").tokenizer
    text = "The  unbelievable\n\n<b>naïve 😀</b>"
    view = views.pieces(tok, text)
    shown, ids = chips(view), tok.encode(text)
    assert [f"id {i}" in chip.tip for chip, i in zip(shown, ids, strict=True)] == [True] * len(ids)
    raw = b"".join(bytes.fromhex(re.search(r"bytes ([0-9A-F ]+)\n", chip.tip)[1]) for chip in shown)
    assert raw == text.encode()
    page = view._repr_html_()
    assert (
        "·" in shown[1].text
        and "<code>⏎</code> 198" in page
        and "<b>na" not in page
        and "<small>20 F0 9F 98</small>" in page
    )
    assert "20 F0 9F 98" in repr(view) and f"{len(ids)} tokens" in repr(view)
    assert tok.explain(text)._repr_html_() == page
    assert tok.explain(text).pieces[0].token_bytes == (b"The",)


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_pieces_are_windowed_by_tokens(real_model, name):
    tok = real_model(name).tokenizer
    text = "".join(f"{i} times " for i in range(900))  # one piece in Gemma's vocabulary
    n = tok.count(text)
    view = views.pieces(tok, text, start=300, count=100)
    shown = chips(view)
    assert [int(re.search(r"position (\d+)", chip.tip)[1]) for chip in shown] == list(range(300, 400))
    assert [int(re.search(r"id (\d+)", chip.tip)[1]) for chip in shown] == tok.encode(text)[300:400].tolist()
    assert f"tokens 300 to 399 of {n:,}; start=400 shows more" in repr(view)
    assert len(views.pieces(tok, text).page().encode()) < 200_000


HEAVY = {
    "long words": "The infrastructure requirements of international organizations necessitate comprehensive environmental "
    "responsibilities. ",
    "longer words": " responsibilities internationalization",
    "longest tokens": "",
}


@pytest.mark.parametrize("kind", HEAVY)
def test_pieces_of_200_tokens_are_below_200_kb(real_model, kind):
    """Whatever the words are, and nothing of the 200 tokens is left out: the page lists fewer merges of each."""
    tok = real_model("smollm2").tokenizer
    longest = sorted(range(len(tok)), key=lambda id: -len(tok.token_bytes(id)))[:200]
    text = HEAVY[kind] * 120 or tok.decode(longest)
    view = views.pieces(tok, text, count=200)
    page = view.page()
    assert len(page.encode()) < 200_000 and len(chips(page)) == 200
    assert ("more (see .to_pandas(steps=True))" in page) == (kind == "longest tokens")
    assert len(views.pieces(tok, text).page().encode()) < 200_000


def test_a_page_that_is_too_long_has_fewer_tokens(real_model, monkeypatch):
    tok = real_model("smollm2").tokenizer
    monkeypatch.setattr("cutaway.views.encoding._MOST_BYTES", 40_000)
    view = views.pieces(tok, HEAVY["long words"] * 40, start=20)
    shown = chips(view)
    assert 10 < len(shown) < 200 and len(view.page().encode()) <= 40_000
    n = tok.count(HEAVY["long words"] * 40)
    assert f"tokens 20 to {19 + len(shown)} of {n}; start={20 + len(shown)} shows more" in repr(view)


def test_pieces_of_nothing(real_model):
    assert "0 pieces; 0 tokens" in repr(views.pieces(real_model("smollm2"), ""))

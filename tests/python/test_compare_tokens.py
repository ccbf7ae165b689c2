"""Comparison.tokens and .bits_per_byte against independent computations."""

import cutaway as ca
import numpy as np
import pytest
from compare_models import ALPACA, CHATML, load_all, make_files
from cutaway.comparison import answers
from cutaway.comparison.tokens import _GROUP, TokenTable

PROMPTS = ["the other one", "Hello, it is an error"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return load_all(make_files(tmp_path_factory.mktemp("models")))


def run(models, prompts=PROMPTS, **settings):
    return ca.compare(models, prompts, progress=False, **{"max_new_tokens": 20, "n": 2, **settings})


def log_softmax(row):
    wide = row.astype(np.float64)
    return wide - wide.max() - np.log(np.exp(wide - wide.max()).sum())


def lens(model, resid):
    """The final norm and W_U in float64, and the most probable token: [n]."""
    wide = resid.astype(np.float64)
    normalized = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5) * model.weights["ln_final.w"]
    return (normalized @ model.weights["W_U"].astype(np.float64)).argmax(-1)


def test_tokens_against_whole_forward_passes(models):
    templates = {"base": None, "tuned": ALPACA}
    result = run({"base": models["base"], "tuned": models["tuned"]}, templates=templates)
    table = result.tokens(progress=False)
    before, after = ALPACA.split("{prompt}")
    tokenizer = models["base"].tokenizer
    expected = []
    for index, prompt in enumerate(PROMPTS):
        inside = tokenizer.encode(prompt)  # borders of these templates are borders of tokens
        head, tail = tokenizer.encode(before), tokenizer.encode(after)
        said = [("", 0, [])] + [
            (r.model, r.sample, [i for i in r.ids if i != tokenizer.eos_id]) for r in result if r.prompt_index == index
        ]
        for answer_of, sample, answer in said:
            ids = [np.r_[inside, answer].astype(int), np.r_[head, inside, tail, answer].astype(int)]
            starts = [len(inside), len(ids[1]) - len(answer)] if answer_of else [0, len(head)]
            count = len(answer) if answer_of else len(inside)
            ran = [
                models[m].run_with_cache(x, names=["blocks.*.resid_post"]) for m, x in zip(templates, ids, strict=True)
            ]
            for i in range(count):
                at = [start + i - 1 for start in starts]
                if at[0] < 0:
                    continue  # nothing predicts the first token of a raw text without BOS
                a, b = (log_softmax(logits[p]) for (logits, _), p in zip(ran, at, strict=True))
                differ = [
                    layer
                    for layer in range(2)
                    if len(
                        {
                            int(lens(models[m], trace[f"blocks.{layer}.resid_post"][p]))
                            for m, (_, trace), p in zip(templates, ran, at, strict=True)
                        }
                    )
                    > 1
                ]
                token = int(ids[0][starts[0] + i])
                expected.append(
                    (index, answer_of, sample, "answer" if answer_of else "prompt", i, tokenizer.tokens([token])[0],
                     (np.exp(a) * (a - b)).sum(), bool(a.argmax() != b.argmax()), -(np.exp(a) * a).sum(), -(np.exp(b) * b).sum(),
                     differ[0] if differ else None, a[token], b[token], tokenizer.tokens([a.argmax(), b.argmax()]))
                )  # fmt: skip
    assert len(table) == len(expected) > 2 * _GROUP
    for row, (*where, kl, flip, entropy_a, entropy_b, first, logprob_a, logprob_b, tops) in zip(
        table, expected, strict=True
    ):
        assert [row.prompt, row.answer_of, row.sample, row.part, row.position, row.token] == where
        assert (
            row.kl == pytest.approx(kl, rel=1e-9, abs=1e-12) and row.flip is flip and [row.top1_a, row.top1_b] == tops
        )
        assert (row.entropy_a, row.entropy_b) == pytest.approx((entropy_a, entropy_b), rel=1e-9)
        assert row.shift == row.entropy_b - row.entropy_a and row.first_layer == first
        assert (row.logprob_a, row.logprob_b) == pytest.approx((logprob_a, logprob_b), rel=1e-9)
    assert any(row.flip for row in table)
    assert (
        f"{len(expected)} content tokens" in table.note
        and f"{np.mean([e[6] for e in expected]):.3f} nats" in table.note
    )


def test_a_model_beside_itself_never_differs(models):
    result = run({"x": models["base"], "y": models["base"]}, templates={"x": CHATML, "y": CHATML})
    for row in result.tokens(progress=False):
        assert (row.kl, row.flip, row.shift, row.first_layer) == (0.0, False, 0.0, None)
        assert row.logprob_a == row.logprob_b


def test_tokens_that_the_other_side_lacks_are_left_out_on_both(models):
    # " t" + "he" and "a" + "n" merge across the borders of the first template, not of the second
    both = {"x": models["base"], "y": models["base"]}
    result = run(
        both, ["he cat a"], templates={"x": "x t{prompt}n", "y": "({prompt})"}, align="content", max_new_tokens=1
    )
    table = result.tokens(lens=False, progress=False)
    assert [row.token for row in table if row.part == "prompt"] == [" ", "c", "a", "t"]
    swapped = result.tokens("y", "x", lens=False, progress=False)
    assert [(row.token, row.entropy_a) for row in swapped] == [(row.token, row.entropy_b) for row in table]


def test_alignment_to_the_answer_alone_and_a_given_text(models):
    pair = {name: models[name] for name in ("base", "tuned")}
    result = run(pair, align="answer")
    assert {row.part for row in result.tokens(lens=False, progress=False)} == {"answer"}
    table = run(pair).tokens(text=[" the", " it is"], lens=False, progress=False)
    given = [row for row in table if row.part == "answer"]
    assert {row.answer_of for row in given} == {"text"} and all(row.first_layer is None for row in table)
    for index, text in enumerate([" the", " it is"]):
        assert "".join(row.token for row in given if row.prompt == index) == text
    for wrong in ([" the"], 5 * ["x"], [1, 2]):
        with pytest.raises(ca.ArgumentError, match="one for each of the 2 prompts"):
            result.tokens(text=wrong, progress=False)


def test_which_models(models):
    result = run(models, PROMPTS[:1])
    for pair, message in (
        (
            ("base", "other"),
            r"differ: 'base' has 273 tokens and 'other' has 273 tokens, with other bytes\. bits_per_byte",
        ),
        (("base", "tunde"), "no model 'tunde'. Did you mean 'tuned'"),
        (("base", "base"), "got 'base' twice"),
    ):
        with pytest.raises(ca.ArgumentError, match=message):
            result.tokens(*pair, progress=False)
    with pytest.raises(ca.ArgumentError, match="has one"):
        run({"m": models["base"]}, "the").tokens()


def test_what_does_not_fit_is_left_out_and_named(models):
    pair = {name: models[name] for name in ("base", "tuned")}
    result = run(pair, ["the", "error in it " * 40], n=1, max_new_tokens=4)
    table = result.tokens(lens=False, progress=False)
    assert {row.prompt for row in table} == {0} and len(table.skipped) == 1 and "context holds 256" in table.skipped[0]
    assert "left out" in table._repr_html_()
    bits = result.bits_per_byte(progress=False)
    assert {row.prompt for row in bits} == {0} and "left out: prompt 1" in bits.note


def test_the_table_of_tokens(models):
    pandas = pytest.importorskip("pandas")
    table = run({name: models[name] for name in ("base", "tuned")}).tokens(progress=False)
    frame = table.to_pandas()
    wanted = "position token kl top1_a top1_b flip entropy_a entropy_b shift first_layer".split()
    assert [name for name in frame.columns if name in wanted] == wanted and len(frame) == len(table)
    assert pandas.api.types.is_bool_dtype(frame["flip"])
    assert isinstance(table[:3], TokenTable) and table[:3].title == "a = base, b = tuned"
    assert "first_layer" in repr(table)


# ---- bits per byte


def independent_bits(model, text, begin, end):
    """{border in bytes: bits up to it} of the tokens inside [begin, end) of what a raw model reads."""
    raw = text.encode()
    ids = model.tokenizer.encode(text, add_special_tokens=True)
    sizes = [len(model.tokenizer.token_bytes(int(i))) * (int(i) != model.tokenizer.bos_id) for i in ids]
    borders = np.concatenate([[0], np.cumsum(sizes)])
    assert borders[-1] == len(raw)
    rows = model(ids)
    out, bits, begun = {}, 0.0, False
    for at in range(1, len(ids)):
        if borders[at] >= begin and borders[at + 1] <= end:
            if not begun:
                out[int(borders[at])], begun = 0.0, True
            bits -= log_softmax(rows[at - 1])[ids[at]] / np.log(2)
            out[int(borders[at + 1])] = bits
    return out


def check_bits(pair, result):
    table = result.bits_per_byte(progress=False)
    rows = iter(table)
    for index, prompt in result.prompts.items():
        texts = [("prompt", "", 0, prompt, 0, len(prompt.encode()))]
        for row in result:
            if row.prompt_index == index and row.text:
                whole = prompt + row.text
                texts.append(("answer", row.model, row.sample, whole, len(prompt.encode()), len(whole.encode())))
        for part, answer_of, sample, text, begin, end in texts:
            found = {label: independent_bits(model, text, begin, end) for label, model in pair.items()}
            common = set.intersection(*(set(borders) for borders in found.values()))
            low, high = min(common), max(common)
            for label, borders in found.items():
                row = next(rows)
                assert (row.prompt, row.part, row.answer_of, row.sample, row.model) == (
                    index,
                    part,
                    answer_of,
                    sample,
                    label,
                )
                assert row.bytes == high - low and row.bits == pytest.approx(borders[high] - borders[low], rel=1e-9)
                assert row.bits_per_byte == row.bits / row.bytes
                assert row.tokens == sum(low < border <= high for border in borders)
    assert next(rows, None) is None and len(table) > 2
    return table


def test_rows_of_logits_of_different_lengths_are_refused(models, monkeypatch):
    result = run(models, ["the"])
    monkeypatch.setattr(models["tuned"].config, "d_vocab", 320)  # padded, as some files are
    with pytest.raises(ca.ArgumentError, match=r"'base' gives \d+ logits, 'tuned' 320. bits_per_byte"):
        result.tokens("base", "tuned", progress=False)


def test_bits_per_byte_of_different_vocabularies(models):
    pair = {name: models[name] for name in ("base", "other")}
    check_bits(pair, run(pair, ["the other one", "Hello é𝄞 error"], max_new_tokens=9))


def test_bits_per_byte_leaves_templates_out(models):
    pair = {name: models[name] for name in ("base", "other")}
    result = run(pair, PROMPTS, templates={"base": ALPACA, "other": CHATML}, max_new_tokens=9)
    table = result.bits_per_byte(progress=False, text=" the error")
    assert [row.bytes for row in table if row.part == "answer"] == [10, 10] * 2
    row = next(row for row in table if row.part == "prompt" and row.model == "base")
    before, _ = ALPACA.split("{prompt}")
    ids = models["base"].tokenizer.encode(before + PROMPTS[0])
    inside = len(models["base"].tokenizer.encode(PROMPTS[0]))
    assert row.bytes == len(PROMPTS[0]) and row.tokens == inside
    assert row.bits == pytest.approx(-models["base"].score(ids)[-inside:].sum() / np.log(2), rel=1e-9)
    assert (
        table.to_pandas().columns.tolist()
        == "prompt part answer_of sample model bytes tokens bits bits_per_byte".split()
    )


def test_smollm2_beside_gemma3(real_model):
    pair = {"gemma": real_model("gemma3"), "smollm": real_model("smollm2")}
    prompts = ["What is the capital of France?"]
    result = ca.compare(pair, prompts, max_new_tokens=8, templates={"smollm": None}, progress=False)
    check_bits(pair, result)
    with pytest.raises(ca.ArgumentError, match=r"'gemma' has 262,144 tokens and 'smollm' has 49,152 tokens"):
        result.tokens()
    own = ca.compare(pair, prompts, max_new_tokens=2, progress=False)
    said = {row.model: row for row in own}
    assert said["gemma"].rendered == prompts[0]  # a base model without a template reads the prompt
    assert said["smollm"].rendered.endswith(f"<|im_start|>user\n{prompts[0]}<|im_end|>\n<|im_start|>assistant\n")
    messages = [{"role": "user", "content": prompts[0]}]
    chat = pair["smollm"].chat(messages, seed=0, temperature=0.7, max_new_tokens=2)
    assert said["smollm"].ids == tuple(chat.ids) and said["smollm"].prompt_ids == tuple(chat.prompt_ids)
    assert isinstance(said["gemma"], answers.Answer)

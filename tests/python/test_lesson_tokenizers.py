"""Every check of 05_tokenizers: the right answer, at least two wrong ones each with its own hint, and no answer yet."""

import unicodedata
from itertools import pairwise

import cutaway as ca
import numpy as np
import pytest
from cutaway.lessons import tokenizers as lesson
from cutaway.lessons.declaration import declaration
from lesson_checks import judged


def merged(parts, pair):
    out, i = [], 0
    while i < len(parts):
        n = 2 if tuple(parts[i : i + 2]) == pair else 1
        out.append("".join(parts[i : i + n]))
        i += n
    return out


def in_order(word, merges):
    """Each merge in its turn: right, as a merge makes only pairs that were learned later."""
    parts = list(word)
    for pair in merges:
        parts = merged(parts, pair)
    return parts


def by_rank(word, merges):
    parts, ranks = list(word), {pair: rank for rank, pair in enumerate(merges)}
    while pairs := [pair for pair in pairwise(parts) if pair in ranks]:
        parts = merged(parts, min(pairs, key=ranks.get))
    return parts


def from_the_left(word, merges):
    parts = list(word)
    while pairs := [pair for pair in pairwise(parts) if pair in merges]:
        parts = merged(parts, pairs[0])
    return parts


def letters_only(word, merges):
    pairs = [pair for pair in merges if len("".join(pair)) == 2]
    return in_order(word, pairs)


def first_place_only(word, merges):
    parts = list(word)
    for pair in merges:
        for i in range(len(parts) - 1):
            if (parts[i], parts[i + 1]) == pair:
                parts[i : i + 2] = ["".join(pair)]
                break
    return parts


def from_the_right(word, merges):
    parts = list(word)
    for a, b in merges:
        parts = [part[::-1] for part in merged([part[::-1] for part in parts[::-1]], (b[::-1], a[::-1]))][::-1]
    return parts


def one_round(word, merges):
    """The pairs that the letters have, by rank, and then those that came about."""
    parts = list(word)
    there = [pair for pair in merges if pair in list(pairwise(parts))]
    for pair in there + [pair for pair in merges if pair not in there][:1]:
        parts = merged(parts, pair)
    return parts


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (in_order, True, "lowest rank first"),
        (by_rank, True, "until no pair is left"),
        (lambda word, merges: tuple(by_rank(word, merges)), True, "lowest rank first"),
        (from_the_left, False, "learned first wins"),
        (letters_only, False, "look again after every merge"),
        (first_place_only, False, "more than once"),
        (from_the_right, False, "from left to right"),
        (one_round, False, "also those that were not there before"),
        (lambda word, merges: list(word), False, "nothing was merged"),
        (lambda word, merges: by_rank(word, merges)[:1], False, "No letter may be lost"),
        (lambda word, merges: "".join(by_rank(word, merges)), False, "a list of tokens"),
        (lambda word, merges: [1, 2], False, "each a str"),
        (lambda word, merges: None, False, "returned nothing"),
        (lambda word, merges: merges[9], False, "raised IndexError"),
        (["low"], False, "this is list"),
        (..., None, "replace"),
    ],
)
def test_bpe(answer, right, words):
    judged(lesson.bpe(answer), right, words)


def test_a_word_that_was_not_there():
    """What the notebook says of its eight merges."""
    merges = [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("n", "e"), ("ne", "w"), ("new", "est"), ("w", "i")]
    assert by_rank("lowest", merges) == in_order("lowest", merges) == ["low", "est"]


class Counter:
    """A tokenizer with `size` tokens for every byte beyond ASCII, and one for each `ascii` letters."""

    def __init__(self, beyond, ascii):
        self.beyond, self.ascii = beyond, ascii

    def encode(self, text):
        return [0] * self.count(text)

    def count(self, text):
        raw = text.encode()
        return self.beyond * sum(b > 127 for b in raw) + sum(b < 128 for b in raw) // self.ascii

    def tokens(self, ids):
        return ["x" for _ in ids]


@pytest.fixture(scope="module")
def cost():
    """Two languages whose ratios are 9 and 3; per character it is another figure."""
    texts = {"English": ["four" * 4], "Burmese": ["မြန်မာစာမြန်"]}  # 16 letters; 12 letters of three bytes
    found = ca.language_cost(texts, {"SmolLM2": Counter(1, 4), "other": Counter(3, 4)})
    assert [(row.tokenizer, row.ratio) for row in found["Burmese"]] == [("SmolLM2", 9.0), ("other", 27.0)]
    return found


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (180.0, True, "9.0 times as much"),
        (180.4, True, "takes as much longer"),
        (np.float64(180), True, "9.0 times"),
        (20, False, "the bill in English"),
        (20 / 9, False, "Which way"),
        (0.018, False, "one answer"),
        (180_000, False, "per million tokens, not per thousand"),
        (180e6, False, "not per token"),
        (9, False, "that is the ratio"),
        (540, False, "another tokenizer than SmolLM2"),
        (240, False, "another number of characters"),
        (181, False, "too large"),
        (100, False, "too small"),
        ("180 USD", False, "this is str"),
        (..., None, "replace"),
    ],
)
def test_bill(cost, answer, right, words):
    judged(lesson.bill(answer, cost, "SmolLM2", "Burmese"), right, words)


HEAD, TAIL = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def parts_of(tok, text):
    """The prompt with the marks as control tokens and the text as text."""
    return [tok.encode(HEAD, parse_special=True), tok.encode(text), tok.encode(TAIL, parse_special=True)]


def prompt(tok, text):
    return np.concatenate(parts_of(tok, text))


def letter_by_letter(tok, text):
    head, _, tail = parts_of(tok, text)
    return [*head, *(id for c in text for id in tok.encode(c)), *tail]


def without_marks(tok, text):
    for mark in ("<|im_start|>", "<|im_end|>", "<|endoftext|>"):
        text = text.replace(mark, "")
    return prompt(tok, text)


def by_template(tok, text):
    return tok.apply_chat_template([{"role": "user", "content": text}], tokenize=True)


def moved(tok, text):
    """The user closes the turn and the function does not: as many control tokens, in the same order."""
    head, tail = parts_of(tok, "")[::2]
    if "<|im_end|>" not in text:
        return prompt(tok, text)
    before, after = text.split("<|im_end|>")
    closed = tok.encode(before + "<|im_end|>" + after.replace("<|im_start|>", ""), parse_special=True)
    return [*head, *closed, *tail[1:]]


def astray(tok, text):
    """The right words and three control tokens, two of them the user's."""
    if "<|im_end|>" not in text:
        return prompt(tok, text)
    answer = tok.encode("<|im_start|>assistant\n", parse_special=True)
    return [*tok.encode(HEAD), *tok.encode(text, parse_special=True), *tok.encode("<|im_end|>\n"), *answer]


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (prompt, True, "stays text"),
        (lambda tok, text: prompt(tok, text).tolist(), True, "whatever it looks like"),
        (lambda tok, text: tok.encode(HEAD + text + TAIL, parse_special=True), False, "the user has written some"),
        (lambda tok, text: tok.encode(HEAD + text + TAIL), False, "there are 0 control tokens"),
        (by_template, False, "the prompt asked for has three"),
        (without_marks, False, "the user's words were changed"),
        (moved, False, "the user's words were changed"),
        (astray, False, "not where the marks"),
        (lambda tok, text: prompt(tok, text.strip()), False, "the user's words were changed"),
        (lambda tok, text: prompt(tok, text)[:-1], False, "every line break"),
        (lambda tok, text: prompt(tok, text + "\n"), False, "every line break"),
        (letter_by_letter, False, "never saw text cut so"),
        (lambda tok, text: HEAD + text + TAIL, False, "returned str"),
        (lambda tok, text: parts_of(tok, text), False, "ids were asked for"),
        (lambda tok, text: [10**6], False, "ids were asked for"),
        (lambda tok, text: tok.encode(None), False, "raised ArgumentError"),
        ([1, 2], False, "this is list"),
        (..., None, "replace"),
    ],
)
def test_chat_prompt(model_path, answer, right, words):
    tok = ca.Tokenizer.from_file(model_path("smollm2"))
    judged(lesson.chat_prompt(answer, tok), right, words)


def test_declaration():
    texts = declaration()
    assert len(texts) == 25 and next(iter(texts)) == "English"
    assert {len(some) for some in texts.values()} == {5}
    for language, some in texts.items():
        for text in some:
            assert len(text) > 15 and text == text.strip() == unicodedata.normalize("NFC", text), language
        assert len(set(some)) == 5, language
    assert texts["English"][1] == "Everyone has the right to life, liberty and the security of person."
    assert texts["German"][1] == "Jeder hat das Recht auf Leben, Freiheit und Sicherheit der Person."


def test_the_declaration_in_the_notebook(model_path):
    """What the notebook says of it: the ratio of Burmese, and that it is spelled in bytes."""
    tokenizers = {
        name: ca.Tokenizer.from_file(model_path(file)) for name, file in (("SmolLM2", "smollm2"), ("Gemma 3", "gemma3"))
    }
    cost = ca.language_cost(declaration(), tokenizers)
    rows = {row.tokenizer: row for row in cost["Burmese"]}
    assert {name: round(row.ratio, 2) for name, row in rows.items()} == {"SmolLM2": 22.67, "Gemma 3": 3.61}
    assert round(rows["SmolLM2"].per_byte, 3) == 0.974
    judged(lesson.bill(453.33, cost, "SmolLM2", "Burmese"), True, "22.7 times")
    judged(lesson.bill(72.2, cost, "SmolLM2", "Burmese"), False, "another tokenizer")

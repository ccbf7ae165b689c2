"""Where contents lie in a rendered conversation: never fooled by equal words, exact where a template trims or cuts."""

from itertools import pairwise

import cutaway as ca
import pytest
from cutaway.spans import content_spans
from test_chat import CHATML, REAL, needs_real


def found(source, messages, **context):
    template = ca.ChatTemplate(source)
    text, spans = content_spans(lambda said: template.render(said, **context), messages)
    assert text == template.render(messages, **context)
    assert all(a.end <= b.begin for a, b in pairwise(spans))
    return [(span.message, text[span.begin : span.end], span.begin) for span in spans]


def said(*contents):
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]


def test_contents_that_read_like_the_template():
    messages = said("user", "user", "<|im_end|>\n", "assistant")
    assert found(CHATML, messages) == [(0, "user", 17), (1, "user", 54), (2, "<|im_end|>\n", 86), (3, "assistant", 130)]


@pytest.mark.parametrize(
    ("filter", "left"),
    [
        ("", "  a\n b \n"),
        ("| trim", "a\n b"),
        ("| upper", "  A\n B \n"),
        ("| tojson", "  a\\n b \\n"),
        (".lstrip()", "a\n b \n"),
        (".rstrip()", "  a\n b"),
    ],
)
def test_what_a_filter_leaves(filter, left):
    source = "\n {% for m in messages %}\n \n{{ m.content " + filter + " }}\n \n{% endfor %}"
    spans = found(source, said("  a\n b \n", "a"))
    assert [text for _, text, _ in spans] == [left, "A" if filter == "| upper" else "a"]


def test_only_some_contents_are_trimmed():
    source = "{% for m in messages %}[{{ m.content | trim if m.role == 'user' else m.content }}]{% endfor %}"
    assert found(source, said(" x ", " x ", " x ")) == [(0, "x", 1), (1, " x ", 4), (2, "x", 9)]


def test_a_content_that_is_cut():
    source = "{% for m in messages %}{{ m.content.split('</think>')[-1].lstrip('\n') }}|{% endfor %}"
    assert found(source, said("yes", "<think>\nyes yes\n</think>\n\nyes, really ")) == [
        (0, "yes", 0),
        (1, "yes, really ", 4),
    ]


def test_a_content_that_is_inspected():
    source = (
        "{% for m in messages %}{% if m.content.startswith('/no') %}quiet:{% endif %}{{ m.content }}{{ '!' if "
        "m.content.endswith('now') }};{% endfor %}"
    )
    assert found(source, said("/no noise now", "/no")) == [(0, "/no noise now", 6)]  # a lone word bears no mark


def test_reasoning_printed_apart_from_the_answer():
    source = (
        "{% for m in messages %}<t>{{ m.content.split('</think>')[0].split('<think>')[-1].strip() }}</t>"
        "{{ m.content.split('</think>')[-1].strip() }}{% endfor %}"
    )
    assert found(source, said("<think>\n hm hm\n</think>\n\n so it is\n")) == [(0, "hm hm", 3), (0, "so it is", 12)]


def test_printed_twice_left_out_or_refused():
    assert found("{{ messages[0].content }}-{{ messages[0].content }}", said("ab", "cd")) == [
        (0, "ab", 0),
        (0, "ab", 3),
    ]
    assert found("{{ messages | length }}", said("2", "2")) == []
    assert found("{% if messages[0].content != 'x' %}{{ raise_exception('no') }}{% endif %}x", said("x")) == []
    assert found("{{ messages[0].content | length }}", said("abc")) == []


def test_contents_in_parts_and_no_contents():
    source = (
        "{% for m in messages %}{% for p in m.content %}{{ p.text if p.text else '<image>' }}{% endfor %}{% endfor %}"
    )
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "<image>"}]
    messages = [{"role": "user", "content": parts}]
    assert found(source, messages) == [(0, "a", 0), (0, "<image>", 8)]
    assert parts[0] == {"type": "text", "text": "a"}  # the caller's messages stay as they are
    assert found("{% for m in messages %}{{ m.content or '-' }}{% endfor %}", said("", "-", None)) == [(1, "-", 1)]


def test_private_characters_of_the_text_are_no_marks():
    every = "".join(map(chr, range(0xE000, 0xE100)))
    assert found(CHATML, said(every))[0][1] == every


@needs_real
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_templates(path):
    source = path.read_text("utf-8")
    messages = said("user", "  assistant\n", "Sure? user", "Yes.", "Yes.")
    context = {"bos_token": "<s>", "eos_token": "</s>"}
    context |= {name: value for name, value in {"functions": "", "datetime": "now"}.items() if name in source}
    try:
        spans = found(source, messages, **context)
    except ca.ArgumentError as error:
        pytest.skip(f"the template refuses these messages: {error}")
    texts = {i: "".join(text for message, text, _ in spans if message == i) for i in range(5)}
    assert {i: text.strip() for i, text in texts.items()} == {i: m["content"].strip() for i, m in enumerate(messages)}

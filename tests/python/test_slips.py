"""Slips that look right: what a newcomer tries by habit is refused where it is written, in one sentence."""

import cutaway as ca
import pytest
from command_line import run
from test_first_hour import HELLO, TEMPLATE, sentence

STRICT = "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}"


@pytest.fixture(scope="module")
def small(small_model):
    return small_model("llama")


@pytest.fixture(scope="module")
def model(small):
    return small.model


# ---- conversations


@pytest.mark.parametrize(
    ("content", "kind"), [([{"type": "text", "text": "hi"}], "a list"), ({"text": "hi"}, "a dict"), (None, "None")]
)
def test_contents_that_are_no_text(content, kind):
    for source in (STRICT, STRICT.replace("m.content", "m.content.strip()")):
        messages = [{"role": "system", "content": "x"}, {"role": "user", "content": content}]
        assert sentence(ca.ChatTemplate(source).render, messages) == (
            f"messages[1]['content'] is {kind}, and this model's template takes only text."
        )


def test_what_the_template_itself_does_wrong_is_told_as_before():
    said = sentence(ca.ChatTemplate("{{ 1 + 'a' }}{{ messages[0].content }}").render, HELLO)
    assert said.startswith("Chat template, line 1: TypeError: ")


@pytest.mark.parametrize("template", ["%PDF-1.7 and the rest", "{% for m in messages %}{{ m.role }}{% endfor %}", ""])
def test_a_template_without_the_message(template, small, model, capsys, tmp_path):
    said = "The message does not appear in what the chat template makes of the conversation."
    assert sentence(model.chat, HELLO, template=template).startswith(said)
    (tmp_path / "t").write_text(template)
    status, out, err = run(capsys, "chat", "the hat", "-m", str(small.path), "--template", str(tmp_path / "t"))
    assert (status, out) == (1, "") and err.startswith(f"cutaway: {said}")
    if "{%" in template:  # a text goes by {prompt} there
        (row,) = ca.compare({"a": model}, "the hat", templates={"a": template}, progress=False)
        assert row.error.startswith(said)


@pytest.mark.parametrize("template", [TEMPLATE, "{{ messages[0].content | upper }}", "{{ messages[-1].content[:3] }}"])
def test_a_template_may_print_the_message_in_any_shape(template, model):
    assert len(model.chat(HELLO, template=template, max_new_tokens=1)) == 1


def test_nothing_said(small, capsys, monkeypatch):
    monkeypatch.setattr(ca, "load", lambda *_, **__: pytest.fail("loaded"))
    for said in ("", " \n"):
        err = run(capsys, "chat", said)[2]
        assert err == "cutaway: the message is empty. Give the model something to answer.\n"
        err = run(capsys, "compare", str(small.path), "-p", said)[2]
        assert err == "cutaway: The prompt is empty. Give the models a text to answer.\n"
    assert "There are no prompts. Give them with" in run(capsys, "compare", str(small.path))[2]

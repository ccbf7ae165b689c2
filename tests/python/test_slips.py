"""Slips that look right: what a newcomer tries by habit is refused where it is written, in one sentence."""

import io
import json
import sys
from types import ModuleType

import cutaway as ca
import pytest
from command_line import run
from cutaway.numbers import sized
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


# ---- hooks without their block


def test_hooks_are_checked_when_they_are_made(model):
    assert "There is no activation 'blocks.0.mlp_uot'" in sentence(model.hooks, {"blocks.0.mlp_uot": print})
    assert "is called with two values" in sentence(model.hooks, {"embed": lambda x: x})
    made = model.hooks({"blocks.*.mlp_out": lambda x, name: 0 * x})
    assert repr(made) == f"hooks for {model.config.n_layers} names; use: with model.hooks(...):"
    assert repr(model.hooks({"embed": print})).startswith("hooks for 1 name; ")
    plain = model([1, 2])
    with made, made:  # may be used again
        assert (model([1, 2]) != plain).any()
    assert (model([1, 2]) == plain).all()
    with made:
        assert (model([1, 2]) != plain).any()


# ---- names from elsewhere


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"length": 5}, "Did you mean max_new_tokens?"),
        ({"max_length": 5}, "Did you mean max_new_tokens?"),
        ({"max_tokens": 5}, "Did you mean max_new_tokens?"),
        ({"n_predict": 5}, "Did you mean max_new_tokens?"),
        ({"do_sample": True}, "Did you mean temperature? temperature=0 is greedy, anything above it samples."),
        ({"repeat_penalty": 1.1}, "Did you mean repetition_penalty?"),
        ({"num_beams": 2}, "There is no beam search here: a text grows token by token."),
        ({"input_ids": [1]}, "It is the first argument, prompt."),
    ],
)
def test_arguments_under_the_names_of_other_libraries(given, said, model):
    (name,) = given
    assert sentence(model.generate, [1], **given) == f"Model.generate has no argument '{name}'. {said}"


def test_other_calls_know_them_too(model, capsys):
    assert (
        sentence(model.chat, prompt="x") == "Model.chat has no argument 'prompt'. It is the first argument, messages."
    )
    assert sentence(model, prompt="x") == "Model has no argument 'prompt'. It is the first argument, x."
    assert sentence(ca.load, "x", n_gpu_layers=9) == "load has no argument 'n_gpu_layers'. Everything runs on the CPU."
    assert sentence(ca.Sampler, top_k=4) == (
        "Sampler has no argument 'top_k'. Stages are a list, in the order in which they run: "
        "ca.Sampler([ca.Temperature(0.7), ca.TopK(40)], seed=1)."
    )
    assert sentence(model.score, [1], num_beams=2).endswith("Its arguments are: x.")
    assert (
        "no option --n-predict. Did you mean --max-new-tokens?" in run(capsys, "generate", "x", "--n-predict", "3")[2]
    )


def test_layers_that_are_not_there(model):
    last = model.config.n_layers - 1
    for name in ("blocks.50.mlp_out", "blocks.50.*", "blocks.50.hook_mlp_out"):
        said = f"There is no activation '{name}'. Layers are 0 to {last}."
        assert sentence(model.run_with_cache, [1], names=name) == said
    assert sentence(model.weights.__getitem__, "blocks.50.attn.W_Q").endswith(f"'. Layers are 0 to {last}.")


def test_a_ledger_is_indexed(model):
    out = model.generate([1], max_new_tokens=4, seed=0)
    assert sentence(out.ledger, 3) == "Generation.ledger takes no arguments: the ledger is indexed: out.ledger()[3]."


def test_attributes_that_are_not_there(model):
    for one, name, said in (
        (model, "genrate", "Model has no attribute 'genrate'. Did you mean generate?"),
        (model.generate([1], max_new_tokens=1), "txet", "Generation has no attribute 'txet'."),
        (model.session(), "apend", "Session has no attribute 'apend'. Did you mean append?"),
        (model, "_hidden_", "Model has no attribute '_hidden_'."),
    ):
        with pytest.raises(AttributeError) as caught:
            getattr(one, name)
        assert str(caught.value) == said


# ---- files


def test_info_takes_the_model_as_other_commands_do(small, capsys):
    assert run(capsys, "info", "-m", str(small.path)) == run(capsys, "info", str(small.path))
    assert run(capsys, "info", "a.gguf", "-m", "b.gguf")[2] == "cutaway: Give one model: a.gguf, or -m b.gguf.\n"


def test_verify_says_of_a_file_what_load_says(small, capsys, tmp_path):
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj")
    (tmp_path / "cut.gguf").write_bytes(small.path.read_bytes()[:-1000])
    for name in ("paper.pdf", "cut.gguf"):
        assert run(capsys, "verify", str(tmp_path / name))[2] == f"cutaway: {sentence(ca.load, tmp_path / name)}\n"


def test_a_file_has_one_size(small, model, capsys):
    size = model.info()["bytes"]
    assert size["file"] == small.path.stat().st_size > size["tensors"]
    out = run(capsys, "info", str(small.path))[1]
    assert f"file {sized(size['file'])}, tensors {sized(size['tensors'])}, packed " in out
    assert f"{sized(size['packed'])} in memory" in repr(model)


def test_text_that_is_none(model):
    said = "has a lone surrogate at position 2, which is no character and has no UTF-8 form. Remove it."
    assert sentence(model, "ab\ud800") == f"the prompt {said}"
    assert sentence(model.generate, ["x", "ab\ud800"]) == f"prompt 1 {said}"
    said = sentence(model.chat, [{"role": "user", "content": "ab\ud800"}], template=TEMPLATE)
    assert said.startswith("the conversation has a lone surrogate") and "bytes" not in said
    assert sentence(model.tokenizer.encode, "ab\ud800").endswith("remove it, or pass bytes")


def test_a_bar_is_there_for_who_watches(monkeypatch, capsys, model):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))  # imported by something, and no notebook
    ca.compare({"a": model}, "the hat", templates={"a": None}, max_new_tokens=1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ca.compare({"a": model}, "the hat", templates={"a": None}, max_new_tokens=1)
    assert "1/1" in capsys.readouterr().err


# ---- beyond the end, and before the model


def test_an_index_beyond_the_end(model):
    out = model.generate([1], max_new_tokens=4, seed=0)
    for sequence in (out.steps, out.ledger()):
        assert sentence(sequence.__getitem__, 99) == "There is no step 99: the steps are 0 to 3."
        with pytest.raises(IndexError) as caught:
            sequence[-5]
        assert isinstance(caught.value, ca.UnknownIndexError) and isinstance(caught.value, ValueError)
        assert len([*sequence]) == len([*reversed(sequence)]) == 4 and len(sequence[2:9]) == 2
        assert sequence.index(sequence[3]) == 3 and sequence[-1] is sequence[-1]
    assert sentence(out.ledger()[:0].__getitem__, 0) == "There is no step 0: there are none."
    assert sentence(model.names().__getitem__, 9999).startswith(
        "There is no activation 9999: the activations are 0 to "
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("-n", "-3"), "max_new_tokens must be a whole number, 0 or greater, got -3."),
        (("--top-p", "90"), "top_p must be above 0"),
    ],
)
def test_numbers_are_refused_before_the_model_is_loaded(argv, said, monkeypatch, capsys):
    monkeypatch.setattr(ca, "load", lambda *_, **__: pytest.fail("loaded"))
    for command in ("generate", "chat", "explain"):
        assert run(capsys, command, "x", *argv)[2].startswith(f"cutaway: {said}")


def test_what_is_saved_is_a_web_page(model, tmp_path, capsys, monkeypatch):
    out = model.generate([1], max_new_tokens=1)
    said = "x.png cannot be written: what is saved is a web page; call it x.html."
    assert sentence(out.save, tmp_path / "x.png") == sentence(out.view().save, tmp_path / "x.png") == said
    assert [out.save(tmp_path / name).name for name in ("x", "x.html", "x.HTM")] == ["x", "x.html", "x.HTM"]
    monkeypatch.setattr(ca, "load", lambda *_, **__: pytest.fail("loaded"))
    assert run(capsys, "explain", "x", "--html", str(tmp_path / "x.png"))[2] == f"cutaway: {said}\n"


def test_every_saved_page_has_a_heading(model):
    shown = (
        ca.views.tokens(model.generate([1], max_new_tokens=1)),
        ca.views.loss(model, "the hat"),
        ca.views.chat(model, HELLO, template=TEMPLATE),
        ca.views.pieces(model, "the hat"),
    )
    for view in shown:
        assert f"<h4>{view.title}</h4>" in view.page()


# ---- JSON


def test_piped_messages_give_an_object_a_line(small, capsys, monkeypatch, tmp_path):
    (tmp_path / "t").write_text(TEMPLATE)
    monkeypatch.setattr("sys.stdin", io.StringIO("the hat\nthe cat\n"))
    out = run(capsys, "chat", "-m", str(small.path), "-n", "2", "--json", "--template", str(tmp_path / "t"))[1]
    assert [len(json.loads(line)["ids"]) for line in out.splitlines()] == [2, 2]


def test_an_interrupted_comparison_says_so(small, capsys, monkeypatch):
    argv = ("compare", f"a={small.path}", "-p", "the hat", "-n", "1", "--template", "a=", "--json")
    assert json.loads(run(capsys, *argv)[1])["interrupted"] is False

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cutaway.comparison.run.answers", interrupt)
    status, out, _ = run(capsys, *argv)
    assert (status, json.loads(out)) == (130, {"rows": [], "interrupted": True})

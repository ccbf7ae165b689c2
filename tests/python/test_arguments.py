"""Calls that do not fit: whatever is public answers a misspelt keyword with one sentence that names the right one."""

import inspect
from types import SimpleNamespace

import cutaway as ca
import numpy as np
import pytest
from cutaway.arguments import checked_arguments, described, misfit
from cutaway.catalogue import ModelTable
from cutaway.comparison.bits import BitsTable
from cutaway.comparison.tokens import TokenTable
from cutaway.formats import FormatComparison
from cutaway.generate import Stream
from cutaway.generation import Generation, Step
from cutaway.inspect import FileInfo
from cutaway.languages import LanguageCost
from cutaway.ledger import Explanation, Ledger
from cutaway.lens import Lens
from cutaway.messages import FittedMessages
from cutaway.names import Names
from cutaway.nearest import did_you_mean, nearest
from cutaway.prices import Cost
from cutaway.tokenizer_diff import TokenizerDiff
from cutaway.trace import Trace
from cutaway.views import encoding
from cutaway.weights import Weights
from test_first_hour import HELLO, TEMPLATE, sentence

# What public calls return, beside the classes that are public by name.
RESULTS = (
    BitsTable, Cost, Explanation, FileInfo, FittedMessages, FormatComparison, Generation, LanguageCost, Ledger, Lens,
    ModelTable, Names, Step, Stream, TokenTable, TokenizerDiff, Trace, Weights, encoding.Explanation,
)  # fmt: skip
TEMPLATE_CALLS = {
    "ChatTemplate.render",
    "Tokenizer.apply_chat_template",
    "views.chat",
}  # any name may be the template's


def public_callables():
    """(name, function as found in the class or module) of everything that a user may call."""
    for space, prefix in ((ca, ""), (ca.views, "views."), (ca.calc, "calc.")):
        for name in space.__all__:
            value = getattr(space, name)
            if inspect.isfunction(value):
                yield f"{prefix}{name}", value
    shown = [getattr(space, name) for space in (ca, ca.views) for name in space.__all__]
    classes = [one for one in shown if inspect.isclass(one) and not issubclass(one, ca.Error)]
    for kind in dict.fromkeys([*classes, *RESULTS]):
        label = f"{kind.__module__}.{kind.__name__}" if kind is encoding.Explanation else kind.__name__
        for name in dir(kind):
            member = inspect.getattr_static(kind, name)
            function = member.__func__ if isinstance(member, classmethod) else member
            own = str(getattr(function, "__module__", "")).startswith("cutaway")
            if inspect.isfunction(function) and own and (not name.startswith("_") or name == "__call__"):
                yield f"{label}.{name}", function
        yield label, kind.__init__


CALLABLES = dict(public_callables())


def test_the_walk_finds_them():
    assert len(CALLABLES) > 100
    assert {"load", "compare", "views.loss", "Model.__call__", "Tokenizer.from_file", "Step.resample", "TopK"} <= {
        *CALLABLES
    }


def placeholders(function):
    """As many values as the function must have by position."""
    parameters = inspect.signature(function).parameters.values()
    return [None for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("name", CALLABLES)
def test_a_misspelt_keyword_is_answered_with_the_right_one(name):
    """Refused before the function runs: the values are placeholders."""
    function = CALLABLES[name]
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    for right in known:
        if right in ("self", "cls") or name in TEMPLATE_CALLS or name == "compare":
            continue
        said = sentence(function, *placeholders(function), **{f"{right}{right[-1]}": 1})
        assert f" has no argument '{right}{right[-1]}'. Did you mean {right}" in said
    if name not in TEMPLATE_CALLS | {"compare"}:
        assert " has no argument 'xyzzyx'. It" in sentence(function, *placeholders(function), xyzzyx=1)


@pytest.mark.parametrize("name", [p for p in inspect.signature(ca.compare).parameters if p != "settings"])
def test_a_misspelt_keyword_of_compare(name, small_model):
    models = small_model("llama").model
    said = sentence(ca.compare, models, "the hat", **{f"{name}{name[-1]}": 1})
    assert said.startswith(f"compare has no argument '{name}{name[-1]}'. Did you mean {name}")


def test_keywords_of_compare_that_go_elsewhere(small_model):
    small = small_model("llama")
    assert "Did you mean temperature?" in sentence(ca.compare, small.model, "x", temprature=1)
    assert "compare keeps no ledger" in sentence(ca.compare, small.model, "x", ledger=True)
    said = sentence(ca.compare, small.path, "x", load={"computee": "int8"})
    assert said == "load has no argument 'computee'. Did you mean compute?"
    assert "load has no argument 'name_or_path'." in sentence(ca.compare, small.path, "x", load={"name_or_path": 1})
    assert "load is a dict of keywords of ca.load" in sentence(ca.compare, small.path, "x", load=5)
    assert sentence(ca.compare, [small.model], "x", load={"threads": 1}) == (
        "load={'threads': 1} is for models given by name or path, and all of these are loaded already. Leave it out, or "
        "pass names."
    )
    table = ca.compare(
        {"a": small.path, "b": small.model}, "the hat", max_new_tokens=1, load={"threads": 1}, progress=False
    )
    assert [row.error for row in table] == [None, None]


# ---- the decorator


@checked_arguments
def paint(wall, colour="white", *, coats=1):
    """Paints."""
    return wall + len(colour) * coats


@pytest.mark.parametrize(
    ("args", "keywords", "said"),
    [
        ((1,), {"colur": "red"}, "paint has no argument 'colur'. Did you mean colour?"),
        ((1,), {"COATS": 2}, "paint has no argument 'COATS'. Did you mean coats?"),
        ((1,), {"x": 2}, "paint has no argument 'x'. Its arguments are: wall, colour, coats."),
        ((), {}, "paint needs wall. Its arguments are: wall, colour, coats."),
        ((1, "red", 2), {}, "paint takes wall, colour in this order, got 3 values. Others go by name: coats=."),
        ((1,), {"wall": 2}, "paint got wall twice, by position and by name. Pass it once."),
    ],
)
def test_what_does_not_fit(args, keywords, said):
    assert sentence(paint, *args, **keywords) == said


def test_the_signature_and_the_text_stay():
    assert str(inspect.signature(paint)) == "(wall, colour='white', *, coats=1)" and paint.__doc__ == "Paints."
    assert [*inspect.signature(ca.load).parameters] == [
        "name_or_path",
        "threads",
        "compute",
        "n_ctx",
        "isa",
        "pack",
        "unembed_type",
        "kv_type",
    ]
    assert [*inspect.signature(ca.TopK).parameters] == ["k"]
    for function in (ca.Model.generate, ca.Model.chat):
        assert {"stream", "temperature", "seed", "max_new_tokens"} <= {*inspect.signature(function).parameters}
        assert "settings" not in inspect.signature(function).parameters


def test_errors_from_inside_are_left_alone():
    with pytest.raises(TypeError, match="can only concatenate str"):
        paint("wall")
    with pytest.raises(TypeError) as caught:
        checked_arguments(lambda: paint.__wrapped__())()
    assert not isinstance(caught.value, ca.Error)


def test_a_function_without_arguments():
    said = sentence(ca.isas, 1)
    assert said == "isas takes no arguments, got 1 value."
    assert str(misfit(ca.isas, (), {"name": 1})) == "isas has no argument 'name'. It has no arguments."


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "None"),
        (5, "5"),
        ("the hat", "the text 'the hat'"),
        ("x" * 100, f"the text '{'x' * 40}'..."),
        (b"\xff", r"the bytes b'\xff'"),
        ([1], "a list"),
        (np.zeros((2, 3)), "an array of float64 with shape [2, 3]"),
        (SimpleNamespace(), "a SimpleNamespace"),
        (ca.Error(), "an Error"),
    ],
)
def test_values_in_words(value, said):
    assert described(value) == said


def test_nearest():
    assert nearest("W_q", ["W_K", "W_Q"], n=1) == ["W_Q"] and nearest("zzz", ["W_Q"]) == []
    assert did_you_mean(["a", "b"]) == " Did you mean a or b?" and did_you_mean([]) == ""
    assert did_you_mean([], "No.") == " No."


# ---- values that are none


@pytest.fixture(scope="module")
def model(small_model):
    return small_model("llama").model


@pytest.mark.parametrize(("value", "said"), [(None, "None"), (5, "5"), (b"x", "the bytes b'x'"), ([1], "a list")])
def test_paths_that_are_none(value, said):
    assert sentence(ca.load, value) == f"A model is a name of ca.models() or a path, as str or Path, got {said}."
    takers = [ca.Tokenizer.from_file] if isinstance(value, bytes) else [ca.inspect_file, ca.Tokenizer.from_file]
    for call in takers:  # inspect_file opens a path of bytes
        assert sentence(call, value).endswith(f" takes a path, as str or Path, got {said}.")


def test_names_that_are_none(model):
    assert sentence(model.run_with_cache, [1, 2], names=5) == (
        "names must be one or several of model.names(), such as ['blocks.*.attn.pattern'], got 5."
    )
    assert sentence(model.run_with_cache, [1, 2], name="x") == (
        "Model.run_with_cache has no argument 'name'. Did you mean names?"
    )
    assert "has no argument 'layer'" in sentence(model.lens, [1, 2], layer=3)


def test_prompts_in_words(model):
    assert sentence(model, None) == "the prompt is None, expected text or ids."
    assert sentence(model, {5}) == "the prompt is a set, expected text or ids."
    assert sentence(model, [1, None]) == "the prompt holds None, expected text or ids."
    assert "expected a text in a list" not in sentence(model.session().append, None)


def test_views_of_what_is_none(model):
    views, tok, row = ca.views, model.tokenizer, model([1, 2])[-1]
    assert sentence(views.loss, "the hat", model) == (
        "The first argument is the text 'the hat', expected a model: views.loss(model, text)."
    )
    for call, said in ((views.chat, "views.chat(model, messages)"), (views.pieces, "views.pieces(tokenizer, text)")):
        assert sentence(call, "the hat", model).endswith(f"expected a model or a tokenizer: {said}.")
    assert 'must be a list like [{"role": "user", "content": "Hello"}], got the text' in sentence(
        views.chat, tok, "Hello"
    )
    assert "got None." in sentence(views.chat, tok, None)
    assert sentence(views.next_token, row, 0.7) == (
        "views.next_token takes a sampler such as ca.Sampler([ca.Temperature(0.7)]) after the logits, got 0.7."
    )
    for call in (views.next_token, ca.Sampler(seed=1).explain, ca.Sampler(seed=1).sample):
        assert sentence(call, row, tokenizer=5) == "tokenizer must be one such as model.tokenizer, got 5."
    assert sentence(views.attention, "the hat").startswith(
        "views.attention got the text 'the hat', expected a trace or"
    )
    assert "views.attention got a list" in sentence(views.attention, [[1.0], [1.0, 2.0]], tokens=["a"])
    assert "tokens must be a list of 2 texts, one per key, got 5." in sentence(views.attention, np.eye(2), tokens=5)
    assert "views.lens shows a Lens, got the text" in sentence(views.lens, "the hat")
    assert "views.tokens shows one Generation, got None" in sentence(views.tokens, None)


def test_texts_and_ids_that_are_none(model):
    tok = model.tokenizer
    for call in (tok.encode, tok.count, tok.offsets, tok.explain):
        assert sentence(call, None).startswith("the text is None, expected str or bytes")
    assert sentence(tok.encode_batch, 5) == "encode_batch takes a list of texts, got 5"
    assert sentence(tok.encode_batch, ["a", 5]).startswith("the text is 5, expected str or bytes")
    assert sentence(tok.decode, None) == "ids are None, expected whole numbers in one row [n]"
    assert sentence(tok.decode, [[1], [1, 2]]).startswith("ids are a list")
    assert sentence(tok.to_id, 5).startswith("a piece is a str, as the file spells it, got 5")
    assert "template is jinja2 source" in sentence(model.chat, HELLO, template=5)


def test_a_weight_that_is_not_there(model):
    weights = model.weights
    with pytest.raises(KeyError) as caught:
        weights["blocks.0.attn.WQ"]
    assert isinstance(caught.value, ca.UnknownNameError) and isinstance(caught.value, ca.Error)
    assert str(caught.value).startswith("There is no weight 'blocks.0.attn.WQ'. Did you mean blocks.0.attn.W_Q or ")
    assert sentence(weights.__getitem__, "zz") == "There is no weight 'zz'. list(model.weights) has all names."
    assert sentence(weights.__getitem__, 5) == "A weight is read by name, such as 'blocks.0.attn.W_Q', got 5."
    assert weights.get("zz") is None and "zz" not in weights
    _, trace = model.run_with_cache([1], "blocks.0.attn.z")
    for name in ("blocks.0.attn.zz", "blocks.0.attn.q", 5):
        with pytest.raises(KeyError, match=r"^[A-Zb]"):  # no quotes around the sentence
            trace[name]


# ---- hooks


def one(array):
    return array


class Hook:
    def __call__(self, array, name, extra):
        return array


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (one, "one(array), is called with two values, expected something like def one(array, name)."),
        (
            lambda a, b, c: a,
            "<lambda>(a, b, c), is called with two values, expected something like lambda array, name: ...",
        ),
        (Hook(), "Hook(array, name, extra), is called with two values"),
        (5, "is 5, expected a function of (array, name)."),
    ],
)
def test_a_hook_that_cannot_be_called(function, said, model):
    def enter():
        with model.hooks({"blocks.*.attn.z": function}):
            pass

    assert said in sentence(enter) and "The hook on 'blocks.*.attn.z'" in sentence(enter)


def test_hooks_that_can_be_called(model):
    expected = model([1, 2])
    for function in (
        lambda *both: None,
        lambda array, name, extra=None: None,
        lambda array, name: array,
        print_nothing,
    ):
        with model.hooks({"blocks.0.attn.z": function}):
            assert np.array_equal(model([1, 2]), expected)


def print_nothing(array, name, **_):
    return None


# ---- conversations


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("usr", "messages[1]['role'] is 'usr'. Did you mean 'user'?"),
        ("User", "Did you mean 'user'?"),
        ("asistant", "Did you mean 'assistant'?"),
        ("", "messages[1]['role'] is ''. Roles are system, developer, user,"),
        ("narrator", "and those that the template names in quotes."),
    ],
)
def test_roles_that_no_template_knows(role, said, model):
    messages = [*HELLO, {"role": role, "content": "x"}]
    for call in (model.chat, model.tokenizer.apply_chat_template):
        assert said in sentence(call, messages, template=TEMPLATE)
    assert said in sentence(ca.views.chat, model, messages, template=TEMPLATE)


def test_roles_are_the_templates_business():
    for role in ca.chat.ROLES:
        ca.ChatTemplate(TEMPLATE).render([{"role": role, "content": "x"}])
    named = "{% for m in messages if m.role == 'narrator' %}{{ m.content }}{% endfor %}"
    assert ca.ChatTemplate(named).render([{"role": "narrator", "content": "Once"}]) == "Once"


def test_a_variable_that_the_template_does_not_read(model):
    template = "{% if think %}...{% endif %}" + TEMPLATE
    assert ca.ChatTemplate(template).render(HELLO, think=True) == "...the hat"
    assert ca.ChatTemplate(template).render(HELLO, tools=None) == "the hat"  # nothing that could get lost
    said = "The chat template does not read 'thinks'. Did you mean think?"
    assert sentence(ca.ChatTemplate(template).render, HELLO, thinks=True) == said
    assert sentence(model.chat, HELLO, template=template, context={"thinks": 1}) == said
    assert (
        sentence(model.chat, HELLO, templat=template) == "Model.chat has no argument 'templat'. Did you mean template?"
    )
    assert "Did you mean template?" in sentence(ca.views.chat, model, HELLO, TEMPLATE, templat="x")
    assert "Leave it out." in sentence(ca.ChatTemplate(TEMPLATE).render, HELLO, xyzzyx=1)


# ---- too long, in one wording


@pytest.fixture(scope="module")
def short(small_model):
    return ca.load(small_model("llama").path, n_ctx=10)


def test_one_wording_for_a_text_that_is_too_long(short):
    said = "the prompt has 12 tokens, and the context holds 10. Shorten it, or load the model with n_ctx=12 or more; its file allows at most 256."
    for call in (short, short.generate, short.run_with_cache, short.lens, short.session().append):
        assert sentence(call, [1] * 12) == said
    for call in (short.score, lambda x: ca.views.loss(short, x)):
        assert sentence(call, [1] * 12) == said.replace("prompt", "text")
    assert sentence(short.generate, [1] * 300) == (
        "the prompt has 300 tokens, and the context holds 10. Shorten it; its file allows at most 256."
    )
    assert sentence(short, [[1], [1] * 12]).startswith("prompt 1 has 12 tokens")
    session = short.session()
    session.append([1] * 8)
    assert sentence(session.append, [1] * 3).startswith(
        "the prompt has 3 new tokens behind the 8 in the cache, and the context holds 10. Shorten it, or load"
    )


def test_at_the_files_limit_no_larger_context_is_offered(model):
    assert model.n_ctx == model.n_ctx_of_file == 256
    assert sentence(model, [1] * 257) == (
        "the prompt has 257 tokens, and the context holds 256. Shorten it; its file allows at most 256."
    )


# ---- names of modules


@pytest.mark.parametrize(
    ("module", "name", "said"),
    [
        (ca, "lod", "module 'cutaway' has no attribute 'lod'. Did you mean 'load'?"),
        (ca, "generat", "Did you mean model.generate, of model = ca.load(...)?"),
        (ca, "run_with_cach", "Did you mean model.run_with_cache, of model"),
        (ca.views, "tokns", "module 'cutaway.views' has no attribute 'tokns'. Did you mean 'tokens'?"),
        (ca.views, "atention", "Did you mean 'attention'?"),
        (ca.views, "xyzzyx", "has no attribute 'xyzzyx'."),
        (ca, "_lod", "has no attribute '_lod'."),
    ],
)
def test_names_that_a_module_does_not_have(module, name, said):
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value).endswith(said) or said in str(caught.value)

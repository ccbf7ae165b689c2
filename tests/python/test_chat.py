"""Chat templates: the dialect, exact renders, every real template at hand, and strangers' programs."""

import datetime
import threading
import time

import cutaway as ca
import pytest
from conftest import shared_folder
from cutaway.chat import check_messages

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 < 3 & é?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Sure?"},
]
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHARED = shared_folder()
REAL = sorted((SHARED / "conformance" / "templates").glob("*.jinja")) if SHARED else []
needs_real = pytest.mark.skipif(not REAL, reason="../shared/conformance/templates is not here; set CUTAWAY_SHARED")


def render(source, messages=TURNS, **context):
    return ca.ChatTemplate(source).render(messages, **context)


def test_chatml_is_exact():
    assert render(CHATML) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2 < 3 & é?<|im_end|>\n"
        "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert render(CHATML, add_generation_prompt=False).endswith("Sure?<|im_end|>\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"),  # trim_blocks, lstrip_blocks
        ("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "023"),
        ("{{ {'b': '<é>', 'a': [1, none, true]} | tojson }}", '{"b": "<é>", "a": [1, null, true]}'),
        ("{{ {'b': 1, 'a': 2} | tojson(sort_keys=true, separators=(',', ':')) }}", '{"a":2,"b":1}'),
        ("{{ [1] | tojson(indent=2) }}", "[\n  1\n]"),
        ("{% generation %}{{ messages[2].content }}{% endgeneration %}!", "Yes.!"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}", "2 < 3 & é?|Sure?"),
        ("{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{% if not loop.last %}, {% endif %}{% endfor %}", "1/2, 2/2"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m.content | length %}{% endfor %}{{ ns.n }}", "28"),
        ("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice('ab') ~ 3 ~ none }}", "abab3None"),
        ("{{ 'a-b'.split('-') | last }}{{ ' x '.strip() }}{{ '{:>4}'.format(7) }}{{ '%02d' % 5 }}", "bx   705"),
        ("{{ messages[::-1][0].content }}{{ messages[-1].missing }}{{ 'y' if tools is defined else 'n' }}", "Sure?n"),
        ("{% set x %}in{{ 1 + 1 }}{% endset %}{{ x }}{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "in2a1"),
        ("{{ 'room 12345, {}'.format(1) }}{{ '{{{:>2}}}'.format(1) }}{{ '50%% of 12345: %s' % 2 }}", "room 12345, 1{ 1}50% of 12345: 2"),
        ("{{ (1, 2) | list }}{{ [3] + [4] }}{{ 'ab' * 2 }}{{ 2 ** 10 }}{{ 7 % 4 }}", "[1, 2][3, 4]abab10243"),
    ],
)  # fmt: skip
def test_dialect(source, expected):
    assert render(source) == expected


def test_context_reaches_the_template():
    source = "{{ bos_token }}{{ tools[0].name }}{{ enable_thinking }}"
    assert render(source, bos_token="<s>", tools=[{"name": "f"}], enable_thinking=False) == "<s>fFalse"


def test_strftime_now_is_today_and_can_be_fixed():
    assert render("{{ strftime_now('%Y') }}") == str(datetime.date.today().year)
    assert render("{{ strftime_now('%Y') }}", strftime_now=lambda form: "1999") == "1999"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\n{{ 'x' | nofilter }}", 2, "No filter named 'nofilter'"),
        ("a\n\n{% for %}", 3, "Expected an expression"),
        ("{% if true %}\n", 1, "Unexpected end of template"),
        ("a\nb\n{{ raise_exception('roles must alternate') }}", 3, "roles must alternate"),
        ("a\n{{ nobody.name }}", 2, "'nobody' is undefined"),
        ("\n\n\n{{ 1 / 0 }}", 4, "division by zero"),
        ("{% macro m() %}\n{{ nobody.x }}\n{% endmacro %}\n\n{{ m() }}", 2, "'nobody' is undefined"),
        ("{% set _ = messages.append(1) %}", 1, "append"),
        ("{{ ''.__class__.__mro__ }}", 1, "__class__"),
        ("{% include 'secrets' %}", 1, "no loader"),
    ],
)
def test_errors_name_the_line(source, line, words):
    with pytest.raises(ca.ArgumentError) as error:
        render(source)
    assert str(error.value).startswith(f"Chat template, line {line}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


DOUBLING = "{%% set ns = namespace(s=%s) %%}{%% for i in range(60) %%}%s{%% endfor %%}{{ ns.s }}"
HOSTILE = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ 'a' * 10**10 }}",
    "{{ 10**10 * [1] }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{{ range(99999) | select('none') | list }}{% endfor %}",
    DOUBLING % ("'abc'", "{% set ns.s = ns.s + ns.s %}"),
    DOUBLING % ("'abc'", "{% set ns.s = ns.s ~ ns.s %}"),
    DOUBLING % ("'abc'", "{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}"),
    DOUBLING % ("[1]", "{% set ns.s = ns.s + ns.s %}"),
    DOUBLING % ("[1]", "{% set ns.s = [ns.s, ns.s] %}"),
    DOUBLING % ("[1]", "{% set ns.s = {'a': ns.s, 'b': ns.s} %}"),
    DOUBLING % ("[1]", "{% set ns.s = dict(a=ns.s, b=ns.s) %}"),
    DOUBLING % ("1", "{% set ns.s = namespace(a=ns.s, b=ns.s) %}"),
    DOUBLING % ("3", "{% set ns.s = ns.s * ns.s %}"),
    "{{ 9 ** 999999999 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%*d' | format(1000000000, 1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000, true) }}",
    "{{ ['a'] | map('indent', 1000000000, true) | list }}",
    "{{ [1] | batch(1000000000, 'x') | list }}",
    "{{ 1.5 | round(1000000000, 'ceil') }}",
    "{{ [1] | tojson(indent=1000000000) }}",
    "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "{{ ('a' * 100000) | replace('', 'b' * 100000) }}",
    "{{ ('b' * 100000).join('a' * 100000) }}",
    "{{ range(99999) | join('b' * 100000) }}",
    "{{ (['b' * 100000] * 100000) | join }}",
    "{{ ([[1]] * 99999) | sum(start=[]) }}",
    "{{ 'a'.translate({97: 'b' * 1000000}) }}",
    "{{ (1).to_bytes(1000000000, 'little') }}",
    "{{ strftime_now('%999999999Y') }}",
    "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m() %}" + "y" * 200_000 + "{% endmacro %}{% for i in range(99999) %}{% set x = m() %}{% endfor %}",
    "{% macro m() %}{% for i in range(99999) %}" + "y" * 200_000 + "{% endfor %}{% endmacro %}{{ m() }}",
    "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}",
    "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
    "x" * 300_000,
]


@pytest.mark.parametrize("source", HOSTILE, ids=[str(i) for i in range(len(HOSTILE))])
def test_hostile_template_is_refused_quickly(source):
    began = time.thread_time()  # processor time: other work on the machine does not count
    with pytest.raises(ca.ArgumentError, match=r"[Tt]emplate"):
        render(source)
    assert time.thread_time() - began < 1.0


def test_the_limit_grows_with_the_conversation():
    long = [{"role": "user", "content": "word " * 2000}] * 1000
    assert len(render(CHATML, long)) == 1000 * (10_000 + len("<|im_start|>user\n<|im_end|>\n")) + len(
        "<|im_start|>assistant\n"
    )


def test_threads_share_a_template():
    template, results = ca.ChatTemplate(CHATML), {}

    def work(i):
        results[i] = [template.render([{"role": "user", "content": str(i)}]) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert results[i] == [f"<|im_start|>user\n{i}<|im_end|>\n<|im_start|>assistant\n"] * 50


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("Hello", "got the text"),
        ([], "empty"),
        ({"role": "user", "content": "x"}, "got a dict"),
        (["Hello"], r"messages\[0\] is the text"),
        ([{"role": "user", "content": "x"}, {"content": "x"}], r"messages\[1\]\['role'\] must be a str.*got None"),
        ([{"role": 3, "content": "x"}], "got 3"),
        ([{"role": "user"}], r"messages\[0\] has no 'content'"),
        ([{"role": "user", "content": 5}], "got int"),
    ],
)
def test_messages_are_checked(messages, words):
    with pytest.raises(ca.ArgumentError, match=words):
        render(CHATML, messages)


def test_messages_that_are_fine():
    check_messages([{"role": "assistant", "content": None, "tool_calls": []}])
    check_messages(({"role": "user", "content": [{"type": "text", "text": "x"}]},))


@pytest.mark.parametrize(("source", "words"), [(None, "no chat template.*template="), (b"x", "got the bytes")])
def test_a_missing_template_shows_how_to_pass_one(source, words):
    with pytest.raises(ca.ArgumentError, match=words):
        ca.ChatTemplate(source)


def test_the_template_shown_in_that_error_works():
    from cutaway.chat import NO_TEMPLATE

    shown = NO_TEMPLATE.split('template="')[1].split('")')[0].replace("\\n", "\n")
    assert render(shown, [{"role": "user", "content": "Hi"}]) == "user: Hi\nassistant:"


# Two of the real ones do not fit a plain conversation, in any engine: one assigns to a dict, one wants `functions`.
REFUSED = {
    "MiroThinker.jinja": "line 280: cannot assign attribute on non-namespace object",
    "fireworks-ai-llama-3-firefunction-v2.jinja": "line 21: 'functions' is undefined",
}


@needs_real
@pytest.mark.parametrize("path", REAL, ids=[path.stem for path in REAL])
def test_real_template(path):
    template = ca.ChatTemplate(path.read_text())
    plain = [TURNS[1], TURNS[2], TURNS[3]]
    if path.name in REFUSED:
        with pytest.raises(ca.ArgumentError, match=REFUSED[path.name]):
            template.render(plain, bos_token="<s>", eos_token="</s>")
        return
    text = template.render(plain, bos_token="<s>", eos_token="</s>")
    question, answer, again = (text.find(m["content"]) for m in plain)
    assert 0 <= question < answer < again
    # the work limit leaves room for a long conversation
    long = template.render(plain[:2] * 100 + plain[2:], bos_token="<s>", eos_token="</s>")
    assert long.count("2 < 3 & é?") == 100

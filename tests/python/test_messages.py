"""`ca.count_tokens` and `ca.fit_messages`: overhead by figures and by template, turns kept whole."""

import cutaway as ca
import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import Words

TALK = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two words"},
    {"role": "user", "content": "three more words"},
    {"role": "assistant", "content": "four"},
    {"role": "user", "content": "five"},
]


def plain(n):
    """Messages as the published figures count them: 3 each, the role's word, and the words of the content."""
    return 4 * len(n) + sum(len(m["content"].split()) for m in n)


def test_text_counts_as_the_tokenizer_does():
    assert ca.count_tokens("three short words", Words()) == 3 and ca.count_tokens("", Words()) == 0
    with pytest.raises(ca.ArgumentError, match="overhead is for messages; a text has none"):
        ca.count_tokens("text", Words(), ca.ChatOverhead())


def test_published_overhead():
    assert ca.ChatOverhead() == ca.ChatOverhead(per_message=3, per_name=1, reply=3)
    assert ca.count_tokens([{"role": "user", "content": "hello there"}], Words()) == 3 + 1 + 2 + 3
    named = [{"role": "system", "name": "example_user", "content": "hello"}]
    assert ca.count_tokens(named, Words()) == 3 + 1 + 1 + 1 + 1 + 3
    assert ca.count_tokens(named, Words(), ca.ChatOverhead(4, -1, 0)) == 4 - 1 + 3
    assert ca.count_tokens(TALK, Words()) == plain(TALK) + 3
    parts = [{"role": "user", "content": [{"type": "text", "text": "a b"}, {"type": "text", "text": "c"}]}]
    assert ca.count_tokens(parts, Words()) == 3 + 1 + 3 + 3
    assert ca.count_tokens([{"role": "assistant", "content": None}], Words()) == 3 + 1 + 3


def test_a_template_counts_what_it_renders():
    """<role> content <end> a message, and <assistant>."""
    tok = Words(chat_template="yes")
    assert ca.count_tokens(TALK, tok) == 2 * 6 + 10 + 1
    assert ca.count_tokens(TALK, tok, ca.ChatOverhead()) == plain(TALK) + 3
    calls = [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]
    assert ca.count_tokens(calls, tok) == 4  # a template knows what to do with calls


def test_real_templates_count_what_they_render(real_model):
    model = real_model("smollm2")
    ids = model.tokenizer.apply_chat_template(TALK, tokenize=True)
    assert ca.count_tokens(TALK, model) == ca.count_tokens(TALK, model.tokenizer) == len(ids)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "has no messages"),
        ({"role": "user", "content": "x"}, "messages is a text or a list of"),
        (7, "messages is a text or a list of .*, got 7"),
        (["x"], "Message 0 must be .*, got the text 'x'"),
        ([{"role": "user"}], r"Message 0 must be .*, got \['role'\]"),
        ([{"role": 1, "content": "x"}], "Message 0 must be"),
        (
            [TALK[0], {"role": "user", "content": [{"type": "image_url"}]}],
            "Message 1 .* not text: the text 'image_url'",
        ),
        ([{"role": "assistant", "content": "x", "tool_calls": []}], "Message 0 has a list under 'tool_calls'"),
    ],
)
def test_what_is_not_counted_is_an_error(messages, said):
    for call in (ca.count_tokens, ca.fit_messages):
        with pytest.raises(ca.ArgumentError, match=said):
            call(messages, Words())


def test_arguments_of_another_kind():
    with pytest.raises(ca.ArgumentError, match="expected a model or a tokenizer"):
        ca.count_tokens("x", 3)
    with pytest.raises(ca.ArgumentError, match=r"overhead is a ca.ChatOverhead\(per_message, per_name, reply\), got 3"):
        ca.count_tokens(TALK, Words(), 3)
    with pytest.raises(ca.ArgumentError, match="budget must be a whole number, 1 or greater, got 0"):
        ca.fit_messages(TALK, Words(), 0)


# ---- a budget


def test_everything_fits():
    fitted = ca.fit_messages(TALK, Words())
    assert fitted.messages == TALK and fitted.dropped == [] and fitted.budget == 8000
    assert fitted.tokens == ca.count_tokens(TALK, Words()) == 37
    assert fitted.said == "6 messages of 6 kept: 37 of 8,000 tokens; nothing dropped"


@pytest.mark.parametrize(
    ("budget", "kept", "tokens"),
    [
        (37, [0, 1, 2, 3, 4, 5], 37),
        (36, [0, 3, 4, 5], 26),
        (26, [0, 3, 4, 5], 26),
        (25, [0, 5], 14),
        (14, [0, 5], 14),
    ],
)
def test_the_newest_turns_are_kept_whole(budget, kept, tokens):
    fitted = ca.fit_messages(TALK, Words(), budget)
    assert [row.index for row in fitted.rows if row.kept] == kept
    assert fitted.messages == [TALK[i] for i in kept] and list(fitted) == fitted.messages and len(fitted) == len(kept)
    assert fitted.dropped == [m for i, m in enumerate(TALK) if i not in kept]
    assert fitted.tokens == ca.count_tokens(fitted.messages, Words()) == tokens
    assert fitted[0] is TALK[0] and fitted[-1:] == [TALK[5]]


def test_what_was_dropped_is_said():
    fitted = ca.fit_messages(TALK, Words(), 14)
    assert repr(fitted).splitlines() == [
        "2 messages of 6 kept: 14 of 14 tokens; dropped: messages 1 to 4",
        "message  role       tokens           content",
        "      0  system          3           be brief",
        "      1  user            2  dropped  one",
        "      2  assistant       3  dropped  two words",
        "      3  user            4  dropped  three more words",
        "      4  assistant       2  dropped  four",
        "      5  user            2           five",
    ]
    assert "dropped: messages 1 to 4" in fitted._repr_html_()
    assert list(fitted.to_pandas().kept) == [True, False, False, False, False, True]
    with pytest.raises(ca.Error, match="There is no message 2"):
        fitted[2]


def test_too_small_a_budget_is_an_error():
    with pytest.raises(ca.ArgumentError, match="system and the last turn alone count 14 tokens, over the budget of 13"):
        ca.fit_messages(TALK, Words(), 13)
    with pytest.raises(ca.ArgumentError, match="The messages of the system alone count 9 tokens"):
        ca.fit_messages(TALK[:1], Words(), 8)
    assert ca.fit_messages(TALK[:1], Words(), 9).messages == TALK[:1]


def test_turns_hold_calls_and_later_words_of_the_system():
    talk = [
        {"role": "assistant", "content": "greeting"},
        {"role": "user", "content": "ask"},
        {"role": "assistant", "content": "calls"},
        {"role": "tool", "content": "result"},
        {"role": "developer", "content": "rule"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "again"},
    ]
    kept = {b: [r.index for r in ca.fit_messages(talk, Words(), b).rows if r.kept] for b in (38, 37, 32, 13)}
    assert kept == {38: [*range(7)], 37: [*range(1, 7)], 32: [4, 6], 13: [4, 6]}
    one = ca.fit_messages(talk, Words(), 13)
    assert one.said.endswith("dropped: messages 0 to 3, 5")


def test_a_template_is_measured_too():
    tok = Words(chat_template="yes")
    fitted = ca.fit_messages(TALK, tok, 8)
    assert fitted.messages == [TALK[0], TALK[5]] and fitted.tokens == 8 == ca.count_tokens(fitted.messages, tok)


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.integers(0, 9)), min_size=1),
    st.integers(1, 200),
)
def test_what_is_kept_is_the_newest_that_fits(talk, budget):
    messages = [{"role": role, "content": "w " * n} for role, n in talk]
    tok = Words()
    try:
        fitted = ca.fit_messages(messages, tok, budget)
    except ca.ArgumentError as error:
        assert "over the budget" in str(error)
        return
    kept = [row.kept for row in fitted.rows]
    assert fitted.tokens == ca.count_tokens(fitted.messages, tok) <= budget
    assert all(kept[i] for i, (role, _) in enumerate(talk) if role == "system")
    others = [(kept[i], role) for i, (role, _) in enumerate(talk) if role != "system"]
    flags = [flag for flag, _ in others]
    assert flags == sorted(flags)  # what is kept is the end
    if False in flags:
        cut = flags.index(True)
        assert others[cut][1] == "user"  # a turn is whole
        before = max([i for i in range(1, cut) if others[i][1] == "user"], default=0)
        also = {i for i, (role, _) in enumerate(talk) if role != "system"}
        longer = sorted(also)[before:] + [i for i, (role, _) in enumerate(talk) if role == "system"]
        assert ca.count_tokens([messages[i] for i in sorted(longer)], tok) > budget


# ---- the cookbook's own example: 129 tokens for gpt-4, 124 for gpt-4o

COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.mark.parametrize(("encoding", "tokens"), [("cl100k_base", 129), ("o200k_base", 124)])
def test_the_cookbooks_example(shared_path, encoding, tokens):
    tok = ca.Tokenizer.from_file(shared_path(f"conformance/tokenizers/{encoding}.tiktoken"))
    assert ca.count_tokens(COOKBOOK, tok) == tokens
    assert ca.count_tokens("What is the meaning of life, the universe, and everything?", tok) == 13

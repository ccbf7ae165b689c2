"""`ca.diff_tokenizers`: regions that tile the text, cut where both cut."""

import cutaway as ca
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizer_files import golden_lines, small_bpe, small_spm, write


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    files = {"bpe.gguf": small_bpe(), "gpt2.gguf": small_bpe("gpt-2"), "spm.gguf": small_spm()}
    return {name: ca.Tokenizer.from_file(write(folder / name, made)) for name, made in files.items()}


class Cuts:
    """A tokenizer of a text by given lengths in bytes."""

    def __init__(self, lengths, ids):
        self.lengths, self.ids = lengths, ids

    def encode(self, text):
        return self.ids

    def tokens(self, ids):
        return [str(id) for id in ids]

    def offsets(self, data):
        ends = [sum(self.lengths[: i + 1]) for i in range(len(self.lengths))]
        return [[end - n, end] for n, end in zip(self.lengths, ends, strict=True)]


def test_regions_by_hand():
    """ab|c|def|gh|ij against ab|c|d|ef|ghi|j: the third and the last two differ."""
    diff = ca.diff_tokenizers(
        Cuts([2, 1, 3, 2, 2], [1, 2, 3, 4, 5]), Cuts([2, 1, 1, 2, 3, 1], [1, 9, 3, 4, 5, 6]), "abcdefghij"
    )
    assert [(r.kind, r.text, r.a_ids, r.b_ids) for r in diff] == [
        ("same", b"ab", (1,), (1,)),
        ("ids", b"c", (2,), (9,)),
        ("cut", b"def", (3,), (3, 4)),
        ("cut", b"ghij", (4, 5), (5, 6)),
    ]
    assert (
        diff[2].a_tokens == (b"def",) and diff[2].b_tokens == (b"d", b"ef") and (diff[2].begin, diff[2].end) == (3, 6)
    )
    assert diff.counts == {"a_tokens": 5, "b_tokens": 6, "cut_alike": 2, "same_id": 1, "cut_differently": 2}
    assert not diff.same and [r.text for r in diff.differences] == [b"def", b"ghij"]
    assert repr(diff).splitlines() == [
        "a = a: 5 tokens; b = b: 6; 2 tokens cut alike, 1 of them under the same id; 2 places cut differently",
        "bytes  text  a        ids of a  b        ids of b",
        "3-6    def   def      3         d | ef   3 4",
        "6-10   ghij  gh | ij  4 5       ghi | j  5 6",
    ]


def test_tokens_that_share_a_character_stay_together():
    """Three tokens over one span, as a lossy vocabulary gives: no cut inside."""
    a, b = Cuts([], [1, 2, 3]), Cuts([], [7])
    a.offsets = lambda data: [[0, 3], [0, 3], [0, 3]]
    b.offsets = lambda data: [[0, 3]]
    (region,) = ca.diff_tokenizers(a, b, "€")
    assert region.kind == "cut" and region.a_ids == (1, 2, 3) and region.b_ids == (7,)


def test_a_token_without_bytes_goes_with_what_follows():
    a, b = Cuts([], [5, 1]), Cuts([], [1])
    a.offsets = lambda data: [[0, 0], [0, 1]]
    b.offsets = lambda data: [[0, 1]]
    (region,) = ca.diff_tokenizers(a, b, "x")
    assert region.kind == "cut" and region.a_ids == (5, 1)


def test_one_tokenizer_with_itself(both):
    for tok in both.values():
        for text in ("", "the cat sat", *golden_lines()[:20]):
            diff = ca.diff_tokenizers(tok, tok, text)
            assert diff.same and not diff.differences and len(diff) == bool(text)
            assert diff.counts["cut_alike"] == diff.counts["same_id"] == tok.count(text)


def check(a, b, text):
    diff = ca.diff_tokenizers(a, b, text)
    data = text if isinstance(text, bytes) else text.encode()
    assert b"".join(region.text for region in diff) == data
    assert list(diff.a_ids) == a.encode(text).tolist() and list(diff.b_ids) == b.encode(text).tolist()
    edges = [{0, len(data), *tok.offsets(data).ravel().tolist()} for tok in (a, b)]
    for region in diff:
        assert data[region.begin : region.end] == region.text
        assert {region.begin, region.end} <= edges[0] & edges[1]
        assert (region.kind == "cut") == (region.a_tokens != region.b_tokens)
        if region.kind == "same":
            assert region.a_ids == region.b_ids
        if region.kind == "cut":  # as little as can be compared
            inside = range(region.begin + 1, region.end)
            assert not (edges[0] & edges[1]).intersection(inside)
    return diff


def test_lines_of_27_scripts(both):
    a, b = both["bpe.gguf"], both["gpt2.gguf"]
    diffs = [check(a, b, line) for line in golden_lines()[:300]]
    assert sum(not diff.same for diff in diffs) > 10
    assert {region.kind for diff in diffs for region in diff} == {"same", "ids", "cut"}


@given(st.binary(max_size=60))
def test_any_bytes(both, text):
    check(both["bpe.gguf"], both["gpt2.gguf"], text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_against_another_kind(both, text):
    """SentencePiece's space before the text has no bytes of the text."""
    diff = ca.diff_tokenizers(both["bpe.gguf"], both["spm.gguf"], text)
    assert b"".join(region.text for region in diff) == text.encode()
    if text:
        assert list(diff.a_ids) == both["bpe.gguf"].encode(text).tolist()
        assert list(diff.b_ids) == both["spm.gguf"].encode(text).tolist()


def test_two_real_vocabularies(real_model, model_path):
    a, b = real_model("smollm2"), real_model("gemma3")
    text = "The unbelievable tokenization of 12345 नमस्ते 🙂\n\n  def f(x):"
    diff = ca.diff_tokenizers(a, b, text)
    assert b"".join(region.text for region in diff) == text.encode()
    assert (diff.a, diff.b) == (model_path("smollm2").name, model_path("gemma3").name) and diff.differences
    assert ca.diff_tokenizers(a.tokenizer, a, text).a != ca.diff_tokenizers(a.tokenizer, a, text).b


def test_it_shows_itself(both):
    text = "it's the <b>cat</b> & 123\nनमस्ते"
    diff = ca.diff_tokenizers(both["bpe.gguf"], both["gpt2.gguf"], text)
    page = diff._repr_html_()
    assert "place cut differently" in page and "<b>cat" not in page and "&lt;b&gt;" in page and "http" not in page
    assert "bpe.gguf" in page and len(page) < 200_000
    shown = repr(diff.view())
    assert "123" in shown and "नमस्ते" in shown
    assert len(diff.to_pandas()) == len(diff) and diff[:1][0] == diff[0]
    whole = "\n".join(golden_lines()[:2000])
    assert len(ca.diff_tokenizers(both["bpe.gguf"], both["gpt2.gguf"], whole).view().page()) < 1_000_000


def test_what_is_refused(both):
    tok = both["bpe.gguf"]
    with pytest.raises(ca.ArgumentError, match=r"no encoding 'text'.*The call is diff_tokenizers\(a, b, text\)"):
        ca.diff_tokenizers(tok, "text", "text")
    with pytest.raises(ca.ArgumentError, match="surrogate"):
        ca.diff_tokenizers(tok, tok, "\ud800")
    with pytest.raises(ca.ArgumentError, match="the text is 3, expected str or bytes"):
        ca.diff_tokenizers(tok, tok, 3)

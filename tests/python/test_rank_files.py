"""Files of base64 ranks: what is read, and what is refused with the place of the fault."""

from __future__ import annotations

import base64
from pathlib import Path

import cutaway as ca
import pytest

BYTES = [bytes([b]) for b in range(256)]
WORDS = [b"th", b"he", b"the", b" the", b"xyz", b"\xe4\xb8"]


def lines(tokens: list[bytes], first: int = 0) -> list[str]:
    return [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(tokens, first)]


def written(path: Path, content: list[str] | bytes) -> Path:
    file = path / "some.tiktoken"
    file.write_bytes(content if isinstance(content, bytes) else ("\n".join(content) + "\n").encode())
    return file


GOOD = lines(BYTES + WORDS)


def test_ranks_of_ones_own(tmp_path: Path) -> None:
    tok = ca.Tokenizer.from_file(written(tmp_path, GOOD), pattern="cl100k")
    assert len(tok) == 262
    # "he" waits for "th", of a lower rank; "xyz" is a whole word, though no two of its letters merge.
    assert tok.encode("the the xyz xyzz").tolist() == [258, 259, 32, 120, 121, 122, 32, 120, 121, 122, 122]
    assert tok.encode("xyz").tolist() == [260]
    assert tok.encode("中").tolist() == [261, 0xAD]
    assert tok.piece(259) == "Ġthe"
    assert tok.to_id("Ġthe") == 259
    assert tok.info()["pre"] == "cl100k"
    steps = tok._core.explain("the", False, False)
    assert [piece[3] for piece in steps] == [[258]]
    assert ca.Tokenizer.from_file(written(tmp_path, "\r\n".join(GOOD).encode()), "gpt-2").encode("th").tolist() == [256]


def test_unknown_ranks_need_a_pattern(tmp_path: Path) -> None:
    with pytest.raises(ca.FormatError, match=r"not known \(r50k_base, .*pattern=, one of: gpt-2, "):
        ca.Tokenizer.from_file(written(tmp_path, GOOD))
    with pytest.raises(ca.ArgumentError, match="no pattern 'nothing'; there are: gpt-2, "):
        ca.Tokenizer.from_file(written(tmp_path, GOOD), pattern="nothing")


HOSTILE = {
    "not base64": ([*GOOD, "a!== 262"], "line 263 is 'a!== 262'"),
    "no padding": ([*GOOD, "YQ 262"], "line 263"),
    "bits behind the last byte": ([*GOOD, "YR== 262"], "line 263"),
    "no token": ([*GOOD, " 262"], "line 263"),
    "no rank": ([*GOOD, "YWJj"], "line 263"),
    "a rank in words": ([*GOOD, "YWJj one"], "line 263"),
    "a negative rank": ([*GOOD, "YWJj -1"], "line 263"),
    "a huge rank": ([*GOOD, "YWJj 999999999"], "line 263"),
    "a rank of many digits": ([*GOOD, "YWJj " + "9" * 40], "line 263"),
    "a rank twice": ([*GOOD, "YWJj 261"], "line 263: the rank 261 is there twice"),
    "a token twice": ([*GOOD, "dGhl 262"], "tokens 258 and 262 are both 'the'"),
    "a hole": ([*GOOD, "YWJj 263"], "no line has the rank 262"),
    "not from 0": (lines(BYTES, 1), "no line has the rank 0"),
    "a byte that is missing": (lines([*BYTES[:100], *BYTES[101:]]), "no token for the byte 100"),
    "bytes that are no text": ("\n".join(GOOD).encode() + b"\n\xff\xfe 1\n", "line 263"),
    "NUL": ("\n".join(GOOD).encode() + b"\nYQ=\0 262\n", "line 263"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(case: str, tmp_path: Path) -> None:
    content, message = HOSTILE[case]
    with pytest.raises(ca.FormatError, match="some.tiktoken.*" + message if "byte 100" not in message else message):
        ca.Tokenizer.from_file(written(tmp_path, content), pattern="gpt-2")


@pytest.mark.parametrize("size", [0, 1, 5, 8, 4096])
def test_cut_files(size: int, tmp_path: Path) -> None:
    whole = "\n".join(GOOD).encode()
    with pytest.raises(ca.FormatError):
        ca.Tokenizer.from_file(written(tmp_path, whole[: min(size, len(whole) - 3)]), pattern="gpt-2")

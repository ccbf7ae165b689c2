"""Encodings from their pack file: the same tokenizer as from the ranks, and whatever is wrong with the file, the ranks
are read and nobody is told."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import random
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from command_line import run
from cutaway import _core, encodings, packs
from encoding_process import TEXT, load_and_say, load_at_once, load_with_small_files

Shared = Callable[[str], Path]
NAME = "r50k_base"  # the smallest
HEADER = "<24sII32sQQ"  # magic, version, bytes of the path, identity, ids, bytes of the text
BITS = 8 * (256 * 256 // 64 + 2**23 // 64)
SPARE = 16
TEXTS = [
    TEXT,
    "def f(x):\n\treturn x**2  # 🤷🏽‍♀️ <|fim_prefix|>",
    " unbelievable" * 20 + "ß" * 300 + "的" * 700 + "\r\n",
    "Привет мир नमस्ते မင်္ဂလာပါ\x00\x85",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_path: Shared) -> Iterator[Path]:
    """Where pack files go: a cache of the test's own. The ranks lie where tiktoken keeps them."""
    ranks = tmp_path / "tiktoken"
    ranks.mkdir()
    for name in sorted(set(encodings.ENCODINGS.values())):
        (ranks / encodings._file_of(name)).symlink_to(shared_path(f"conformance/tokenizers/{name}.tiktoken"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(ranks))
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CUTAWAY_PACK", "1")
    encodings._loaded.cache_clear()
    yield tmp_path / "cache/packs"
    encodings._loaded.cache_clear()


@pytest.fixture
def pack(folder: Path) -> Path:
    """A sound pack file."""
    anew(NAME)
    return folder / f"{NAME}.tokenizer.pack"


def anew(name: str) -> ca.Tokenizer:
    encodings._loaded.cache_clear()
    return ca.tokenizer(name)


def packed(folder: Path, name: str = NAME) -> ca.Tokenizer | None:
    core = _core.packed_tokenizer(name, os.fsencode(folder))
    return core and ca.Tokenizer(core)


def from_ranks(name: str) -> ca.Tokenizer:
    path = Path(os.environ["TIKTOKEN_CACHE_DIR"]) / encodings._file_of(encodings.ENCODINGS[name])
    return ca.Tokenizer(_core.Tokenizer(str(path), encoding=name))


# ---- the same tokenizer


@pytest.mark.parametrize("name", encodings.ENCODINGS)
def test_the_same_tokenizer(name: str, folder: Path) -> None:
    first = anew(name)
    assert [path.name for path in folder.iterdir()] == [f"{name}.tokenizer.pack"]
    again = packed(folder, name)
    assert again is not None
    assert again.info() == first.info() == from_ranks(name).info()
    assert again.special_ids == first.special_ids
    assert again._core.stop_ids == first._core.stop_ids
    every = range(len(first))
    assert len(again) == len(first)
    for what in ("token_bytes", "token_type", "piece"):
        ours, theirs = getattr(again._core, what), getattr(first._core, what)
        assert [ours(i) for i in every] == [theirs(i) for i in every], what
    for i in [*range(0, len(first), 97), *range(len(first) - 40, len(first))]:
        assert again.to_id(again.piece(i)) == i
    for text in TEXTS:
        for special in (False, True):
            ids = first.encode(text, parse_special=special)
            assert np.array_equal(again.encode(text, parse_special=special), ids)
            assert again.count(text, parse_special=special) == len(ids)
            assert again._core.explain(text, False, special) == first._core.explain(text, False, special)
            assert np.array_equal(again._core.spans(text, False, special), first._core.spans(text, False, special))
        assert again.decode(ids) == text
    ids = np.random.default_rng(3).integers(0, len(first), 20_000)
    assert again.decode_bytes(ids) == first.decode_bytes(ids)


def test_it_needs_no_ranks(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And knows where they were."""
    path = anew(NAME).info()["path"]
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    monkeypatch.setattr(encodings, "_at_hand", lambda _: pytest.fail("the ranks are not looked for"))
    assert anew(NAME).info()["path"] == path
    assert path.endswith(encodings._file_of(NAME))


def test_it_is_written_once(pack: Path) -> None:
    before = pack.stat()
    anew(NAME)
    assert pack.stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o600


# ---- not believed


def test_cut_short(pack: Path) -> None:
    whole = pack.read_bytes()
    lengths = [0, 1, 23, 79, 80, 88, 80 + BITS, len(whole) // 2, len(whole) - 8, len(whole) - 1]
    for length in [*lengths, *random.Random(1).sample(range(len(whole)), 20)]:
        pack.write_bytes(whole[:length])
        assert packed(pack.parent) is None, length
        assert _core.report_rank_pack(os.fsencode(pack)) == "damaged"
    pack.write_bytes(whole + b"\0")
    assert packed(pack.parent) is None
    assert anew(NAME).encode(TEXT).tolist() == from_ranks(NAME).encode(TEXT).tolist()
    assert pack.read_bytes() == whole  # written anew
    assert packed(pack.parent) is not None


def test_flipped_bits(pack: Path) -> None:
    whole, rng = pack.read_bytes(), random.Random(2)
    places = [*range(80), *range(len(whole) - 24, len(whole)), *rng.sample(range(len(whole)), 250)]
    with open(pack, "r+b") as file:
        for place in places:
            file.seek(place)
            file.write(bytes([whole[place] ^ 1 << rng.randrange(8)]))
            file.flush()
            assert packed(pack.parent) is None, place
            file.seek(place)
            file.write(whole[place : place + 1])
            file.flush()
    assert packed(pack.parent) is not None


MASK = 2**64 - 1


def checksum(data: bytes) -> int:
    """Folded 128-bit products, as the engine has them (byte_index.h)."""
    a, b = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB

    def mixed(x: int, y: int) -> int:
        product = x * y
        return (product & MASK) ^ product >> 64

    state = len(data) * b & MASK
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    last = (len(words) - 1) // 2 * 2 if len(words) % 2 else len(words) - 2
    for i in range(0, last, 2):
        state = mixed(words[i] ^ a, words[i + 1] ^ state)
    return mixed(words[-2] ^ a ^ state, words[-1] ^ b)


class Parts:
    """A pack file taken apart."""

    def __init__(self, data: bytes):
        self.header = list(struct.unpack_from(HEADER, data))
        _, _, path, _, n, text = self.header
        at = 80 + BITS
        self.bits = data[80:at]
        self.begin = np.frombuffer(data, np.uint32, n + 1, at).copy()
        at += 4 * (n + 1)
        self.text = bytearray(data[at : at + text])
        self.path = data[at + text + SPARE : at + text + SPARE + path]

    def whole(self) -> bytes:
        data = struct.pack(HEADER, *self.header) + self.bits + self.begin.tobytes()
        data += bytes(self.text) + bytes(SPARE) + self.path
        data += bytes(-len(data) % 8)
        return data + struct.pack("<Q", checksum(data))


def test_the_checksum_is_ours(pack: Path) -> None:
    """Else the next test would test nothing."""
    data = pack.read_bytes()
    assert Parts(data).whole() == data


VERSION, PATH, IDENTITY, IDS, BYTES = 1, 2, 3, 4, 5


def set_header(place: int, value: object) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts.header[place] = value

    return change


def set_begin(at: int, value: int) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts.begin[at] = value

    return change


def token_twice(parts: Parts) -> None:
    one, other = parts.begin[300], parts.begin[301]
    parts.text[parts.begin[100] : parts.begin[101]] = parts.text[parts.begin[99] : parts.begin[100]]
    assert other > one


def special_renamed(parts: Parts) -> None:
    parts.text[parts.begin[50_256] + 2] ^= 1


def nothing_but_spaces(parts: Parts) -> None:
    parts.text[:] = b" " * len(parts.text)


def no_ids(parts: Parts) -> None:
    parts.header[IDS], parts.header[BYTES] = 0, 0
    parts.begin, parts.text = np.zeros(1, np.uint32), bytearray()


HOSTILE = {
    "other version": set_header(VERSION, 2),
    "another encoding": set_header(IDENTITY, hashlib.sha256(b"p50k_base").digest()),
    "many ids": set_header(IDS, 2**40),
    "ids that wrap round": set_header(IDS, 2**62 + 50_257),
    "a long text": set_header(BYTES, 2**40),
    "a text that wraps round": set_header(BYTES, 2**64 - 16),
    "a long path": set_header(PATH, 2**31),
    "no path": set_header(PATH, 0),
    "one id less": set_header(IDS, 50_256),
    "not from 0 on": set_begin(0, 1),
    "a place behind the end": set_begin(1000, 2**32 - 1),
    "a place before the last": set_begin(1000, 0),
    "the last place beyond": set_begin(50_257, 2**31),
    "a token twice": token_twice,
    "another special token": special_renamed,
    "all tokens alike": nothing_but_spaces,
    "no ids": no_ids,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_with_a_right_checksum(case: str, pack: Path) -> None:
    parts = Parts(pack.read_bytes())
    HOSTILE[case](parts)
    pack.write_bytes(parts.whole())
    assert packed(pack.parent) is None
    assert anew(NAME).encode(TEXT).tolist() == from_ranks(NAME).encode(TEXT).tolist()
    assert packed(pack.parent) is not None  # written anew


def test_tokens_that_somebody_made_up(pack: Path) -> None:
    """Other tokens, lengths and neighbours under a right checksum: what they encode to is nobody's business, but every
    id is one of the vocabulary and the bytes come back."""
    whole, made = pack.read_bytes(), 0
    for seed in range(8):
        parts, rng = Parts(whole), random.Random(seed)
        parts.bits = rng.randbytes(len(parts.bits))
        for at in rng.sample(range(256, 50_255, 2), seed * 500):
            low, high = int(parts.begin[at]), int(parts.begin[at + 2])
            if high - low >= 8:
                parts.begin[at + 1] = rng.randrange(low + 4, high - 3)
                parts.text[low:high] = rng.randbytes(high - low)
        pack.write_bytes(parts.whole())
        tok = packed(pack.parent)
        if tok is None:  # two tokens became one
            continue
        made += 1
        for text in [*TEXTS, rng.randbytes(5000), "ab" * 3000]:
            ids = tok.encode(text)
            assert 0 <= ids.min() <= ids.max() < len(tok)
            assert tok.decode_bytes(ids) == (text if isinstance(text, bytes) else text.encode())
    assert made >= 6


def test_of_another_encoding(pack: Path) -> None:
    """gpt2 has the same ranks, and its own name."""
    other = pack.with_name("gpt2.tokenizer.pack")
    other.write_bytes(pack.read_bytes())
    assert packed(pack.parent, "gpt2") is None
    assert _core.report_rank_pack(os.fsencode(other)) == "other version"
    assert packed(pack.parent, "nothing") is None


# ---- places where nothing can be kept


def test_not_a_file_of_ours(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    place, other = folder / f"{NAME}.tokenizer.pack", tmp_path / "other"
    other.write_bytes(b"mine")
    ids = from_ranks(NAME).encode(TEXT).tolist()
    place.symlink_to(other)
    assert anew(NAME).encode(TEXT).tolist() == ids
    assert place.is_symlink()
    assert other.read_bytes() == b"mine"
    place.unlink()
    place.mkdir()
    assert anew(NAME).encode(TEXT).tolist() == ids
    place.rmdir()
    os.mkfifo(place)
    assert anew(NAME).encode(TEXT).tolist() == ids
    assert place.is_fifo()
    assert [path.name for path in folder.iterdir()] == [place.name]


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"no folder")
    assert anew(NAME).encode(TEXT).tolist() == from_ranks(NAME).encode(TEXT).tolist()
    assert folder.read_bytes() == b"no folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(pack: Path) -> None:
    pack.parent.chmod(0o500)
    try:
        assert packed(pack.parent) is not None
        assert len(anew("gpt2")) == 50_257
    finally:
        pack.parent.chmod(0o700)
    assert [path.name for path in pack.parent.iterdir()] == [pack.name]


def test_no_packs_wanted(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_PACK", "0")
    pack.unlink()
    assert len(anew(NAME)) == 50_257
    assert not pack.exists()
    monkeypatch.setenv("CUTAWAY_PACK", "maybe")
    with pytest.raises(ca.ArgumentError, match="CUTAWAY_PACK is 'maybe'"):
        anew(NAME)


def test_somebody_else_writes(folder: Path) -> None:
    """Nobody waits, and what the other writes stays."""
    folder.mkdir(parents=True)
    part = folder / f"{NAME}.tokenizer.pack.part"
    with open(part, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"half")
        file.flush()
        assert len(anew(NAME)) == 50_257
        assert part.read_bytes() == b"half"
        assert [row.state for row in packs.packs()] == ["unfinished"]
        assert packs.clear_packs() == (0, 0)
    anew(NAME)  # the other was stopped
    assert [row.state for row in packs.packs()] == ["ready"]


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def test_a_full_disk(folder: Path) -> None:
    ids = from_ranks(NAME).encode(TEXT, parse_special=True).tolist()
    with spawned() as pool:
        assert pool.submit(load_with_small_files, NAME, 1 << 20).result() == (ids, [])
    with spawned() as pool:
        assert pool.submit(load_and_say, NAME).result() == (ids, ["ready"])


def test_processes_at_once(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, answer = context.Barrier(3), context.Queue()
    all_of_them = [context.Process(target=load_at_once, args=(NAME, ready, answer)) for _ in range(3)]
    for process in all_of_them:
        process.start()
    answers = [answer.get(timeout=60)[0] for _ in all_of_them]
    for process in all_of_them:
        process.join(60)
    assert answers == [from_ranks(NAME).encode(TEXT, parse_special=True).tolist()] * 3
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.tokenizer.pack"]
    assert packed(folder) is not None


# ---- for people


def test_listed_and_cleared(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = packs.packs()
    assert (row.model, row.state, row.size) == (NAME, "ready", pack.stat().st_size)
    assert NAME in repr(packs.packs())
    (listed,) = json.loads(run(capsys, "models", "--packs", "--json")[1])
    assert (listed["model"], listed["state"]) == (NAME, "ready")
    pack.write_bytes(b"cutaway tokenizer\r\n")
    assert [row.state for row in packs.packs()] == ["damaged"]
    assert packs.clear_packs()[0] == 1
    assert not pack.exists()

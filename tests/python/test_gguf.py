"""GGUF files: values, places and names against the writer's input and against the gguf package."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from make_files import GGML_TYPES, gguf_key, gguf_tensor, pad, write_gguf

gguf = pytest.importorskip("gguf", reason="the gguf package is the reference")

EVERY_TYPE = {
    "k.u8": ("u8", 255),
    "k.i8": ("i8", -128),
    "k.u16": ("u16", 65535),
    "k.i16": ("i16", -32768),
    "k.u32": ("u32", 2**32 - 1),
    "k.i32": ("i32", -(2**31)),
    "k.u64": ("u64", 2**64 - 1),
    "k.i64": ("i64", -(2**63)),
    "k.f32": ("f32", 0.1),
    "k.f64": ("f64", 0.1),
    "k.true": ("bool", True),
    "k.false": ("bool", False),
    "k.string": ("string", "é \0 日本"),
    "k.empty": ("string", ""),
}
ARRAYS = {
    "a.u8": ("array[u8]", [0, 255]),
    "a.i8": ("array[i8]", [-128, 127]),
    "a.u16": ("array[u16]", [65535]),
    "a.i16": ("array[i16]", [-32768, 5]),
    "a.u32": ("array[u32]", [2**32 - 1]),
    "a.i32": ("array[i32]", [-(2**31), 1, 2]),
    "a.u64": ("array[u64]", [2**64 - 1]),
    "a.i64": ("array[i64]", [-(2**63), 2**63 - 1]),
    "a.f32": ("array[f32]", [0.5, float("inf")]),
    "a.f64": ("array[f64]", [0.1]),
    "a.bool": ("array[bool]", [True, False, True]),
    "a.none": ("array[u32]", []),
}
DTYPES = {"u": "uint", "i": "int", "f": "float"}


def dtype_of(kind: str) -> np.dtype:
    element = kind[len("array[") : -1]
    return np.dtype(bool if element == "bool" else DTYPES[element[0]] + element[1:])


@pytest.mark.parametrize("version", [2, 3])
def test_every_value_type(tmp_path: Path, version: int) -> None:
    path = write_gguf(
        tmp_path / "m.gguf", EVERY_TYPE | ARRAYS | {"s": ("array[string]", ["a", "", "é"])}, version=version
    )
    info = ca.inspect_file(path)
    assert (info.format, info.version, info.tensors, info.files) == ("gguf", version, [], [str(path)])
    assert list(info.metadata) == [*EVERY_TYPE, *ARRAYS, "s"]
    for key, (kind, value) in EVERY_TYPE.items():
        expected = float(np.float32(value)) if kind == "f32" else value
        assert info.metadata[key] == expected and type(info.metadata[key]) is type(expected), key
        assert info.types[key] == kind
    for key, (kind, value) in ARRAYS.items():
        got = info.metadata[key]
        assert got.dtype == dtype_of(kind) and got.tolist() == np.array(value, dtype_of(kind)).tolist(), key
        assert info.types[key] == kind
    assert info.metadata["s"] == ["a", "", "é"]


def test_strings_keep_their_bytes(tmp_path: Path) -> None:
    raw = [bytes(range(256)), b"\xff\xfe", b"\xed\xa0\x80", "é".encode()]
    path = write_gguf(tmp_path / "m.gguf", {"s": ("string", raw[0]), "t": ("array[string]", raw)})
    metadata = ca.inspect_file(path).metadata
    assert metadata["s"].encode("utf-8", "surrogateescape") == raw[0]
    assert [s.encode("utf-8", "surrogateescape") for s in metadata["t"]] == raw


def test_nothing_in_it(tmp_path: Path) -> None:
    info = ca.inspect_file(write_gguf(tmp_path / "empty.gguf", {}))
    assert (info.metadata, info.tensors) == ({}, [])
    assert "0 keys; 0 tensors" in repr(info)


@pytest.mark.parametrize("alignment", [1, 8, 32, 64, 4096])
def test_tensor_places(tmp_path: Path, alignment: int) -> None:
    rng = np.random.default_rng(1)
    shapes = {"F32": (3,), "Q4_1": (5, 64), "F16": (2, 3, 7), "Q6_K": (2, 2, 1, 256), "I8": (1,), "BF16": (11, 1)}
    tensors = []
    for kind, shape in shapes.items():
        _, elements, size = GGML_TYPES[kind]
        tensors.append((f"t.{kind}", shape, kind, rng.bytes(int(np.prod(shape)) // elements * size)))
    path = write_gguf(tmp_path / "m.gguf", {"k": ("u8", 1)}, tensors, alignment=alignment)
    content = path.read_bytes()
    checkpoint = _core.Checkpoint(path)
    for (name, shape, kind, raw), entry in zip(tensors, ca.inspect_file(path).tensors, strict=True):
        assert (entry.name, entry.shape, entry.type, entry.bytes) == (name, shape, kind, len(raw))
        assert entry.offset % alignment == 0
        assert content[entry.offset : entry.offset + entry.bytes] == raw
        assert checkpoint.read(name).tobytes() == raw
        assert entry.file == str(path)


def test_every_known_ggml_type_has_a_size(tmp_path: Path) -> None:
    """As in the gguf package, but for Q8_1: its scale and sum are two f16 in ggml itself, two f32 in the package."""
    types = _core.ggml_types()
    for reference, (elements, size) in gguf.constants.GGML_QUANT_SIZES.items():
        if reference.name != "Q8_1":
            assert types[reference.name] == (int(reference), elements, size)
    assert types["Q8_1"] == (9, 32, 36)
    for name, (number, elements, size) in types.items():
        header = b"GGUF" + (3).to_bytes(4, "little") + (1).to_bytes(8, "little") + bytes(8)
        header += gguf_tensor("t", (3, 2 * elements), number, 0)
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(pad(header, 32) + bytes(6 * size))
        (entry,) = ca.inspect_file(path).tensors
        assert (entry.type, entry.bytes) == (name, 6 * size)


def reference_value(field: gguf.ReaderField) -> object:
    if field.types[0] == gguf.GGUFValueType.STRING:
        return bytes(field.parts[field.data[0]])
    if field.types[0] != gguf.GGUFValueType.ARRAY:
        return field.parts[field.data[0]][0]
    if field.types[1] == gguf.GGUFValueType.STRING:
        return [bytes(field.parts[i]) for i in field.data]
    return np.array([field.parts[i][0] for i in field.data])


def check_against_reference(path: Path) -> None:
    reader = gguf.GGUFReader(path)
    info = ca.inspect_file(path)
    keys = [key for key in reader.fields if not key.startswith("GGUF.")]
    assert list(info.metadata) == keys
    for key in keys:
        expected, got = reference_value(reader.fields[key]), info.metadata[key]
        if isinstance(expected, np.ndarray):
            assert got.dtype == expected.dtype and np.array_equal(got, expected), key
        elif isinstance(expected, list):
            assert [s.encode("utf-8", "surrogateescape") for s in got] == expected, key
        else:
            assert (got.encode("utf-8", "surrogateescape") if isinstance(got, str) else got) == expected, key
    assert len(info.tensors) == len(reader.tensors)
    for got, expected in zip(info.tensors, reader.tensors, strict=True):
        assert got.name == expected.name
        assert got.shape == tuple(int(d) for d in reversed(expected.shape))
        assert (got.type, got.offset, got.bytes) == (expected.tensor_type.name, expected.data_offset, expected.n_bytes)


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_real_models_agree_with_the_gguf_package(model_path, name: str) -> None:
    check_against_reference(model_path(name))


def test_generated_file_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    arrays = {key: value for key, value in ARRAYS.items() if value[1]}  # the package cannot read an empty array
    tensors = [("a", (2, 64), "Q5_0", bytes(88)), ("b", (3, 1, 5), "F16", bytes(30))]
    check_against_reference(write_gguf(tmp_path / "m.gguf", EVERY_TYPE | arrays, tensors, alignment=128))


def test_file_of_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list(["a", "b"])
    writer.add_rope_freq_base(1e4)
    weights = {"x": np.arange(12, dtype=np.float32).reshape(3, 4), "y": np.arange(5, dtype=np.float16)}
    for name, array in weights.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    info = ca.inspect_file(path)
    assert info.metadata["llama.block_count"] == 2 and info.metadata["tokenizer.ggml.tokens"] == ["a", "b"]
    checkpoint = _core.Checkpoint(path)
    for name, array in weights.items():
        assert np.array_equal(checkpoint.read(name).view(array.dtype).reshape(array.shape), array)


def test_real_vocabulary_files_open(shared_path) -> None:
    files = sorted(shared_path("conformance/tokenizers").glob("*.gguf"))
    assert files
    for path in files:
        info = ca.inspect_file(path)
        assert info.tensors == [] and len(info.metadata["tokenizer.ggml.tokens"]) > 1000


def test_path_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gguf(tmp_path / "m.bin", {"k": ("u8", 1)})  # told by content, not by name
    monkeypatch.chdir(tmp_path)
    for spelling in (path, str(path), "m.bin", "./x/../m.bin", bytes(path)):
        assert ca.inspect_file(spelling).path == str(path)
    if sys.platform == "linux":
        odd = tmp_path / b"\xff.gguf".decode("utf-8", "surrogateescape")
        path.rename(odd)
        assert ca.inspect_file(odd).path == str(odd)
    with pytest.raises(ca.ArgumentError, match="takes a path, as str or Path, got 3"):
        ca.inspect_file(3)


def test_reading_a_tensor_that_is_not_there(tmp_path: Path) -> None:
    checkpoint = _core.Checkpoint(write_gguf(tmp_path / "m.gguf", {}, [("w", (1,), "F32", bytes(4))]))
    with pytest.raises(ca.ArgumentError, match=r"m\.gguf: no tensor is called 'v'"):
        checkpoint.read("v")
    checkpoint.close()
    with pytest.raises(ca.FormatError, match="closed"):
        checkpoint.read("w")


def test_repr_is_plain_and_html_is_small_and_self_contained(tmp_path: Path) -> None:
    metadata = {"general.name": ("string", "<script>alert(1)</script>\x1b[31m"), "t": ("array[u32]", list(range(9)))}
    metadata |= {f"key.{i}": ("string", "&" * 1000) for i in range(500)}
    tensors = [(f"blk.{i}.<b>", (1,), "F32", bytes(4)) for i in range(1000)]
    info = ca.inspect_file(write_gguf(tmp_path / "m.gguf", metadata, tensors))
    plain, page = repr(info), info._repr_html_()
    assert "502 keys; 1,000 tensors (1,000 F32); 4,000 bytes of weights" in plain
    assert "'<script>alert(1)</script>\\x1b[31m'" in plain and "\x1b" not in plain + page
    assert "[0, 1, 2, 3, 4, 5, ...] (9)" in plain
    assert "... 402 more keys" in plain and "... 989 more tensors" in plain
    assert plain.count("\n") == 1 + 101 + 12
    assert "<script" not in page and "<b>&lt;" not in page and not re.search(r"(src|href)=", page)
    assert "750 more are not shown" in page and "252 more are not shown" in page
    assert len(page.encode()) < 200_000
    small = ca.inspect_file(write_gguf(tmp_path / "s.gguf", {"k": ("bool", True)}))
    assert small._repr_html_().count("<table") == 1


def test_key_bytes_are_as_the_specification_has_them(tmp_path: Path) -> None:
    """The generator itself, once, byte by byte."""
    assert gguf_key("ab", "u32", 7).hex(" ") == "02 00 00 00 00 00 00 00 61 62 04 00 00 00 07 00 00 00"
    assert gguf_tensor("t", (2, 3), 1, 32)[9:21].hex() == "02000000" + "0300000000000000"

"""Safetensors files and folders: against the writer's input and against the safetensors package."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from make_files import write_safetensors

INDEX = "model.safetensors.index.json"


def write_folder(
    folder: Path, config: dict[str, Any], shards: dict[str, list[str]], weight_map: dict[str, str] | None = None
) -> Path:
    """A folder of shards whose tensors are F32 [2], and an index unless there is a single model.safetensors."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    for shard, names in shards.items():
        write_safetensors(folder / shard, {n: ("F32", (2,), n.encode().ljust(8)[:8]) for n in names}, {"format": "pt"})
    if list(shards) != ["model.safetensors"]:
        found = {name: shard for shard, names in shards.items() for name in names}
        index = {"metadata": {"total_size": 8}, "weight_map": found if weight_map is None else weight_map}
        (folder / INDEX).write_text(json.dumps(index))
    return folder


def test_every_dtype(tmp_path: Path) -> None:
    bits = dict(BOOL=8, U8=8, I8=8, I16=16, U16=16, F16=16, BF16=16, I32=32, U32=32, F32=32, F64=64, I64=64, U64=64)
    bits |= dict(F8_E5M2=8, F8_E4M3=8, F8_E8M0=8, F8_E4M3FNUZ=8, F8_E5M2FNUZ=8, F4=4, F6_E2M3=6, F6_E3M2=6, C64=64)
    rng = np.random.default_rng(0)
    tensors = {f"t.{name}": (name, (3, 8), rng.bytes(3 * b)) for name, b in bits.items()}
    tensors |= {"scalar": ("F32", (), rng.bytes(4)), "none": ("F64", (2, 0, 5), b""), "é": ("U8", (1,), b"x")}
    path = write_safetensors(tmp_path / "m.safetensors", tensors, {"format": "pt", "ключ": "значение"})
    info = ca.inspect_file(path)
    assert (info.format, info.version, info.path) == ("safetensors", 0, str(path))
    assert info.metadata == {"format": "pt", "ключ": "значение"}
    checkpoint, content = _core.Checkpoint(path), path.read_bytes()
    assert sorted(t.name for t in info.tensors) == sorted(tensors)
    for entry in info.tensors:
        dtype, shape, raw = tensors[entry.name]
        assert (entry.type, entry.shape, entry.bytes) == (dtype, shape, len(raw))
        assert content[entry.offset : entry.offset + entry.bytes] == raw == checkpoint.read(entry.name).tobytes()


def test_no_tensors_and_no_metadata(tmp_path: Path) -> None:
    info = ca.inspect_file(write_safetensors(tmp_path / "m.safetensors", {}))
    assert (info.metadata, info.tensors) == ({}, [])


def test_files_of_the_safetensors_package(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy", reason="the safetensors package is the reference")
    rng = np.random.default_rng(2)
    arrays = {f"layer.{i}.{dtype}": rng.integers(0, 100, (i, 3)).astype(dtype) for i, dtype in enumerate("fdehilBHQ?")}
    arrays["scalar"] = np.array(2.5, np.float32)
    path = tmp_path / "m.safetensors"
    package.save_file(arrays, path, {"made": "by the package"})
    info, checkpoint = ca.inspect_file(path), _core.Checkpoint(path)
    assert info.metadata == {"made": "by the package"}
    assert {t.name: t.shape for t in info.tensors} == {name: array.shape for name, array in arrays.items()}
    for name, array in arrays.items():
        assert checkpoint.read(name).tobytes() == array.tobytes()
    mine = write_safetensors(
        tmp_path / "mine.safetensors", {"a": ("F32", (2, 2), np.eye(2, dtype=np.float32).tobytes())}
    )
    assert np.array_equal(package.load_file(mine)["a"], np.eye(2))


def test_config_is_flattened_and_exact(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 2**53 + 1,
        "big": 2**64 - 1,
        "huge": 2**64,
        "negative": -(2**63),
        "eps": 1e-5,
        "tie": False,
        "absent": None,
        "rope_scaling": {"factor": 8.0, "inner": {"type": "é😀"}, "none": None, "empty": {}},
        "ints": [1, 2, 3],
        "floats": [1, 2.5],
        "strings": ["a", ""],
        "bools": [True, False],
        "empty": [],
        "mixed": [1, "a", None, [2], {"b": 3}],
    }
    info = ca.inspect_file(write_folder(tmp_path / "m", config, {"model.safetensors": ["w"]}))
    assert (info.format, info.path) == ("safetensors", str(tmp_path / "m"))
    expected = {key: value for key, value in config.items() if key != "rope_scaling"} | {
        "rope_scaling.factor": 8.0,
        "rope_scaling.inner.type": "é😀",
        "rope_scaling.none": None,
        "rope_scaling.empty": {},
    }
    assert set(info.metadata) == set(expected)
    for key, value in expected.items():
        got = info.metadata[key]
        got = got.tolist() if isinstance(got, np.ndarray) else got
        assert got == value, key
    assert type(info.metadata["hidden_size"]) is int and math.isclose(info.metadata["huge"], 2.0**64)
    kinds = {key: info.types[key] for key in ("big", "huge", "absent", "ints", "floats", "empty", "mixed")}
    assert list(kinds.values()) == ["int", "float", "null", "array[int]", "array[float]", "array[]", "json"]


def test_folder_with_shards(tmp_path: Path) -> None:
    shards = {"model-00002-of-00002.safetensors": ["c"], "model-00001-of-00002.safetensors": ["b", "a"]}
    folder = write_folder(tmp_path / "m", {"k": 1}, shards)
    info = ca.inspect_file(folder)
    assert info.files == [str(folder / name) for name in sorted(shards)]
    assert [(t.name, Path(t.file).name) for t in info.tensors] == [
        ("b", "model-00001-of-00002.safetensors"),
        ("a", "model-00001-of-00002.safetensors"),
        ("c", "model-00002-of-00002.safetensors"),
    ]
    checkpoint = _core.Checkpoint(str(folder) + "/")
    assert [checkpoint.read(n).tobytes() for n in "abc"] == [n.encode().ljust(8) for n in "abc"]
    assert "2 files" in repr(info)


def test_folder_with_links_as_a_hub_cache_has_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", {}, {"model.safetensors": ["w"]})
    (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to("../blob")
    assert [t.name for t in ca.inspect_file(folder).tensors] == ["w"]


def test_folder_with_one_file_of_another_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", {}, {"model.safetensors": ["w"]})
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert ca.inspect_file(folder).files == [str(folder / "weights.safetensors")]


FIRST, SECOND = "m-1.safetensors", "m-2.safetensors"


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": FIRST, "c": SECOND}, "tensor 'b' of .* is not in weight_map"),
        ({"a": FIRST, "b": FIRST, "c": SECOND, "d": SECOND}, "places tensor 'd' in .*m-2.* which does not hold it$"),
        ({"a": SECOND, "b": FIRST, "c": SECOND}, r"places tensor 'a' in .*m-2\.safetensors, .*m-1\.safetensors does"),
        ({"a": FIRST, "b": FIRST, "c": "m-3.safetensors"}, "names the shard 'm-3.safetensors', which is not in the"),
        ({"a": "../m-1.safetensors"}, "the shard name '../m-1.safetensors', expected the plain name"),
        ({"a": "/etc/m.safetensors"}, "plain name"),
        ({"a": "x\\m.safetensors"}, "plain name"),
        ({"a": ".hidden.safetensors"}, "plain name"),
        ({"a": "m-1.bin"}, "plain name"),
        ({"a": ""}, "plain name"),
        ({"a": "\0.safetensors"}, "plain name"),
        ({"a": 1}, "found a number, expected a string"),
        ([], "found an array, expected an object"),
    ],
)
def test_index_that_does_not_match(tmp_path: Path, weight_map: Any, message: str) -> None:
    folder = write_folder(tmp_path / "m", {}, {FIRST: ["a", "b"], SECOND: ["c"]}, weight_map)
    with pytest.raises(ca.FormatError, match=message) as error:
        ca.inspect_file(folder)
    assert str(folder) in str(error.value)


def test_files_that_the_index_does_not_name_are_left_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", {}, {FIRST: ["a", "b"], SECOND: ["c"]}, {"a": FIRST, "b": FIRST})
    assert ca.inspect_file(folder).files == [str(folder / FIRST)]


def test_tensor_in_two_shards(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", {}, {FIRST: ["a", "b"], SECOND: ["c", "b"]})
    with pytest.raises(ca.FormatError, match="tensor 'b' is there twice"):
        ca.inspect_file(folder)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{}", "weight_map is missing"),
        ('{"weight_map":{},"more":1}', "'more' is not understood"),
        ('{"weight_map":{}', "expected ',' or '}'"),
        ('{"weight_map":{"a":"m-1.safetensors","a":"m-1.safetensors"}}', "'a' twice"),
        ("", "the text ends"),
    ],
)
def test_broken_index(tmp_path: Path, index: str, message: str) -> None:
    folder = write_folder(tmp_path / "m", {}, {FIRST: ["a"]})
    (folder / INDEX).write_text(index)
    with pytest.raises(ca.FormatError, match=message) as error:
        ca.inspect_file(folder)
    assert str(folder / INDEX) in str(error.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"a":1,"a":2}', "'a' twice"),
        ('{"a.b":1,"a":{"b":2}}', "key 'a.b' is there twice"),
        ('{"":1}', "empty"),
        ('{"a":NaN}', "expected a value"),
        ('{"a":1e999}', "outside the range"),
        ("[1]", "found an array, expected an object"),
        ('{"a":' + "[" * 100 + "]" * 100 + "}", "nested deeper than 64"),
        ('{"a":1} trailing', "more text"),
        ('{"a":"\\ud800"}', "lone surrogate"),
        ("", "the text ends"),
    ],
)
def test_broken_config(tmp_path: Path, config: str, message: str) -> None:
    folder = write_folder(tmp_path / "m", {}, {"model.safetensors": ["w"]})
    (folder / "config.json").write_text(config)
    with pytest.raises(ca.FormatError, match=message) as error:
        ca.inspect_file(folder)
    assert str(folder / "config.json") in str(error.value)


def test_folders_that_are_not_models(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(ca.FormatError, match=message) as error:
            ca.inspect_file(tmp_path)
        assert str(tmp_path) in str(error.value)

    refused("a folder without config.json")
    (tmp_path / "x.gguf").write_bytes(b"")
    refused("or the path of a file such as x.gguf")
    (tmp_path / "config.json").write_text("{}")
    refused(f"no safetensors weights, expected model.safetensors or {INDEX}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    refused("PyTorch .bin files, convert them")
    for name in ("a", "b"):
        write_safetensors(tmp_path / f"{name}.safetensors", {})
    refused(f"2 .safetensors files but no {INDEX}")

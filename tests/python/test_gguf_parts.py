"""GGUF models in parts: files of the gguf package's own writer and broken ones, every fault named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cutaway as ca
import numpy as np
import pytest
from command_line import run
from cutaway.reference import gguf_file
from hostile import refused, refused_within
from make_files import write_gguf

IDS = np.array([3, 272, 41, 7, 100])
F32 = np.arange(8, dtype=np.float32).tobytes()


def part(folder: Path, number: int, count: int, stem: str = "m") -> Path:
    return folder / f"{stem}-{number:05}-of-{count:05}.gguf"


def split(folder: Path, source: Path, small_first: bool = False) -> list[Path]:
    """The model's file in parts of ten tensors, as the gguf package writes them."""
    gguf = pytest.importorskip("gguf", reason="the gguf package writes the parts")
    folder.mkdir(exist_ok=True)
    metadata, tensors = gguf_file.read(source)
    writer = gguf.GGUFWriter(
        folder / "m.gguf", metadata["general.architecture"], split_max_tensors=10, small_first_shard=small_first
    )
    for key, value in metadata.items():
        if key == "general.architecture":
            continue
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name, tensor in tensors.items():
        rows = tensor.raw.reshape(*tensor.shape[:-1], -1)
        kind = gguf.GGMLQuantizationType[tensor.type]
        writer.add_tensor(name, rows.view(np.float32) if tensor.type == "F32" else rows, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def parts(small_model, tmp_path_factory) -> tuple:
    """A random model whole, and its parts."""
    small = small_model("llama", "Q5_K", "int8")
    return small, split(tmp_path_factory.mktemp("parts") / "model", small.path)


def test_any_part_or_their_folder_is_the_model(parts):
    small, files = parts
    assert len(files) >= 3
    whole = small.model(IDS)
    for path in (*files, files[0].parent):
        model = ca.load(path, compute="int8")
        info = model.info()
        assert (info["path"], info["parts"], info["format"]) == (str(files[0]), len(files), "gguf")
        np.testing.assert_array_equal(model(IDS).view(np.uint32), whole.view(np.uint32))
        assert model.tokenizer.encode("the other").tolist() == small.model.tokenizer.encode("the other").tolist()
    assert small.model.info()["parts"] == 1


def test_a_first_part_without_tensors(small_model, tmp_path):
    small = small_model("gemma3", "IQ4_NL", "int8")
    files = split(tmp_path / "model", small.path, small_first=True)
    model = ca.load(files[-1], compute="int8")
    assert {t.file for t in ca.inspect_file(files[0]).tensors} == {str(f) for f in files[1:]}
    np.testing.assert_array_equal(model(IDS).view(np.uint32), small.model(IDS).view(np.uint32))


def test_what_is_shown(parts, capsys):
    small, files = parts
    shown, whole = ca.inspect_file(files[1]), ca.inspect_file(small.path)
    assert shown.files == [str(f) for f in files] and shown.path == str(files[0])
    assert [(t.name, t.shape, t.type, t.bytes) for t in shown.tensors] == [
        (t.name, t.shape, t.type, t.bytes) for t in whole.tensors
    ]
    assert f"; {len(files)} parts\n" in repr(shown) and "part" not in repr(whole)
    status, out, _ = run(capsys, "info", str(files[0]))
    assert status == 0 and [line.split() for line in out.splitlines()][1] == ["parts", str(len(files))]
    assert json.loads(run(capsys, "info", str(files[1]), "--json")[1])["parts"] == len(files)


def test_a_missing_part_is_named(parts, tmp_path):
    _, files = parts
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / files[1].name).unlink()
    message = rf"one of {len(files)} parts of a model, which lacks {files[1].name}; fetch what is missing"
    refused(tmp_path / files[0].name, message)
    with pytest.raises(ca.FormatError, match=message):
        ca.load(tmp_path)
    for file in files[1:]:
        (tmp_path / file.name).unlink(missing_ok=True)
    refused(tmp_path / files[0].name, rf"lacks {files[1].name}, {files[2].name}")


# ---- written by hand: two parts with a tensor each, and what can be wrong with them


def keys(number: int, count: int = 2, total: int = 2, **more: tuple[str, object]) -> dict:
    own = {"split.no": ("u16", number), "split.count": ("u16", count), "split.tensors.count": ("i32", total)}
    return own | ({"general.architecture": ("string", "llama")} if number == 0 else {}) | more


def pair(folder: Path, first: dict, second: dict, names: tuple[str, str] = ("a", "b"), alignment: int = 32) -> Path:
    write_gguf(part(folder, 1, 2), first, [(names[0], (8,), "F32", F32)])
    write_gguf(part(folder, 2, 2), second, [(names[1], (8,), "F32", F32)], alignment=alignment)
    return part(folder, 1, 2)


def test_sound_pairs(tmp_path):
    info = ca.inspect_file(pair(tmp_path, keys(0), keys(1)))
    assert [(t.name, Path(t.file).name) for t in info.tensors] == [
        ("a", "m-00001-of-00002.gguf"),
        ("b", "m-00002-of-00002.gguf"),
    ]
    assert list(info.metadata) == ["split.no", "split.count", "split.tensors.count", "general.architecture"]
    same = {"general.architecture": ("string", "llama")}
    pair(tmp_path, keys(0), keys(1, **same), alignment=128)  # repeats a key of the first, and is laid out otherwise
    assert len(ca.inspect_file(tmp_path).files) == 2


FAULTS: dict[str, tuple[dict, dict, str]] = {
    "number of another part": (keys(0), keys(0), "is part 1 of 2 by its keys .* ends with -00001-of-00002.gguf"),
    "number too large": (keys(0), keys(2), "key 'split.no' is 2, expected less than 2"),
    "another count": (keys(0), keys(1, count=3), "is part 2 of 3 by its keys"),
    "another total": (keys(0), keys(1, total=3), "key 'split.tensors.count' differs from that of m-00001-of-00002.gguf"),
    "wrong total": (keys(0, total=3), keys(1, total=3), "the 2 parts hold 2 tensors, but key 'split.tensors.count' is 3"),
    "another model": (keys(0), keys(1, **{"general.architecture": ("string", "gemma3")}), "'general.architecture' differs"),
    "another type": (keys(0), keys(1, **{"split.count": ("u32", 2)}), "'split.count' differs"),
    "a key of its own": (keys(0), keys(1, **{"llama.new": ("u32", 1)}), "key 'llama.new' is not in m-00001-of-00002.gguf"),
    "no part at all": (keys(0), {}, "key 'split.no' is missing from a part of a model"),
    "no total": ({k: v for k, v in keys(0).items() if "tensors" not in k},
                 {k: v for k, v in keys(1).items() if "tensors" not in k}, "key 'split.tensors.count' is missing"),
    "a number of a wrong type": (keys(0), keys(1, **{"split.no": ("string", "1")}), "'split.no' has the type string"),
    "a negative number": (keys(0, **{"split.no": ("i32", -1)}), keys(1), "'split.no' is -1, expected an integer >= 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_parts_that_do_not_belong_together(tmp_path, name):
    first, second, message = FAULTS[name]
    path = pair(tmp_path, first, second)
    with pytest.raises(ca.FormatError, match=message) as error:
        ca.inspect_file(path)
    assert str(error.value).startswith(f"{tmp_path}/m-0000")


def test_a_tensor_in_two_parts(tmp_path):
    path = pair(tmp_path, keys(0), keys(1), ("a", "a"))
    with pytest.raises(ca.FormatError, match="m-00002-of-00002.gguf: tensor 'a' is there twice"):
        ca.inspect_file(path)


def test_a_later_part_does_not_make_a_key_understood(small_model, tmp_path):
    """What nobody reads is refused, also where a second part repeats it."""
    metadata, tensors = gguf_file.read(small_model("llama").path)
    kinds = {str: "string", int: "u32", float: "f32"}
    odd = {"llama.odd": ("u32", 1)}
    first = {k: (kinds[type(v)], v) for k, v in metadata.items() if type(v) in kinds and not k.startswith("tokenizer.")}
    items = [(n, t.shape, t.type, t.raw.tobytes()) for n, t in tensors.items()]
    write_gguf(part(tmp_path, 1, 2), first | odd | keys(0, total=len(items)), items[:5])
    write_gguf(part(tmp_path, 2, 2), keys(1, total=len(items), **odd), items[5:])
    with pytest.raises(ca.FormatError, match="config key 'llama.odd' is not understood"):
        ca.load(part(tmp_path, 1, 2))


def test_names_that_do_not_say_which_part(tmp_path):
    file = write_gguf(tmp_path / "renamed.gguf", keys(1), [("a", (8,), "F32", F32)])
    refused(file, "is part 2 of 2 by its keys .* expected a name that ends with -00002-of-00002.gguf")
    file = write_gguf(part(tmp_path, 1, 3), keys(0), [("a", (8,), "F32", F32)])
    refused(file, "is part 1 of 2 by its keys")


def test_a_file_that_claims_thousands_of_parts(tmp_path):
    path = part(tmp_path, 1, 99999)
    write_gguf(path, keys(0) | {"split.count": ("u32", 99999)})
    refused_within(0.1, path, "lacks m-00002-of-99999.gguf, m-00003-of-99999.gguf, m-00004-of-99999.gguf and others")
    for count in (100000, 2**64 - 1):
        write_gguf(path, keys(0) | {"split.count": ("u64", count)})
        refused_within(0.1, path, f"'split.count' is {count}, expected at most 99999")
    write_gguf(path, keys(0) | {"split.no": ("u64", 2**64 - 1)})
    refused_within(0.1, path, "'split.no' is 18446744073709551615, expected less than 2")


def test_joined_again(tmp_path):
    """What is in one file with the keys still there: a count of 0 (gguf-split --merge) or 1."""
    for count in (0, 1):
        write_gguf(tmp_path / "m.gguf", keys(0, count, 1), [("a", (8,), "F32", F32)])
        assert len(ca.inspect_file(tmp_path / "m.gguf").files) == 1
        write_gguf(tmp_path / "m.gguf", keys(0, count, 2), [("a", (8,), "F32", F32)])
        refused(tmp_path / "m.gguf", "key 'split.tensors.count' is 2, but the file has 1 tensors")
    write_gguf(tmp_path / "m.gguf", keys(1, 1, 1), [("a", (8,), "F32", F32)])
    refused(tmp_path / "m.gguf", "key 'split.no' is 1, but there is one part")


def test_a_name_without_keys_is_a_whole_file(tmp_path):
    write_gguf(part(tmp_path, 1, 2), {"k": ("u8", 1)}, [("a", (8,), "F32", F32)])
    assert ca.inspect_file(part(tmp_path, 1, 2)).metadata == {"k": 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: part(folder, 2, 2).write_bytes(part(folder, 2, 2).read_bytes()[:-1]),
        lambda folder: part(folder, 2, 2).write_bytes(b"GGUF"),
        lambda folder: part(folder, 2, 2).write_bytes(b"not a model"),
        lambda folder: (part(folder, 2, 2).unlink(), part(folder, 2, 2).mkdir()),
        lambda folder: (part(folder, 2, 2).unlink(), part(folder, 2, 2).symlink_to(part(folder, 1, 2))),
    ],
    ids=["cut short", "magic alone", "text", "folder", "the first again"],
)
def test_a_damaged_second_part_is_named(tmp_path: Path, spoil: Callable[[Path], object]):
    path = pair(tmp_path, keys(0), keys(1))
    spoil(tmp_path)
    with pytest.raises(ca.FormatError) as error:
        ca.inspect_file(path)
    assert str(error.value).startswith(f"{part(tmp_path, 2, 2)}: ")


def test_folders_that_hold_more_than_one_model(tmp_path):
    pair(tmp_path, keys(0), keys(1))
    write_gguf(tmp_path / "other.gguf", {})
    refused(tmp_path, "a folder without config.json; .* or the path of a file such as m-00001-of-00002.gguf")
    (tmp_path / "other.gguf").rename(part(tmp_path, 1, 3))
    refused(tmp_path, "a folder without config.json")

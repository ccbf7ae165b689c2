"""Pack files: the same bits as weights packed in memory, written once, shared, and gone when they should be."""

from __future__ import annotations

import gc
import hashlib
import json
import multiprocessing
import os
import shutil
import time
import warnings
from pathlib import Path

import cutaway as ca
import pytest
from command_line import run
from cutaway import packs
from make_models import WEIGHT_TYPES, make_model
from pack_files import (  # noqa: F401 (the fixtures cache and file)
    IN_MEMORY,
    header_of,
    in_memory,
    load,
    only,
    own_cache,
    own_file,
    room_of,
    until,
    write_at,
    written_out,
)
from pack_process import IDS, load_and_say, load_at_once, load_with_small_files, mapped, measure_share
from test_gguf_parts import split

# ---- the same bits


@pytest.mark.parametrize("weight_type", WEIGHT_TYPES)
@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_bits_of_every_weight_type(family, weight_type, small_model, cache):
    small = small_model(family, weight_type)
    assert small.model.info()["pack"] is IN_MEMORY
    written, mapped_ = ca.load(small.path, pack=True), ca.load(small.path, pack=True)
    assert written.info()["pack"] == mapped_.info()["pack"] == str(only(cache))
    for compute in ("float32", "int8"):
        want = ca.load(small.path, pack=False, compute=compute)(IDS)
        for model in (written, mapped_):
            got = ca.load(small.path, pack=True, compute=compute)(IDS)
            assert got.tobytes() == want.tobytes()
            assert model.info()["bytes"]["packed"] == small.model.info()["bytes"]["packed"]
    for name in small.model.weights:
        assert mapped_.weights[name].tobytes() == small.model.weights[name].tobytes(), name


@pytest.mark.parametrize("writer", ca.isas())
def test_one_layout_for_every_instruction_set(writer, file, cache):
    pack, want = load(file, isa=writer, threads=3)
    inode = os.stat(pack).st_ino
    for isa in ca.isas():
        for threads in (1, 2):
            assert load(file, isa=isa, threads=threads) == (pack, want)
    assert os.stat(pack).st_ino == inode  # mapped, not written again
    room = room_of(Path(pack))
    written = Path(pack).read_bytes()[room:]
    os.remove(pack)
    assert load(file, isa="scalar", threads=1) == (pack, want)
    assert Path(pack).read_bytes()[room:] == written


def test_real_models(model_path, cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("CUTAWAY_CACHE", str(cache.parent))  # with the package's own limits
    for name in ("smollm2", "gemma3"):
        want = in_memory(model_path(name))
        pack, first = load(model_path(name))
        assert pack and Path(pack).parent == cache
        inode = os.stat(pack).st_ino
        assert (pack, want) == (pack, first) == load(model_path(name), isa="scalar")
        assert os.stat(pack).st_ino == inode


def test_a_file_of_the_cache(file, cache):
    pack = Path(load(file)[0])
    assert pack.stat().st_mode & 0o777 == 0o600
    identity, layout, suffix = pack.name.split(".")
    assert len(bytes.fromhex(identity)) == 32 and len(bytes.fromhex(layout)) == 4 and suffix == "pack"
    header = header_of(pack)
    assert header[:16] == b"cutaway pack\r\n\x1a\n" and header[-32:] == hashlib.sha256(header[:-32]).digest()
    assert pack.stat().st_size > room_of(pack)
    assert [path.name for path in cache.iterdir()] == [pack.name]


def test_models_of_several_files(small_model, tmp_path, cache):
    small = small_model("llama", "Q5_K", "int8")
    parts = split(tmp_path / "parts", small.path)
    want = in_memory(small.path)
    pack, logits = load(parts[0])
    assert pack and logits == want
    assert load(parts[-1]) == load(tmp_path / "parts") == (pack, want)
    write_at(parts[-1], parts[-1].stat().st_size - 1, b"\x01")  # any part counts
    assert load(parts[0])[0] not in (pack, None) and len(list(cache.iterdir())) == 1

    folder = small_model("gemma3", "F32", shards=2)
    pack, logits = load(folder.path)
    assert pack and logits == in_memory(folder.path) and load(folder.path) == (pack, logits)


# ---- when none is wanted, or none can be had


def test_small_models_and_new_files_have_none(file, cache, monkeypatch):
    monkeypatch.setattr(packs, "LEAST", 4 << 20)
    assert load(file)[0] is IN_MEMORY
    monkeypatch.setattr(packs, "LEAST", 0)
    monkeypatch.setattr(packs, "SETTLED", 2.0)
    assert load(file)[0] is IN_MEMORY  # it has just been made: a change in this moment could look like none
    assert not cache.exists()
    monkeypatch.setattr(packs, "SETTLED", 0.2)
    time.sleep(0.25)
    assert load(file)[0] == str(only(cache))
    os.utime(file, (2**31, 2**31))  # from the future
    time.sleep(0.25)
    assert load(file)[0] is IN_MEMORY


def test_opting_out(file, cache, monkeypatch):
    def default() -> str | None:
        return ca.load(file).info()["pack"]

    for said in ("0", "1", ""):
        monkeypatch.setenv("CUTAWAY_PACK", said)
        assert load(file, pack=False)[0] is IN_MEMORY
        assert (default() is IN_MEMORY) == (said == "0")
    monkeypatch.delenv("CUTAWAY_PACK")
    assert default() == str(only(cache))
    monkeypatch.setenv("CUTAWAY_PACK", "no")
    with pytest.raises(ca.ArgumentError, match=r"CUTAWAY_PACK is 'no', expected 1 \(keep pack files\) or 0"):
        ca.load(file)
    with pytest.raises(ca.ArgumentError, match="pack must be True, False or None, got 'yes'"):
        ca.load(file, pack="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["a file in its place", "below /proc"])
def test_a_cache_that_cannot_be_written(place, file, tmp_path, cache, monkeypatch):
    folder = "/proc/cutaway" if place == "below /proc" else str(tmp_path / "plain")
    (tmp_path / "plain").write_text("")
    monkeypatch.setenv("CUTAWAY_CACHE", folder)
    assert load(file) == (IN_MEMORY, in_memory(file))
    assert len(packs.packs()) == 0 and packs.clear_packs() == (0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_read_only_cache_is_read(file, cache):
    pack, want = load(file)
    until(lambda: written_out(Path(pack)))
    cache.chmod(0o500)
    try:
        assert load(file) == (pack, want)
        os.utime(file)
        assert load(file) == (IN_MEMORY, want)
    finally:
        cache.chmod(0o700)


def test_a_full_disk(file, cache):
    want = in_memory(file)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for limit in (0, 4096, (2 << 20) + 4096):
            assert pool.apply(load_with_small_files, (str(file), limit)) == (IN_MEMORY, want), limit
            assert not list(cache.iterdir())
    assert load(file) == (str(only(cache)), want)


def test_what_belongs_to_others_is_left_alone(file, cache):
    pack, want = load(file)
    os.rename(pack, pack + ".mine")
    os.symlink(pack + ".mine", pack)
    assert load(file) == (IN_MEMORY, want) and os.path.islink(pack)
    os.remove(pack)
    os.mkdir(pack)
    assert load(file) == (IN_MEMORY, want)
    os.rmdir(pack)
    if os.geteuid() == 0:
        os.rename(pack + ".mine", pack)
        os.chown(pack, 12345, -1)
        assert load(file) == (IN_MEMORY, want) and os.stat(pack).st_uid == 12345


# ---- the model file changes


def test_a_changed_file_is_packed_anew(file, cache):
    before, old = load(file)
    size = file.stat().st_size
    write_at(file, size - 4096, bytes(4096))  # the same size
    after, new = load(file)
    assert file.stat().st_size == size and new == in_memory(file) != old
    assert after != before and only(cache) == Path(after)  # what the file was is not kept
    assert load(file) == (after, new)


def test_times_that_were_set_back_do_not_deceive(file, cache):
    before, old = load(file)
    times = file.stat()
    write_at(file, times.st_size - 4096, bytes(4096))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.stat().st_mtime_ns == times.st_mtime_ns
    after, new = load(file)
    assert after != before and new == in_memory(file) != old


def test_a_replaced_file(file, tmp_path, cache):
    before, old = load(file)
    make_model(tmp_path / "other.gguf", "llama", "Q4_K", 6)
    os.utime(tmp_path / "other.gguf", ns=(0, file.stat().st_mtime_ns))
    os.replace(tmp_path / "other.gguf", file)
    after, new = load(file)
    assert after != before and new == in_memory(file) != old and only(cache) == Path(after)


def test_other_names_for_a_file_share_its_pack(file, tmp_path, cache):
    pack, want = load(file)
    os.symlink(file, tmp_path / "link.gguf")
    assert load(tmp_path / "link.gguf") == (pack, want)
    assert [row.model for row in packs.packs()] == [str(file)]


def test_a_copy_has_its_own(file, tmp_path, cache):
    pack, want = load(file)
    shutil.copy2(file, tmp_path / "copy.gguf")
    other, logits = load(tmp_path / "copy.gguf")
    assert logits == want and {pack, other} == set(map(str, cache.iterdir()))


# ---- lifetime and processes


def test_the_mapping_lives_as_long_as_the_model(file, cache):
    model = ca.load(file, pack=True)
    pack = model.info()["pack"]
    session, want = model.session(), model(IDS).tobytes()
    os.remove(pack)  # the file's name; what is mapped stays
    assert mapped(pack + " (deleted)")["Rss"] > 0
    assert model(IDS).tobytes() == want
    del model
    gc.collect()
    assert session.append(IDS, logits="all").tobytes() == want  # a session keeps its model
    del session
    gc.collect()
    assert not mapped(pack + " (deleted)")


def test_a_forked_child_reads_the_same_pages(file, cache):
    model = ca.load(file, pack=True, threads=1)
    want = model(IDS).tobytes()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            warnings.simplefilter("ignore")  # that it runs on one thread
            same = model(IDS).tobytes() == want == load(file, threads=1)[1]
        except BaseException:
            same = False
        os.write(write, b"1" if same else b"0")
        os._exit(0)
    assert os.read(read, 1) == b"1"
    os.waitpid(child, 0)
    os.close(read), os.close(write)


def test_processes_that_open_a_model_for_the_first_time_at_once(file, cache):
    want = in_memory(file)
    context = multiprocessing.get_context("spawn")
    ready, answer = context.Barrier(4), context.Queue()
    started = [context.Process(target=load_at_once, args=(str(file), 1 + i % 2, ready, answer)) for i in range(4)]
    for process in started:
        process.start()
    answers = [answer.get(timeout=120) for _ in started]
    for process in started:
        process.join()
    # One writes; the others wait for it, but on a busy machine not for ever.
    assert {logits for _, logits in answers} == {want}
    assert {str(only(cache))} <= {pack for pack, _ in answers} <= {str(only(cache)), IN_MEMORY}
    assert load(file) == (str(only(cache)), want)


def test_threads_that_open_a_model_for_the_first_time_at_once(file, cache):
    from concurrent.futures import ThreadPoolExecutor

    want = in_memory(file)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: load_and_say(str(file), 1), range(8)))
    assert {logits for _, logits in answers} == {want}
    assert {str(only(cache))} <= {pack for pack, _ in answers} <= {str(only(cache)), IN_MEMORY}


def test_four_processes_share_one_copy(tmp_path, cache):
    """By their own proportional set size: what each has, divided by how many have it."""
    sizes = {"d_model": 512, "d_mlp": 2048, "n_heads": 8, "d_head": 64, "n_kv_heads": 8}
    make_model(tmp_path / "m.gguf", "llama", "Q8_0", 5, **sizes)
    load(tmp_path / "m.gguf")
    context = multiprocessing.get_context("spawn")
    ready, measured, answer = context.Barrier(4), context.Barrier(4), context.Queue()
    arguments = (str(tmp_path / "m.gguf"), ready, measured, answer)
    started = [context.Process(target=measure_share, args=arguments) for _ in range(4)]
    for process in started:
        process.start()
    shares = [answer.get(timeout=120) for _ in started]
    for process in started:
        process.join()
    packed = shares[0][2]
    assert packed > 8 << 20 and len({pid for *_, pid in shares}) == 4
    for pack, whole, _, _ in shares:
        assert pack["Rss"] >= packed  # all of it is there
        assert pack["Pss"] <= pack["Rss"] / 4 + 4096 and pack["Private_Dirty"] == pack["Anonymous"] == 0
        assert whole["Pss"] <= whole["Rss"] - pack["Rss"] * 3 // 4 + 4096
    assert sum(pack["Pss"] for pack, *_ in shares) <= 1.01 * shares[0][0]["Rss"]


# ---- the command line


def test_models_shows_and_clears_them(file, tmp_path, cache, capsys):
    pack, _ = load(file)
    shown = packs.packs()
    assert [(row.model, row.state, row.path) for row in shown] == [(str(file), "ready", pack)]
    assert shown[0].size == os.path.getsize(pack)
    status, out, err = run(capsys, "models")
    assert status == 0 and repr(ca.models()) in out and str(file) in out and "ready" in out
    assert f"1 pack file, {packs.sized(shown[0].size)} in {cache}" in err
    rows = json.loads(run(capsys, "models", "--packs", "--json")[1])
    assert rows == [{"model": str(file), "size": shown[0].size, "state": "ready", "path": pack}]
    assert repr(ca.models()) not in run(capsys, "models", "--packs")[1]
    status, out, err = run(capsys, "models", "--clear-packs")
    assert (status, out) == (0, "") and "removed 1 pack file" in err and not list(cache.iterdir())
    assert json.loads(run(capsys, "models", "--clear-packs", "--json")[1]) == {"removed": 0, "bytes": 0}
    assert "0 pack files" in run(capsys, "models", "--packs")[2]


def test_what_has_become_of_the_model_is_shown(file, cache):
    def state() -> tuple[str | None, str]:
        (row,) = packs.packs()
        return row.model, row.state

    pack = Path(load(file)[0])
    assert state() == (str(file), "ready")
    os.utime(file, (1, 1))
    assert state() == (str(file), "changed")
    file.unlink()
    assert state() == (str(file), "gone")
    pack.rename(pack.with_name(f"{pack.name.split('.')[0]}.00000000.pack"))
    assert state() == (str(file), "other version")
    os.truncate(only(cache), 100)
    assert state() == (None, "damaged")
    assert "not a whole pack file" in repr(packs.packs())

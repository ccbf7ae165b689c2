"""A hub on loopback that answers as the Hugging Face Hub does, and a cache folder in huggingface_hub's layout."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_a_token_of_this_test"
_LARGE = (".gguf", ".safetensors")  # kept apart, under their SHA-256, and redirected to


@dataclass
class Repository:
    files: dict[str, bytes]
    sha: str
    revisions: dict[str, str] = field(default_factory=dict)  # other names -> commits with the same files
    private: bool = False
    gated: bool = False


def digest(data: bytes, large: bool) -> str:
    """What the hub calls a file: git's SHA-1 of a blob, or SHA-256 of a large one."""
    return hashlib.sha256(data).hexdigest() if large else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


class StubHub:
    """`address` is for HF_ENDPOINT. `asked` lists (method, path, token). `faults`: file -> "short", a body that ends too
    early, or "cut", a connection that breaks once; "down": every request is answered with status 503."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.faults: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"hub": self}))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.elsewhere = f"http://localhost:{self._server.server_port}"  # another host, as large files have it
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def add(self, name: str, files: Path | Mapping[str, bytes], **more: Any) -> Repository:
        content = files_of(files) if isinstance(files, Path) else dict(files)
        sha = hashlib.sha1(repr(sorted(content.items())).encode()).hexdigest()
        self.repositories[name] = Repository(content, sha, **more)
        return self.repositories[name]

    def fetched(self) -> list[str]:
        """The files whose content was asked for."""
        return sorted({path.split("/resolve/")[1].split("/", 1)[1] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path} | {
            path.removeprefix("/large/").split("/", 1)[1] for method, path, _ in self.asked if method == "GET" and path.startswith("/large/")
        })  # fmt: skip

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Answers(BaseHTTPRequestHandler):
    hub: StubHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.hub.asked.append((self.command, path, token))
        if "down" in self.hub.faults:
            return self._refuse(503, None, "Service Unavailable")
        if token not in (None, TOKEN):
            return self._refuse(401, None, "Invalid credentials in Authorization header")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            name, kind, revision = found.groups()
            if (repository := self._repository(name, token)) and (sha := self._commit(repository, revision or "main")):
                self._send(
                    json.dumps(
                        self._tree(repository) if kind == "tree" else self._about(name, repository, sha)
                    ).encode()
                )
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+|refs/pr/\d+)/(.+)", path):
            name, revision, file = found.groups()
            if (repository := self._repository(name, token)) and (sha := self._commit(repository, revision)):
                self._resolve(repository, sha, file, token)
        elif found := re.fullmatch(r"/large/([^/]+--[^/]+)/(.+)", path):
            self._content(self.hub.repositories[found[1].replace("--", "/")].files[found[2]], found[2])
        else:
            self._refuse(404, None, "Not Found")

    def _repository(self, name: str, token: str | None) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and token is None):
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return None
        return repository

    def _commit(self, repository: Repository, revision: str) -> str | None:
        known = {"main": repository.sha, repository.sha: repository.sha, **repository.revisions}
        known |= {sha: sha for sha in repository.revisions.values()}
        if revision not in known:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return known.get(revision)

    def _about(self, name: str, repository: Repository, sha: str) -> dict[str, Any]:
        return {"id": name, "modelId": name, "sha": sha, "siblings": [{"rfilename": f} for f in repository.files]}

    def _tree(self, repository: Repository) -> list[dict[str, Any]]:
        out = []
        for file, data in repository.files.items():
            entry: dict[str, Any] = {"type": "file", "path": file, "size": len(data), "oid": digest(data, False)}
            if file.endswith(_LARGE):
                entry["lfs"] = {"oid": digest(data, True), "size": len(data), "pointerSize": 130}
            out.append(entry)
        return out

    def _resolve(self, repository: Repository, sha: str, file: str, token: str | None) -> None:
        if file not in repository.files:
            return self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
        if repository.gated and token is None:
            return self._refuse(401, "GatedRepo", "Access to this model is restricted. You must have access to it.")
        data, large = repository.files[file], file.endswith(_LARGE)
        headers = {"X-Repo-Commit": sha, "ETag": f'"{digest(data, False)}"'}
        if not large:
            return self._content(data, file, headers)
        name = next(n for n, one in self.hub.repositories.items() if one is repository).replace("/", "--")
        headers |= {"X-Linked-ETag": f'"{digest(data, True)}"', "X-Linked-Size": str(len(data))}
        self._send(b"", 302, headers | {"Location": f"{self.hub.elsewhere}/large/{name}/{file}"})

    def _content(self, data: bytes, file: str, headers: Mapping[str, str] | None = None) -> None:
        begin, status = 0, 200
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            begin, status = int(found[1]), 206
            headers = {**(headers or {}), "Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
        fault = self.hub.faults.get(file) if self.command == "GET" else None
        if fault == "cut":
            del self.hub.faults[file]
            self._send(data[begin:], status, headers or {}, breaks_at=len(data) // 2)
        else:
            self._send(data[begin : len(data) // 2] if fault == "short" else data[begin:], status, headers or {})

    def _refuse(self, status: int, code: str | None, said: str, headers: Mapping[str, str] | None = None) -> None:
        known = {"X-Error-Code": code} if code else {}
        self._send(json.dumps({"error": said}).encode(), status, {"X-Error-Message": said, **known, **(headers or {})})

    def _send(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, breaks_at: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:breaks_at])
        self.close_connection = self.close_connection or breaks_at is not None


@contextmanager
def serving() -> Iterator[StubHub]:
    hub = StubHub()
    try:
        yield hub
    finally:
        hub.close()


def write_cache(hf_home: Path, name: str, files: Mapping[str, bytes], revision: str = "main") -> Path:
    """The files as huggingface_hub keeps them: blobs by what they hold, and a snapshot of links to them; its folder."""
    folder = hf_home / "hub" / f"models--{name.replace('/', '--')}"
    sha = hashlib.sha1(name.encode()).hexdigest()
    for file, data in files.items():
        blob = folder / "blobs" / digest(data, file.endswith(_LARGE))
        link = folder / "snapshots" / sha / file
        for one in (blob, link):
            one.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link.symlink_to(Path("../" * (2 + file.count("/"))) / "blobs" / blob.name)
    reference = folder / "refs" / revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(sha)
    return folder / "snapshots" / sha

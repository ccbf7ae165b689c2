"""Models and tokenizers of the Hugging Face Hub: "org/name", "org/name/file.gguf", "org/name:Q4_K_M", "...@revision".

The package huggingface_hub (extra [hub]) speaks with the hub and keeps the files where it always does, so that other
programs share them: its variables count, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE and the rest, as they were when it was first
imported. Here files are chosen, and what goes wrong is said.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from . import __version__
from .catalogue import near_path
from .errors import ArgumentError, Error, stopped
from .hub_files import (
    CONFIG,
    INDEX,
    HubName,
    choose_gguf,
    gguf_models,
    listed,
    lone_tokenizer,
    parts_of,
    safe,
    tokenizer_files,
    weight_file,
    within,
    without_model,
    without_tokenizer,
)
from .numbers import sized
from .progress import watched

_OURS = {"library_name": "cutaway", "library_version": __version__}


def fetch(name: HubName, progress: bool = True, tokenizer: bool = False) -> Path:
    """The path of a model on this machine: a folder with config.json, safetensors and the tokenizer's files, or a GGUF
    file. What is not in the cache is fetched. tokenizer: of a folder, the files of the tokenizer alone.

    Raises ca.ArgumentError for what the hub does not have, ca.Error where it cannot be had.
    """
    hub = _Repository(name, progress)
    try:
        return _tokenizer(name, hub) if tokenizer else _model(name, hub)
    except ArgumentError as err:
        raise hub.as_far_as_known(err) from None


def _model(name: HubName, hub: _Repository) -> Path:
    if name.path in hub.files:
        if not name.path.endswith(".gguf"):
            whole = name.written.replace(f"/{name.path}", "", 1)
            raise ArgumentError(
                f"{name.path} of {name.shown} is no model by itself, as a GGUF file is: give {whole!r}."
            )
        return hub.get(parts_of(name.path)) / name.path
    folder, files = within(name, hub.files)
    weights = None if name.tag else weight_file(name, files)
    if weights is not None:
        shards = hub.shards(folder + weights) if weights == INDEX else [folder + weights]
        beside = [folder + f for f in (CONFIG, *tokenizer_files(files))]
        return hub.get([*beside, *shards]) / folder
    models = gguf_models(f for f in hub.files if f.startswith(folder))
    if not models and not name.tag:
        raise without_model(name, files)
    chosen = choose_gguf(name, models, "ca.load")
    return hub.get(parts_of(chosen)) / chosen


def _tokenizer(name: HubName, hub: _Repository) -> Path:
    if name.path in hub.files:
        return hub.get(parts_of(name.path)) / name.path
    folder, files = within(name, hub.files)
    models = gguf_models(f for f in hub.files if f.startswith(folder))
    if name.tag:
        chosen = choose_gguf(name, models, "ca.tokenizer")
        return hub.get(parts_of(chosen)) / chosen
    if found := tokenizer_files(files):
        return hub.get([folder + f for f in found]) / folder
    if lone := lone_tokenizer(files):
        return hub.get([folder + lone]) / folder / lone
    raise without_tokenizer(name, files, models)


class _Repository:
    """One revision of a repository: the names of its files, and the files themselves once they are here."""

    def __init__(self, name: HubName, progress: bool) -> None:
        self._name, self._progress, self._hub = name, progress, _library(name)
        self._kept: Path | None = None  # the cache's folder of the revision, where the hub could not be asked
        self._why = ""  # it could not
        self.files = self._list()

    def _list(self) -> list[str]:
        errors, timeout = self._hub.errors, self._hub.constants.HF_HUB_ETAG_TIMEOUT
        try:
            info = self._hub.HfApi(**_OURS).model_info(
                self._name.repository, revision=self._name.revision, timeout=timeout
            )
            return safe(one.rfilename for one in info.siblings or [])
        except Exception as err:  # of requests, httpx or httpx2, by the version of huggingface_hub
            said = self._explained(err)
            final = isinstance(err, (errors.RevisionNotFoundError, errors.HFValidationError))
            folder = None if final else self._cached()
            if folder is None:
                raise said from err
            if not isinstance(err, errors.OfflineModeIsEnabled):
                print(f"{said} The files of {folder} are taken.", file=sys.stderr, flush=True)
            self._kept, self._why = folder, str(said)
            found = (Path(place, f) for place, _, names in os.walk(folder) for f in names)
            return safe(f.relative_to(folder).as_posix() for f in found if f.is_file())

    def _cached(self) -> Path | None:
        """The folder that the cache has of this revision, whole or not."""
        try:
            return Path(self._snapshot([], local_files_only=True))
        except self._hub.errors.LocalEntryNotFoundError:
            return None

    def get(self, files: Sequence[str]) -> Path:
        """The folder of the revision, once it holds these files."""
        known = set(self.files)
        if lacks := [f for f in files if f not in known]:
            raise ArgumentError(f"{self._name.shown} lacks {listed(lacks)}.")
        if self._kept is not None:
            return self._kept
        try:
            folder = Path(self._snapshot([glob.escape(f) for f in files]))
        except KeyboardInterrupt:
            kept = f"files that came whole stay in {self._hub.constants.HF_HUB_CACHE}"
            raise stopped(f"Stopped fetching {self._name.shown}; {kept}. Call again to fetch the rest.") from None
        except Exception as err:  # as above
            raise self._explained(err) from err
        if gone := [f for f in files if not (folder / f).is_file()]:
            raise Error(f"{self._name.shown} changed while it was fetched: {listed(gone)} did not come. Call again.")
        return folder

    def shards(self, index: str) -> list[str]:
        """An index of shards, and the shards that it names."""
        folder, path = index.removesuffix(INDEX), self.get([index]) / index
        try:
            shards = set(json.loads(path.read_bytes())["weight_map"].values())
            return [index, *sorted(folder + f for f in shards)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return [index]  # not as it should be: the engine says where

    def as_far_as_known(self, error: ArgumentError) -> Error:
        """The error; where the hub could not be asked, with the reason: there may be more than the cache has."""
        return error if self._kept is None else Error(f"{error} That is what {self._kept} holds. {self._why}")

    def _snapshot(self, patterns: list[str], **more: Any) -> str:
        silent = {} if self._progress and watched() else {"tqdm_class": _silent_bar(self._hub)}
        folder: str = self._hub.snapshot_download(
            self._name.repository,
            revision=self._name.revision,
            allow_patterns=patterns,
            **silent,
            **more,
            **_OURS,
        )
        return folder

    def _explained(self, err: Exception) -> Error:
        """What went wrong, in words of the one who wrote the name; the hub's own words are in it."""
        name, errors, endpoint = self._name, self._hub.errors, self._hub.constants.ENDPOINT
        if isinstance(err, errors.LocalEntryNotFoundError) and isinstance(err.__cause__, Exception):
            err = err.__cause__
        status = getattr(getattr(err, "response", None), "status_code", None)
        # The first line is the reason, the others advise on the package; the server's own words say more than either.
        line = str(err).strip().split("\n")[0] or type(err).__name__
        said = _words(line if status is None else f"{status} {getattr(err, 'server_message', None) or line}")
        token = (
            "The token that was sent (of HF_TOKEN, or of `hf auth login`) does not open it"
            if self._hub.get_token()
            else "No token was sent: set HF_TOKEN, or run `hf auth login`"
        )
        if isinstance(err, errors.OfflineModeIsEnabled):
            cache = self._hub.constants.HF_HUB_CACHE
            return Error(
                f"HF_HUB_OFFLINE is set, so {name.shown} is taken from the cache {cache} alone; what is not there can "
                "be fetched when it is unset."
            )
        if isinstance(err, errors.GatedRepoError):
            return Error(
                f"{name.shown} is gated: its terms are accepted at {endpoint}/{name.repository}, by an account whose "
                f"token is in HF_TOKEN. {token}. The hub said: {said}"
            )
        if isinstance(err, errors.RepositoryNotFoundError):
            return ArgumentError(
                f"There is no repository {name.repository!r} at {endpoint}, or it is private. {token}. "
                f"{_no_path(name)}The hub said: {said}"
            )
        if isinstance(err, errors.RevisionNotFoundError):
            after = " The revision is written last: org/name/file.gguf@main." if "/" in (name.revision or "") else ""
            return ArgumentError(
                f"{name.repository!r} has no revision {name.revision!r}; expected a branch, a tag or a commit.{after} "
                f"The hub said: {said}"
            )
        if isinstance(err, errors.HFValidationError):
            return ArgumentError(f"{name.repository!r} is no name that a repository can have: {said}")
        if status in (401, 403):
            return Error(f"{endpoint} refused {name.shown}. {token}. The hub said: {said}")
        if isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT):
            cache = Path(self._hub.constants.HF_HUB_CACHE)
            free = sized(shutil.disk_usage(next(p for p in (cache, *cache.parents) if p.exists())).free)
            return Error(
                f"{name.shown} could not be kept in {cache}: {err.strerror}; {free} are free there. Make room, or set "
                "HF_HOME to a folder on a larger disk before Python starts."
            )
        return Error(f"{name.shown} could not be fetched from {endpoint}: {said}")


def _library(name: HubName) -> ModuleType:
    """The package huggingface_hub, with what is used of it loaded."""
    try:
        hub = import_module("huggingface_hub")
        for part in ("constants", "errors"):
            import_module(f"huggingface_hub.{part}")
        return hub
    except ImportError as err:
        if getattr(err, "name", None) != "huggingface_hub":
            raise Error(
                f"The package huggingface_hub cannot be used: {err}. cutaway needs 0.34 or newer: "
                'pip install -U "cutaway[hub]"'
            ) from err
        raise ArgumentError(
            f"{_no_path(name)}If {name.repository!r} is a repository of the Hugging Face Hub, the package "
            'huggingface_hub is needed, which is not installed here: pip install "cutaway[hub]"'
        ) from None


def _no_path(name: HubName) -> str:
    """The other thing that the name may have been meant for."""
    if name.tag or name.revision:
        return ""
    path = Path(name.written).absolute()
    return f"There is no file or folder {path}.{near_path(path)} "


def _silent_bar(hub: ModuleType) -> type:
    bar: Any = hub.utils.tqdm

    class Silent(bar):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **{**settings, "disable": True})

    return Silent


def _words(said: str) -> str:
    """What somebody else says, on one line."""
    line = " ".join(said.split())
    return (line if len(line) <= 400 else line[:397] + "...").rstrip(".") + "."

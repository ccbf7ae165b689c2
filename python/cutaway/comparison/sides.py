"""The models of a comparison: a label each, loaded when it is their turn and freed after it."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..arguments import described, unknown_argument
from ..errors import ArgumentError
from .prompts import Template, choose

MODELS = "a name of ca.models(), a path, or a model from ca.load()"


class Side:
    """One model of a comparison. given: a name or path, loaded for each use, or a Model, used as it is."""

    def __init__(self, label: str, given: Any, template: Template | None, load: Mapping[str, Any]) -> None:
        self.label, self._template, self._load = label, template, dict(load)
        self._model: Any = given if hasattr(given, "session") else None
        self._path = Path(given.info()["path"]) if self._model is not None else _path(given)
        self._digest: bytes | None = None

    @contextlib.contextmanager
    def model(self) -> Iterator[Any]:
        """The model; one that was given by name is freed when the block ends and nobody else holds it."""
        import cutaway

        yield self._model if self._model is not None else cutaway.load(self._path, **self._load)

    def tokenizer(self) -> Any:
        """The model's tokenizer, without its weights where the model was given by name."""
        import cutaway

        if self._model is not None:
            return self._model.tokenizer
        return cutaway.Tokenizer.from_file(self._path)

    def template(self, tokenizer: Any) -> Template:
        """The template that the user gave, else the file's own, else raw text."""
        if self._template is not None:
            return self._template
        source = tokenizer.chat_template
        return Template("raw") if source is None else Template("chat", source)

    def vocabulary(self, tokenizer: Any) -> bytes:
        """A digest of every token's bytes, in id order: equal where two models share one vocabulary."""
        if self._digest is None:
            digest = hashlib.blake2b(digest_size=16)
            for token in (tokenizer.token_bytes(id) for id in range(len(tokenizer))):
                digest.update(len(token).to_bytes(4, "little") + token)
            self._digest = digest.digest()
        return self._digest

    def identity(self) -> dict[str, Any]:
        """What decides the model's numbers: the hash of its files, and how it is loaded."""
        loaded = {name: self._load.get(name) for name in ("compute", "n_ctx")}
        if self._model is not None:
            loaded = {"compute": self._model.info()["compute"], "n_ctx": self._model.n_ctx}
        return {"files": _hash(self._path), **loaded}


def make_sides(models: Any, templates: Mapping[str, str | None] | None, load: Mapping[str, Any]) -> list[Side]:
    """Checks the models, their labels and templates. A name of the catalogue is fetched here, and of each file the
    header is read, so that a slip in the last costs no row of the first; nothing is loaded."""
    if isinstance(models, Mapping):
        labelled = [(str(label), model) for label, model in models.items()]
    else:
        listed = list(models) if isinstance(models, (list, tuple)) else [models]
        labelled = [(_label(model), model) for model in listed]
    if not labelled:
        raise ArgumentError(f"models is empty. Give at least one: {MODELS}.")
    labels = [label for label, _ in labelled]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice:
        raise ArgumentError(f"Two models are called {twice[0]!r}. Give them labels: {{'base': ..., 'instruct': ...}}.")
    given = choose(templates, labels)
    _check_load(load, [model for _, model in labelled])
    return [Side(label, model, given.get(label), load) for label, model in labelled]


def _check_load(load: Mapping[str, Any], models: list[Any]) -> None:
    from ..model import load as loader

    if not isinstance(load, Mapping):
        raise ArgumentError(
            f"load is a dict of keywords of ca.load, such as {{'compute': 'int8'}}, got {described(load)}."
        )
    known = list(inspect.signature(loader).parameters)[1:]
    for name in load:
        if name not in known:
            raise unknown_argument("load", name, known)
    if load and all(hasattr(model, "session") for model in models):
        raise ArgumentError(
            f"load={dict(load)} is for models given by name or path, and all of these are loaded already. Leave "
            "it out, or pass names."
        )


def _label(model: Any) -> str:
    """A catalogue name as it is; of a file its name without the suffix, of a folder its name."""
    if hasattr(model, "session"):
        model = Path(model.info()["path"])
    if not isinstance(model, (str, os.PathLike)):
        return repr(model)  # refused where its path is looked for
    path = Path(model)
    return path.name.removesuffix(".gguf") or str(path)


def _path(given: Any) -> Path:
    from ..catalogue import resolve
    from ..inspect import inspect_file

    if not isinstance(given, (str, os.PathLike)):
        raise ArgumentError(f"models holds {given!r}, expected {MODELS}.")
    path = resolve(given)
    inspect_file(path)
    return path


def _hash(path: Path) -> list[str]:
    from ..cache import sha256_of

    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path] if path.is_file() else []
    return [sha256_of(file) for file in files]

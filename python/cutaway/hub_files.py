"""Names of the Hugging Face Hub, and which files of a repository a model or a tokenizer is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import ArgumentError
from .nearest import did_you_mean, nearest

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
# Each is a whole tokenizer; the first that is there counts, as in a folder on disk (csrc/tokenizer/hf/folder.cpp).
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("tokenizer.model",), ("vocab.txt",))
_BESIDE = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "added_tokens.json",
    "chat_template.jinja",
)
_ALONE = re.compile(r"[^/]*\.tiktoken|rwkv_vocab[^/]*\.txt")  # whole tokenizers under names of their own
_SUFFIXES = (".gguf", ".safetensors", ".json", ".model", ".tiktoken", ".txt")
_LISTED = 20  # names in a message

_PLAIN = r"[A-Za-z0-9][\w.-]{0,95}"
_NAME = re.compile(
    rf"(?:hf\.co/|huggingface\.co/)?(?P<repository>{_PLAIN}/{_PLAIN})"
    r"(?:/(?P<path>[^:@]*[^:@/])|:(?P<tag>[\w.-]+))?(?:@(?P<revision>.+))?",
    re.ASCII,
)
_ADDRESS = re.compile(rf"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/({_PLAIN}/{_PLAIN})", re.ASCII)
_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.ASCII)
_SHARD = re.compile(r".+-\d{5}-of-\d{5}\.safetensors", re.ASCII)
_TYPE = re.compile(r"(?:^|[-._/])((?:UD-)?(?:I?Q[1-8]|TQ[12]|MXFP4|BF16|F16|F32)\w*)(?=[-./])", re.ASCII | re.I)


@dataclass(frozen=True)
class HubName:
    """What "org/name", "org/name/path" or "org/name:Q4_K_M", each with @revision or without, asks for."""

    written: str
    repository: str
    path: str  # of a file or a folder in the repository; "" for all of it
    tag: str  # the part of a GGUF file's name that chooses it; "" for none
    revision: str | None  # a branch, tag or commit; None for the main branch

    @property
    def shown(self) -> str:
        return repr(self.repository) if self.revision is None else f"{self.repository!r} at {self.revision!r}"


def hub_name(text: str) -> HubName | None:
    """A text read as a name of the hub; None where it can only be a path, or is no name at all."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    path, tag = found["path"] or "", found["tag"] or ""
    if not (path or tag or found["revision"]) and text.endswith(_SUFFIXES):
        return None  # "folder/file.gguf"
    if path and Path(text).parent.is_dir():
        return None  # a slip in the name of a file on this machine
    return HubName(text, found["repository"], path, tag, found["revision"])


def named_by_address(address: str) -> str | None:
    """The "org/name" that a page of the hub is about."""
    found = _ADDRESS.match(address)
    return found[1] if found else None


def safe(files: Iterable[str]) -> list[str]:
    """The names that stay in their folder, sorted."""
    return sorted(f for f in files if f and not f.startswith("/") and ".." not in PurePosixPath(f).parts)


def within(name: HubName, files: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that the name means ("" or "sub/folder/"), and the files right in it, without the folder's name."""
    folder = f"{name.path}/" if name.path else ""
    inside = [f.removeprefix(folder) for f in files if f.startswith(folder)]
    if not inside and folder:
        near = did_you_mean(nearest(name.path, files, n=1, cutoff=0.6))
        raise ArgumentError(f"{name.shown} has no file or folder {name.path!r}.{near or f' It has {listed(files)}.'}")
    return folder, [f for f in inside if "/" not in f]


def tokenizer_files(files: Sequence[str]) -> list[str]:
    """Of the files of a folder those that its tokenizer is made of; none where it has no tokenizer."""
    for whole in _TOKENIZERS:
        if all(f in files for f in whole):
            return [*whole, *(f for f in _BESIDE if f in files)]
    return []


def lone_tokenizer(files: Sequence[str]) -> str | None:
    """A vocabulary that is opened by its own path, where there is just one."""
    found = [f for f in files if _ALONE.fullmatch(f)]
    return found[0] if len(found) == 1 else None


def weight_file(name: HubName, files: Sequence[str]) -> str | None:
    """The safetensors file of a folder, or the index of its shards, as the engine would choose; None for none."""
    weights = [f for f in files if f.endswith(".safetensors")]
    if CONFIG not in files or not weights:
        return None
    for f in (WEIGHTS, INDEX):
        if f in files:
            return f
    if len(weights) > 1 or _SHARD.fullmatch(weights[0]):
        raise ArgumentError(f"{name.shown} has {listed(weights)}, and no {INDEX} that says which belong together.")
    return weights[0]


def parts_of(file: str) -> list[str]:
    """Every part of the GGUF model that this file is, or is a part of."""
    found = _PART.fullmatch(file)
    if found is None or found[3] == "00000":
        return [file]
    return [f"{found[1]}-{i:05}-of-{found[3]}.gguf" for i in range(1, int(found[3]) + 1)]


def gguf_models(files: Iterable[str]) -> list[str]:
    """The GGUF models among the files, each by its only or first part. Projectors of images and importance matrices
    are GGUF files too, and no models."""
    models = (_PART.sub(r"\1-00001-of-\3.gguf", f) for f in files if f.endswith(".gguf"))
    return list(dict.fromkeys(f for f in models if not re.search(r"(?:^|/)mmproj|imatrix", f)))


def choose_gguf(name: HubName, models: Sequence[str], call: str) -> str:
    """The one that the tag says, or the only one. call: how the name is used, "ca.load"."""
    fitting = [f for f in models if not name.tag or _has_tag(f, name.tag)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        have = f"it has {listed(models)}" if models else "it has no GGUF files"
        raise ArgumentError(f"{name.shown} has no GGUF model with {name.tag!r} in its name; {have}.")
    at = "" if name.revision is None else f"@{name.revision}"
    ways = [f'{call}("{name.repository}/{fitting[0]}{at}")']
    kinds = {f: found[1] for f in fitting if (found := _TYPE.search(f))}
    for f, kind in kinds.items():
        if [one for one in fitting if _has_tag(one, kind)] == [f]:
            ways.append(f'{call}("{name.repository}:{kind}{at}")')
            break
    raise ArgumentError(
        f"{name.shown} has {len(fitting)} GGUF models{f' with {name.tag!r} in their names' if name.tag else ''}: "
        f"{listed(fitting)}. Say which: {' or '.join(ways)}."
    )


def _has_tag(file: str, tag: str) -> bool:
    """Whether a tag stands in a file's path as a word of its own: Q4_K is not in Q4_K_M."""
    return re.search(rf"(?:^|[-._/]){re.escape(tag)}(?=[-./])", file, re.I) is not None


def without_model(name: HubName, files: Sequence[str]) -> ArgumentError:
    """A repository, or a folder of one, that cannot be loaded: why."""
    where = name.shown + (f", folder {name.path!r}," if name.path else "")
    if any(f.endswith(".safetensors") for f in files):
        why = f"safetensors, but no {CONFIG}; an adapter is no model by itself"
    elif any(f.endswith((".bin", ".pt", ".pth")) for f in files):
        why = "PyTorch weights alone, which are pickled programs: convert them to safetensors or GGUF"
    else:
        why = listed(files) if files else "no files"
    return ArgumentError(f"{where} has no model files: {CONFIG} with safetensors, or GGUF. It has {why}.")


def without_tokenizer(name: HubName, files: Sequence[str], models: Sequence[str]) -> ArgumentError:
    """A repository, or a folder of one, that has no tokenizer beside its weights."""
    where = name.shown + (f", folder {name.path!r}," if name.path else "")
    wanted = ", ".join(" with ".join(whole) for whole in _TOKENIZERS)
    if models:
        have = f'GGUF files hold theirs: ca.tokenizer("{name.repository}/{models[0]}") fetches all of one'
    else:
        have = f"It has {listed(files) if files else 'no files'}"
    return ArgumentError(f"{where} has no tokenizer files: {wanted}. {have}.")


def listed(files: Sequence[str]) -> str:
    """Names for a message."""
    more = f" and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    return ", ".join(files[:_LISTED]) + more

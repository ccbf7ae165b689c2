"""A loaded model: logits, traces, hooks, sessions, generation, chat."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import _core
from .arguments import check_text, checked_arguments, described
from .errors import ArgumentError, FormatError
from .hooks import Hook, Hooks, HookStack
from .names import Names, table
from .numbers import sized, whole
from .session import Session, step
from .settings import shows_settings
from .tokenization import Tokenizer
from .trace import Trace, checked_dtype
from .weights import Weights

__all__ = ["Model", "Session", "isas", "load", "step"]


@checked_arguments
def isas() -> list[str]:
    """Instruction sets this machine offers, slowest first; each is accepted by `load(isa=)` and CUTAWAY_ISA.

    The last one is the default. "amx", where a machine has it, stands before "avx512": its speed was never measured.
    """
    return _core.isas()


@checked_arguments
def load(
    name_or_path: str | os.PathLike[str],
    threads: int | None = None,
    compute: str | None = None,
    n_ctx: int | None = None,
    isa: str | None = None,
    pack: bool | None = None,
    unembed_type: str | None = None,
    kv_type: str | None = None,
) -> Model:
    """Loads a model: a name of `ca.models()`, a .gguf file, a folder with config.json and safetensors, or a repository
    of the Hugging Face Hub, "org/name" (extra [hub]).

    Of a GGUF model in parts, name-00001-of-00003.gguf, any part or a folder with nothing else loads all. Of a
    repository are fetched config.json, safetensors and the tokenizer's files, or a GGUF model: the only one, or the one
    that "org/name:Q4_K_M" (a part of its file's name) or "org/name/file.gguf" says; "org/name/folder" is a folder in
    it. A branch, tag or commit comes last: "org/name@revision". A path that exists is never a name of the hub.
    huggingface_hub fetches and keeps the files: HF_HOME, HF_TOKEN, HF_HUB_OFFLINE count (docs/models.md).
    threads: of every call (default: CUTAWAY_THREADS, else physical cores within affinity and cgroup quota). compute:
    "float32" (exact weights, the reference) or "int8" (the default where weights are stored quantised). n_ctx: the most
    positions a session may hold (default: the file's context length). isa: one of `ca.isas()`. pack: may weights, as
    the engine lays them out, be kept in a file of the cache, which later loads map instead of packing again, and
    processes share (default: CUTAWAY_PACK, else True)? Where none can be written they are packed in memory;
    `info()["pack"]` says which. No result differs by a bit. unembed_type: keep the head in fewer bits, "Q8_0",
    "Q5_0" or "Q4_0" (default: as it is stored). A decode step reads all of the head, so it gets faster, and the logits
    get worse (docs/performance-log.md says how much); the embedding stays as it is. kv_type: how the KV cache keeps its
    numbers, "F32", "F16" or "Q8_0" (default: "F16" in int8 mode, "F32" in float32 mode). "Q8_0" takes 1.125 bytes a
    number (int8 codes, a float32 scale for each 32 of a head) and rounds more; heads must be a multiple of 32 wide.

    Raises FormatError for a file that is not sound or not supported, ArgumentError (also for what the hub does not
    have), MemoryLimitError, and ca.Error where a file cannot be fetched.
    """
    from . import packs
    from .catalogue import resolve

    folder = packs.folder_for(pack)
    for name, value, example in (
        ("compute", compute, "int8"),
        ("isa", isa, "avx2"),
        ("unembed_type", unembed_type, "Q5_0"),
        ("kv_type", kv_type, "Q8_0"),
    ):
        if value is not None and not isinstance(value, str):
            raise ArgumentError(f"{name} must be a str such as {example!r}, got {value!r}.")
    return Model(
        _core.Model(
            os.fspath(resolve(name_or_path)),
            0 if threads is None else whole("threads", threads, 1),
            compute or "",
            0 if n_ctx is None else whole("n_ctx", n_ctx, 1),
            isa or "",
            folder,
            packs.LEAST,
            packs.SETTLED,
            unembed_type or "",
            kv_type or "",
        )
    )


@checked_arguments
class Model:
    """A model in memory. Safe to call from several threads; made by `ca.load`."""

    def __init__(self, core: _core.Model):
        self._core = core
        self._names = table(core)
        self._hooks = HookStack()
        self._tokenizer = None if core.tokenizer is None else Tokenizer(core.tokenizer)
        self.config = SimpleNamespace(**core.config())
        self.weights = Weights(core)
        files = [core.path] if core.n_files == 1 and os.path.isfile(core.path) else _core.Checkpoint(core.path).files
        self._on_disk = sum(map(os.path.getsize, files))

    # ---- what it is

    @property
    def tokenizer(self) -> Tokenizer:
        """The file's tokenizer; FormatError says what is missing where there is none."""
        if self._tokenizer is None:
            raise FormatError(f"{self._core.why_no_tokenizer}. The model works on token ids.")
        return self._tokenizer

    @property
    def n_ctx(self) -> int:
        """The most positions a session may hold."""
        n: int = self.config.n_ctx
        return n

    @property
    def n_ctx_of_file(self) -> int:
        """The file's context length: the largest `load(n_ctx=)`."""
        return self._core.n_ctx_of_file

    @property
    def d_vocab(self) -> int:
        """The number of logits in a row."""
        n: int = self.config.d_vocab
        return n

    @property
    def stop_ids(self) -> list[int]:
        """The ids that end a generation: the file's eos, eot and eom."""
        return [] if self._tokenizer is None else self._tokenizer.stop_ids

    def names(self) -> Names:
        """Every activation with its shape, dtype, equation, and whether a hook may replace it."""
        return self._names

    def info(self) -> Mapping[str, Any]:
        """What is in force: path, parts (files that hold the weights), pack (the pack file that the weights are mapped
        from, None where they are private memory), format, arch, compute, isa, threads, type of every tensor; and bytes:
        of the file on disk, of its tensors, of these packed, of each type."""
        core, by_type = self._core, dict[str, int]()
        tensors = {name: {"type": t, "shape": tuple(shape), "bytes": n} for name, t, shape, n in core.tensors()}
        for tensor in tensors.values():
            by_type[tensor["type"]] = by_type.get(tensor["type"], 0) + tensor["bytes"]
        return {
            "path": core.path,
            "parts": core.n_files,
            "pack": os.fsdecode(core.pack_path) or None,
            "format": core.format,
            "arch": self.config.arch,
            "compute": core.compute,
            "isa": core.isa,
            "threads": 1 if _core.in_forked_child() else core.threads,
            "n_ctx": self.n_ctx,
            "kv_dtype": core.kv_dtype,
            "rope_scaling": sorted(set(self.config.rope_scaling)),
            "bytes": {"file": self._on_disk, "tensors": sum(by_type.values()), "packed": core.packed_bytes, **by_type},
            "tensors": tensors,
        }

    def __repr__(self) -> str:
        c, core = self.config, self._core
        types = ", ".join(k for k in self.info()["bytes"] if k not in ("file", "tensors", "packed"))
        return (
            f"{c.arch}: {c.n_layers} layers, d_model {c.d_model}, {c.n_heads} heads ({c.n_kv_heads} KV) of {c.d_head}, "
            f"d_mlp {c.d_mlp}, d_vocab {c.d_vocab}, n_ctx {c.n_ctx}\n"
            f"{os.path.basename(core.path)} ({types}), {sized(core.packed_bytes)} in memory, compute {core.compute}, "
            f"KV in {core.kv_dtype}, {core.isa}, {core.threads} threads"
        )

    # ---- running it

    def __call__(self, x: Any, batch_axis: bool = False) -> Any:
        """Logits of every position: float32 [pos, d_vocab].

        x: text, a 1-D integer array or list of ids; a list of texts or id lists is a batch and gives a list, each with
        the bits of the lone run. batch_axis=True adds a leading axis of 1.
        """
        prompts, is_batch = self._prompts(x)
        rows, _ = self._run(prompts, [], "all", None, None, batch_axis)
        out = [row[None] if batch_axis else row for row in rows]
        return out if is_batch else out[0]

    def run_with_cache(
        self,
        x: Any,
        names: str | Iterable[str] = ("*",),
        positions: Any = None,
        dtype: str = "float32",
        batch_axis: bool = False,
    ) -> Any:
        """(logits, trace): logits as `model(x)`, and the named activations.

        names: names or wildcards of `model.names()`, TransformerLens's `hook_` spellings included. positions: an int or
        a list of them, negative from the end: only these rows are kept. dtype: "float32", views of the engine's memory,
        or "float16", converted copies to keep at half the size (the logits returned stay float32; ArgumentError names
        an activation that float16 cannot hold). A batch gives a list of (logits, trace).
        Raises MemoryLimitError with the estimate before anything runs.
        """
        kept = checked_dtype(dtype)
        prompts, is_batch = self._prompts(x)
        rows, traces = self._run(prompts, [], "all", names, positions, batch_axis, kept)
        out = [(row[None] if batch_axis else row, trace) for row, trace in zip(rows, traces, strict=True)]
        return out if is_batch else out[0]

    def hooks(self, hooks: Mapping[str, Hook]) -> Hooks:
        """Within `with model.hooks({name: fn}):` each run calls fn(array, name).

        fn may edit the array in place, return a replacement of the same shape, or return None. The array covers all
        positions of the call ([1, ...] in a decode step); a batch calls once per prompt. In force in the thread or task
        that entered it, for calls made inside the `with` block: a stream read after it runs without. Names and
        functions are checked at once; nothing is in force before the block.
        """
        return Hooks(self._hooks, self._names, hooks)

    def session(self) -> Session:
        """An empty KV cache to append to."""
        return Session(self, self._core.session())

    def score(self, x: Any) -> Any:
        """Natural log-probabilities of each token given those before it: float64 [pos - 1]. A batch gives a list."""
        prompts, is_batch = self._prompts(x)
        out = [self._score(ids) for ids in prompts]
        return out if is_batch else out[0]

    def _score(self, ids: np.ndarray) -> np.ndarray:
        if len(ids) < 2:
            raise ArgumentError(f"score needs at least 2 tokens, got {len(ids)}: the first one is only given.")
        return np.asarray([_core.log_prob(row, int(ids[t + 1])) for t, row in self._rows(ids)])

    def _rows(self, ids: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """(t, logits [d_vocab] behind ids[: t + 1]) for every position but the last."""
        if len(ids) - 1 > self.n_ctx:  # known before hours of work
            _core.check_length("the text", 0, len(ids), self.n_ctx, self.n_ctx_of_file)
        session = self.session()
        for start in range(0, len(ids) - 1, 256):  # the logits of a long text at once would be large
            stop = min(start + 256, len(ids) - 1)
            yield from enumerate(session.append(ids[start:stop], logits="all"), start)

    @shows_settings
    def generate(self, prompt: Any, *, stream: bool = False, **settings: Any) -> Any:
        """Continues a text or ids. Keywords, defaults and results: `cutaway.generate.generate`."""
        from .generate import generate

        prompts, is_batch = self._prompts(prompt)
        return generate(self, prompts if is_batch else prompts[0], stream=stream, **settings)

    @shows_settings
    def chat(
        self,
        messages: Any,
        *,
        template: str | None = None,
        stream: bool = False,
        context: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Any:
        """The model's answer to messages ({"role": ..., "content": ...}), through its own chat template.

        template: Jinja source in place of the file's; `context` goes to the template. Other keywords as `generate`.
        """
        variables = context or {}
        if template is not None:
            from .chat import check_shows

            tokenizer = self.tokenizer
            check_shows(lambda m: str(tokenizer.apply_chat_template(m, template=template, **variables)), messages)
        ids = self.tokenizer.apply_chat_template(messages, tokenize=True, template=template, **variables)
        return self.generate(ids, stream=stream, **settings)

    def attention_result(self, layer: int, z: np.ndarray) -> np.ndarray:
        """Each head's share of attn_out before bias and post-norm: z [pos, n_heads, d_head] -> [pos, n_heads, d_model].

        In float32 with exact weights, also in int8 mode.
        """
        return self._core.attention_result(whole("layer", layer), np.ascontiguousarray(z, np.float32))

    def unembed(self, resid: Any) -> np.ndarray:
        """The final norm and W_U on rows of a residual stream, in the model's compute mode, soft-cap included.

        resid: real numbers [n, d_model] -> float32 [n, d_vocab]; one row [d_model] -> [d_vocab]. Row by row the bits of
        the head: `model.unembed(trace["blocks.<last>.resid_post"])` equals the call's logits. Hooks do not see it.
        Raises MemoryLimitError before anything runs.
        """
        d_model = self.config.d_model
        try:
            array = np.asarray(resid)
        except ValueError:  # a ragged list
            array = np.asarray(None)
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or array.shape[-1] != d_model:
            got = described(array if array.ndim else resid)
            raise ArgumentError(
                f"unembed got {got}, expected rows of a residual stream: real numbers [n, {d_model}] or [{d_model}], "
                f"such as trace['blocks.0.resid_post']."
            )
        rows = np.ascontiguousarray(array.reshape(-1, d_model), np.float32)
        logits: np.ndarray = self._core.unembed(rows)
        return logits if array.ndim == 2 else logits[0]

    def lens(self, x: Any, positions: Any = None, top: int = 5, target: Any = "final") -> Any:
        """The logit lens: the `top` next tokens that the residual stream gives after each layer. A batch gives a list.

        x: text or ids. positions: which of them (default all), negative from the end. target: the token whose
        probability and rank are followed through the layers: "final" (the model's own answer), "next" (what follows in
        the text), an id, or one per position. Returns a `cutaway.lens.Lens`; its last layer is the model's prediction.
        """
        from .lens import logit_lens

        prompts, is_batch = self._prompts(x)
        out = [logit_lens(self, ids, positions, top, target) for ids in prompts]
        return out if is_batch else out[0]

    def profile(self, x: Any, max_new_tokens: int = 32, price_per_hour: float | None = None) -> Any:
        """Where the time goes: prefill of the prompt and `max_new_tokens` greedy decode steps, phase by phase and layer
        by layer: seconds, FLOP, bytes, and their share of what this machine measured it can do.

        x: text or ids. price_per_hour: what the machine costs; adds the cost of 1,000 tokens. Returns a
        `cutaway.profile.Profile`: print it, look at it, `to_pandas()`. Never changes a bit of any result.
        """
        from .profile import measure

        return measure(self, x, max_new_tokens, price_per_hour)

    # ---- the one way into the engine

    def _prompts(self, x: Any) -> tuple[list[np.ndarray], bool]:
        """Ids of each prompt, int32, and whether x is a batch."""
        if isinstance(x, (list, tuple)) and any(isinstance(item, (str, list, tuple, np.ndarray)) for item in x):
            return [self._ids(item, f"prompt {i}") for i, item in enumerate(x)], True
        return [self._ids(x, "the prompt")], False

    def _ids(self, x: Any, what: str) -> np.ndarray:
        if isinstance(x, str):
            check_text(what, x)
            ids = self.tokenizer.encode(x, add_special_tokens=True)
            if not len(ids):
                raise ArgumentError(f"{what} is empty. A model needs at least one token to continue from.")
            return ids
        try:
            ids = np.asarray(x)
        except (ValueError, OverflowError):
            ids = np.asarray(None)
        if ids.size == 0:
            raise ArgumentError(f"{what} is empty. A model needs at least one token to continue from.")
        if ids.dtype.kind not in "iu" or ids.ndim != 1:
            raise ArgumentError(f"{what} {_not_ids(x, ids)}.")
        # In a step of one token two calls of NumPy would cost more than all else that Python does.
        ends = ids.tolist() if ids.size < 32 else (int(ids.min()), int(ids.max()))
        low, high = min(ends), max(ends)
        if low < 0 or high >= self.config.d_vocab:
            bad = low if low < 0 else high
            raise ArgumentError(f"{what} holds token id {bad}, expected 0 to {self.config.d_vocab - 1}.")
        return ids.astype(np.int32)

    def _run(
        self,
        prompts: list[Any],
        sessions: list[Any],
        logits: str,
        names: str | Iterable[str] | None,
        positions: Any,
        batch_axis: bool,
        dtype: str = "float32",
    ) -> tuple[list[Any], list[Any]]:
        ids = [self._ids(p, f"prompt {i}" if len(prompts) > 1 else "the prompt") for i, p in enumerate(prompts)]
        asked = None if names is None else self._names.select(names)
        kept = [] if positions is None else [_positions(positions, len(p)) for p in ids]
        rows, traced = self._core.forward(sessions, ids, logits, asked.taps if asked else (), self._hooks.calls(), kept)
        if _core.in_forked_child():
            _warn_forked()
        if asked is None:
            return rows, [None] * len(ids)
        by_id = self._names.by_id
        arrays: list[dict[str, np.ndarray]] = [{} for _ in ids]
        for id, prompt, array in traced:
            arrays[prompt][by_id[id].name] = array
        # Asked for the last row only, or for none, a call has no logits to put into the trace but these.
        shown = [[a for a in asked.chosen if a.kind == "derived" or a.name in found] for found in arrays]
        traces = [Trace(self, s, found, batch_axis, dtype) for s, found in zip(shown, arrays, strict=True)]
        for i, (trace, new) in enumerate(zip(traces, ids, strict=True)):
            trace.ids, trace.positions = new, np.asarray(kept[i] if kept else range(len(new)), np.int64)
        return rows, traces


def _not_ids(x: Any, array: np.ndarray) -> str:
    """What a prompt is instead of text or ids, and what to do."""
    first = x[0] if isinstance(x, (list, tuple)) else x
    if isinstance(first, Mapping):
        return "is a conversation, expected text or ids; model.chat(messages) takes conversations"
    if isinstance(x, bytes):
        return "is bytes, expected text or ids; bytes become text with .decode('utf-8')"
    if array.ndim == 0 and array.dtype.kind in "iu":
        return f"is the single number {x}, expected text or a list of ids; one id is written [{x}]"
    if array.dtype == object:
        for one in x if isinstance(x, (list, tuple)) else ():
            if not isinstance(one, (int, np.integer)) or abs(one) >= 2**63:
                return f"holds {described(one)}, expected text or ids"
        return f"is {described(x)}, expected text or ids"
    shown = f"has dtype {array.dtype} and shape {list(array.shape)}, expected text or whole numbers in one row"
    if array.dtype.kind == "f" and array.ndim == 1:
        return f"{shown}; ids that came out as floats are turned back by .astype(int)"
    if array.dtype.kind in "iu" and array.ndim > 1:
        return f"{shown}; several prompts are a list, such as list(ids)"
    return shown


def _positions(positions: Any, n: int) -> list[int]:
    listed = positions if isinstance(positions, (list, tuple, np.ndarray, range)) else [positions]
    out = []
    for p in listed:
        at = whole("positions", p)
        if not -n <= at < n:
            raise ArgumentError(f"positions has {at}, but the call has {n} new positions; expected {-n} to {n - 1}.")
        out.append(at % n)
    if not out:
        raise ArgumentError("positions is empty; leave it out to keep every position.")
    return out


_said_forked = False


def _warn_forked() -> None:
    global _said_forked
    if not _said_forked:
        _said_forked = True
        warnings.warn(
            "This process was forked from one that ran a model: its threads are gone and cutaway runs on one. "
            "Use the 'spawn' start method to have threads.",
            RuntimeWarning,
            stacklevel=5,
        )

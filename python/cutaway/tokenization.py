"""Text to token ids and back: `ca.Tokenizer`, usable with or without a model.

What the two kinds of vocabulary do is spelled out, slowly and readably, in `cutaway.reference.tokenizer`.
"""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from .arguments import check_text, checked_arguments, described
from .errors import ArgumentError, FormatError

if TYPE_CHECKING:
    from .views.encoding import Explanation

Text = str | bytes
Ids = Sequence[int] | np.ndarray


@checked_arguments
class StreamDecoder:
    """Ids to text one at a time, never half a character. Made by `Tokenizer.stream`."""

    def __init__(self, core: _core.StreamDecoder):
        self._core = core

    def push(self, id: int) -> str:
        """The text that an id completes; "" while a character is unfinished."""
        try:
            return self._core.push(id)
        except TypeError:  # looked into once the core has refused it: this is called for every token
            return self._core.push(_index(id))

    def finish(self) -> str:
        """What is held back at the end: bytes that no character came of become U+FFFD."""
        return self._core.finish()


class DroppedBytesWarning(UserWarning):
    """The vocabulary has no token for some bytes of the text, and its own rule is to leave them out."""


@checked_arguments
class Tokenizer:
    """The tokenizer of a model file. Immutable; one object may serve many threads.

    `ca.Tokenizer.from_file(path)`, or `model.tokenizer`. Ids are int32; `len(tok) == tok.vocab_size == d_vocab`.
    """

    def __init__(self, core: _core.Tokenizer, name: str | None = None) -> None:
        self._core, self._name = core, name

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], pattern: str | None = None, *, lowercase: bool | None = None
    ) -> Tokenizer:
        """The tokenizer of a file or a folder, told by its content: GGUF, with or without tensors; tokenizer.json;
        SentencePiece models (tokenizer.model); the base64 ranks of tiktoken; BERT's vocab.txt; RWKV's vocabulary. A
        folder has tokenizer.json, or vocab.json and merges.txt, or tokenizer.model, or vocab.txt, or one file
        *.tiktoken or rwkv_vocab*.txt.

        pattern: for ranks, the pre-tokenizer that cuts the text, such as "cl100k". r50k, p50k, cl100k, o200k and
        Llama 3 are known by their SHA-256 and need none; without it others are an error, since the file does not say.
        lowercase: for vocab.txt, whether text is lower-cased and loses its accents; None: where no entry outside
        brackets has an upper-case letter.

        FormatError, naming the file and the key or line, where the vocabulary is damaged or has a part that is not
        supported; ArgumentError for an option that the file has no use for.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise ArgumentError(f"from_file takes a path, as str or Path, got {described(path)}.")
        if pattern is not None and not isinstance(pattern, str):
            raise ArgumentError(f"pattern is the name of a pre-tokenizer, a str, got {described(pattern)}.")
        if lowercase is not None and not isinstance(lowercase, bool):
            raise ArgumentError(f"lowercase is True, False or None, got {described(lowercase)}.")
        if isinstance(path, str) and not os.path.exists(path):
            raise FormatError(f"There is no file {path}. A name, of a model or of the hub, is for ca.tokenizer(name).")
        return cls(_core.Tokenizer(os.fspath(path), pattern or "", lowercase=lowercase))

    # ---- text to ids

    def encode(self, text: Text, add_special_tokens: bool = False, parse_special: bool = False) -> np.ndarray:
        """The ids of a text: int32 [n].

        text: str, or bytes (which need not be UTF-8). add_special_tokens: BOS and EOS where the file's flags ask for
        them. parse_special: control tokens written in the text (`<|im_end|>`) become their ids; otherwise they are text
        like any other. User-defined tokens of the vocabulary always match.

        ArgumentError for a lone surrogate, with its position. A vocabulary that lacks some bytes leaves them out, as
        the model's own tokenizer does, and a DroppedBytesWarning says so; `tok.missing_bytes` lists them.
        """
        ids, dropped = self._core.encode(_text(text), add_special_tokens, parse_special)
        self._warn_dropped(dropped)
        return ids

    def encode_batch(
        self,
        texts: Sequence[Text],
        add_special_tokens: bool = False,
        parse_special: bool = False,
        threads: int | None = None,
    ) -> list[np.ndarray]:
        """`encode` of each text: a list of int32 [n_i]. threads: None takes every core that there is."""
        if isinstance(texts, (str, bytes)):
            raise ArgumentError("encode_batch takes a list of texts, got one text; use encode, or wrap it in a list")
        if not isinstance(texts, Iterable):
            raise ArgumentError(f"encode_batch takes a list of texts, got {described(texts)}")
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ArgumentError(f"threads is a whole number from 1 on, or None, got {described(threads)}")
        given = [_text(text) for text in texts]
        ids, dropped = self._core.encode_batch(given, add_special_tokens, parse_special, threads or 0)
        self._warn_dropped(dropped)
        return ids

    def count(self, text: Text, add_special_tokens: bool = False, parse_special: bool = False) -> int:
        """How many tokens `encode` gives, without making them."""
        return self._core.count(_text(text), add_special_tokens, parse_special)

    def offsets(self, text: Text, add_special_tokens: bool = False, parse_special: bool = False) -> np.ndarray:
        """Where each token of `encode` lies in the text: int64 [n, 2], begin and end (exclusive).

        Characters for a str: text[begin:end] holds the token, and a token with only a part of a character spans the
        whole of it. Bytes for bytes. BOS and EOS are empty spans at the ends.
        """
        spans = self._core.spans(_text(text), add_special_tokens, parse_special)
        if isinstance(text, bytes) or text.isascii():
            return spans
        raw = np.frombuffer(text.encode("utf-8"), np.uint8)
        starts = np.concatenate([[0], np.cumsum((raw & 0xC0) != 0x80)])  # characters begun before each byte
        begin, end = spans[:, 0], spans[:, 1]
        inside = np.zeros(len(raw) + 1, np.int64)  # 1 where a byte continues a character
        inside[:-1] = (raw & 0xC0) == 0x80
        return np.stack([starts[begin] - inside[begin], np.where(end > begin, starts[end], starts[begin])], axis=1)

    def explain(self, text: Text, add_special_tokens: bool = False, parse_special: bool = False) -> Explanation:
        """How the ids of a text come about: the pieces it is cut into, and every merge in order."""
        from .views.encoding import Explanation

        raw = self._core.explain(_text(text), add_special_tokens, parse_special)
        return Explanation(self, text, raw, self.offsets(text, add_special_tokens, parse_special))

    # ---- ids to text

    def decode(self, ids: Ids, skip_special_tokens: bool = False, continuation: bool = False) -> str:
        """The text of ids (1-D integers); bytes that are not UTF-8 become U+FFFD.

        skip_special_tokens: leave control and unknown tokens out. continuation: the ids go on from earlier ones, so the
        space that a SentencePiece vocabulary puts before a text is kept as text.
        """
        return self._core.decode(self._checked(ids), skip_special_tokens, continuation)

    def decode_bytes(self, ids: Ids, skip_special_tokens: bool = False, continuation: bool = False) -> bytes:
        """The exact bytes of ids; otherwise as `decode`."""
        return self._core.decode_bytes(self._checked(ids), skip_special_tokens, continuation)

    def stream(self, skip_special_tokens: bool = False, continuation: bool = False) -> StreamDecoder:
        """A decoder for ids that come one at a time: `push(id) -> str`, `finish() -> str`.

        It holds the bytes of an unfinished character back; the strings joined equal `decode` of the ids.
        """
        return StreamDecoder(_core.StreamDecoder(self._core, skip_special_tokens, continuation))

    def tokens(self, ids: Ids) -> list[str]:
        """Each token as readable text: spaces are spaces, and bytes that are no whole character show as `<0xE2>`."""
        return [readable(self._core.token_bytes(int(i))) for i in self._checked(ids)]

    def token_bytes(self, id: int) -> bytes:
        """The bytes that an id stands for."""
        return self._core.token_bytes(_index(id))

    def piece(self, id: int) -> str:
        """The token as the file spells it, such as 'Ġthe' or '▁the'."""
        return self._core.piece(_index(id))

    def token_type(self, id: int) -> str:
        """normal | unknown | control | user_defined | unused | byte"""
        return self._core.token_type(_index(id))

    def to_id(self, piece: str) -> int:
        """The id of a piece as the file spells it (see `piece`); ArgumentError if there is none."""
        if not isinstance(piece, str):
            raise ArgumentError(
                f"a piece is a str, as the file spells it, got {described(piece)}; piece() gives an id's"
            )
        found = self._core.find(piece)
        if found < 0:
            raise ArgumentError(
                f"the vocabulary has no piece {piece!r}; pieces are spelled as in the file, "
                f"for example {self.piece(min(300, self.vocab_size - 1))!r}. encode() takes ordinary text"
            )
        return found

    # ---- what the file says

    @property
    def name(self) -> str:
        """What it is called: its encoding, such as "cl100k_base", where `ca.tokenizer` knows it by that; else its
        file."""
        return self._name or os.path.basename(self._core.path.rstrip("/"))

    @property
    def vocab_size(self) -> int:
        """Number of ids: d_vocab."""
        return len(self._core)

    def __len__(self) -> int:
        return len(self._core)

    @property
    def bos_id(self) -> int | None:
        return self._core.special("bos")

    @property
    def eos_id(self) -> int | None:
        return self._core.special("eos")

    @property
    def eot_id(self) -> int | None:
        return self._core.special("eot")

    @property
    def eom_id(self) -> int | None:
        return self._core.special("eom")

    @property
    def unk_id(self) -> int | None:
        return self._core.special("unk")

    @property
    def pad_id(self) -> int | None:
        return self._core.special("pad")

    @property
    def special_ids(self) -> dict[str, int]:
        """Every id that the file names: bos, eos, eot, eom, unk, pad, sep, cls, mask, fim_*..."""
        return dict(self._core.specials)

    @property
    def stop_ids(self) -> list[int]:
        """The ids that end a generation: eos, eot and eom, where the file names them."""
        return self._core.stop_ids

    @property
    def missing_bytes(self) -> bytes:
        """Bytes that no token of this vocabulary spells; `encode` leaves them out and warns."""
        return self._core.missing_bytes

    @property
    def chat_template(self) -> str | None:
        """The file's Jinja template, or None."""
        return self.chat_templates.get("default")

    @property
    def chat_templates(self) -> dict[str, str]:
        """All templates of the file by name; the one without a name is 'default'."""
        return dict(self._core.chat_templates)

    def info(self) -> Mapping[str, Any]:
        """What is in force: file, kind, pre-tokenizer, size, flags, special ids."""
        core = self._core
        return {
            "path": core.path,
            "model": core.model,
            "pre": core.pre or None,
            "vocab_size": len(core),
            "add_bos": core.add_bos,
            "add_eos": core.add_eos,
            "space_prefix": core.space_prefix,
            "special_ids": self.special_ids,
            "stop_ids": self.stop_ids,
            "missing_bytes": self.missing_bytes,
            "chat_templates": sorted(self.chat_templates),
        }

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        add_generation_prompt: bool = True,
        tokenize: bool = False,
        template: str | None = None,
        **context: Any,
    ) -> str | np.ndarray:
        """Messages as the prompt that the model was trained on: a str, or with tokenize=True its ids.

        template: Jinja source, or the name of one of `chat_templates`; None is the file's own. `context` goes to the
        template. ArgumentError if the file has no template and none is given.
        """
        from .chat import ChatTemplate

        if template is not None and not isinstance(template, str):
            raise ArgumentError(f"template is jinja2 source, or a name of chat_templates, got {described(template)}.")
        source = self.chat_templates.get(template or "default", template)
        if source is None:
            raise ArgumentError(
                f"{self._core.path} has no chat template; pass one, for example "
                'template="{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}assistant:", '
                "or in `cutaway chat` --template FILE"
            )
        for name, id in (("bos_token", self.bos_id), ("eos_token", self.eos_id)):
            context.setdefault(name, "" if id is None else self.piece(id))
        text = ChatTemplate(source).render(messages, add_generation_prompt=add_generation_prompt, **context)
        if not tokenize:
            return text
        check_text("the conversation", text)
        return self.encode(text, parse_special=True)

    def __repr__(self) -> str:
        pre = f", pre={self._core.pre!r}" if self._core.pre else ""
        return f"Tokenizer({self.name!r}, model={self._core.model!r}{pre}, {len(self)} tokens)"

    # ---- checks

    def _checked(self, ids: Ids) -> np.ndarray:
        try:
            array = np.asarray(ids)
        except ValueError:  # a ragged list
            array = np.asarray(None)
        if array.ndim == 1 and array.size == 0:
            return array.astype(np.int32)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            hint = "; encode() turns text into ids" if array.dtype.kind in "US" else ""
            hint = f"; one id is written [{ids}]" if array.ndim == 0 and array.dtype.kind in "iu" else hint
            got = described(array if array.ndim and array.dtype != object else ids)
            raise ArgumentError(f"ids are {got}, expected whole numbers in one row [n]{hint}")
        outside = (array < 0) | (array >= len(self))
        if outside.any():
            at = int(np.argmax(outside))
            raise ArgumentError(
                f"token id {array[at]} at position {at} is outside the vocabulary of {len(self)} tokens"
            )
        return array.astype(np.int32)

    def _warn_dropped(self, dropped: bytes) -> None:
        if dropped:
            kinds = ", ".join(f"0x{b:02X}" for b in sorted(set(dropped)))
            warnings.warn(
                f"{len(dropped)} byte(s) of the text have no token in this vocabulary and were left out ({kinds}), "
                "as the model's own tokenizer does; tok.missing_bytes lists all such bytes",
                DroppedBytesWarning,
                stacklevel=4,
            )


def _text(text: Any) -> Text:
    if not isinstance(text, (str, bytes)):
        raise ArgumentError(
            f"the text is {described(text)}, expected str or bytes; decode() turns ids into text, encode_batch() takes "
            "a list of texts"
        )
    return text


def _index(id: Any) -> int:
    try:
        number = operator.index(id)
    except TypeError:
        raise ArgumentError(f"an id is a whole number, got {id!r}; to_id() turns a piece into its id") from None
    if not -(2**63) <= number < 2**63:
        raise ArgumentError(f"there is no id {number}; an id is below the vocabulary's size")
    return number


def readable(raw: bytes) -> str:
    """Bytes as text for people: what is not a whole character shows as <0xE2>."""
    return "".join(
        f"<0x{ord(c) - 0xDC00:02X}>" if 0xDC80 <= ord(c) <= 0xDCFF else c
        for c in raw.decode("utf-8", "surrogateescape")
    )

"""
The C++ engine of cutaway. Use the cutaway package; this module is its floor.
"""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

__all__: list[str] = [
    "Checkpoint",
    "Model",
    "Sampler",
    "Session",
    "StreamDecoder",
    "Tokenizer",
    "available_bytes",
    "check_length",
    "default_isa",
    "default_threads",
    "ggml_types",
    "in_forked_child",
    "isas",
    "log_prob",
    "measure_limits",
    "packed_tokenizer",
    "pretokenize",
    "pretokenizers",
    "remove_pack",
    "report_pack",
    "report_rank_pack",
    "split_pattern",
    "split_steps",
    "stage_names",
    "train_bpe",
    "unicode_category",
]

class Checkpoint:
    """
    An open model file: checked directory, metadata, raw tensor bytes.
    """
    def __init__(self, path: typing.Any) -> None: ...
    def close(self) -> None: ...
    def metadata(self) -> tuple:
        """
        (key -> value, key -> the file's own name of its type); a value is a str, int, float, bool, list of str or NumPy array.
        """
    def read(self, name: str) -> numpy.typing.NDArray[numpy.uint8]:
        """
        The bytes of one tensor as stored: uint8 [bytes].
        """
    def tensors(self) -> list:
        """
        [(name, shape, type, offset, bytes, index into files)], in file order.
        """
    @property
    def files(self) -> list: ...
    @property
    def format(self) -> str: ...
    @property
    def path(self) -> typing.Any: ...
    @property
    def version(self) -> int: ...

class Tokenizer:
    """
    Text to ids and back; cutaway.Tokenizer is its face.
    """
    def __init__(
        self,
        path: typing.Any,
        pattern: str = "",
        encoding: str = "",
        lowercase: bool | None = None,
        pack_folder: bytes = b"",
    ) -> None: ...
    def __len__(self) -> int: ...
    def count(self, text: typing.Any, add_special_tokens: bool, parse_special: bool) -> int:
        """
        How many ids encode() gives.
        """
    def decode(
        self, ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int32], skip_special_tokens: bool, continuation: bool
    ) -> str: ...
    def decode_bytes(
        self, ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int32], skip_special_tokens: bool, continuation: bool
    ) -> bytes: ...
    def encode(self, text: typing.Any, add_special_tokens: bool, parse_special: bool) -> tuple:
        """
        -> (ids int32 [n], bytes that had no token)
        """
    def encode_batch(
        self,
        texts: list,
        add_special_tokens: bool,
        parse_special: bool,
        threads: typing.SupportsInt | typing.SupportsIndex,
    ) -> tuple:
        """
        -> ([ids], bytes that had no token)
        """
    def explain(self, text: typing.Any, add_special_tokens: bool, parse_special: bool) -> list: ...
    def find(self, piece: str) -> int:
        """
        The id of a piece as the file spells it, or -1.
        """
    def piece(self, id: typing.SupportsInt | typing.SupportsIndex) -> str:
        """
        The token as the file spells it.
        """
    def spans(
        self, text: typing.Any, add_special_tokens: bool, parse_special: bool
    ) -> numpy.typing.NDArray[numpy.int64]:
        """
        -> int64 [n, 2], bytes of the text
        """
    def special(self, name: str) -> typing.Any:
        """
        The id of bos, eos, ..., or None.
        """
    def token_bytes(self, id: typing.SupportsInt | typing.SupportsIndex) -> bytes: ...
    def token_type(self, id: typing.SupportsInt | typing.SupportsIndex) -> str: ...
    @property
    def add_bos(self) -> bool: ...
    @property
    def add_eos(self) -> bool: ...
    @property
    def chat_templates(self) -> list[tuple[str, str]]: ...
    @property
    def missing_bytes(self) -> bytes: ...
    @property
    def model(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def pre(self) -> str: ...
    @property
    def space_prefix(self) -> bool: ...
    @property
    def specials(self) -> list[tuple[str, int]]: ...
    @property
    def stop_ids(self) -> list[int]: ...

class StreamDecoder:
    """
    Ids to text one at a time, never half a character.
    """
    def __init__(self, tokenizer: Tokenizer, skip_special_tokens: bool, continuation: bool) -> None: ...
    def finish(self) -> str: ...
    def push(self, id: typing.SupportsInt | typing.SupportsIndex) -> str: ...

class Sampler:
    def __init__(
        self,
        stages: collections.abc.Sequence[
            tuple[str, collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]]
        ],
        seed: typing.SupportsInt | typing.SupportsIndex,
    ) -> None: ...
    def draw(
        self,
        logits: numpy.ndarray[typing.Any, numpy.dtype[typing.Any]],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        step: typing.SupportsInt | typing.SupportsIndex,
    ) -> tuple: ...
    def explain(
        self,
        logits: numpy.ndarray[typing.Any, numpy.dtype[typing.Any]],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        step: typing.SupportsInt | typing.SupportsIndex,
    ) -> tuple: ...
    def probs(
        self,
        logits: numpy.ndarray[typing.Any, numpy.dtype[typing.Any]],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def sample(
        self,
        logits: numpy.ndarray[typing.Any, numpy.dtype[typing.Any]],
        ids: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
        step: typing.SupportsInt | typing.SupportsIndex,
    ) -> int: ...
    @property
    def reads_history(self) -> bool: ...

class Session:
    def __len__(self) -> int: ...
    def fork(self) -> Session: ...
    def kv(
        self, layer: typing.SupportsInt | typing.SupportsIndex
    ) -> tuple[numpy.ndarray[typing.Any, numpy.dtype[typing.Any]], numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]]:
        """
        What is stored, widened to float32: (k, v), each [length, n_kv_heads, d_head].
        """
    def truncate(self, n: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def kv_dtype(self) -> str: ...

class Model:
    def __init__(
        self,
        path: str,
        threads: typing.SupportsInt | typing.SupportsIndex,
        compute: str,
        n_ctx: typing.SupportsInt | typing.SupportsIndex,
        isa: str,
        pack_folder: bytes = b"",
        pack_least: typing.SupportsInt | typing.SupportsIndex = 4194304,
        pack_settled: typing.SupportsFloat | typing.SupportsIndex = 2.0,
        unembed_type: str = "",
        kv_type: str = "",
    ) -> None: ...
    def attention_result(
        self,
        layer: typing.SupportsInt | typing.SupportsIndex,
        z: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
    ) -> numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]: ...
    def config(self) -> dict: ...
    def forward(
        self,
        sessions: collections.abc.Sequence[Session],
        ids: collections.abc.Sequence[typing.Annotated[numpy.typing.ArrayLike, numpy.int32]],
        logits: str,
        taps: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        hooks: collections.abc.Mapping[typing.SupportsInt | typing.SupportsIndex, typing.Any],
        positions: collections.abc.Sequence[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex]],
        profile: list | None = None,
    ) -> tuple:
        """
        profile: a list that gets (label, layer or -1, seconds, flops, bytes) per phase of the plan.
        """
    def session(self) -> Session: ...
    def tensors(self) -> list: ...
    def unembed(
        self, resid: typing.Annotated[numpy.typing.ArrayLike, numpy.float32]
    ) -> numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]: ...
    def values(self) -> list: ...
    def weight(self, name: str) -> numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]: ...
    def weight_names(self) -> list: ...
    @property
    def chunk(self) -> int: ...
    @chunk.setter
    def chunk(self, arg0: typing.SupportsInt | typing.SupportsIndex) -> None: ...
    @property
    def compute(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def isa(self) -> str: ...
    @property
    def kv_dtype(self) -> str: ...
    @property
    def load_seconds(self) -> dict: ...
    @property
    def n_ctx_of_file(self) -> int: ...
    @property
    def n_files(self) -> int: ...
    @property
    def pack_path(self) -> bytes:
        """
        The pack file that the weights are mapped from, or empty.
        """
    @property
    def packed_bytes(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def tokenizer(self) -> Tokenizer:
        """
        None when the file has none that can be used.
        """
    @property
    def why_no_tokenizer(self) -> str: ...

def available_bytes() -> int:
    """
    Memory that can be had without swapping, in bytes.
    """

def check_length(
    what: str,
    past: typing.SupportsInt | typing.SupportsIndex,
    n: typing.SupportsInt | typing.SupportsIndex,
    n_ctx: typing.SupportsInt | typing.SupportsIndex,
    n_ctx_of_file: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Raises ArgumentError unless n new tokens have room behind `past` ones.
    """

def default_isa() -> str: ...
def default_threads() -> int: ...
def ggml_types() -> dict:
    """
    Every ggml tensor type: name -> (id in the file, elements per block, bytes per block).
    """

def in_forked_child() -> bool: ...
def isas() -> list[str]:
    """
    Instruction sets this machine offers, slowest first: list of str.
    """

def log_prob(
    logits: numpy.ndarray[typing.Any, numpy.dtype[typing.Any]], id: typing.SupportsInt | typing.SupportsIndex
) -> float:
    """
    Natural log-probability of an id under softmax(logits), logits [d_vocab].
    """

def measure_limits(
    isa: str, threads: typing.SupportsInt | typing.SupportsIndex, bytes: typing.SupportsInt | typing.SupportsIndex
) -> tuple[float, float, float]:
    """
    (float32 FLOP/s, int8 FLOP/s, bytes/s of reading a buffer of `bytes`), the best that was seen.
    """

def packed_tokenizer(encoding: str, pack_folder: bytes) -> Tokenizer | None:
    """
    The tokenizer of an encoding from its pack file, or None where there is no sound one.
    """

def pretokenize(name: str, text: typing.Any) -> list:
    """
    The pieces of a text: [(bytes, rule)].
    """

def pretokenizers() -> str:
    """
    Names of the pre-tokenizers, with commas.
    """

def remove_pack(path: bytes) -> bool:
    """
    False when it is being written, or cannot be removed.
    """

def report_pack(path: bytes) -> tuple[bytes, str]:
    """
    What a pack file is: (path of the model as bytes, state).
    """

def report_rank_pack(path: bytes) -> str:
    """
    The state of an encoding's pack file: ready, other version or damaged.
    """

def split_pattern(pretokenizer: str) -> typing.Any:
    """
    The regular expression of a pre-tokenizer, as files spell it; None: it is not one expression.
    """

def split_steps(pretokenizer: str) -> typing.Any:
    """
    The same where it is several steps: expressions, or Digits, Punctuation, ByteLevel; None: it is not.
    """

def stage_names() -> list[str]:
    """
    The names of the sampler stages, in the order of generate()'s keywords.
    """

def train_bpe(
    texts: collections.abc.Iterable,
    vocab_size: typing.SupportsInt | typing.SupportsIndex,
    pretokenizer: str,
    special_tokens: collections.abc.Sequence[str],
    min_frequency: typing.SupportsInt | typing.SupportsIndex,
    progress: collections.abc.Callable,
) -> tuple:
    """
    -> (tokens as bytes, merges int32 [n, 2])
    """

def unicode_category(cp: typing.SupportsInt | typing.SupportsIndex) -> str:
    """
    The general category of a code point in Unicode 16.0, such as 'Lu'.
    """

"""A model whose logits are noise or a fixed text, for tests of the generation loop."""

import codecs
import hashlib

import cutaway as ca
import numpy as np

STOP, HELLO, WORLD = 256, 257, 258
SPELLING = {STOP: b"<stop>", HELLO: b"hello", WORLD: b" world\n"}
D_VOCAB = 259


class Bytes:
    """A byte-level tokenizer with an incremental decoder."""

    class Decoder:
        def __init__(self):
            self.utf8 = codecs.getincrementaldecoder("utf-8")("replace")

        def push(self, id):
            return self.utf8.decode(SPELLING.get(id) or bytes([id]))

        def finish(self):
            return self.utf8.decode(b"", final=True)

    def __len__(self):
        return 0  # a tokenizer may be empty in this sense and is one all the same

    def stream(self, continuation=False):
        assert continuation
        return self.Decoder()

    def decode(self, ids):
        return b"".join(SPELLING.get(int(i)) or bytes([i]) for i in ids).decode("utf-8", "replace")


class FakeSession:
    def __init__(self, model, ids=()):
        self.model, self.ids = model, list(ids)

    def __len__(self):
        return len(self.ids)

    def fork(self):
        self.model.forks += 1
        return FakeSession(self.model, self.ids)

    def append(self, ids, logits="last", names=None, positions=None):
        assert logits == "last" and len(self) + len(ids) <= self.model.n_ctx
        assert isinstance(ids, np.ndarray) and ids.dtype == np.int32
        self.model.appended += 1
        if self.model.appended == self.model.interrupt_at:
            raise KeyboardInterrupt
        self.ids += ids.tolist()
        row = self.model.logits(self.ids)
        if names is None:
            return row
        assert positions == [-1]
        return row, {name: np.asarray([self.ids[-1]]) for name in names}


class FakeModel:
    """Logits from the ids so far: noise, or with `script` the next byte of a text, whatever the ids."""

    def __init__(self, script=None, n_ctx=1000, tokenizer=True, interrupt_at=None, n_prompt=1):
        self.script = None if script is None else list(script.encode() if isinstance(script, str) else script)
        self.n_ctx, self.stop_ids, self.n_prompt = n_ctx, [STOP], n_prompt
        self.n_ctx_of_file = 2000
        self.d_vocab = D_VOCAB
        self.interrupt_at, self.appended, self.forks, self.has_tokenizer = interrupt_at, 0, 0, tokenizer

    @property
    def tokenizer(self):
        if not self.has_tokenizer:
            raise ca.Error("the folder has no tokenizer.json")
        return Bytes()

    def session(self):
        return FakeSession(self)

    def logits(self, ids):
        if self.script is None:
            seed = int.from_bytes(hashlib.blake2b(bytes(str(ids), "ascii"), digest_size=4).digest(), "little")
            return np.random.default_rng(seed).standard_normal(D_VOCAB).astype(np.float32)
        row = np.zeros(D_VOCAB, np.float32)
        row[self.script[len(ids) - self.n_prompt]] = 50.0
        return row

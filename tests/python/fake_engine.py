"""A model that answers with fixed pieces of text, for tests of what surrounds the engine."""

import hashlib
import time
from types import SimpleNamespace

import cutaway
import numpy as np

PIECES = ["Pa", "ris", " é", "…\n"]
LOGITS = np.arange(24, dtype=np.float32).reshape(3, 8)  # [pos, d_vocab]


class Stream:
    def __init__(self, prompt_ids, pieces, delay, seed):
        self.prompt_ids, self.pieces, self.delay, self.seed, self.steps = prompt_ids, pieces, delay, seed, []
        self.finish_reason = "length"

    def __iter__(self):
        for i, piece in enumerate(self.pieces):
            time.sleep(self.delay)
            self.steps.append(SimpleNamespace(index=i, id=100 + i, text=piece, logprob=-0.5))
            yield self.steps[-1]

    def close(self):
        self.finish_reason = "interrupted"

    @property
    def result(self):
        text = None if None in self.pieces else "".join(step.text for step in self.steps)
        return SimpleNamespace(
            text=text,
            ids=np.asarray([step.id for step in self.steps], np.int32),
            prompt_ids=np.asarray(self.prompt_ids, np.int32),
            logprobs=np.full(len(self.steps), -0.5),
            sampled_logprobs=np.full(len(self.steps), -0.25),
            seed=self.seed,
            finish_reason=self.finish_reason,
            fingerprint="f" * 32,
            timings={"tokens_per_second": 12.34},
            settings={"stop": (), "sampler": cutaway.Sampler([cutaway.Temperature(0.5)], seed=self.seed)},
        )


class Model:
    def __init__(self, path, engine, pieces=PIECES, delay=0.0):
        self.path, self.engine, self.pieces, self.delay = path, engine, pieces, delay
        self.calls = []

    def __call__(self, ids):
        return LOGITS[: len(ids)]

    def info(self):
        return {
            "path": str(self.path),
            "compute": self.engine.get("compute") or "int8",
            "isa": self.engine.get("isa") or "scalar",
            "threads": np.int64(2),
            "bytes": {"weights": 1234567, "cache": 0},
            "tensors": {"W_E": "Q4_1", "blocks.0.attn.W_Q": "F16"},
        }

    def generate(self, prompt, stream=False, **settings):
        assert stream
        self.calls.append(("generate", prompt, settings))
        if settings.get("temperature", 1.0) < 0:
            raise cutaway.ArgumentError(f"temperature must be 0 or greater, got {settings['temperature']}.")
        return Stream(prompt if isinstance(prompt, list) else [1, 2], self.pieces, self.delay, settings.get("seed", 99))

    def chat(self, messages, stream=False, **settings):
        assert stream
        self.calls.append(("chat", [dict(message) for message in messages], settings))
        return Stream([1, 2, 3], self.pieces, self.delay, settings.get("seed", 99))


class Tokenizer:
    def encode(self, text, add_special_tokens=False, parse_special=False):
        ids = [ord(c) for c in text]
        return np.asarray([1] * add_special_tokens + ids, np.int32)

    def tokens(self, ids):
        return [chr(i).encode() for i in ids]


def install(namespace, **model_options):
    """Puts the fake in place of the engine; returns the list of models loaded."""
    loaded = []

    def load(path, **engine):
        if path == "missing":
            raise cutaway.ArgumentError("There is no model 'missing'.")
        loaded.append(Model(path, engine, **model_options))
        return loaded[-1]

    namespace["load"] = load
    namespace["isas"] = lambda: ["scalar", "avx2"]
    namespace["Tokenizer"] = SimpleNamespace(from_file=lambda path: Tokenizer())
    return loaded


def fingerprint_of(ids):
    """The stored form, written out: ids as int32, then the rows as float32, little-endian."""
    body = np.asarray(ids, "<i4").tobytes() + LOGITS[: len(ids)].astype("<f4").tobytes()
    return hashlib.blake2b(body, digest_size=16).hexdigest()

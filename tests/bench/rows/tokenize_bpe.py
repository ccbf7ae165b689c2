"""Text to ids and back: byte-level BPE."""

import random
from collections.abc import Iterator

import numpy as np
from cutaway.bench.workers import Worker

from .. import side_tokenizers as work
from ..emoji import emoji_text
from ..files import model_file, shared_file
from ..registry import Line, row
from ..run import OURS, Run
from ..summary import check
from ..tokenizing import (
    languages,
    other_bytes,
    other_lists,
    python_source,
    rate,
    same,
    same_ids,
    scripts,
    sides_of,
    timed,
)

MIB = 1 << 20
PROSE = f"{OURS}, prose"
SIDES = {OURS: "Cutaway", "tiktoken": "Tiktoken", "gigatoken": "Gigatoken"}
OTHERS = {"rs-bpe": "RsBpe", "bpe-openai": "BpeOpenai"}  # they bring cl100k's ranks themselves
BEST = {"tiktoken": 1.5, "gigatoken": 1.5}


@row("Text to ids and back: byte-level BPE", 16)
def tokenize_bpe(run: Run) -> Iterator[Line]:
    """From Python: str in; ids out as an int32 array (a list in tiktoken). Every side first gives the same ids of the
    text, and the same bytes of the ids. First call: of a tokenizer that was just loaded. Chinese, Hindi, Russian and
    Burmese are the messages of Django and the names of pycountry; emoji are single ones and the sequences of UTS #51.
    Worst cases are 1 MiB that no rule cuts, each time one character shorter, as gigatoken keeps words of any length;
    beside a book that all have met. SmolLM2's vocabulary has transformers read out of the GGUF file,
    with the step that its conversion leaves out and SmolLM2's own tokenizer.json has, every digit apart, before GPT-2's
    pattern. Megabytes are 10^6 bytes of UTF-8."""
    book, japanese, ranks = (
        shared_file(f"tokenizers/{name}") for name in ("botchan.txt", "wagahaiwa_nekodearu.txt", "cl100k_base.tiktoken")
    )
    if book is None or japanese is None or ranks is None:
        missing = {"the rank files": "../shared/conformance/tokenizers is not here; CUTAWAY_SHARED names it"}
        yield {"case": "cl100k", "unit": "MB/s", "missing": missing, "sides": {}, "checks": [], "gate": {}}
        return
    prose = book.read_text(encoding="utf-8")
    texts = {"English prose": prose, "Python source": python_source()}
    others = {"Japanese prose": japanese.read_text(encoding="utf-8")}
    try:
        others |= {**languages(), "emoji": emoji_text()}
    except FileNotFoundError as err:
        absent = {"Chinese, Hindi, Russian, Burmese, emoji": str(err)}
        yield {"case": "cl100k", "unit": "MB/s", "missing": absent, "sides": {}, "checks": [], "gate": {}}
    others["27 scripts"] = scripts()
    with run.started(sides_of(ranks, SIDES | OTHERS)) as (workers, missing):
        for title, text in texts.items():
            yield rate(run, f"cl100k, {title}", workers, missing, text, work.encoding, {"gigatoken": 1.0})
            yield rate(
                run, f"cl100k, {title}, first call", workers, missing, text, work.first_encoding, {"gigatoken": 1.5}
            )
        for title, text in others.items():
            yield rate(run, f"cl100k, {title}", workers, missing, text, work.encoding, BEST)
        yield prompt(run, workers, missing, prose[:1000])
        yield counts(run, workers[OURS], prose)
        yield decodes(run, workers, missing)
        for title, text in worst_texts().items():
            yield worst(run, workers, missing, title, text, prose)
    with run.started(sides_of(ranks, SIDES, threads=run.threads)) as (workers, missing):
        yield batches(run, workers, missing, prose)
    sides = {OURS: "Cutaway", "tokenizers": "TransformersSmolLM"}
    with run.started(sides_of(model_file("smollm2"), sides)) as (workers, missing):
        yield rate(
            run, "SmolLM2's vocabulary, English prose", workers, missing, prose, work.encoding, {"tokenizers": 200}
        )


def prompt(run: Run, workers: dict[str, Worker], missing: dict[str, str], text: str) -> Line:
    fit, unfit = same_ids(workers, missing, text)
    jobs = {label: lambda w=worker: 1e6 * w(work.encoding, text) for label, worker in fit.items()}
    line = timed(run, "cl100k, a prompt of 1 KB", "us", jobs, unfit, {"tiktoken": 2.0, "gigatoken": 2.0})
    line["checks"].append(check("microseconds", line["sides"][OURS]["median"], most=6.0))
    return line


def counts(run: Run, worker: Worker, text: str) -> Line:
    megabytes = len(text.encode()) / 1e6
    jobs = {
        OURS: lambda: megabytes / worker(work.counting, text),
        "cutaway, encode": lambda: megabytes / worker(work.encoding, text),
    }
    return timed(run, "cl100k, count", "MB/s", jobs, {}, {"cutaway, encode": 1.2})


def decodes(run: Run, workers: dict[str, Worker], missing: dict[str, str]) -> Line:
    ids = np.random.default_rng(1).integers(0, 100_000, 1_000_000, dtype=np.int32)
    asked = {label: worker for label, worker in workers.items() if label in (OURS, "tiktoken")}
    fit, unfit = same(asked, missing, lambda worker: worker(work.text_of, ids), other_bytes)
    jobs = {label: lambda w=worker: 1 / w(work.decoding, ids) for label, worker in fit.items()}
    return timed(run, "cl100k, decode", "M ids/s", jobs, unfit, {"tiktoken": 5.0})


def worst_texts() -> dict[str, str]:
    """1 MiB each."""
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=MIB)
    return {"a": "a" * MIB, "spaces": " " * MIB, "random letters": "".join(letters), "的": "的" * (MIB // 3)}


def worst(run: Run, workers: dict[str, Worker], missing: dict[str, str], title: str, text: str, prose: str) -> Line:
    """Nanoseconds a byte of a text that no rule cuts, beside those of prose."""
    asked = {label: worker for label, worker in workers.items() if label in SIDES}
    fit, unfit = same_ids(asked, missing, text)
    size, usual = len(text.encode()), len(prose.encode())
    jobs = {label: lambda w=worker: 1e9 * w(work.unseen_encoding, text) / size for label, worker in fit.items()}
    jobs[PROSE] = lambda: 1e9 * workers[OURS](work.encoding, prose) / usual
    line = timed(run, f"cl100k, worst cases: {title}", "ns/byte", jobs, unfit, {})
    times = line["sides"][OURS]["median"] / line["sides"][PROSE]["median"]
    others = [one for one in line["checks"] if one["what"] != f"times {PROSE}"]
    line["checks"] = [check("times the time of prose", times, most=3.0), *others]
    return line


def batches(run: Run, workers: dict[str, Worker], missing: dict[str, str], prose: str) -> Line:
    documents = [prose[i : i + 1000] for i in range(0, len(prose), 1000)]
    documents = (documents * (10_000 // len(documents) + 1))[:10_000]
    megabytes = sum(len(one.encode()) for one in documents) / 1e6
    fit, unfit = same(workers, missing, lambda worker: worker(work.batch_ids, documents), other_lists)
    jobs = {label: lambda w=worker: megabytes / w(work.batching, documents) for label, worker in fit.items()}
    case = f"cl100k, 10,000 documents, {run.threads} threads"
    return timed(run, case, "MB/s", jobs, unfit, {"gigatoken": 1.0})

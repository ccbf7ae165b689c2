"""Text to ids: SentencePiece's two models and WordPiece."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from cutaway.bench.workers import Side

from .. import side_tokenizers as work
from ..files import model_file, shared_file
from ..registry import Line, row
from ..run import OURS, Run
from ..sentencepiece_model import model_of
from ..tokenizing import rate, scripts, sides_of

PEERS = {"sentencepiece": "SentencePiece", "kitoken": "KitokenSentencePiece", "gigatoken": "GigatokenSentencePiece"}
SPM = {OURS: "Cutaway"} | PEERS
REACH = {"sentencepiece": 5.0, "kitoken": 1.0, "gigatoken": 1.0}
# title: (file, sides, of these sides a given multiple at least)
MODELS = {
    "Llama 2": ("llama2.spm.model", SPM, REACH),
    "T5": ("t5.unigram.model", SPM, REACH),
    "BERT": (
        "bert_base_uncased_vocab.txt",
        {OURS: "Cutaway", "tokenizers": "WordPiece", "kitoken": "KitokenWordPiece", "gigatoken": "GigatokenWordPiece"},
        {"tokenizers": 1.0, "kitoken": 1.0, "gigatoken": 1.0},
    ),
}


@row("Text to ids: SentencePiece and WordPiece", 17)
def tokenize_others(run: Run) -> Iterator[Line]:
    """From Python: str in, ids out, no special tokens. Every side first gives the same ids of the text. Llama 2 and
    Gemma are SentencePiece's BPE, T5 its unigram model, BERT is WordPiece. Gemma's vocabulary is that of the GGUF file of
    Gemma 3 270M: tokenizers has it from transformers, the others get the `tokenizer.model` made of its pieces, scores
    and types. Megabytes are 10^6 bytes of UTF-8."""
    book, novel = (shared_file(f"tokenizers/{one}") for one in ("botchan.txt", "wagahaiwa_nekodearu.txt"))
    if book is None or novel is None:
        missing = {"the texts": "../shared/conformance/tokenizers is not here; CUTAWAY_SHARED names it"}
        yield {"case": "SentencePiece", "unit": "MB/s", "missing": missing, "sides": {}, "checks": [], "gate": {}}
        return
    texts = {"English prose": book.read_text(encoding="utf-8"), "27 scripts": scripts()}
    texts["Japanese prose"] = novel.read_text(encoding="utf-8")
    for title, (name, sides, reach) in MODELS.items():
        path = book.with_name(name)
        chosen = dict(texts)
        if title == "BERT":  # which takes each Chinese character for a word; kitoken's does not end
            del chosen["Japanese prose"]
        yield from compared(run, title, sides_of(path, sides), reach, chosen)
    gguf = model_file("gemma3")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gemma3.tokenizer.model"
        path.write_bytes(model_of(gguf))
        sides = sides_of(gguf, {OURS: "Cutaway", "tokenizers": "Transformers"}) | sides_of(path, PEERS)
        yield from compared(run, "Gemma", sides, REACH | {"tokenizers": 1.0}, texts)


def compared(
    run: Run, title: str, sides: dict[str, Side], reach: dict[str, float], texts: dict[str, str]
) -> Iterator[Line]:
    with run.started(sides) as (workers, absent):
        for what, text in texts.items():
            yield rate(run, f"{title}, {what}", workers, absent, text, work.encoding, reach)

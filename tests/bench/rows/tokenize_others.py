"""Text to ids: SentencePiece's two models and WordPiece."""

from collections.abc import Iterator

from .. import side_tokenizers as work
from ..files import shared_file
from ..registry import Line, row
from ..run import OURS, Run
from ..tokenizing import rate, scripts, sides_of

SPM = {OURS: "Cutaway", "sentencepiece": "SentencePiece", "kitoken": "KitokenSentencePiece"}
# title: (file, sides, of these sides a given multiple at least)
MODELS = {
    "Llama 2": (
        "llama2.spm.model",
        SPM | {"gigatoken": "GigatokenSentencePiece"},
        {"sentencepiece": 5.0, "kitoken": 1.0, "gigatoken": 1.0},
    ),
    "T5": ("t5.unigram.model", SPM, {"sentencepiece": 5.0, "kitoken": 1.0}),
    "BERT": (
        "bert_base_uncased_vocab.txt",
        {OURS: "Cutaway", "tokenizers": "WordPiece", "kitoken": "KitokenWordPiece"},
        {"tokenizers": 1.0, "kitoken": 1.0},
    ),
}


@row("Text to ids: SentencePiece and WordPiece", 17)
def tokenize_others(run: Run) -> Iterator[Line]:
    """From Python: str in, ids out, no special tokens. Every side first gives the same ids of the text. Llama 2 is
    SentencePiece's BPE, T5 its unigram model, BERT is WordPiece. Megabytes are 10^6 bytes of UTF-8."""
    for title, (name, sides, reach) in MODELS.items():
        path, book, novel = (
            shared_file(f"tokenizers/{one}") for one in (name, "botchan.txt", "wagahaiwa_nekodearu.txt")
        )
        if path is None or book is None or novel is None:
            missing = {name: "../shared/conformance/tokenizers is not here; CUTAWAY_SHARED names it"}
            yield {"case": title, "unit": "MB/s", "missing": missing, "sides": {}, "checks": [], "gate": {}}
            continue
        texts = {"English prose": book.read_text(encoding="utf-8"), "27 scripts": scripts()}
        if title != "BERT":  # which takes each Chinese character for a word; kitoken's does not end
            texts["Japanese prose"] = novel.read_text(encoding="utf-8")
        with run.started(sides_of(path, sides)) as (workers, absent):
            for what, text in texts.items():
                yield rate(run, f"{title}, {what}", workers, absent, text, work.encoding, reach)

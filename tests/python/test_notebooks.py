"""The notebooks run from top to bottom, and the checks of their exercises tell right answers from wrong ones."""

import json
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
ALLOWED = {"cutaway", "numpy", "matplotlib", "pandas"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, model_path, monkeypatch, tmp_path):
    for name in ("smollm2", "gemma3"):
        model_path(name)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    print(f"{path.stem}: {time.perf_counter() - began:.1f} s")
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [
        out for out in outputs if out.output_type == "stream" and out.name == "stderr" and "Warning" in out.text
    ]
    assert not [out for out in outputs if out.output_type == "display_data" and "text/html" in out.data]  # shown twice
    verdicts = [
        out.data["text/plain"] for out in outputs if "No answer yet" in out.get("data", {}).get("text/plain", "")
    ]
    assert len(verdicts) == 3  # three exercises, not yet answered


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_keeps_the_rules(path):
    notebook = json.loads(path.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code[0].startswith("try:\n    import cutaway\nexcept ImportError:\n    %pip install")
    assert ".." in code[0] and "install cutaway" not in code[0]
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(code), re.M))
    assert imported <= ALLOWED
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])  # run it to see; diffs stay readable


def test_an_error_shows_the_lines_of_the_user_and_the_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = (
        "import cutaway as ca\ndef f():\n    return ca.load('nowhere')",
        "f()",
        "import traceback; traceback.print_last()",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, allow_errors=True).execute()
    (error,) = notebook.cells[1].outputs
    *lines, said = error.traceback
    assert lines == ["Cell In[2], line 1", "    f()", "Cell In[1], line 3, in f", "    return ca.load('nowhere')", ""]
    assert said.startswith("cutaway.ArgumentError: There is no model 'nowhere'.")
    assert "arguments.py" in notebook.cells[2].outputs[0].text and "catalogue.py" in notebook.cells[2].outputs[0].text

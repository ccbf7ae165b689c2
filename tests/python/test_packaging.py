"""What is shipped, and what `import cutaway` costs."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import cutaway
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(cutaway.__file__).parent
PACKAGE_SOURCE = ROOT / "python" / "cutaway"


def modules_after(statement):
    """The top-level names in sys.modules that `statement` adds in a fresh interpreter."""
    program = f"import sys, json; before = set(sys.modules); {statement}; print(json.dumps(sorted(set(sys.modules) - before)))"
    paths = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    out = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    return {name.split(".")[0] for name in json.loads(out.stdout)} - set(sys.stdlib_module_names)


def test_import_loads_numpy_alone():
    assert modules_after("import cutaway") <= {"cutaway", "numpy"}


@pytest.mark.parametrize("name", sorted(set(cutaway._LAZY) - {"ChatTemplate"}))
def test_using_a_name_loads_numpy_alone(name):
    assert modules_after(f"import cutaway; cutaway.{name}") <= {"cutaway", "numpy"}


@pytest.mark.parametrize("name", sorted(cutaway.views.__all__))
def test_a_view_loads_numpy_alone(name):
    assert modules_after(f"import cutaway; cutaway.views.{name}") <= {"cutaway", "numpy"}


def test_the_lists_of_views_agree():
    assert cutaway.views.__all__ == sorted(cutaway.views._LAZY)
    for name, module in cutaway.views._LAZY.items():
        assert getattr(cutaway.views, name).__module__ == f"cutaway.views.{module}"
    with pytest.raises(AttributeError, match="module 'cutaway.views' has no attribute 'token'"):
        cutaway.views.token  # noqa: B018


def test_chat_templates_and_progress_bars_load_when_used():
    assert "jinja2" not in modules_after("import cutaway; cutaway.ChatTemplate")
    assert "jinja2" in modules_after("import cutaway; cutaway.ChatTemplate('x')")
    assert modules_after("import cutaway.cli") <= {"cutaway", "numpy"}


def test_the_lists_of_public_names_agree():
    eager = {"ArgumentError", "Error", "FormatError", "MemoryLimitError", "UnknownIndexError", "UnknownNameError"}
    assert set(cutaway.__all__) == {*cutaway._LAZY, *cutaway._SUBMODULES} | eager
    assert cutaway.__all__ == sorted(cutaway.__all__)
    source = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    typed = next(node for node in source.body if isinstance(node, ast.If))
    shown = {name.name: part.module for part in typed.body if isinstance(part, ast.ImportFrom) for name in part.names}
    assert shown == cutaway._LAZY | dict.fromkeys(cutaway._SUBMODULES)
    for name in cutaway.__all__:
        assert getattr(cutaway, name).__name__.removeprefix("cutaway.") == name
    assert set(cutaway.__all__) <= set(dir(cutaway))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cutaway' has no attribute 'lod'"):
        cutaway.lod  # noqa: B018


def test_typed_and_with_data():
    assert (PACKAGE / "py.typed").exists()
    assert json.loads((PACKAGE / "data" / "fingerprints.json").read_text("utf-8")) is not None


def test_one_version():
    declared = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M).group(1)
    assert declared == cutaway.__version__


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of the sources, built with the build tools of this environment."""
    for tool in ("scikit_build_core", "pybind11", "cmake", "ninja"):
        try:
            importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{tool} is not in this environment, so no wheel is built here")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert re.fullmatch(rf"cutaway-{re.escape(cutaway.__version__)}-{python}-{python}-\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"cutaway-{cutaway.__version__}.dist-info/METADATA").decode()
        scripts = archive.read(f"cutaway-{cutaway.__version__}.dist-info/entry_points.txt").decode()
    assert {name.split("/")[0] for name in names} == {"cutaway", f"cutaway-{cutaway.__version__}.dist-info"}
    shipped = (
        path
        for path in PACKAGE_SOURCE.rglob("*")
        if path.suffix in (".py", ".pyi", ".json", ".js") or path.name == "py.typed"
    )
    assert {f"cutaway/{path.relative_to(PACKAGE_SOURCE).as_posix()}" for path in shipped} <= set(names)
    (module,) = [name for name in names if name.endswith((".so", ".pyd"))]
    assert module.startswith("cutaway/_core.")
    assert not any("__pycache__" in name or name.endswith((".cpp", ".h", ".inl", ".a")) for name in names)
    assert "cutaway = cutaway.__main__:main" in scripts
    assert any(name.endswith("LICENSE") for name in names)
    required = set(re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.M))
    assert required == {"numpy", "jinja2", "rich", "tqdm"}


def test_the_readme_begins_with_ten_lines_that_run(model_path, capsys):
    lines = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S).group(1)
    assert len([line for line in lines.splitlines() if line.strip()]) == 10
    names = {}
    exec(lines.replace('"smollm2-135m-instruct"', repr(str(model_path("smollm2")))), names)
    assert len(capsys.readouterr().out.splitlines()) >= 2
    assert names["trace"]["blocks.5.attn.pattern"].ndim == 3
    assert (names["ablated"] != names["logits"]).any()
    (said,) = re.findall(r'`out.text` is "(.*)",', (ROOT / "README.md").read_text("utf-8"))
    assert names["out"].text == said and len(names["out"]) == 20

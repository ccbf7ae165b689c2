"""The scripts behind `make`: what they say on a machine where something is missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cutaway
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PLAIN = ("bash", "dirname", "env", "rm")
pytestmark = pytest.mark.skipif(os.name != "posix" or shutil.which("bash") is None, reason="bash scripts")


def need_tools(tmp_path, **commands):
    """Runs the check with a PATH that holds bash, a few plain tools and `commands` (name=body of a shell script)."""
    for name in PLAIN:
        (tmp_path / name).symlink_to(shutil.which(name))
    for name, body in commands.items():
        (tmp_path / name).write_text(f"#!{shutil.which('bash')}\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f". {SCRIPTS}/env.sh; need_tools"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    return done.returncode, done.stderr.splitlines()


def test_every_missing_tool_is_named_with_its_apt_line(tmp_path):
    assert need_tools(tmp_path) == (1, [
        "python3 is missing: apt-get install python3 python3-venv python3-dev",
        "g++ is missing: apt-get install g++",
        "make is missing: apt-get install make",
    ])  # fmt: skip


def test_a_python_without_venv_and_headers(tmp_path):
    python = f'case "$*" in *ensurepip*|*Python.h*) exit 1;; esac; exec {os.path.realpath(sys.executable)} "$@"'
    assert need_tools(tmp_path, python3=python, **{"g++": "exit 0", "make": "exit 0"}) == (1, [
        "python3-venv (the module ensurepip) is missing: apt-get install python3-venv",
        "python3-dev (Python.h) is missing: apt-get install python3-dev",
    ])  # fmt: skip


def test_an_old_python(tmp_path):
    python = 'if [ "$1" = -V ]; then echo Python 3.9.2; else exit 1; fi'
    assert need_tools(tmp_path, python3=python, **{"g++": "exit 0", "make": "exit 0"}) == (
        1,
        ["python3 is Python 3.9.2, and cutaway needs 3.10 or later."],
    )


def test_a_machine_with_everything(tmp_path):
    python = f'case "$*" in *ensurepip*|*Python.h*) exit 0;; esac; exec {os.path.realpath(sys.executable)} "$@"'
    assert need_tools(tmp_path, python3=python, **{"g++": "exit 0", "make": "exit 0"}) == (0, [])


def test_the_demo_shows_the_ledger_and_writes_a_page(model_path, tmp_path):
    """As `make demo` runs it, a second time: from a model that is there to a page that stands alone, in seconds."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cutaway.__file__).parents[1]), "COLUMNS": "80"}
    path = model_path("smollm2")
    command = [sys.executable, str(SCRIPTS / "demo.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    ledger = lines[next(i for i, line in enumerate(lines) if line.startswith("the sampler at step ")) :]
    assert max(map(len, ledger[:-1])) <= 80 and lines[-1] == f"The same in a browser: {tmp_path / 'demo.html'}"
    assert any(line.startswith("draw: u = ") for line in lines)
    assert any(line.startswith("step  token") for line in lines)
    page = (tmp_path / "demo.html").read_text("utf-8")
    for said in ("side panel off</h2>", f"{path.name} (llama, 30 layers", "<dd>Mary and John sailed", "make demo"):
        assert said in page
    layer, head = re.search(r"^blocks\.(\d+)\.attn\.pattern, head (\d+): ", done.stdout, re.M).groups()
    assert f">layer {layer}, head {head}</b>" in page
    views = page.split("<h3>")[1:]
    assert len(views) == 5 and all(len(view.encode()) < 200_000 for view in views) and "http" not in page
    ignored = (SCRIPTS.parent / ".gitignore").read_text("utf-8").splitlines()
    assert "/demo.html" in ignored


def test_pip_is_quiet_unless_it_fails_and_then_names_one_cause(tmp_path):
    """pip stands in for itself: a script that says what it is told to and fails."""

    def installed(said, status):
        (tmp_path / ".venv").mkdir(exist_ok=True)
        python = tmp_path / "python"
        python.write_text(f"#!{shutil.which('bash')}\ncat <<'SAID' >&2\n{said}\nSAID\nexit {status}\n")
        python.chmod(0o755)
        program = f". {SCRIPTS}/env.sh; cd {tmp_path}; PY={python}; pip_install x; echo installed"
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout, done.stderr.splitlines()

    retrying = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError': /simple/ninja/"
    assert installed(retrying, 0) == (0, "installed\n", [])
    status, out, err = installed(f"{retrying}\nERROR: No matching distribution found for ninja", 1)
    assert (status, out, len(err)) == (1, "", 3) and err[0].startswith("The package index does not answer")
    assert installed("note\n  a.cpp:3: fatal error: no such header\nERROR: Failed building wheel", 1) == (1, "", [
        "pip install failed: a.cpp:3: fatal error: no such header", "All that pip said is in .venv/pip.log.",
    ])  # fmt: skip
    assert installed("ERROR: No matching distribution found for ninja", 1)[2][0] == (
        "pip install failed: ERROR: No matching distribution found for ninja"
    )

"""The scripts behind `make`: what they say on a machine where something is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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

"""The completion scripts, in the shells they are for."""

import argparse
import os
import shutil
import subprocess

import pytest
from cutaway import cli
from cutaway.catalogue_entries import ENTRIES
from cutaway.completion import SHELLS, script

NAMES = [entry.name for entry in ENTRIES]
BASH = shutil.which("bash")
ZSH = shutil.which("zsh")
REPLY = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_cutaway
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""
# Types each argument with a Tab into an interactive zsh; prints the command line that stands there in the end.
TYPED = r"""
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -D; source $1; show() { print -r -- \"\$BUFFER\" > line }; zle -N show"
zpty -w shell "bindkey '^X' show; print rea''dy"
while zpty -r shell seen; do [[ $seen == *ready* ]] && break; done
shift
for word in "$@"; do zpty -w -n shell "$word"$'\t'; done
zpty -w -n shell $'\x18'
for i in {1..200}; do [[ -s line ]] && break; sleep 0.05; done
cat line
zpty -d shell
"""


def subparsers():
    actions = cli.parser()._actions
    return next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))


@pytest.fixture
def complete(tmp_path):
    """complete("info", "smo"): what bash offers for the last word."""
    if BASH is None:
        pytest.skip("there is no bash here")
    (tmp_path / "completion.bash").write_text(script(cli.parser(), "bash"))
    (tmp_path / "work").mkdir()

    def run(*words):
        command = [BASH, "-c", REPLY, "bash", str(tmp_path / "completion.bash"), "cutaway", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "work", timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


def test_bash_completes_commands_and_options(complete):
    commands = subparsers()
    assert [word for word in complete("") if not word.startswith("-")] == list(commands)
    assert complete("ge") == ["generate"] and complete("--") == ["--help", "--version"]
    for name, sub in commands.items():
        assert complete(name, "-") == [option for action in sub._actions for option in action.option_strings]
    assert complete("generate", "--temp") == ["--temperature"]
    assert complete("explain", "a prompt", "-m", "x.gguf", "--js") == ["--json"]


def test_bash_completes_values(complete, tmp_path):
    for name in ("one.gguf", "two words.gguf"):
        (tmp_path / "work" / name).touch()
    assert complete("generate", "--compute", "") == ["float32", "int8"]
    assert complete("completion", "") == list(SHELLS)
    assert sorted(complete("generate", "-m", "")) == sorted([*NAMES, "one.gguf", "two words.gguf"])
    assert complete("info", NAMES[0][:3]) == [NAMES[0]]
    assert complete("verify", NAMES[0], NAMES[1][:3]) == [NAMES[1]]
    assert complete("bench", NAMES[0][:3]) == [NAMES[0]] and complete("bench", NAMES[0], "dec") == ["decode"]
    assert complete("bench", "--peer", "") == ["llama.cpp"]
    assert complete("chat", "--template", "two") == ["two words.gguf"]
    assert complete("explain", "--html", "o") == ["one.gguf"]
    assert complete("generate", "-n", "") == complete("generate", "any te") == []


@pytest.mark.skipif(ZSH is None, reason="there is no zsh here")
@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_zsh_completes(tmp_path):
    path = tmp_path / "_cutaway"
    path.write_text(script(cli.parser(), "zsh"))
    (tmp_path / "x.jinja").touch()

    def typed(*words):
        done = subprocess.run(
            [ZSH, "-f", "-c", TYPED, "zsh", str(path), *words], capture_output=True, text=True, cwd=tmp_path, timeout=60
        )
        (tmp_path / "line").unlink(missing_ok=True)
        assert done.stderr == ""
        return done.stdout.strip()

    assert typed("cutaway gene", "a --comp", "fl", "--mod", "gem") == (
        "cutaway generate a --compute float32 --model gemma3-270m"
    )
    assert typed("cutaway info --ten", "gemma") == "cutaway info --tensors gemma3-270m"
    assert typed("cutaway --ver") == "cutaway --version"
    assert typed("cutaway chat --templ", "x.") == "cutaway chat --template x.jinja"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    assert capsys.readouterr().out == script(cli.parser(), shell)

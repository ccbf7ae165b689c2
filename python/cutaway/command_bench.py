"""`cutaway bench`: how fast a model runs on this machine."""

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from .bench.rows import ROWS, Row
from .catalogue import DEFAULT
from .commands import _ENGINE, _console, _print_json
from .errors import ArgumentError, Error
from .nearest import did_you_mean, nearest
from .numbers import sized, whole
from .parser import MODEL, whole_number

_BUSY = 0.7  # load average above which figures are those of a machine that does something else too


def arguments(sub: ArgumentParser) -> None:
    sub.add_argument("model", nargs="?", default=DEFAULT, help=MODEL)
    sub.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all that fit)")
    sub.add_argument("-m", "--model", dest="named", metavar="MODEL", help="the model, as other commands take it")
    sub.add_argument("--quick", action="store_true", help="prefill and decode alone, 3 turns each")
    sub.add_argument("--rounds", metavar="N", type=whole_number, help="turns of each row (default: 5)")
    sub.add_argument("--peer", choices=("llama.cpp",), help="this engine too, on the same file and ids, by turns")
    sub.add_argument("--no-progress", action="store_true", help="no bar on stderr")


def bench(args: Namespace) -> int:
    from .bench.machine import cpu_name
    from .bench.measure import Bench, checked_peer
    from .catalogue import resolve
    from .progress import bar

    model, asked = _model_and_rows(args)
    rounds = whole("--rounds", args.rounds, 1) if args.rounds is not None else 3 if args.quick else 5
    path = resolve(model)
    if args.peer:
        checked_peer(args.peer, path)
    busy = os.getloadavg()[0]
    if busy > _BUSY:
        said = f"this machine does something else too, load {busy:.1f}: figures will be low and shares uncertain"
        print(f"[{said}]", file=sys.stderr)
    with bar(not args.no_progress, desc="loading", unit="turn") as shown:
        run = Bench(path, {name: getattr(args, name) for name in _ENGINE}, rounds, args.peer, shown.update)
        rows = _fitting(run, asked or [row for row in ROWS.values() if row.quick or not args.quick], bool(asked))
        shown.reset(total=sum((rounds + 1) * (1 + run.compared(row)) for row in rows))
        figures, failed, interrupted = list[dict[str, Any]](), None, False
        try:
            for row in rows:
                shown.set_description(row.name)
                figures.append(run.run(row))
        except Error as err:  # told after the rows that are there
            failed = err
        except KeyboardInterrupt:
            interrupted = True
    figures = [run.limited(row) for row in figures]
    about: dict[str, Any] = {
        "model": model,
        "path": str(path),
        "cpu": cpu_name(),
        "load": round(busy, 2),
        **{name: run.about.facts[name] for name in ("compute", "isa", "threads", "version")},
        "rounds": rounds,
        "ceilings": {"flops_per_second": run.flops, "bytes_per_second": run.bandwidth},
    }
    if args.json:
        compared = args.peer and {"name": args.peer, **(run.about.peer or {}), "gate": run.about.gate}
        _print_json({**about, "rows": figures, "compared": compared, "interrupted": interrupted})
    else:
        from rich.text import Text

        _console().print(Text(_text(about, figures, args.peer)))
        if args.peer:
            print(f"[{_compared(run, args.peer)}]", file=sys.stderr)
    if failed is not None:
        raise failed
    return 130 if interrupted else 0


def _model_and_rows(args: Namespace) -> tuple[str, list[Row]]:
    """With -m all other words are rows; without, the first one is the model."""
    words, model = args.rows, args.model
    if args.named is not None:
        words, model = ([] if model == DEFAULT else [model, *words]), args.named
    elif model in ROWS and not os.path.exists(model):
        raise ArgumentError(f"{model} is a row, and the model comes first: cutaway bench {DEFAULT} {model}")
    for word in words:
        if word not in ROWS:
            near = did_you_mean(nearest(word, ROWS, n=1))
            raise ArgumentError(f"There is no row {word!r}.{near} The rows are {', '.join(ROWS)}.")
    return model, [ROWS[word] for word in dict.fromkeys(words)]


def _fitting(run: Any, rows: list[Row], named: bool) -> list[Row]:
    """The rows whose texts this model can hold. One that was asked for by name and does not fit is an error."""
    out, n_ctx = list[Row](), run.about.n_ctx
    for row in rows:
        if (needs := run.positions(row)) <= n_ctx:
            out.append(row)
            continue
        said = f"{row.name} needs a context of {needs:,} tokens, and that of this model is {n_ctx:,}"
        if named:
            raise ArgumentError(f"{said}. The rows are {', '.join(ROWS)}.")
        print(f"[{said}: left out]", file=sys.stderr)
    if not out:
        raise ArgumentError(f"No row fits into a context of {n_ctx:,} tokens.")
    return out


def _text(about: dict[str, Any], rows: list[dict[str, Any]], peer: str | None) -> str:
    """The figures for a terminal."""
    from .bench.summary import number
    from .views.page import counted
    from .views.table import text_table

    columns = ["row", "work", "median", "lowest to highest", "of the limit", "peak memory"]
    cells = []
    for row in rows:
        share = row["per_cent_of_limit"]
        cells.append([
            row["row"],
            row["what"],
            f"{number(row['median'])} {row['unit']}",
            f"{number(row['low'])} to {number(row['high'])}",
            "" if share is None else f"{share:.0f} % of {row['limited_by']}",
            sized(row["memory"]),
        ])  # fmt: skip
        if peer and (theirs := row["peer"]):
            cells[-1] += [f"{number(theirs['median'])} {row['unit']}", sized(theirs["memory"])]
            cells[-1].append(f"{row['times_peer']:.2f} times as fast")
        elif peer:
            cells[-1] += ["", "", ""]
    if peer:
        columns += [peer, "its memory", "cutaway is"]
    threads, ceilings = counted(about["threads"], "thread"), about["ceilings"]
    return "\n".join([
        f"{os.path.basename(about['path'])}: {about['compute']}, {about['isa']}, {threads}; {about['cpu']}",
        "",
        text_table(columns, cells),
        "",
        f"Medians of {counted(about['rounds'], 'run')}. At best this machine did "
        f"{ceilings['flops_per_second'] / 1e9:,.0f} GFLOP/s of such arithmetic and read "
        f"{ceilings['bytes_per_second'] / 1e9:,.1f} GB/s; what the work needs at least by that is its limit.",
    ])  # fmt: skip


def _compared(run: Any, peer: str) -> str:
    """What the peer is, and whether it computes the same."""
    from .bench.gate import sentence

    passed, said = run.about.gate["passed"], sentence(peer, run.about.gate)
    facts = ", ".join(str(value) for key, value in run.about.peer.items() if key != "threads")
    return f"{said}{'' if passed else ': not the same model over there, so it is not measured'}; {peer} {facts}"

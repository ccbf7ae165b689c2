"""`cutaway explain`: generates, then shows what the sampler did in one step, or a line for each of several."""

import sys
from argparse import Namespace
from typing import Any

import cutaway as ca

from .commands import _console, _load, _print_json, _prompt, _report, _result, _sampling
from .errors import ArgumentError
from .ledger import STAGE_COLUMNS, Explanation, Ledger, stage_record
from .views.table import text_table


def explain(args: Namespace) -> int:
    from .pages import model_line, save_page, writable

    if args.step is not None and args.step < 0:
        raise ArgumentError(f"--step counts from 0, got {args.step}.")
    if args.top < 1:
        raise ArgumentError(f"--top must be 1 or greater, got {args.top}.")
    settings = {"max_new_tokens": 1 if args.step is None else args.step + 1, **_sampling(args), "ledger": True}
    if args.html is not None:
        writable(args.html)
    prompt = _prompt(args)
    model = _load(args)
    stream = model.generate(prompt, stream=True, **settings)
    interrupted = _drain(stream)
    out = stream.result
    ledger = _chosen(out.ledger(), args.step, out.finish_reason)
    one = ledger[0].view(args.top) if len(ledger) == 1 else None
    if args.json:
        _print_json({**_result(out), "steps": [step_record(e, args.top) for e in ledger]})
    else:
        console = _console()
        if one is None:
            console.print(repr(ledger), markup=False)
        else:
            stages = ledger[0].stage_cells()
            if stages:
                console.print(text_table(STAGE_COLUMNS, stages) + "\n", markup=False)
            console.print(one)
        _report(out, False)
    if args.html is not None:
        about = {
            "model": model_line(model),
            "prompt": prompt if isinstance(prompt, str) else f"ids {' '.join(map(str, prompt))}",
            "sampler": f"{out.settings['sampler']}",
            "made with": f"cutaway explain, of cutaway {ca.__version__}",
        }
        path = save_page(args.html, "What the sampler did", about, [("", ledger if one is None else one)])
        print(f"[written to {path}]", file=sys.stderr)
    return 130 if interrupted else 0


def _drain(stream: Any) -> bool:
    """Runs a stream to its end; True if Ctrl-C ended it."""
    try:
        for _ in stream:
            pass
    except KeyboardInterrupt:
        stream.close()
        return True
    return False


def _chosen(ledger: Ledger, step: int | None, finish_reason: str) -> Ledger:
    """All of a ledger, or the line of one step."""
    if step is None:
        return ledger
    if step >= len(ledger) and finish_reason != "interrupted":
        raise ArgumentError(f"There is no step {step}: {len(ledger)} tokens came out ({finish_reason}).")
    return Ledger(ledger[step : step + 1])


def step_record(e: Explanation, top: int) -> dict[str, Any]:
    """A step as plain values: its stages, its draw, and the top tokens with their probability before and after each."""
    from .views.sampling import distributions, shown_tokens

    _, columns = distributions(e)
    return {
        "step": e.step,
        "token": e.token,
        "text": e.text,
        "candidates": e.candidates,
        "stages": [stage_record(stage) for stage in e.stages],
        "draw": vars(e.draw),
        "top": [
            {"id": id, "text": e.source.text_of(id), "probabilities": [float(column[id]) for column in columns]}
            for id in shown_tokens(columns[0], e.token, top)
        ],
    }

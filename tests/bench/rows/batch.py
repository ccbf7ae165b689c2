"""Eight sequences in one step."""

from collections.abc import Iterator
from pathlib import Path

from cutaway.bench import work
from cutaway.bench.summary import spread

from .. import limits, llama_1b
from ..files import TITLES, cache_folder, model_file
from ..registry import Line, row
from ..run import Run
from ..summary import check

ROWS, PROMPT, STEPS = 8, 32, 16


@row("Eight sequences in one step", 6)
def batch(run: Run) -> Iterator[Line]:
    """One step of eight sequences against one step of one, milliseconds; llama.cpp gets the same batch of eight."""
    made = cache_folder()
    yield of_model(run, "1B Q8_0", llama_1b.cached("Q8_0", made), most=1.15)
    yield of_model(run, "1B Q4_0", llama_1b.cached("Q4_0", made), most=1.4)
    yield of_model(run, "1B Q4_K", llama_1b.cached("Q4_K", made), most=1.4)
    yield of_model(run, TITLES["smollm2"], model_file("smollm2"), most=2.0)


def of_model(run: Run, title: str, path: Path, most: float) -> Line:
    prompt = work.plain_ids(PROMPT)
    sides = {"cutaway": run.cutaway(path), "llama.cpp": run.llama_cpp(path, n_ctx=512, sequences=ROWS)}
    with run.started(sides) as (workers, missing):
        line: Line = {"case": f"{title}, a step", "unit": "ms", "missing": missing, "sides": {}, "checks": []}
        line["gate"] = run.gates(workers, prompt, run.exact(path, prompt))
        if "cutaway" not in workers or not all(facts["passed"] for facts in line["gate"].values()):
            return line
        jobs = {
            f"{label}, {n} row{'s' * (n > 1)}": lambda w=worker, n=n: 1e3 * w(work.batch_steps, n, prompt, STEPS)
            for label, worker in workers.items()
            for n in (1, ROWS)
        }
        probes = run.probes(limits.decode_bytes(limits.work_of(path), PROMPT + STEPS / 2, rows=ROWS))
        for label, values in run.by_turns(jobs, probes).items():
            line["sides"][label] = spread(values) | {"memory": workers[label.partition(",")[0]].memory()}
        time = {label: side["median"] for label, side in line["sides"].items()}
        cost = time["cutaway, 8 rows"] / time["cutaway, 1 row"]
        line["checks"].append(check("cutaway: 8 rows, times 1 row", cost, most=most))
        if "llama.cpp" in workers:
            line["checks"] += [
                check("llama.cpp: 8 rows, times 1 row", time["llama.cpp, 8 rows"] / time["llama.cpp, 1 row"]),
                check("times llama.cpp at 8 rows", time["llama.cpp, 8 rows"] / time["cutaway, 8 rows"], least=2.0),
            ]
        line["probes"] = probes.facts()
        run.bounded_by_bandwidth(line, probes)
        run.memory_check(line, "llama.cpp, 8 rows", ours="cutaway, 8 rows")
        return line

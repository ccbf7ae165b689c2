"""The main job in the terminal: a prompt's tokens, the next-token bars, one head's attention, streamed text, and the
sampler ledger. The views that a notebook would show go to demo.html in the current directory.

One more view on the page is one more function and one more line in VIEWS.
"""

import sys
import time
from typing import NamedTuple

import cutaway as ca
import numpy as np
from cutaway.catalogue import DEFAULT
from cutaway.pages import model_line, save_page, writable
from cutaway.probabilities import top
from cutaway.terminal import attention, next_tokens, token_line, token_table
from cutaway.views.sampling import explanation
from cutaway.views.table import text_table
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

PROMPT = "Mary and John sailed to a small island. When the sun went down, John told"
NEW_TOKENS = 48
SAMPLED_TOKENS = 12
SAMPLER = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "seed": 7}
LENS_POSITIONS = 9  # columns that fit beside each other on most screens
PAGE = "demo.html"


class Seen(NamedTuple):
    """What the terminal shows and the page shows again."""

    model: ca.Model
    sampled: object  # a Generation
    trace: object  # the patterns of every layer
    layer: int
    head: int


def most_focused(patterns: np.ndarray) -> int:
    """The head that looks most at tokens other than the first and the current one. patterns: [n_heads, query, key]"""
    others = np.tril(patterns, k=-1)[:, :, 1:]
    return int(np.argmax(others.max(axis=2).mean(axis=1)))


def least_certain(ledger):
    """The step with the highest entropy before any stage."""
    return max(ledger, key=lambda step: step.stages[0].entropy_before)


def last_positions(lens):
    """The lens at the end of the prompt, where the answer comes from."""
    return ca.views.lens(lens, start=max(0, len(lens.positions) - LENS_POSITIONS))


# heading -> what stands under it
VIEWS = {
    "What came out: point at a token to see what else could have come": lambda seen: ca.views.tokens(seen.sampled),
    "One step of the sampler: what every stage left, and where the draw fell": lambda seen: explanation(
        least_certain(seen.sampled.ledger())
    ),
    "The whole text, a line for each step": lambda seen: seen.sampled.ledger(),
    "Attention: choose a layer and a head": lambda seen: ca.views.attention(
        seen.trace, layer=seen.layer, head=seen.head
    ),
    "The logit lens: what the model would say after each layer": lambda seen: last_positions(seen.model.lens(PROMPT)),
}


def main() -> int:
    console = Console(highlight=False)
    heading = lambda title: console.print(Rule(title, align="left", style="dim"))  # noqa: E731
    writable(PAGE)
    began = time.perf_counter()
    model = ca.load(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    info = model.info()
    loaded = f"loaded in {time.perf_counter() - began:.2f} s"
    console.print(
        Text(f"{info['path']}\n{info['arch']}, {info['compute']}, {info['isa']}, {info['threads']} threads, {loaded}")
    )

    layer = model.config.n_layers // 2
    name = f"blocks.{layer}.attn.pattern"
    ids = model.tokenizer.encode(PROMPT)
    logits, trace = model.run_with_cache(ids, names=["blocks.*.attn.pattern"])  # logits: [pos, d_vocab]
    tokens = model.tokenizer.tokens(ids)

    heading("the prompt's tokens")
    console.print(token_line(tokens))
    console.print(token_table(ids, tokens))

    heading("the next token, top 10")
    best = top(logits[-1], 10)
    console.print(next_tokens(logits[-1], best, model.tokenizer.tokens(best)))

    patterns = trace[name]  # [n_heads, query_pos, key_pos]
    head = most_focused(patterns)
    heading(f"{name}, head {head}: a row says where its token looks")
    console.print(attention(patterns[head], tokens))

    heading(f"{NEW_TOKENS} tokens, streamed, temperature 0")
    console.print(Text(PROMPT, style="dim"), end="")
    stream = model.generate(PROMPT, max_new_tokens=NEW_TOKENS, temperature=0, stream=True)
    for step in stream:
        print(step.text, end="", flush=True)
    out = stream.result
    console.print(
        Text(
            f"\n\n{len(out.ids)} tokens, {out.timings['tokens_per_second']:.1f} tok/s, "
            f"{out.finish_reason}, fingerprint {out.fingerprint}",
            style="dim",
        )
    )

    sampled = model.generate(PROMPT, max_new_tokens=SAMPLED_TOKENS, **SAMPLER)
    ledger = sampled.ledger()
    one = least_certain(ledger)
    heading(f"the sampler at step {one.step}: {', '.join(f'{name} {value}' for name, value in SAMPLER.items())}")
    console.print(Text(PROMPT, style="dim") + Text(sampled.text, style="bold"))
    console.print(explanation(one))
    heading("the sampler ledger")
    console.print(Text(text_table(ledger.columns[:7], [ledger.cells(step)[:7] for step in ledger])))

    seen = Seen(model, sampled, trace, layer, head)
    about = {
        "model": model_line(model),
        "prompt": PROMPT,
        "sampler": ", ".join(f"{name} {value}" for name, value in SAMPLER.items()),
        "made with": f"make demo (scripts/demo.py), of cutaway {ca.__version__}",
    }
    title = "From a prompt to the next token, with the side panel off"
    page = save_page(PAGE, title, about, [(heading, view(seen)) for heading, view in VIEWS.items()])
    console.print(Text(f"\nThe same in a browser: {page}"), soft_wrap=True)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except ca.Error as error:
        raise SystemExit(f"demo: {error}") from None

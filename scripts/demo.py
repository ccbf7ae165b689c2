"""The main job in the terminal: a prompt's tokens, the next-token bars, one head's attention, and streamed text."""

import sys
import time

import cutaway as ca
import numpy as np
from cutaway.catalogue import DEFAULT
from cutaway.terminal import attention, next_tokens, token_line, token_table, top
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

PROMPT = "When Mary and John went to the store, John gave a drink to"
NEW_TOKENS = 48


def most_focused(patterns: np.ndarray) -> int:
    """The head that looks most at tokens other than the first and the current one. patterns: [n_heads, query, key]"""
    others = np.tril(patterns, k=-1)[:, :, 1:]
    return int(np.argmax(others.max(axis=2).mean(axis=1)))


def main() -> int:
    console = Console(highlight=False)
    heading = lambda title: console.print(Rule(title, align="left", style="dim"))  # noqa: E731
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
    logits, trace = model.run_with_cache(ids, names=[name])  # logits: [pos, d_vocab]
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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

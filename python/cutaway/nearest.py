"""What may have been meant: names that a user wrote, beside those that there are."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: object, known: Iterable[str], n: int = 2, cutoff: float = 0.5) -> list[str]:
    """The known names that read most like this one, best first; upper and lower case are alike."""
    import difflib

    names = {one.lower(): one for one in reversed([*known])}
    return [names[one] for one in difflib.get_close_matches(str(name).lower(), names, n, cutoff)]


# Arguments under the names that they have elsewhere -> the name here, and what else to know.
_ELSEWHERE = {
    **dict.fromkeys(("length", "max_length", "max_tokens", "n_predict", "num_predict", "n_tokens"), "max_new_tokens"),
    "do_sample": "temperature",
    **dict.fromkeys(("repeat_penalty", "repetition"), "repetition_penalty"),
    **dict.fromkeys(("num_return_sequences", "num_samples"), "n"),
    **dict.fromkeys(("n_threads", "num_threads"), "threads"),
    **dict.fromkeys(("context_length", "max_seq_len", "ctx_size"), "n_ctx"),
    **dict.fromkeys(("dtype", "torch_dtype", "precision"), "compute"),
}
_NOTES = {"do_sample": " temperature=0 is greedy, anything above it samples."}
_FIRST = ("prompt", "prompts", "text", "input", "inputs", "input_ids", "messages")
_BEAMS = "There is no beam search here: a text grows token by token."
_CPU = "Everything runs on the CPU."
_CHAIN = "Stages are a list, in the order in which they run: ca.Sampler([ca.Temperature(0.7), ca.TopK(40)], seed=1)."
# What is not there -> (the sentence, an argument of the calls where it would be).
_ABSENT = {
    **dict.fromkeys(("num_beams", "num_beam_groups", "best_of", "early_stopping"), (_BEAMS, "max_new_tokens")),
    **dict.fromkeys(("n_gpu_layers", "device", "device_map", "gpu_layers"), (_CPU, "isa")),
    **dict.fromkeys(("temperature", "top_k", "top_p", "min_p"), (_CHAIN, "stages")),
    **dict.fromkeys(("repetition_penalty", "presence_penalty", "frequency_penalty"), (_CHAIN, "stages")),
}


def known_elsewhere(name: str, known: Iterable[str]) -> str:
    """The sentence for an argument that other libraries have, beginning with a space; empty where this is none."""
    listed = [*known]
    here, (absent, beside) = _ELSEWHERE.get(name), _ABSENT.get(name, ("", ""))
    if here in listed:
        return f" Did you mean {here}?{_NOTES.get(name, '')}"
    if name in _FIRST and listed and listed[0] in (*_FIRST, "x"):
        return f" It is the first argument, {listed[0]}."
    return f" {absent}" if beside in listed else ""


def did_you_mean(near: Iterable[str], otherwise: str = "") -> str:
    """The question that ends a message, or another end where nothing is near; either begins with a space."""
    listed = [*near]
    said = f"Did you mean {' or '.join(listed)}?" if listed else otherwise
    return f" {said}" if said else ""

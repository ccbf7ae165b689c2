"""Generation on the real models: tokens, text, seeds, stops, chat, Ctrl-C, and other threads meanwhile."""

import subprocess
import sys

import cutaway as ca
import numpy as np
import pytest
from small_variants import IDS

MODELS = ["smollm2", "gemma3"]
PROMPT = "The capital of France is"
CITY = [{"role": "user", "content": "Name the capital of France."}]


@pytest.fixture(scope="module", params=MODELS)
def model(request, real_model):
    return real_model(request.param, "int8")


@pytest.fixture(scope="module")
def smollm2(real_model):
    return real_model("smollm2", "int8")


@pytest.fixture(scope="module")
def greedy(smollm2):
    return smollm2.generate(PROMPT, max_new_tokens=24, temperature=0)


# ---- tokens


def test_greedy_is_repeated_argmax(model):
    out = model.generate(PROMPT, max_new_tokens=10, temperature=0)
    ids = model.tokenizer.encode(PROMPT, add_special_tokens=True).tolist()
    assert out.prompt_ids.tolist() == ids and (ids[0] == model.tokenizer.bos_id) == model.tokenizer.info()["add_bos"]
    for id, logprob in zip(out.ids, out.logprobs, strict=True):
        row = model(ids)[-1].astype(np.float64)
        assert id == row.argmax()
        assert logprob == pytest.approx(row.max() - row.max() - np.log(np.exp(row - row.max()).sum()), abs=1e-9)
        ids.append(int(id))
    assert out.ids.dtype == np.int32 and len(out.steps) == len(out.ids) == 10
    assert out.text == model.tokenizer.decode(out.ids, continuation=True)
    assert out.finish_reason == "length"
    np.testing.assert_allclose(model.score(ids)[len(out.prompt_ids) - 1 :], out.logprobs, atol=1e-12)


def test_what_the_models_say(real_model, greedy):
    assert greedy.text.startswith(" Paris.")
    assert real_model("gemma3", "int8").generate("1, 2, 3, 4,", max_new_tokens=3, temperature=0).text.startswith(" 5")


def test_seeds_reproduce(model):
    settings = dict(max_new_tokens=12, temperature=1.2, top_k=50, top_p=0.95, min_p=0.01, repetition_penalty=1.1)
    first = model.generate(PROMPT, seed=7, **settings)
    again = model.generate(PROMPT, seed=7, **settings)
    assert first.ids.tolist() == again.ids.tolist() and first.fingerprint == again.fingerprint and first.seed == 7
    others = [model.generate(PROMPT, seed=seed, **settings).ids.tolist() for seed in (8, 9, 10)]
    assert len({tuple(ids) for ids in [first.ids.tolist(), *others]}) > 1
    picked = model.generate(PROMPT, **settings)  # one is picked and recorded
    assert model.generate(PROMPT, seed=picked.seed, **settings).fingerprint == picked.fingerprint


def test_batches_and_samples_equal_lone_runs(smollm2):
    prompts, settings = [PROMPT, "def f(x):", [1, 2, 3]], dict(max_new_tokens=6, temperature=0.8, seed=3)
    lone = [smollm2.generate(p, **settings) for p in prompts]
    assert [out.fingerprint for out in smollm2.generate(prompts, **settings)] == [out.fingerprint for out in lone]
    samples = smollm2.generate(PROMPT, n=3, **settings)
    for j, out in enumerate(samples):
        assert out.seed == 3 + j
        assert out.fingerprint == smollm2.generate(PROMPT, **settings | {"seed": 3 + j}).fingerprint


def test_each_step_may_be_traced(smollm2):
    names = ["blocks.5.attn.pattern", "blocks.*.resid_post"]
    out = smollm2.generate(PROMPT, max_new_tokens=4, temperature=0, names=names)
    plain = smollm2.generate(PROMPT, max_new_tokens=4, temperature=0)
    assert out.fingerprint == plain.fingerprint
    _, whole = smollm2.run_with_cache(np.append(out.prompt_ids, out.ids), names)
    for i, step in enumerate(out.steps):
        at = len(out.prompt_ids) - 1 + i
        assert step.trace["blocks.5.attn.pattern"].shape == (9, 1, at + 1)
        np.testing.assert_array_equal(
            step.trace["blocks.5.attn.pattern"][:, 0], whole["blocks.5.attn.pattern"][:, at, : at + 1]
        )
        np.testing.assert_array_equal(step.trace["blocks.29.resid_post"][0], whole["blocks.29.resid_post"][at])


# ---- text, stops, finish reasons


def test_streamed_pieces_make_up_the_text(model):
    prompt = "Emoji: 😀 🎉 "  # half characters are held back
    whole = model.generate(prompt, max_new_tokens=20, temperature=1.0, seed=5)
    stream = model.generate(prompt, max_new_tokens=20, temperature=1.0, seed=5, stream=True)
    steps = list(stream)
    assert "".join(step.text for step in steps) == whole.text == stream.result.text
    assert [step.id for step in steps] == whole.ids.tolist() and stream.result.fingerprint == whole.fingerprint


@pytest.mark.parametrize("stop", ["ris.\n\nTh", ".\n\n", "s. ", ["xyz", "nited Sta"], " Paris"])
def test_stop_strings_that_span_tokens(stop, smollm2, greedy):
    stops = [stop] if isinstance(stop, str) else stop
    found = [greedy.text.find(s) for s in stops if s in greedy.text]
    out = smollm2.generate(PROMPT, max_new_tokens=24, temperature=0, stop=stop)
    if not found:
        assert out.text == greedy.text and out.finish_reason == "length"
        return
    assert out.text == greedy.text[: min(found)] and out.finish_reason == "stop"
    assert out.ids.tolist() == greedy.ids[: len(out.ids)].tolist() and len(out.ids) < 24
    assert any(s in smollm2.tokenizer.decode(out.ids, continuation=True) for s in stops)


def test_finish_reasons(smollm2, greedy, small_model):
    assert greedy.finish_reason == "length"
    answer = smollm2.chat(CITY, max_new_tokens=40, temperature=0)
    assert answer.finish_reason == "stop" and answer.ids[-1] == smollm2.tokenizer.eos_id
    assert "Paris" in answer.text and "<|im_end|>" not in answer.text
    small = ca.load(small_model("llama").path, n_ctx=27)
    out = small.generate(IDS, max_new_tokens=50, temperature=0)
    # positions 24, 25 and 26 hold new tokens; the logits of the last give one more
    assert (out.finish_reason, len(out.ids)) == ("context", 4) or out.finish_reason == "stop"
    assert smollm2.generate(PROMPT, max_new_tokens=0).finish_reason == "length"


def test_chat_renders_the_files_template(smollm2):
    out = smollm2.chat(CITY, max_new_tokens=1, temperature=0)
    text = smollm2.tokenizer.decode(out.prompt_ids)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nName the capital of France.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert out.prompt_ids.tolist() == smollm2.tokenizer.encode(text, parse_special=True).tolist()
    assert out.prompt_ids[0] == smollm2.tokenizer.to_id("<|im_start|>")
    own = smollm2.chat(CITY, template="{{ who }}: {{ messages[0].content }}", context={"who": "Q"}, max_new_tokens=1)
    assert smollm2.tokenizer.decode(own.prompt_ids) == "Q: Name the capital of France."
    streamed = smollm2.chat(CITY, max_new_tokens=3, temperature=0, stream=True)
    assert [s.id for s in streamed] == smollm2.chat(CITY, max_new_tokens=3, temperature=0).ids.tolist()


def test_a_model_without_a_template_shows_how_to_pass_one(real_model):
    gemma = real_model("gemma3", "int8")
    with pytest.raises(
        ca.ArgumentError, match=r'gemma3.*\.gguf has no chat template; pass one, for example template="'
    ) as caught:
        gemma.chat(CITY)
    shown = str(caught.value).split('template="')[1].split('", or ')[0].replace("\\n", "\n")
    out = gemma.chat(CITY, template=shown, max_new_tokens=2, temperature=0)
    assert gemma.tokenizer.decode(out.prompt_ids).endswith("user: Name the capital of France.\nassistant:")


# ---- what is refused


@pytest.mark.parametrize(("settings", "message"), [
    ({"temperature": -0.5}, "temperature"),
    ({"temperature": float("nan")}, "temperature"),
    ({"top_p": 0.0}, "top_p"),
    ({"top_p": 1.5}, "top_p"),
    ({"min_p": -1}, "min_p"),
    ({"top_k": -1}, "top_k"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**64}, "seed"),
    ({"max_new_tokens": -1}, "max_new_tokens"),
    ({"max_new_tokens": 1.5}, "max_new_tokens"),
    ({"stop": ""}, "stop"),
    ({"temprature": 1}, "Did you mean temperature"),
    ({"names": ["blocks.0.attn.patern"]}, "Did you mean blocks.0.attn.pattern"),
])  # fmt: skip
def test_bad_settings_are_named(settings, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        small_model("llama").model.generate(IDS, **settings)


@pytest.mark.parametrize(("prompt", "message"), [
    ([], "empty"), ("", "empty"), ([273], "token id 273, expected 0 to 272"), (np.zeros(300, int), "n_ctx is 256|256"),
    ([[1], []], "prompt 1 is empty"), ([0.5], "float64"),
])  # fmt: skip
def test_bad_prompts_are_named(prompt, message, small_model):
    with pytest.raises(ca.ArgumentError, match=message):
        small_model("llama").model.generate(prompt, max_new_tokens=2)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (-np.inf, "-inf")])
def test_logits_that_cannot_be_sampled(value, message, small_model):
    model = small_model("llama").model
    for settings in ({"temperature": 0}, {"temperature": 1.0, "top_p": 0.9}):
        with (
            pytest.raises(ca.ArgumentError, match=message),
            model.hooks({"logits": lambda x, name: np.full_like(x, value)}),
        ):
            model.generate(IDS, max_new_tokens=2, **settings)


def test_a_model_without_a_tokenizer_works_on_ids(small_model):
    small = small_model("llama", "F32", shards=1)
    out = small.model.generate(IDS, max_new_tokens=3, temperature=0)
    assert (
        out.text is None
        and out.ids.tolist() == small_model("llama").model.generate(IDS, max_new_tokens=3, temperature=0).ids.tolist()
    )
    for call in (lambda: small.model("text"), lambda: small.model.tokenizer, lambda: small.model.chat(CITY)):
        with pytest.raises(ca.FormatError, match="token ids"):
            call()
    with pytest.raises(ca.FormatError, match="token ids"):
        small.model.generate(IDS, stop="a")


# ---- Ctrl-C, other threads. In processes of their own: the signal is real and the counting undisturbed


def run_script(source, *arguments):
    """The lines that a script prints, each as a list of words."""
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


INTERRUPT = """
import os, signal, sys, threading, time
import cutaway as ca
import numpy as np

path, compute = sys.argv[1:]
model = ca.load(path, compute=compute, threads=2)

def interrupted(seconds, call):
    sent = []
    def fire():
        time.sleep(seconds)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=fire)
    thread.start()
    out = call()
    late = time.perf_counter() - sent[0]
    thread.join()
    return late, out

prompt = np.arange(512) % 251 + 5
text = "a b a b a b a b a b a b"  # both models then go on for ever
decode = dict(max_new_tokens=100_000, temperature=0)
model.generate(text, max_new_tokens=2)
for _ in range(3):
    late, out = interrupted(0.05, lambda: model.generate(prompt, **decode))
    assert len(out) == 0 and out.text == "", "the prefill was over before the signal came"
    print("prefill", late, out.finish_reason, len(out), len(out.steps))
    late, out = interrupted(0.7, lambda: model.generate(text, **decode))
    assert out.text == model.tokenizer.decode(out.ids, skip_special_tokens=True, continuation=True)
    print("decode", late, out.finish_reason, len(out.ids), len(out.steps))
    # what came out is what an undisturbed run gives
    n = min(len(out), 5)
    assert model.generate(text, **decode | {"max_new_tokens": n}).ids.tolist() == out.ids[:n].tolist()

    session = model.session()
    session.append(prompt[:2])
    def append():
        try:
            session.append(prompt, logits="all")
        except KeyboardInterrupt:
            return len(session)
    late, length = interrupted(0.05, append)
    print("append", late, length, 0, 0)
"""


@pytest.mark.parametrize(("name", "compute"), [("smollm2", "float32"), ("gemma3", "int8")])
def test_ctrl_c_returns_in_time_with_what_there_is(name, compute, model_path):
    late = {}
    for what, seconds, reason, n, n_steps in run_script(INTERRUPT, model_path(name), compute):
        late.setdefault(what, []).append(float(seconds))
        if what == "append":
            assert reason == "2"  # the session is as long as before
        else:
            assert reason == "interrupted" and n == n_steps and (int(n) > 0) == (what == "decode")
    assert late.keys() == {"prefill", "decode", "append"}
    for what, seconds in late.items():  # the best of three: other processes may hold the cores
        assert min(seconds) < 0.2, (what, seconds)


COUNTING = """
import hashlib, sys, threading, time
import cutaway as ca
import numpy as np

model = ca.load(sys.argv[1], threads=1)
prompt, zeros = np.arange(512) % 251 + 5, np.zeros(250_000_000, np.uint8)
model.session().append(prompt)
count, stop = 0, False

def counting():
    global count
    while not stop:
        count += 1

def rate(call):
    before, began = count, time.perf_counter()
    call()
    return (count - before) / (time.perf_counter() - began)

thread = threading.Thread(target=counting)
thread.start()
for _ in range(5):
    idle = rate(lambda: time.sleep(0.5))
    share = rate(lambda: model.session().append(prompt)) / idle
    print(share, rate(lambda: hashlib.sha256(zeros)) / idle)
    if share >= 0.8:
        break
stop = True
thread.join()
"""


def test_other_threads_run_during_a_prefill(model_path):
    """A thread that counts keeps 80 % of its idle rate during 512 tokens on one engine thread."""
    tries = [(float(share), float(hashing)) for share, hashing in run_script(COUNTING, model_path("smollm2"))]
    if max(share for share, _ in tries) < 0.8:
        # Other processes hold the cores: then not even hashing, which never asks for the interpreter, leaves 80 %.
        assert any(hashing < 0.8 and share >= 0.8 * hashing for share, hashing in tries), tries

"""Writes prompts.json: the texts that the forward goldens run on, with token ids for both models.

    python tests/golden/make_prompts.py smollm2.gguf gemma3.gguf

The ids are llama.cpp's (which reads the vocabulary from the same file), compared with those of transformers before
they are written. Needs llama-cpp-python and transformers; nothing in the package does.
"""

import ctypes
import json
import sys
from pathlib import Path

import llama_cpp
from transformers import AutoTokenizer

HERE = Path(__file__).parent

ESSAY = """The lighthouse at the edge of the bay had been dark for eleven years when the council decided, by a single \
vote, to light it again. Nobody could say exactly what had changed. The ships that once needed it now carried receivers \
that knew their position to within a few metres, and the fishermen who remembered its beam were mostly retired. Still, \
the motion passed, and in the spring a small crew of electricians climbed the two hundred and fourteen steps with their \
tools on their backs.

They found the lamp room in better order than anyone had expected. The lens, a great cage of glass prisms taller than a \
man, was covered with dust but not cracked. The brass fittings had gone green. A notebook lay on the keeper's desk, open \
at the last entry: "Wind south-west, force 6. Visibility good. Lamp out at 05:42. Nothing to report." Below it somebody \
had drawn, with some care, a cormorant drying its wings.

The foreman, whose name was Ilse Brandt, read the entry twice and then put the notebook in her bag. She had grown up \
three streets from the harbour. As a child she had measured the nights by the beam crossing her ceiling, one sweep every \
twelve seconds, and when it stopped she had been unable to sleep for a week. She did not mention this to the others. She \
told them instead that the motor would have to be replaced, that the wiring was older than it looked, and that the work \
would take six weeks if the weather held.

It took nine. There were storms in May, and a shipment of cable went to the wrong town, and for several days the crew \
had nothing to do but polish the prisms, one after another, until the whole lens threw small rainbows on the walls. \
People began to come up in the evenings to look. They brought bread and smoked fish, and an old man named Aurel brought \
a clarinet. He played badly but with great conviction. Someone hung a string of paper lanterns along the gallery. By the \
time the last cable was pulled through the tower, half the town had climbed the stairs at least once, and the council, \
which had expected complaints about the cost, received instead a petition asking that the door be left unlocked.

On the night itself there was no ceremony. The mayor had prepared a speech, but the wind took the pages, and so she only \
laughed and pointed at the switch. Ilse pressed it. For a moment nothing happened; then, with a low hum, the lens began \
to turn, and a white bar of light went out over the water, further than anybody remembered, touched the islands, and came \
back round. On the quay below, people who had not spoken to each other in years stood side by side and counted aloud to \
twelve. Ilse counted too. Then she went home, lay down in the dark of her old room, and watched the ceiling until \
the beam came round"""

CODE = '''def merge_sorted(a, b):
    """Merge two sorted lists into one sorted list."""
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i]); i += 1
        else:
            out.append(b[j]); j += 1
    out.extend(a[i:])
    out.extend('''

# name, text, add_special_tokens (BOS/EOS by the file's own flags), parse_special
PROMPTS = [
    ("one_token", "Hello", True, False),
    ("two_words", "The cat", True, False),
    ("capital", "The capital of France is", True, False),
    ("induction", "A7 B2 C9 A7 B2 C9 A7 B2", True, False),
    ("bos_text", "<bos>", False, True),
    ("spaces", "   \n\n\t  x = 1\n", True, False),
    ("numbers", "1, 1, 2, 3, 5, 8, 13, 21, 34,", True, False),
    ("arithmetic", "12 + 30 = 42; 7 * 8 =", True, False),
    ("emoji", "I love pizza 🍕🔥 and 👩‍🚀", True, False),
    ("french", "Il était une fois, dans un petit village,", True, False),
    ("japanese", "吾輩は猫である。名前は", True, False),
    ("arabic", "مرحبا بالعالم، كيف", True, False),
    ("hello_c", 'int main(void) { printf("Hello, ', True, False),
    (
        "german",
        "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung aller",
        True,
        False,
    ),
    ("chinese", "人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出一种新的", True, False),
    ("russian", "Все счастливые семьи похожи друг на друга, каждая несчастливая", True, False),
    ("hindi", "भारत एक विशाल देश है और इसकी राजधानी", True, False),
    (
        "json",
        '{"name": "Ada", "born": 1815, "fields": ["mathematics", "computing"], "address": {"city": "London", "zip":',
        True,
        False,
    ),
    (
        "html",
        "<!DOCTYPE html>\n<html>\n<head><title>Test</title></head>\n<body>\n<ul>\n<li>one</li>\n<li>two</li>\n",
        True,
        False,
    ),
    (
        "sql",
        "SELECT c.name, COUNT(*) AS n FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.total > 100 GROUP BY",
        True,
        False,
    ),
    ("python", CODE, True, False),
    ("shout", "WHY IS EVERYBODY SHOUTING?!?!?! aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", True, False),
    (
        "table",
        "| planet  | radius (km) | moons |\n|---------|-------------|-------|\n| Mercury | 2439.7      | 0     |\n| Venus  ",
        True,
        False,
    ),
    ("math", "Let $f(x) = x^2 + 3x - 4$. Then $f'(x) = 2x + 3$, and $f$ has its minimum at $x =", True, False),
    (
        "chat_smollm2",
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is the tallest mountain on Earth?<|im_end|>\n<|im_start|>assistant\n",
        True,
        True,
    ),
    (
        "chat_gemma",
        "<start_of_turn>user\nName three colours.<end_of_turn>\n<start_of_turn>model\nRed, green",
        True,
        True,
    ),
    (
        "chat_turns",
        "<|im_start|>system\nAnswer briefly.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\nHello! How can I"
        " help?<|im_end|>\n<|im_start|>user\nGive me a haiku about rain.<|im_end|>\n<|im_start|>assistant\n",
        True,
        True,
    ),
    ("essay", ESSAY, True, False),
]


@llama_cpp.llama_log_callback
def silent(level, text, user_data):
    """Kept at module level: llama.cpp calls it for as long as the process lives."""


def llama_cpp_encoder(path):
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    vocab = llama_cpp.llama_model_get_vocab(llama_cpp.llama_model_load_from_file(str(path).encode(), params))

    def encode(text, add_special, parse_special):
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 8))()
        n = llama_cpp.llama_tokenize(vocab, data, len(data), buffer, len(buffer), add_special, parse_special)
        return list(buffer[:n])

    return encode


def main(paths):
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    encoders = {name: llama_cpp_encoder(path) for name, path in paths.items()}
    peers = {name: AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name) for name, path in paths.items()}
    prompts = []
    for name, text, add_special, parse_special in PROMPTS:
        ids = {}
        for model, encode in encoders.items():
            ids[model] = encode(text, add_special, parse_special)
            bos = [2] if model == "gemma3" and add_special else []
            other = bos + peers[model].encode(text, add_special_tokens=False)
            if ids[model] != other:
                print(f"{model} {name}: llama.cpp {ids[model]}\n    transformers {other}")
        prompts.append(
            {"name": name, "add_special_tokens": add_special, "parse_special": parse_special, "text": text, "ids": ids}
        )
        print(name, {m: len(i) for m, i in ids.items()})
    lines = ",\n".join(json.dumps(p, ensure_ascii=False) for p in prompts)
    (HERE / "prompts.json").write_text("[\n" + lines + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(dict(zip(("smollm2", "gemma3"), map(Path, sys.argv[1:3]), strict=True)))

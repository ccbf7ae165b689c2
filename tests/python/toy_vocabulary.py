"""Vocabularies of 273 tokens for the random models: every byte, a few merges, the special tokens of the family."""


def byte_letters() -> list[str]:
    """GPT-2's printable letter for each byte: bytes that print stand for themselves, others follow from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


MERGES = ["Ġ t", "h e", "Ġt he", "i n", "e r", "a n", "o n", "r e", "Ġ a", "i t", "l l", "ll o", "Ġ w", "o r"]
PIECES = ["▁the", "▁t", "he", "▁a", "an", "▁", "t", "h", "e", "a", "n", "d", "o"]
NORMAL, UNKNOWN, CONTROL, UNUSED, BYTE = 1, 2, 3, 5, 6


def toy_vocabulary(family: str, d_vocab: int) -> dict:
    """GGUF metadata of a byte-level BPE (llama) or SentencePiece-style (gemma3) vocabulary of d_vocab >= 273 tokens."""
    if family == "llama":
        specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        tokens = specials + byte_letters() + [m.replace(" ", "") for m in MERGES]
        types = [CONTROL] * 3 + [NORMAL] * (256 + len(MERGES))
    else:
        tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{b:02X}>" for b in range(256)), *PIECES]
        types = [CONTROL] * 3 + [UNKNOWN] + [BYTE] * 256 + [NORMAL] * len(PIECES)
    if d_vocab < len(tokens):
        raise ValueError(f"the toy vocabulary has {len(tokens)} tokens, d_vocab is {d_vocab}; pass tokenizer=False")
    scores = [-1000.0 if t != NORMAL else float(-i) for i, t in enumerate(types)]
    extra = d_vocab - len(tokens)
    tokens, types = tokens + [f"<unused{i}>" for i in range(extra)], types + [UNUSED] * extra
    out = {
        "tokenizer.ggml.tokens": ("array[string]", tokens),
        "tokenizer.ggml.token_type": ("array[i32]", types),
        "tokenizer.ggml.add_space_prefix": ("bool", False),
        "tokenizer.ggml.add_bos_token": ("bool", family == "gemma3"),
        "tokenizer.ggml.bos_token_id": ("u32", 1 if family == "llama" else 2),
        "tokenizer.ggml.eos_token_id": ("u32", 2 if family == "llama" else 1),
        "tokenizer.ggml.unknown_token_id": ("u32", 0 if family == "llama" else 3),
        "tokenizer.ggml.padding_token_id": ("u32", 2 if family == "llama" else 0),
    }
    if family == "llama":
        own = {"model": ("string", "gpt2"), "pre": ("string", "gpt-2"), "merges": ("array[string]", MERGES)}
    else:
        scores += [-1000.0] * extra
        own = {"model": ("string", "llama"), "pre": ("string", "default"), "scores": ("array[f32]", scores)}
        own["add_eos_token"] = ("bool", False)
    return {f"tokenizer.ggml.{key}": value for key, value in own.items()} | out

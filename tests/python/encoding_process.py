"""What tests of packed encodings run in processes of their own."""

import resource
from typing import Any

import cutaway as ca
from cutaway.packs import packs

TEXT = "Hello, world! Näive 東京 tokenization\n\n  12345 <|endoftext|>"


def load_and_say(name: str) -> tuple[list[int], list[str]]:
    """(ids, the states of the pack files afterwards)"""
    ids = ca.tokenizer(name).encode(TEXT, parse_special=True).tolist()
    return ids, [pack.state for pack in packs()]


def load_at_once(name: str, ready: Any, answer: Any) -> None:
    """The same, beginning when all are ready."""
    ready.wait(60)
    answer.put(load_and_say(name))


def load_with_small_files(name: str, limit: int) -> tuple[list[int], list[str]]:
    """No file may become longer than `limit`: as on a full disk, with a signal besides."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return load_and_say(name)

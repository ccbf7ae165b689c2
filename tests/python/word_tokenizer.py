"""A tokenizer that is counted by hand: a word is a token, its id the order in which it was first seen."""

import re


class Words:
    """Duck-typed: what counting, fitting and comparing ask of a tokenizer."""

    def __init__(self, chat_template=None):
        self.chat_template = chat_template
        self._ids = {}

    def encode(self, text):
        return [self._ids.setdefault(word, len(self._ids)) for word in text.split()]

    def count(self, text):
        return len(self.encode(text))

    def tokens(self, ids):
        words = [*self._ids]
        return [words[id] for id in ids]

    def offsets(self, data):
        return [[found.start(), found.end()] for found in re.finditer(rb"\S+", data)]

    def apply_chat_template(self, messages, tokenize=False):
        assert tokenize
        return self.encode(" ".join(f"<{m['role']}> {m['content']} <end>" for m in messages) + " <assistant>")

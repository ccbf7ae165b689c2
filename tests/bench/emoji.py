"""A text of emoji, the same on every machine: single ones and the sequences of UTS #51."""

from __future__ import annotations

import random

from .catalogues import countries

# Stretches that are emoji from end to end since Unicode 12.
SINGLE = [(0x1F337, 0x1F37C), (0x1F380, 0x1F393), (0x1F3E0, 0x1F3F0), (0x1F400, 0x1F43E), (0x1F442, 0x1F4FC),
          (0x1F600, 0x1F64F), (0x1F680, 0x1F6C5), (0x1F910, 0x1F93A), (0x1F947, 0x1F970)]  # fmt: skip
HANDS = "👋🤚🖐✋👌🤏✌🤞🤟🤘🤙👈👉👆🖕👇☝👍👎✊👊🤛🤜👏🙌👐🤲🙏✍💅🤳💪👂👃👶🧒👦👧👱👴👵"
PERSONS, ROLES = "👨👩🧑", ["⚕️", "⚖️", "✈️", *"🌾🍳🎓🎤🎨🏫🏭💻💼🔧🔬🚀🚒"]
DOING, GENDERS = "🙍🙎🙅🙆💁🙋🧏🙇🤦🤷💆💇🚶🧍🧎🏃🏄🚣🏊🏋🚴🚵🤸🤽🤾🤹🧘", ["♂️", "♀️"]
SKINS = ["", *"🏻🏼🏽🏾🏿"]
JOINER = "\u200d"
KEYCAPS = [f"{key}\ufe0f\u20e3" for key in "0123456789#*"]


def sequences() -> list[str]:
    """Each once: single characters, skin tones, keycaps, flags, roles, activities, families."""
    flags = ["".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in code) for code in countries()]
    every = [
        *(chr(i) for first, last in SINGLE for i in range(first, last + 1)),
        *(hand + skin for hand in HANDS for skin in SKINS),
        *KEYCAPS,
        *flags,
        *(person + skin + JOINER + role for person in PERSONS for skin in SKINS for role in ROLES),
        *(act + skin + JOINER + gender for act in DOING for skin in SKINS for gender in GENDERS),
        *(JOINER.join([*parents, *children]) for parents in ("👨👩", "👨👨", "👩👩", "👨", "👩")
          for children in ("👧", "👦", "👧👦", "👦👦", "👧👧")),
    ]  # fmt: skip
    return list(dict.fromkeys(every))


def emoji_text(times: int = 4) -> str:
    """Every sequence so often, in groups of one to three, ten groups a line."""
    rng = random.Random(1)
    left = sequences() * times
    rng.shuffle(left)
    groups = []
    while left:
        n = rng.randint(1, 3)
        groups.append("".join(left[-n:]))
        del left[-n:]
    return "\n".join(" ".join(groups[i : i + 10]) for i in range(0, len(groups), 10))

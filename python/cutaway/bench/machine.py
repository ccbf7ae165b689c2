"""Which machine a figure is of."""

from __future__ import annotations

import platform
import re
from collections.abc import Collection
from pathlib import Path

# as llama.cpp's system info calls it -> as Linux does
NEEDED = {"AVX512": "avx512f", "AVX512_VNNI": "avx512_vnni"}


def cpu_facts() -> dict[str, str]:
    """What Linux says of the last CPU; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def cpu_name() -> str:
    facts = cpu_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    numbers = [f"{key} {facts[key]}" for key in ("cpu family", "model") if key in facts]  # hypervisors hide the name
    return f"{name} ({', '.join(numbers)})" if numbers else name


def lacking(system: str, flags: Collection[str]) -> list[str]:
    """What the CPU has and this build of llama.cpp does not use."""
    used = re.findall(r"(\w+) = 1", system)
    return [name for name, flag in NEEDED.items() if flag in flags and name not in used]

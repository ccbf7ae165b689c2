"""Which machine a figure is of."""

from __future__ import annotations

import platform
from pathlib import Path


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

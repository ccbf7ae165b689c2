"""Compiles probe.cpp for this machine and runs it: bandwidth on a buffer of the model's size, peaks of arithmetic."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cutaway.bench.summary import significant

from .files import cache_folder

SOURCE = Path(__file__).with_name("probe.cpp")
COMMAND = ("g++", "-O2", "-march=native", "-std=c++20", "-pthread")
LEAST = 1 << 20  # bytes: below, starting the threads is what is measured


class ProbeError(Exception):
    """The probe could not be compiled or run."""


@functools.cache
def binary() -> Path:
    """The compiled probe; compiled anew when its source or the CPU has changed."""
    if shutil.which(COMMAND[0]) is None:
        raise ProbeError(f"{COMMAND[0]} is missing: apt-get install g++")
    target = subprocess.run([*COMMAND[:3], "-Q", "--help=target"], capture_output=True).stdout
    stamp = hashlib.sha256(SOURCE.read_bytes() + target).hexdigest()[:16]
    path = cache_folder() / f"probe-{stamp}"
    if not path.exists():
        partial = path.with_suffix(".partial")
        done = subprocess.run([*COMMAND, str(SOURCE), "-o", str(partial)], capture_output=True, text=True)
        if done.returncode:
            raise ProbeError(f"probe.cpp does not compile: {done.stderr.strip()[-500:]}")
        partial.rename(path)
    return path


def _run(*args: object) -> list[str]:
    done = subprocess.run([str(binary()), *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise ProbeError(done.stderr.strip())
    return done.stdout.split("\n")[:-1]


@functools.cache
def instruction_sets() -> tuple[str, str]:
    """What the int8 and the float32 loop use."""
    int8, f32 = _run("isa")
    return int8, f32


def bandwidth(size: int, threads: int, kind: str = "read") -> float:
    """GB/s over a buffer of `size` bytes just now, the median of sweeps that take about a quarter of a second together."""
    size = max(size, LEAST)
    sweeps = min(max(3, int(3e9 / size)), 201)
    return median([float(line) for line in _run(kind, size, threads, sweeps)])


def peak(kind: str, threads: int) -> float | None:
    """Gop/s of "int8" or "f32" just now, the best of 5 sweeps of some 10 ms: a peak is an upper bound, and noise only
    lowers it. None where the CPU has no such instruction."""
    values = [float(line) for line in _run(kind, 0, threads, 5)]
    return max(values) if values else None


@dataclass
class Probes:
    """What the machine gives while a line is measured: `take` is called once a round, between the turns of the sides.

    A bandwidth is the median over the rounds, as a side's figure is over its turns; a peak is the best of all.
    """

    size: int  # bytes of the buffer
    threads: int
    kind: str = "read"  # or "write"
    rates: list[float] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)

    def take(self) -> float:
        """GB/s of this sample."""
        self.rates.append(bandwidth(self.size, self.threads, self.kind))
        for kind in ("int8", "f32"):
            self.peaks[kind] = max(peak(kind, self.threads) or 0.0, self.peaks.get(kind, 0.0))
        return self.rates[-1]

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return 1e9 * median(self.rates)

    @property
    def arithmetic(self) -> dict[str, float]:
        """Gop/s; int8 falls back to float32's where there is no int8 instruction."""
        return self.peaks | {"int8": self.peaks["int8"] or self.peaks["f32"]}

    def facts(self) -> dict[str, Any]:
        """For the page. Figures lie under the number of threads."""
        threads, (int8, f32) = str(self.threads), instruction_sets()
        return {
            "bytes": self.size,
            f"{self.kind} GB/s": {threads: significant(median(self.rates))},
            "samples": [significant(rate) for rate in self.rates],
            "int8 Gop/s": {threads: significant(self.peaks["int8"])},
            "f32 Gop/s": {threads: significant(self.peaks["f32"])},
            "int8": int8,
            "f32": f32,
        }

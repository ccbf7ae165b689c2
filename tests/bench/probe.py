"""Compiles probe.cpp for this machine and runs it: bandwidth on a buffer of the model's size, peaks of arithmetic."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from pathlib import Path
from statistics import median

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


@functools.cache
def bandwidth(size: int, threads: int, kind: str = "read") -> float:
    """GB/s over a buffer of `size` bytes, the median of sweeps that take about half a second together."""
    size = max(size, LEAST)
    sweeps = min(max(5, int(8e9 / size)), 201)
    return median([float(line) for line in _run(kind, size, threads, sweeps)])


@functools.cache
def peak(kind: str, threads: int) -> float | None:
    """Gop/s of "int8" or "f32", the best of 21 sweeps of some 10 ms: a peak is an upper bound, and noise only lowers
    it. None where the CPU has no such instruction."""
    values = [float(line) for line in _run(kind, 0, threads, 21)]
    return max(values) if values else None


def peaks(threads: int) -> dict[str, float]:
    """Gop/s by arithmetic; int8 falls back to float32's where there is no int8 instruction."""
    f32 = peak("f32", threads)
    assert f32 is not None
    return {"f32": f32, "int8": peak("int8", threads) or f32}

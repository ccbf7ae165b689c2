"""10,000 seeded bit flips in the headers of the two real models: each file opens or raises FormatError."""

from __future__ import annotations

import os
import random
from pathlib import Path

import cutaway as ca
import pytest
from cutaway import _core


@pytest.mark.parametrize(("name", "flips"), [("smollm2", 7_000), ("gemma3", 3_000)])
def test_seeded_flips(tmp_path: Path, model_path, name: str, flips: int) -> None:
    source = model_path(name)
    header_bytes = _core.Checkpoint(source).tensors()[0][3]
    with source.open("rb") as file:
        header = file.read(header_bytes)
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(header)
    os.truncate(path, source.stat().st_size)  # sparse: the weights are holes
    rng = random.Random(20240229)
    accepted = refused = 0
    with path.open("r+b", buffering=0) as file:
        for i in range(flips):
            # Half of them where structure is dense: the first keys and the tensor directory.
            dense = rng.randrange(1500) if rng.random() < 0.3 else header_bytes - 1 - rng.randrange(16_000)
            at = dense if i % 2 else rng.randrange(header_bytes)
            file.seek(at)
            file.write(bytes([header[at] ^ 1 << rng.randrange(8)]))
            try:
                _core.Checkpoint(path)
                accepted += 1
            except ca.FormatError as error:
                assert str(error).startswith(f"{path}: "), error
                refused += 1
            file.seek(at)
            file.write(header[at : at + 1])
    assert accepted > flips // 20 and refused > flips // 20
    assert len(_core.Checkpoint(path).tensors()) > 200

"""Stored fingerprints of the real models, recomputed on every instruction set this machine offers."""

import cutaway as ca
import pytest
from conftest import CATALOGUE, ROOT
from cutaway import verify


def test_the_golden_file_is_the_shipped_one():
    golden = ROOT / "tests" / "golden" / "fingerprints.json"
    assert golden.resolve() == ROOT / "python" / "cutaway" / "data" / "fingerprints.json"
    assert set(verify.stored()) == set(CATALOGUE.values())
    for record in verify.stored().values():
        assert {entry["compute"] for entry in record["entries"]} == {"int8", "float32"}
        assert len({entry["fingerprint"] for entry in record["entries"]}) == len(record["entries"]) >= 6


@pytest.mark.parametrize("isa", [isa for isa in ca.isas() if isa != "scalar"] or ["scalar"])
@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_instruction_set(model_path, name, isa):
    """The stored ones were computed by the scalar set."""
    checks = list(verify.checks(CATALOGUE[name], model_path(name), isa=isa))
    assert len(checks) == len(verify.stored()[CATALOGUE[name]]["entries"])
    assert [c for c in checks if not c.same] == []
    assert {c.isa for c in checks} == {isa}

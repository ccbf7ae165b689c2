"""Each line of a .def list has its file, its NumPy twin, and is what the engine offers: a line without them fails here."""

import re
from importlib import import_module

import cutaway as ca
import pytest
from conftest import ROOT
from cutaway import _core
from cutaway.reference import blocks, loader, sampler
from make_models import WEIGHT_TYPES

TWINS = {  # kernel -> its twin in cutaway.reference
    "rms_norm": "norms.rms_norm",
    "quantize": "int8.quantise",
    "soft_cap": "attention.soft_cap",
    "silu_mul": "mlp.silu",
    "gelu_tanh_mul": "mlp.gelu_tanh",
    "rope": "rope.rotate",
    "attention_scores": "attention.attention_scores",
    "attention_softmax": "softmax.softmax",
    "attention_values": "attention.attention_values",
}
# One NumPy operation each, or no arithmetic at all.
PLAIN = {
    "add", "scale", "exp", "attention_map", "store_k", "store_v", "load_k", "load_v", "peak_f32", "peak_int8",
    "peak_read",
}  # fmt: skip


def listed(path: str, macro: str) -> list[str]:
    """The first argument of every line of a list."""
    return re.findall(rf"^{macro}\((\w+)", (ROOT / path).read_text("utf-8"), re.M)


def test_weight_types():
    quants = listed("kernels/quants.def", "QUANT")
    assert [q.upper() for q in quants] == list(blocks.DECODED) == list(WEIGHT_TYPES)
    assert all((ROOT / f"kernels/quant/{q}.inl").is_file() for q in quants)
    assert {f"{q}.inl" for q in quants} == {f.name for f in (ROOT / "kernels/quant").iterdir()}


def test_kernels():
    kernels = listed("kernels/kernels.def", "KERNEL")
    assert sorted(kernels) == sorted([*TWINS, *PLAIN])
    for kernel in TWINS:
        module, function = TWINS[kernel].split(".")
        assert callable(getattr(import_module(f"cutaway.reference.{module}"), function))


def test_instruction_sets():
    isas = listed("kernels/isas.def", "ISA")
    assert isas[0] == "scalar" and set(ca.isas()) <= set(isas) and ca.isas()[0] == "scalar"
    assert {f"{isa}.cpp" for isa in isas} == {f.name for f in (ROOT / "kernels/cpu").glob("*.cpp")}


@pytest.mark.parametrize("family", listed("csrc/arch/archs.def", "ARCH"))
def test_architectures(family):
    assert (ROOT / f"csrc/arch/{family}.cpp").is_file()
    assert callable(import_module(f"cutaway.reference.{family}").forward) and callable(loader.forward)
    assert f"\n## {family}\n" in (ROOT / "docs/architectures.md").read_text("utf-8")


def test_sampler_stages():
    stages = listed("csrc/sample/samplers.def", "SAMPLER")
    assert stages == list(_core.stage_names())
    assert all(callable(getattr(sampler, stage)) for stage in stages)
    assert all((ROOT / f"csrc/sample/{stage}.cpp").is_file() for stage in stages)


def test_tokenizers():
    for function in listed("csrc/tokenizer/pretokenizers.def", "PRETOKENIZER"):
        assert any(
            f"cut_{function}" in p.read_text("utf-8") for p in (ROOT / "csrc/tokenizer").glob("pretokenize_*.cpp")
        )
    for function in listed("csrc/tokenizer/tokenizers.def", "TOKENIZER"):
        assert any(f"make_{function}(" in p.read_text("utf-8") for p in (ROOT / "csrc/tokenizer").glob("*.cpp"))

"""config.json: both spellings of the rotary keys give the same bits, and no switch that would change the numbers is
dropped: each is refused by its key, with what was expected."""

import json
import shutil

import cutaway as ca
import numpy as np
import pytest
from cutaway import _core
from make_files import write_gguf
from make_models import LLAMA3, make_model
from small_variants import IDS, VARIANTS

SMALL = dict(d_model=32, n_heads=4, n_kv_heads=2, d_head=8, d_mlp=32, d_vocab=273, n_ctx=64)
FULL, LOCAL = "rope_parameters.full_attention", "rope_parameters.sliding_attention"
MISSING = object()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """folder("llama", tied=True): a model of that kind as a folder, made once."""
    made = {}

    def get(family, **sizes):
        key = (family, *sorted(sizes.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("sound") / "model"
            make_model(made[key], family, "F32", 3, **SMALL | sizes)
            assert ca.load(made[key])([1, 2, 3]).shape == (3, 273)
        return made[key]

    return get


def changed(source, target, changes):
    """A copy of a folder with other values in config.json: {"rope_parameters.factor": 2.0}."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    for key, value in changes.items():
        *outer, last = key.split(".")
        place = config
        for name in outer:
            if place.get(name) is None:
                place[name] = {}
            place = place[name]
        if value is MISSING:
            del place[last]
        else:
            place[last] = value
    (target / "config.json").write_text(json.dumps(config))
    return target


def refusal(path):
    with pytest.raises(ca.FormatError) as error:
        ca.load(path, threads=1)
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("name", [n for n in VARIANTS if "q4_k" not in n and "pattern" not in n])
def test_both_spellings_give_the_same_bits(name, small_model):
    family, weight_type, sizes = VARIANTS[name]
    old = small_model(family, weight_type, shards=1, **sizes)
    new = small_model(family, weight_type, shards=1, rope_parameters=True, **sizes)
    config = [json.loads((m.path / "config.json").read_text()) for m in (old, new)]
    assert "rope_theta" in config[0] and "rope_parameters" in config[1]
    assert not {"rope_theta", "rope_scaling", "rope_local_base_freq", "torch_dtype"} & set(config[1])
    assert np.array_equal(old.model(IDS).view(np.uint32), new.model(IDS).view(np.uint32))


@pytest.mark.parametrize("base", [2e4, 3e5])
@pytest.mark.parametrize(("family", "key", "newer"), [
    ("llama", "rope_theta", "rope_parameters.rope_theta"),
    ("gemma3", "rope_theta", f"{FULL}.rope_theta"),
    ("gemma3", "rope_local_base_freq", f"{LOCAL}.rope_theta"),
])  # fmt: skip
def test_either_key_of_a_base_is_the_one_in_force(family, key, newer, base, folder, tmp_path):
    """Other bases than the families' own, so that no default can pass for them; said twice they must agree."""
    sound = folder(family)
    plain, ids = ca.load(sound)(IDS), IDS
    one = ca.load(changed(sound, tmp_path / "old", {key: base}))(ids)
    two = ca.load(changed(folder(family, rope_parameters=True), tmp_path / "new", {newer: base}))(ids)
    both = ca.load(changed(sound, tmp_path / "both", {key: base, newer: base}))(ids)
    assert np.array_equal(one, two) and np.array_equal(one, both) and not np.array_equal(one, plain)
    message = refusal(changed(sound, tmp_path / "apart", {key: base, newer: base + 1}))
    assert f"key '{newer}' is {base + 1:.0f}, expected {base:.0f} as '{key}' has it" in message


REFUSED = [
    # family, sizes, changes, what the message says
    ("llama", {}, {"mlp_bias": True}, "key 'mlp_bias' is true, expected false"),
    ("llama", {}, {"rope_interleaved": True}, "key 'rope_interleaved' is true, expected false"),
    ("llama", {}, {"partial_rotary_factor": 0.5}, "key 'partial_rotary_factor' is 0.5, expected 1"),
    ("llama", {}, {"hidden_act": "gelu"}, "key 'hidden_act' is 'gelu', expected 'silu'"),
    ("llama", {}, {"attention_bias": True}, "tensor 'model.layers.0.self_attn.q_proj.bias' is missing, expected"),
    ("llama", {"attention_bias": True}, {"attention_bias": False}, "key 'attention_bias' is false or missing, expected true"),
    ("llama", {"attention_bias": True}, {"attention_bias": MISSING}, "key 'attention_bias' is false or missing, expected true"),
    ("llama", {"tied": False}, {"tie_word_embeddings": True}, "key 'tie_word_embeddings' is true, expected false"),
    ("llama", {"tied": True}, {"tie_word_embeddings": False}, "key 'tie_word_embeddings' is false, expected true"),
    ("llama", {"tied": True}, {"tie_word_embeddings": MISSING}, "is missing, which means false, expected true"),
    ("llama", {}, {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "key 'rope_scaling.rope_type' is 'yarn', expected default, linear or llama3"),
    ("llama", {}, {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "key 'rope_scaling.type' is 'dynamic', expected default"),
    ("llama", {}, {"rope_scaling": {"type": "yarn", "rope_type": "default"}}, "key 'rope_scaling.type' is 'yarn', expected default"),
    ("llama", {}, {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 2.0}}, "key 'rope_scaling.rope_type' is 'default', expected 'linear'"),
    ("llama", {}, {"rope_scaling": {"factor": 2.0}}, "key 'rope_scaling.factor' is 2, but no type says how it is applied; expected linear or llama3"),
    ("llama", {}, {"rope_scaling": {"rope_type": "linear"}}, "key 'rope_scaling.factor' is missing"),
    ("llama", {}, {"rope_scaling": {"rope_type": "linear", "factor": 0.0}}, "key 'rope_scaling.factor' is 0, expected a number from 0.001"),
    ("llama", {}, {"rope_scaling": {"rope_type": "linear", "factor": 2.0, "attention_factor": 1.2}}, "config key 'rope_scaling.attention_factor' is not understood"),
    ("llama", {}, {"rope_scaling": {"rope_type": "llama3"} | LLAMA3 | {"low_freq_factor": 4.0}}, "key 'rope_scaling.low_freq_factor' is 4, expected less than high_freq_factor, 4"),
    *(("llama", {}, {"rope_scaling": {"rope_type": "llama3"} | {k: v for k, v in LLAMA3.items() if k != key}}, f"key 'rope_scaling.{key}' is missing") for key in LLAMA3),
    ("llama", {"rope_parameters": True}, {"rope_parameters.rope_type": "longrope"}, "key 'rope_parameters.rope_type' is 'longrope', expected default, linear or llama3"),
    ("llama", {"rope_parameters": True}, {"rope_parameters.partial_rotary_factor": 0.25}, "key 'rope_parameters.partial_rotary_factor' is 0.25, expected 1"),
    ("llama", {"rope_parameters": True}, {"rope_parameters.factor": 4.0}, "key 'rope_parameters.factor' is 4, but no type"),
    ("llama", {"rope_parameters": True}, {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "config key 'rope_scaling.rope_type' is not understood"),
    ("gemma3", {}, {"attention_bias": True}, "key 'attention_bias' is true, expected false"),
    ("gemma3", {}, {"use_bidirectional_attention": True}, "key 'use_bidirectional_attention' is true, expected false"),
    ("gemma3", {}, {"hidden_activation": "gelu"}, "key 'hidden_activation' is 'gelu', expected 'gelu_pytorch_tanh'"),
    ("gemma3", {}, {"partial_rotary_factor": 0.5}, "key 'partial_rotary_factor' is 0.5, expected 1"),
    ("gemma3", {}, {"mlp_bias": True}, "config key 'mlp_bias' is not understood"),
    ("gemma3", {}, {"rope_interleaved": True}, "config key 'rope_interleaved' is not understood"),
    ("gemma3", {}, {"tie_word_embeddings": False}, "key 'tie_word_embeddings' is false, expected true"),
    ("gemma3", {"tied": False}, {"tie_word_embeddings": True}, "key 'tie_word_embeddings' is true, expected false"),
    ("gemma3", {"tied": False}, {"tie_word_embeddings": MISSING}, "is missing, which means true, expected false"),
    ("gemma3", {}, {"layer_types": ["sliding_attention"]}, "key 'layer_types' lists 1 layers, expected 2"),
    ("gemma3", {}, {"layer_types": ["full_attention", "chunked_attention"]}, "key 'layer_types' has 'chunked_attention', expected full_attention"),
    ("gemma3", {"rope_parameters": True}, {f"{FULL}.rope_type": "yarn"}, f"key '{FULL}.rope_type' is 'yarn', expected default, linear or llama3"),
    ("gemma3", {"rope_parameters": True}, {f"{FULL}.factor": 8.0}, f"key '{FULL}.factor' is 8, but no type"),
    ("gemma3", {"rope_parameters": True}, {f"{FULL}.partial_rotary_factor": 0.5}, f"key '{FULL}.partial_rotary_factor' is 0.5, expected 1"),
    ("gemma3", {"rope_parameters": True}, {f"{LOCAL}.partial_rotary_factor": 0.5}, f"key '{LOCAL}.partial_rotary_factor' is 0.5, expected 1"),
    ("gemma3", {"rope_parameters": True}, {f"{LOCAL}.rope_type": "linear", f"{LOCAL}.factor": 2.0}, f"key '{LOCAL}.rope_type' is 'linear', expected default"),
    ("gemma3", {"rope_parameters": True}, {"rope_parameters.rope_theta": 5e5}, "config key 'rope_parameters.rope_theta' is not understood"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "sizes", "changes", "message"), REFUSED)
def test_a_switch_that_changes_the_numbers_is_refused(family, sizes, changes, message, folder, tmp_path):
    assert message in refusal(changed(folder(family, **sizes), tmp_path / "model", changes))


@pytest.mark.parametrize(("family", "sizes", "changes"), [
    ("llama", {}, {"partial_rotary_factor": 1.0, "rope_interleaved": False, "rope_scaling": {"factor": 1.0}}),
    ("llama", {"tied": True}, {"attention_bias": MISSING, "mlp_bias": MISSING, "hidden_act": MISSING}),
    ("llama", {}, {"tie_word_embeddings": MISSING}),  # false
    ("gemma3", {}, {"tie_word_embeddings": MISSING, "attention_bias": MISSING}),  # true
    ("gemma3", {"rope_parameters": True}, {f"{FULL}.partial_rotary_factor": 1.0, f"{LOCAL}.rope_type": MISSING}),
])  # fmt: skip
def test_switches_that_say_what_is_computed_anyway_change_nothing(family, sizes, changes, folder, tmp_path):
    sound = folder(family, **sizes)
    same = changed(sound, tmp_path / "model", changes)
    assert np.array_equal(ca.load(same)(IDS).view(np.uint32), ca.load(sound)(IDS).view(np.uint32))


@pytest.mark.parametrize("factor", [0.0, -1.0, 5e-4, 2e6, float("inf"), float("nan")])
def test_rope_factors_out_of_range_are_refused(factor, tmp_path):
    path = tmp_path / "model.gguf"
    make_model(path, "llama", "F32", 3, llama3=True, **SMALL)
    checkpoint = _core.Checkpoint(str(path))
    values, types = checkpoint.metadata()
    tensors = [(t.name, tuple(t.shape), t.type, bytes(checkpoint.read(t.name))) for t in ca.inspect_file(path).tensors]
    factors = np.array([1, 1, factor, 1], np.float32)
    tensors = [(n, s, t, factors.tobytes() if n == "rope_freqs.weight" else raw) for n, s, t, raw in tensors]
    write_gguf(path, {k: (types[k], values[k]) for k in values}, tensors)
    message = refusal(path)
    assert "tensor 'rope_freqs.weight' has " in message and " at 2, expected a factor from 0.001 to 1000000" in message

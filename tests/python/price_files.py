"""A price table of the form that litellm has, and a package litellm that holds it and cannot be imported."""

import json

PRICES = {
    "sample_spec": {"input_cost_per_token": 0.0, "mode": "one of: chat, ..."},
    "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat"},
    "gpt-4o-mini": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "mode": "chat"},
    "azure/gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat"},
    "long": {
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 2e-06,
        "input_cost_per_token_above_200k_tokens": 3e-06,
        "output_cost_per_token_above_200k_tokens": 4e-06,
        "input_cost_per_token_above_200k_tokens_batches": 9.0,
        "input_cost_per_token_above_1000k_tokens": 5e-06,
    },
    "tiers": {
        "tiered_pricing": [
            {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
            {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06},
        ]
    },
    "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0, "mode": "chat"},
    "embedding": {"input_cost_per_token": 2e-08, "mode": "embedding"},
    "listens": {"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001},
    "ranks": {"input_cost_per_query": 0.001, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "searches": {"input_cost_per_request": 0.005, "input_cost_per_token": 0.0, "output_cost_per_token": 2e-07},
    "odd": {"input_cost_per_token": "cheap", "output_cost_per_token": 1e-05},
    "empty": {"mode": "chat"},
}


def write_prices(path, table=PRICES):
    path.write_text(json.dumps(table), "utf-8")
    return path


def install_litellm(folder, version="1.109.1", built="2026-11-12"):
    """A folder for sys.path. built: the day in the wheel's bill of materials; None: there is no such file."""
    (folder / "litellm").mkdir()
    (folder / "litellm" / "__init__.py").write_text("raise RuntimeError('imported')")
    write_prices(folder / "litellm" / "model_prices_and_context_window_backup.json")
    info = folder / f"litellm-{version}.dist-info"
    (info / "sboms").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: litellm\nVersion: {version}\n")
    record = ["litellm/__init__.py,,", f"{info.name}/METADATA,,"]
    if built:
        bom = {"bomFormat": "CycloneDX", "metadata": {"timestamp": f"{built}T01:43:43.9Z"}}
        (info / "sboms" / "bridge.cyclonedx.json").write_text(json.dumps(bom))
        record.append(f"{info.name}/sboms/bridge.cyclonedx.json,,")
    (info / "RECORD").write_text("\n".join(record) + "\n")
    return folder

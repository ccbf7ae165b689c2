"""`ca.cost`: exact sums, the tiers of a table, and models that it does not price by the token."""

import importlib.metadata
import os
import subprocess
import sys

import cutaway as ca
import pytest
from hypothesis import given
from hypothesis import strategies as st
from price_files import install_litellm, write_prices


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = write_prices(tmp_path_factory.mktemp("prices") / "prices.json")
    os.utime(path, (1_700_000_000, 1_700_000_000))  # 2023-11-14
    return path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(install_litellm(tmp_path)))


def test_the_sum_of_the_books(table):
    cost = ca.cost("gpt-4o", 13, 200, table=table)
    assert (cost.usd, cost.input_usd, cost.output_usd) == (0.0020325, 0.0000325, 0.002)
    assert (cost.input_price, cost.output_price, cost.tier) == (2.5, 10.0, "")
    assert (cost.source, cost.date) == (str(table), "written 2023-11-14")
    assert repr(cost).splitlines() == [
        "gpt-4o: 0.0020325 USD",
        "part    tokens  USD per million        USD",
        "input       13             2.50  0.0000325",
        "output     200            10.00      0.002",
        "total      213                   0.0020325",
        f"prices: {table}, written 2023-11-14",
    ]
    page = cost._repr_html_()
    assert "gpt-4o: 0.0020325 USD" in page and "written 2023-11-14" in page
    assert [row["usd"] for row in cost.records()] == [0.0000325, 0.002]
    assert list(cost.to_pandas().part) == ["input", "output"]


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_sums_are_exact(table, tokens_in, tokens_out):
    """25 and 100 ten-millionths of a dollar: whole numbers decide what is nearest."""
    assert ca.cost("gpt-4o", tokens_in, tokens_out, table=table).usd == (25 * tokens_in + 100 * tokens_out) / 10**7


@pytest.mark.parametrize(
    ("model", "tokens_in", "prices", "tier"),
    [
        ("long", 200_000, (1.0, 2.0), ""),
        ("long", 200_001, (3.0, 4.0), "above 200,000 tokens of input"),
        ("long", 1_000_001, (5.0, 4.0), "above 1,000,000 tokens of input"),
        ("tiers", 0, (0.05, 0.4), "for inputs of 0 to 256,000 tokens"),
        ("tiers", 256_000, (0.05, 0.4), "for inputs of 0 to 256,000 tokens"),
        ("tiers", 256_001, (0.25, 2.0), "for inputs of 256,000 to 1,000,000 tokens"),
    ],
)
def test_long_inputs_have_prices_of_their_own(table, model, tokens_in, prices, tier):
    cost = ca.cost(model, tokens_in, 10, table=table)
    assert (cost.input_price, cost.output_price, cost.tier) == (*prices, tier)
    assert tier in repr(cost)


def test_a_price_of_0_is_said_to_be_the_tables(table):
    cost = ca.cost("free", 1000, 1000, table=table)
    assert cost.usd == 0 and "the table gives this model a price of 0" in repr(cost)
    assert ca.cost("embedding", 1_000_000, table=table).usd == 0.02


@pytest.mark.parametrize(
    ("model", "tokens", "said"),
    [
        ("gpt4o", (1, 1), "There is no model 'gpt4o' in the price table of .* Did you mean 'gpt-4o'"),
        ("GPT-4O", (1, 1), "Did you mean 'gpt-4o'"),
        ("sample_spec", (1, 1), "There is no model 'sample_spec'"),
        ("qqqqq", (1, 1), "There is no model 'qqqqq' .* It has 12 models"),
        ("azure", (1, 1), "Did you mean 'azure/gpt-4o'"),
        ("embedding", (1, 1), "no output price for 'embedding'; pass output_tokens=0"),
        ("listens", (1, 1), "paid by input_cost_per_second, output_cost_per_second"),
        ("ranks", (1, 1), "paid by input_cost_per_query"),
        ("searches", (1, 1), "paid by input_cost_per_request"),
        ("empty", (1, 1), "paid by nothing that is counted in tokens"),
        ("tiers", (1_000_001, 1), "up to 1,000,000 tokens of input, got 1,000,001"),
        ("gpt-4o", (-1, 1), "input_tokens must be a whole number, 0 or greater, got -1"),
        ("gpt-4o", (1, 2.0), "output_tokens must be a whole number, 0 or greater, got 2.0"),
        ("gpt-4o", (True, 1), "input_tokens must be a whole number"),
        (7, (1, 1), "model is a name of the price table, such as 'gpt-4o', got 7"),
    ],
)
def test_what_cannot_be_priced_is_an_error(table, model, tokens, said):
    with pytest.raises(ca.ArgumentError, match=said):
        ca.cost(model, *tokens, table=table)


def test_damaged_tables(tmp_path, table):
    with pytest.raises(ca.FormatError, match="gives 'odd' the price 'cheap'"):
        ca.cost("odd", 1, 1, table=table)
    for text in ("{", "[]", '{"gpt-4o": 1}', "[" * 100_000):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ca.FormatError, match="is no price table"):
            ca.cost("gpt-4o", 1, 1, table=tmp_path / "x.json")
    with pytest.raises(ca.ArgumentError, match="cannot be read: No such file"):
        ca.cost("gpt-4o", 1, 1, table=tmp_path / "none.json")
    with pytest.raises(ca.ArgumentError, match="table is the path"):
        ca.cost("gpt-4o", 1, 1, table=3)
    for tiers in ([{}], [{"range": ["a", "b"]}], 3, [{"range": [0]}]):
        with pytest.raises(ca.FormatError, match="tiers for 'x'"):
            ca.cost(
                "x", 1, 1, table=write_prices(tmp_path / "y.json", {"x": {"tiered_pricing": tiers, "n": str(tiers)}})
            )


def test_a_file_that_changes_is_read_again(tmp_path):
    path = write_prices(tmp_path / "p.json", {"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 0.0}})
    assert ca.cost("m", 10**6, table=path).usd == 1
    write_prices(path, {"m": {"input_cost_per_token": 2e-6, "output_cost_per_token": 0.0}})
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert ca.cost("m", 10**6, table=path).usd == 2


def test_the_installed_package_is_read_and_not_run(installed):
    cost = ca.cost("gpt-4o", 13, 200)
    assert cost.usd == 0.0020325 and (cost.source, cost.date) == ("litellm 1.109.1", "built 2026-11-12")
    assert repr(cost).endswith("prices: litellm 1.109.1, built 2026-11-12")
    assert "litellm" not in sys.modules


def test_a_wheel_without_a_day_has_that_of_its_installation(tmp_path, monkeypatch):
    folder = install_litellm(tmp_path, "1.60.2", built=None)
    os.utime(folder / "litellm" / "model_prices_and_context_window_backup.json", (1_700_000_000, 1_700_000_000))
    monkeypatch.syspath_prepend(str(folder))
    cost = ca.cost("gpt-4o", 1, 1)
    assert (cost.source, cost.date) == ("litellm 1.60.2", "installed 2023-11-14")


def test_a_blank_time_is_no_date(tmp_path, monkeypatch):
    """Archives that are made reproducible have their files written in 1980."""
    folder = install_litellm(tmp_path, "1.60.2", built=None)
    file = folder / "litellm" / "model_prices_and_context_window_backup.json"
    os.utime(file, (315_532_800, 315_532_800))
    monkeypatch.syspath_prepend(str(folder))
    assert (
        ca.cost("gpt-4o", 1, 1).date
        == ca.cost("gpt-4o", 1, 1, table=file).date
        == "of a date that its file does not tell"
    )
    assert "1980" not in repr(ca.cost("gpt-4o", 1, 1))


def test_without_litellm_the_error_says_what_to_install():
    program = (
        "import sys, importlib.metadata as m, cutaway as ca\n"
        "def absent(name): raise m.PackageNotFoundError(name)\n"
        "m.distribution = absent\n"
        "try: ca.cost('gpt-4o', 1, 1)\n"
        "except ca.Error as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("Prices come with the package litellm, which is not installed here: pip install litellm")


def test_the_real_table():
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("litellm is not installed here")
    cost = ca.cost("gpt-4o", 13, 200)
    assert cost.source == f"litellm {version}" and cost.usd > 0

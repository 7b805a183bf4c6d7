"""Markets of the user's own."""

import pytest

from capcli.paper.market_files import BadMarkets, read, restored
from capcli.paper.state import reset, status
from tests.paper.client import FRIDAY, SATURDAY, Client

SMALL = '[PORK]\nkind = "commodity"\nprice = 91.5\n'
FULL = """
[ACME]
kind = "share"
price = 12.50
name = "Acme Industries"
currency = "EUR"
step = 0.05
spread = 0.10
daily_move = 2.5
min_size = 2
max_size = 500
size_step = 2
hours = "frankfurt"

[USDTRY]
kind = "currency"
price = 34.2
currency = "TRY"
"""


def written(tmp_path, text):
    path = tmp_path / "markets.toml"
    path.write_text(text)
    return path


def world(path, file):
    reset(path, markets=file, limits=False, at=FRIDAY)
    client = Client(path)
    client.login()
    return client


def test_a_kind_and_a_price_are_enough(path, tmp_path):
    client = world(path, written(tmp_path, SMALL))
    market = client.get("/markets/PORK").json
    assert market["instrument"]["type"] == "COMMODITIES"
    assert 60 < market["snapshot"]["bid"] < market["snapshot"]["offer"] < 130
    assert client.get("/markets?searchTerm=pork").json["markets"][0]["epic"] == "PORK"
    client.buy("PORK", 1)
    client.delete(f"/positions/{client.positions()[0]['dealId']}")
    assert status(path, FRIDAY).own_markets == ("PORK",)


def test_what_is_written_is_what_is_traded(path, tmp_path):
    client = world(path, written(tmp_path, FULL))
    market = client.get("/markets/ACME").json
    rules, shown = market["dealingRules"], market["instrument"]
    assert (shown["name"], shown["currency"]) == ("Acme Industries", "EUR")
    sizes = [rules[name]["value"] for name in ("minDealSize", "maxDealSize", "minSizeIncrement")]
    assert sizes == [2, 500, 2]
    bid, offer = client.quote("ACME")
    assert (float(offer - bid), bid % rules["minStepDistance"]["value"]) == (0.1, 0)
    assert shown["openingHours"]["mon"] == ["08:00 - 16:30"]


def test_a_market_of_ones_own_takes_the_place_of_the_catalogues(path, tmp_path):
    text = '[GOLD]\nkind = "gold"\nprice = 500.00\nhours = "clock"\n[EURUSD]\nkind = "currency"\nprice = 2\n'
    reset(path, markets=written(tmp_path, text), real_hours=True, limits=False, at=SATURDAY)
    client = Client(path, SATURDAY)
    client.login()
    gold, pair = (client.get(f"/markets/{epic}").json["snapshot"] for epic in ("GOLD", "EURUSD"))
    assert gold["marketStatus"] == "TRADEABLE"
    assert 400 < gold["bid"] < 600
    assert 1.8 < pair["bid"] < 2.2
    # Its crosses would not agree with it.
    assert client.get("/markets/EURGBP").status == 404
    assert status(path, SATURDAY).own_markets == ("GOLD", "EURUSD")


def test_a_currency_of_ones_own_converts_through_its_pair(path, tmp_path):
    client = world(path, written(tmp_path, FULL))
    client.buy("USDTRY", 1000)
    rate = sum(client.quote("USDTRY")) / 2
    loss = client.positions()[0]["upl"]
    assert abs(client.balance()["profitLoss"] - loss / rate) <= 1


def test_the_markets_outlive_the_process_and_end_with_a_reset(path, tmp_path):
    world(path, written(tmp_path, SMALL))
    again = Client(path)
    again.login()
    assert again.get("/markets/PORK").status == 200
    reset(path, at=FRIDAY)
    again.login()
    assert again.get("/markets/PORK").status == 404


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[PORK\n", "line 1"),
        ("", "holds 0 markets; 1 to 200"),
        ("price = 3\n", "price: each market is a table, such as [price]"),
        ('["A B"]\nkind="share"\nprice=1.00', "[A B]: an epic is 1 to 30 letters"),
        ('[EURUSD]\nkind = "share"\nprice = 20.00', "[EURUSD]: amounts are converted at this market"),
        ('[EURUSD]\nkind = "currency"\nprice = 1.1\ncurrency = "GBP"', 'with currency "USD"'),
        ("[PORK]\nprice = 3.00", "[PORK] kind is missing: one of currency, index"),
        ('[PORK]\nkind = "pig"\nprice = 3.00', "[PORK] kind is 'pig': one of currency, index"),
        ('[PORK]\nkind = "commodity"', "[PORK] price is missing: a number above 0"),
        (SMALL + "prise = 4", "[PORK] prise is unknown; there are kind, price, name"),
        ('[PORK]\nkind = "commodity"\nprice = "much"', "[PORK] price is 'much': it must be a number"),
        ('[PORK]\nkind = "commodity"\nprice = true', "[PORK] price must be a number"),
        ('[PORK]\nkind = "commodity"\nprice = -1', "[PORK] price is -1: above 0, at most 1000000000000"),
        ('[PORK]\nkind = "commodity"\nprice = inf', "[PORK] price is Infinity: above 0"),
        (SMALL + "step = 0.2", "[PORK] price must be a multiple of the step 0.2"),
        (SMALL + "spread = 0.0001", "[PORK] spread is 0.0001: a multiple of 0.001 is needed"),
        (SMALL + "daily_move = 50", "[PORK] daily_move is 50: at least 0.01, at most 20"),
        (SMALL + "min_size = 9\nmax_size = 3", "[PORK] max_size is 3: at least 9"),
        (SMALL + "max_size = 10\nsize_step = 7", "[PORK] max_size is 10: a multiple of 7 is needed"),
        (SMALL + 'hours = "late"', "[PORK] hours is 'late': one of clock, forex"),
        (SMALL + 'currency = "XAU"', "[PORK] currency is 'XAU': one of AUD, CAD"),
        (SMALL + 'currency = "usd"', "[PORK] currency is 'usd': three capital letters"),
        (SMALL + "name = 5", "[PORK] name must be a text of 1 to 80"),
    ],
)
def test_every_fault_names_its_place_and_what_is_allowed(tmp_path, text, said):
    with pytest.raises(BadMarkets) as caught:
        restored(read(written(tmp_path, text)))
    assert said in str(caught.value)
    assert "markets.toml" in str(caught.value)


def test_a_file_that_is_not_there_changes_nothing(path, tmp_path):
    client = world(path, written(tmp_path, SMALL))
    with pytest.raises(BadMarkets, match="cannot be read"):
        reset(path, markets=tmp_path / "none.toml", at=FRIDAY)
    assert client.get("/markets/PORK").status == 200

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from capcli.paper.catalogue import MARKETS
from tests.paper.client import FRIDAY, SATURDAY, Client

ROUND_THE_CLOCK = ("SILVER", "GOLD", "EURUSD", "BTCUSD")
CHRISTMAS = datetime(2026, 12, 25, 3, 0, tzinfo=UTC)


def at(client: Client, when: datetime) -> Client:
    client.now = when
    client.login()
    return client


@pytest.mark.parametrize("when", [FRIDAY, SATURDAY, CHRISTMAS, SATURDAY + timedelta(days=365)])
def test_four_markets_trade_around_the_clock(client, when):
    at(client, when)
    for epic in ROUND_THE_CLOCK:
        body = client.get(f"/markets/{epic}").json
        assert body["snapshot"]["marketStatus"] == "TRADEABLE"
        hours = {**body["instrument"]["openingHours"]}
        assert hours.pop("zone") == "UTC"
        assert set(map(tuple, hours.values())) == {("00:00 - 00:00",)}
        assert len(hours) == 7


def test_the_catalogue_covers_five_classes():
    assert len(MARKETS) >= 40
    kinds = {market.kind.name for market in MARKETS.values()}
    assert kinds == {"CURRENCIES", "INDICES", "COMMODITIES", "SHARES", "CRYPTOCURRENCIES"}
    assert [market.epic for market in MARKETS.values() if market.suspended] == ["BWMN"]


def test_silver_has_the_documented_rules(client):
    body = client.get("/markets/SILVER").json
    rules = body["dealingRules"]
    assert rules["minStepDistance"] == {"unit": "POINTS", "value": Decimal("0.001")}
    assert rules["minDealSize"]["value"] == rules["minSizeIncrement"]["value"] == Decimal("0.1")
    assert rules["maxDealSize"]["value"] == 100000
    assert rules["minStopOrProfitDistance"] == {"unit": "PERCENTAGE", "value": Decimal("0.01")}
    assert rules["maxStopOrProfitDistance"]["value"] == 60
    assert rules["trailingStopsPreference"] == "AVAILABLE"
    assert body["instrument"]["marginFactor"] == 10
    assert body["snapshot"]["offer"] - body["snapshot"]["bid"] == Decimal("0.02")
    assert body["snapshot"]["decimalPlacesFactor"] == 3


def test_the_least_the_most_and_the_step_of_a_size_are_three_numbers(client):
    body = client.get("/markets/COPPER").json
    rules = body["dealingRules"]
    names = ("minDealSize", "minSizeIncrement", "maxDealSize")
    assert [rules[name]["value"] for name in names] == [10, 1, 200000]


def test_a_lot_is_one_unit_of_every_market(client):
    details = [client.get(f"/markets/{epic}").json["instrument"]["lotSize"] for epic in MARKETS]
    listed = [row["lotSize"] for row in client.get("/markets").json["markets"]]
    assert {*details, *listed} == {1}


def test_details_use_the_newest_field_names(client):
    body = client.get("/markets/SILVER").json
    assert set(body) == {"instrument", "dealingRules", "snapshot"}
    assert {"symbol", "guaranteedStopAllowed", "overnightFee", "openingHours"} <= set(body["instrument"])
    assert {"minGuaranteedStopDistance", "marketOrderPreference"} <= set(body["dealingRules"])
    assert body["snapshot"]["marketModes"] == ["REGULAR"]
    assert body["snapshot"]["low"] <= body["snapshot"]["bid"] <= body["snapshot"]["high"]


def test_the_next_overnight_charge_is_five_in_new_york(client):
    charge = client.get("/markets/SILVER").json["instrument"]["overnightFee"]["swapChargeTimestamp"]
    assert charge == int(datetime(2026, 11, 20, 22, tzinfo=UTC).timestamp() * 1000)


def test_market_times_are_not_utc_but_their_twins_are(client):
    row = client.get("/markets?searchTerm=GBP/USD").json["markets"][0]
    assert row["updateTimeUTC"] == "2026-11-20T15:30:00.000"
    assert row["updateTime"] == "2026-11-20T16:30:00.000"
    assert {"pipPosition", "tickSize", "marketModes"} <= set(row)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("silver", {"SILVER", "PAAS"}),
        ("bitcoin", {"BTCUSD", "BCHUSD", "BTCEUR", "MSTR"}),
        ("eur/usd", {"EURUSD"}),
    ],
)
def test_a_search_matches_loosely(client, term, expected):
    assert {row["epic"] for row in client.get(f"/markets?searchTerm={term}").json["markets"]} == expected


def test_a_search_for_nothing_known_is_empty(client):
    assert client.get("/markets?searchTerm=zzz").json == {"markets": []}
    assert client.get("/markets?searchTerm=%2F%2F").json == {"markets": []}


def test_epics_have_their_own_key_and_shape(client):
    body = client.get("/markets?epics=SILVER,NATURALGAS").json
    assert [row["instrument"]["epic"] for row in body["marketDetails"]] == ["SILVER", "NATURALGAS"]


def test_of_epics_those_that_there_are_are_answered(client):
    rows = client.get("/markets?epics=NOPE,SILVER,NADA").json["marketDetails"]
    assert [row["instrument"]["epic"] for row in rows] == ["SILVER"]
    rows = client.get("/clientsentiment?marketIds=NOPE,SILVER").json["clientSentiments"]
    assert [row["marketId"] for row in rows] == ["SILVER"]


def test_a_market_whose_name_begins_with_the_term_comes_first(client):
    rows = client.get("/markets?searchTerm=bitcoin").json["markets"]
    assert [row["epic"] for row in rows] == ["BTCUSD", "BCHUSD", "BTCEUR", "MSTR"]


def test_neither_search_nor_epics_lists_everything(client):
    assert len(client.get("/markets").json["markets"]) == len(MARKETS)


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("/markets?searchTerm=", 400, "error.null.searchTerm"),
        ("/markets?epics=", 400, "error.null.epic"),
        ("/markets?epics=NOPE,NADA", 404, "error.not-found.epic"),
        ("/markets?epics=" + ",".join(["SILVER"] * 51), 400, "error.invalid.epics"),
        ("/markets/silver", 404, "error.not-found.epic"),
    ],
)
def test_refusals(client, url, status, code):
    answer = client.get(url)
    assert (answer.status, answer.code) == (status, code)


def test_a_closed_market_keeps_its_last_quote_and_shows_no_change(client):
    friday_night = at(client, datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC)).quote("GBPUSD")
    snapshot = at(client, SATURDAY).get("/markets/GBPUSD").json["snapshot"]
    assert snapshot["marketStatus"] == "CLOSED"
    assert (snapshot["bid"], snapshot["offer"]) == friday_night
    assert snapshot["marketModes"] == ["VIEW_ONLY"]
    assert not {"high", "low", "netChange", "percentageChange"} & set(snapshot)


def test_one_share_is_suspended_for_ever(client):
    for when in (FRIDAY, FRIDAY + timedelta(days=900)):
        assert at(client, when).get("/markets/BWMN").json["snapshot"]["marketStatus"] == "SUSPENDED"

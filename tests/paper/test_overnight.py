"""The fee of the night: when, how much, in what currency, and what it leaves behind."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.paper.client import Client

CENT = Decimal("0.01")
WINTER, SUMMER = datetime(2026, 11, 20, 22, tzinfo=UTC), datetime(2026, 7, 1, 21, tzinfo=UTC)


def booked(client: Client, kind: str) -> list[Decimal]:
    query = "SELECT amount FROM transactions WHERE type = ? ORDER BY id"
    with closing(sqlite3.connect(client.path)) as db:
        return [Decimal(amount) for (amount,) in db.execute(query, (kind,))]


def fees(client: Client) -> list[Decimal]:
    return booked(client, "SWAP")


def at(client: Client, instant: datetime) -> Client:
    client.now = instant
    client.login()
    client.get("/ping")
    return client


def rate(client: Client, epic: str, side: str) -> Decimal:
    return client.get(f"/markets/{epic}").json["instrument"]["overnightFee"][side]


@pytest.mark.parametrize(("direction", "side"), [("BUY", "longRate"), ("SELL", "shortRate")])
def test_a_night_costs_its_rate_of_the_value_at_mid(client, direction, side):
    client.open(direction, "SILVER", 100)
    cash = client.balance()["deposit"]
    at(client, WINTER)
    bid, offer = client.quote()
    fee = ((bid + offer) / 2 * 100 * rate(client, "SILVER", side) / 100).quantize(CENT)
    assert fees(client) == [fee]
    assert (fee > 0) is (direction == "SELL")
    assert client.balance()["deposit"] == cash + fee


def test_the_fee_falls_due_in_the_announced_second(client):
    client.buy(size=100)
    due = client.get("/markets/SILVER").json["instrument"]["overnightFee"]["swapChargeTimestamp"]
    assert due == WINTER.timestamp() * 1000
    assert fees(at(client, datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC))) == []
    assert len(fees(at(client, WINTER))) == 1
    assert len(fees(at(client, datetime(2026, 11, 21, 21, 59, 59, tzinfo=UTC)))) == 1
    assert len(fees(at(client, datetime(2026, 11, 24, 22, tzinfo=UTC)))) == 5


def test_in_new_yorks_summer_it_is_an_hour_earlier(client):
    at(client, datetime(2026, 7, 1, 20, 59, tzinfo=UTC)).buy(size=100)
    assert len(fees(at(client, SUMMER))) == 1


def test_a_position_opened_in_that_second_or_closed_before_it_costs_nothing(client):
    deal = client.buy(size=100)
    at(client, datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC)).delete(f"/positions/{deal}")
    at(client, WINTER).buy(size=100)
    client.wait(seconds=1)
    client.get("/ping")
    assert fees(client) == []


def test_it_is_booked_in_the_accounts_currency_and_shows_as_an_activity(client):
    client.adopt(client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"]))
    deal = client.buy("GOLD", 5)
    client.now = WINTER
    client.adopt(client.login())
    (bid, offer), (low, high) = client.quote("GOLD"), client.quote("EURUSD")
    fee = (bid + offer) / 2 * 5 * rate(client, "GOLD", "longRate") / 100 / ((low + high) / 2)
    assert fees(client) == [fee.quantize(CENT)]
    (row,) = [row for row in client.activity("detailed=true&lastPeriod=60") if row["type"] == "SWAP"]
    assert (row["dealId"], row["source"], row["status"], row["epic"]) == (deal, "SYSTEM", "ACCEPTED", "GOLD")
    assert row["dateUTC"] == "2026-11-20T22:00:00.000"


def test_a_fee_below_half_a_cent_is_not_booked(client):
    client.buy("BTCUSD", Decimal("0.0002"))
    client.buy(size=Decimal("0.1"))
    at(client, WINTER)
    assert fees(client) == [Decimal("-0.01")]


def test_ten_nights_away_are_ten_nights(client):
    client.buy(size=10)
    at(client, datetime(2026, 11, 30, 12, tzinfo=UTC))
    assert len(fees(client)) == 10
    assert max(fees(client)) / min(fees(client)) > Decimal("0.7")  # none is of three nights (API page 17)
    assert 10_000 + sum(fees(client)) == client.balance()["deposit"]

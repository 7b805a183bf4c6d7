"""Stops, profits and trailing stops against a second-by-second reading of the same market."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest

from capcli.paper.catalogue import MARKETS
from capcli.paper.price_feed import PriceFeed
from capcli.paper.state import reset
from tests.paper.client import FRIDAY, Client

TICK = timedelta(seconds=1)


def closings_since_friday(client: Client) -> list[dict]:
    rows = client.activity("detailed=true&from=2026-11-20T15:30:00")
    return [row for row in rows if row["source"] in ("SL", "TP")]


def closings(client: Client) -> list[dict]:
    return [row for row in client.activity() if row["source"] in ("SL", "TP")]


@pytest.mark.parametrize(("direction", "side"), [("BUY", 0), ("SELL", 1)])
@pytest.mark.parametrize(("leg", "source"), [("stop", "SL"), ("profit", "TP")])
def test_a_leg_fires_at_its_level_in_the_second_the_price_reaches_it(client, direction, side, leg, source):
    deal = client.open(direction, "SILVER", 1, **{f"{leg}Distance": 0.004})
    level = client.positions()[0][f"{leg}Level"]
    falling = (direction == "BUY") == (leg == "stop")
    for _ in range(20_000):
        client.wait(seconds=1)
        price = client.quote()[side]
        if price <= level if falling else price >= level:
            break
        assert len(client.positions()) == 1
    assert client.positions() == []
    (row,) = closings(client)
    assert (row["dealId"], row["source"], row["type"], row["status"]) == (
        deal,
        source,
        "POSITION",
        "ACCEPTED",
    )
    assert row["details"]["level"] == level
    assert row["details"]["direction"] == ("SELL" if direction == "BUY" else "BUY")
    assert row["dateUTC"][:19] == client.now.isoformat()[:19]
    confirm = client.get(f"/confirms/p_{deal}").json
    assert (confirm["status"], confirm["level"]) == ("CLOSED", level)


def test_a_late_look_finds_what_an_early_one_found(client):
    client.sell(stopDistance=0.05)
    client.wait(days=2)
    client.login()
    (late,) = closings_since_friday(client)
    instant = datetime.fromisoformat(late["dateUTC"]).replace(tzinfo=UTC)
    again = Client(client.path.with_name("second.db"))
    reset(again.path, limits=False, at=FRIDAY)
    again.login()
    again.sell(stopDistance=0.05)
    again.now = instant - TICK
    again.login()
    assert len(again.positions()) == 1
    again.wait(seconds=1)
    assert again.positions() == []


def test_a_far_stop_does_not_fire(client):
    client.buy(stopDistance=12)
    client.wait(days=200)
    client.login()
    assert len(client.positions()) == 1


def test_a_stop_cancelled_in_time_does_not_fire(client):
    deal = client.buy(stopDistance=0.05)
    client.put(f"/positions/{deal}", stopLevel=None)
    client.wait(days=30)
    client.login()
    assert len(client.positions()) == 1


def test_equity_moves_by_exactly_the_booked_loss(client):
    client.sell(size=12.3, stopDistance=0.05)
    position = client.positions()[0]
    client.wait(days=2)
    client.login()
    expected = (position["level"] - position["stopLevel"]) * position["size"]
    assert client.balance()["balance"] == 10000 + expected.quantize(Decimal("0.01"))


def test_a_trailing_stop_follows_the_best_quote_and_never_steps_back(client):
    client.buy(trailingStop=True, stopDistance=0.008)
    first = client.positions()[0]
    assert (first["trailingStop"], first["stopDistance"]) == (True, Decimal("0.008"))
    best, last = Decimal(0), Decimal(0)
    moves = 0
    for _ in range(20_000):
        bid = client.quote()[0]
        best = max(best, bid)
        rows = client.positions()
        if not rows:
            break
        assert last <= rows[0]["stopLevel"] == best - Decimal("0.008") < bid
        moves += last < rows[0]["stopLevel"]
        last = rows[0]["stopLevel"]
        client.wait(seconds=1)
    assert moves > 1, "a stop that never moved followed nothing"
    assert bid <= last
    assert closings(client)[0]["details"]["level"] == last


def test_a_short_trailing_stop_mirrors_it(client):
    client.sell(trailingStop=True, stopDistance=0.008)
    best = Decimal(1000)
    for _ in range(20_000):
        offer = client.quote()[1]
        rows = client.positions()
        if not rows:
            break
        best = min(best, offer)
        assert rows[0]["stopLevel"] == best + Decimal("0.008") > offer
        client.wait(seconds=1)
    assert offer >= best + Decimal("0.008")


class Weekend(NamedTuple):
    """A Friday's last second of GBPUSD and what the market did until Sunday's first."""

    friday: datetime
    before: Decimal
    after: Decimal

    @property
    def victim(self) -> str:
        return "BUY" if self.after < self.before else "SELL"

    @property
    def reopening(self) -> datetime:
        return self.friday + timedelta(days=2, seconds=1)

    @property
    def gap(self) -> Decimal:
        return abs(self.after - self.before)


def widest_weekend() -> Weekend:
    price_feed, market = PriceFeed("capcli"), MARKETS["GBPUSD"]
    first = datetime(2026, 11, 20, 21, 59, 59, tzinfo=UTC)
    weekends = []
    for week in range(150):
        friday = first + timedelta(weeks=week)
        seconds = int(friday.timestamp()), int(friday.timestamp()) + 172_801
        weekends.append(Weekend(friday, *(market.price(price_feed.last(market, s).bid) for s in seconds)))
    return max(weekends, key=lambda weekend: weekend.gap)


def closing_level_after(client: Client, weekend: Weekend, **legs: object) -> tuple[Decimal, Decimal]:
    """The stop as it was set on Friday, and where it closed on Sunday."""
    client.now = weekend.friday
    client.login()
    client.post("/positions", epic="GBPUSD", direction=weekend.victim, size=1000, **legs)
    (position,) = client.positions()
    client.now = weekend.reopening - TICK
    client.login()
    assert len(client.positions()) == 1
    client.now = weekend.reopening
    client.login()
    assert client.positions() == []
    return position["stopLevel"], closings(client)[0]["details"]["level"]


def test_a_stop_gaps_to_the_first_price_after_a_weekend(client):
    weekend = widest_weekend()
    _, closed = closing_level_after(client, weekend, stopDistance=weekend.gap / 2)
    assert closed == weekend.after + (0 if weekend.victim == "BUY" else Decimal("0.00009"))


def test_a_guaranteed_stop_does_not_gap(client):
    weekend = widest_weekend()
    stop, closed = closing_level_after(
        client, weekend, stopDistance=weekend.gap * Decimal("0.9"), guaranteedStop=True
    )
    assert closed == stop


def test_what_happened_is_in_time_order(client):
    client.sell(stopDistance=0.05)
    client.sell(size=2, stopDistance=0.02)
    client.order(level=20, goodTillDate="2026-11-20T16:00:00")
    client.wait(hours=20)
    client.login()
    rows = client.activity()
    dates = [row["dateUTC"] for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert [row["source"] for row in rows if row["source"] in ("SL", "SYSTEM")].count("SL") == 2
    assert "EXPIRED" in [row["status"] for row in rows]


def test_settling_twice_changes_nothing(client):
    client.sell(stopDistance=0.05)
    client.wait(hours=20)
    client.login()
    once = client.activity(), client.balance()
    assert (client.activity(), client.balance()) == once

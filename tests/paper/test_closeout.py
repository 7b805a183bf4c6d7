"""Margin close-out: at half of the margin, the largest loss first, only where the market trades."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from capcli.paper.book import Entry, post
from capcli.paper.state import reset
from capcli.paper.store import Store, writing
from capcli.paper.times import to_ms
from tests.paper import files
from tests.paper.client import FRIDAY, Client

SECOND = timedelta(seconds=1)
MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


def closed_out(client: Client) -> list[dict]:
    return [row for row in client.activity() if row["source"] == "CLOSE_OUT"]


def pass_until_closed_out(client: Client, days: int = 30) -> list[dict]:
    for _ in range(days * 4):
        client.wait(hours=6)
        client.login()
        if rows := closed_out(client):
            return rows
    raise AssertionError("nothing was closed out")


def ratio(client: Client) -> object:
    balance = client.balance()
    margin = balance["balance"] - balance["available"]
    return margin and balance["balance"] / margin


def withdraw(client: Client, account_id: str, amount: int) -> None:
    entry = Entry(account_id, to_ms(client.now), "WITHDRAWAL", "Withdrawal", Decimal(-amount))
    with closing(Store(client.path)) as store, store.lent() as db, writing(db):
        post(db, entry)


def instant(row: dict) -> datetime:
    return datetime.fromisoformat(row["dateUTC"]).replace(tzinfo=UTC)


def test_it_comes_in_the_second_in_which_equity_is_below_half_of_the_margin(client):
    client.sell("DE40", 9.2)
    (row,) = pass_until_closed_out(client)
    again = Client(client.path.with_name("second.db"))
    reset(again.path, limits=False, at=FRIDAY)
    again.login()
    again.sell("DE40", 9.2)
    again.now = instant(row) - 30 * SECOND
    again.login()
    for _ in range(30):
        assert ratio(again) >= Decimal("0.5")
        assert len(again.positions()) == 1
        again.wait(seconds=1)
    assert again.positions() == []
    assert (row["type"], row["status"], row["details"]["direction"]) == ("POSITION", "ACCEPTED", "BUY")


def test_the_largest_loss_goes_first_and_no_more_than_is_needed(client):
    small, large = client.sell("DE40", 3), client.sell("DE40", 6)
    winner = client.buy(size=10)
    (row,) = pass_until_closed_out(client)
    assert row["dealId"] == large
    assert [p["dealId"] for p in client.positions()] == [small, winner]
    assert ratio(client) > 0.5


def test_what_is_needed_waits_for_the_market_to_open(client):
    client.now = datetime(2026, 11, 20, 20, 59, tzinfo=UTC)
    client.login()
    deal = client.sell("DE40", 8)
    client.now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    account = client.login().json["currentAccountId"]
    withdraw(client, account, 8_000)
    client.wait(seconds=1)
    assert ratio(client) < 0.5
    assert [p["dealId"] for p in client.positions()] == [deal]
    client.now = MONDAY.replace(hour=0, minute=59, second=59)
    client.login()
    assert len(client.positions()) == 1
    client.wait(seconds=1)
    client.login()
    assert client.positions() == []
    assert instant(closed_out(client)[0]) == MONDAY.replace(hour=1)


@pytest.mark.parametrize("hours", [1, 24, 240])
def test_an_account_with_room_is_left_alone(client, hours):
    client.sell("DE40", 2)
    client.wait(hours=hours)
    client.login()
    assert len(client.positions()) == 1


def test_working_orders_stay(client):
    client.order(level=20)
    client.sell("DE40", 9.2)
    pass_until_closed_out(client)
    assert len(client.orders()) == 1


def recorded(folder: Path, asks: tuple[str, ...]) -> Path:
    """Minutes whose bids never move; only what is asked does."""
    lines = ["time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,volume"]
    for minute, (before, after) in enumerate(pairwise(("30.02", *asks))):
        low, high = sorted((before, after))
        lines.append(f"2026-11-20T15:{minute:02}:00Z,30,30,30,30,{before},{high},{low},{after},60")
    file = folder / "asks.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_recorded_offer_closes_out_a_short_although_no_bid_moved(path, tmp_path):
    asks = ("30.02",) * 10 + ("33.00",) * 2
    reset(path, limits=False, replays={"SILVER": recorded(tmp_path, asks)}, at=FRIDAY)
    short = Client(path, FRIDAY)
    short.login()
    short.sell(size=3000)
    short.wait(minutes=5)
    assert len(short.positions()) == 1
    short.wait(minutes=7)
    assert short.positions() == []
    (row,) = closed_out(short)
    assert 31 < row["details"]["level"] < 33
    assert short.quote()[0] == 30


# A recording has spreads and pauses of its own.


def played(client: Client, write, start: datetime, size: float) -> str:
    """All that the account can take of SILVER, bought at the recording's first price."""
    write(client.path.with_name("candles.csv"))
    reset(client.path, limits=False, replays={"SILVER": client.path.with_name("candles.csv")}, at=start)
    client.now = start + SECOND
    client.login()
    return client.buy(size=size)


def replayed(client: Client, name: str) -> Client:
    """Another client of the same world, on a file of its own."""
    again = Client(client.path.with_name(name))
    candles = client.path.with_name("candles.csv")
    reset(again.path, limits=False, replays={"SILVER": candles}, at=files.CRASH_START)
    again.now = files.CRASH_START + SECOND
    again.login()
    again.buy(size=2_950)
    return again


def test_a_crash_in_a_recording_closes_out_in_its_first_second_below_half(client):
    deal = played(client, files.crash, files.CRASH_START, 2_950)
    client.now = files.CRASH_START + timedelta(hours=1)
    client.login()
    (row,) = closed_out(client)
    assert row["dealId"] == deal
    assert files.CRASH_BAR <= instant(row) < files.CRASH_BAR + timedelta(minutes=1)
    again = replayed(client, "second.db")
    again.now = files.CRASH_BAR
    again.login()
    while again.now < instant(row):
        assert ratio(again) >= Decimal("0.5")
        again.wait(seconds=1)
    assert again.positions() == []


def test_a_gap_in_a_recording_closes_out_after_it(client):
    played(client, files.weekend, files.FRIDAY_START, 3_190)
    client.now = files.MONDAY_OPEN - SECOND
    client.login()
    assert len(client.positions()) == 1
    client.now = files.MONDAY_OPEN + timedelta(hours=6)
    client.login()
    (row,) = closed_out(client)
    assert files.MONDAY_OPEN <= instant(row) < files.MONDAY_OPEN + timedelta(hours=1)


def test_after_the_last_bar_nothing_can_be_closed_and_nothing_hangs(client):
    played(client, files.crash, files.CRASH_START, 100)
    client.now = files.CRASH_START + timedelta(hours=2)
    account = client.login().json["currentAccountId"]
    withdraw(client, account, 9_900)
    client.wait(days=60)
    client.login()
    assert ratio(client) < Decimal("0.5")
    assert len(client.positions()) == 1

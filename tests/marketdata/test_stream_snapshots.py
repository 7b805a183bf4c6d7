"""Bounded looks at the stream: what they return, and what their cursors carry."""

from decimal import Decimal
from itertools import pairwise

import pytest

from capcli.broker.stream import Streams
from capcli.domain.alerts import Way
from capcli.domain.market import Resolution
from capcli.errors import EpicUnknown, UsageError
from capcli.marketdata.stream_snapshots import MOST_ROWS, StreamSnapshots
from tests.support.seat import refusal
from tests.support.sockets import Exchange, FakeSocket, tick


class Ticking(FakeSocket):
    """Prints a tick of SILVER every 100 ms."""

    bid = 30

    def receive(self, timeout_s):
        if not self.fed:
            self.time.sleep(0.1)
            self.fed.append(
                tick("SILVER", str(self.bid), str(self.bid + 1), int(self.time.monotonic() * 1000))
            )
        return super().receive(timeout_s)


class Busy(Exchange):
    def __call__(self, address):
        self.addresses.append(address)
        self.sockets.append(Ticking(self.time, self._answered))
        return self.socket


@pytest.fixture
def exchange(time):
    return Busy(time)


@pytest.fixture
def stream_snapshots(seat, exchange):
    return StreamSnapshots(seat.app.reads, Streams(seat.app.broker, exchange.setting()))


def test_ticks_are_thinned_to_the_interval_and_counted_whole(stream_snapshots):
    found = stream_snapshots.prices(["SILVER"], duration_s=10, interval_s=2).data

    assert 95 <= found.seen <= 102
    assert all((b.at - a.at).total_seconds() >= 1.9 for a, b in pairwise(found.ticks[:-1]))
    assert 5 <= len(found.ticks) <= 7
    assert found.gaps == ()


def test_no_look_is_longer_than_a_call_may_be_nor_its_answer_longer_than_can_be_read(stream_snapshots, time):
    began = time.monotonic()
    found = stream_snapshots.prices(["SILVER"], duration_s=300, interval_s=0).data

    assert 42 < time.monotonic() - began < 45
    assert len(found.ticks) <= MOST_ROWS
    assert found.seen > 400


def test_a_look_ends_when_its_caller_has_gone(stream_snapshots, time):
    began = time.monotonic()
    stream_snapshots.prices(["SILVER"], duration_s=40, stopped=lambda: time.monotonic() - began > 1)

    assert time.monotonic() - began < 3


def test_a_cursor_turns_the_time_between_two_calls_into_a_gap(stream_snapshots, time):
    first = stream_snapshots.prices(["SILVER"], duration_s=1).data
    time.sleep(30)

    second = stream_snapshots.prices(["SILVER"], duration_s=1, cursor=first.cursor).data

    assert second.gaps == ("2026-03-02T12:00:01Z/2026-03-02T12:00:31Z",)


def test_markets_without_ticks_are_named_with_their_status(stream_snapshots):
    found = stream_snapshots.prices(["SILVER", "AAPL", "GOLD"], duration_s=1).data

    assert found.silent == {"AAPL": "CLOSED", "GOLD": "TRADEABLE"}


@pytest.mark.parametrize("cursor", ["", "x", "e30", "eyJraW5kIjoiYWxlcnRzIiwiYXQiOjF9", "W10", "\u00e9", "7"])
def test_a_cursor_that_is_not_this_calls_own_is_refused(stream_snapshots, exchange, cursor):
    assert isinstance(
        refusal(lambda: stream_snapshots.prices(["SILVER"], duration_s=1, cursor=cursor)), UsageError
    )
    assert exchange.addresses == []


def test_an_alert_ends_the_look_and_its_cursor_does_not_fire_it_again(stream_snapshots, time):
    asked = {"SILVER": {"above": [29, 40]}}
    found = stream_snapshots.alerts(asked, duration_s=40, auto_close=True).data

    assert time.monotonic() < 2
    assert [(one.way, one.level, one.bid) for one in found.fired] == [(Way.ABOVE, 29, 30)]
    assert found.waiting == 1
    assert found.prices == {"SILVER": 30}
    again = stream_snapshots.alerts(asked, duration_s=2, auto_close=True, cursor=found.cursor).data
    assert (again.fired, again.waiting) == ((), 1)


def test_a_plain_level_is_waited_for_from_where_the_price_was_at_first(
    stream_snapshots, exchange, monkeypatch
):
    monkeypatch.setattr(Ticking, "bid", 35)
    first = stream_snapshots.alerts({"SILVER": 37}, duration_s=1).data
    monkeypatch.setattr(Ticking, "bid", 38)

    second = stream_snapshots.alerts({"SILVER": 37}, duration_s=1, cursor=first.cursor).data

    assert first.fired == ()
    assert [one.way for one in second.fired] == [Way.ABOVE]


@pytest.mark.parametrize(
    "alerts",
    [
        {},
        {"SILVER": None},
        {"SILVER": {}},
        {"SILVER": {"over": 3}},
        {"SILVER": {"above": True}},
        {"SILVER": {"above": "x"}},
        {"SILVER": -1},
        {"SILVER": {"above": []}},
        {"SILVER": "nan"},
    ],
)
def test_alerts_that_cannot_be_read_are_refused_with_the_form(stream_snapshots, exchange, alerts):
    error = refusal(lambda: stream_snapshots.alerts(alerts, duration_s=1))

    assert isinstance(error, UsageError)
    assert "above" in error.message
    assert exchange.addresses == []


def test_an_unknown_epic_is_named(stream_snapshots):
    assert isinstance(refusal(lambda: stream_snapshots.alerts({"silver": 3}, duration_s=1)), EpicUnknown)


def test_the_portfolio_moves_with_the_ticks(seat, stream_snapshots):
    deal = seat.open("SILVER", "2")

    found = stream_snapshots.portfolio(duration_s=11, interval_s=2).data

    (row,) = found.positions
    assert row.pl == (30 - row.level) * 2
    assert (row.deal_id, found.currency) == (deal.deal_id, "USD")
    assert len(found.history) in {4, 5}
    assert found.history[-1].pl == found.pl


def test_bars_are_complete_across_calls_even_when_the_stream_lost_them(stream_snapshots, time, seat):
    first = stream_snapshots.candles(["SILVER"], Resolution.MINUTE, duration_s=5).data
    time.sleep(180)

    second = stream_snapshots.candles(["SILVER"], Resolution.MINUTE, duration_s=30, cursor=first.cursor).data

    assert first.candles == ()
    assert [f"{bar.time:%H:%M}" for bar in second.candles] == ["12:00", "12:01", "12:02"]
    (candle, *_) = seat.app.markets.prices("SILVER", Resolution.MINUTE, last=4).data.candles
    assert second.candles[0].close == candle.bid_close
    assert isinstance(second.candles[0].open, Decimal)
    third = stream_snapshots.candles(["SILVER"], Resolution.MINUTE, duration_s=40, cursor=second.cursor).data
    assert [f"{bar.time:%H:%M}" for bar in third.candles] == ["12:03"]


def test_candles_of_too_many_markets_are_refused(stream_snapshots):
    epics = [f"E{n}" for n in range(11)]
    assert isinstance(
        refusal(lambda: stream_snapshots.candles(epics, Resolution.MINUTE, duration_s=1)), UsageError
    )

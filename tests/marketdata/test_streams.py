"""Watches over markets: the wire is scripted, the markets are the paper broker's (Monday noon in March)."""

from decimal import Decimal

import pytest

from capcli.broker.stream import Streams
from capcli.domain.stream import Disconnected, Quiet, Tick
from capcli.errors import EpicUnknown, UsageError
from capcli.marketdata.streams import Throttle, Watching
from tests.support.seat import refusal
from tests.support.sockets import Exchange, tick


@pytest.fixture
def exchange(time):
    return Exchange(time)


@pytest.fixture
def watching(seat, exchange):
    return Watching(seat.app.reads, Streams(seat.app.broker, exchange.setting()))


def test_a_watch_costs_two_requests(watching, exchange, seat):
    seat.app.broker.login()

    watch = watching.watch(["SILVER", "GOLD", "SILVER"])

    paths = [request.url.path.removeprefix("/api/v1/") for request in seat.tap.requests]
    assert paths == ["session", "markets", "session"]  # a login, the markets, where to stream from
    assert list(watch.markets) == ["SILVER", "GOLD"]
    assert watch.account_id == seat.app.broker.account_id
    assert exchange.socket.said[0]["payload"]["epics"] == ["SILVER", "GOLD"]


@pytest.mark.parametrize("epics", [["silver"], ["GOLD", "silver"]])
def test_an_unknown_epic_is_told_with_a_suggestion_and_nothing_is_opened(watching, exchange, epics):
    error = refusal(lambda: watching.watch(epics))

    assert isinstance(error, EpicUnknown)
    assert error.details["suggestion"] == "SILVER"
    assert exchange.addresses == []


@pytest.mark.parametrize("count", [0, 41])
def test_none_and_more_than_forty_are_usage_errors(watching, count):
    assert isinstance(refusal(lambda: watching.watch([f"E{n}" for n in range(count)])), UsageError)


def test_a_closed_market_is_told_at_once_as_closed(watching):
    watch = watching.watch(["SILVER", "AAPL"])

    assert [(event.epic, event.status) for event in watch.receive(0)] == [("AAPL", "CLOSED")]
    assert watch.since_ms("AAPL") is not None
    assert watch.since_ms("SILVER") is None


def test_an_open_market_without_ticks_is_told_as_silent_and_only_once(watching, exchange, time):
    watch = watching.watch(["SILVER", "GOLD"])
    told = []
    for _ in range(50):
        exchange.socket.fed.append(tick("SILVER", "30", "31"))
        told += watch.receive(1)
        time.sleep(1)

    quiet = [event for event in told if isinstance(event, Quiet)]
    assert [(event.epic, event.status) for event in quiet] == [("GOLD", "TRADEABLE")]
    exchange.socket.fed.append(tick("GOLD", "1", "2"))
    watch.receive(1)
    time.sleep(2)
    watch.receive(0)
    assert watch.since_ms("GOLD") is None


def test_more_markets_can_be_watched_later(watching):
    watch = watching.watch(["SILVER"])
    watch.add(["GOLD"])

    assert list(watch.markets) == ["SILVER", "GOLD"]


def ticks(*bids, epic="GOLD"):
    return [Tick(epic, Decimal(bid), Decimal(bid), 0, 0) for bid in bids]


def bids(told):
    return [int(event.bid) for event in told]


def test_a_throttle_lets_the_latest_through_and_holds_the_last_of_a_burst():
    throttle = Throttle(1000)

    assert bids(throttle.pass_on(ticks(1, 2), 0)) == [2]
    assert bids(throttle.pass_on(ticks(3, 4), 500)) == []
    assert bids(throttle.pass_on([], 999)) == []
    assert bids(throttle.pass_on([], 1000)) == [4]
    assert bids(throttle.pass_on([], 9999)) == []


def test_a_throttle_counts_for_each_market_and_holds_nothing_else():
    throttle = Throttle(1000)
    lost = Disconnected(0, "gone")

    assert throttle.pass_on([*ticks(1), lost, *ticks(2, epic="SILVER")], 0) == [
        lost,
        *ticks(1),
        *ticks(2, epic="SILVER"),
    ]
    assert throttle.pass_on([*ticks(3), lost], 1) == [lost]


def test_without_an_interval_everything_passes():
    assert bids(Throttle(0).pass_on(ticks(1, 2, 3), 0)) == [1, 2, 3]


def test_a_tick_that_nobody_asked_for_does_no_harm(watching, exchange, time):
    watch = watching.watch(["SILVER"])
    exchange.socket.fed.append(tick("NEVER_HEARD_OF", "1", "2"))
    watch.receive(1)
    time.sleep(90)

    assert {event.epic for event in watch.receive(0) if isinstance(event, Quiet)} == {"SILVER"}

"""Positions on the stream: P&L from ticks, totals through exchange rates, what opened and closed."""

from decimal import Decimal

import pytest

from capcli.broker.stream import Streams
from capcli.domain.market import Side
from capcli.marketdata.live_book import REREAD_MS, LivePortfolio
from tests.support.sockets import Exchange, tick
from tests.support.tap import says


@pytest.fixture
def exchange(time):
    return Exchange(time)


@pytest.fixture
def live(seat, exchange, time):
    return lambda: LivePortfolio(seat.app.reads, Streams(seat.app.broker, exchange.setting()))


def test_each_tick_moves_the_profit_of_its_market(seat, live, exchange):
    seat.open("SILVER", "2")
    seat.open("GOLD", "1", side=Side.SELL)
    book = live()
    silver, gold = book.snapshot().positions
    exchange.socket.fed.append(tick("SILVER", f"{silver.level + 3}", f"{silver.level + 4}"))
    exchange.socket.fed.append(tick("GOLD", f"{gold.level - 2}", f"{gold.level - 1}"))

    book.receive(1)

    after = book.snapshot()
    assert [row.pl for row in after.positions] == [6, 1]
    assert after.totals.pl == Decimal("7.00")
    assert after.totals.currency == "USD"


def test_it_begins_with_the_profit_that_the_broker_says(seat, live):
    seat.open("SILVER", "2")
    (row,) = seat.app.portfolio.positions().data.positions

    (shown,) = live().snapshot().positions

    (later,) = seat.app.portfolio.positions().data.positions
    assert (shown.deal_id, shown.currency) == (row.deal_id, row.currency)
    assert shown.pl in {row.pl, later.pl}, "the price may move between two looks"


def test_a_mixed_book_is_summed_at_streamed_rates(seat, live, exchange):
    seat.open("USDJPY", "1000")
    book = live()
    (row,) = book.snapshot().positions
    bid = row.level + 2
    exchange.socket.fed.append(tick("USDJPY", f"{bid}", f"{bid}"))

    book.receive(1)

    after = book.snapshot()
    assert after.positions[0].pl == 2000
    assert after.positions[0].currency == "JPY"
    assert after.totals.pl == (2000 / bid).quantize(Decimal("0.01"))


def test_the_market_of_an_exchange_rate_is_watched_too(seat, live, exchange):
    seat.open("DE40", "1")
    live()

    assert exchange.socket.said[0]["payload"]["epics"] == ["DE40", "EURUSD"]


def test_what_opens_and_closes_elsewhere_is_found_at_the_next_reading(seat, live, exchange, time):
    first = seat.open("SILVER", "2").deal_id
    book = live()
    book.snapshot()
    second = seat.open("GOLD", "1").deal_id
    seat.app.closings.close(first, confirmed=True)
    time.sleep(REREAD_MS / 1000)

    book.receive(0)

    after = book.snapshot()
    assert (after.opened, after.closed) == ((second,), (first,))
    assert [row.deal_id for row in after.positions] == [second]
    assert exchange.socket.said[-1]["payload"]["epics"] == ["GOLD"]
    assert book.snapshot().opened == ()


def test_an_empty_book_waits_for_a_position(seat, live, exchange, time):
    book = live()
    assert book.snapshot().positions == ()
    assert book.receive(1) == []
    assert exchange.addresses == []
    seat.open("SILVER", "2")
    time.sleep(REREAD_MS / 1000)

    book.receive(0)

    assert len(book.snapshot().positions) == 1
    book.close()
    assert exchange.socket.closed


def test_markets_beyond_the_forty_of_a_stream_are_named(seat, live, monkeypatch):
    monkeypatch.setattr("capcli.marketdata.live_book.MOST_EPICS", 1)
    seat.open("SILVER", "2")
    seat.open("GOLD", "1", side=Side.SELL)

    assert live().snapshot().reread == ("GOLD",)


def test_it_goes_on_with_a_row_that_cannot_be_read_and_names_it(seat, live, time):
    first = seat.open("SILVER", "2").deal_id
    second = seat.open("GOLD", "1").deal_id
    book = live()
    book.snapshot()

    def without_its_size(request):
        body = seat.tap._inner.handle_request(request).json()
        for row in body["positions"]:
            if row["position"]["dealId"] == second:
                del row["position"]["size"]
        return says(200, body)

    seat.tap.breaks("GET", "/positions", before=without_its_size, times=99)
    time.sleep(REREAD_MS / 1000)
    book.receive(0)

    after = book.snapshot()
    assert [row.deal_id for row in after.positions] == [first]
    assert [row.deal_id for row in after.unreadable] == [second]
    assert (after.closed, after.totals.pl, after.totals.count) == ((), None, 2)
    seat.tap.mend()
    time.sleep(REREAD_MS / 1000)
    book.receive(0)
    assert (book.snapshot().opened, len(book.snapshot().positions)) == ((), 2)

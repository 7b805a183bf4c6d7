"""Portfolio, markets, accounts and rates over the paper broker."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import httpx
import pytest

from capcli.domain.market import Resolution, Side
from capcli.domain.money import cents
from capcli.domain.order import Trigger
from capcli.errors import AccountUnknown, DealUnknown, EpicUnknown, UsageError
from capcli.marketdata.conversion import NoConversion, conversion_rate, known_rates, rates_of
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal


def test_a_position_is_shown_with_its_distance_from_the_price_it_closes_at(seat: Seat) -> None:
    done = seat.open(side=Side.SELL, stop=stop_at("38.5"))
    (row,) = seat.app.portfolio.positions().data.positions
    assert (row.deal_id, row.stop_distance) == (done.deal_id, D("38.5") - row.offer)
    assert row.pl == (row.level - row.offer) * row.size
    assert row.margin == cents(row.size * row.level / 10)


def test_totals_add_up_in_one_currency_with_one_request(seat: Seat) -> None:
    seat.open()
    seat.open(size="2")
    before = len(seat.tap.requests)
    found = seat.app.portfolio.positions().data
    assert len(seat.tap.requests) == before + 1
    assert found.totals.pl == sum(cents(row.pl) for row in found.positions)
    assert (found.totals.count, found.totals.currency) == (2, "USD")


def mixed(seat: Seat) -> Seat:
    """Open deals in dollars, euros and yen, without a look at them yet."""
    seat.time.tick(3600 * 2)
    for epic, size in (("SILVER", "1.5"), ("DE40", "1"), ("USDJPY", "1000")):
        seat.open(epic, size)
    # Nothing has to wait for its turn in what follows, so no price moves between two looks.
    seat.time.tick(60)
    return seat


def test_a_mixed_book_is_told_in_account_currency_with_one_more_request(seat: Seat) -> None:
    before = len(mixed(seat).tap.requests)
    found = seat.app.portfolio.positions().data
    assert seat.tap.seen()[before:] == ["GET /positions", "GET /markets"]
    euro, yen = seat.app.broker.markets(("EURUSD", "USDJPY"))
    rates = {"USD": D(1), "EUR": euro.quote.mid, "JPY": 1 / yen.quote.mid}
    assert {row.currency for row in found.positions} == set(rates)
    for row in found.positions:
        assert row.pl_account == cents(row.pl * rates[row.currency])
        assert row.pl_pct == (row.pl * 100 / (row.size * row.level)).quantize(D("0.0001"))
    margins = [(row.margin or D(0)) * rates[row.currency] for row in found.positions]
    assert found.totals.pl == sum(row.pl_account or D(0) for row in found.positions)
    assert (found.totals.currency, found.totals.margin) == ("USD", cents(sum(margins, D(0))))


def test_one_position_in_another_currency_has_totals_as_well(seat: Seat) -> None:
    (deal,) = [row for row in mixed(seat).app.broker.positions() if row.currency == "EUR"]
    totals = seat.app.portfolio.positions(deal.deal_id).data.totals
    assert totals.pl is not None
    assert totals.margin is not None


def test_an_account_in_another_currency_is_told_in_its_own(seats: Seats) -> None:
    seat = seats(options=Options(account=SECOND_ACCOUNT))
    seat.open(size="10")
    seat.time.tick(60)
    found = seat.app.portfolio.positions().data
    (row,) = found.positions
    (euro,) = seat.app.broker.markets(("EURUSD",))
    assert (row.currency, found.totals.currency) == ("USD", "EUR")
    assert row.pl_account == found.totals.pl == cents(row.pl / euro.quote.mid)


@pytest.mark.parametrize("answer", [says(404, {"errorCode": "error.not-found.epic"}), says(500, {})])
def test_without_a_rate_the_rows_show_the_instruments_and_the_total_is_the_brokers(
    seat: Seat, answer: httpx.Response
) -> None:
    mixed(seat).tap.breaks("GET", "/markets", before=answer, times=20)
    found = seat.app.portfolio.positions().data
    assert seat.tap.seen()[-1] == "GET /accounts"
    assert [row.pl_account is None for row in found.positions] == [
        row.currency != "USD" for row in found.positions
    ]
    assert found.totals.pl is not None
    assert found.totals.margin is not None
    alone = next(row for row in found.positions if row.currency == "EUR")
    totals = seat.app.portfolio.positions(alone.deal_id).data.totals
    assert (totals.count, totals.pl, totals.margin) == (1, None, None)


def test_one_currency_without_a_pair_does_not_take_the_rates_of_the_others(seat: Seat) -> None:
    assert set(known_rates(seat.app.broker, ("EUR", "XXX", "JPY", "USD"), "USD")) == {"EUR", "JPY", "USD"}
    error = refusal(lambda: rates_of(seat.app.broker, ("EUR", "XXX"), "USD"))
    assert isinstance(error, NoConversion)
    assert "XXX to USD" in error.message


def test_what_is_not_there_is_said_with_a_command(seat: Seat) -> None:
    for look in (seat.app.portfolio.positions, seat.app.portfolio.orders):
        error = refusal(lambda look=look: look("no-such-deal"))
        assert isinstance(error, DealUnknown)
        assert error.next == "capcli positions"
        assert isinstance(refusal(lambda look=look: look("../session")), UsageError)


def test_one_working_order_is_found_by_its_id(seat: Seat) -> None:
    done = seat.open(trigger=Trigger(D("27")))
    seat.open(size="2", trigger=Trigger(D("26")))
    (row,) = seat.app.portfolio.orders(done.deal_id).data.orders
    assert (row.level, row.distance) == (D("27"), (row.offer or D(0)) - 27)


def test_quotes_come_in_the_order_asked_and_once(seat: Seat) -> None:
    found = seat.app.markets.quote(("GOLD", "SILVER", "GOLD")).data.quotes
    assert [row.epic for row in found] == ["GOLD", "SILVER"]
    assert isinstance(refusal(lambda: seat.app.markets.quote(("GOLD", "silver"))), EpicUnknown)
    assert isinstance(refusal(lambda: seat.app.markets.quote(())), UsageError)


def test_a_search_finds_names_and_exact_epics(seat: Seat) -> None:
    assert any(row.epic == "SILVER" for row in seat.app.markets.search("silver").data.markets)
    assert seat.app.markets.search("no such market").data.total == 0
    assert len(seat.app.markets.search(None, limit=3).data.markets) == 3


@pytest.mark.parametrize("offset", [0, 1, 61, 1799])
def test_long_windows_have_no_hole_where_pages_meet(seat: Seat, offset: int) -> None:
    end = seat.time.now()
    start = end - timedelta(minutes=2500) - timedelta(seconds=offset)
    found = seat.app.markets.prices("SILVER", Resolution.MINUTE, start=start, end=end).data.candles
    times = [candle.time for candle in found]
    assert len(times) >= 2499
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=1)}


def test_the_last_candles_before_an_instant_number_a_thousand_at_most(seat: Seat) -> None:
    end = seat.time.now() - timedelta(days=1)
    found = seat.app.markets.prices("SILVER", Resolution.MINUTE, last=1000, end=end).data
    assert 999 <= len(found.candles) <= 1000
    assert not found.forming
    assert found.candles[-1].time <= end


@pytest.mark.parametrize("last", [0, -1, 1001])
def test_a_count_beyond_a_page_is_refused(seat: Seat, last: int) -> None:
    error = refusal(lambda: seat.app.markets.prices("SILVER", Resolution.HOUR, last=last))
    assert isinstance(error, UsageError)


def test_the_newest_candle_is_still_forming(seat: Seat, time: Time) -> None:
    time.tick(30)
    assert seat.app.markets.prices("SILVER", Resolution.HOUR, last=3).data.forming


def test_a_window_that_ends_before_it_begins_is_refused(seat: Seat, time: Time) -> None:
    now = time.now()
    for start, end in ((now, now - timedelta(hours=1)), (now + timedelta(hours=1), None)):
        ask = lambda start=start, end=end: seat.app.markets.prices(  # noqa: E731
            "SILVER", Resolution.HOUR, start=start, end=end
        )
        assert isinstance(refusal(ask), UsageError)


def test_an_account_is_switched_and_an_unknown_one_is_not(seat: Seat) -> None:
    assert seat.app.accounts.use(SECOND_ACCOUNT).account_id == SECOND_ACCOUNT
    assert [row.active for row in seat.app.accounts.list().data.accounts] == [False, True]
    error = refusal(lambda: seat.app.accounts.use("999"))
    assert isinstance(error, AccountUnknown)
    assert FIRST_ACCOUNT in error.message


def test_the_session_is_known_without_asking(seat: Seat) -> None:
    assert not seat.app.accounts.known().data.logged_in
    seat.app.accounts.login()
    before = len(seat.tap.requests)
    assert seat.app.accounts.known().data.account_id == FIRST_ACCOUNT
    assert len(seat.tap.requests) == before
    assert seat.app.accounts.logout().data.ended
    assert not seat.app.accounts.logout().data.ended


def test_an_order_on_an_account_in_another_currency_is_converted(seats: Seats) -> None:
    seat = seats(options=Options(account=SECOND_ACCOUNT))
    shown = seat.preview(size="10")
    euro = seat.app.markets.quote(("EURUSD",)).data.quotes[0]
    rate = 1 / ((euro.bid + euro.offer) / 2)
    assert (shown.account_currency, shown.currency) == ("EUR", "USD")
    assert abs(shown.notional - shown.entry * 10 * rate) < D("0.02")
    done = seat.execute(shown.preview_id)
    closed = seat.app.closings.close(done.data.deal_id, confirmed=True).data
    assert (closed.account_currency, closed.currency) == ("EUR", "USD")
    assert closed.pl_account is not None


@pytest.mark.parametrize(
    ("source", "target", "about"), [("USD", "USD", "1"), ("JPY", "USD", "0.0068"), ("JPY", "EUR", "0.0061")]
)
def test_a_rate_is_direct_inverted_or_crossed(seat: Seat, source: str, target: str, about: str) -> None:
    rate = conversion_rate(seat.app.broker, source, target)
    assert D(about) * D("0.7") < rate < D(about) * D("1.4")


def test_a_rate_that_no_market_gives_is_an_error(seat: Seat) -> None:
    assert isinstance(refusal(lambda: conversion_rate(seat.app.broker, "XXX", "USD")), NoConversion)

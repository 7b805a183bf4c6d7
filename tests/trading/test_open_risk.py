"""What counts beside a new order: those on their way, those of the day, and every loss at a stop."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.account import Preferences
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.check_input import Policy
from capcli.domain.effect import AccountBook, Effect, effect_of
from capcli.domain.market import Side
from capcli.domain.order import Kind
from capcli.domain.sizing import figures
from capcli.domain.stored_order import StoredOrder, write_baseline, write_order
from capcli.store.journal import SqliteJournal
from capcli.trading.open_risk import (
    Book,
    InFlightOrder,
    foreign_orders,
    in_flight_orders,
    loss_at,
    lost,
    open_risk,
    orders_on,
    result_at,
    total_at_stops,
)
from tests.domain.builders import ACCOUNT, MARKET, a_market, an_order, level
from tests.domain.test_matching import ORDER, POSITION, order_row
from tests.store.builders import ACCOUNT as PLACE
from tests.store.builders import NOW, a_close, a_preview, an_attempt

D = Decimal
S = AttemptState
BUY = StoredOrder(an_order("1.5", stop=level("24.5")), None, D("30"), D("24.5"), None)
EMPTY = write_baseline((), ())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(tmp_path / "state" / "journal.db")) as opened:
        yield opened


def send(journal: SqliteJournal, number: int = 1, order: StoredOrder = BUY, **facts: Any) -> AttemptRecord:
    """Leave an order on its way: it was sent, and nobody knows what became of it."""
    preview_id, attempt_id = f"p_{number:012d}", f"a_{number:012d}"
    journal.save_preview(a_preview(preview_id, document=write_order(order)))
    assert journal.claim(preview_id, an_attempt(attempt_id, preview_id=preview_id, baseline=EMPTY), now=NOW)
    assert journal.move(attempt_id, S.CLAIMED, S.SENDING, at=NOW, sent_at=NOW, **facts)
    found = journal.attempt(attempt_id)
    assert found is not None
    return found


def on_their_way(journal: SqliteJournal, positions: Any = (), orders: Any = ()) -> list[str]:
    return [
        one.attempt.attempt_id for one in in_flight_orders(journal, PLACE, tuple(positions), tuple(orders))
    ]


def test_an_order_on_its_way_counts_until_the_book_shows_it(journal: SqliteJournal) -> None:
    lost = send(journal)
    assert on_their_way(journal) == [lost.attempt_id]
    assert on_their_way(journal, [POSITION]) == []
    assert on_their_way(journal, [], [ORDER]) == []


@pytest.mark.parametrize("change", [{"epic": "GOLD"}, {"side": Side.SELL}, {"size": D(2)}])
def test_another_deal_does_not_stand_for_it(journal: SqliteJournal, change: dict[str, Any]) -> None:
    lost = send(journal)
    assert on_their_way(journal, [replace(POSITION, **change)]) == [lost.attempt_id]


def test_a_deal_that_was_there_before_does_not_stand_for_it(journal: SqliteJournal) -> None:
    lost = send(journal, baseline=write_baseline((POSITION,), ()))
    assert on_their_way(journal, [POSITION]) == [lost.attempt_id]


def test_a_deal_stands_for_one_order_alone(journal: SqliteJournal) -> None:
    send(journal, 1)
    second = send(journal, 2)
    assert on_their_way(journal, [POSITION]) == [second.attempt_id]
    assert on_their_way(journal, [POSITION, replace(POSITION, deal_id="two")]) == []


@pytest.mark.parametrize("facts", [{"deal_ids": ("new",)}, {"order_id": "new"}, {"order_id": "order-of-new"}])
def test_a_deal_that_is_named_stands_for_it_whatever_its_size(
    journal: SqliteJournal, facts: dict[str, Any]
) -> None:
    lost = send(journal, **facts)
    assert on_their_way(journal, [replace(POSITION, size=D(1))]) == []
    other = replace(POSITION, deal_id="other", working_order_id=None, size=D(1))
    assert on_their_way(journal, [other]) == [lost.attempt_id]


def test_a_close_on_its_way_is_no_order_and_hides_none(journal: SqliteJournal) -> None:
    journal.open_attempt(a_close(state=S.CLAIMED, created_at=NOW - timedelta(seconds=5)))
    lost = send(journal)
    assert on_their_way(journal) == [lost.attempt_id]


def flight(order: StoredOrder = BUY, **facts: Any) -> InFlightOrder:
    return InFlightOrder(an_attempt(**facts), order)


def counted(book: Book, apart: str | None = None, rate: str = "1") -> tuple[Decimal, str | None, Decimal]:
    request = an_order("1")
    found = open_risk(book, request, figures(request, MARKET, ACCOUNT, D(rate)), (), apart)
    return found.risk, found.unprotected, found.margin


def test_what_waits_or_is_on_its_way_loses_at_its_stop_and_needs_margin() -> None:
    order = replace(ORDER, size=D(2), level=D(28), stop_level=D(27))
    # A position of 1.5 with 10 units each loses 5.5 x 15; the order 1 x 2; the one on its way 5.5 x 1.5.
    book = Book((POSITION,), (order,), (flight(),))
    assert counted(book) == (D("92.75"), None, D("10.1"))
    assert counted(book, rate="0.5") == (D("46.375"), None, D("5.05"))
    assert counted(book, apart="new")[0] == D("8.25")


def test_another_market_or_direction_does_not_count() -> None:
    other = (
        replace(POSITION, epic="GOLD", stop_level=None),
        replace(POSITION, side=Side.SELL, stop_level=None),
    )
    assert counted(Book(other, ())) == (0, None, 0)
    short = StoredOrder(an_order("1", side=Side.SELL), None, D(30), None, None)
    assert counted(Book((), (), (flight(short),)))[1] is None


def test_what_has_no_stop_is_named() -> None:
    assert counted(Book((replace(POSITION, stop_level=None),), ()))[1] == "new"
    bare = StoredOrder(an_order("1"), None, D(30), None, None)
    assert counted(Book((), (), (flight(bare),)))[1] == "a_000000000001"


def test_the_margin_of_an_order_in_another_market_is_not_known() -> None:
    gold = StoredOrder(replace(an_order("1"), epic="GOLD"), None, D(30), D(29), None)
    request = an_order("1")
    found = open_risk(
        Book((), (), (flight(gold),)), request, figures(request, MARKET, ACCOUNT, D(1)), (), None
    )
    assert (found.margin, found.unpriced) == (0, "a_000000000001, an order in GOLD on its way")


@pytest.mark.parametrize(
    ("stop", "side", "loss"),
    [("29", Side.BUY, "2"), ("31", Side.BUY, "0"), ("31", Side.SELL, "2"), ("29", Side.SELL, "0")],
)
def test_a_stop_in_gain_loses_nothing(stop: str, side: Side, loss: str) -> None:
    assert loss_at(D(stop), D(30), D(2), side) == D(loss)
    assert loss_at(None, D(30), D(2), side) is None


def test_a_deal_at_its_stop_is_told_in_the_accounts_currency() -> None:
    assert lost(result_at(POSITION, D(29), D("0.5"))) == D("7.50")
    assert lost(result_at(POSITION, None, D("0.5"))) is None
    assert lost(result_at(ORDER, D(27), D("0.5"), D(28))) == D("0.75")
    assert lost(result_at(ORDER, D(29), D("0.5"), D(28))) == 0
    assert lost(result_at(ORDER, None, D("0.5"), D(28))) is None


def test_a_book_counts_what_is_there_and_what_is_about_to_be() -> None:
    book = Book((POSITION,), (ORDER, ORDER), (flight(), flight(kind=Kind.WORKING)))
    assert (len(book.epics(Kind.MARKET)), len(book.epics(Kind.WORKING))) == (2, 3)


@pytest.mark.parametrize(
    "limit", [{"max_open_positions": 1}, {"max_orders_per_day": 1}, {"max_margin_pct": D(1)}]
)
def test_orders_on_their_way_matter_while_a_limit_counts_them(limit: dict[str, Any]) -> None:
    assert Policy(env="paper", trading_allowed=True, **limit).counts_in_flight
    assert not Policy(env="paper", trading_allowed=True, max_position_size=D(1)).counts_in_flight


def of_day(**facts: Any) -> bool:
    return bool(orders_on(datetime(2026, 5, 4, tzinfo=NOW.tzinfo), [an_attempt(**facts)]))


def test_an_order_belongs_to_the_brokers_day_else_to_ours() -> None:
    midnight = datetime(2026, 5, 4, tzinfo=NOW.tzinfo)
    before = midnight - timedelta(seconds=1)
    assert of_day(broker_time_at_send=midnight, sent_at=before, created_at=before)
    assert not of_day(broker_time_at_send=before, sent_at=midnight, created_at=midnight)
    assert of_day(sent_at=midnight, created_at=before)
    assert not of_day(sent_at=before, created_at=midnight)
    assert of_day(created_at=midnight)
    assert not of_day(created_at=before)
    assert of_day(kind=Kind.WORKING)
    assert not of_day(kind=Kind.CLOSE)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (order_row(), True),
        (order_row(status="CREATED"), True),
        (order_row(status="REJECTED"), False),
        (order_row(source="SL"), False),
        (replace(order_row(), type="POSITION"), False),
    ],
)
def test_a_row_that_a_person_accepted_is_an_order(journal: SqliteJournal, row: Any, *, counts: bool) -> None:
    assert list(foreign_orders([row], [], journal)) == (["o1"] if counts else [])


@pytest.mark.parametrize(
    "facts", [{"order_id": "o1"}, {"deal_ids": ("o1",)}, {"deal_reference": "r1", "order_id": "o9"}]
)
def test_an_order_that_is_ours_by_any_id_is_not_foreign(
    journal: SqliteJournal, facts: dict[str, Any]
) -> None:
    rows = [order_row(deal_reference="r1"), order_row("o2", deal_reference="r2")]
    assert list(foreign_orders(rows, [an_attempt(**facts)], journal)) == ["o2"]


def test_a_lost_order_takes_one_equal_row_since_it_was_sent(journal: SqliteJournal) -> None:
    lost = send(journal)
    equal = order_row(at=NOW - timedelta(seconds=2))
    twin = order_row("o2", at=NOW)
    assert list(foreign_orders([equal, twin], [lost], journal)) == ["o2"]
    for other in (
        replace(equal, at=NOW - timedelta(seconds=3)),
        replace(equal, size=D(1)),
        replace(equal, side=Side.SELL),
        replace(equal, epic="GOLD"),
    ):
        assert list(foreign_orders([other], [lost], journal)) == ["o1"]
    assert list(foreign_orders([equal], [replace(lost, sent_at=None)], journal)) == ["o1"]
    assert list(foreign_orders([equal], [replace(lost, deal_ids=("d9",))], journal)) == ["o1"]
    assert list(foreign_orders([equal], [replace(lost, order_id="o9")], journal)) == ["o1"]


def test_the_brokers_time_of_the_send_counts_before_ours(journal: SqliteJournal) -> None:
    lost = send(journal, broker_time_at_send=NOW + timedelta(seconds=10))
    assert list(foreign_orders([order_row(at=NOW)], [lost], journal)) == ["o1"]
    assert foreign_orders([order_row(at=NOW + timedelta(seconds=8))], [lost], journal) == {}


def test_orders_of_a_market_without_a_margin_factor_add_no_margin() -> None:
    request = an_order("1")
    money = figures(request, a_market(margin_factor=None), ACCOUNT, D(1))
    found = open_risk(Book((POSITION,), (ORDER,)), request, money, (), None)
    assert (money.margin_pct, found.margin) == (None, 0)


APART = replace(ORDER, deal_id="order", size=D(2), level=D(28), stop_level=D(27))
GOLD = StoredOrder(replace(an_order("1"), epic="GOLD"), None, D(30), D(29), None)
BARE = StoredOrder(an_order("1"), None, D(30), None, None)


def sold(size: str) -> Effect:
    request = an_order(size, side=Side.SELL)
    there = AccountBook(ACCOUNT, (POSITION,), Preferences(hedging=False, leverages={}), {"USD": D(1)})
    return effect_of(request, MARKET, figures(request, MARKET, ACCOUNT, D(1)), there)


@pytest.mark.parametrize(
    ("book", "effect", "apart", "told"),
    [
        # 1.5 of 10 units lose 5.5 each, the order 1 x 2, the one on its way 5.5 x 1.5; a USD is half a EUR.
        (Book((POSITION,), (APART,), (flight(),)), None, None, ("46.375", None)),
        (Book((POSITION,), (APART,)), None, "new", ("1", None)),
        (Book((POSITION,), (APART,)), None, "order", ("41.25", None)),
        (Book((POSITION,), (APART,)), sold("0.5"), None, ("28.5", None)),
        (Book((POSITION,), (APART,)), sold("1.5"), None, ("1", None)),
        (Book((replace(POSITION, stop_level=None),), (APART,)), sold("1.5"), None, ("1", None)),
        (Book((POSITION,), (replace(APART, stop_level=None),)), None, None, ("41.25", "order")),
        (Book((POSITION,), (replace(APART, currency="JPY"),)), None, None, ("41.25", "order")),
        (Book((), (APART,), (flight(GOLD),)), None, None, ("1", "a_000000000001")),
        (Book((), (APART,), (flight(BARE),)), None, None, ("1", "a_000000000001")),
    ],
)
def test_everything_that_is_left_loses_at_its_stop(
    book: Book, effect: Effect | None, apart: str | None, told: tuple[str, str | None]
) -> None:
    loss, bare = total_at_stops(book, MARKET, {"USD": D("0.5")}, effect, apart)
    assert (loss, bare) == (D(told[0]), told[1])

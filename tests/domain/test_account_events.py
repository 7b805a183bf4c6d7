"""What rows of the activity tell: an opening looks like a close, and rows come late or without details."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from capcli.domain.account import Account, Activity, Transaction
from capcli.domain.account_events import (
    EventKind,
    Happened,
    KnownDeals,
    margin_level,
    margin_steps,
    read_activity,
)
from capcli.domain.market import Side

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = AT + timedelta(seconds=20)
NOBODY = KnownDeals({})


def row(kind="POSITION", status="ACCEPTED", source="USER", *, deal="d1", side=Side.BUY, **changes):
    given = {"size": Decimal("1.5"), "level": Decimal("24.5"), "working_order_id": None, "at": AT} | changes
    return Activity(
        epic="SILVER",
        deal_id=deal,
        source=source,
        type=kind,
        status=status,
        side=side,
        deal_reference=None,
        **given,
    )


def order(status="ACCEPTED", source="USER", **changes):
    return row("WORKING_ORDER", status, source, deal=changes.pop("deal", "o1"), **changes)


def booking(deal="d1", at=AT, amount="-12.40"):
    return Transaction(at, "TRADE", "SILVER", "", Decimal(amount), "USD", "1", "PROCESSED", deal)


def told(*rows, known=NOBODY, now=NOW):
    found, _ = read_activity(rows[::-1], known, now)
    return [(fact.kind.value, fact.side and fact.side.value) for _, fact in found]


def test_a_market_order_is_told_once_by_its_position():
    assert told(order(), order(source="SYSTEM"), row()) == [("filled", "BUY")]


@pytest.mark.parametrize(
    ("source", "kind"), [("SL", "stop_hit"), ("TP", "limit_hit"), ("CLOSE_OUT", "closed")]
)
def test_what_the_broker_closes_has_the_side_of_the_deal(source, kind):
    assert told(row(source=source, side=Side.SELL)) == [(kind, "BUY")]
    assert told(row(source=source, side=None), known=KnownDeals({"d1": Side.SELL})) == [(kind, "SELL")]


def test_a_deal_that_is_known_opens_on_its_own_side_and_closes_on_the_other():
    known = KnownDeals({"d1": Side.BUY})
    assert told(row(), known=known) == [("filled", "BUY")]
    assert told(row(side=Side.SELL), known=known) == [("closed", "BUY")]


def test_a_deal_that_was_opened_and_closed_between_two_looks():
    assert told(order(), row(), row(side=Side.SELL, at=AT + timedelta(seconds=5))) == [
        ("filled", "BUY"),
        ("closed", "BUY"),
    ]


def test_a_booking_makes_no_close_of_the_opening_in_the_same_second():
    known = KnownDeals({}, {"d1": [booking()]})
    assert told(order(), row(), row(side=Side.SELL), known=known) == [("filled", "BUY"), ("closed", "BUY")]


def test_of_one_instant_the_order_of_the_broker_counts():
    assert told(order(), row(), row(side=Side.SELL)) == [("filled", "BUY"), ("closed", "BUY")]


def test_an_order_that_reduced_a_deal_is_its_close():
    known = KnownDeals({"d1": Side.BUY})
    assert told(order(side=Side.SELL), row(side=Side.SELL), known=known) == [("closed", "BUY")]


@pytest.mark.parametrize("apart", [timedelta(0), timedelta(seconds=1), timedelta(seconds=-1)])
def test_a_booking_tells_the_close_of_a_deal_that_nobody_knew_and_what_it_brought(apart):
    known = KnownDeals({}, {"d1": [booking(at=AT + apart)]})
    (found,), told_to = read_activity([row(side=Side.SELL)], known, NOW)
    fact = found[1]
    assert (fact.kind, fact.side, fact.amount, fact.currency) == (
        EventKind.CLOSED,
        Side.BUY,
        Decimal("-12.40"),
        "USD",
    )
    assert told_to == NOW


def test_a_booking_of_another_time_tells_nothing_of_a_row():
    known = KnownDeals({}, {"d1": [booking(at=AT + timedelta(seconds=1.1))]})
    assert told(row(side=Side.SELL), known=known) == []


def test_an_order_of_the_other_side_in_the_same_second_makes_no_opening():
    assert told(order(side=Side.SELL), row()) == []
    assert told(row(working_order_id="o9")) == [("filled", "BUY")]


def test_a_deal_and_its_order_are_told_apart_by_their_ids():
    found, _ = read_activity([row(working_order_id="o1"), order("EXPIRED", deal="o2")], NOBODY, NOW)
    assert {(fact.deal_id, fact.order_id) for _, fact in found} == {("d1", "o1"), (None, "o2")}


def test_two_bookings_of_one_instant_name_no_amount():
    known = KnownDeals({"d1": Side.BUY}, {"d1": [booking(), booking()]})
    ((_, fact),), _ = read_activity([row(side=Side.SELL)], known, NOW)
    assert fact.amount is None


@pytest.mark.parametrize("lone", [row(), row(side=None)])
def test_a_row_that_may_be_either_waits_for_the_next_look_and_not_for_ever(lone):
    assert read_activity([lone], NOBODY, NOW) == ([], AT)
    assert read_activity([lone], NOBODY, AT + timedelta(seconds=149.9)) == ([], AT)
    found, told_to = read_activity([lone], NOBODY, AT + timedelta(seconds=150))
    assert [fact.kind for _, fact in found] == [EventKind.FILLED]
    assert told_to == AT + timedelta(seconds=150)


def test_a_row_that_waits_keeps_back_no_other():
    assert told(row(), row(source="SL", deal="d2", side=Side.SELL)) == [("stop_hit", "BUY")]


def test_working_orders_that_fill_expire_or_are_refused():
    filled = order("EXECUTED"), row(working_order_id="o1")
    assert told(*filled) == [("filled", "BUY")]
    assert told(order("EXECUTED")) == [("filled", "BUY")]
    assert told(order("EXPIRED", "SYSTEM")) == [("order_expired", "BUY")]
    for status in ("REJECTED", "MODIFY_REJECT", "CANCEL_REJECT"):
        assert told(order(status, "SYSTEM")) == [("rejected", "BUY")]
        ((_, fact),), _ = read_activity([order(status, "SYSTEM")], NOBODY, NOW)
        assert fact.detail == f"WORKING_ORDER {status}"


@pytest.mark.parametrize(
    "silent", [row("SWAP"), row("EDIT_STOP_AND_LIMIT"), order("CANCELLED"), order("MODIFIED")]
)
def test_what_somebody_did_themselves_is_no_event(silent):
    assert told(silent, now=AT + timedelta(days=1)) == []


def test_rows_that_are_alike_have_names_of_their_own_and_keep_them():
    known = KnownDeals({"d1": Side.BUY})
    twice = [row(side=Side.SELL), row(side=Side.SELL)]
    first, second = [key for key, _ in read_activity(twice, known, NOW)[0]]
    assert first != second
    assert read_activity(twice[:1], known, NOW)[0][0][0] == first
    late = row(side=Side.SELL, level=None, size=None)
    assert read_activity([late], known, NOW)[0][0][0] == first


def test_a_price_that_is_missing_is_noticed():
    priced = {kind for kind in EventKind if not Happened(kind, AT).is_complete}
    assert priced == {EventKind.FILLED, EventKind.STOP_HIT, EventKind.LIMIT_HIT, EventKind.CLOSED}
    assert all(Happened(kind, AT, level=Decimal(1)).is_complete for kind in EventKind)


def account(equity, available):
    money = Decimal(equity), Decimal(equity), Decimal(0), Decimal(available)
    return Account("1", "CFD", "ENABLED", "CFD", "USD", True, *money)


@pytest.mark.parametrize(
    ("equity", "available", "level", "steps"),
    [
        (1000, 1000, None, []),
        (1000, 500, "200.0", []),
        (1000, 0, "100.0", []),
        (999, -1, "99.9", [100]),
        (700, -300, "70.0", [100, 75]),
        (-10, -1000, "-1.0", [100, 75]),
    ],
)
def test_margin_is_low_where_equity_does_not_cover_it(equity, available, level, steps):
    found = margin_level(account(equity, available))
    assert found == (None if level is None else Decimal(level))
    assert list(margin_steps(found)) == steps

"""What a mandate has used: losses, costs and stakes by the broker's own rows, never less by a gain."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from capcli.domain.account import Activity, Position, Transaction
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.mandate import (
    Deed,
    Mandate,
    MandateBook,
    MandateState,
    Opening,
    Sent,
    Tightening,
    Usage,
    Use,
    secret_hash,
    usage_of,
    why_not_opened,
    why_not_tightened,
)
from capcli.domain.market import Side
from capcli.domain.order import Kind
from tests.store.builders import a_mandate, an_attempt

NOW = datetime(2026, 5, 4, 14, 2, tzinfo=UTC)
MANDATE: Mandate = a_mandate(since=NOW, granted_at=NOW, expires_at=NOW + timedelta(hours=6))


def test_an_end_has_words_of_its_own() -> None:
    assert {state.value: state.words for state in MandateState} == {
        "ACTIVE": "is in force",
        "EXPIRED": "has expired",
        "REVOKED": "was revoked",
        "HALTED": "ended with a halt",
        "STOP_LOST": "ended because a deal of it lost its stop, or had it loosened",
        "VOID": "ended when the journal was accepted",
    }


def sent(number: int = 1, reserved: str = "10", **facts: Any) -> Sent:
    landed = {"state": AttemptState.LANDED, "opened_deal_ids": (f"D{number}",), "order_id": f"O{number}"}
    attempt: AttemptRecord = replace(an_attempt(f"a_{number}"), **(landed | facts))
    use = Use(attempt.attempt_id, "m_1", Deed.OPEN, number, Decimal(reserved), NOW)
    return Sent(use, attempt, Decimal(2), Side.BUY, Decimal(20), Decimal(20))


def position(number: int = 1, **changes: Any) -> Position:
    facts: dict[str, Any] = dict.fromkeys(Position.__struct_fields__) | {
        "deal_id": f"D{number}",
        "side": Side.BUY,
        "size": Decimal(2),
        "level": Decimal(24),
        "stop_level": Decimal(20),
        "currency": "USD",
        "contract_size": Decimal(1),
        "epic": "SILVER",
    }
    return Position(**(facts | changes))


def booked(amount: str, deal_id: str | None = "D1", kind: str = "TRADE", epic: str = "SILVER") -> Transaction:
    return Transaction(NOW, kind, epic, "", Decimal(amount), "USD", "1", "PROCESSED", deal_id)


def book(*positions: Position, bookings: tuple[Transaction, ...] = (), activity: Any = ()) -> MandateBook:
    return MandateBook(positions, (), tuple(activity), bookings, {"USD": Decimal(1)})


def used(one: Sent, seen: MandateBook) -> tuple[str, str | None]:
    found = usage_of(MANDATE, (one,), seen)
    return str(found.charged), found.lost_stop


SHORT = position(side=Side.SELL, level=Decimal(15))
ENDS_OF_SHORT = ((19, ("8.00", None)), (20, ("10.00", None)), (21, ("12.00", "D1")))


@pytest.mark.parametrize(
    ("one", "seen", "charged", "lost_stop"),
    [
        (sent(), book(position()), "8.00", None),
        (sent(), book(position(contract_size=Decimal(3))), "24.00", None),
        (sent(), book(position(stop_level=Decimal(25))), "0.00", None),
        (sent(), book(position(stop_level=None)), "10.00", "D1"),
        (sent(), book(position(stop_level=Decimal(19))), "10.00", "D1"),
        *((sent(), book(replace(SHORT, stop_level=Decimal(stop))), *found) for stop, found in ENDS_OF_SHORT),
        (sent(), book(position(currency="EUR")), "10.00", None),
        # Gone: what was booked counts, a gain for nothing, and what is not booked yet in full.
        (sent(), book(), "10.00", None),
        (sent(), book(bookings=(booked("-7.50"),)), "7.50", None),
        (sent(), book(bookings=(booked("12"),)), "0.00", None),
        (sent(), book(bookings=(booked("12"), booked("-3"))), "3.00", None),
        (sent(), book(bookings=(booked("-14"),)), "14.00", None),
        # In part: at least what was reserved.
        (sent(), book(position(size=Decimal(1)), bookings=(booked("-1"),)), "10.00", None),
        (sent(), book(position(size=Decimal(1)), bookings=(booked("-9"),)), "13.00", None),
        # Never there.
        (sent(state=AttemptState.REJECTED), book(), "0.00", None),
        (sent(state=AttemptState.NOT_SENT), book(), "0.00", None),
        (sent(state=AttemptState.ABSENT), book(), "10.00", None),
        # Costs that name no deal count in its markets, deposits and gains do not.
        (sent(), book(position(), bookings=(booked("-0.40", None, "SWAP"),)), "8.40", None),
        (sent(), book(position(), bookings=(booked("0.40", None, "SWAP"),)), "8.00", None),
        (sent(), book(position(), bookings=(booked("-0.40", None, "SWAP", "GOLD"),)), "8.00", None),
        (sent(), book(position(), bookings=(booked("-40", None, "WITHDRAWAL"),)), "8.00", None),
        (sent(), book(position(), bookings=(booked("-9", "D7"),)), "8.00", None),
    ],
)
def test_what_one_order_has_used(one: Sent, seen: MandateBook, charged: str, lost_stop: str | None) -> None:
    assert used(one, seen) == (charged, lost_stop)


def row(deal_id: str, status: str, origin: str | None = None) -> Activity:
    return Activity(NOW, "SILVER", deal_id, "USER", "POSITION", status, None, None, None, None, origin)


def test_a_working_order_is_followed_to_the_deal_that_it_became() -> None:
    waits = sent(kind=Kind.WORKING, opened_deal_ids=("O1",), deal_ids=("O1",))
    assert used(waits, book()) == ("10.00", None)
    assert used(waits, book(activity=[row("O1", "CANCELLED")])) == ("0.00", None)
    assert used(waits, book(activity=[row("O7", "CANCELLED")])) == ("10.00", None)
    in_part = [row("D9", "ACCEPTED", "O1"), row("O1", "CANCELLED")]
    assert used(waits, book(activity=in_part)) == ("10.00", None)
    filled = [row("D9", "ACCEPTED", "O1"), row("O1", "EXECUTED")]
    assert used(waits, book(bookings=(booked("-6", "D9"),), activity=filled)) == ("6.00", None)
    assert used(waits, book(activity=filled)) == ("10.00", None)
    there = replace(waits, stop=None)
    assert used(there, book(position(9, working_order_id="O1"))) == ("8.00", None)
    assert used(there, book(position(9, working_order_id="O1", level=Decimal(26))))[1] == "D9"


def test_of_two_deals_of_one_order_the_one_without_its_stop_is_named() -> None:
    two = sent(opened_deal_ids=("D1", "D2"))
    halves = [position(number, size=Decimal(1)) for number in (1, 2)]
    assert used(two, book(*halves)) == ("8.00", None)
    assert used(two, book(halves[0], replace(halves[1], stop_level=None)))[1] == "D2"


@given(st.lists(st.decimals("-50", "50", places=2), min_size=1, max_size=6))
def test_a_gain_never_gives_anything_back(amounts: list[Decimal]) -> None:
    rows = tuple(booked(str(amount)) for amount in amounts)
    losses = sum((-amount for amount in amounts if amount < 0), Decimal(0))
    assert usage_of(MANDATE, (sent(),), book(bookings=rows)).charged == losses


OPENING = Opening("SILVER", is_working=False, loss=Decimal(20), good_till=None, meets=())


@pytest.mark.parametrize(
    ("changes", "charged", "orders", "why"),
    [
        ({}, "40", 2, None),
        ({}, "40.01", 2, "above the total of 60.00 USD"),
        ({}, "0", 3, "its 3 orders are used up"),
        ({"loss": Decimal("20.001")}, "0", 0, "it may lose 20.01 at its stop of at most 20.00 USD"),
        ({"loss": None}, "0", 0, "it has no stop"),
        ({"epic": "GOLD"}, "0", 0, "GOLD is not among SILVER"),
        ({"meets": ("D7",)}, "0", 0, "it meets D7"),
        ({"is_working": True}, "0", 0, "has to expire with the mandate"),
        ({"is_working": True, "good_till": NOW + timedelta(hours=6)}, "0", 0, None),
        ({"is_working": True, "good_till": NOW + timedelta(hours=6, seconds=1)}, "0", 0, "has to expire"),
    ],
)
def test_an_order_is_within_it_or_told_why_not(
    changes: dict[str, Any], charged: str, orders: int, why: str | None
) -> None:
    found = why_not_opened(MANDATE, replace(OPENING, **changes), Usage(orders, Decimal(charged), None))
    assert found == why if why is None else why in str(found)


@pytest.mark.parametrize(
    ("side", "before", "after", "only_stop", "fits"),
    [
        (Side.BUY, "20", "21", True, True),
        (Side.BUY, "20", "19", True, False),
        (Side.SELL, "30", "29", True, True),
        (Side.SELL, "30", "31", True, False),
        (Side.BUY, "20", "21", False, False),
        (Side.BUY, "20", None, True, False),
        (Side.BUY, None, "20", True, True),
        (Side.BUY, None, "19.9", True, False),
    ],
)
def test_only_a_stop_that_comes_nearer_is_a_tightening(
    side: Side, before: str | None, after: str | None, *, only_stop: bool, fits: bool
) -> None:
    levels = [None if text is None else Decimal(text) for text in (before, after)]
    change = Tightening(side, levels[0], levels[1], only_stop=only_stop)
    assert (why_not_tightened(change, Decimal(20)) is None) is fits


def test_of_a_secret_only_a_hash_is_kept_whatever_the_line_end() -> None:
    assert secret_hash("abc\n") == secret_hash("abc") != secret_hash("abd")
    assert "abc" not in secret_hash("abc")

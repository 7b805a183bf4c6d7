"""What an answer has to fit: the opening of an order, and the close, amendment and cancellation of a deal."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.domain.account import AffectedDeal, Confirm
from capcli.domain.identity import SentRequest, misfit
from capcli.domain.market import Side
from capcli.domain.order import Kind
from tests.domain.builders import NOW, an_order
from tests.domain.test_matching import ORDER, POSITION

D = Decimal
SECOND = timedelta(seconds=1)
OPENING = SentRequest(
    Kind.MARKET,
    NOW,
    an_order("1.5"),
    reference="o_1",
    baseline=frozenset({"old"}),
    owners={"o_0": "a_other", "order-0": "a_other", "deal-0": "a_other"},
)
CONFIRM = Confirm(
    deal_reference="o_1",
    accepted=True,
    status="OPEN",
    reason=None,
    epic="SILVER",
    order_id="order-1",
    deals=(AffectedDeal("new", "OPENED"),),
    level=D(30),
    size=D("1.5"),
    side=Side.BUY,
    at=NOW,
)


def deals(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"deals": tuple(AffectedDeal(*pair) for pair in pairs)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deal_reference": "o_1", "deals": ()},
        {"size": D(1)},
        {"size": None, "side": None, "epic": None, "at": None, "order_id": None},
        {"at": NOW - SECOND},
        {"epic": ""},
        {"size": D(0), "accepted": False, "deals": ()},
        deals(("old", "PARTIALLY_CLOSED")),
        deals(("old", "FULLY_CLOSED"), ("new", "OPENED")),
    ],
)
def test_a_confirmation_of_this_opening_fits(changes: dict[str, Any]) -> None:
    assert misfit(OPENING, replace(CONFIRM, **changes)) is None


@pytest.mark.parametrize(
    ("changes", "owner"),
    [
        ({"deal_reference": "o_2"}, None),
        ({"deal_reference": "o_0"}, "a_other"),
        ({"order_id": "order-0"}, "a_other"),
        (deals(("deal-0", "OPENED")), "a_other"),
        (deals(("old", "OPENED")), None),
        (deals(("stranger", "FULLY_CLOSED")), None),
        (deals(("stranger", "PARTIALLY_CLOSED"), ("new", "OPENED")), None),
        ({"order_id": "old"}, None),
        ({"epic": "GOLD"}, None),
        ({"side": Side.SELL}, None),
        ({"size": D("1.6")}, None),
        ({"at": NOW - 2 * SECOND}, None),
    ],
)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_confirmation_of_something_else_does_not(
    changes: dict[str, Any], owner: str | None, *, accepted: bool
) -> None:
    other = misfit(OPENING, replace(CONFIRM, accepted=accepted, **changes))
    assert other is not None
    assert other.attempt_id == owner
    assert other.why


@pytest.mark.parametrize("row", [POSITION, ORDER])
@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"size": D(1)}, True),
        ({"size": D(2)}, False),
        ({"epic": "GOLD"}, False),
        ({"side": Side.SELL}, False),
        ({"deal_id": "old"}, False),
        ({"deal_id": "deal-0"}, False),
    ],
)
def test_a_row_of_the_book_fits_or_not(row: Any, changes: dict[str, Any], *, fits: bool) -> None:
    assert (misfit(OPENING, replace(row, **changes)) is None) is fits


def test_a_row_that_is_older_than_the_send_does_not_fit() -> None:
    assert misfit(OPENING, replace(POSITION, opened_at=NOW - 2 * SECOND))
    assert misfit(OPENING, replace(ORDER, created_at=NOW - 2 * SECOND))


CLOSING = replace(CONFIRM, deal_reference="p_d", status="CLOSED", order_id="d", side=Side.SELL)
CLOSED = replace(CLOSING, **deals(("d", "FULLY_CLOSED")))
AMENDED = replace(CLOSED, status="AMENDED", **deals(("d", "AMENDED")))
DELETED = replace(CLOSED, deal_reference="o_9", status="DELETED", **deals(("d", "DELETED")))
NO = replace(CONFIRM, deal_reference="p_d", accepted=False, status="DELETED", order_id="d", deals=())
LONG_AGO = {"at": NOW - timedelta(days=30)}


@pytest.mark.parametrize(
    ("kind", "confirm", "changes", "fits"),
    [
        (Kind.CLOSE, CLOSED, {}, True),
        (Kind.CLOSE, CLOSED, {"order_id": None}, True),
        (Kind.CLOSE, CLOSED, {"deals": ()}, True),
        (Kind.CLOSE, CLOSED, {"deals": (), "order_id": None}, True),
        (Kind.CLOSE, CLOSED, {"deals": (), "order_id": None, "deal_reference": "p_x"}, False),
        (Kind.CLOSE, CLOSED, {"at": NOW - 2 * SECOND}, False),
        (Kind.CLOSE, CLOSED, {"at": None}, False),
        (Kind.CLOSE, CLOSED, {"order_id": "x", **deals(("x", "FULLY_CLOSED"))}, False),
        (Kind.CLOSE, CLOSED, {"status": "OPEN", **deals(("d", "OPENED"))}, False),
        (Kind.CLOSE, AMENDED, {}, False),
        (Kind.CLOSE, NO, {}, True),
        (Kind.CLOSE, NO, LONG_AGO, False),
        (Kind.CLOSE, NO, {"order_id": "x"}, False),
        (Kind.AMEND, AMENDED, {}, True),
        (Kind.AMEND, AMENDED, LONG_AGO, False),
        (Kind.AMEND, CLOSED, {}, False),
        (Kind.AMEND, NO, {}, True),
        (Kind.AMEND, NO, {"at": None}, False),
        (Kind.WORKING_UPDATE, AMENDED, {}, True),
        (Kind.WORKING_UPDATE, DELETED, {}, False),
        (Kind.CANCEL, DELETED, {}, True),
        (Kind.CANCEL, DELETED, LONG_AGO, True),
        (Kind.CANCEL, DELETED, {"at": None}, True),
        (Kind.CANCEL, DELETED, {"order_id": "x", **deals(("x", "DELETED"))}, False),
        (Kind.CANCEL, DELETED, {"status": "OPEN", **deals(("d", "OPENED"))}, False),
        (Kind.CANCEL, replace(NO, deal_reference="o_9"), {}, True),
        (Kind.CANCEL, replace(NO, deal_reference="o_9"), LONG_AGO, False),
    ],
)
def test_a_confirmation_of_a_change_fits_or_not(
    kind: Kind, confirm: Confirm, changes: dict[str, Any], *, fits: bool
) -> None:
    asked = SentRequest(kind, NOW, deal_id="d")
    assert (misfit(asked, replace(confirm, **changes)) is None) is fits


@pytest.mark.parametrize("kind", [Kind.CLOSE, Kind.AMEND, Kind.CANCEL])
def test_a_row_is_about_a_change_by_its_deal_id(kind: Kind) -> None:
    assert misfit(SentRequest(kind, NOW, deal_id="new"), POSITION) is None
    assert misfit(SentRequest(kind, NOW, deal_id="d"), POSITION) is not None

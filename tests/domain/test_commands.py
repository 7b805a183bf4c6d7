from datetime import UTC, datetime
from decimal import Decimal

import pytest

from capcli.domain.account import OrderType
from capcli.domain.commands import preview_command
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest, Trigger
from capcli.domain.stored_order import StoredOrder, read_order, write_order

D = Decimal
UNTIL = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def leg(form: ExitForm, value: str) -> ExitOrder:
    return ExitOrder(form, D(value))


WORKING = (
    "capcli preview SILVER --size 2 --at 27 --type limit --good-till 2026-03-04T12:00:00Z "
    "--stop 24.5 --limit-amount 30 --guaranteed"
)
ORDERS = [
    (OrderRequest("SILVER", Side.BUY, D("1.50")), None, "capcli preview SILVER --size 1.5"),
    (
        OrderRequest("GOLD", Side.SELL, D(1), stop=leg(ExitForm.DISTANCE, "9"), trailing=True),
        None,
        "capcli preview GOLD --size 1 --sell --stop-distance 9 --trailing",
    ),
    (
        OrderRequest(
            "SILVER",
            Side.BUY,
            D(2),
            stop=leg(ExitForm.LEVEL, "24.5"),
            limit=leg(ExitForm.AMOUNT, "30"),
            guaranteed=True,
            trigger=Trigger(D("27.0"), OrderType.LIMIT, UNTIL),
        ),
        OrderType.LIMIT,
        WORKING,
    ),
]


@pytest.mark.parametrize(("request_", "kind", "command"), ORDERS)
def test_the_proposed_command_makes_the_same_order(
    request_: OrderRequest, kind: OrderType | None, command: str
) -> None:
    assert preview_command(request_, kind) == command


@pytest.mark.parametrize(("request_", "kind", "_command"), ORDERS)
def test_an_order_comes_back_from_the_journal_digit_by_digit(
    request_: OrderRequest, kind: OrderType | None, _command: str
) -> None:
    order = StoredOrder(request_, kind, D("30.020"), D("24.50"), None)
    back = read_order(write_order(order))
    assert back == order
    assert (str(back.request.size), str(back.entry)) == (str(request_.size), "30.020")

"""Answers are short: no absent values, the usual fields of a row, a budget, and a cursor to the rest."""

from typing import Any

import pytest

from capcli.account.portfolio import OrdersFound
from capcli.errors import UsageError
from capcli.mcp.compact import BUDGET, Listing, without_absent
from capcli.render.envelope import encode
from tests.mcp.conftest import Assistant
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

ORDERS = Listing(OrdersFound, ("deal_id", "epic"), identity=("deal_id",))


def found(count: int, **more: Any) -> dict[str, Any]:
    rows = [{"deal_id": f"D{at:04}", "epic": "GOLD" + "X" * 40, "level": at} for at in range(count)]
    return {"orders": rows, "unreadable": [], **more}


def test_a_long_list_goes_on_from_its_cursor_without_a_gap() -> None:
    told, cursor, answers = [], None, 0
    while answers == 0 or cursor:
        answer = ORDERS.requested(cursor=cursor).cut(found(1000))
        assert len(encode(answer)) <= BUDGET
        told += [row["deal_id"] for row in answer["orders"]]
        assert answer.get("left", 0) == 1000 - len(told)
        cursor, answers = answer.get("cursor"), answers + 1
    assert told == [row["deal_id"] for row in found(1000)["orders"]]
    assert answers > 2


def test_more_than_the_budget_is_told_only_where_it_was_asked_for() -> None:
    assert len(ORDERS.requested(most=900).cut(found(1000))["orders"]) == 900
    assert set(ORDERS.cut(found(1))["orders"][0]) == {"deal_id", "epic"}
    assert set(ORDERS.requested(["*"]).cut(found(1))["orders"][0]) == {"deal_id", "epic", "level"}
    assert ORDERS.requested(["level"]).cut(found(2))["orders"] == [{"level": 0}, {"level": 1}]


def test_a_row_that_came_or_went_elsewhere_moves_no_cursor() -> None:
    first = ORDERS.requested(most=3).cut(found(6))
    later = found(6)
    later["orders"] = [{"deal_id": "D9999", "epic": "US100", "level": 1}, *later["orders"][2:]]
    rest = ORDERS.requested(most=9, cursor=first["cursor"]).cut(later)
    assert [row["deal_id"] for row in rest["orders"]] == ["D0003", "D0004", "D0005"]
    later["orders"] = [row for row in later["orders"] if row["deal_id"] != "D0002"]
    with pytest.raises(UsageError, match="no longer in the list"):
        ORDERS.requested(cursor=first["cursor"]).cut(later)


def test_rows_that_are_alike_are_each_told_once() -> None:
    alike = {"orders": [{"deal_id": "D", "epic": "GOLD"}] * 5, "unreadable": []}
    first = Listing(OrdersFound).requested(most=2).cut(alike)
    rest = Listing(OrdersFound).requested(most=9, cursor=first["cursor"]).cut(alike)
    assert (first["left"], len(rest["orders"])) == (3, 3)


@pytest.mark.parametrize("cursor", ["", "x", "!!", "A" * 18, "\u2603"])
def test_a_cursor_that_nobody_gave_is_refused(cursor: str) -> None:
    with pytest.raises(UsageError, match="cursor"):
        ORDERS.requested(cursor=cursor).cut(found(3))


def test_what_is_absent_is_left_out_but_not_in_a_table() -> None:
    table = {"columns": ["a", "b"], "rows": [[1, None]]}
    assert without_absent({"x": None, "y": {"z": None}, "rows": table}) == {"y": {}, "rows": table}


async def test_fields_are_refused_before_anything_is_read(ask: Assistant, seat: Seat) -> None:
    said = await ask("cap_trade_positions_list", fields=["epic", "colour"])
    assert "fields: there is no field colour; there are: deal_id, epic" in said.text
    assert seat.tap.requests == []


async def test_fields_of_candles_are_columns(ask: Assistant) -> None:
    said = await ask.works("cap_market_prices", epic="GOLD", max=2, fields="time,ask_close")
    assert said["candles"]["columns"] == ["time", "ask_close"]
    assert all(len(row) == 2 for row in said["candles"]["rows"])


async def test_events_go_on_from_a_row_of_their_own(ask: Assistant, seat: Seat) -> None:
    start = (await ask.works("cap_events"))["cursor"]
    for _ in range(3):
        seat.open()
    page = await ask.works("cap_events", cursor=start, max=2, fields=["kind", "cursor"])
    assert [row[0] for row in page["events"]["rows"]] == ["filled", "filled"]
    assert (page["cursor"], page["left"]) == (page["events"]["rows"][-1][1], 1)
    rest = await ask.works("cap_events", cursor=page["cursor"])
    assert len(rest["events"]["rows"]) == 1
    assert (await ask.works("cap_events", cursor=rest["cursor"]))["events"]["rows"] == []
    assert "is not a cursor" in (await ask("cap_events", cursor="x")).data["error"]["message"]

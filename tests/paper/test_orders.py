import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from tests.paper.client import Client

FORM = {"epic": "SILVER", "direction": "BUY", "size": 1, "type": "LIMIT", "level": 20}


def test_an_order_is_listed_with_signed_distances_whatever_was_sent(client):
    deal = client.order(level=20, stopLevel=17, profitLevel=23)
    (order,) = client.orders()
    assert order["dealId"] == deal
    assert (order["stopDistance"], order["profitDistance"]) == (-3, 3)
    assert order["timeInForce"] == "GOOD_TILL_CANCELLED"
    assert (order["orderLevel"], order["orderSize"], order["currencyCode"]) == (20, 1, "USD")
    assert not {"stopLevel", "profitLevel", "goodTillDate", "dealReference"} & set(order)


def test_distances_of_a_sale_are_mirrored(client):
    client.order(direction="SELL", level=50, stopDistance=3, profitDistance=2)
    (order,) = client.orders()
    assert (order["stopDistance"], order["profitDistance"]) == (3, -2)


def test_the_market_stands_under_its_own_key(client):
    client.order(level=20)
    (row,) = client.get("/workingorders").json["workingOrders"]
    assert set(row) == {"workingOrderData", "marketData"}


def test_a_creation_is_confirmed_with_the_order_as_the_deal(client):
    answer = client.post("/workingorders", **FORM)
    confirm = client.confirm(answer)
    assert (confirm["status"], confirm["dealStatus"]) == ("OPEN", "ACCEPTED")
    assert confirm["dealId"] == client.orders()[0]["dealId"] == confirm["affectedDeals"][0]["dealId"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"type": None}, "error.null.type"),
        ({"type": "MARKET"}, "error.invalid.type"),
        ({"level": None}, "error.null.level"),
        ({"level": 50}, "error.validation.limit.price"),
        ({"type": "STOP", "level": 20}, "error.validation.stop.price"),
        ({"direction": "SELL", "type": "STOP", "level": 50}, "error.validation.stop.price"),
        ({"goodTillDate": "2020-06-09T01:01:00"}, "error.not-in-future.goodTillDate"),
        ({"goodTillDate": "2026-12-09T01:01:00Z"}, "error.invalid.daterange"),
        ({"size": 0.01}, "error.invalid.size.minvalue: 0.1"),
        ({"size": 1e30}, "error.invalid.size.maxvalue: 100000"),
        ({"size": 1e-30}, "error.invalid.size.minvalue: 0.1"),
        ({"stopLevel": 17, "stopAmount": 1}, "error.validation.stop"),
    ],
)
def test_refusals(client, form, code):
    answer = client.post("/workingorders", **{**FORM, **form})
    assert (answer.status, answer.code) == (400, code)
    assert client.orders() == []


@pytest.mark.parametrize(
    ("direction", "leg", "away", "beyond"),
    [
        ("BUY", "stop", "-0.0001", 1000),
        ("BUY", "stop", "-0.6", 1),
        ("BUY", "profit", "0.0001", 1),
        ("BUY", "profit", "0.6", 1000),
        ("SELL", "stop", "0.0001", 1),
        ("SELL", "stop", "0.6", 1000),
        ("SELL", "profit", "-0.0001", 1000),
        ("SELL", "profit", "-0.6", 1),
    ],
)
def test_bounds_lie_a_percentage_of_the_quote_away_from_the_level(client, direction, leg, away, beyond):
    bid, offer = client.quote()
    level, closing = (25, bid) if direction == "BUY" else (40, offer)
    form = {**FORM, "direction": direction, "level": level}
    refused = client.post("/workingorders", **form, **{f"{leg}Level": beyond})
    bound = Decimal(refused.code.split(": ")[1])
    inward = bound - (level + Decimal(away) * closing)  # onto the grid, into what is allowed
    assert abs(inward) < Decimal("0.001")
    assert inward == 0 or (inward > 0) == ("minvalue" in refused.code)
    client.order(**form, **{f"{leg}Level": bound})
    assert client.orders()[0][f"{leg}Distance"] == bound - level


def test_no_bound_of_a_low_order_is_below_the_lowest_price(client):
    refused = client.post("/workingorders", **{**FORM, "level": 5}, stopLevel=-1)
    assert refused.code == "error.invalid.stoploss.minvalue: 0.001"


def test_a_date_makes_it_good_till_that_date(client):
    client.order(level=20, goodTillDate="2026-12-09T01:01:00")
    (order,) = client.orders()
    assert order["timeInForce"] == "GOOD_TILL_DATE"
    assert order["goodTillDateUTC"] == "2026-12-09T01:01:00.000"
    assert order["goodTillDate"] == "2026-12-09T04:01:00.000"


def test_an_amendment_keeps_what_it_omits_but_for_the_flags(client):
    deal = client.order(level=20, stopDistance=3, profitDistance=2, guaranteedStop=True)
    answer = client.put(f"/workingorders/{deal}", level=19)
    assert answer.json["dealReference"].startswith("o_")
    assert client.confirm(answer)["status"] == "AMENDED"
    (order,) = client.orders()
    assert (order["orderLevel"], order["stopDistance"], order["profitDistance"]) == (19, -3, 2)
    assert order["guaranteedStop"] is False


def test_levels_off_the_grid_are_put_on_it_and_stay_where_they_are(client):
    deal = client.order(
        level=20.000400000000003, stopLevel=17.000600000000002, profitLevel=22.999600000000001
    )
    for change in ({"goodTillDate": "2026-12-09T01:01:00"}, {"stopLevel": 17.0012}, {"level": 20.0004}):
        (order,) = client.orders()
        assert order["orderLevel"] == 20
        assert order["stopDistance"] == Decimal("-2.999")
        assert order["profitDistance"] == 3
        assert client.put(f"/workingorders/{deal}", **change).status == 200


def test_a_level_that_the_grid_makes_zero_is_refused(client):
    answer = client.post("/workingorders", **{**FORM, "level": 0.0004})
    assert (answer.status, answer.code) == (400, "error.invalid.level")


@pytest.mark.parametrize("form", ["Level", "Distance", "Amount"])
@pytest.mark.parametrize(("gone", "left"), [("stop", "profit"), ("profit", "stop")])
def test_null_removes_a_leg_and_leaves_the_other(client, form, gone, left):
    deal = client.order(level=20, stopDistance=3, profitDistance=2)
    (before,) = client.orders()
    assert client.put(f"/workingorders/{deal}", **{f"{gone}{form}": None}).status == 200
    (order,) = client.orders()
    assert f"{gone}Distance" not in order
    assert order[f"{left}Distance"] == before[f"{left}Distance"]


def test_null_beside_another_form_of_the_same_leg_removes_nothing(client):
    deal = client.order(level=20, stopDistance=3, profitDistance=2)
    client.put(f"/workingorders/{deal}", stopLevel=None, stopDistance=4)
    assert client.orders()[0]["stopDistance"] == -4


def test_a_guarantee_of_a_stop_that_null_removes_is_refused(client):
    deal = client.order(level=20, stopDistance=3)
    answer = client.put(f"/workingorders/{deal}", guaranteedStop=True, stopLevel=None)
    assert (answer.status, answer.code) == (400, "error.validation.guaranteed-stop")
    assert client.orders()[0]["stopDistance"] == -3


def test_a_trailing_flag_falls_back_to_a_fixed_stop(client):
    deal = client.order(level=20, stopDistance=3, trailingStop=True)
    assert client.orders()[0]["trailingStop"] is True
    assert client.orders()[0]["stopDistance"] == -3
    client.put(f"/workingorders/{deal}", profitDistance=2)
    assert client.orders()[0]["trailingStop"] is False
    assert client.orders()[0]["stopDistance"] == -3


def test_a_good_till_date_stays_until_it_is_cancelled(client):
    deal = client.order(level=20, goodTillDate="2026-12-09T01:01:00")
    client.put(f"/workingorders/{deal}", level=21)
    assert client.orders()[0]["timeInForce"] == "GOOD_TILL_DATE"
    client.put(f"/workingorders/{deal}", timeInForce="GOOD_TILL_CANCELLED")
    assert client.orders()[0]["timeInForce"] == "GOOD_TILL_CANCELLED"


def test_a_cancelled_order_is_gone(client):
    deal = client.order(level=20)
    answer = client.delete(f"/workingorders/{deal}")
    assert client.confirm(answer)["status"] == "DELETED"
    assert client.orders() == []
    for again in (client.delete(f"/workingorders/{deal}"), client.put(f"/workingorders/{deal}", level=19)):
        assert (again.status, again.code) == (404, "error.not-found.dealId")


def test_a_suspended_market_rejects_the_order(client):
    confirm = client.confirm(client.post("/workingorders", **{**FORM, "epic": "BWMN", "level": 3}))
    assert (confirm["dealStatus"], confirm["rejectReason"]) == ("REJECTED", "CLOSED_MARKET")
    assert client.orders() == []


def test_an_order_expires_on_time(client):
    deal = client.order(level=20, goodTillDate="2026-11-20T15:35:00")
    client.now = client.now.replace(minute=34, second=59)
    assert len(client.orders()) == 1
    client.now = client.now.replace(minute=35, second=0)
    assert client.orders() == []
    (row,) = [row for row in client.activity() if row["status"] == "EXPIRED"]
    assert (row["dealId"], row["source"], row["dateUTC"]) == (deal, "SYSTEM", "2026-11-20T15:35:00.000")


def near(client: Client, direction: str, kind: str, steps: int = 8) -> Decimal:
    bid, offer = client.quote()
    distance = Decimal(steps) / 1000
    if direction == "BUY":
        return offer - distance if kind == "LIMIT" else offer + distance
    return bid + distance if kind == "LIMIT" else bid - distance


@pytest.mark.parametrize("direction", ["BUY", "SELL"])
@pytest.mark.parametrize("kind", ["LIMIT", "STOP"])
def test_an_order_fills_when_the_price_reaches_its_level(client, direction, kind):
    level = near(client, direction, kind, steps=5)
    deal = client.order(direction=direction, type=kind, level=level)
    for _ in range(9_000):
        client.wait(seconds=1)
        bid, offer = client.quote()
        price = offer if direction == "BUY" else bid
        reached = price <= level if (kind == "LIMIT") == (direction == "BUY") else price >= level
        assert bool(client.positions()) == reached
        if reached:
            break
    (position,) = client.positions()
    assert position["workingOrderId"] == deal != position["dealId"]
    assert position["level"] == level
    assert client.orders() == []


def test_a_fill_shows_in_activity_as_two_rows_of_one_instant(client):
    deal = client.order(level=near(client, "BUY", "LIMIT"))
    client.wait(hours=6)
    client.login()
    (position,) = client.positions()
    rows = [row for row in client.activity() if row["dateUTC"] == position["createdDateUTC"]]
    assert {(row["type"], row["status"], row["source"], row["dealId"]) for row in rows} == {
        ("WORKING_ORDER", "EXECUTED", "USER", deal),
        ("POSITION", "ACCEPTED", "USER", position["dealId"]),
    }
    (opening,) = [row for row in rows if row["type"] == "POSITION"]
    assert opening["details"]["workingOrderId"] == deal


def test_a_filled_order_brings_its_stop_and_profit(client):
    level = near(client, "BUY", "LIMIT")
    client.order(level=level, stopDistance=5, profitDistance=4)
    client.wait(hours=6)
    client.login()
    (position,) = client.positions()
    assert (position["stopLevel"], position["profitLevel"]) == (level - 5, level + 4)


def test_an_order_that_nets_passes_no_stop_on(client):
    long = client.buy(size=1, stopDistance=6)
    client.order(direction="SELL", type="LIMIT", level=near(client, "SELL", "LIMIT"), size=3, stopDistance=5)
    client.wait(hours=6)
    client.login()
    (position,) = client.positions()
    assert (position["direction"], position["size"]) == ("SELL", 2)
    assert position["dealId"] != long
    assert "stopLevel" not in position


def test_an_order_without_funds_is_rejected_when_it_triggers(client):
    client.order(level=near(client, "BUY", "LIMIT"), size=50_000)
    client.wait(hours=6)
    client.login()
    assert client.orders() == client.positions() == []
    assert "REJECTED" in [row["status"] for row in client.activity()]


def test_the_distances_that_are_listed_can_be_sent_back(client):
    for direction, level in (("BUY", 20), ("SELL", 50)):
        deal = client.order(direction=direction, level=level, stopDistance=3, profitDistance=2)
        before = client.orders()[-1]
        listed = {name: before[name] for name in ("stopDistance", "profitDistance")}
        assert client.put(f"/workingorders/{deal}", **listed).status == 200
        assert client.orders()[-1] == before


@pytest.mark.parametrize(
    ("direction", "level", "field"),
    [
        ("BUY", 20, "profitDistance"),
        ("SELL", 50, "stopDistance"),
        ("BUY", 20, "stopAmount"),
        ("BUY", 20, "profitAmount"),
        ("SELL", 50, "profitAmount"),
    ],
)
def test_a_sign_that_no_order_is_listed_with_is_refused(client, direction, level, field):
    answer = client.post("/workingorders", **{**FORM, "direction": direction, "level": level, field: -3})
    assert answer.status == 400
    assert answer.code.startswith(("error.invalid.stoploss.", "error.invalid.takeprofit."))
    assert client.orders() == []


def test_a_number_may_come_as_a_text(client):
    deal = client.post("/workingorders", **{**FORM, "size": "3", "level": "20"})
    assert deal.status == 200
    (row,) = client.orders()
    assert row["orderSize"] == 3
    assert client.put(f"/workingorders/{row['dealId']}", level="19").status == 200


def references(client: Client, deal: str) -> dict[str, str]:
    rows = [row for row in client.activity() if row["dealId"] == deal]
    return {row["status"]: row["details"]["dealReference"] for row in rows}


def test_what_became_of_an_order_names_the_reference_that_made_it(client):
    expiring = client.post("/workingorders", **FORM, goodTillDate="2026-11-20T16:00:00").json["dealReference"]
    level = near(client, "BUY", "LIMIT")
    filling, refused = (
        client.post("/workingorders", **{**FORM, "level": level, "size": size}).json["dealReference"]
        for size in (1, 50_000)
    )
    expired, filled, rejected = (row["dealId"] for row in client.orders())
    client.put(f"/workingorders/{expired}", level=19)
    client.wait(hours=6)
    client.login()
    rows = references(client, expired)
    assert rows["EXPIRED"] == rows["ACCEPTED"] == expiring != rows["MODIFIED"]
    assert references(client, filled)["EXECUTED"] == filling
    assert references(client, rejected)["REJECTED"] == refused


def test_an_order_without_its_first_row_still_expires(client):
    client.order(level=20, goodTillDate="2026-11-20T16:00:00")
    with closing(sqlite3.connect(client.path)) as db:
        db.execute("DELETE FROM activity")
        db.commit()
    client.wait(hours=1)
    client.login()
    assert [row["status"] for row in client.activity()] == ["EXPIRED"]

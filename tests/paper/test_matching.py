"""What bites: funds, closed markets, hedging, guaranteed stops, and a confirm for every kind of deal."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from capcli.paper import state
from tests.paper.client import SATURDAY, Client

CENT = Decimal("0.01")


def hedge(client: Client) -> None:
    assert client.put("/accounts/preferences", hedgingMode=True).status == 200


def sent(client: Client, **body: object) -> dict:
    """The confirm of a market order."""
    return client.confirm(
        client.post("/positions", **{"epic": "SILVER", "direction": "BUY", "size": 1, **body})
    )


# Funds.


def test_the_largest_affordable_size_is_accepted_and_one_step_more_is_not(client):
    bid, offer = client.quote()
    per_unit = (bid + offer) / 2 / 10 + (offer - bid)
    most = (10_000 / per_unit).quantize(Decimal("0.1"), "ROUND_DOWN")
    refused = sent(client, size=most + Decimal("0.1"))
    assert (refused["dealStatus"], refused["rejectReason"]) == ("REJECTED", "RC_NOT_ENOUGH_MARGIN")
    client.wait(seconds=-0.5)
    assert sent(client, size=most)["dealStatus"] == "ACCEPTED"


def test_who_is_short_of_margin_already_fails_the_risk_check(client):
    client.buy(size=3000)
    assert client.balance()["available"] > 0
    client.put("/accounts/preferences", leverages={"COMMODITIES": 1})
    assert sent(client)["dealStatus"] == "ACCEPTED"
    for _ in range(400):
        if client.balance()["available"] < 0:
            break
        client.wait(hours=1)
        client.login()
    assert client.balance()["available"] < 0
    assert sent(client, epic="GOLD", size=1)["rejectReason"] == "RISK_CHECK"


def test_a_rejected_reversal_leaves_the_row_as_it_was(client):
    deal = client.buy(size=2)
    before = client.balance()
    confirm = sent(client, direction="SELL", size=50_000)
    assert confirm["rejectReason"] == "RC_NOT_ENOUGH_MARGIN"
    client.wait(seconds=-0.5)
    assert [(p["dealId"], p["size"]) for p in client.positions()] == [(deal, 2)]
    assert client.balance() == before


def test_a_reduction_needs_no_funds(client):
    client.buy(size=3000)
    client.put("/accounts/preferences", leverages={"COMMODITIES": 1})
    assert sent(client, direction="SELL", size=1000)["dealStatus"] == "ACCEPTED"


# Closed markets.


def test_a_closed_market_can_answer_with_a_sentence_instead(client):
    client.now = SATURDAY
    client.login()
    state.set_fault(client.path, "closed-text", at=client.now)
    answer = client.post("/positions", epic="GBPUSD", direction="BUY", size=100)
    assert (answer.status, answer.code) == (400, "GBP/USD is currently closed for trading.")
    order = client.post("/workingorders", epic="BWMN", direction="BUY", size=1, type="LIMIT", level=3)
    assert (order.status, "currently closed" in order.code) == (400, True)
    assert sent(client)["dealStatus"] == "ACCEPTED"
    assert {row["epic"] for row in client.activity()} == {"SILVER"}


# Hedging.


def test_a_hedging_account_holds_both_sides_of_a_market(client):
    hedge(client)
    long = client.buy(size=2)
    confirm = sent(client, direction="SELL", size=3)
    assert (confirm["status"], [row["status"] for row in confirm["affectedDeals"]]) == ("OPEN", ["OPENED"])
    rows = [(p["dealId"], p["direction"], p["size"]) for p in client.positions()]
    assert rows == [(long, "BUY", 2), (confirm["affectedDeals"][0]["dealId"], "SELL", 3)]


def test_both_sides_of_a_hedge_need_their_margin(client):
    hedge(client)
    client.buy(size=10)
    client.sell(size=10)
    balance, (bid, offer) = client.balance(), client.quote()
    margin = ((bid + offer) / 2 * 20 / 10).quantize(CENT)
    assert balance["balance"] - balance["available"] == margin
    assert balance["profitLoss"] == (bid - offer) * 20


def test_a_working_order_of_a_hedging_account_opens_beside_and_keeps_its_stop(client):
    hedge(client)
    client.buy(size=1)
    level = client.quote()[0] + Decimal("0.008")
    client.order(direction="SELL", type="LIMIT", level=level, size=3, stopDistance=5)
    client.wait(hours=6)
    client.login()
    assert [(p["direction"], p["size"], p.get("stopLevel")) for p in client.positions()] == [
        ("BUY", 1, None),
        ("SELL", 3, level + 5),
    ]


@pytest.mark.parametrize("url", ["/positions", "/workingorders"])
def test_a_hedging_account_has_no_guaranteed_stops(client, url):
    hedge(client)
    form = {"epic": "SILVER", "direction": "BUY", "size": 1, "stopDistance": 3, "guaranteedStop": True}
    order = {"type": "LIMIT", "level": 20} if url == "/workingorders" else {}
    answer = client.post(url, **form, **order)
    assert (answer.status, answer.code) == (400, "error.validation.guaranteed-stop")
    deal = client.buy()
    assert client.put(f"/positions/{deal}", stopDistance=3, guaranteedStop=True).status == 400


def test_an_order_with_a_guaranteed_stop_is_rejected_once_the_account_hedges(client):
    level = client.quote()[1] - Decimal("0.008")
    deal = client.order(level=level, stopDistance=3, guaranteedStop=True)
    hedge(client)
    client.wait(hours=6)
    client.login()
    assert client.positions() == client.orders() == []
    assert [row["status"] for row in client.activity() if row["dealId"] == deal] == ["REJECTED", "ACCEPTED"]


# Guaranteed and trailing stops.


def test_the_nearest_guaranteed_stop_is_the_number_in_the_refusal(client):
    form = {"epic": "SILVER", "direction": "BUY", "size": 1, "guaranteedStop": True}
    bid, _ = client.quote()
    refused = client.post("/positions", **form, stopLevel=bid - Decimal("0.1"))
    bound = Decimal(refused.code.split(": ")[1])
    assert refused.code.startswith("error.invalid.stoploss.maxvalue: ")
    assert bound <= bid * Decimal("0.98") < bound + Decimal("0.001")
    assert client.post("/positions", **form, stopLevel=bound + Decimal("0.001")).status == 400
    assert client.post("/positions", **form, stopLevel=bound).status == 200


def test_a_guaranteed_stop_that_fires_costs_no_premium(client):
    client.sell("NATURALGAS", 1000, stopDistance=Decimal("0.1"), guaranteedStop=True)
    (position,) = client.positions()
    for _ in range(400):
        client.wait(hours=6)
        client.login()
        if not client.positions():
            break
    (row,) = [row for row in client.activity() if row["source"] == "SL"]
    assert (row["details"]["level"], row["details"]["guaranteedStop"]) == (position["stopLevel"], True)
    with closing(sqlite3.connect(client.path)) as db:
        kinds = {kind for (kind,) in db.execute("SELECT type FROM transactions")}
    assert kinds - {"SWAP"} == {"DEPOSIT", "TRADE"}


def test_an_account_can_demand_guaranteed_stops_and_want_them_restated(client):
    """API page 15, 33: the code is the broker's, double l and all."""
    code = "error.vallidation.guaranteed-stop-loss.required"
    deal = client.buy(stopDistance=3, guaranteedStop=True)
    state.set_fault(client.path, "stop-demanded", at=client.now, times=3)
    for answer in (
        client.post("/positions", epic="SILVER", direction="BUY", size=1, stopDistance=3),
        client.post("/workingorders", epic="SILVER", direction="BUY", size=1, type="LIMIT", level=20),
        client.put(f"/positions/{deal}", stopDistance=3),
    ):
        assert (answer.status, answer.code) == (400, code)
    state.set_fault(client.path, "stop-demanded", at=client.now)
    assert client.put(f"/positions/{deal}", stopDistance=3, guaranteedStop=True).status == 200
    assert client.delete(f"/positions/{deal}").status == 200


def test_a_guarantee_that_is_not_restated_is_gone(client):
    deal = client.buy(stopDistance=3, guaranteedStop=True)
    client.put(f"/positions/{deal}", stopDistance=3)
    assert client.positions()[0]["guaranteedStop"] is False
    client.put(f"/positions/{deal}", stopDistance=3, guaranteedStop=True)
    assert client.positions()[0]["guaranteedStop"] is True


def test_a_trailing_stop_takes_the_place_of_a_fixed_one_and_the_reverse(client):
    deal = client.buy(stopDistance=3)
    bid, _ = client.quote()
    client.put(f"/positions/{deal}", trailingStop=True, stopDistance=1)
    (row,) = client.positions()
    assert (row["stopLevel"], row["trailingStop"], row["stopDistance"]) == (bid - 1, True, 1)
    client.put(f"/positions/{deal}", stopLevel=bid - 2)
    (row,) = client.positions()
    assert row["stopLevel"] == bid - 2
    assert not {"trailingStop", "stopDistance"} & {*row}


def test_a_trailing_stop_survives_a_restart(client):
    client.buy(trailingStop=True, stopDistance=0.5)
    client.wait(hours=2)
    client.login()
    before = client.positions()
    again = Client(client.path, client.now)
    again.login()
    assert again.positions() == before


# A confirm for every kind of deal.


def test_every_kind_of_deal_has_its_confirm(client):
    row = client.buy(size=3)
    order = client.order(level=20)
    amend_row = client.confirm(client.put(f"/positions/{row}", stopDistance=3))
    amend_order = client.confirm(client.put(f"/workingorders/{order}", level=21))
    delete_order = client.confirm(client.delete(f"/workingorders/{order}"))
    reduce = sent(client, direction="SELL", size=1)
    reverse = sent(client, direction="SELL", size=5)
    close = client.confirm(client.delete(f"/positions/{reverse['affectedDeals'][-1]['dealId']}"))
    shown = [
        (c["status"], c["dealStatus"], [deal["status"] for deal in c["affectedDeals"]])
        for c in (amend_row, amend_order, delete_order, reduce, reverse, close)
    ]
    assert shown == [
        ("AMENDED", "ACCEPTED", ["AMENDED"]),
        ("AMENDED", "ACCEPTED", ["AMENDED"]),
        ("DELETED", "ACCEPTED", ["DELETED"]),
        ("PARTIALLY_CLOSED", "ACCEPTED", ["PARTIALLY_CLOSED"]),
        ("OPEN", "ACCEPTED", ["FULLY_CLOSED", "OPENED"]),
        ("CLOSED", "ACCEPTED", ["FULLY_CLOSED"]),
    ]
    assert amend_order["dealId"] == delete_order["dealId"] == order
    assert amend_row["dealReference"] == f"p_{row}"


def test_a_cancelled_order_no_longer_answers_and_neither_does_a_filled_one(client):
    """Already cancelled or already filled: both are 404 (API page 6.5)."""
    filled = client.order(level=client.quote()[1] - Decimal("0.008"))
    client.wait(hours=6)
    client.login()
    assert client.delete(f"/workingorders/{filled}").code == "error.not-found.dealId"
    assert client.positions()[0]["workingOrderId"] == filled


# What API page 15 says of orders and positions.


def test_two_working_orders_do_not_cancel_each_other(client):
    """No OCO: the orphan of a pair opens a reverse position (API page 15, 39 and 40)."""
    client.buy(size=1)
    bid, _ = client.quote()
    client.order(direction="SELL", type="LIMIT", level=bid + Decimal("0.008"))
    client.order(direction="SELL", type="STOP", level=bid - Decimal("0.3"))
    for _ in range(400):
        client.wait(hours=6)
        client.login()
        if not client.orders():
            break
    assert [(p["direction"], p["size"]) for p in client.positions()] == [("SELL", 1)]


def test_the_reference_of_an_opening_shows_in_no_list(client):
    answer = client.post("/positions", epic="SILVER", direction="BUY", size=1)
    assert answer.json["dealReference"] not in client.get("/positions").text


def test_an_opening_leaves_three_rows_of_one_instant(client):
    """The hidden order shows as WORKING_ORDER activity (API pages 9.1, 15)."""
    deal = client.buy()
    (position,) = client.positions()
    rows = {(row["type"], row["source"], row["status"], row["dealId"]) for row in client.activity()}
    assert rows == {
        ("POSITION", "USER", "ACCEPTED", deal),
        ("WORKING_ORDER", "SYSTEM", "ACCEPTED", position["workingOrderId"]),
        ("WORKING_ORDER", "USER", "ACCEPTED", position["workingOrderId"]),
    }
    assert len({row["dateUTC"] for row in client.activity()}) == 1


def test_a_minimal_step_is_not_the_size_grid(client):
    """minStepDistance is a price step (API page 15, 20)."""
    assert client.post("/positions", epic="BTCUSD", direction="BUY", size=0.001).status == 200
    assert (
        client.post("/positions", epic="BTCUSD", direction="BUY", size=0.00015).code == "error.invalid.size"
    )


def test_a_body_without_leverage_or_level_fields_ignores_what_it_does_not_know(client):
    """IG's fields (level, orderType, forceOpen, currencyCode) mean nothing here (API page 6.4)."""
    _, offer = client.quote()
    client.buy(level=1, orderType="LIMIT", forceOpen=True, currencyCode="EUR")
    assert client.positions()[0]["level"] == offer

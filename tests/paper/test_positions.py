from decimal import Decimal

import pytest

from capcli.paper import state
from capcli.paper.messages import Request
from tests.paper.client import SATURDAY, Client

BUY = {"epic": "SILVER", "direction": "BUY", "size": 1}
STEP = Decimal("0.001")


def rejection(client: Client, **form: object) -> str:
    confirm = client.confirm(client.post("/positions", **form))
    assert confirm["dealStatus"] == "REJECTED"
    assert (confirm["status"], confirm["affectedDeals"]) == ("DELETED", [])
    assert (confirm["level"], confirm["affectedDeals"]) == (0, [])
    return confirm["rejectReason"]


def test_an_opening_fills_at_the_offer_and_is_confirmed_under_two_ids(client):
    bid, offer = client.quote()
    answer = client.post("/positions", **{**BUY, "size": 1.5})
    confirm = client.confirm(answer)
    assert (confirm["status"], confirm["dealStatus"], confirm["level"]) == ("OPEN", "ACCEPTED", offer)
    assert answer.json["dealReference"].startswith("o_")
    assert "reason" not in confirm  # API page 18.22
    (position,) = client.positions()
    assert confirm["affectedDeals"] == [{"dealId": position["dealId"], "status": "OPENED"}]
    assert confirm["dealId"] == position["workingOrderId"] != position["dealId"]
    assert position["dealReference"] == f"p_{position['dealId']}"
    assert (position["size"], position["level"], position["leverage"]) == (Decimal("1.5"), offer, 10)
    assert position["upl"] == (client.quote()[0] - offer) * Decimal("1.5")
    assert not {"stopLevel", "profitLevel", "trailingStop", "stopDistance"} & set(position)
    assert client.get(f"/positions/{position['dealId']}").json["position"] == position
    assert bid == offer - Decimal("0.02")


def test_a_sale_fills_at_the_bid(client):
    bid, _ = client.quote()
    client.sell()
    assert client.positions()[0]["level"] == bid


def test_created_dates_have_a_local_twin_three_hours_ahead(client):
    client.buy()
    (position,) = client.positions()
    assert position["createdDateUTC"] == "2026-11-20T15:30:00.000"
    assert position["createdDate"] == "2026-11-20T18:30:00.000"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"epic": "NOPE"}, "error.invalid.epic"),
        ({"epic": "silver"}, "error.invalid.epic"),
        ({"direction": "UP"}, "error.invalid.direction"),
        ({"direction": None}, "error.null.direction"),
        ({"size": None}, "error.null.size"),
        ({"size": "many"}, "error.invalid.size"),
        ({"size": 0.05}, "error.invalid.size.minvalue: 0.1"),
        ({"size": -1}, "error.invalid.size.minvalue: 0.1"),
        ({"size": 100001}, "error.invalid.size.maxvalue: 100000"),
        ({"size": 1e30}, "error.invalid.size.maxvalue: 100000"),
        ({"size": 1e-30}, "error.invalid.size.minvalue: 0.1"),
        ({"size": -1e30}, "error.invalid.size.minvalue: 0.1"),
        ({"size": "Infinity"}, "error.invalid.size"),
        ({"size": "NaN"}, "error.invalid.size"),
        ({"size": 1.05}, "error.invalid.size"),
        ({"stopLevel": 20, "stopDistance": 1}, "error.validation.stop"),
        ({"profitLevel": 50, "profitAmount": 1}, "error.validation.profit"),
        ({"guaranteedStop": True, "trailingStop": True, "stopDistance": 3}, "error.validation.stop"),
        ({"guaranteedStop": True}, "error.validation.guaranteed-stop"),
        ({"trailingStop": True, "stopLevel": 20}, "error.validation.trailing-stop"),
        ({"epic": "AAPL", "trailingStop": True, "stopDistance": 20}, "error.validation.trailing-stop"),
    ],
)
def test_refusals(client, form, code):
    answer = client.post("/positions", **{**BUY, **form})
    assert (answer.status, answer.code) == (400, code)
    assert client.positions() == []


def test_a_body_that_is_not_json_is_refused(client):
    answer = client.send("POST", "/positions", [1])
    assert answer.status == 400
    assert answer.code.startswith("error.invalid")


@pytest.mark.parametrize("direction", ["BUY", "SELL"])
@pytest.mark.parametrize("name", ["stop", "profit"])
def test_the_bound_in_a_refusal_is_itself_allowed(client, direction, name):
    form = {**BUY, "direction": direction}
    for level in (1, 1000):
        refused = client.post("/positions", **form, **{f"{name}Level": level})
        wording = "stoploss" if name == "stop" else "takeprofit"
        kind, _, bound = refused.code.partition(": ")
        assert kind == f"error.invalid.{wording}.{'minvalue' if level == 1 else 'maxvalue'}"
        outside = Decimal(bound) + (-STEP if level == 1 else STEP)
        assert client.post("/positions", **form, **{f"{name}Level": outside}).code.startswith(kind)
        client.open(direction, "SILVER", 1, **{f"{name}Level": Decimal(bound)})
        client.wait(seconds=-0.5)


def test_a_stop_bound_is_sixty_percent_off_the_quote(client):
    bid, _ = client.quote()
    refused = client.post("/positions", **BUY, stopLevel=1)
    low = Decimal(refused.code.split(": ")[1])
    assert bid * Decimal("0.4") <= low < bid * Decimal("0.4") + STEP


def test_a_guaranteed_stop_keeps_a_larger_distance(client):
    bid, _ = client.quote()
    refused = client.post("/positions", **BUY, guaranteedStop=True, stopDistance=0.1)
    assert refused.code.startswith("error.invalid.stoploss.maxvalue: ")
    client.buy(guaranteedStop=True, stopDistance=1)
    assert client.positions()[0]["guaranteedStop"] is True
    assert client.positions()[0]["stopLevel"] == bid - 1


def test_distances_count_from_the_closing_side_and_amounts_from_the_entry(client):
    bid, offer = client.quote()
    client.buy(size=2, stopDistance=1, profitAmount=3)
    (position,) = client.positions()
    assert position["stopLevel"] == bid - 1
    assert position["profitLevel"] == offer + Decimal("1.5")


def test_levels_off_the_grid_are_put_on_it(client):
    deal = client.buy(stopLevel=30.552999999999997, profitLevel=35.0004)
    (position,) = client.positions()
    assert (position["stopLevel"], position["profitLevel"]) == (Decimal("30.553"), 35)
    client.put(f"/positions/{deal}", stopLevel=30.5526, profitLevel=35.000600000000001)
    (position,) = client.positions()
    assert (position["stopLevel"], position["profitLevel"]) == (Decimal("30.553"), Decimal("35.001"))


def test_missing_funds_are_a_rejected_confirm(client):
    assert rejection(client, **{**BUY, "size": 10_000}) == "RC_NOT_ENOUGH_MARGIN"
    assert client.positions() == []
    assert client.balance()["balance"] == 10000


def test_a_closed_or_suspended_market_is_a_rejected_confirm(client):
    assert rejection(client, epic="BWMN", direction="BUY", size=1) == "CLOSED_MARKET"
    client.now = SATURDAY
    client.login()
    assert rejection(client, epic="GBPUSD", direction="BUY", size=100) == "CLOSED_MARKET"
    assert client.positions() == []


def test_a_close_while_the_market_is_closed_is_rejected_and_the_row_stays(client):
    deal = client.buy("GBPUSD", 100)
    client.now = SATURDAY
    client.login()
    confirm = client.confirm(client.delete(f"/positions/{deal}"))
    assert (confirm["dealStatus"], confirm["rejectReason"]) == ("REJECTED", "CLOSED_MARKET")
    assert len(client.positions()) == 1


def test_opening_in_one_direction_twice_makes_two_rows(client):
    first, second = client.buy(), client.buy(size=2)
    assert [p["dealId"] for p in client.positions()] == [first, second]


def test_an_opposite_order_reduces_the_oldest_first(client):
    first, second = client.buy(size=1), client.buy(size=2)
    confirm = client.confirm(client.post("/positions", epic="SILVER", direction="SELL", size=1.5))
    assert confirm["status"] == "PARTIALLY_CLOSED"
    assert confirm["affectedDeals"] == [
        {"dealId": first, "status": "FULLY_CLOSED"},
        {"dealId": second, "status": "PARTIALLY_CLOSED"},
    ]
    assert [(p["dealId"], p["size"]) for p in client.positions()] == [(second, Decimal("1.5"))]


def test_an_exact_opposite_order_closes(client):
    deal = client.buy()
    confirm = client.confirm(client.post("/positions", epic="SILVER", direction="SELL", size=1))
    assert (confirm["status"], confirm["affectedDeals"]) == (
        "CLOSED",
        [{"dealId": deal, "status": "FULLY_CLOSED"}],
    )
    assert client.positions() == []


def test_a_reversal_opens_a_new_row_for_the_excess(client):
    client.buy(size=2)
    confirm = client.confirm(client.post("/positions", epic="SILVER", direction="SELL", size=4))
    assert confirm["status"] == "OPEN"
    assert [row["status"] for row in confirm["affectedDeals"]] == ["FULLY_CLOSED", "OPENED"]
    (position,) = client.positions()
    assert (position["direction"], position["size"]) == ("SELL", 2)
    assert position["dealId"] == confirm["affectedDeals"][1]["dealId"]


def test_netting_leaves_other_markets_alone(client):
    client.buy()
    client.sell("GOLD", 1)
    assert len(client.positions()) == 2


def test_an_amendment_drops_what_it_omits(client):
    bid, _ = client.quote()
    deal = client.buy(stopDistance=1, profitDistance=2)
    answer = client.put(f"/positions/{deal}", profitLevel=bid + 3)
    assert answer.json["dealReference"] == f"p_{deal}"
    confirm = client.confirm(answer)
    assert (confirm["status"], confirm["affectedDeals"]) == (
        "AMENDED",
        [{"dealId": deal, "status": "AMENDED"}],
    )
    (position,) = client.positions()
    assert "stopLevel" not in position
    assert position["profitLevel"] == bid + 3


def test_an_empty_amendment_changes_nothing_and_null_removes(client):
    deal = client.buy(stopDistance=1, profitDistance=2)
    before = client.positions()[0]["stopLevel"]
    client.send("PUT", f"/positions/{deal}")
    client.put(f"/positions/{deal}")
    assert client.positions()[0]["stopLevel"] == before
    client.put(f"/positions/{deal}", stopLevel=None)
    assert not {"stopLevel", "profitLevel"} & set(client.positions()[0])


def test_an_amendment_is_checked_against_the_live_quote(client):
    deal = client.buy()
    refused = client.put(f"/positions/{deal}", stopLevel=1000)
    assert refused.status == 400
    assert refused.code.startswith("error.invalid.stoploss.maxvalue: ")


def test_a_close_takes_the_whole_row_whatever_size_is_sent(client):
    deal = client.buy(size=3)
    answer = client.send("DELETE", f"/positions/{deal}?size=1", {"size": 1})
    assert answer.json == {"dealReference": f"p_{deal}"}
    assert client.positions() == []
    confirm = client.confirm(answer)
    assert (confirm["status"], confirm["direction"], confirm["size"]) == ("CLOSED", "SELL", 3)
    assert confirm["affectedDeals"] == [{"dealId": deal, "status": "FULLY_CLOSED"}]


def test_unknown_deals_are_404_and_so_is_a_second_close(client):
    deal = client.buy()
    client.delete(f"/positions/{deal}")
    for answer in (
        client.delete(f"/positions/{deal}"),
        client.get("/positions/x"),
        client.put("/positions/x"),
    ):
        assert (answer.status, answer.code) == (404, "error.not-found.dealId")


def test_one_account_cannot_touch_the_deals_of_the_other(client):
    deal = client.buy()
    client.adopt(client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"]))
    assert client.get(f"/positions/{deal}").status == 404
    assert client.delete(f"/positions/{deal}").status == 404


@pytest.mark.parametrize("seconds", [0, 1, 61, 3_601])
@pytest.mark.parametrize(
    ("epic", "size"), [("SILVER", 137.3), ("GBPUSD", 12_300), ("USDJPY", 7_700), ("DE40", 1.7)]
)
def test_closing_moves_equity_by_exactly_what_was_shown(client, epic, size, seconds):
    client.buy(epic, size)
    client.wait(seconds=seconds)
    client.login()
    before = client.balance()
    client.delete(f"/positions/{client.positions()[0]['dealId']}")
    after = client.balance()
    assert before["deposit"] + before["profitLoss"] == before["balance"]
    assert after["balance"] == after["deposit"] == after["available"] == before["balance"]


def test_profit_in_the_account_currency_is_converted_at_mid(client):
    client.buy("USDJPY", 250_000)
    (position,) = client.positions()
    bid, offer = client.quote("USDJPY")
    expected = (position["upl"] / ((bid + offer) / 2)).quantize(Decimal("0.01"))
    assert position["currency"] == "JPY"
    balance = client.balance()
    assert balance["profitLoss"] == expected
    # The margin is on the mid too, so in dollars the price has no part in it.
    margin = (Decimal(250_000) / position["leverage"]).quantize(Decimal("0.01"))
    assert balance["balance"] - balance["available"] == margin


def test_available_is_equity_less_margin_at_the_current_mid(client):
    client.buy(size=100)
    opened = client.quote()
    client.wait(hours=5)
    client.login()
    bid, offer = client.quote()
    assert abs(bid - opened[0]) > Decimal("0.01")
    balance = client.balance()
    margin = ((bid + offer) / 2 * 100 / 10).quantize(Decimal("0.01"))
    assert balance["available"] == balance["balance"] - margin


def test_a_late_confirm_is_a_404_at_first(client):
    late = 0
    for _ in range(60):
        reference = client.post("/positions", epic="SILVER", direction="BUY", size=0.1).json["dealReference"]
        early = client.get(f"/confirms/{reference}")
        late += early.status == 404
        assert early.status == 200 or early.code == "error.not-found.dealReference"
        client.wait(seconds=0.4)
        assert client.get(f"/confirms/{reference}").status == 200
    assert 8 <= late <= 32


def test_every_confirm_can_be_given_one_delay(client):
    state.switches(client.path, at=client.now, confirm_delay_ms=1500)
    reference = client.post("/positions", **BUY).json["dealReference"]
    client.wait(seconds=1.499)
    assert client.get(f"/confirms/{reference}").status == 404
    client.wait(seconds=0.001)
    assert client.get(f"/confirms/{reference}").status == 200


def test_a_confirm_is_kept_for_a_day(client):
    reference = client.post("/positions", **BUY).json["dealReference"]
    client.wait(hours=23.9)
    client.login()
    assert client.get(f"/confirms/{reference}").status == 200
    client.wait(hours=0.2)
    client.login()
    assert client.get(f"/confirms/{reference}").status == 404
    assert client.get("/confirms/o_unknown").code == "error.not-found.dealReference"


def test_deal_ids_count_upwards_and_never_come_back_after_a_reset(client):
    first = client.buy()
    second = client.buy()
    client.wait(seconds=1)
    state.reset(client.path, limits=False, at=client.now)
    client.login()
    assert first < second < client.buy()


@pytest.mark.parametrize("number", ['"NaN"', '"Infinity"', "1e999", "-1e30", "1e-300"])
def test_numbers_no_account_could_hold_are_refused(client, number):
    for field in ("stopLevel", "stopDistance", "profitAmount"):
        text = f'{{"epic": "SILVER", "direction": "BUY", "size": 1, "{field}": {number}}}'
        request = Request("POST", "/api/v1/positions", {}, client.tokens, text.encode(), client.now)
        response = client.broker.handle(request)
        assert (response.status, response.body.decode()) == (400, f'{{"errorCode":"error.invalid.{field}"}}')


@pytest.mark.parametrize(
    ("field", "value"), [("size", "1"), ("stopLevel", "20"), ("stopDistance", "3"), ("profitAmount", "5")]
)
def test_a_number_may_come_as_a_text_and_never_goes_out_as_one(client, field, value):
    """A published client sends its sizes so; what is listed holds JSON numbers (API page 5.2)."""
    assert client.post("/positions", **{**BUY, field: value}).status == 200
    (row,) = client.positions()
    assert not isinstance(row["size"], str)
    assert not isinstance(row.get("stopLevel"), str)


@pytest.mark.parametrize(
    ("direction", "field", "code"),
    [
        ("BUY", "stopDistance", "error.invalid.stoploss.maxvalue: "),
        ("BUY", "stopAmount", "error.invalid.stoploss.maxvalue: "),
        ("BUY", "profitDistance", "error.invalid.takeprofit.minvalue: "),
        ("BUY", "profitAmount", "error.invalid.takeprofit.minvalue: "),
        ("SELL", "stopDistance", "error.invalid.stoploss.minvalue: "),
        ("SELL", "stopAmount", "error.invalid.stoploss.minvalue: "),
        ("SELL", "profitDistance", "error.invalid.takeprofit.maxvalue: "),
        ("SELL", "profitAmount", "error.invalid.takeprofit.maxvalue: "),
    ],
)
def test_a_negative_distance_or_amount_lies_beyond_the_bounds(client, direction, field, code):
    opened = client.open(direction, "SILVER", 1)
    for answer in (
        client.post("/positions", **{**BUY, "direction": direction, field: -3}),
        client.put(f"/positions/{opened}", **{field: -3}),
    ):
        assert answer.status == 400
        assert answer.code.startswith(code)
    assert len(client.positions()) == 1

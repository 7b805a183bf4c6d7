from decimal import Decimal

import pytest

ALL = {"SHARES": 5, "CURRENCIES": 10, "INDICES": 20, "CRYPTOCURRENCIES": 2, "COMMODITIES": 5}


def preferences(client):
    return client.get("/accounts/preferences").json


def margin(client):
    balance = client.balance()
    return balance["balance"] - balance["available"]


def test_an_account_nets_at_the_highest_leverage_until_it_chooses(client):
    body = preferences(client)
    assert body["hedgingMode"] is False
    assert body["leverages"]["COMMODITIES"] == {"current": 20, "available": [1, 5, 10, 20]}
    assert set(body["leverages"]) == set(ALL)


def test_what_is_chosen_is_kept_and_what_is_not_named_stays(client):
    assert client.put("/accounts/preferences", leverages=ALL, hedgingMode=True).json == {"status": "SUCCESS"}
    assert client.put("/accounts/preferences", leverages={"SHARES": 2}).status == 200
    body = preferences(client)
    assert {name: row["current"] for name, row in body["leverages"].items()} == {**ALL, "SHARES": 2}
    assert body["hedgingMode"] is True


def test_each_account_has_its_own(client):
    client.put("/accounts/preferences", leverages={"INDICES": 1}, hedgingMode=True)
    euros = client.get("/accounts").json["accounts"][1]["accountId"]
    client.adopt(client.put("/session", accountId=euros))
    assert preferences(client)["hedgingMode"] is False
    assert preferences(client)["leverages"]["INDICES"]["current"] == 20


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"leverages": {"INDICES": 600}}, "error.invalid.leverage.value"),
        ({"leverages": {"SHARES": 1, "INDICES": 0}}, "error.invalid.leverage.value"),
        ({"leverages": {"TULIPS": 1}}, "error.invalid.leverage.value"),
        ({"leverages": {"INDICES": {"current": 1}}}, "error.invalid.leverages"),
        ({"leverages": [1]}, "error.invalid.leverages"),
        ({"hedgingMode": "yes"}, "error.invalid.hedgingMode"),
    ],
)
def test_what_cannot_be_chosen_is_refused_and_nothing_of_it_is_kept(client, body, code):
    before = preferences(client)
    answer = client.put("/accounts/preferences", **body)
    assert (answer.status, answer.code) == (400, code)
    assert preferences(client) == before


def test_an_empty_choice_changes_nothing(client):
    assert client.put("/accounts/preferences").json == {"status": "SUCCESS"}
    assert client.send("PUT", "/accounts/preferences").json == {"status": "SUCCESS"}


def test_hedging_is_not_switched_while_positions_are_open(client):
    deal = client.buy()
    assert client.put("/accounts/preferences", hedgingMode=True).code == "error.invalid.hedgingMode"
    assert client.put("/accounts/preferences", hedgingMode=False).status == 200
    client.delete(f"/positions/{deal}")
    assert client.put("/accounts/preferences", hedgingMode=True).status == 200


def test_a_chosen_leverage_sets_the_margin_of_what_is_opened_after(client):
    deal = client.buy(size=10)
    first = margin(client)
    client.put("/accounts/preferences", leverages={"COMMODITIES": 5})
    assert margin(client) == first
    later = client.buy(size=10)
    assert {row["dealId"]: row["leverage"] for row in client.positions()} == {deal: 10, later: 5}
    assert abs(margin(client) - 3 * first) < Decimal("0.5")


def test_a_market_never_gives_more_than_its_own_leverage(client):
    client.put("/accounts/preferences", leverages={"COMMODITIES": 20})
    client.buy("SILVER")
    client.buy("GOLD", 0.1)
    assert [row["leverage"] for row in client.positions()] == [10, 20]


def test_a_working_order_and_its_position_have_the_chosen_leverage(client):
    client.put("/accounts/preferences", leverages={"COMMODITIES": 5})
    bid, _ = client.quote()
    client.order(level=float(bid) - 0.01)
    assert client.orders()[0]["leverage"] == 5
    client.wait(hours=6)
    client.login()
    assert [row["leverage"] for row in client.positions()] == [5]

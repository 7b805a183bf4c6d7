from decimal import Decimal

import pytest

from tests.paper.client import FRIDAY, Client


def top_up(client, amount):
    return client.post("/accounts/topUp", amount=amount)


def test_money_comes_in_goes_out_and_is_booked(client):
    assert top_up(client, 1000).json == {"successful": True}
    client.wait(seconds=1)
    assert top_up(client, -250.55).json == {"successful": True}
    assert client.balance()["deposit"] == Decimal("10749.45")
    rows = client.get("/history/transactions?lastPeriod=2").json["transactions"]
    assert [(row["transactionType"], row["note"], row["size"]) for row in rows[:2]] == [
        ("WITHDRAWAL", "Withdrawal", "-250.55"),
        ("DEPOSIT", "Deposit", "1000.00"),
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "error.null.amount"),
        ({"amount": "much"}, "error.invalid.amount"),
        ({"amount": True}, "error.invalid.amount"),
        ({"amount": 0}, "error.invalid.amount"),
        ({"amount": 0.004}, "error.invalid.amount"),
        ({"amount": 400_000.01}, "error.invalid.amount"),
        ({"amount": -400_000.01}, "error.invalid.amount"),
        ({"amount": -10_000.01}, "error.invalid.amount"),
        ({"amount": 90_000.01}, "error.account.limit.reached"),
    ],
)
def test_what_cannot_be_moved_is_refused_and_moves_nothing(client, body, code):
    answer = client.post("/accounts/topUp", **body)
    assert (answer.status, answer.code) == (400, code)
    assert client.balance()["deposit"] == 10_000


def test_a_balance_reaches_a_hundred_thousand(client):
    assert top_up(client, 90_000).status == 200
    assert top_up(client, 0.01).code == "error.account.limit.reached"


def test_margin_in_use_is_not_withdrawn(client):
    client.buy(size=100)
    available = client.balance()["available"]
    assert top_up(client, -(available + 1)).status == 400
    assert top_up(client, -available).status == 200


def test_a_hundred_times_a_day_for_each_account(path):
    client = Client(path, FRIDAY)
    client.login()
    statuses = []
    for _ in range(101):
        client.wait(seconds=0.2)
        statuses.append(top_up(client, 1))
    assert [answer.status for answer in statuses] == [200] * 100 + [400]
    assert statuses[-1].code == "error.account.limit.reached"
    euros = client.get("/accounts").json["accounts"][1]["accountId"]
    client.adopt(client.put("/session", accountId=euros))
    assert top_up(client, 1).status == 200
    client.wait(days=1)
    client.login()
    client.wait(seconds=2)
    assert top_up(client, 1).status == 200

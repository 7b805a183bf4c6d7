import pytest


def listed(client, query="lastPeriod=86400"):
    return client.get(f"/history/transactions?{query}").json["transactions"]


def traded(client, epic="SILVER", size=1):
    deal = client.buy(epic, size)
    client.wait(seconds=10)
    client.delete(f"/positions/{deal}")
    return deal


def test_a_close_is_booked_in_the_currency_of_the_account(client):
    before = client.balance()["deposit"]
    deal = traded(client, size=3)
    row = listed(client)[0]
    gained = client.balance()["deposit"] - before
    assert gained
    assert row == {
        "date": "2026-11-20T18:30:10.500",
        "dateUtc": "2026-11-20T15:30:10.500",
        "instrumentName": "SILVER",
        "transactionType": "TRADE",
        "note": "Trade closed",
        "reference": row["reference"],
        "size": str(gained),
        "currency": "USDd",
        "status": "PROCESSED",
        "dealId": deal,
    }
    assert row["reference"].isdecimal()


def test_a_deposit_names_no_market_and_no_deal(client):
    row = listed(client)[-1]
    assert (row["transactionType"], row["note"], row["size"]) == ("DEPOSIT", "Deposit", "10000.00")
    assert not {"instrumentName", "dealId"} & set(row)


def test_newest_first_and_every_row_has_a_reference_of_its_own(client):
    traded(client)
    traded(client, "GOLD")
    rows = listed(client)
    assert [row.get("instrumentName") for row in rows] == ["GOLD", "SILVER", None]
    assert len({row["reference"] for row in rows}) == 3


def test_by_type(client):
    traded(client)
    assert [row["transactionType"] for row in listed(client, "lastPeriod=60&type=TRADE")] == ["TRADE"]
    assert listed(client, "type=SWAP") == []


def test_windows(client):
    traded(client)
    client.wait(minutes=11)
    client.login()
    assert listed(client, "") == []
    assert len(listed(client, "lastPeriod=700")) == 2
    assert len(listed(client, "lastPeriod=9999999999")) == 2
    assert len(listed(client, "from=2020-01-01T00:00:00&to=2026-11-20T15:30:11")) == 2
    assert len(listed(client, "from=2026-11-20T15:30:10")) == 1
    assert len(listed(client, "to=2026-11-20T15:30:10")) == 1
    assert len(listed(client, "from=2026-11-20T15:30:00&lastPeriod=x")) == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-11-20", "error.invalid.from"),
        ("to=2026-11-20T15:30:00Z", "error.invalid.to"),
        ("to=2026-11-20T15:30:01", "error.invalid.daterange"),
        ("from=2026-11-20T15:30:01", "error.invalid.daterange"),
        ("from=2026-11-19T10:00:00&to=2026-11-19T09:00:00", "error.invalid.daterange"),
        ("lastPeriod=0", "error.invalid.daterange"),
        ("lastPeriod=" + "9" * 5000, "error.invalid.daterange"),
        ("type=TULIPS", "error.invalid.type"),
        ("type=", "error.invalid.type"),
        ("type=TRADE,SWAP", "error.invalid.type"),
        ("lastPeriod=soon", "error.invalid.daterange"),
    ],
)
def test_refusals(client, query, code):
    answer = client.get(f"/history/transactions?{query}")
    assert (answer.status, answer.code) == (400, code)


def test_each_account_has_its_own(client):
    traded(client)
    client.adopt(client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"]))
    rows = listed(client)
    assert [(row["transactionType"], row["size"], row["currency"]) for row in rows] == [
        ("DEPOSIT", "5000.00", "EURd")
    ]

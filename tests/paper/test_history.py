import pytest


def kinds(rows: list[dict]) -> list[tuple[str, str, str]]:
    return [(row["type"], row["source"], row["status"]) for row in rows]


def test_a_market_opening_leaves_three_rows_of_one_instant(client):
    deal = client.buy()
    rows = client.activity("lastPeriod=600")
    assert kinds(rows) == [
        ("POSITION", "USER", "ACCEPTED"),
        ("WORKING_ORDER", "SYSTEM", "ACCEPTED"),
        ("WORKING_ORDER", "USER", "ACCEPTED"),
    ]
    assert rows[0]["dealId"] == deal
    assert rows[1]["dealId"] == rows[2]["dealId"] == client.positions()[0]["workingOrderId"]
    assert {row["dateUTC"] for row in rows} == {"2026-11-20T15:30:00.000"}
    assert {row["date"] for row in rows} == {"2026-11-20T18:30:00.000"}
    assert all("details" not in row for row in rows)


def test_details_come_on_demand(client):
    client.buy(size=2)
    assert client.activity("detailed=True") == client.activity("detailed=true")
    assert client.activity("detailed=False") == client.activity("")
    row = client.activity("detailed=true")[0]
    assert row["details"]["dealReference"] == f"p_{row['dealId']}"
    assert (row["details"]["size"], row["details"]["direction"], row["details"]["marketName"]) == (
        2,
        "BUY",
        "Silver",
    )


def test_a_close_is_a_trade_in_the_opposite_direction(client):
    deal = client.buy()
    client.delete(f"/positions/{deal}")
    row = client.activity()[0]
    assert kinds([row]) == [("POSITION", "USER", "ACCEPTED")]
    assert row["details"]["direction"] == "SELL"


def test_amendments_and_cancellations_have_their_rows(client):
    deal = client.buy()
    client.put(f"/positions/{deal}", stopDistance=3)
    order = client.order(level=20)
    client.put(f"/workingorders/{order}", level=19)
    client.delete(f"/workingorders/{order}")
    assert kinds(client.activity())[:4] == [
        ("WORKING_ORDER", "USER", "CANCELLED"),
        ("WORKING_ORDER", "USER", "MODIFIED"),
        ("WORKING_ORDER", "USER", "ACCEPTED"),
        ("EDIT_STOP_AND_LIMIT", "USER", "ACCEPTED"),
    ]


@pytest.mark.parametrize("form", [{"epic": "BWMN", "size": 1}, {"epic": "SILVER", "size": 90_000}])
def test_a_rejected_opening_is_a_rejected_order_and_nothing_else(client, form):
    client.confirm(client.post("/positions", direction="BUY", **form))
    assert kinds(client.activity()) == [("WORKING_ORDER", "SYSTEM", "REJECTED")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("epic==GOLD", 3),
        ("epic==GOLD,SILVER", 6),
        ("epic!=GOLD;type==POSITION", 1),
        ("source!=SYSTEM;status==ACCEPTED", 4),
        ("status==REJECTED", 0),
        ("epic==GOLD;epic!=GOLD", 0),
        ("epic!=GOLD,SILVER", 0),
        ("epic!=PLATINUM;;", 6),
        ("epic==gold", 0),
    ],
)
def test_filters(client, query, expected):
    client.buy()
    client.buy("GOLD")
    assert len(client.activity(f"lastPeriod=600&filter={query.replace(';', '%3B')}")) == expected


def test_rows_of_one_deal(client):
    client.buy()
    deal = client.buy("GOLD")
    assert [row["dealId"] for row in client.activity(f"dealId={deal}")] == [deal]


def test_windows(client):
    client.buy()
    client.wait(minutes=11)
    client.login()
    assert client.activity("") == []
    assert len(client.activity("lastPeriod=700")) == 3
    assert len(client.activity("from=2026-11-20T15:30:00&to=2026-11-20T15:30:01")) == 3
    assert len(client.activity("from=2026-11-20T15:30:00")) == 3
    assert client.activity("to=2026-11-20T15:29:59") == []
    assert len(client.activity("to=2026-11-20T15:31:00")) == 3


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-11-20", "error.invalid.from"),
        ("to=now", "error.invalid.to"),
        ("from=2026-11-18T00:00:00&to=2026-11-19T00:00:01", "error.invalid.daterange"),
        ("from=2026-11-19T10:00:00&to=2026-11-19T09:00:00", "error.invalid.daterange"),
        ("to=2026-11-20T15:30:01", "error.invalid.daterange"),
        ("lastPeriod=86401", "error.invalid.daterange"),
        ("filter=size==1", "error.invalid.filter"),
        ("filter=status==DONE", "error.invalid.filter"),
        ("filter=source!=USER,ME", "error.invalid.filter"),
        ("filter=type==position", "error.invalid.filter"),
        ("filter=epic=GOLD", "error.invalid.filter"),
        ("detailed=xx", "error.invalid.detailed"),
        ("detailed=", "error.invalid.detailed"),
        ("detailed=1", "error.invalid.detailed"),
        ("filter=epic==A%3Bepic", "error.invalid.filter"),
        ("filter=" + "epic!=A%3B" * 21, "error.invalid.filter"),
        ("filter=epic==" + ",".join(map(str, range(101))), "error.invalid.filter"),
    ],
)
def test_refusals(client, query, code):
    answer = client.get(f"/history/activity?{query}")
    assert (answer.status, answer.code) == (400, code)


def test_activity_belongs_to_the_account(client):
    client.buy()
    client.adopt(client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"]))
    assert client.activity() == []

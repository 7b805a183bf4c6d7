"""Traps of the published API that are no matter of dealing or of the stream, and defaults where it is silent.

Numbers in comments are those of API page 15; "default" is one of API page 17.
"""

from base64 import b64decode
from datetime import timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from capcli.paper import state
from tests.paper.client import FRIDAY, KEYS, SATURDAY

KEY = {"x-cap-api-key": "paper"}
DAY = "2026-11-20T00:00:00"


def refusal(answer):
    return answer.status, answer.code


def other_account(client):
    return client.get("/accounts").json["accounts"][1]["accountId"]


def bars(client, query, epic="SILVER"):
    return client.get(f"/prices/{epic}?{query}").json["prices"]


def opens(client, query, epic="SILVER"):
    return [bar["snapshotTimeUTC"] for bar in bars(client, query, epic)]


def test_a_reduction_takes_the_oldest_row_whichever_is_named(client):  # 8
    first, second = client.buy(), client.buy()
    form = {"epic": "SILVER", "direction": "SELL", "size": 0.5}
    client.post("/positions", **form, dealId=second, dealReference=f"p_{second}")
    assert [(row["dealId"], row["size"]) for row in client.positions()] == [
        (first, Decimal("0.5")),
        (second, 1),
    ]


def test_a_filled_order_can_be_in_no_list_for_a_moment(client):  # 11
    deal = client.order(level=client.quote()[1] - Decimal("0.008"))
    executed = None
    for _ in range(9_000):
        client.wait(seconds=1)
        if not client.orders():
            executed = client.activity("lastPeriod=10")
            break
    state.set_fault(client.path, "deal-late", at=client.now, times=1)
    assert client.positions() == client.orders() == []
    assert (deal, "EXECUTED") in {(row["dealId"], row["status"]) for row in executed}
    assert client.positions()[0]["workingOrderId"] == deal


def test_an_activity_has_no_id_of_its_own(client):  # 12
    client.buy()
    plain = {"date", "dateUTC", "epic", "dealId", "source", "type", "status"}
    assert {frozenset(row) for row in client.activity("")} == {frozenset(plain)}
    assert {frozenset(row) for row in client.activity()} == {frozenset({*plain, "details"})}


def test_activity_reaches_over_one_day_and_not_a_second_more(client):  # 14
    url = "/history/activity?from=2026-11-19T00:00:00&to=2026-11-20T00:00:0"
    assert client.get(f"{url}0").status == 200
    assert refusal(client.get(f"{url}1")) == (400, "error.invalid.daterange")
    assert client.get("/history/activity?lastPeriod=86400").status == 200
    assert refusal(client.get("/history/activity?lastPeriod=86401")) == (400, "error.invalid.daterange")


def test_activity_writes_date_utc_in_another_way_than_transactions(client):  # 15
    client.delete(f"/positions/{client.buy()}")
    assert {"date", "dateUTC"} <= client.activity()[0].keys()
    row = client.get("/history/transactions").json["transactions"][0]
    assert {"date", "dateUtc"} <= row.keys()


def test_the_size_of_a_transaction_is_money_of_the_account_and_a_text(client):  # 16
    client.adopt(client.put("/session", accountId=other_account(client)))
    before = client.balance(1)["deposit"]
    deal = client.buy("SILVER", 50)
    client.wait(seconds=10)
    client.delete(f"/positions/{deal}")
    row = client.get("/history/transactions").json["transactions"][0]
    assert isinstance(row["size"], str)
    assert Decimal(row["size"]) == client.balance(1)["deposit"] - before != 0
    assert row["currency"] == "EURd"


def test_one_thing_has_two_names(client):  # 18
    client.buy()
    client.order(level=20)
    assert "market" in client.get("/positions").json["positions"][0]
    assert "marketData" in client.get("/workingorders").json["workingOrders"][0]
    assert set(client.get("/markets?searchTerm=silver").json) == {"markets"}
    assert set(client.get("/markets?epics=SILVER").json) == {"marketDetails"}
    assert set(client.get("/markets?searchTerm=silver&epics=GOLD").json) == {"markets"}


def test_the_ask_is_an_offer_in_lists_and_an_ask_in_candles(client):  # 19
    row = client.get("/markets?searchTerm=silver").json["markets"][0]
    last = bars(client, "max=1")[-1]["closePrice"]
    assert "ask" not in row
    assert set(last) == {"bid", "ask"}
    assert (last["bid"], last["ask"]) == (row["bid"], row["offer"])


def test_the_step_of_the_price_is_not_that_of_the_size(client):  # 20
    rules = client.get("/markets/SILVER").json["dealingRules"]
    assert (rules["minStepDistance"]["value"], rules["minSizeIncrement"]["value"]) == (
        Decimal("0.001"),
        Decimal("0.1"),
    )
    form = {"epic": "SILVER", "direction": "BUY"}
    assert client.post("/positions", **form, size=1.1).status == 200
    assert refusal(client.post("/positions", **form, size=1.001)) == (400, "error.invalid.size")


def test_distance_rules_are_percent_of_the_quote(client):  # 21
    rule = client.get("/markets/SILVER").json["dealingRules"]["maxStopOrProfitDistance"]
    bid, _ = client.quote()
    form = {"epic": "SILVER", "direction": "BUY", "size": 1}
    assert rule["unit"] == "PERCENTAGE"
    inside, outside = (bid * (100 - rule["value"] + shift) / 100 for shift in (1, -1))
    assert client.post("/positions", **form, stopLevel=round(inside, 3)).status == 200
    answer = client.post("/positions", **form, stopLevel=round(outside, 3))
    assert answer.status == 400
    assert answer.code.startswith("error.invalid.stoploss.minvalue: ")


def test_the_quote_that_distances_are_percent_of_is_the_live_one(client):  # 21
    deal, before = client.buy(), client.quote()[0]
    client.wait(hours=6)
    client.login()
    bid = client.quote()[0]
    code = client.put(f"/positions/{deal}", stopLevel=1).code
    low = Decimal(code.removeprefix("error.invalid.stoploss.minvalue: "))
    assert abs(bid - before) > Decimal("0.01")
    assert 0 <= low - bid * Decimal("0.4") < Decimal("0.001")


def test_a_session_that_is_used_lives_on_unless_the_hard_cap_is_on(client):  # 23, default
    for cap, after in ((False, 200), (True, 401)):
        client.login()
        if cap:
            state.switches(client.path, at=client.now, session_cap=True)
        for _ in range(13):
            client.wait(minutes=5)
            last = client.get("/ping").status
        assert last == after


def test_dead_tokens_break_a_login(client):  # 24
    dead = {**KEY, "cst": "old", "x-security-token": "old"}
    answer = client.send("POST", "/session", KEYS, dead)
    assert refusal(answer) == (401, "error.invalid.session.token")


def test_a_switch_brings_a_new_security_token_and_to_the_active_account_there_is_none(client):  # 25
    wanted, before = other_account(client), dict(client.tokens)
    answer = client.put("/session", accountId=wanted)
    assert answer.headers["CST"] == before["cst"]
    assert answer.headers["X-SECURITY-TOKEN"] != before["x-security-token"]
    assert client.get("/ping").status == 200
    client.adopt(answer)
    assert refusal(client.put("/session", accountId=wanted)) == (400, "error.not-different.accountId")


def test_one_process_moves_the_next_login_of_another(client):  # 26
    wanted = other_account(client)
    client.put("/session", accountId=wanted)
    assert client.login().json["currentAccountId"] == wanted


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"from={DAY}Z", "error.invalid.from"),
        (f"from={DAY}%2B00:00", "error.invalid.from"),
        (f"from={DAY}.000", "error.invalid.from"),
        ("from=2026-11-20", "error.invalid.from"),
        ("to=1795575026", "error.invalid.to"),
        ("to=2026-11-20T15:30:01", "error.invalid.daterange"),
        ("max=0", "error.invalid.max"),
        ("max=1001", "error.invalid.max"),
        ("resolution=MINUTE_10", "error.invalid.resolution"),
        (f"resolution=HOUR&max=6&from={DAY}&to=2026-11-20T05:00:01", "error.invalid.max.daterange"),
    ],
)
def test_what_a_price_window_may_not_be(client, query, code):  # 27
    assert refusal(client.get(f"/prices/SILVER?{query}")) == (400, code)


def test_both_ends_of_a_price_window_belong_to_it(client):  # 27
    hours = [f"2026-11-20T0{hour}:00:00" for hour in range(6)]
    assert opens(client, f"resolution=HOUR&max=6&from={DAY}&to={hours[-1]}") == hours
    assert opens(client, f"resolution=HOUR&max=3&from={DAY}") == hours[:3]


def test_the_span_of_a_price_window_counts_weekends(client):  # 27
    """Three days of calendar time, one bar each, are one too many for two, though one has none."""
    client.now = FRIDAY + timedelta(days=5)
    client.login()
    window = "resolution=DAY&max={}&from=2026-11-20T00:00:00&to=2026-11-23T00:00:00"
    assert client.get(f"/prices/US500?{window.format(3)}").code == "error.invalid.max.daterange"
    assert len(bars(client, window.format(4), "US500")) == 3


def test_a_price_window_without_bars_is_a_404_of_its_own(client):  # 27
    client.now = SATURDAY
    client.login()
    window = "resolution=MINUTE&max=10&from=2026-11-21T10:00:00&to=2026-11-21T10:09:00"
    assert refusal(client.get(f"/prices/US500?{window}")) == (404, "error.prices.not-found")
    assert refusal(client.get(f"/prices/NOPE?{window}")) == (404, "error.not-found.epic")


def test_the_last_bar_may_still_be_forming(client):  # 28
    client.wait(seconds=20)
    last = bars(client, "resolution=HOUR&max=1")[-1]
    assert last["snapshotTimeUTC"] == "2026-11-20T15:00:00"
    assert last["closePrice"]["bid"] == client.quote()[0]
    client.wait(minutes=5)
    later = bars(client, "resolution=HOUR&max=1")[-1]
    assert later["snapshotTimeUTC"] == last["snapshotTimeUTC"]
    assert later["lastTradedVolume"] > last["lastTradedVolume"]


def test_local_times_have_two_offsets_and_one_of_them_changes_with_the_season(client):  # 29
    def offset(local, utc):
        return int(local[11:13]) - int(utc[11:13])

    client.buy()
    position, candle = client.positions()[0], bars(client, "max=1")[0]
    assert offset(position["createdDate"], position["createdDateUTC"]) == 3
    assert client.get("/session").json["timezoneOffset"] == 3
    assert offset(candle["snapshotTime"], candle["snapshotTimeUTC"]) == 1
    summer = bars(client, "resolution=HOUR&max=1&from=2026-07-01T10:00:00")[0]
    assert offset(summer["snapshotTime"], summer["snapshotTimeUTC"]) == 2


def test_an_exception_of_the_backend_comes_as_a_code(client):  # 32
    state.set_fault(client.path, "java-code", at=client.now, on="positions", times=1)
    assert refusal(client.get("/positions")) == (500, "java.util.concurrent.TimeoutException")
    assert client.get("/positions").status == 200


@pytest.mark.parametrize("url", ["/workingorders", "/positions"])
def test_nothing_cancels_or_closes_all_at_once(client, url):  # 40
    client.order(level=20)
    client.buy()
    assert client.delete(url).status == 405
    assert len(client.orders()) == len(client.positions()) == 1


def test_the_key_of_the_encrypted_login_is_a_real_one_of_2048_bits(client):  # 34, 41
    given = client.send("GET", "/session/encryptionKey", headers=KEY).json
    assert load_der_public_key(b64decode(given["encryptionKey"], validate=True)).key_size == 2048
    assert given["timeStamp"] == FRIDAY.timestamp() * 1000


def test_a_watchlist_is_deleteable(client):  # 36
    client.post("/watchlists", name="x")
    assert client.get("/watchlists").json["watchlists"][0]["deleteable"] is True


def test_fifty_epics_at_once_and_no_more(client):  # default
    epics = [row["epic"] for row in client.get("/markets").json["markets"]]
    assert len(epics) > 50
    assert len(client.get(f"/markets?epics={','.join(epics[:50])}").json["marketDetails"]) == 50
    assert client.get(f"/markets?epics={','.join(epics[:51])}").status == 400


def test_an_unknown_epic_among_several_is_left_out(client):  # default
    rows = client.get("/markets?epics=SILVER,NOPE").json["marketDetails"]
    assert [row["instrument"]["epic"] for row in rows] == ["SILVER"]
    assert refusal(client.get("/markets?epics=NOPE")) == (404, "error.not-found.epic")


def test_tokens_are_random_and_can_rotate(client):  # default
    before = dict(client.tokens)
    fresh = client.login().headers
    assert fresh["CST"] != before["cst"]
    assert fresh["X-SECURITY-TOKEN"] != before["x-security-token"]
    state.set_fault(client.path, "rotate-tokens", at=client.now)
    answer = client.get("/ping")
    assert answer.headers["CST"] != client.tokens["cst"]
    assert client.get("/ping").status == 401
    client.adopt(answer)
    assert client.get("/ping").status == 200


def test_hedging_is_not_switched_with_open_positions(client):  # default
    client.buy()
    assert client.put("/accounts/preferences", hedgingMode=True).status == 400


def test_days_begin_at_midnight_and_weeks_on_mondays(client):  # default
    assert opens(client, "resolution=DAY&max=2") == ["2026-11-19T00:00:00", DAY]
    assert opens(client, "resolution=WEEK&max=2") == ["2026-11-09T00:00:00", "2026-11-16T00:00:00"]

from datetime import timedelta
from decimal import Decimal

import pytest

from capcli.paper import state
from tests.paper.client import FRIDAY, KEYS, Client

KEY = {"x-cap-api-key": "paper"}
ROTATED = ("cst", "x-security-token")


def test_time_needs_no_login(path):
    answer = Client(path).send("GET", "/time")
    assert (answer.status, answer.json) == (200, {"serverTime": int(FRIDAY.timestamp() * 1000)})
    assert answer.headers["Date"] == "Fri, 20 Nov 2026 15:30:00 GMT"
    assert "CST" not in answer.headers


def test_login_lands_on_the_preferred_account(path):
    body = Client(path).login().json
    assert body["currentAccountId"] == body["accounts"][0]["accountId"]
    assert body["accountInfo"] == {"balance": 10000, "deposit": 10000, "profitLoss": 0, "available": 10000}
    assert [(a["currency"], a["balance"]["deposit"]) for a in body["accounts"]] == [
        ("USD", 10000),
        ("EUR", 5000),
    ]
    assert all(len(a["accountId"]) in (17, 18) and a["accountId"].isdecimal() for a in body["accounts"])
    assert body["trailingStopsEnabled"] is True


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, KEYS, 400, "error.null.api.key"),
        ({"x-cap-api-key": "other"}, KEYS, 401, "error.invalid.api.key"),
        (KEY, {**KEYS, "password": "wrong"}, 401, "error.invalid.details"),
        (KEY, {}, 401, "error.invalid.details"),
    ],
)
def test_a_failed_login_says_why_and_carries_no_tokens(path, headers, body, status, code):
    answer = Client(path).send("POST", "/session", body, headers)
    assert (answer.status, answer.json) == (status, {"errorCode": code})
    assert "CST" not in answer.headers


def test_living_tokens_on_the_calls_of_a_login_do_no_harm(client):
    living = {**KEY, **client.tokens}
    assert client.send("POST", "/session", KEYS, living).status == 200
    assert client.send("GET", "/session/encryptionKey", headers=living).status == 200


def idle(client: Client) -> None:
    client.wait(minutes=11)


def capped(client: Client) -> None:
    state.switches(client.path, at=client.now, session_cap=True)
    for _ in range(8):
        client.wait(minutes=8)
        client.get("/ping")


def ended(client: Client) -> None:
    client.delete("/session")


def made_up(client: Client) -> None:
    client.tokens = dict.fromkeys(ROTATED, "old")


@pytest.mark.parametrize("death", [idle, capped, ended, made_up])
def test_dead_tokens_break_the_calls_of_a_login_whatever_they_died_of(client, death):
    """Of the first two it was seen (API page 15, 24); a broker cannot tell the others from them."""
    death(client)
    dead = {**KEY, **client.tokens}
    for answer in (
        client.send("POST", "/session", KEYS, dead),
        client.send("GET", "/session/encryptionKey", headers=dead),
    ):
        assert (answer.status, answer.code) == (401, "error.invalid.session.token")
        assert "CST" not in answer.headers
    assert client.login().status == 200


def test_missing_and_wrong_tokens_are_two_errors(client):
    missing = client.send("GET", "/accounts", headers={})
    wrong = client.send("GET", "/accounts", headers={**client.tokens, "x-security-token": "other"})
    assert (missing.status, missing.code) == (401, "error.null.client.token")
    assert (wrong.status, wrong.code) == (401, "error.invalid.session.token")


def test_every_authenticated_answer_carries_tokens_even_a_refusal(client):
    for answer in (client.get("/ping"), client.get("/markets/NOPE"), client.get("/markets?searchTerm=")):
        assert answer.headers["CST"] == client.tokens["cst"]
        assert answer.headers["X-SECURITY-TOKEN"] == client.tokens["x-security-token"]


def test_a_session_dies_ten_minutes_after_its_last_use(client):
    for _ in range(3):
        client.wait(seconds=599)
        assert client.get("/ping").json == {"status": "OK"}
    client.wait(seconds=601)
    assert client.get("/ping").code == "error.invalid.session.token"


def test_an_hour_ends_even_a_busy_session_where_the_cap_is_on(client):
    state.switches(client.path, at=client.now, session_cap=True)
    for _ in range(7):
        client.wait(minutes=8.5)
        assert client.get("/ping").status == 200
    client.wait(minutes=8.5)
    assert client.get("/ping").code == "error.invalid.session.token"


def test_session_shows_the_active_account(client):
    body = client.get("/session").json
    assert body["currency"] == "USD"
    assert body["streamEndpoint"].endswith("/")
    assert set(body) == {"clientId", "accountId", "timezoneOffset", "locale", "currency", "streamEndpoint"}


def euros_of(client):
    return client.get("/accounts").json["accounts"][1]["accountId"]


def test_a_switch_brings_a_security_token_of_its_own_and_moves_the_next_login(client):
    euros, before = euros_of(client), dict(client.tokens)
    answer = client.put("/session", accountId=euros)
    assert answer.json["dealingEnabled"] is True
    client.adopt(answer)
    assert client.tokens["cst"] == before["cst"]
    assert client.tokens["x-security-token"] != before["x-security-token"]
    assert client.get("/session").json["accountId"] == euros
    assert [a["preferred"] for a in client.get("/accounts").json["accounts"]] == [False, True]
    assert Client(client.path, client.now + timedelta(seconds=2)).login().json["currentAccountId"] == euros


def test_the_old_token_stays_valid_for_its_own_account(client):
    dollars, before = client.get("/session").json["accountId"], dict(client.tokens)
    client.put("/session", accountId=euros_of(client))
    assert client.send("GET", "/session", headers=before).json["accountId"] == dollars
    client.tokens = before
    client.delete("/session")
    assert client.get("/ping").code == "error.invalid.session.token"


def test_the_old_token_follows_the_switch_where_its_fault_is_set(client):
    euros, before = euros_of(client), dict(client.tokens)
    state.set_fault(client.path, "old-token-follows", at=client.now)
    client.put("/session", accountId=euros)
    assert client.send("GET", "/session", headers=before).json["accountId"] == euros


def test_the_old_token_is_dead_after_a_switch_where_tokens_rotate(client):
    euros, before = euros_of(client), dict(client.tokens)
    state.set_fault(client.path, "rotate-tokens", at=client.now)
    answer = client.put("/session", accountId=euros)
    assert client.send("GET", "/ping", headers=before).code == "error.invalid.session.token"
    client.adopt(answer)
    assert client.get("/session").json["accountId"] == euros


def test_a_switch_leaves_other_sessions_where_they_are(client):
    other = Client(client.path, client.now)
    dollars = other.login().json["currentAccountId"]
    client.put("/session", accountId=client.get("/accounts").json["accounts"][1]["accountId"])
    assert other.get("/session").json["accountId"] == dollars


def test_switching_to_the_active_or_an_unknown_account_is_refused(client):
    active = client.get("/session").json["accountId"]
    for account_id, code in ((active, "not-different"), ("123", "invalid")):
        answer = client.put("/session", accountId=account_id)
        assert (answer.status, answer.code) == (400, f"error.{code}.accountId")
        assert answer.headers["CST"] == client.tokens["cst"]


def test_logging_out_kills_the_tokens(client):
    answer = client.delete("/session")
    assert answer.json == {"status": "SUCCESS"}
    assert answer.headers["CST"] == client.tokens["cst"]
    assert client.get("/ping").status == 401


def test_positions_belong_to_the_active_account(client):
    client.buy()
    euros = client.get("/accounts").json["accounts"][1]["accountId"]
    client.adopt(client.put("/session", accountId=euros))
    assert client.positions() == []
    assert client.balance()["profitLoss"] == Decimal("-0.02")


def test_unknown_paths_and_methods_answer_like_a_framework(client):
    unknown, wrong = client.get("/nothing"), client.send("PATCH", "/positions")
    assert (unknown.status, unknown.json["error"]) == (404, "Not Found")
    assert (wrong.status, wrong.json["error"]) == (405, "Method Not Allowed")
    assert "errorCode" not in unknown.json
    assert client.send("DELETE", "/time").status == 405

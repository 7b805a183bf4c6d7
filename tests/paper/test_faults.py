"""Every fault that can be set, seen by a client on the same file; the wire is in test_fault_injection."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from capcli.paper.broker import PaperBroker
from capcli.paper.faults import KINDS, SPECS, STREAM, BadFault, fault, kinds
from capcli.paper.messages import PREFIX, Cut, Request
from capcli.paper.state import clear_faults, faults_set, reset, set_fault, status, switches
from tests.paper.client import FRIDAY, KEYS, SATURDAY, Client

ORDER = {"epic": "SILVER", "direction": "BUY", "size": 1}
SECOND = "100482915730264825"


def upset(client, name, **how):
    set_fault(client.path, name, at=client.now, **how)


def left(client):
    return {fault.name: fault.times for fault in faults_set(client.path, client.now).faults}


def handle(client, method, path, body=b""):
    return client.broker.handle(Request(method, f"{PREFIX}{path}", {}, client.tokens, body, client.now))


@pytest.fixture
def prompt(client):
    """Without the broker's own delay of confirms."""
    switches(client.path, at=client.now, confirm_delay_ms=0)
    return client


# What is set, and whom it meets.


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("POST /positions", "orders"),
        ("POST /workingorders", "orders"),
        ("PUT /positions/d", "changes"),
        ("DELETE /workingorders/d", "changes"),
        ("GET /confirms/o_1", "confirms reads"),
        ("GET /positions", "positions reads"),
        ("GET /positions/d", "positions reads"),
        ("GET /workingorders", "positions reads"),
        ("GET /history/activity", "activity reads"),
        ("GET /history/transactions", "reads"),
        ("GET /session", "reads"),
        ("POST /session", "login"),
        ("GET /session/encryptionKey", "login"),
        ("PUT /session", ""),
        ("GET /markets/SILVER", "reads"),
    ],
)
def test_kinds_of_requests(line, expected):
    method, path = line.split()
    assert kinds(method, PREFIX + path) == {"all", *expected.split()} <= {*KINDS}


def test_every_fault_has_usable_defaults_and_says_what_it_does():
    for name, spec in SPECS.items():
        found = fault(name, on=None, value=None, times=None, until_ms=None)
        assert found.on in {*KINDS, STREAM}, name
        assert spec.effect, name


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("drop-aftr", {}, "no fault 'drop-aftr'"),
        ("delay", {"value": "soon"}, "seconds above 0"),
        ("delay", {"value": "nan"}, "seconds above 0"),
        ("delay", {"value": "1e9"}, "at most 86400"),
        ("band", {"value": "0"}, "percent above 0"),
        ("status", {"value": "200"}, "502"),
        ("status", {"value": "599"}, "502"),
        ("java-code", {"value": "later"}, "before or after"),
        ("drop-after", {"value": "1"}, "takes no value"),
        ("drop-after", {"on": "order"}, "no requests 'order'"),
        ("band", {"on": "reads"}, "meets orders and no other"),
        ("delay", {"on": "stream"}, "no requests 'stream'"),
        ("idle-cut", {"on": "reads"}, "meets stream and no other"),
        ("drop-after", {"times": 0}, "at least one"),
    ],
)
def test_what_cannot_be_set(client, name, how, words):
    with pytest.raises(BadFault, match=words):
        upset(client, name, **how)
    assert left(client) == {}


def test_a_fault_is_listed_replaced_and_cleared(client):
    upset(client, "delay", value="2.5", on="reads", times=2, lasts_s=60)
    (found,) = faults_set(client.path, client.now).faults
    assert (found.name, found.on, found.value, found.times) == ("delay", "reads", "2.5", 2)
    assert found.until == FRIDAY + timedelta(seconds=60)
    upset(client, "delay")
    upset(client, "drop-stop")
    assert left(client) == {"delay": None, "drop-stop": None}
    assert status(client.path, client.now).faults == 2
    clear_faults(client.path, "delay", at=client.now)
    assert left(client) == {"drop-stop": None}
    clear_faults(client.path, at=client.now)
    assert left(client) == {}
    with pytest.raises(BadFault):
        clear_faults(client.path, "dely", at=client.now)


def test_a_reset_clears_faults(client):
    upset(client, "drop-after")
    reset(client.path, at=client.now)
    assert left(client) == {}


def test_a_count_is_of_matching_requests_and_runs_out(client):
    upset(client, "status", value="500", times=2)
    assert client.get("/positions").status == 200
    assert [client.post("/positions", **ORDER).status for _ in range(3)] == [500, 500, 200]
    assert left(client) == {}


def test_a_duration_runs_out(client):
    upset(client, "status", value="500", on="reads", lasts_s=30)
    assert client.get("/positions").status == 500
    client.wait(seconds=29.9)
    assert client.get("/accounts").status == 500
    client.wait(seconds=0.1)
    assert client.get("/accounts").status == 200
    assert left(client) == {}


def test_another_broker_on_the_file_meets_them_and_shares_the_count(client):
    upset(client, "status", value="500", on="reads", times=2)
    other = Client(client.path)
    other.tokens = client.tokens
    assert [one.get("/ping").status for one in (other, client, other)] == [500, 500, 200]


def test_threads_at_once_share_the_count(client):
    upset(client, "status", value="500", on="reads", times=20)
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: client.get("/ping"), range(80))]
    assert statuses.count(500) == 20


def test_one_outcome_a_request(client):
    upset(client, "status", value="500", times=1)
    upset(client, "not-json", times=1)
    assert handle(client, "POST", "/positions", b"{}").status == 500
    assert left(client) == {"not-json": 1}


# The wire and other answers: what became of the order decides.


@pytest.mark.parametrize(
    ("name", "value", "http", "body", "opened"),
    [
        ("drop-before", None, 0, b"", 0),
        ("drop-after", None, 200, b'{"dealReference"', 1),
        ("half-body", None, 200, b'{"dealReference"', 1),
        ("delay", None, 200, b'{"dealReference"', 1),
        ("status", None, 502, b"<html>", 1),
        ("status", "503", 503, b"<html>", 0),
        ("status", "503-after", 503, b"<html>", 1),
        ("status", "500", 500, b'{"timestamp"', 1),
        ("status", "429", 429, b'{"timestamp"', 0),
        ("java-code", None, 500, b'{"errorCode":"java.util.concurrent.TimeoutException"}', 1),
        ("java-code", "before", 500, b'{"errorCode":"java.util.concurrent.TimeoutException"}', 0),
        ("redirect", None, 307, b"", 0),
        ("redirect", "after", 307, b"", 1),
        ("not-json", None, 200, b"<html>", 1),
        ("not-json", "before", 200, b"<html>", 0),
        ("no-reference", None, 200, b"{}", 1),
        ("no-reference", "before", 200, b"{}", 0),
        ("too-many", None, 429, b'{"errorCode":"error.too-many.requests"}', 0),
    ],
)
def test_answers_to_an_order(client, name, value, http, body, opened):
    upset(client, name, value=value, times=1)
    response = handle(client, "POST", "/positions", b'{"epic":"SILVER","direction":"BUY","size":1}')
    assert response.status == http
    assert response.body.startswith(body)
    assert len(client.positions()) == opened
    assert left(client) == {}


def test_mishaps_are_marks_on_the_response(client):
    upset(client, "delay", value="2.5", on="reads")
    upset(client, "half-body", on="reads")
    connection_fault = handle(client, "GET", "/ping").connection_fault
    assert (connection_fault.wait_s, connection_fault.cut) == (2.5, Cut.IN_BODY)
    clear_faults(client.path, at=client.now)
    assert handle(client, "GET", "/ping").connection_fault is None


def test_a_redirect_names_its_own_address(client):
    upset(client, "redirect")
    response = handle(client, "POST", "/positions", b"{}")
    assert response.headers["Location"] == "/api/v1/positions"


def test_a_burst_of_too_many_is_three_by_itself(client):
    upset(client, "too-many")
    assert [client.get("/ping").status for _ in range(4)] == [429, 429, 429, 200]


def test_a_login_is_refused(client):
    upset(client, "too-many", on="login", times=1)
    assert client.get("/ping").status == 200
    assert client.send("POST", "/session", KEYS, {"x-cap-api-key": "paper"}).status == 429
    client.login()


# Confirms.


def test_confirms_are_late(prompt):
    upset(prompt, "confirm-late", value="8")
    url = "/confirms/" + prompt.post("/positions", **ORDER).json["dealReference"]
    assert prompt.get(url).code == "error.not-found.dealReference"
    assert len(prompt.positions()) == 1
    prompt.wait(seconds=7.9)
    assert prompt.get(url).status == 404
    prompt.wait(seconds=0.1)
    assert prompt.get(url).json["dealStatus"] == "ACCEPTED"


def test_confirms_never_come_or_only_after_two_tries(prompt):
    url = "/confirms/" + prompt.post("/positions", **ORDER).json["dealReference"]
    upset(prompt, "confirm-never")
    prompt.wait(minutes=5)
    assert prompt.get(url).status == 404
    upset(prompt, "confirm-never", times=2)
    assert [prompt.get(url).status for _ in range(3)] == [404, 404, 200]


def test_after_a_close_the_opening_confirm_is_answered(prompt):
    deal = prompt.buy()
    upset(prompt, "stale-confirm", times=1)
    prompt.wait(seconds=3)
    reference = prompt.delete(f"/positions/{deal}").json["dealReference"]
    confirm = prompt.get(f"/confirms/{reference}").json
    assert (confirm["status"], confirm["date"]) == ("OPEN", "2026-11-20T15:30:00.000")
    assert prompt.positions() == []
    assert left(prompt) == {}
    assert prompt.confirm(prompt.delete(f"/positions/{prompt.buy()}"))["status"] == "CLOSED"


# Lists and activity.


def test_activity_is_late_and_has_level_0_first(client):
    deal = client.buy(size=0.1)
    upset(client, "activity-late", value="61")
    query = f"detailed=true&lastPeriod=600&dealId={deal}"
    client.wait(seconds=60)
    assert client.activity(query) == []
    client.wait(seconds=1)
    (row,) = client.activity(query)
    assert (row["details"]["level"], row["details"]["size"]) == (0, Decimal("0.1"))
    client.wait(seconds=10)
    (row,) = client.activity(query)
    assert row["details"]["level"] > 0
    assert "details" not in client.activity(f"dealId={deal}")[0]


def test_late_activity_is_counted_where_rows_were_held_back(client):
    upset(client, "activity-late", times=1)
    assert client.activity() == []
    client.buy()
    assert client.activity() == []
    assert len(client.activity()) == 3


def test_new_deals_are_in_no_list_for_a_while(client):
    old = client.buy()
    client.wait(seconds=20)
    upset(client, "deal-late", value="5")
    reference = client.post("/positions", **ORDER).json["dealReference"]
    order = client.post("/workingorders", **ORDER, type="LIMIT", level=20)
    assert [row["dealId"] for row in client.positions()] == [old]
    assert client.orders() == []
    client.wait(seconds=5)
    new = client.get(f"/confirms/{reference}").json["affectedDeals"][0]["dealId"]
    assert [row["dealId"] for row in client.positions()] == [old, new]
    assert order.status == 200
    assert len(client.orders()) == 1


def test_a_deal_is_missing_for_one_poll(client):
    upset(client, "deal-late", times=1)
    assert client.positions() == []
    client.post("/positions", **ORDER)
    assert [len(client.positions()) for _ in range(2)] == [0, 1]


def test_a_new_deal_is_not_found_by_its_id_either(client):
    deal = client.buy()
    upset(client, "deal-late", times=1)
    assert client.get(f"/positions/{deal}").code == "error.not-found.dealId"
    assert client.get(f"/positions/{deal}").status == 200


# The deal itself.


def test_the_stop_of_an_order_is_not_set(client):
    upset(client, "drop-stop", times=3)
    client.buy(stopDistance=3, profitDistance=3)
    client.sell("EURUSD", 100, stopDistance=0.01, trailingStop=True)
    client.order(level=20, stopDistance=2)
    client.buy("GOLD")
    rows = client.positions()
    assert not any({"stopLevel", "stopDistance"} & {*row} for row in rows)
    assert "profitLevel" in rows[0]
    assert "stopDistance" not in client.orders()[0]
    assert left(client) == {}
    client.put(f"/positions/{rows[0]['dealId']}", stopDistance=3)
    assert "stopLevel" in client.positions()[0]


def test_the_band_tightens_between_quote_and_order(client):
    market = client.get("/markets/SILVER").json
    _, offer = client.quote()
    upset(client, "band", value="2", times=3)
    assert client.get("/markets/SILVER").json["dealingRules"] == market["dealingRules"]
    answer = client.post("/positions", **ORDER, stopDistance=3)
    assert (answer.status, answer.code.partition(":")[0]) == (400, "error.invalid.stoploss.minvalue")
    bound = Decimal(answer.code.partition(": ")[2])
    assert offer * Decimal("0.975") < bound < offer
    assert client.post("/positions", **ORDER, profitDistance=3).code.startswith(
        "error.invalid.takeprofit.max"
    )
    assert client.post("/positions", **ORDER, stopLevel=float(bound)).status == 200
    assert client.post("/positions", **ORDER, stopDistance=3).status == 200


@pytest.mark.parametrize(("direction", "sign"), [("BUY", 1), ("SELL", -1)])
def test_a_fill_slips_to_the_worse_side(client, direction, sign):
    bid, offer = client.quote()
    upset(client, "slippage", value="0.5", times=1)
    confirm = client.confirm(client.post("/positions", **{**ORDER, "direction": direction}))
    price = offer if direction == "BUY" else bid
    assert abs(confirm["level"] - price * (1 + sign * Decimal("0.005"))) < Decimal("0.001")
    assert client.positions()[0]["level"] == confirm["level"]
    assert left(client) == {}


def test_an_order_fills_in_part(client):
    upset(client, "part-fill", value="33", times=2)
    confirm = client.confirm(client.post("/positions", **{**ORDER, "size": 2}))
    assert (confirm["status"], confirm["size"]) == ("OPEN", Decimal("0.6"))
    (deal,) = [row["dealId"] for row in confirm["affectedDeals"]]
    confirm = client.confirm(client.post("/positions", **{**ORDER, "direction": "SELL", "size": 0.6}))
    assert (confirm["status"], confirm["size"]) == ("PARTIALLY_CLOSED", Decimal("0.1"))
    assert [(row["dealId"], row["size"]) for row in client.positions()] == [(deal, Decimal("0.5"))]


def test_an_empty_price_window_comes_without_a_code(client):
    client.now = SATURDAY
    client.login()
    empty = "/prices/GBPUSD?from=2026-11-21T10:00:00&to=2026-11-21T10:05:00"
    upset(client, "no-code", times=1)
    assert client.get("/prices/SILVER").status == 200
    answer = client.get(empty)
    assert (answer.status, answer.json["error"], "errorCode" in answer.json) == (404, "Not Found", False)
    assert client.get(empty).code == "error.prices.not-found"


# The session.


def test_a_session_dies_at_the_next_request(client):
    upset(client, "expire-session")
    assert client.send("GET", "/time", headers={}).status == 200
    answer = client.get("/positions")
    assert (answer.status, answer.code) == (401, "error.invalid.session.token")
    client.login()
    assert client.get("/positions").status == 200
    assert left(client) == {}


def test_a_session_dies_in_the_middle_of_an_order(client):
    upset(client, "expire-session", on="orders")
    assert client.get("/ping").status == 200
    assert client.post("/positions", **ORDER).status == 401


def test_a_busy_session_dies_an_hour_after_its_login(client):
    upset(client, "session-cap")
    for _ in range(7):
        client.wait(minutes=8.5)
        assert client.get("/ping").status == 200
    client.wait(minutes=8.5)
    assert client.get("/ping").code == "error.invalid.session.token"
    client.login()
    assert client.get("/ping").status == 200


def test_somebody_else_switches_the_account(client):
    first = client.get("/session").json["accountId"]
    upset(client, "switch-account")
    assert client.get("/session").json["accountId"] == first
    assert client.login().json["currentAccountId"] == SECOND != first
    assert left(client) == {}


def test_a_counted_fault_survives_a_refused_request(client):
    upset(client, "drop-stop", times=1)
    assert client.post("/positions", **ORDER, stopLevel=1000).status == 400
    assert left(client) == {"drop-stop": 1}


def test_two_brokers_in_one_process_see_one_world(path):
    reset(path, limits=False, at=FRIDAY)
    set_fault(path, "drop-before", at=FRIDAY, on="login", times=1)
    broker = PaperBroker(path)
    request = Request("POST", f"{PREFIX}/session", {}, {"x-cap-api-key": "paper"}, b"{}", FRIDAY)
    assert [broker.handle(request).status for _ in range(2)] == [0, 401]
    broker.close()


def test_rotated_tokens_come_with_the_answer_and_the_old_ones_are_dead(client):
    upset(client, "rotate-tokens")
    before = dict(client.tokens)
    refused = client.get("/markets/NOPE")
    assert refused.code == "error.not-found.epic"
    assert client.get("/ping").code == "error.invalid.session.token"
    client.adopt(refused)
    assert all(client.tokens[name] != before[name] for name in before)
    assert client.get("/ping").status == 200
    assert left(client) == {}


def test_a_paused_key_opens_no_door_and_leaves_the_sessions_alone(client):
    upset(client, "key-paused")
    key = {"x-cap-api-key": "paper"}
    for answer in (
        client.send("POST", "/session", KEYS, key),
        client.send("GET", "/session/encryptionKey", headers=key),
    ):
        assert (answer.status, answer.code) == (401, "error.invalid.api.key")
    assert client.get("/ping").status == 200


def test_a_login_without_accounts_fails_at_the_first_read(client):
    upset(client, "no-account")
    client.login()
    answer = client.get("/accounts")
    assert (answer.status, answer.code) == (401, "error.null.accountId")

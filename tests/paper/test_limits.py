from tests.paper.client import KEYS, Client


def test_ten_requests_in_any_second(limited):
    assert [limited.get("/ping").status for _ in range(11)] == [200] * 10 + [429]
    refused = limited.get("/ping")
    assert refused.code == "error.too-many.requests"
    assert refused.headers["CST"] == limited.tokens["cst"]
    limited.wait(seconds=0.999)
    assert limited.get("/ping").status == 429
    limited.wait(seconds=0.001)
    assert limited.get("/ping").status == 200


def test_the_limit_is_shared_by_every_broker_on_the_file(limited):
    other = Client(limited.path, limited.now)
    other.tokens = limited.tokens
    statuses = [client.get("/ping").status for _ in range(6) for client in (limited, other)]
    assert statuses == [200] * 10 + [429] * 2


def test_one_login_a_second_failed_ones_included(path):
    client, key = Client(path), {"x-cap-api-key": "paper"}
    assert client.send("POST", "/session", {}, key).status == 401
    assert client.send("POST", "/session", KEYS, key).status == 429
    client.wait(seconds=1)
    assert client.send("POST", "/session", KEYS, key).status == 200


def test_orders_a_tenth_of_a_second_apart(limited):
    form = {"epic": "SILVER", "direction": "BUY", "size": 1}
    assert limited.post("/positions", **form).status == 200
    limited.wait(seconds=0.05)
    assert limited.post("/workingorders", **form, type="LIMIT", level=20).status == 429
    limited.wait(seconds=0.05)
    assert limited.post("/workingorders", **form, type="LIMIT", level=20).status == 200


def test_a_thousand_orders_an_hour(limited):
    form = {"epic": "SILVER", "direction": "BUY", "size": 0}
    for _ in range(1000):
        assert limited.post("/positions", **form).status == 400
        limited.wait(seconds=0.2)
    assert limited.post("/positions", **form).status == 429
    limited.wait(hours=1)
    limited.login()
    assert limited.post("/positions", **form).status == 400

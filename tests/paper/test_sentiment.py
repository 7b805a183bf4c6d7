from capcli.paper.catalogue import MARKETS


def test_one_market_is_not_wrapped_and_several_are(client):
    one = client.get("/clientsentiment/SILVER").json
    assert set(one) == {"marketId", "longPositionPercentage", "shortPositionPercentage"}
    several = client.get("/clientsentiment?marketIds=SILVER,GOLD").json["clientSentiments"]
    assert [row["marketId"] for row in several] == ["SILVER", "GOLD"]
    assert several[0] == one


def test_a_slash_before_the_question_mark_is_accepted(client):
    slashed = client.get("/clientsentiment/?marketIds=SILVER").json
    assert slashed == client.get("/clientsentiment?marketIds=SILVER").json


def test_shares_add_up_to_a_hundred_with_two_decimals_and_drift(client):
    ids = ",".join(MARKETS)
    before = client.get(f"/clientsentiment?marketIds={ids}").json["clientSentiments"]
    for row in before:
        assert row["longPositionPercentage"] + row["shortPositionPercentage"] == 100
        assert 0 < row["longPositionPercentage"] < 100
        assert row["longPositionPercentage"].as_tuple().exponent >= -2
    client.wait(minutes=1)
    assert client.get(f"/clientsentiment?marketIds={ids}").json["clientSentiments"] != before
    moved = zip(before, client.get(f"/clientsentiment?marketIds={ids}").json["clientSentiments"], strict=True)
    assert all(abs(a["longPositionPercentage"] - b["longPositionPercentage"]) < 1 for a, b in moved)


def test_an_unknown_market_and_none_are_refused(client):
    for url in ("/clientsentiment/NOTFOUND", "/clientsentiment?marketIds=NADA,NOTFOUND"):
        answer = client.get(url)
        assert (answer.status, answer.code) == (404, "error.not-found.epic")
    for url in ("/clientsentiment", "/clientsentiment?marketIds=", "/clientsentiment?marketIds=,"):
        assert client.get(url).status == 400

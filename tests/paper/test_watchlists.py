import pytest

DONE = {"status": "SUCCESS"}


def create(client, name="Metals", **body):
    return client.post("/watchlists", name=name, **body).json["watchlistId"]


def epics(client, list_id):
    return [row["epic"] for row in client.get(f"/watchlists/{list_id}").json["markets"]]


def refusal(answer):
    return answer.status, answer.code


def test_a_list_is_made_shown_and_deleted(client):
    assert client.get("/watchlists").json == {"watchlists": []}
    answer = client.post("/watchlists", name="Metals", epics=["SILVER", "GOLD", "SILVER"])
    list_id = answer.json["watchlistId"]
    assert answer.json["status"] == "SUCCESS"
    assert list_id.isdecimal()
    shown = {"name": "Metals", "editable": True, "deleteable": True, "defaultSystemWatchlist": False}
    assert client.get("/watchlists").json == {"watchlists": [{"id": list_id, **shown}]}
    assert epics(client, list_id) == ["SILVER", "GOLD"]
    assert client.delete(f"/watchlists/{list_id}").json == DONE
    assert client.get("/watchlists").json == {"watchlists": []}


def test_a_list_with_unknown_markets_is_made_without_them(client):
    answer = client.post("/watchlists", name="x", epics=["SILVER", "NOTFOUND"])
    assert answer.json["status"] == "SUCCESS_NOT_ALL_INSTRUMENTS_ADDED"
    assert epics(client, answer.json["watchlistId"]) == ["SILVER"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 21}, {"name": None}])
def test_a_name_has_one_to_twenty_characters_and_its_refusal_no_tokens(client, body):
    answer = client.post("/watchlists", **body)
    assert refusal(answer) == (400, "error.size.createwatchlistrequest.name")
    assert "CST" not in answer.headers
    assert client.post("/watchlists", name="é" * 20).status == 200


def test_markets_are_added_once_and_removed(client):
    list_id = create(client)
    for _ in range(2):
        assert client.put(f"/watchlists/{list_id}", epic="SILVER").json == DONE
    assert epics(client, list_id) == ["SILVER"]
    assert client.delete(f"/watchlists/{list_id}/SILVER").json == DONE
    assert epics(client, list_id) == []


def test_an_unknown_market_is_refused_and_so_is_one_that_is_not_in_the_list(client):
    list_id = create(client, epics=["SILVER"])
    assert refusal(client.put(f"/watchlists/{list_id}", epic="NOTFOUND")) == (404, "error.not-found.epic")
    assert refusal(client.delete(f"/watchlists/{list_id}/GOLD")) == (404, "error.not-found.epic")
    assert epics(client, list_id) == ["SILVER"]


@pytest.mark.parametrize("body", [{}, {"epic": None}, {"epic": ""}])
def test_an_addition_without_a_market_is_refused(client, body):
    list_id = create(client)
    assert refusal(client.put(f"/watchlists/{list_id}", **body)) == (400, "error.null.epic")
    assert epics(client, list_id) == []


def test_an_unknown_list_has_one_code_when_read_and_another_when_changed(client):
    assert refusal(client.get("/watchlists/00001")) == (404, "error.invalid.watchlist")
    for answer in (
        client.delete("/watchlists/00001"),
        client.delete("/watchlists/x/SILVER"),
        client.put("/watchlists/00001", epic="SILVER"),
    ):
        assert refusal(answer) == (404, "error.not-found.watchlist")


def test_lists_belong_to_the_login_and_not_to_an_account(client):
    list_id = create(client)
    euros = client.get("/accounts").json["accounts"][1]["accountId"]
    client.adopt(client.put("/session", accountId=euros))
    assert [row["id"] for row in client.get("/watchlists").json["watchlists"]] == [list_id]


def test_the_id_of_a_deleted_list_is_not_given_again(client):
    first = create(client)
    client.delete(f"/watchlists/{first}")
    assert create(client) != first


def test_epics_that_are_no_list_of_texts_are_refused(client):
    assert refusal(client.post("/watchlists", name="x", epics="SILVER")) == (400, "error.invalid.epics")
    assert refusal(client.post("/watchlists", name="x", epics=[1])) == (400, "error.invalid.epics")

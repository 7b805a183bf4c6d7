"""Rows of the list of positions: each as it is shown alone, and never older than the positions are."""

import json

from tests.paper.client import Client


def raw_rows(client: Client) -> list[str]:
    """The text of each row, whatever its numbers look like."""
    decoder, text = json.JSONDecoder(), client.get("/positions").text
    found, at = [], text.index("[") + 1
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end + (text[end] == ",")
    assert text == '{"positions":[' + ",".join(found) + "]}"
    return found


def alone(client: Client) -> list[str]:
    return [client.get(f"/positions/{position['dealId']}").text for position in client.positions()]


def open_all_kinds(client: Client) -> list[str]:
    return [
        client.buy("SILVER", 1, stopDistance=2, profitDistance=3),
        client.sell("GOLD", 0.1, stopDistance=80, guaranteedStop=True),
        client.buy("EURUSD", 100, trailingStop=True, stopDistance=0.01),
        client.sell("US500", 0.1, trailingStop=True, stopDistance=40, profitDistance=100),
        client.buy("BTCUSD", 0.01),
    ]


def test_a_row_of_the_list_is_the_position_as_it_is_shown_alone(client):
    open_all_kinds(client)
    for _ in range(3):
        client.wait(minutes=7, seconds=3)
        rows = raw_rows(client)
        assert len(rows) == 5
        assert rows == alone(client)


def test_a_list_of_nothing(client):
    assert client.get("/positions").text == '{"positions":[]}'


def test_what_changes_is_seen_in_the_next_list(client):
    silver, gold, *_ = open_all_kinds(client)
    assert len(raw_rows(client)) == 5
    client.put(f"/positions/{gold}", profitDistance=30)
    client.post("/positions", epic="SILVER", direction="SELL", size=0.4)
    client.delete(f"/positions/{client.positions()[-1]['dealId']}")
    rows = client.positions()
    assert [row["dealId"] for row in rows[:2]] == [silver, gold]
    assert (str(rows[0]["size"]), "profitLevel" in rows[1], len(rows)) == ("0.6", True, 4)
    assert raw_rows(client) == alone(client)


def test_what_another_process_deals_is_seen(client):
    client.buy("GOLD", 1)
    first = client.balance()
    other = Client(client.path, client.now)
    other.login()
    other.buy("BTCUSD", 0.1)
    client.now = other.now
    assert [row["currency"] for row in client.positions()] == ["USD", "USD"]
    assert client.balance()["available"] < first["available"]
    assert client.balance() == other.balance()


def test_a_deal_that_is_undone_leaves_the_figures_of_those_before(client):
    client.buy("GOLD", 1)
    before, rows = client.balance(), raw_rows(client)
    client.confirm(client.post("/positions", epic="BTCUSD", direction="BUY", size=100))
    assert len(raw_rows(client)) == len(rows)
    assert client.balance() == twin_of(client).balance()
    assert client.balance()["deposit"] == before["deposit"]
    client.buy("SILVER", 1)
    assert client.balance() == twin_of(client).balance()


def twin_of(client: Client) -> Client:
    """A broker that has nothing in memory yet."""
    twin = Client(client.path, client.now)
    twin.login()
    return twin

import pytest

from capcli.paper.catalogue import MARKETS
from tests.paper.client import SATURDAY

COMMONS = {
    "most_traded": "Most Traded",
    "recently_traded": "Recently Traded",
    "new": "New",
    "top_gainers": "Top Risers",
    "top_losers": "Top Fallers",
    "most_volatile": "Most Volatile",
    "weekend_trading": "Weekend Trading",
}


def node(client, node_id, query=""):
    return client.get(f"/marketnavigation/hierarchy_v1.{node_id}{query}").json


def epics(client, node_id, query=""):
    return [row["epic"] for row in node(client, node_id, query)["markets"]]


def test_the_top_names_groups_by_their_keys(client):
    nodes = client.get("/marketnavigation").json["nodes"]
    assert all(row["id"] == f"hierarchy_v1.{row['name']}" and row["name"].endswith("_group") for row in nodes)
    assert {"commons_group", "commodities_group", "oil_markets_group"} <= {row["name"] for row in nodes}


def test_a_group_has_nodes_only_and_a_leaf_has_markets(client):
    group = node(client, "commons_group")
    assert group == {
        "nodes": [{"id": f"hierarchy_v1.commons.{key}", "name": name} for key, name in COMMONS.items()]
    }
    leaf = node(client, "commodities")
    assert leaf["nodes"] == []
    assert {row["instrumentType"] for row in leaf["markets"]} == {"COMMODITIES"}


def test_every_market_is_in_a_leaf_and_every_leaf_is_reached_from_the_top(client):
    seen = set()
    for group in client.get("/marketnavigation").json["nodes"]:
        for leaf in client.get(f"/marketnavigation/{group['id']}").json["nodes"]:
            seen |= {row["epic"] for row in client.get(f"/marketnavigation/{leaf['id']}").json["markets"]}
    assert seen == set(MARKETS)


def test_the_limit_counts_markets(client):
    assert epics(client, "commodities", "?limit=2") == epics(client, "commodities")[:2]
    assert len(epics(client, "shares", "?limit=500")) > 10


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "1.5", "9" * 5000])
def test_a_limit_out_of_range_is_refused_without_tokens(client, limit):
    answer = client.get(f"/marketnavigation/hierarchy_v1.commodities?limit={limit}")
    assert (answer.status, answer.code) == (400, "error.invalid.limit")
    assert "CST" not in answer.headers


def test_an_unknown_node_is_empty(client):
    for unknown in ("nothing", "nothing_group", "commons", "_group", "commons.most_traded_group"):
        assert node(client, unknown) == {"nodes": []}


def test_risers_and_fallers_are_ranked_by_the_change_of_the_day(client):
    for leaf, sign in (("commons.top_gainers", 1), ("commons.top_losers", -1)):
        changes = [sign * row["percentageChange"] for row in node(client, leaf)["markets"]]
        assert changes == sorted(changes, reverse=True)
        assert 0 < len(changes) <= 10
        assert min(changes) > 0


def test_recently_traded_is_what_the_active_account_dealt_in(client):
    assert epics(client, "commons.recently_traded") == []
    client.buy("GOLD", 0.1)
    client.buy("SILVER")
    assert epics(client, "commons.recently_traded") == ["SILVER", "GOLD"]
    client.wait(days=2)
    client.login()
    assert epics(client, "commons.recently_traded") == []


def test_what_is_listed_for_the_weekend_trades_on_a_saturday(client):
    client.now = SATURDAY
    client.login()
    rows = node(client, "commons.weekend_trading")["markets"]
    assert {row["marketStatus"] for row in rows} == {"TRADEABLE"}
    assert "SILVER" in {row["epic"] for row in rows}

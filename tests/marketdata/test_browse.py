"""The tree of markets by id and by name, and client sentiment."""

from decimal import Decimal

import pytest

from capcli.errors import EpicUnknown, NodeUnknown, UsageError
from tests.support.seat import Seat, refusal


def test_the_tree_leads_from_the_top_to_markets_with_quotes(seat: Seat) -> None:
    top = seat.app.browsing.browse().data
    group = next(row for row in top.rows if row.name == "commodities_group")
    leaves = seat.app.browsing.browse(group.node_id).data
    metals = next(row for row in leaves.rows if row.name == "Metals")
    found = seat.app.browsing.browse(metals.node_id).data
    assert (top.node_id, found.node_id) == (None, metals.node_id)
    gold = next(row for row in found.rows if row.epic == "GOLD")
    assert gold.node_id is None
    assert gold.bid is not None
    assert gold.offer is not None
    assert gold.bid < gold.offer


@pytest.mark.parametrize(
    "path", ["commodities/metals", "Commodities_Group/Metals", "commod/met", " commodities / metals "]
)
def test_a_node_is_found_by_names(seat: Seat, path: str) -> None:
    assert seat.app.browsing.browse(path).data.node_id == "hierarchy_v1.commodities.metals"


def test_a_name_that_fits_several_nodes_names_them(seat: Seat) -> None:
    error = refusal(lambda: seat.app.browsing.browse("commons/most"))
    assert isinstance(error, UsageError)
    assert "hierarchy_v1.commons.most_traded" in error.message


def test_a_name_that_fits_none_tells_what_there_is(seat: Seat) -> None:
    error = refusal(lambda: seat.app.browsing.browse("commodities/wood"))
    assert isinstance(error, NodeUnknown)
    assert "Metals" in error.message


@pytest.mark.parametrize("node", ["../positions", "a/../b", "", "/", "x\x00", "a" * 300])
def test_what_is_no_node_is_refused_before_any_request(seat: Seat, node: str) -> None:
    assert isinstance(refusal(lambda: seat.app.browsing.browse(node)), UsageError)
    assert seat.tap.requests == []


def test_an_unknown_id_is_an_empty_node(seat: Seat) -> None:
    assert seat.app.browsing.browse("hierarchy_v1.nothing").data.rows == ()


def test_at_most_so_many_markets(seat: Seat) -> None:
    assert len(seat.app.browsing.browse("hierarchy_v1.commodities.metals", limit=2).data.rows) == 2


def test_sentiment_of_several_is_one_request_in_the_order_asked(seat: Seat) -> None:
    seat.app.accounts.login()
    before = len(seat.tap.requests)
    found = seat.app.browsing.sentiment(("SILVER", "GOLD")).data.sentiments
    assert len(seat.tap.requests) == before + 1
    assert [row.market_id for row in found] == ["SILVER", "GOLD"]
    assert all(row.long_pct + row.short_pct == Decimal(100) for row in found)


def test_sentiment_of_an_unknown_market_names_it(seat: Seat) -> None:
    error = refusal(lambda: seat.app.browsing.sentiment(("SILVER", "gold")))
    assert isinstance(error, EpicUnknown)
    assert "did you mean GOLD" in error.message


def test_sentiment_needs_epics(seat: Seat) -> None:
    for wanted in ((), ("a/b",), tuple(f"E{number}" for number in range(51))):
        assert isinstance(refusal(lambda wanted=wanted: seat.app.browsing.sentiment(wanted)), UsageError)
    assert seat.tap.requests == []

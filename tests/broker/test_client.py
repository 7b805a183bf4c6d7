"""The typed calls: what is asked for on the wire, and what comes of the answers."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.account import OrderType
from capcli.domain.market import Resolution, Side
from capcli.errors import BrokerRefused, DealUnknown, EpicUnknown, NotTheBroker, UsageError

from . import shapes
from .host import START, Cache, Venue, answer, refusal, stored

NO_EPIC = refusal("error.not-found.epic", 404)


@pytest.fixture
def warm(venue: Venue) -> Venue:
    """Return a venue whose broker has a session already."""
    venue.on("GET /time", answer({"serverTime": int(START.timestamp() * 1000)}))
    return venue


def broker(venue: Venue) -> Any:
    return venue.broker(cache=Cache(stored()))


def asked(venue: Venue) -> dict[str, str]:
    return dict(venue.requests[-1].url.params)


def test_server_time_needs_no_login(warm: Venue) -> None:
    assert warm.broker().server_time() == START
    assert warm.seen() == ["GET /time"]
    assert "cst" not in warm.requests[0].headers


def test_accounts_tell_equity_from_cash(warm: Venue) -> None:
    warm.on("GET /accounts", answer({"accounts": [shapes.account_row(shapes.FIRST)]}))

    (account,) = broker(warm).accounts()

    assert (account.equity, account.cash) == (Decimal("1002.5"), Decimal("1000.0"))


def test_a_search_sends_its_term_and_none_asks_for_everything(warm: Venue) -> None:
    closed = {key: shapes.SUMMARY[key] for key in ("epic", "instrumentName", "instrumentType")}
    warm.on("GET /markets", answer({"markets": [shapes.SUMMARY, {**closed, "marketStatus": "CLOSED"}]}))
    capital = broker(warm)

    rows = capital.search(" silver ")

    assert asked(warm) == {"searchTerm": "silver"}
    assert (rows[0].bid, rows[1].bid, rows[1].at) == (Decimal("30.2"), None, None)
    capital.search(None)
    assert asked(warm) == {}


def test_an_empty_search_is_refused_before_it_is_sent(warm: Venue) -> None:
    with pytest.raises(UsageError):
        broker(warm).search("  ")

    assert warm.requests == []


def test_a_market_is_quoted_at_the_date_of_the_answer(warm: Venue) -> None:
    warm.on("GET /markets/SILVER", answer(shapes.DETAILS))
    warm.time.elapsed = 300

    assert broker(warm).market("SILVER").quote.at == START


def test_a_lower_case_epic_is_answered_with_the_right_one(warm: Venue) -> None:
    warm.on("GET /markets/silver", NO_EPIC)
    warm.on("GET /markets/SILVER", answer(shapes.DETAILS))

    with pytest.raises(EpicUnknown, match=r"did you mean SILVER\? Epics are case-sensitive\.") as caught:
        broker(warm).market("silver")

    assert caught.value.next == "capcli markets show SILVER"
    assert caught.value.details["suggestion"] == "SILVER"


def test_an_unknown_epic_leads_to_a_search(warm: Venue) -> None:
    warm.on("GET /markets/nope", NO_EPIC)
    warm.on("GET /markets/NOPE", NO_EPIC)

    with pytest.raises(EpicUnknown) as caught:
        broker(warm).market("nope")

    assert caught.value.next == "capcli markets search nope"
    assert "suggestion" not in caught.value.details


def test_what_cannot_be_an_epic_is_never_asked_for(warm: Venue) -> None:
    with pytest.raises(EpicUnknown) as caught:
        broker(warm).market("../session; rm -rf")

    assert caught.value.next == "capcli markets search '../session; rm -rf'"
    assert warm.requests == []


def other(epic: str) -> dict[str, Any]:
    details = deepcopy(shapes.DETAILS)
    details["instrument"]["epic"] = epic
    return details


def test_markets_come_in_the_order_they_were_asked_for(warm: Venue) -> None:
    warm.on("GET /markets", answer({"marketDetails": [other("GOLD"), other("SILVER")]}))

    markets = broker(warm).markets(("SILVER", "GOLD"))

    assert [market.epic for market in markets] == ["SILVER", "GOLD"]
    assert asked(warm) == {"epics": "SILVER,GOLD"}


def test_markets_are_asked_for_fifty_at_a_time(warm: Venue) -> None:
    def some(request: httpx.Request) -> httpx.Response:
        epics = request.url.params["epics"].split(",")
        assert len(epics) <= 50
        return answer({"marketDetails": [other(epic) for epic in epics]})

    warm.on("GET /markets", some)

    assert len(broker(warm).markets(tuple(f"E{n}" for n in range(120)))) == 120
    assert len(warm.requests) == 3


@pytest.mark.parametrize("batch", [NO_EPIC, answer({"marketDetails": [other("GOLD")]})])
def test_an_unknown_epic_in_a_list_is_named(warm: Venue, batch: httpx.Response) -> None:
    warm.on("GET /markets", batch)
    warm.on("GET /markets/GOLD", answer(other("GOLD")))
    warm.on("GET /markets/NOPE", NO_EPIC)

    with pytest.raises(EpicUnknown, match="NOPE"):
        broker(warm).markets(("GOLD", "NOPE"))


def bars(*times: str) -> httpx.Response:
    return answer({"prices": [shapes.bar(time) for time in times], "instrumentType": "COMMODITIES"})


def test_the_last_candles_need_only_a_number(warm: Venue) -> None:
    warm.on("GET /prices/SILVER", bars("2026-03-02T11:00:00"))

    (candle,) = broker(warm).candles("SILVER", Resolution.HOUR, last=5000)

    assert asked(warm) == {"resolution": "HOUR", "max": "1000"}
    assert candle.time == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert (candle.bid_open, candle.ask_close, candle.volume) == (
        Decimal("30.2"),
        Decimal("30.32"),
        Decimal(187),
    )


def test_candles_from_a_start_go_on_for_a_page(warm: Venue) -> None:
    warm.on("GET /prices/SILVER", bars("2026-03-01T00:00:00"))

    broker(warm).candles(
        "SILVER", Resolution.MINUTE, start=datetime.fromisoformat("2026-03-01T02:00:00+02:00")
    )

    assert asked(warm) == {"resolution": "MINUTE", "max": "1000", "from": "2026-03-01T00:00:00"}


def test_a_window_never_ends_in_the_future_of_the_broker(warm: Venue) -> None:
    warm.on("GET /prices/SILVER", bars("2026-03-02T10:00:00"))

    broker(warm).candles(
        "SILVER", Resolution.HOUR, start=START - timedelta(hours=5), end=START + timedelta(days=1)
    )

    assert asked(warm) == {
        "resolution": "HOUR",
        "max": "1000",
        "from": "2026-03-02T07:00:00",
        "to": "2026-03-02T11:59:59",
    }


def test_the_last_candles_before_an_end(warm: Venue) -> None:
    warm.on("GET /prices/SILVER", bars("2026-03-01T09:00:00", "2026-03-01T10:00:00", "2026-03-01T11:00:00"))

    page = broker(warm).candles("SILVER", Resolution.HOUR, last=2, end=START - timedelta(days=1))

    assert (asked(warm)["from"], asked(warm)["to"]) == ("2026-03-01T11:00:00", "2026-03-01T12:00:00")
    assert [candle.time.hour for candle in page] == [10, 11]


def test_a_window_that_no_page_can_hold_is_refused(warm: Venue) -> None:
    with pytest.raises(UsageError, match="999"):
        broker(warm).candles("SILVER", Resolution.MINUTE, start=START - timedelta(days=2), end=START)


def test_a_window_in_the_future_is_empty(warm: Venue) -> None:
    later = START + timedelta(hours=1)

    assert broker(warm).candles("SILVER", Resolution.HOUR, start=later, end=later + timedelta(hours=1)) == ()


def test_a_page_that_has_not_begun_is_empty(warm: Venue) -> None:
    assert broker(warm).candles("SILVER", Resolution.HOUR, start=START + timedelta(minutes=1)) == ()
    assert warm.seen() == ["GET /time"]


def test_a_window_without_candles_is_empty(warm: Venue) -> None:
    warm.on("GET /prices/SILVER", refusal("error.prices.not-found", 404))

    assert broker(warm).candles("SILVER", Resolution.HOUR, last=3) == ()
    assert "GET /markets/SILVER" not in warm.seen()


@pytest.mark.parametrize("body", [b"{}", b"", b"no prices", b"<html>not found</html>"])
def test_a_404_without_a_code_is_empty_only_for_a_market_that_exists(warm: Venue, body: bytes) -> None:
    warm.on("GET /prices/SILVER", httpx.Response(404, content=body))
    warm.on("GET /markets/SILVER", answer(shapes.DETAILS), NO_EPIC)
    capital = broker(warm)

    assert capital.candles("SILVER", Resolution.HOUR, last=3) == ()
    with pytest.raises(EpicUnknown):
        capital.candles("SILVER", Resolution.HOUR, last=3)


def test_positions_and_orders_are_read_from_their_different_keys(warm: Venue) -> None:
    warm.on("GET /positions", answer({"positions": [shapes.POSITION]}))
    warm.on("GET /workingorders", answer({"workingOrders": [shapes.WORKING]}))
    capital = broker(warm)

    (position,), (order,) = capital.positions(), capital.orders()

    assert (position.deal_id, position.side, position.size) == (shapes.DEAL, Side.BUY, Decimal("1.5"))
    assert (order.deal_id, order.type) == (shapes.ORDER, OrderType.LIMIT)


def test_one_position_and_one_that_is_gone(warm: Venue) -> None:
    warm.on(f"GET /positions/{shapes.DEAL}", answer(shapes.POSITION), refusal("error.not-found.dealId", 404))
    capital = broker(warm)

    assert capital.position(shapes.DEAL).level == Decimal("30.22")
    with pytest.raises(DealUnknown, match=shapes.DEAL):
        capital.position(shapes.DEAL)


def test_a_confirm_is_none_until_the_broker_knows_it(warm: Venue) -> None:
    warm.on("GET /confirms/o_1", refusal("error.not-found.dealReference", 404), answer(shapes.CONFIRM))
    capital = broker(warm)

    assert capital.confirm("o_1") is None
    verdict = capital.confirm("o_1")
    assert verdict is not None
    assert (verdict.accepted, verdict.deals[0].deal_id, verdict.at) == (
        True,
        shapes.DEAL,
        datetime(2026, 3, 2, 12, 0, 0, 100000, tzinfo=UTC),
    )


def test_a_404_page_of_a_proxy_is_no_answer_about_a_confirm(warm: Venue) -> None:
    warm.on("GET /confirms/o_1", httpx.Response(404, content=b"<html>no such page</html>"))

    with pytest.raises(NotTheBroker, match="proxy"):
        broker(warm).confirm("o_1")


def test_activity_asks_for_the_details_of_a_window(warm: Venue) -> None:
    warm.on("GET /history/activity", answer({"activities": [shapes.ACTIVITY]}))

    (row,) = broker(warm).activity(START - timedelta(hours=2), START + timedelta(hours=1))

    assert asked(warm) == {
        "from": "2026-03-02T10:00:00",
        "to": "2026-03-02T11:59:59",
        "detailed": "true",
    }
    assert (row.deal_id, row.size, row.side) == (shapes.DEAL, Decimal("1.5"), Side.BUY)


def test_a_refused_read_carries_the_brokers_code(warm: Venue) -> None:
    warm.on("GET /history/activity", refusal("error.invalid.daterange", 400))

    with pytest.raises(BrokerRefused, match=r"error\.invalid\.daterange") as caught:
        broker(warm).activity(START - timedelta(days=3), START)

    assert caught.value.details == {"http_status": 400, "broker_code": "error.invalid.daterange"}

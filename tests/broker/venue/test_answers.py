"""Answers as they were seen on the venue, each through the real client into a command's JSON."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from .answers import (
    ACCOUNTS,
    DETAILS,
    MARKET,
    PREFERENCES,
    SECOND,
    SESSION,
    bar,
    booking,
    event,
    held,
    resting,
)
from .conftest import Venue
from .loopback import Says


@dataclass(frozen=True)
class Case:
    """A command, the answers that differ from a usual day, and what its document must hold.

    `holds` are dotted paths into `data`; `says` is part of the error's or the first warning's text.
    """

    words: str
    answers: dict[str, Any] = field(default_factory=dict)
    holds: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    says: str = ""


def details(**parts: Any) -> dict[str, Any]:
    """Return GOLD with changes to its instrument, its snapshot and its rules."""
    return {name: {**DETAILS[name], **parts.get(name, {})} for name in DETAILS}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def positions(*rows: Any) -> dict[str, Any]:
    return {"GET /positions": {"positions": rows}}


def orders(*rows: Any) -> dict[str, Any]:
    return {"GET /workingorders": {"workingOrders": rows}}


def bookings(*rows: Any) -> dict[str, Any]:
    return {"GET /history/transactions": {"transactions": rows}}


def events(*rows: Any) -> dict[str, Any]:
    return {"GET /history/activity": {"activities": rows}}


def bare(row: dict[str, Any], part: str, *names: str) -> dict[str, Any]:
    return {**row, part: without(row[part], *names)}


READ = {"rows": 1, "unreadable": 1}
NO_BID = held(market_bid=None, market_offer=None)
PREVIEW = "preview GOLD --size 30"
ACTIVITY, BOOKINGS = "history activity --last 12h", "history transactions --last 12h"
UNAUTHORISED = [Says(401, b""), {"positions": [held()]}]

CASES = {
    # 1: the margin factor is a static 100 %; the leverage of the account is what counts.
    "margin_by_leverage_beside_a_static_factor": Case(
        PREVIEW, {}, {"margin_pct": 5, "leverage": 20, "executable": True}
    ),
    "margin_by_leverage_without_a_factor": Case(
        PREVIEW,
        {"GET /markets/GOLD": {**DETAILS, "instrument": without(DETAILS["instrument"], "marginFactor")}},
        {"margin_pct": 5},
    ),
    "the_larger_margin_counts_and_both_are_shown": Case(
        "preview GOLD --size 10",
        {"GET /markets/GOLD": details(instrument={"marginFactor": 10})},
        {"margin_pct": 10, "market_margin_pct": 10, "leverage": 20},
    ),
    "a_leverage_that_is_no_whole_number": Case(
        PREVIEW,
        {
            "GET /accounts/preferences": {
                **PREFERENCES,
                "leverages": {"COMMODITIES": {"current": "20.0", "available": [20.0]}},
            }
        },
        {"margin_pct": 5},
    ),
    # 3: the currency of a demo account.
    "a_preview_in_the_currency_of_a_demo_account": Case(
        PREVIEW, {}, {"account_currency": "USD", "conversion_rate": 1, "executable": True}
    ),
    "an_instrument_in_the_currency_of_demo": Case(
        PREVIEW,
        {"GET /markets/GOLD": details(instrument={"currency": "USDd"})},
        {"currency": "USD", "executable": True},
    ),
    "accounts_in_the_currency_of_demo": Case(
        "accounts", {}, {"accounts.0.currency": "USD", "accounts.1.currency": "EUR"}
    ),
    "bookings_in_the_currency_of_demo": Case(BOOKINGS, {}, {"currency": "USD", "total": Decimal("-9.25")}),
    "an_order_in_the_currency_of_demo": Case(
        "orders", orders(resting(currencyCode="USDd")), {"orders.0.currency": "USD"}
    ),
    # 8, 9: modes and status.
    "a_long_only_market_takes_a_buy": Case(
        PREVIEW, {"GET /markets/GOLD": details(snapshot={"marketModes": ["LONG_ONLY"]})}, {"executable": True}
    ),
    "a_long_only_market_takes_no_short": Case(
        f"{PREVIEW} --sell",
        {"GET /markets/GOLD": details(snapshot={"marketModes": ["LONG_ONLY"]})},
        {"executable": False},
        5,
    ),
    "a_view_only_market_takes_nothing": Case(
        PREVIEW,
        {"GET /markets/GOLD": details(snapshot={"marketModes": ["VIEW_ONLY"]})},
        {"executable": False},
        5,
    ),
    "an_unknown_mode_forbids_nothing": Case(
        PREVIEW,
        {"GET /markets/GOLD": details(snapshot={"marketModes": ["UNKNOWN", "NEW"]})},
        {"executable": True},
    ),
    "a_market_closed_inside_its_hours": Case(
        PREVIEW,
        {"GET /markets/GOLD": details(snapshot={"marketStatus": "CLOSED"})},
        {"executable": False},
        5,
        "although its opening hours say open",
    ),
    "a_closed_market_lets_an_order_wait": Case(
        f"{PREVIEW} --at 3800 --type limit",
        {"GET /markets/GOLD": details(snapshot={"marketStatus": "CLOSED"})},
        {"executable": True},
    ),
    "a_status_of_tomorrow": Case(
        "quote GOLD",
        {"GET /markets/GOLD": details(snapshot={"marketStatus": "PAUSED"})},
        {"quotes.0.market_status": "UNKNOWN"},
    ),
    # 10: number forms.
    "a_number_with_an_exponent": Case("positions", positions(held(size="2.5E1")), {"positions.0.size": 25}),
    "a_large_number_with_an_exponent": Case(
        "accounts",
        {
            "GET /accounts": {
                "accounts": [
                    {
                        **ACCOUNTS["accounts"][0],
                        "balance": {
                            "balance": "2.589885E7",
                            "deposit": "1.0E7",
                            "profitLoss": 0,
                            "available": 5,
                        },
                    }
                ]
            }
        },
        {"accounts.0.equity": 25898850, "accounts.0.cash": 10000000},
    ),
    "a_small_booking_with_an_exponent": Case(
        BOOKINGS, bookings(booking(size="-9.0E-4")), {"transactions.0.amount": Decimal("-0.0009")}
    ),
    "an_amount_with_one_decimal": Case(
        BOOKINGS, bookings(booking(size="100.0")), {"transactions.0.amount": 100}
    ),
    "an_amount_as_a_number": Case(
        BOOKINGS, bookings(booking(size=-0.0029)), {"transactions.0.amount": Decimal("-0.0029")}
    ),
    "a_profit_that_is_not_a_number": Case("positions", positions(held(), held(SECOND, upl="NaN")), READ),
    "a_rule_that_is_not_a_number_is_absent": Case(
        "markets show GOLD",
        {"GET /markets/GOLD": details(dealingRules={"maxDealSize": {"unit": "POINTS", "value": "NaN"}})},
        {"market.rules.max_size": None, "market.rules.min_size": Decimal("0.01")},
    ),
    "a_whole_number_with_decimals": Case(
        "markets show GOLD",
        {"GET /markets/GOLD": details(snapshot={"decimalPlacesFactor": 2.0})},
        {"market.decimals": 2},
    ),
    "a_time_of_twenty_digits_in_a_fee": Case(
        "markets show GOLD",
        {
            "GET /markets/GOLD": details(
                instrument={"overnightFee": {"longRate": 1, "shortRate": 1, "swapChargeTimestamp": 10**20}}
            )
        },
        {"market.overnight.next_charge": None, "market.overnight.long_rate": 1},
    ),
    "the_brokers_clock_with_a_time_of_twenty_digits": Case(
        "history activity --last 12h", {"GET /time": {"serverTime": 10**20}}, {"rows": 2}
    ),
    "a_server_time_of_twenty_digits": Case(
        "prices GOLD --last 3", {"GET /time": {"serverTime": 10**20}}, {"rows": 2}
    ),
    "a_time_in_milliseconds": Case(
        "positions",
        positions(held(createdDateUTC=1795537800250)),
        {"positions.0.opened_at": "2026-11-24T16:30:00.250000Z"},
    ),
    "a_time_with_a_zone": Case(
        "positions",
        positions(held(createdDateUTC="2026-11-24T10:30:00.250+02:00")),
        {"positions.0.opened_at": "2026-11-24T08:30:00.250000Z"},
    ),
    "a_numeric_reference_and_no_note": Case(
        BOOKINGS,
        bookings(booking(reference=77, note=None)),
        {"transactions.0.reference": "77", "transactions.0.note": ""},
    ),
    "a_numeric_client_and_account": Case(
        "login --status --check", {"GET /session": {**SESSION, "clientId": 55000111}}, {}
    ),
    "a_yes_as_text": Case(
        "positions", positions(held(guaranteedStop="true")), {"positions.0.guaranteed": True}
    ),
    # 11, 29: rows that are thin or strange.
    "a_position_in_a_suspended_market_without_prices": Case(
        "positions",
        positions(NO_BID, held(SECOND)),
        {"rows": 2, "unreadable": 0, "positions.0.bid": None, "positions.0.stop_distance": None},
    ),
    "the_value_of_a_position_without_prices_is_by_the_brokers_result": Case(
        "exposure",
        positions(NO_BID),
        {"exposure.0.notional": Decimal("1999.75"), "exposure.0.loss_at_stops": Decimal("49.75")},
    ),
    "a_preview_beside_a_position_without_prices": Case(PREVIEW, positions(NO_BID), {"executable": True}),
    "the_rules_of_a_market_without_prices": Case(
        "markets show GOLD",
        {"GET /markets/GOLD": details(snapshot={"bid": None, "offer": None, "marketStatus": "SUSPENDED"})},
        {
            "market.quote.bid": None,
            "market.quote.status": "SUSPENDED",
            "market.rules.min_size": Decimal("0.01"),
            "market.hours.zone": "UTC",
        },
    ),
    "a_position_of_2022": Case(
        "positions",
        positions(bare(held(), "position", "upl", "leverage", "workingOrderId"), held(SECOND)),
        READ,
    ),
    "a_position_without_a_leverage": Case(
        "positions",
        positions(bare(held(), "position", "leverage", "workingOrderId")),
        {"rows": 1, "unreadable": 0},
    ),
    "an_order_of_an_unknown_type": Case(
        "orders", orders(resting(orderType="ICEBERG"), resting(SECOND)), READ
    ),
    "a_booking_without_an_amount": Case(
        BOOKINGS, bookings(booking(size=None), booking()), {**READ, "total": None}
    ),
    "an_activity_without_a_time": Case(ACTIVITY, events(event(dateUTC="soon"), event()), READ),
    "an_activity_in_an_unknown_direction": Case(
        ACTIVITY,
        events(event(details={"direction": "BOTH", "size": 1})),
        {"activities.0.side": None, "activities.0.size": 1},
    ),
    "an_activity_without_words": Case(
        ACTIVITY, events({"dateUTC": "2026-11-25T11:00:00"}), {"activities.0.type": "", "unreadable": 0}
    ),
    "a_row_that_is_no_object": Case("positions", positions(7, held()), READ),
    "thin_details": Case(
        "markets show GOLD",
        {
            "GET /markets/GOLD": {
                "instrument": {
                    "epic": "GOLD",
                    "name": "Gold",
                    "type": "COMMODITIES",
                    "currency": "USD",
                    "lotSize": 1,
                },
                "snapshot": {"bid": 3999.5, "offer": 4000.0},
            }
        },
        {
            "market.high": None,
            "market.hours": None,
            "market.margin_factor": None,
            "market.quote.status": "UNKNOWN",
        },
    ),
    "a_market_without_a_name": Case(
        "markets search gold",
        {"GET /markets": {"markets": [without(MARKET, "instrumentName", "instrumentType", "high")]}},
        {"markets.0.name": "GOLD", "markets.0.high": None},
    ),
    "an_account_without_words": Case(
        "accounts",
        {
            "GET /accounts": {
                "accounts": [
                    without(
                        ACCOUNTS["accounts"][0], "accountName", "status", "accountType", "preferred", "symbol"
                    )
                ]
            }
        },
        {"accounts.0.preferred": False, "accounts.0.cash": 10000},
    ),
    "a_watchlist_without_its_flags": Case(
        "watchlists",
        {"GET /watchlists": {"watchlists": [{"id": 7001, "name": "Mine"}]}},
        {"watchlists.0.watchlist_id": "7001", "watchlists.0.editable": False},
    ),
    "a_node_without_a_name": Case(
        "markets browse",
        {"GET /marketnavigation": {"nodes": [{"id": "hierarchy_v1.x"}]}},
        {"rows.0.name": "hierarchy_v1.x"},
    ),
    # 13: any 401 to a read.
    **{
        f"a_401_to_a_read_{name}": Case(
            "positions", {"GET /positions": [Says(401, body), {"positions": [held()]}]}, {"rows": 1}
        )
        for name, body in (
            ("with_nothing", b""),
            ("with_an_empty_object", b"{}"),
            ("with_a_page", b"<html>401</html>"),
            ("with_a_new_code", b'{"errorCode":"error.session.gone"}'),
            ("with_a_known_code", b'{"errorCode":"error.invalid.session.token"}'),
        )
    },
    "a_401_that_stays": Case(
        "positions", {"GET /positions": Says(401, b"{}")}, code=4, says="401 Unauthorized"
    ),
    # 14, 27: windows without prices.
    **{
        f"a_404_of_prices_{name}": Case(
            "prices GOLD --last 3", {"GET /prices/GOLD": Says(404, body)}, {"rows": 0}
        )
        for name, body in (
            ("with_nothing", b""),
            ("with_text", b"no data"),
            ("with_an_empty_object", b"{}"),
            ("with_its_code", b'{"errorCode":"error.prices.not-found"}'),
        )
    },
    "the_newest_candle_is_still_forming": Case(
        "prices GOLD --resolution 1h --last 2",
        {"GET /prices/GOLD": {"prices": [bar("2026-11-25T11:00:00"), bar("2026-11-25T12:00:00")]}},
        {"forming": True},
    ),
    # 16, 18: steps and new fields.
    "a_size_off_the_step_is_refused_before": Case(
        "preview GOLD --size 1.815", {}, {"executable": False}, 5, "off the step"
    ),
    "fields_of_tomorrow_are_ignored": Case(
        "positions", positions({**held(), "extra": {"deep": [1, None]}}), {"rows": 1}
    ),
    # 21: ids that are alike at both ends.
    "deals_that_differ_in_the_middle": Case(
        f"positions {SECOND}",
        positions(held(), held(SECOND, size=0.25)),
        {"rows": 1, "positions.0.deal_id": SECOND},
    ),
    # 5 of the errors page, 4.1: what is in the way.
    "a_java_class_as_code": Case(
        "positions",
        {
            "GET /positions": [
                Says(500, {"errorCode": "java.util.concurrent.TimeoutException"}),
                {"positions": []},
            ]
        },
        {"rows": 0},
    ),
    "a_page_of_the_gate": Case(
        "positions",
        {"GET /positions": Says(403, b"<html>Blocked</html>")},
        code=7,
        says="the broker's own gate may also block",
    ),
    "an_answer_without_its_list": Case("positions", {"GET /positions": {}}, code=6, says="positions"),
}


def test_there_are_sixty_of_them() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_the_venues_answer_becomes_a_document(venue: Venue, name: str) -> None:
    case = CASES[name]
    venue.script.answers.update(case.answers)

    done = venue(*case.words.split())

    assert done.code == case.code, done
    document = done.json
    assert case.says in done.out
    for path, value in case.holds.items():
        assert found(document["data"], path) == value, (path, document["data"])
    assert venue.mutations() == []


def found(data: Any, path: str) -> Any:
    """Return what lies at a path; `rows` counts the first list, `unreadable` those that are named."""
    if path == "rows":
        return len(
            next(value for name, value in data.items() if isinstance(value, list) and name != "unreadable")
        )
    if path == "unreadable":
        return len(data["unreadable"])
    for step in path.split("."):
        data = data[int(step)] if isinstance(data, list) else data[step]
    return Decimal(str(data)) if isinstance(data, float) else data

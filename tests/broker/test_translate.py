"""From shapes to domain values: units, times, rules that are not there."""

from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capcli.broker import readings, translate, wire
from capcli.domain.account import Position, Transaction, WorkingOrder
from capcli.domain.market import Distance, Market, MarketStatus, RuleUnit, Side
from capcli.errors import UnreadableAnswer

from . import shapes

AT = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)


def market(change: dict[str, Any] | None = None, **instrument: Any) -> Market:
    body = deepcopy(shapes.DETAILS) | (change or {})
    body["instrument"] |= instrument
    return translate.market(wire.decode(shapes.encoded(body), wire.MarketDetails, "GET /markets/SILVER"), AT)


def position(**held: Any) -> Position:
    body = deepcopy(shapes.POSITION)
    body["position"] |= held
    return translate.position(wire.decode(shapes.encoded(body), wire.PositionRow, "GET /positions/X"))


def working(**order: Any) -> WorkingOrder:
    body = deepcopy(shapes.WORKING)
    body["workingOrderData"] |= order
    return translate.working_order(wire.decode(shapes.encoded(body), wire.OrderRow, "GET /workingorders"))


def test_a_market_carries_its_rules_with_their_units() -> None:
    rules = market().rules

    assert (rules.price_step, rules.size_step) == (Decimal("0.001"), Decimal("0.1"))
    assert (rules.min_size, rules.max_size) == (1, 100000)
    assert rules.min_stop_distance == Distance(Decimal("0.01"), RuleUnit.PERCENTAGE)
    assert (rules.trailing_stops, rules.market_orders) == (False, True)
    assert rules.missing() == ()


def test_older_rule_names_are_read_with_the_unit_they_came_with() -> None:
    rules = market({"dealingRules": shapes.OLD_RULES}).rules

    assert rules.min_stop_distance == Distance(Decimal("0.05"), RuleUnit.POINTS)
    assert rules.min_guaranteed_stop_distance == Distance(Decimal(2), RuleUnit.PERCENTAGE)
    assert rules.max_stop_distance == Distance(Decimal(60), RuleUnit.PERCENTAGE)


def test_rules_that_were_not_sent_stay_missing() -> None:
    assert market({"dealingRules": shapes.OLD_RULES}).rules.missing() == ("max_size", "size_step")
    assert market({"dealingRules": None}).rules.trailing_stops is None
    assert len(market({"dealingRules": {}}).rules.missing()) == 6


def test_a_rule_in_a_unit_that_nobody_knows_is_as_good_as_missing() -> None:
    odd = {"unit": "FURLONGS", "value": 1}

    rules = market({"dealingRules": {"minDealSize": odd, "maxStopOrProfitDistance": odd}}).rules

    assert (rules.min_size, rules.max_stop_distance) == (None, None)


def test_a_markets_quote_is_dated_by_the_brokers_clock() -> None:
    assert market().quote.at == AT


def test_opening_hours_are_read_as_lists_and_as_text() -> None:
    hours = market(openingHours={"mon": "0:00 - 21:00, 22:05-00:00", "tue": "-", "zone": "UTC"}).hours

    assert hours is not None
    assert hours.zone == "UTC"
    assert [(day.day, day.sessions) for day in hours.days] == [
        ("mon", ("00:00-21:00", "22:05-00:00")),
        ("tue", ()),
    ]
    assert market().hours == translate.opening_hours(shapes.DETAILS["instrument"]["openingHours"])


def test_hours_without_a_zone_are_no_hours() -> None:
    assert market(openingHours={"mon": []}).hours is None


def test_the_overnight_fee_is_dated_in_utc() -> None:
    fee = market().overnight

    assert fee is not None
    assert fee.next_charge == datetime(2026, 3, 2, 21, tzinfo=UTC)
    assert fee.rate(Side.BUY) == Decimal("-0.02")


def test_a_status_that_nobody_documented_is_unknown() -> None:
    assert readings.status("PAUSED") is MarketStatus.UNKNOWN
    assert readings.status("EDITS_ONLY") is MarketStatus.EDITS_ONLY


def test_a_positions_times_come_from_the_utc_fields() -> None:
    held = position()

    assert held.opened_at == datetime(2026, 3, 2, 11, tzinfo=UTC)


def test_a_contract_and_a_lot_have_the_units_that_the_broker_says() -> None:
    assert (position().contract_size, position().size) == (10, Decimal("1.5"))
    assert market().lot_size == 100


def test_a_trailing_position_keeps_its_distance() -> None:
    held = position(trailingStop=True, stopDistance=0.7)

    assert (held.trailing, held.stop_distance) == (True, Decimal("0.7"))


def test_the_published_working_order_has_its_legs_at_their_levels() -> None:
    order = working()

    assert (order.stop_level, order.limit_level) == (Decimal(25), Decimal(31))
    assert order.good_till == datetime(2026, 3, 9, 12, tzinfo=UTC)


@given(
    level=st.decimals(min_value=1, max_value=10**6, places=3),
    distance=st.decimals(min_value="0.001", max_value=10**5, places=3),
    sign=st.sampled_from([1, -1]),
    side=st.sampled_from(Side),
)
def test_a_leg_lies_on_its_side_whatever_sign_came(
    level: Decimal, distance: Decimal, sign: int, side: Side
) -> None:
    order = working(
        direction=side.value,
        orderLevel=float(level),
        stopDistance=float(sign * distance),
        profitDistance=float(-sign * distance),
    )

    assert order.stop_level is not None
    assert order.limit_level is not None
    below, above = sorted((order.stop_level, order.limit_level))
    assert (below, above) == (level - distance, level + distance)
    assert (order.stop_level < order.level) is (side is Side.BUY)


def test_an_order_without_legs_has_none() -> None:
    order = working(stopDistance=None, profitDistance=None, goodTillDateUTC=None)

    assert (order.stop_level, order.limit_level, order.good_till) == (None, None, None)


def test_a_rejected_confirm_says_why_and_names_no_deal() -> None:
    row = wire.Confirm("REJECTED", status="DELETED", reject_reason="RISK_CHECK")

    verdict = translate.confirm(row, "o_1", "GET /confirms/o_1")

    assert (verdict.accepted, verdict.reason, verdict.deals) == (False, "RISK_CHECK", ())
    assert verdict.deal_reference == "o_1"


def test_the_older_reason_of_success_is_no_reason() -> None:
    assert translate.confirm(wire.Confirm("ACCEPTED", reason="SUCCESS"), "o_1", "GET x").reason is None


def test_a_verdict_that_is_neither_yes_nor_no_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="dealStatus 'PERHAPS'"):
        translate.confirm(wire.Confirm("PERHAPS"), "o_1", "GET /confirms/o_1")


def test_activity_without_details_or_market_is_still_a_row() -> None:
    body = b'{"dateUTC":"2026-03-02T21:00:00.000","source":"SYSTEM","type":"SWAP","status":"ACCEPTED"}'

    row = translate.activity(wire.decode(body, wire.ActivityRow, "GET /history/activity"))

    assert (row.epic, row.deal_id, row.size, row.side) == ("", "", None, None)
    assert row.at == datetime(2026, 3, 2, 21, tzinfo=UTC)


def test_an_activity_level_of_zero_is_not_known_yet() -> None:
    body = shapes.encoded(shapes.ACTIVITY).replace(b'"level": 30.22', b'"level": 0')

    assert translate.activity(wire.decode(body, wire.ActivityRow, "x")).level is None


def booking(**changes: Any) -> Transaction:
    body = {
        "date": "2026-03-02T15:00:05.123",
        "dateUtc": "2026-03-02T12:00:05.123",
        "transactionType": "TRADE",
        "size": "-12.50",
        "currency": "USDd",
        "reference": "123",
        **changes,
    }
    row = wire.decode(shapes.encoded(body), wire.TransactionRow, "GET /history/transactions")
    return translate.transaction(row)


def test_a_booking_is_money_at_a_utc_time() -> None:
    row = booking(instrumentName="GOLD", note="Trade closed", dealId="d1", status="PROCESSED")
    assert row.at == datetime(2026, 3, 2, 12, 0, 5, 123_000, tzinfo=UTC)
    assert (row.amount, row.currency, row.epic, row.deal_id) == (Decimal("-12.50"), "USD", "GOLD", "d1")


def test_a_deposit_has_no_market_and_no_deal() -> None:
    row = booking(transactionType="DEPOSIT", size="100")
    assert (row.epic, row.deal_id, row.status, row.note) == (None, None, None, "")


@pytest.mark.parametrize(
    ("size", "amount"), [("-9.0E-4", "-0.00090"), ("1.0E7", "10000000"), (12.5, "12.5"), ("100.0", "100.0")]
)
def test_an_amount_is_read_in_any_form_of_a_number(size: object, amount: str) -> None:
    assert str(booking(size=size).amount) == amount


@pytest.mark.parametrize("size", ["", "NaN", "ten", None, True])
def test_an_amount_that_is_no_number_is_unreadable(size: object) -> None:
    with pytest.raises(UnreadableAnswer, match="size"):
        booking(size=size)


def test_a_booking_with_a_numeric_reference_and_no_note_is_a_booking() -> None:
    row = booking(reference=900100200, note=None)
    assert (row.reference, row.note) == ("900100200", "")


def test_the_currency_of_a_demo_account_is_the_same_wherever_it_stands() -> None:
    account = {**shapes.account_row(shapes.FIRST), "currency": "USDd"}
    row = wire.decode(shapes.encoded(account), wire.AccountRow, "GET /accounts")
    session = {**shapes.session_body(), "currency": "EURd"}
    details = wire.decode(shapes.encoded(session), wire.SessionDetails, "GET /session")
    login = {**shapes.login_body(), "currencyIsoCode": "USDd"}
    logged_in = wire.decode(shapes.encoded(login), wire.Login, "POST /session")

    assert translate.account(row).currency == logged_in.currency_iso_code == "USD"
    assert translate.session(details).currency == "EUR"
    assert market(currency="USDd").currency == position(currency="USDd").currency == "USD"
    assert working(currencyCode="GBPd").currency == "GBP"


def test_a_confirm_without_a_price_yet_has_none() -> None:
    body = shapes.encoded({**shapes.CONFIRM, "level": 0})
    assert translate.confirm(wire.decode(body, wire.Confirm, "x"), "o_1", "x").level is None


def test_a_direction_that_nobody_knows_leaves_an_activity_without_one() -> None:
    row = {**shapes.ACTIVITY, "details": {**shapes.ACTIVITY["details"], "direction": "HEDGE"}}
    assert translate.activity(wire.decode(shapes.encoded(row), wire.ActivityRow, "x")).side is None

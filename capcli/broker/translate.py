"""From the broker's shapes to domain values. Times become aware UTC; a rule that is absent stays None."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec.structs import asdict

from capcli.broker import readings, wire
from capcli.broker.answers import clean, json_object
from capcli.broker.failures import HEALTH
from capcli.domain.account import (
    Account,
    Activity,
    AffectedDeal,
    Confirm,
    Leverage,
    Listed,
    Position,
    Preferences,
    Rows,
    Session,
    Transaction,
    UnreadableRow,
    WorkingOrder,
)
from capcli.domain.market import (
    DAYS,
    Candle,
    DayHours,
    DealingRules,
    Distance,
    Market,
    MarketDetails,
    MarketRow,
    MarketSnapshot,
    Node,
    OpeningHours,
    OvernightFee,
    Quote,
    RuleUnit,
    Side,
)
from capcli.domain.money import Money
from capcli.errors import NoQuote, UnreadableAnswer

_Shape = TypeVar("_Shape")
_Value = TypeVar("_Value")

_SEGMENT = re.compile(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")
_ACCEPTED, _REJECTED = "ACCEPTED", "REJECTED"


def _same(kind: type[_Value], *rows: Any, **given: Any) -> _Value:
    """Build a value from the given fields, and from rows with fields of the same name (later rows first)."""
    for row in reversed(rows):
        shared = (name for name in row.__struct_fields__ if name in kind.__struct_fields__)  # type: ignore[attr-defined]
        given = {name: getattr(row, name) for name in shared} | given
    return kind(**given)


def same(kind: type[_Value]) -> Callable[[Any], _Value]:
    """Return a function that builds a value from a shape with the same field names."""
    return partial(_same, kind)


def session(row: wire.SessionDetails) -> Session:
    return _same(Session, row, timezone_offset=int(row.timezone_offset))


def account(row: wire.AccountRow) -> Account:
    return _same(Account, row, row.balance)


def market_row(row: wire.MarketSummary) -> MarketRow:
    return _same(MarketRow, row, name=row.name or row.epic)


def market(row: wire.MarketDetails, at: datetime) -> MarketDetails:
    """Return a market; its `quote` is a Quote where it has both prices.

    `at` is the broker's clock: the snapshot's own time is not UTC (API page 5.1).
    """
    instrument, snapshot = row.instrument, row.snapshot
    priced = snapshot.bid is not None and snapshot.offer is not None
    return _same(
        MarketDetails,
        instrument,
        snapshot,
        expiry=instrument.expiry or "-",
        guaranteed_stops=instrument.guaranteed_stop_allowed or instrument.controlled_risk_allowed,
        rules=dealing_rules(row.dealing_rules or wire.DealingRules()),
        hours=opening_hours(instrument.opening_hours),
        overnight=overnight_fee(instrument.overnight_fee),
        decimals=snapshot.decimals or 0,
        modes=tuple(filter(None, snapshot.modes or ())),
        quote=_same(Quote if priced else MarketSnapshot, snapshot, epic=instrument.epic, at=at),
    )


def priced(found: MarketDetails) -> Market:
    """Return a market that has prices. Raises NoQuote."""
    if isinstance(found.quote, Quote):
        return Market(**asdict(found))
    epic = clean(found.epic, 64)
    raise NoQuote(
        f"The broker sends no price for {epic} now; its status is {found.quote.status.value}.",
        "Nothing was sent.",
        next=f"capcli markets show {epic}",
        epic=epic,
    )


def dealing_rules(rules: wire.DealingRules) -> DealingRules:
    return DealingRules(
        price_step=_points(rules.min_step_distance),
        min_size=_points(rules.min_deal_size),
        max_size=_points(rules.max_deal_size),
        size_step=_points(rules.min_size_increment),
        min_stop_distance=_distance(
            rules.min_stop_or_profit_distance, rules.min_normal_stop_or_limit_distance
        ),
        min_guaranteed_stop_distance=_distance(
            rules.min_guaranteed_stop_distance, rules.min_controlled_risk_stop_distance
        ),
        max_stop_distance=_distance(rules.max_stop_or_profit_distance, rules.max_stop_or_limit_distance),
        trailing_stops=_available(rules.trailing_stops_preference),
        market_orders=_available(rules.market_order_preference),
    )


def _points(rule: wire.Rule | None) -> Decimal | None:
    # An unknown unit would change the meaning of the value: treated as absent.
    return rule.value if rule is not None and rule.unit == RuleUnit.POINTS else None


def _distance(new: wire.Rule | None, old: wire.Rule | None) -> Distance | None:
    rule = new or old
    if rule is None or rule.value is None or rule.unit not in tuple(RuleUnit):
        return None
    return Distance(rule.value, RuleUnit(rule.unit or ""))


def _available(preference: str | None) -> bool | None:
    return None if preference is None else preference.startswith("AVAILABLE")


def opening_hours(hours: dict[str, Any] | None) -> OpeningHours | None:
    """Return the hours, from a list of segments a day or the older single text (API page 8.4)."""
    zone = (hours or {}).get("zone")
    if hours is None or not isinstance(zone, str):
        return None
    return OpeningHours(zone, tuple(DayHours(day, _segments(hours[day])) for day in DAYS if day in hours))


def _segments(day: object) -> tuple[str, ...]:
    texts = day if isinstance(day, list) else [day]
    found = (_SEGMENT.findall(text) for text in texts if isinstance(text, str))
    return tuple(f"{start:0>5}-{end:0>5}" for day_found in found for start, end in day_found)


def overnight_fee(fee: wire.OvernightFee | None) -> OvernightFee | None:
    if fee is None or fee.long_rate is None or fee.short_rate is None:
        return None
    charge = None
    with suppress(*_FAULTS):
        charge = readings.decode(fee.swap_charge_timestamp, readings.Moment)
    return OvernightFee(fee.long_rate, fee.short_rate, charge, fee.swap_charge_interval)


def candle(bar: wire.Bar) -> Candle:
    return Candle(
        time=bar.time,
        bid_open=bar.open_price.bid,
        bid_high=bar.high_price.bid,
        bid_low=bar.low_price.bid,
        bid_close=bar.close_price.bid,
        ask_open=bar.open_price.ask,
        ask_high=bar.high_price.ask,
        ask_low=bar.low_price.ask,
        ask_close=bar.close_price.ask,
        volume=bar.last_traded_volume,
    )


def preferences(row: wire.Preferences) -> Preferences:
    """Leverages that cannot be read are left out, like those of classes the broker does not list."""
    leverages = {}
    for name, raw in row.leverages.items():
        with suppress(*_FAULTS):
            leverages[name] = same(Leverage)(readings.decode(raw, wire.plain(Leverage)))
    return Preferences(row.hedging_mode, leverages)


_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_DEAL_ID = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_NAMES = ("accountId", "epic", "marketId", "snapshotTimeUTC", "name", "id")


def listed(
    raw: Iterable[msgspec.Raw], shape: type[_Shape], translated: Callable[[_Shape], _Value]
) -> Listed[_Value]:
    """Read a list of deals row by row; unreadable rows are named by deal id, if they have one."""
    found, faults = _split(raw, shape, translated)
    return Listed(tuple(found), tuple(unreadable_row(body, error) for _, body, error in faults))


def rows(
    raw: Iterable[msgspec.Raw], shape: type[_Shape], translated: Callable[[_Shape], _Value]
) -> Rows[_Value]:
    """Read any other list row by row; unreadable rows are named by their own name."""
    found, faults = _split(raw, shape, translated)
    return Rows(
        found,
        tuple(UnreadableRow(None, None, clean(str(why)), _named(place, body)) for place, body, why in faults),
    )


def _split(
    raw: Iterable[msgspec.Raw], shape: type[_Shape], translated: Callable[[_Shape], _Value]
) -> tuple[list[_Value], list[tuple[int, bytes, Exception]]]:
    """Return the readable rows, and index, bytes and fault of the others."""
    found: list[_Value] = []
    faults: list[tuple[int, bytes, Exception]] = []
    for place, one in enumerate(raw, 1):
        try:
            found.append(translated(readings.decode(one, shape)))
        except _FAULTS as error:
            faults.append((place, bytes(one), error))
    return found, faults


def _named(place: int, body: bytes) -> str:
    words = [(json_object(body) or {}).get(key) for key in _NAMES]
    named = (clean(str(word), 64) for word in words if isinstance(word, str | int) and word)
    return next(named, f"row {place}")


def unreadable_row(body: bytes, error: Exception) -> UnreadableRow:
    """Return as much of a row as can be read."""
    row = json_object(body) or {}
    parts = [*(part for part in row.values() if isinstance(part, dict)), row]
    return UnreadableRow(_word(parts, "dealId"), _word(parts, "epic"), clean(str(error)))


def _word(parts: list[dict[str, Any]], key: str) -> str | None:
    found = (part.get(key) for part in parts)
    return next((word for word in found if isinstance(word, str) and _DEAL_ID.fullmatch(word)), None)


def position(row: wire.PositionRow) -> Position:
    name = row.market.name or row.market.epic
    return _same(Position, row.market, row.position, name=name, market_status=row.market.status)


def working_order(row: wire.OrderRow) -> WorkingOrder:
    order, market = row.working_order_data, row.market_data
    return _same(
        WorkingOrder,
        market,
        order,
        name=market.name or market.epic,
        stop_level=exit_level(order.level, order.stop_distance, above=order.side is Side.SELL),
        limit_level=exit_level(order.level, order.profit_distance, above=order.side is Side.BUY),
        market_status=market.status,
    )


def exit_level(order_level: Decimal, distance: Decimal | None, *, above: bool) -> Decimal | None:
    """Return the level of a stop or limit from its distance.

    The stop of a BUY reads back with a minus sign (API page 6.5); the sign of the others is not certain, the
    side that it lies on is.
    """
    if distance is None:
        return None
    return order_level + abs(distance) if above else order_level - abs(distance)


def confirm(row: wire.Confirm, reference: str, endpoint: str) -> Confirm:
    """Return the confirmation. Raises UnreadableAnswer for an unknown dealStatus."""
    if row.deal_status not in {_ACCEPTED, _REJECTED}:
        raise UnreadableAnswer(
            f"The broker's answer to {endpoint} has dealStatus {clean(row.deal_status, 40)!r}.",
            next=HEALTH,
            endpoint=endpoint,
        )
    reason, profit = row.reject_reason or row.reason, None
    if row.profit is not None and row.profit_currency is not None:
        # The realised P&L of a close as the broker has it (API page 18.15).
        profit = Money(row.profit, row.profit_currency)
    return _same(
        Confirm,
        row,
        deal_reference=row.deal_reference or reference,
        accepted=row.deal_status == _ACCEPTED,
        reason=None if reason in {None, "SUCCESS"} else clean(reason or ""),
        deals=tuple(AffectedDeal(deal.deal_id, deal.status) for deal in row.affected_deals or ()),
        # 0 means that it is not known yet (API page 18.4): the position has it.
        level=row.level or None,
        profit=profit,
    )


def activity(row: wire.ActivityRow) -> Activity:
    details = row.details or wire.ActivityDetails()
    # A row can first appear with level 0 and get its price later (API page 10.1).
    return _same(Activity, row, details, level=details.level or None)


def transaction(row: wire.TransactionRow) -> Transaction:
    return _same(Transaction, row, note=clean(row.note))


def node(row: wire.NodeRow) -> Node:
    return Node(row.node_id, clean(row.name or row.node_id))

"""Open positions on the wire (API page 6.4); a list encodes each of them once.

What stays as long as a position is not changed is kept as bytes, on both sides of its open profit.
"""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from capcli.paper import book, markets, money
from capcli.paper.active_faults import listed
from capcli.paper.book import Account, Position
from capcli.paper.context import Context
from capcli.paper.scheduler import stop_level
from capcli.paper.times import account_local, stamp
from capcli.paper.wire import encode


class _Line(NamedTuple):
    before: bytes
    after: bytes
    epic: str
    long: bool
    level: Decimal
    size: Decimal
    created_ms: int
    trailing: Position | None  # its stop moves
    row: sqlite3.Row  # what the database said of it


_Lines = dict[str, _Line]  # by deal id


class _Look(NamedTuple):
    """One look at a market, however many rows it has."""

    bid: Decimal
    offer: Decimal
    text: bytes


def shown(context: Context, position: Position) -> dict[str, Any]:
    row = {
        **_head(position),
        "upl": money.upl(context, position),
        **_tail(context, position),
        **_legs(position, stop_level(context, position)),
    }
    return {"position": row, "market": markets.summary(context, context.markets[position.epic])}


def listing(context: Context, owner: Account) -> bytes:
    """All of an account's, oldest first; each as it is shown alone."""
    kept: _Lines = context.cache.get("rows", owner, partial(_lines, context, owner))
    look = cache(partial(_look, context))
    pieces = [b'{"positions":[']
    for line in listed(context, tuple(kept.values())):
        before, after, epic, long, level, size, _, trailing, _ = line
        bid, offer, market = look(epic)
        profit = (bid - level if long else level - offer) * size
        stop = b"," + _members(_legs(trailing, stop_level(context, trailing))) if trailing else b""
        pieces += (before, str(profit).encode(), after, stop, market, b",")
    return b"".join([*pieces[: len(pieces) - 1 or 1], b"]}"])


def _look(context: Context, epic: str) -> _Look:
    market = context.markets[epic]
    quote = context.quote(market)
    return _Look(quote.bid, quote.offer, b'},"market":%b}' % encode(markets.summary(context, market)))


def _lines(context: Context, owner: Account, before: _Lines | None) -> _Lines:
    """A deal leaves all the others as they were: those are not encoded again."""
    known, lines = before or {}, {}
    for row in book.position_rows(context.db, owner.account_id):
        deal_id = row[0]
        old = known.get(deal_id)
        lines[deal_id] = old if old and old.row == row else _line(context, row)
    return lines


def _line(context: Context, stored: sqlite3.Row) -> _Line:
    position = book.read_position(stored)
    trailing = position if position.legs.trail is not None else None
    legs = {} if trailing else _legs(position, position.legs.stop)
    row = encode({**_head(position), "upl": None, **_tail(context, position), **legs})
    before, _, after = row.partition(b'"upl":null')
    return _Line(
        b'{"position":%b"upl":' % before,
        after[:-1],
        position.epic,
        position.long,
        position.level,
        position.size,
        position.created_ms,
        trailing,
        stored,
    )


def _members(fields: Mapping[str, Any]) -> bytes:
    """A JSON object without its braces."""
    return encode(fields)[1:-1]


def _head(position: Position) -> dict[str, Any]:
    return {
        "contractSize": 1,
        "createdDate": stamp(account_local(position.created_ms)),
        "createdDateUTC": stamp(position.created_ms),
        "dealId": position.deal_id,
        "dealReference": position.reference,
        "workingOrderId": position.order_id,
        "size": position.size,
        "leverage": position.leverage,
    }


def _tail(context: Context, position: Position) -> dict[str, Any]:
    return {
        "direction": position.direction,
        "level": position.level,
        "currency": context.markets[position.epic].currency,
        "guaranteedStop": position.legs.guaranteed,
    }


def _legs(position: Position, stop: Decimal | None) -> dict[str, Any]:
    legs: dict[str, Any] = {}
    if stop is not None:
        legs["stopLevel"] = stop
    if position.legs.profit is not None:
        legs["profitLevel"] = position.legs.profit
    if position.legs.trail is not None:
        legs |= {"trailingStop": True, "stopDistance": position.legs.trail}
    return legs

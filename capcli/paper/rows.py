"""Open positions on the wire (API page 6.4)."""

from decimal import Decimal
from functools import cache
from typing import Any

from capcli.paper import book, markets, money
from capcli.paper.active_faults import listed
from capcli.paper.book import Account, Position
from capcli.paper.context import Context
from capcli.paper.scheduler import stop_level
from capcli.paper.times import account_local, stamp


def shown(context: Context, position: Position) -> dict[str, Any]:
    return _row(context, position, markets.summary(context, context.markets[position.epic]))


def listing(context: Context, owner: Account) -> dict[str, Any]:
    """All of an account's, oldest first; each as it is shown alone."""
    market = cache(lambda epic: markets.summary(context, context.markets[epic]))
    rows = listed(context, book.positions_of(context.db, owner.account_id))
    return {"positions": [_row(context, position, market(position.epic)) for position in rows]}


def _row(context: Context, position: Position, market: dict[str, Any]) -> dict[str, Any]:
    row = {
        **_head(position),
        "upl": money.upl(context, position),
        **_tail(context, position),
        **_legs(position, stop_level(context, position)),
    }
    return {"position": row, "market": market}


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

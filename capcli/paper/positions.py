"""Positions on the wire: open, list, amend, close (API pages 6.4, 9)."""

from decimal import Decimal
from functools import cache
from typing import Any

from msgspec.structs import asdict, replace

from capcli.paper import book, brackets, checks, faults, markets, money, records
from capcli.paper.active_faults import listed, strike
from capcli.paper.book import Position
from capcli.paper.brackets import Anchor
from capcli.paper.context import Call, Context, Reply
from capcli.paper.matching import Rejected, attempt, close, execute
from capcli.paper.messages import Refusal
from capcli.paper.money import PERCENT
from capcli.paper.records import Affected, Trade, deal_of
from capcli.paper.scheduler import arm, stop_level
from capcli.paper.times import account_local, stamp
from capcli.paper.wire import Bracket, NewPosition, decode, plain

MARKET_CLOSED = "CLOSED_MARKET"
_UNKNOWN = "error.not-found.dealId"


def listing(call: Call) -> Reply:
    """Oldest first; each as `show` has it."""
    context = call.context
    market = cache(lambda epic: markets.summary(context, context.markets[epic]))
    rows = listed(context, book.positions_of(context.db, call.account_id))
    return Reply({"positions": [_row(context, position, market(position.epic)) for position in rows]})


def show(call: Call) -> Reply:
    context, position = call.context, _owned(call)
    if not listed(context, [position]):
        raise Refusal(404, _UNKNOWN)
    return Reply(_row(context, position, markets.summary(context, context.markets[position.epic])))


def _row(context: Context, position: Position, market: dict[str, Any]) -> dict[str, Any]:
    row = {
        "contractSize": 1,
        "createdDate": stamp(account_local(position.created_ms)),
        "createdDateUTC": stamp(position.created_ms),
        "dealId": position.deal_id,
        "dealReference": position.reference,
        "workingOrderId": position.order_id,
        "size": position.size,
        "leverage": position.leverage,
        "upl": money.upl(context, position),
        "direction": position.direction,
        "level": position.level,
        "currency": context.markets[position.epic].currency,
        "guaranteedStop": position.guaranteed,
    }
    if (stop := stop_level(context, position)) is not None:
        row["stopLevel"] = stop
    if position.profit is not None:
        row["profitLevel"] = position.profit
    if position.trail is not None:
        row |= {"trailingStop": True, "stopDistance": position.trail}
    return {"position": row, "market": market}


def create(call: Call) -> Reply:
    checks.pace(call)
    context, body = call.context, decode(call.body, NewPosition)
    trade = _trade(call, body)
    market, reference = context.markets[trade.epic], records.new_reference(context)
    if refusal := strike(context, faults.REJECT):
        _reject(context, trade, reference, refusal.value or "")
    elif not context.trades(market):
        checks.say_closed(call, market)
        _reject(context, trade, reference, MARKET_CLOSED)
    else:
        _deal(context, trade, reference)
    return Reply({"dealReference": reference})


def _trade(call: Call, body: NewPosition) -> Trade:
    """All immediate refusals (400) happen here."""
    market = checks.market(call, body)
    direction = checks.word("direction", body.direction, (book.BUY, book.SELL))
    size, long = checks.size(call, body, market), direction == book.BUY
    quote = call.context.quote(market)
    entry, exit_ = (quote.offer, quote.bid) if long else (quote.bid, quote.offer)
    exits = brackets.exits(call, Anchor(market, long, exit_, exit_, entry, size), body)
    return Trade(
        deal_id=records.new_deal_id(call.context, call.account_id),
        account_id=call.account_id,
        epic=market.epic,
        direction=direction,
        size=size,
        level=entry,
        **asdict(exits),
    )


def _deal(context: Context, trade: Trade, reference: str) -> None:
    """Fill completely at the quote, unless a fault causes slippage or a partial fill (API pages 9.8, 17)."""
    market = context.markets[trade.epic]
    if slip := strike(context, faults.SLIPPAGE):
        worse = trade.level * slip.number * PERCENT * (1 if trade.direction == book.BUY else -1)
        trade = replace(trade, level=max(market.on_grid(trade.level + worse), market.step))
    if part := strike(context, faults.PART_FILL):
        filled = trade.size * part.number * PERCENT
        trade = replace(trade, size=max(plain(filled - filled % market.size_step), market.size_step))
    deal = deal_of(trade, reference)
    try:
        with attempt(context, trade.account_id):
            for source in ("USER", "SYSTEM"):
                records.activity(context, deal, kind="WORKING_ORDER", source=source, status="ACCEPTED")
            affected = execute(context, trade)
    except Rejected as rejected:
        _reject(context, trade, reference, rejected.reason)
        return
    # Assumption: as a close's confirm, so has one of an order that reduced what was open.
    booked = [row.booked for row in affected if row.booked]
    total = (sum((amount for amount, _ in booked), Decimal(0)), booked[0][1]) if booked else None
    words = {
        "OPENED": "OPEN",
        "PARTIALLY_CLOSED": "PARTIALLY_CLOSED",
    }  # the first that is there (API page 17)
    statuses = {row.status for row in affected}
    status = next((word for part, word in words.items() if part in statuses), "CLOSED")
    records.confirm(context, replace(deal, booked=total), status, affected)


def _reject(context: Context, trade: Trade, reference: str, reason: str) -> None:
    records.reject(context, deal_of(trade, reference), reason, kind="WORKING_ORDER", source="SYSTEM")


def amend(call: Call) -> Reply:
    """Replaces the whole bracket, dropping what is omitted; an empty body changes nothing (API page 9.5)."""
    context, position = call.context, _owned(call)
    body = decode(call.body, Bracket)
    if body != Bracket():
        market = context.markets[position.epic]
        price = money.closing_price(position, context.quote(market))
        anchor = Anchor(market, position.long, price, price, position.level, position.size, banded=False)
        exits = asdict(brackets.exits(call, anchor, body))
        position = replace(position, **exits, trail_since=context.second)
        book.save(context.db, position)
        arm(context, position, context.second + 1)
    deal = deal_of(position, position.reference)
    records.confirm(context, deal, "AMENDED", (Affected(position.deal_id, "AMENDED"),))
    records.activity(context, deal, kind="EDIT_STOP_AND_LIMIT", source="USER", status="ACCEPTED")
    return Reply({"dealReference": position.reference})


def delete(call: Call) -> Reply:
    """Closes the whole row at market; a size, wherever it is written, is ignored (API page 6.4)."""
    context, position = call.context, _owned(call)
    market = context.markets[position.epic]
    if context.trades(market):
        close(context, position, position.size, money.closing_price(position, context.quote(market)), "USER")
    else:
        deal = deal_of(position, position.reference)
        records.reject(context, deal, MARKET_CLOSED, kind="POSITION", source="USER")
    return Reply({"dealReference": position.reference})


def _owned(call: Call) -> Position:
    position = book.position(call.context.db, call.args[0])
    if position is None or position.account_id != call.account_id:
        raise Refusal(404, _UNKNOWN)
    return position

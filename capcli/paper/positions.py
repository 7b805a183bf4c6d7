"""Positions on the wire: open, list, amend, close (API pages 6.4, 9)."""

from decimal import Decimal
from functools import cache
from typing import Any

from msgspec.structs import replace

from capcli.paper import book, brackets, checks, faults, markets, money, records
from capcli.paper.active_faults import farthest, kept, listed, strike
from capcli.paper.book import Account, ExitOrders, Position
from capcli.paper.brackets import PERCENT, Anchor
from capcli.paper.context import Call, Context, Reply
from capcli.paper.matching import Rejected, Trade, attempt, close, confirm_status, execute, hidden_order
from capcli.paper.messages import Refusal
from capcli.paper.records import Affected
from capcli.paper.scheduler import arm, stop_level
from capcli.paper.times import account_local, stamp
from capcli.paper.wire import Bracket, NewPosition, decode, plain

MARKET_CLOSED = "CLOSED_MARKET"
_UNKNOWN = "error.not-found.dealId"


def listing(call: Call) -> Reply:
    return Reply(all_rows(call.context, checks.owner(call)))


def show(call: Call) -> Reply:
    shown = listed(call.context, [_owned(call)])
    if not shown:
        raise Refusal(404, _UNKNOWN)
    return Reply(one_row(call.context, shown[0]))


def one_row(context: Context, position: Position) -> dict[str, Any]:
    return _row(context, position, markets.summary(context, context.markets[position.epic]))


def all_rows(context: Context, owner: Account) -> dict[str, Any]:
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


def create(call: Call) -> Reply:
    checks.pace(call)
    body = decode(call.body, NewPosition)
    trade = _trade(call, body)
    reference = records.new_reference(call.context)
    if refusal := strike(call.context, faults.REJECT):
        _reject(call.context, trade, reference, refusal.value or "")
    elif not call.context.trades(trade.market):
        checks.say_closed(call, trade.market)
        _reject(call.context, trade, reference, MARKET_CLOSED)
    else:
        _deal(call.context, _executed(call.context, trade), reference)
    return Reply({"dealReference": reference})


def _trade(call: Call, body: NewPosition) -> Trade:
    """Everything that is refused at once with a 400 is refused here."""
    market, direction = checks.market(call, body), checks.direction(body)
    size = checks.size(call, body, market)
    quote = call.context.quote(market)
    entry, exit_ = (quote.offer, quote.bid) if direction == book.BUY else (quote.bid, quote.offer)
    rate = money.rate(call.context, market.currency, checks.owner(call).currency)
    checks.guarantee_demanded(call, body)
    band, guarantees = farthest(call.context), checks.guarantees(call)
    anchor = Anchor(market, direction == book.BUY, exit_, exit_, entry, size, rate, band, guarantees)
    legs = kept(call.context, brackets.resolve(anchor, body))
    order_id = records.new_deal_id(call.context, call.account_id)
    return Trade(call.account_id, market, direction, size, entry, legs, order_id)


def _executed(context: Context, trade: Trade) -> Trade:
    """At its quote and whole, unless a fault has it slip or fill in part (API pages 9.8, 17)."""
    market = trade.market
    if slip := strike(context, faults.SLIPPAGE):
        worse = trade.price * slip.number * PERCENT * (1 if trade.direction == book.BUY else -1)
        trade = replace(trade, price=max(market.on_grid(trade.price + worse), market.step))
    if part := strike(context, faults.PART_FILL):
        filled = trade.size * part.number * PERCENT
        trade = replace(trade, size=max(plain(filled - filled % market.size_step), market.size_step))
    return trade


def _deal(context: Context, trade: Trade, reference: str) -> None:
    deal = hidden_order(trade, reference)
    try:
        with attempt(context, trade.account_id):
            for source in ("USER", "SYSTEM"):
                records.activity(context, deal, kind="WORKING_ORDER", source=source, status="ACCEPTED")
            affected = execute(context, trade)
    except Rejected as rejected:
        _reject(context, trade, reference, rejected.reason)
    else:
        # Assumption: as a close's confirm, so has one of an order that reduced what was open.
        booked = [row.profit for row in affected if row.profit]
        profit = (sum((amount for amount, _ in booked), Decimal(0)), booked[0][1]) if booked else None
        records.confirm(context, replace(deal, profit=profit), confirm_status(affected), affected)


def _reject(context: Context, trade: Trade, reference: str, reason: str) -> None:
    deal = replace(hidden_order(trade, reference), level=None)
    records.confirm_rejection(context, deal, reason)
    records.activity(context, deal, kind="WORKING_ORDER", source="SYSTEM", status="REJECTED")


def amend(call: Call) -> Reply:
    """Replaces the whole bracket, dropping what is omitted; an empty body changes nothing (API page 9.5)."""
    position = _owned(call)
    body = decode(call.body, Bracket)
    if body != Bracket():
        position = replace(position, legs=_new_legs(call, position, body), trail_since=call.context.second)
        book.save_exit_orders(call.context.db, position)
        arm(call.context, position, call.context.second + 1)
    deal = records.deal_of(position)
    records.confirm(call.context, deal, "AMENDED", (Affected(position.deal_id, "AMENDED"),))
    records.activity(call.context, deal, kind="EDIT_STOP_AND_LIMIT", source="USER", status="ACCEPTED")
    return Reply({"dealReference": position.reference})


def _new_legs(call: Call, position: Position, body: Bracket) -> ExitOrders:
    checks.guarantee_demanded(call, body)
    market = call.context.markets[position.epic]
    price = money.closing_price(position, call.context.quote(market))
    rate = money.rate(call.context, market.currency, checks.owner(call).currency)
    anchor = Anchor(
        market,
        position.long,
        price,
        price,
        position.level,
        position.size,
        rate,
        guarantees=checks.guarantees(call),
    )
    return kept(call.context, brackets.resolve(anchor, body))


def delete(call: Call) -> Reply:
    """Closes the whole row at market; a size, wherever it is written, is ignored (API page 6.4)."""
    position = _owned(call)
    market = call.context.markets[position.epic]
    if call.context.trades(market):
        price: Decimal = money.closing_price(position, call.context.quote(market))
        close(call.context, position, position.size, price, "USER")
    else:
        deal = replace(records.deal_of(position), level=None)
        records.confirm_rejection(call.context, deal, MARKET_CLOSED)
        records.activity(call.context, deal, kind="POSITION", source="USER", status="REJECTED")
    return Reply({"dealReference": position.reference})


def _owned(call: Call) -> Position:
    position = book.position(call.context.db, call.args[0])
    if position is None or position.account_id != call.account_id:
        raise Refusal(404, _UNKNOWN)
    return position

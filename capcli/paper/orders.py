"""Working orders on the wire: create, list, amend, cancel (API page 6.5)."""

from decimal import Decimal
from functools import cache
from typing import Any

from msgspec.structs import replace

from capcli.paper import book, brackets, checks, faults, markets, records
from capcli.paper.active_faults import listed, strike
from capcli.paper.book import Order
from capcli.paper.brackets import Anchor
from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Context, Reply
from capcli.paper.messages import Refusal
from capcli.paper.money import PERCENT
from capcli.paper.preferences import leverage_of
from capcli.paper.records import Affected, deal_of
from capcli.paper.scheduler import arm
from capcli.paper.times import account_local, parse, stamp
from capcli.paper.wire import Bracket, NewOrder, OrderChange, decode, plain

LIMIT, STOP = "LIMIT", "STOP"


def listing(call: Call) -> Reply:
    context = call.context
    market = cache(lambda epic: markets.summary(context, context.markets[epic]))
    rows = [
        {"workingOrderData": _row(order, context.markets[order.epic]), "marketData": market(order.epic)}
        for order in listed(context, book.orders_of(context.db, call.account_id))
    ]
    return Reply({"workingOrders": rows})


def _row(order: Order, market: Market) -> dict[str, Any]:
    """Distances are signed: level minus order level, whatever was sent (API page 6.5)."""
    lifetime = {"timeInForce": "GOOD_TILL_CANCELLED"}
    if order.good_till_ms is not None:
        lifetime = {
            "timeInForce": "GOOD_TILL_DATE",
            "goodTillDate": stamp(account_local(order.good_till_ms)),
            "goodTillDateUTC": stamp(order.good_till_ms),
        }
    distances = {"stopDistance": _stop_offset(order), "profitDistance": order.profit_offset}
    return {
        "dealId": order.deal_id,
        "direction": order.direction,
        "epic": order.epic,
        "orderSize": order.size,
        "leverage": order.leverage,
        "orderLevel": order.level,
        **lifetime,
        "createdDate": stamp(account_local(order.created_ms)),
        "createdDateUTC": stamp(order.created_ms),
        "guaranteedStop": order.guaranteed,
        "orderType": order.type,
        **{name: distance for name, distance in distances.items() if distance is not None},
        "trailingStop": order.trail is not None,
        "currencyCode": market.currency,
    }


def _stop_offset(order: Order) -> Decimal | None:
    if order.trail is None:
        return order.stop_offset
    return -order.trail if order.long else order.trail


def create(call: Call) -> Reply:
    checks.pace(call)
    context, body = call.context, decode(call.body, NewOrder)
    market = checks.market(call, body)
    direction = checks.word("direction", body.direction, (book.BUY, book.SELL))
    order = Order(
        deal_id=records.new_deal_id(context, call.account_id),
        account_id=call.account_id,
        epic=market.epic,
        direction=direction,
        type=checks.word("type", body.type, (LIMIT, STOP)),
        size=checks.size(call, body, market),
        level=_level(body.level, market),
        leverage=leverage_of(context.db, call.account_id, market),
        created_ms=context.now,
        good_till_ms=_good_till(context, body.goodTillDate),
    )
    _check_level(context, order, market)
    order = _with_exits(call, order, body)
    reference = records.new_reference(context)
    if refusal := strike(context, faults.REJECT):
        _reject(context, order, reference, refusal.value or "")
    elif market.suspended:
        checks.say_closed(call, market)
        _reject(context, order, reference, "CLOSED_MARKET")
    else:
        _save(context, order)
        _record(context, order, reference, ("OPEN", "OPENED", "ACCEPTED"))
    return Reply({"dealReference": reference})


def _level(level: Decimal | None, market: Market) -> Decimal:
    """Assumption: between two steps of the grid it is put on the nearer one (API page 8.2)."""
    if level is None:
        raise Refusal(400, "error.null.level")
    return market.taken(plain(level))


def _reject(context: Context, order: Order, reference: str, reason: str) -> None:
    records.reject(context, deal_of(order, reference), reason, kind="WORKING_ORDER", source="SYSTEM")


def _save(context: Context, order: Order) -> None:
    book.save(context.db, order)
    arm(context, order, context.second + 1)


def _record(context: Context, order: Order, reference: str, words: tuple[str, str, str]) -> None:
    """One step of an order's life: its confirm, the row in it and the activity."""
    status, affected, activity = words
    deal = deal_of(order, reference)
    records.confirm(context, deal, status, (Affected(order.deal_id, affected),))
    records.activity(context, deal, kind="WORKING_ORDER", source="USER", status=activity)


def _good_till(context: Context, text: str | None) -> int | None:
    if text is None:
        return None
    ms = parse(text)
    if ms is None:
        raise Refusal(400, "error.invalid.daterange")
    if ms <= context.now:
        raise Refusal(400, "error.not-in-future.goodTillDate")
    return ms


def _check_level(context: Context, order: Order, market: Market) -> None:
    """A STOP lies beyond the quote by the minimum distance, a LIMIT on the better side of it."""
    quote = context.quote(market)
    price = quote.offer if order.long else quote.bid
    ahead = order.level - price if order.long else price - order.level
    if order.level <= 0:
        raise Refusal(400, "error.invalid.level")
    if order.type == STOP and ahead < price * market.kind.min_stop * PERCENT:
        raise Refusal(400, "error.validation.stop.price")
    if order.type == LIMIT and ahead >= 0:
        raise Refusal(400, "error.validation.limit.price")


def _with_exits(call: Call, order: Order, body: Bracket) -> Order:
    market = call.context.markets[order.epic]
    quote = call.context.quote(market)
    closing = quote.bid if order.long else quote.offer
    anchor = Anchor(market, order.long, closing, order.level, order.level, order.size, is_order=True)
    exits = brackets.exits(call, anchor, body)
    return replace(
        order,
        stop_offset=None if exits.stop is None else exits.stop - order.level,
        profit_offset=None if exits.profit is None else exits.profit - order.level,
        guaranteed=exits.guaranteed,
        trail=exits.trail,
    )


def amend(call: Call) -> Reply:
    """Omitted fields keep their value, except the two flags (API page 6.5).

    Assumption: a stop or profit field that is null removes it, as it does on a position (API page 9.5).
    """
    context, order = call.context, _owned(call)
    body, market = decode(call.body, OrderChange), context.markets[order.epic]
    level = order.level if body.level is None else _level(body.level, market)
    until = _good_till(context, body.goodTillDate) if body.goodTillDate else order.good_till_ms
    until = None if body.timeInForce == "GOOD_TILL_CANCELLED" else until
    order = replace(order, level=level, good_till_ms=until)
    if body.level is not None:
        _check_level(context, order, market)
    if not brackets.names_any(body.stops) and (stop := _stop_offset(order)) is not None:
        body = replace(body, stopDistance=abs(stop))
    if not brackets.names_any(body.profits) and order.profit_offset is not None:
        body = replace(body, profitDistance=abs(order.profit_offset))
    order = _with_exits(call, order, body)
    reference = records.new_reference(context)
    _save(context, order)
    _record(context, order, reference, ("AMENDED", "AMENDED", "MODIFIED"))
    return Reply({"dealReference": reference})


def delete(call: Call) -> Reply:
    context, order = call.context, _owned(call)
    book.drop_order(context.db, order.deal_id)
    reference = records.new_reference(context)
    if strike(context, faults.OLD_REFERENCE):  # seen on the venue (API page 18.2)
        reference = records.creating_reference(context, order)
        context = replace(context, now=order.created_ms)
    _record(context, order, reference, ("DELETED", "DELETED", "CANCELLED"))
    return Reply({"dealReference": reference})


def _owned(call: Call) -> Order:
    order = book.order(call.context.db, call.args[0])
    if order is None or order.account_id != call.account_id:
        raise Refusal(404, "error.not-found.dealId")
    return order

"""Working orders on the wire: create, list, amend, cancel (API page 6.5)."""

from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from msgspec import structs
from msgspec.structs import replace

from capcli.paper import book, brackets, checks, faults, markets, money, records
from capcli.paper.active_faults import farthest, kept, listed, strike
from capcli.paper.book import ExitOrders, Order
from capcli.paper.brackets import Anchor
from capcli.paper.catalogue import Market
from capcli.paper.context import Call, Context, Reply
from capcli.paper.messages import Refusal
from capcli.paper.preferences import leverage_of
from capcli.paper.records import Affected
from capcli.paper.scheduler import arm
from capcli.paper.times import account_local, parse, stamp
from capcli.paper.wire import Bracket, NewOrder, OrderChange, decode, plain

LIMIT, STOP = "LIMIT", "STOP"
_PERCENT = Decimal("0.01")


class _Mark(NamedTuple):
    """How one step of an order's life is worded in its confirm and its activity row."""

    confirm: str
    affected: str
    activity: str


_CREATED = _Mark("OPEN", "OPENED", "ACCEPTED")
_AMENDED = _Mark("AMENDED", "AMENDED", "MODIFIED")
_DELETED = _Mark("DELETED", "DELETED", "CANCELLED")


def listing(call: Call) -> Reply:
    rows = listed(call.context, book.orders_of(call.context.db, call.account_id))
    shown = cache(partial(_market, call.context))  # one look at a market, however many rows it has
    return Reply({"workingOrders": [_row(call.context, order, shown(order.epic)) for order in rows]})


def _market(context: Context, epic: str) -> dict[str, Any]:
    return markets.summary(context, context.markets[epic])


def _row(context: Context, order: Order, market: dict[str, Any]) -> dict[str, Any]:
    return {"workingOrderData": _order(order, context.markets[order.epic]), "marketData": market}


def _order(order: Order, market: Market) -> dict[str, Any]:
    return {
        "dealId": order.deal_id,
        "direction": order.direction,
        "epic": order.epic,
        "orderSize": order.size,
        "leverage": order.leverage,
        "orderLevel": order.level,
        **_lifetime(order),
        "createdDate": stamp(account_local(order.created_ms)),
        "createdDateUTC": stamp(order.created_ms),
        "guaranteedStop": order.guaranteed,
        "orderType": order.type,
        **_distances(order),
        "trailingStop": order.trail is not None,
        "currencyCode": market.currency,
    }


def _lifetime(order: Order) -> dict[str, Any]:
    if order.good_till_ms is None:
        return {"timeInForce": "GOOD_TILL_CANCELLED"}
    return {
        "timeInForce": "GOOD_TILL_DATE",
        "goodTillDate": stamp(account_local(order.good_till_ms)),
        "goodTillDateUTC": stamp(order.good_till_ms),
    }


def _distances(order: Order) -> dict[str, Decimal]:
    """Signed: level minus order level, whatever was sent (API page 6.5)."""
    shown = {}
    if (stop := _stop_offset(order)) is not None:
        shown["stopDistance"] = stop
    if order.profit_offset is not None:
        shown["profitDistance"] = order.profit_offset
    return shown


def _stop_offset(order: Order) -> Decimal | None:
    if order.trail is None:
        return order.stop_offset
    return -order.trail if order.long else order.trail


def create(call: Call) -> Reply:
    checks.pace(call)
    body = decode(call.body, NewOrder)
    order = _new_order(call, body)
    _check_level(call.context, order, call.context.markets[order.epic])
    order = _with_legs(order, _legs(call, order, body))
    reference = records.new_reference(call.context)
    if refusal := strike(call.context, faults.REJECT):
        _reject(call.context, order, reference, refusal.value or "")
    elif call.context.markets[order.epic].suspended:
        checks.say_closed(call, call.context.markets[order.epic])
        _reject(call.context, order, reference, "CLOSED_MARKET")
    else:
        _keep(call.context, order, reference, _CREATED)
    return Reply({"dealReference": reference})


def _new_order(call: Call, body: NewOrder) -> Order:
    market, direction = checks.market(call, body), checks.direction(body)
    return Order(
        deal_id=records.new_deal_id(call.context, call.account_id),
        account_id=call.account_id,
        epic=market.epic,
        direction=direction,
        type=_type(body),
        size=checks.size(call, body, market),
        level=_level(body, market),
        leverage=leverage_of(call.context.db, call.account_id, market),
        created_ms=call.context.now,
        good_till_ms=_good_till(call.context, body.goodTillDate),
        stop_offset=None,
        profit_offset=None,
        guaranteed=False,
        trail=None,
    )


def _type(body: NewOrder) -> str:
    if body.type is None:
        raise Refusal(400, "error.null.type")
    if body.type not in (LIMIT, STOP):
        raise Refusal(400, "error.invalid.type")
    return body.type


def _level(body: NewOrder, market: Market) -> Decimal:
    """Assumption: between two steps of the grid it is put on the nearer one (API page 8.2)."""
    if body.level is None:
        raise Refusal(400, "error.null.level")
    return market.taken(plain(body.level))


def _reject(context: Context, order: Order, reference: str, reason: str) -> None:
    deal = replace(records.order_deal(order, reference), level=None)
    records.confirm_rejection(context, deal, reason)
    records.activity(context, deal, kind="WORKING_ORDER", source="SYSTEM", status="REJECTED")


def _keep(context: Context, order: Order, reference: str, mark: _Mark) -> None:
    book.save_order(context.db, order)
    arm(context, order, context.second + 1)
    _record(context, order, reference, mark)


def _record(context: Context, order: Order, reference: str, mark: _Mark) -> None:
    deal = records.order_deal(order, reference)
    records.confirm(context, deal, mark.confirm, (Affected(order.deal_id, mark.affected),))
    records.activity(context, deal, kind="WORKING_ORDER", source="USER", status=mark.activity)


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
    if order.type == STOP and ahead < price * market.kind.min_stop * _PERCENT:
        raise Refusal(400, "error.validation.stop.price")
    if order.type == LIMIT and ahead >= 0:
        raise Refusal(400, "error.validation.limit.price")


def _legs(call: Call, order: Order, body: Bracket) -> ExitOrders:
    checks.guarantee_demanded(call, body)
    market = call.context.markets[order.epic]
    rate = money.rate(call.context, market.currency, checks.owner(call).currency)
    band, guarantees = farthest(call.context), checks.guarantees(call)
    quote = call.context.quote(market)
    closing = quote.bid if order.long else quote.offer
    anchor = Anchor(
        market,
        order.long,
        closing,
        order.level,
        order.level,
        order.size,
        rate,
        band,
        guarantees,
        signed=True,
    )
    return kept(call.context, brackets.resolve(anchor, body))


def _with_legs(order: Order, legs: ExitOrders) -> Order:
    return replace(
        order,
        stop_offset=None if legs.stop is None else legs.stop - order.level,
        profit_offset=None if legs.profit is None else legs.profit - order.level,
        guaranteed=legs.guaranteed,
        trail=legs.trail,
    )


def amend(call: Call) -> Reply:
    """What is left out keeps its value, but for the two flags (API page 6.5).

    Assumption: a stop or profit field that is null removes the leg, as it does on a position (API page 9.5).
    """
    order = _owned(call)
    body = decode(call.body, OrderChange)
    order = _moved(call.context, order, body)
    if body.level is not None:
        _check_level(call.context, order, call.context.markets[order.epic])
    order = _with_legs(order, _legs(call, order, _completed(order, body)))
    reference = records.new_reference(call.context)
    _keep(call.context, order, reference, _AMENDED)
    return Reply({"dealReference": reference})


def _moved(context: Context, order: Order, body: OrderChange) -> Order:
    level = order.level if body.level is None else context.markets[order.epic].taken(plain(body.level))
    until = _good_till(context, body.goodTillDate) if body.goodTillDate else order.good_till_ms
    if body.timeInForce == "GOOD_TILL_CANCELLED":
        until = None
    return replace(order, level=level, good_till_ms=until)


def _completed(order: Order, body: OrderChange) -> Bracket:
    """The request's bracket with the order's own stop and profit where it names none."""
    if not brackets.names_a_stop(body) and (stop := _stop_offset(order)) is not None:
        body = structs.replace(body, stopDistance=abs(stop))
    if not brackets.names_a_profit(body) and order.profit_offset is not None:
        body = structs.replace(body, profitDistance=abs(order.profit_offset))
    return body


def delete(call: Call) -> Reply:
    order, context = _owned(call), call.context
    book.drop_order(context.db, order.deal_id)
    reference = records.new_reference(context)
    if strike(context, faults.OLD_REFERENCE):  # seen on the venue (API page 18.2)
        reference = records.creating_reference(context, order)
        context = context.at_moment(order.created_ms)
    _record(context, order, reference, _DELETED)
    return Reply({"dealReference": reference})


def _owned(call: Call) -> Order:
    order = book.order(call.context.db, call.args[0])
    if order is None or order.account_id != call.account_id:
        raise Refusal(404, "error.not-found.dealId")
    return order

"""The go-live checklist's explanation of each field of a stored preview."""

from decimal import Decimal

from msgspec import DecodeError
from msgspec.json import decode

from capcli.domain.attempt import PreviewRecord
from capcli.domain.market import Quote, Side
from capcli.domain.money import plain, short
from capcli.domain.order import ExitOrder
from capcli.domain.stored_order import StoredOrder, read_order

_SIDES = {
    Side.BUY: "BUY gains when the price rises. It opens at the offer and closes at the bid.",
    Side.SELL: "SELL gains when the price falls. It opens at the bid and closes at the offer.",
}
_MORE = "You can lose more than its margin."


def sentences(record: PreviewRecord) -> tuple[tuple[str, str], ...]:
    """Return the name of each field and what it means in this preview; empty for one without a quote."""
    try:
        quote = decode(record.quote, type=Quote)
    except DecodeError:
        return ()
    order = read_order(record.document)
    request, bid, offer, at = order.request, quote.bid, quote.offer, quote.at.isoformat()
    size = short(request.size)
    level = plain(order.entry)
    entry = f"about {level}: a market order fills at the price of its moment, which may differ."
    if order.order_type is not None:
        entry = f"{level}: the level at which this {order.order_type.value} order opens."
    until = "does not apply: it is a market order."
    if request.trigger is not None:
        end = request.trigger.good_till
        until = (
            f"{end:%Y-%m-%d %H:%M:%S}Z: it waits until then." if end else "it waits until it is cancelled."
        )
    notional = f"{short(order.entry * request.size)} = {level} x {size}"
    return (
        ("Preview", f"{record.preview_id}: this one order. It is sent once at most, and it expires."),
        ("Account", f"{record.account_id}: the account of {record.env} whose money is at stake."),
        ("Market", f"{request.epic}: the epic, the broker's own name of the market."),
        ("Side", _SIDES[request.side]),
        ("Size", f"{size} units: your gain or loss for each point that the price moves."),
        ("Bid, offer", f"{bid} / {offer} at {at}: you sell at the bid and buy at the offer."),
        (
            "Spread",
            f"{plain(quote.spread)} = {offer} - {bid}: what it costs to open and close at once, times size.",
        ),
        ("Entry", entry),
        ("Notional", f"{notional}: what the deal is worth, in the market's currency. {_MORE}"),
        ("Margin", "the part of the notional that is set aside while the deal is open; below it, close-out."),
        ("Stop", _exit(order, order.stop_level, request.stop, is_stop=True)),
        ("Limit", _exit(order, order.limit_level, request.limit, is_stop=False)),
        ("Reward : risk", "the gain at the limit over the loss at the stop, where there are both."),
        ("Overnight", "a fee or a credit for each night over which the deal stays open."),
        ("Good till", until),
        ("Checks", "every rule of the broker and each of your limits; if one fails, nothing is sent."),
    )


def _exit(order: StoredOrder, level: Decimal | None, exit_order: ExitOrder | None, *, is_stop: bool) -> str:
    if level is None:
        return (
            "none: the loss is unlimited." if is_stop else "none: it is not closed automatically in profit."
        )
    typed = f" (asked for as {exit_order.form.value.lower()} {plain(exit_order.value)})" if exit_order else ""
    if not is_stop:
        return f"{plain(level)}{typed}: it closes there in profit."
    request = order.request
    kind = "guaranteed" if request.guaranteed else "trailing" if request.trailing else "normal"
    slips = "" if request.guaranteed else "; it can fill at a worse price"
    return f"{plain(level)}{typed}: a {kind} stop closes there{slips}."

"""Records of a deal: ids, confirms and activity rows."""

import json
from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import asdict, replace

from capcli.paper import faults
from capcli.paper.active_faults import hides_confirm, strike
from capcli.paper.book import ExitOrders, Order, Position, next_serial
from capcli.paper.context import Context
from capcli.paper.store import insert
from capcli.paper.times import DAY_MS, stamp
from capcli.paper.wire import encode

_LATE_SHARE = 3  # one confirm in three is late ...
_LATEST_MS = 400  # ... by at most this (API page 9.1)
Money = tuple[Decimal, str]  # an amount and its currency


class Trade(ExitOrders, frozen=True, kw_only=True):
    """An order at market, under the id of its hidden order, or a working order that fills."""

    deal_id: str
    account_id: str
    epic: str
    direction: str
    size: Decimal
    level: Decimal
    is_fill: bool = False


class Affected(Struct, frozen=True):
    deal_id: str
    status: str
    booked: Money | None = None  # what closing it booked, in the account's currency


class Deal(Struct, frozen=True):
    """The common fields of a confirm and an activity row."""

    account_id: str
    epic: str
    deal_id: str
    reference: str
    direction: str
    size: Decimal
    level: Decimal | None
    guaranteed: bool = False
    trail: Decimal | None = None
    filled: str | None = None  # the working order that filled
    booked: Money | None = None  # what a close booked, in the account's currency


def deal_of(row: Position | Order | Trade, reference: str, **differing: object) -> Deal:
    return convert({**asdict(row), "reference": reference, **differing}, Deal)


def new_deal_id(context: Context, account_id: str) -> str:
    """Ids of one account share both ends; the middle counts up (API page 18.21)."""
    high, low = divmod(next_serial(context.db), 1 << 32)
    return f"{high:08x}-{low >> 16:04x}-{low & 0xFFFF:04x}-0485-{int(account_id) % (1 << 48):012x}"


def new_reference(context: Context) -> str:
    """From the seed and the serial, so that references are reproducible."""
    text = f"{context.settings.seed}|{next_serial(context.db)}"
    digits = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"o_{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def creating_reference(context: Context, order: Order) -> str:
    """Of the request that made a working order: its activity row, of the order's own instant, has it.

    A file filled by hand may lack the row: its orders still end normally.
    """
    query = (
        "SELECT details FROM activity WHERE account_id = ? AND at_ms = ? AND deal_id = ?"
        " AND type = 'WORKING_ORDER' ORDER BY id LIMIT 1"
    )
    row = context.db.execute(query, (order.account_id, order.created_ms, order.deal_id)).fetchone()
    return str(json.loads(row["details"])["dealReference"]) if row else f"o_{order.deal_id}"


def confirm(
    context: Context, deal: Deal, status: str, affected: Sequence[Affected] = (), *, reason: str | None = None
) -> None:
    """With a reason a rejection: level 0 and no deals (API page 18.5)."""
    outcome = {"dealStatus": "ACCEPTED"}
    if reason is not None:
        outcome = {"dealStatus": "REJECTED", "rejectReason": reason}
        deal = replace(deal, level=Decimal(0))
    body: dict[str, Any] = {
        "date": stamp(context.now),  # UTC, the one date without a twin (API page 5.1)
        "status": status,
        "epic": deal.epic,
        "dealReference": deal.reference,
        "dealId": deal.deal_id,
        **outcome,
        **({} if deal.level is None else {"level": deal.level}),
        "size": deal.size,
        "direction": deal.direction,
        "guaranteedStop": deal.guaranteed,
        "trailingStop": deal.trail is not None,
    }
    if deal.booked is not None:
        # Assumption: the booked amount in the account's currency (API page 18.15 shows USD in both).
        body |= {"profit": deal.booked[0], "profitCurrency": deal.booked[1]}
    body["affectedDeals"] = [{"dealId": row.deal_id, "status": row.status} for row in affected]
    replaces = deal.reference.startswith("p_") and status != "OPEN"  # a position's opening one (API page 9.2)
    if replaces and strike(context, faults.STALE_CONFIRM):
        return
    context.db.execute("DELETE FROM confirms WHERE recorded_ms <= ?", (context.at - DAY_MS,))
    insert(
        context.db,
        "confirms",
        reference=deal.reference,
        account_id=deal.account_id,
        recorded_ms=context.at,
        visible_ms=context.at + _delay(context, deal.reference),
        body=encode(body),
    )


def _delay(context: Context, reference: str) -> int:
    if context.settings.confirm_delay_ms is not None:
        return context.settings.confirm_delay_ms
    if not reference.startswith("o_"):
        return 0
    number = int.from_bytes(blake2b(reference.encode(), digest_size=4).digest(), "big")
    return 0 if number % _LATE_SHARE else 1 + number // _LATE_SHARE % _LATEST_MS


def find_confirm(context: Context, account_id: str, reference: str) -> bytes | None:
    query = (
        "SELECT body, recorded_ms FROM confirms"
        " WHERE reference = ? AND account_id = ? AND recorded_ms > ?"
        # Recorded in the future: this computer's clock was set back, and the confirm is not late.
        " AND (visible_ms <= ? OR recorded_ms > ?)"
    )
    values = (reference, account_id, context.at - DAY_MS, context.at, context.at)
    row = context.db.execute(query, values).fetchone()
    if row is None or hides_confirm(context, row["recorded_ms"]):
        return None
    return bytes(row["body"])


def activity(context: Context, deal: Deal, *, kind: str, source: str, status: str) -> None:
    """`direction` is the trade's: SELL where a long position closes (API page 10.1)."""
    market = context.markets[deal.epic]
    details: dict[str, Any] = {
        "dealReference": deal.reference,
        "marketName": market.name,
        "currency": market.currency,
        "size": deal.size,
        "direction": deal.direction,
        "level": Decimal(0) if deal.level is None else deal.level,
        "guaranteedStop": deal.guaranteed,
    }
    if deal.filled:
        details["workingOrderId"] = deal.filled
    insert(
        context.db,
        "activity",
        account_id=deal.account_id,
        at_ms=context.now,
        epic=deal.epic,
        deal_id=deal.deal_id,
        source=source,
        type=kind,
        status=status,
        details=encode(details),
    )


def reject(context: Context, deal: Deal, reason: str, *, kind: str, source: str) -> None:
    """A rejected confirm and its row of activity."""
    deal = replace(deal, level=None)
    confirm(context, deal, "DELETED", reason=reason)
    activity(context, deal, kind=kind, source=source, status="REJECTED")

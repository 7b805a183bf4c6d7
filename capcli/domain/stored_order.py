"""Orders as the journal keeps them: JSON with every number as text, so that digits survive."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from capcli.domain.account import OrderType, Position, WorkingOrder
from capcli.domain.effect import Effect
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Kind, OrderRequest, Trigger


class StoredOrder(Struct, frozen=True):
    """What an execution needs to know about its preview beyond the bytes that it sends.

    For statistics it keeps `risk`, the loss in account currency at the stop of what it opens, and the
    `client` that asked for it; None where there is none.
    """

    request: OrderRequest
    order_type: OrderType | None
    entry: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    effect: Effect | None = None
    risk: Decimal | None = None
    client: str | None = None

    @property
    def only_reduces(self) -> bool:
        """Say whether its preview took risk away and added none."""
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET


def write_order(order: StoredOrder) -> bytes:
    """Write a previewed order for the journal."""
    request = order.request
    trigger = request.trigger
    document = {
        "epic": request.epic,
        "side": request.side.value,
        "size": str(request.size),
        "stop": _leg(request.stop),
        "limit": _leg(request.limit),
        "trailing": request.trailing,
        "guaranteed": request.guaranteed,
        "trigger": trigger and {"level": str(trigger.level), "good_till": _time(trigger.good_till)},
        "order_type": order.order_type and order.order_type.value,
        "entry": str(order.entry),
        "stop_level": _text(order.stop_level),
        "limit_level": _text(order.limit_level),
        "effect": _effect(order.effect),
        "risk": _text(order.risk),
        "client": order.client,
        "note": request.note,
        "tag": request.tag,
    }
    return json.dumps(document, sort_keys=True).encode()


def read_order(document: bytes) -> StoredOrder:
    """Read a previewed order back, unchanged."""
    raw = json.loads(document)
    order_type = OrderType(raw["order_type"]) if raw["order_type"] else None
    request = OrderRequest(
        epic=raw["epic"],
        side=Side(raw["side"]),
        size=Decimal(raw["size"]),
        stop=_read_leg(raw["stop"]),
        limit=_read_leg(raw["limit"]),
        trailing=raw["trailing"],
        guaranteed=raw["guaranteed"],
        trigger=_read_trigger(raw["trigger"], order_type),
        note=raw.get("note"),
        tag=raw.get("tag"),
    )
    return StoredOrder(
        request,
        order_type,
        Decimal(raw["entry"]),
        _read_number(raw["stop_level"]),
        _read_number(raw["limit_level"]),
        _read_effect(raw["effect"]),
        _read_number(raw.get("risk")),
        raw.get("client"),
    )


def write_baseline(
    positions: tuple[Position, ...], orders: tuple[WorkingOrder, ...], effect: Effect | None = None
) -> bytes:
    """Write the book as it stood before a send: sizes by deal id, and the ids of waiting orders.

    `markets` says what each deal is: epic, side and size. `effect` is what the order was about to do to that
    book.
    """
    book = {
        "positions": {position.deal_id: str(position.size) for position in positions},
        "orders": [order.deal_id for order in orders],
        "markets": {
            **{row.deal_id: [row.epic, row.side.value, str(row.size)] for row in positions},
            **{row.deal_id: [row.epic, row.side.value, str(row.size)] for row in orders},
        },
        "effect": _effect(effect),
    }
    return json.dumps(book, sort_keys=True).encode()


def read_baseline(document: bytes) -> frozenset[str]:
    """Read the ids of all deals, open or waiting, that a baseline holds."""
    book = json.loads(document)
    return frozenset(book["positions"]) | frozenset(book["orders"])


def read_deal(document: bytes, deal_id: str) -> tuple[str, Side, Decimal] | None:
    """Read epic, side and size of a deal of a baseline; None where it does not say."""
    found = json.loads(document).get("markets", {}).get(deal_id) if document else None
    return None if found is None else (found[0], Side(found[1]), Decimal(found[2]))


def read_opposite(document: bytes, epic: str, side: Side) -> frozenset[str]:
    """Read the positions of a baseline that an order of this market and side would reduce."""
    book = json.loads(document)
    return frozenset(
        deal_id
        for deal_id, (its_epic, its_side, _) in book.get("markets", {}).items()
        if deal_id in book["positions"] and (its_epic, its_side) == (epic, side.opposite.value)
    )


def read_effect(document: bytes) -> Effect | None:
    """Read what an order was about to do to the book of a baseline; None for what is no order."""
    return _read_effect(json.loads(document).get("effect"))


def _effect(effect: Effect | None) -> Any:
    from msgspec import to_builtins

    return None if effect is None else to_builtins(effect)


def _read_effect(raw: Any) -> Effect | None:
    from msgspec import convert

    return None if raw is None else convert(raw, Effect)


def read_sizes(document: bytes) -> dict[str, Decimal]:
    """Read the sizes of the positions that a baseline holds, by deal id."""
    return {deal_id: Decimal(size) for deal_id, size in json.loads(document)["positions"].items()}


def _leg(leg: ExitOrder | None) -> dict[str, str] | None:
    return {"form": leg.form.value, "value": str(leg.value)} if leg else None


def _read_leg(raw: dict[str, str] | None) -> ExitOrder | None:
    return ExitOrder(ExitForm(raw["form"]), Decimal(raw["value"])) if raw else None


def _read_trigger(raw: dict[str, Any] | None, order_type: OrderType | None) -> Trigger | None:
    if not raw:
        return None
    until = raw["good_till"]
    return Trigger(Decimal(raw["level"]), order_type, datetime.fromisoformat(until) if until else None)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _read_number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None

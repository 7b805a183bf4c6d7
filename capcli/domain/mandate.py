"""Mandates: what a client may send without approval, how much is used, and what ends it. Pure.

A mandate belongs to one client's secret; its amounts, in account currency, are fixed when it is granted.
Sending uses it up: nothing that happens later gives an order back.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from capcli.domain.account import Activity, Position, Transaction, WorkingOrder
from capcli.domain.attempt import NOTHING_DONE, AttemptRecord
from capcli.domain.bookings import Column, column_of
from capcli.domain.market import Side
from capcli.domain.money import CENT, EXACT, ceil_to, cents
from capcli.domain.numbers import counted
from capcli.domain.order import Kind

# Statuses of working orders that ended without a deal.
_ENDED = frozenset({"DELETED", "CANCELLED", "EXPIRED", "REJECTED"})


class MandateState(StrEnum):
    """Only an ACTIVE mandate counts, and only until its end; every other state is final."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    HALTED = "HALTED"
    STOP_LOST = "STOP_LOST"
    VOID = "VOID"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    MandateState.ACTIVE: "is in force",
    MandateState.EXPIRED: "has expired",
    MandateState.REVOKED: "was revoked",
    MandateState.HALTED: "ended with a halt",
    MandateState.STOP_LOST: "ended because a deal of it lost its stop, or had it loosened",
    MandateState.VOID: "ended when the journal was accepted",
}


class Deed(StrEnum):
    """The actions a mandate can cover. Only OPEN counts as one of its orders."""

    OPEN = "OPEN"
    CLOSE = "CLOSE"
    CANCEL = "CANCEL"
    TIGHTEN = "TIGHTEN"


class Mandate(Struct, frozen=True):
    """A mandate as stored in the journal; only the client's file has the secret.

    `risk`: what one order may lose at its stop, `total_risk`: all of them, in `currency`. `since`: when it
    was granted by the broker's clock, as bookings are dated.
    """

    mandate_id: str
    name: str
    env: str
    host: str
    account_id: str
    secret_hash: str
    epics: tuple[str, ...]
    risk: Decimal
    total_risk: Decimal
    currency: str
    orders: int
    since: datetime
    granted_at: datetime
    expires_at: datetime
    state: MandateState = MandateState.ACTIVE
    ended_at: datetime | None = None


class Use(Struct, frozen=True):
    """One request sent under a mandate. `number` counts its orders from 1; None for other deeds.

    `reserved`: what an order could lose when it was sent, filled one spread worse.
    """

    attempt_id: str
    mandate_id: str
    deed: Deed
    number: int | None
    reserved: Decimal
    at: datetime


class Spend(Struct, frozen=True):
    """The use of a mandate, recorded in the journal with its attempt."""

    mandate_id: str
    name: str
    deed: Deed
    reserved: Decimal = Decimal(0)
    words: str = ""


Permit = str | Spend
"""What lets a request pass: the digest of what a person approved, or the use of a mandate."""


class Outside(Struct, frozen=True):
    """Why the mandate of this client does not cover a request. `name` is None where it has none."""

    name: str | None
    why: str

    @property
    def sentence(self) -> str:
        return f"The mandate {self.name} does not cover it: {self.why}." if self.name else f"{self.why}."


class Opening(Struct, frozen=True):
    """An opening order. Levels in the market's currency, `loss` in account currency.

    `loss`: at the stop if filled one spread worse, None without a stop. `meets`: the opposite deals that it
    would reduce. `positions` and `orders`: the account's at that moment.
    """

    epic: str
    is_working: bool
    loss: Decimal | None
    good_till: datetime | None
    meets: tuple[str, ...]
    positions: tuple[Position, ...] = ()
    orders: tuple[WorkingOrder, ...] = ()


class Tightening(Struct, frozen=True):
    """An amendment of a position. `only_stop`: nothing but the level of its stop changes."""

    side: Side
    before: Decimal | None
    after: Decimal | None
    only_stop: bool


class Sent(Struct, frozen=True):
    """An order of a mandate, with its required stop.

    `stop`: at the fill or after the latest tightening, None until seen; `asked`: as sent.
    """

    use: Use
    attempt: AttemptRecord
    size: Decimal
    side: Side
    stop: Decimal | None
    asked: Decimal | None

    @property
    def names(self) -> frozenset[str]:
        """Return the known ids of the order and its deals."""
        found = self.attempt
        return frozenset(filter(None, (found.order_id, *found.opened_deal_ids, *found.deal_ids)))


class MandateBook(Struct, frozen=True):
    """The broker's view of the account since the grant. `rates` to account currency."""

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    activity: tuple[Activity, ...]
    bookings: tuple[Transaction, ...]
    rates: Mapping[str, Decimal]


class Usage(Struct, frozen=True):
    """The used part of a mandate: orders sent, risk lost or open; `lost_stop`: a deal without its stop."""

    orders: int
    charged: Decimal
    lost_stop: str | None


def secret_hash(secret: str) -> str:
    """Return the stored hash of a client's secret."""
    return sha256(f"mandate secret {secret.strip()}".encode()).hexdigest()


def usage_of(mandate: Mandate, sent: Iterable[Sent], book: MandateBook) -> Usage:
    """Add up the used part of a mandate: realised losses, costs, and the loss at open stops.

    Gains do not offset losses. An order not seen yet counts with its full reserved risk.
    """
    # Overnight fees name only the market, no deal (API page 10.2).
    costs = (row.amount for row in book.bookings if row.deal_id is None and _is_cost(mandate, row))
    charged = sum((-min(amount, Decimal(0)) for amount in costs), Decimal(0))
    orders, lost = 0, None
    with localcontext(EXACT):
        for one in sent:
            orders += 1
            amount, bare = _charge(one, book)
            charged += amount
            lost = lost or bare
    return Usage(orders, ceil_to(charged, CENT).quantize(CENT), lost)


def _charge(one: Sent, book: MandateBook) -> tuple[Decimal, str | None]:
    """Return an order's realised and possible loss, and its deal that lacks the required stop."""
    if one.attempt.state in NOTHING_DONE:
        return Decimal(0), None
    waiting = next((row for row in book.orders if row.deal_id in one.names), None)
    if waiting is not None:
        return _at_stake(one, waiting, book)
    deals = _deals(one, book)
    booked = [row for row in book.bookings if row.deal_id in deals]
    lost = sum((-min(row.amount, Decimal(0)) for row in booked), Decimal(0))
    there = [row for row in book.positions if row.deal_id in deals or row.working_order_id in one.names]
    if not there:
        if booked:
            return lost, None
        return (Decimal(0) if _came_to_nothing(one, book) else one.use.reserved), None
    stakes = [_at_stake(one, row, book) for row in there]
    at_stake = sum((amount for amount, _ in stakes), Decimal(0))
    bare = next((name for _, name in stakes if name is not None), None)
    whole = sum((row.size for row in there), Decimal(0)) >= one.size
    # The booking of a partial close may come later.
    return (lost + at_stake if whole else max(lost + at_stake, one.use.reserved)), bare


def _at_stake(one: Sent, row: Position | WorkingOrder, book: MandateBook) -> tuple[Decimal, str | None]:
    rate = book.rates.get(row.currency)
    if row.stop_level is None:
        return one.use.reserved, row.deal_id
    if rate is None:
        return one.use.reserved, None
    away = row.level - row.stop_level if row.side is Side.BUY else row.stop_level - row.level
    units = row.size * (row.contract_size if isinstance(row, Position) else Decimal(1))
    loss = max(away, Decimal(0)) * units * rate
    if one.stop is not None and isinstance(row, Position):
        loosened = row.stop_level < one.stop if row.side is Side.BUY else row.stop_level > one.stop
    else:
        loosened = loss > one.use.reserved
    return loss, row.deal_id if loosened else None


def _deals(one: Sent, book: MandateBook) -> frozenset[str]:
    """Return the deals of an order, including those of a working order filled in the meantime."""
    linked = {row.deal_id for row in book.activity if row.working_order_id in one.names}
    return one.names | linked


def _came_to_nothing(one: Sent, book: MandateBook) -> bool:
    """Whether the activity shows that a working order ended without a fill."""
    if one.attempt.kind is not Kind.WORKING or _deals(one, book) != one.names:
        return False
    return any(row.deal_id in one.names and row.status in _ENDED for row in book.activity)


def _is_cost(mandate: Mandate, row: Transaction) -> bool:
    ours = row.epic in mandate.epics and row.at >= mandate.since
    return ours and column_of(row.type) is not Column.DEPOSITS


def why_not_opened(mandate: Mandate, opening: Opening, used: Usage) -> str | None:
    """Say why an order is outside a mandate; None if it is within."""
    if opening.epic not in mandate.epics:
        return f"{opening.epic} is not among {', '.join(mandate.epics)}"
    if opening.meets:
        return f"it meets {', '.join(opening.meets)} on the other side of {opening.epic}"
    if opening.is_working and (opening.good_till is None or opening.good_till > mandate.expires_at):
        until = f"{mandate.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        return f"a working order has to expire with the mandate, at {until} or before"
    if used.orders >= mandate.orders:
        return f"its {counted(mandate.orders, 'order')} {'is' if mandate.orders == 1 else 'are'} used up"
    return "it has no stop" if opening.loss is None else _too_much(mandate, opening.loss, used)


def _too_much(mandate: Mandate, at_stop: Decimal, used: Usage) -> str | None:
    loss, currency = ceil_to(at_stop, CENT), mandate.currency
    if loss > mandate.risk:
        return f"it may lose {_money(loss)} at its stop of at most {_money(mandate.risk)} {currency} an order"
    if used.charged + loss <= mandate.total_risk:
        return None
    already = f"{_money(used.charged)} is lost or at stake already"
    return f"{already}, and {_money(loss)} more is above the total of {_money(mandate.total_risk)} {currency}"


def why_not_tightened(change: Tightening, kept: Decimal | None) -> str | None:
    """Say why an amendment does more than tighten a stop; None if it only tightens.

    `kept`: the stop that the deal must have; a missing one may be put back there, or nearer.
    """
    least = change.before if change.before is not None else kept
    if not change.only_stop or change.after is None or least is None:
        return "it changes more than the level of the stop"
    looser = change.after < least if change.side is Side.BUY else change.after > least
    return "it loosens the stop" if looser else None


def _money(amount: Decimal) -> str:
    return f"{cents(amount):,f}"

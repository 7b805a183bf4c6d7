"""The stop and limit of a deal, their amendment, and whether that adds risk. Pure."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import Position, WorkingOrder
from capcli.domain.market import Side
from capcli.domain.money import ceil_to, floor_to, plain, short
from capcli.domain.order import ExitForm, ExitOrder, wire_time


class Bracket(Struct, frozen=True):
    """Stop and limit as levels; `trail` is the distance of a trailing stop, whose level moves with prices."""

    stop: Decimal | None
    limit: Decimal | None
    trail: Decimal | None = None
    guaranteed: bool = False

    @property
    def has_stop(self) -> bool:
        return self.stop is not None or self.trail is not None


class Change(Struct, frozen=True):
    """The requested changes; the rest is kept. The last three are for working orders only."""

    stop: ExitOrder | None = None
    limit: ExitOrder | None = None
    no_stop: bool = False
    no_limit: bool = False
    trailing: bool = False
    guaranteed: bool = False
    level: Decimal | None = None
    good_till: datetime | None = None
    no_expiry: bool = False


class Target(Struct, frozen=True):
    """A deal's values after an amendment; `level` and `good_till` for working orders only."""

    bracket: Bracket
    level: Decimal | None = None
    good_till: datetime | None = None


class Ground(Struct, frozen=True):
    """The base of distances: a deal's closing price (an order's level), and the price step."""

    price: Decimal
    side: Side
    step: Decimal

    def level(self, exit_order: ExitOrder, *, below: bool) -> Decimal:
        """Return the price of an exit, on the grid and never nearer than the distance that was given."""
        if exit_order.form is ExitForm.LEVEL:
            return exit_order.value
        if below:
            return floor_to(self.price - exit_order.value, self.step)
        return ceil_to(self.price + exit_order.value, self.step)


def exits_of(deal: Position | WorkingOrder, level: Decimal | None = None) -> Bracket:
    """Return the stop and limit of a deal. Those of an order keep their distance when it moves to `level`."""
    if isinstance(deal, Position):
        trail = deal.stop_distance if deal.trailing else None
        return Bracket(deal.stop_level, deal.limit_level, trail, deal.guaranteed)
    moved = Decimal(0) if level is None else level - deal.level
    stop = None if deal.stop_level is None else deal.stop_level + moved
    limit = None if deal.limit_level is None else deal.limit_level + moved
    trail = abs(deal.level - deal.stop_level) if deal.trailing and deal.stop_level is not None else None
    return Bracket(stop, limit, trail, deal.guaranteed)


def target_of(deal: Position | WorkingOrder) -> Target:
    """Return a deal's current values."""
    if isinstance(deal, Position):
        return Target(exits_of(deal))
    return Target(exits_of(deal), deal.level, deal.good_till)


def amended(before: Bracket, change: Change, ground: Ground) -> Bracket:
    """Return the exits after a change. A kept trailing stop starts again from the current price."""
    below = ground.side is Side.BUY
    limit = before.limit if change.limit is None else ground.level(change.limit, below=not below)
    trail = _trail(before, change)
    stop = before.stop if change.stop is None else ground.level(change.stop, below=below)
    if trail is not None:
        stop = ground.level(ExitOrder(ExitForm.DISTANCE, trail), below=below)
    if change.no_stop:
        stop = None
    guaranteed = (before.guaranteed or change.guaranteed) and stop is not None and trail is None
    return Bracket(stop, None if change.no_limit else limit, trail, guaranteed)


def _trail(before: Bracket, change: Change) -> Decimal | None:
    if change.no_stop:
        return None
    if change.stop is None:
        return None if change.guaranteed else before.trail
    stays = before.trail is not None and not change.guaranteed
    trails = change.stop.form is ExitForm.DISTANCE and (change.trailing or stays)
    return change.stop.value if trails else None


def loosened(before: Bracket, after: Bracket, side: Side) -> tuple[str, ...]:
    """Describe what a change takes away from the existing protection; empty if nothing."""
    return tuple(_losses(before, after, side))


def _losses(before: Bracket, after: Bracket, side: Side) -> Iterator[str]:
    if before.has_stop and not after.has_stop:
        yield "removes the stop"
    elif before.stop is not None and after.stop is not None and _farther(before.stop, after.stop, side):
        yield f"moves the stop away, from {plain(before.stop)} to {plain(after.stop)}"
    elif before.trail is not None and after.trail is not None and after.trail > before.trail:
        yield f"lets the stop trail by {short(after.trail)} instead of {short(before.trail)}"
    if before.guaranteed and after.has_stop and not after.guaranteed:
        yield "removes the guarantee of the stop"
    if before.limit is not None and after.limit is None:
        yield "removes the limit"


def _farther(before: Decimal, after: Decimal, side: Side) -> bool:
    return after < before if side is Side.BUY else after > before


def keeps_stop(seen: Bracket, wanted: Bracket) -> bool:
    """Whether the stop is as requested; a trailing one's level moves, its distance does not."""
    if wanted.guaranteed and not seen.guaranteed:
        return False
    if wanted.trail is not None:
        return seen.trail == wanted.trail
    return seen.trail is None and seen.stop == wanted.stop


def shows(deal: Position | WorkingOrder, wanted: Target) -> bool:
    """Whether a deal is as requested. The broker keeps an expiry in whole seconds."""
    seen = target_of(deal)
    ends = [None if one.good_till is None else wire_time(one.good_till) for one in (seen, wanted)]
    exits = keeps_stop(seen.bracket, wanted.bracket) and seen.bracket.limit == wanted.bracket.limit
    return exits and seen.level == wanted.level and ends[0] == ends[1]

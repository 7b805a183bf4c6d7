"""What a lost order reduced, or may have reduced, on a netting account (API page 9.4). Pure."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from capcli.domain.account import Activity, Position
from capcli.domain.attempt import Ending
from capcli.domain.candidates import Candidate, Seen, UnconfirmedOrder
from capcli.domain.identity import CLOCKS
from capcli.domain.rows import (
    CLOSERS,
    MADE,
    POSITION,
    hidden_orders,
    is_opening,
    new_positions,
    order_rows,
    rows_by_deal,
    unclaimed_rows,
)

# A row of the activity comes up to a minute late (API page 10.1); none was seen later.
_LATE = timedelta(minutes=2)


def netted(lost: UnconfirmedOrder, seen: Seen) -> list[Candidate]:
    """Find the opposite deals that the order reduced, oldest first, and what it opened with the rest."""
    cut = _reductions(lost, seen)
    rest = lost.request.size - sum(cut.values(), Decimal(0))
    if lost.hedges or not cut or rest < 0:
        return []
    opened = tuple(row for row in new_positions(lost, seen.positions) if row.size == rest)
    if len(opened) != (1 if rest else 0):
        return []
    hidden = tuple(hidden_orders(lost, seen))
    # A position that is gone may have been closed by hand: only the order's own row proves more. One that is
    # smaller was reduced by an order (API page 9.4).
    shrunk = cut.keys() <= {row.deal_id for row in seen.positions}
    deals = (*(row.deal_id for row in opened), *cut)
    first = _first_cut(lost, seen, cut.keys())
    level = opened[0].level if opened else (first.level if first else None)
    sure = len(hidden) == 1 or (shrunk and not rest and not hidden)
    # A working order filled meanwhile may have reduced it.
    sure = sure and not any(row.status == "EXECUTED" for row in order_rows(lost, seen))
    at = opened[0].opened_at if opened else (first.at if first else seen.at)
    return [
        Candidate(
            deals,
            opened,
            level,
            lost.request.size,
            next(iter(hidden), None),
            Ending.REDUCED,
            sure,
            at,
            reduced=tuple(cut),
        )
    ]


def maybe_netted(lost: UnconfirmedOrder, seen: Seen) -> Iterator[Candidate]:
    """Find the opposite deals that the order may have reduced, and what it may have opened besides."""
    cut, size = _may_be_cut(lost, seen), lost.request.size
    if lost.hedges or not cut:
        return
    most, reduced, first = sum(cut.values()), tuple(cut), _first_cut(lost, seen, cut.keys())
    level, at = (first.level, first.at) if first else (None, None)

    def doubtful(deals: tuple[str, ...], there: tuple[Position, ...], at: datetime | None) -> Candidate:
        return Candidate(deals, there, level, size, None, Ending.REDUCED, sure=False, at=at, reduced=reduced)

    if size <= most:
        yield doubtful(reduced, (), at)
    listed = {row.deal_id: row for row in new_positions(lost, seen.positions)}
    rests = {deal_id: (row.size, row.opened_at) for deal_id, row in listed.items()}
    for deal_id, rows in unclaimed_rows(lost, seen, POSITION):
        if is_opening(lost, rows[0]) and rows[0].epic == lost.request.epic and rows[0].size is not None:
            rests[deal_id] = rows[0].size, rows[0].at
    fitting = {
        deal_id: opened_at
        for deal_id, (rest, opened_at) in rests.items()
        if rest < size <= rest + most and lost.window.holds(opened_at)
    }
    for deal_id, opened_at in fitting.items():
        there = (listed[deal_id],) if deal_id in listed else ()
        yield doubtful((deal_id, *reduced), there, opened_at)


def _may_be_cut(lost: UnconfirmedOrder, seen: Seen) -> dict[str, Decimal]:
    """Return the opposite deals reduced in the order's time, and how much of it may be its own.

    A reduction without a row counts while rows may be late; a row of another order's size does not.
    """
    rows_are_late = seen.at is None or seen.at <= lost.window.until + _LATE
    now = {row.deal_id: row.size for row in seen.positions}
    others = [row.at for row in order_rows(lost, seen) if row.size not in {None, lost.request.size}]
    cut: dict[str, Decimal] = {}
    for deal_id, size in _opposite(lost, seen).items():
        rows = [row for row in seen.activity if row.deal_id == deal_id and _is_cut(lost, row)]
        gone = size - now.get(deal_id, Decimal(0))
        unreported = gone - sum(row.size or size for row in rows) if rows_are_late else Decimal(0)
        reported = sum(
            row.size or size
            for row in rows
            if row.source not in CLOSERS
            and lost.window.holds(row.at)
            and not any(abs(at - row.at) <= CLOCKS for at in others)
        )
        if (taken := min(gone, max(unreported, Decimal(0)) + reported)) > 0:
            cut[deal_id] = taken
    return cut


def _is_cut(lost: UnconfirmedOrder, row: Activity) -> bool:
    """Whether a row reports a reduced opposite deal; the caller checks which deal."""
    ours = (row.epic, row.side) == (lost.request.epic, lost.request.side) and row.at >= lost.since
    return ours and row.type == POSITION and row.status in MADE


def _opposite(lost: UnconfirmedOrder, seen: Seen) -> dict[str, Decimal]:
    """Return the opposite deals open before the order, with their sizes."""
    request = lost.request
    against = (request.epic, request.side.opposite)
    met = {deal: size for deal, size in lost.sizes.items() if deal in lost.opposite}
    for deal_id, (first, *_) in rows_by_deal(lost, seen, POSITION).items():
        opened = first.status in MADE and first.source not in CLOSERS
        fits = opened and (first.epic, first.side) == against and deal_id not in lost.sizes
        if fits and first.size is not None:
            met[deal_id] = first.size
    return met


def _first_cut(lost: UnconfirmedOrder, seen: Seen, deals: Collection[str]) -> Activity | None:
    """Return the row with the time and price at which the order reduced the first of these deals."""
    cuts = (
        row
        for row in reversed(seen.activity)
        if row.deal_id in deals and row.side is lost.request.side and row.at >= lost.since
    )
    return next(cuts, None)


def _reductions(lost: UnconfirmedOrder, seen: Seen) -> dict[str, Decimal]:
    request, now = lost.request, {row.deal_id: row for row in seen.positions}
    cut = {
        deal_id: size - now[deal_id].size
        for deal_id, size in lost.sizes.items()
        if deal_id in now
        and (now[deal_id].epic, now[deal_id].side) == (request.epic, request.side.opposite)
        and now[deal_id].size < size
    }
    for row in seen.activity:
        gone = row.deal_id in lost.sizes and row.deal_id not in now
        if gone and _is_cut(lost, row) and row.source not in CLOSERS:
            cut[row.deal_id] = lost.sizes[row.deal_id]
    return cut

"""What became of an amendment, a cancellation, a partial close and a close of everything."""

from functools import singledispatch
from typing import Any

from capcli.domain.attempt import AttemptState, Protection
from capcli.domain.money import plain, short
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone, moment
from capcli.render.numbers import NOTHING, gained
from capcli.trading.amend_order import OrderAmendment
from capcli.trading.amend_position import Amendment
from capcli.trading.cancel import Cancellation
from capcli.trading.cancel_all import AllCancellations
from capcli.trading.close_all import AllClosings, CloseResult
from capcli.trading.dry_run import DryRun
from capcli.trading.flatten import Flattening
from capcli.trading.partial_close import Reduction

Rows = list[tuple[str, Cell]]
_COLUMNS = (
    Column(""),
    Column("Market"),
    Column("Size", right=True),
    Column("Closed at", right=True),
    Column("P&L", right=True),
    Column("Finding", prose=True),
    Column("Deal"),
)

_FLAT_COLUMNS = (Column(""), Column("What"), Column("Finding", prose=True), Column("Deal"))


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: Amendment) -> list[Block]:
    rows: Rows = [*_state(data.state, data.protected), ("Stop", _stop(data)), ("Limit", _limit(data))]
    return _told(data.sentence, [*rows, *_ids(data.deal_id, data.attempt_id, data.next)])


@view.register
def _(data: OrderAmendment) -> list[Block]:
    until = moment(data.good_till) if data.good_till else Cell("until cancelled")
    rows: Rows = [
        *_state(data.state, data.protected),
        ("Level", Cell(plain(data.level))),
        ("Stop", _stop(data)),
        ("Limit", _limit(data)),
        ("Good till", until),
    ]
    return _told(data.sentence, [*rows, *_ids(data.deal_id, data.attempt_id, data.next)])


@view.register
def _(data: Cancellation) -> list[Block]:
    rows = _state(data.state, Protection.NOT_ASKED)
    return _told(data.sentence, [*rows, *_ids(data.deal_id, data.attempt_id, data.next)])


@view.register
def _(data: Reduction) -> list[Block]:
    rows = _state(data.state, Protection.NOT_ASKED)
    left = "not seen" if data.remaining is None else short(data.remaining)
    rows.append(("Still open", Cell(f"{left} of {short(data.size_before)}")))
    if data.pl is not None:
        rows.append(("P&L", gained(data)))
    if data.opened_deal_id:
        rows.append(("Opened", Cell(data.opened_deal_id, Tone.BAD, deal=True)))
    return _told(data.sentence, [*rows, *_ids(data.deal_id, data.attempt_id, data.next)])


@view.register
def _(data: DryRun) -> list[Block]:
    asked = [Line(Cell(f"{row.method} {row.path} {row.body or ''}".rstrip())) for row in data.requests]
    return [Line(Cell(data.sentence, Tone.STRONG)), *asked]


@view.register
def _(data: AllClosings) -> list[Block]:
    if not data.closings:
        return [Line(Cell(data.sentence))]
    table = Table(_COLUMNS, tuple(_closing(row) for row in data.closings), ids_last=True)
    return [Line(Cell(data.sentence, Tone.STRONG)), table]


@view.register
def _(data: AllCancellations) -> list[Block]:
    said = Line(Cell(data.sentence, Tone.BAD if data.failed else Tone.STRONG))
    if not data.cancellations:
        return [said]
    rows = tuple(
        (
            Cell("✓", Tone.GOOD) if row.done else Cell("✗", Tone.BAD),
            Cell(row.order),
            Cell(row.sentence, Tone.PLAIN if row.done else Tone.BAD),
            Cell(row.deal_id, deal=True) if row.deal_id else NOTHING,
        )
        for row in data.cancellations
    )
    return [said, Table(_FLAT_COLUMNS, rows, ids_last=True)]


@view.register
def _(data: Flattening) -> list[Block]:
    said = Line(Cell(data.sentence, Tone.STRONG if data.flat else Tone.BAD))
    if not data.deals:
        return [said]
    rows = tuple(
        (
            Cell("✓", Tone.GOOD) if row.done else Cell("✗", Tone.BAD),
            Cell(row.deal),
            Cell(row.sentence, Tone.PLAIN if row.done else Tone.BAD),
            Cell(row.deal_id, deal=True),
        )
        for row in data.deals
    )
    return [said, Table(_FLAT_COLUMNS, rows, ids_last=True)]


def _closing(row: CloseResult) -> tuple[Cell, ...]:
    return (
        Cell("✓", Tone.GOOD) if row.closed else Cell("✗", Tone.BAD),
        Cell(row.epic) if row.epic else NOTHING,
        Cell(f"{row.side.value} {short(row.size)}") if row.side and row.size else NOTHING,
        NOTHING if row.level is None else Cell(plain(row.level)),
        gained(row),
        Cell(row.sentence, Tone.PLAIN if row.closed else Tone.BAD),
        Cell(row.deal_id, deal=True) if row.deal_id else NOTHING,
    )


def _told(sentence: str, rows: Rows) -> list[Block]:
    return [Line(Cell(sentence, Tone.STRONG)), Pairs(tuple(rows))]


def _state(state: AttemptState | None, protected: Protection) -> Rows:
    if state is None:
        return []
    good = state is AttemptState.LANDED and protected is not Protection.NO
    return [("State", Cell(state.value.lower(), Tone.GOOD if good else Tone.BAD))]


def _stop(data: Amendment | OrderAmendment) -> Cell:
    if data.stop_level is None and not data.trailing:
        return Cell("NO STOP", Tone.WARN)
    level = "" if data.stop_level is None else plain(data.stop_level)
    if data.trailing and data.stop_distance is not None:
        return Cell(f"{level} trailing by {short(data.stop_distance)}".strip())
    return Cell(f"{level} guaranteed" if data.guaranteed else level)


def _limit(data: Amendment | OrderAmendment) -> Cell:
    return Cell("none", Tone.DIM) if data.limit_level is None else Cell(plain(data.limit_level))


def _ids(deal_id: str, attempt_id: str | None, following: str | None) -> Rows:
    named = (("Deal", deal_id), ("Attempt", attempt_id), ("Next", following))
    return [(name, Cell(value, deal=name == "Deal")) for name, value in named if value]

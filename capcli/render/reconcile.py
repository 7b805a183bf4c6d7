"""What became of lost orders, and the history of executions."""

from functools import singledispatch
from typing import Any

from capcli.account.executions import ExecutionRecord, ExecutionsFound
from capcli.domain.attempt import AttemptState, Protection
from capcli.domain.money import plain, short
from capcli.domain.order import Kind
from capcli.reconcile.reconcile import Reconciliation, Settled
from capcli.render.blocks import (
    KEPT_COLUMNS,
    Block,
    Cell,
    Column,
    Line,
    Pairs,
    Table,
    Tone,
    kept_cells,
    moment,
    without_empty,
)
from capcli.safety.audit import Verified

_COLUMNS = (
    Column("Sent"),
    Column("What"),
    *KEPT_COLUMNS,
    Column("Became"),
    Column("At", right=True),
    Column("Stop"),
    Column("Answer"),
    Column("Attempt"),
)
_NO_STOP = {Protection.NO, Protection.UNCHECKED}


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: Reconciliation) -> list[Block]:
    if not data.attempts:
        nothing = Line(Cell("Nothing to settle: no order of this account is unresolved."))
        return [nothing, *(Line(Cell(words)) for words in data.lately)]
    rows = [block for row in data.attempts for block in view(row)]
    return [*rows, *(Line(Cell(words)) for words in data.lately)]


@view.register
def _(data: Settled) -> list[Block]:
    before, after = data.state_before.lower(), data.state.value.lower()
    state = after if before == after else f"{before}, now {after}"
    rows: list[tuple[str, Cell]] = [("State", Cell(state, _tone(data.state)))]
    rows += [
        (name, Cell(value))
        for name, value in (
            ("Deal", ", ".join(data.deal_ids)),
            ("May be", ", ".join(data.candidates)),
            ("Evidence", data.evidence if data.state is AttemptState.LANDED else None),
            ("Attempt", data.attempt_id),
            ("Preview", data.preview_id),
            ("Next", data.next if data.next and data.next not in data.sentence else None),
        )
        if value
    ]
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(tuple(rows))]


def _tone(state: AttemptState) -> Tone:
    if state is AttemptState.LANDED:
        return Tone.GOOD
    return Tone.BAD if state.unresolved or state is AttemptState.ABSENT else Tone.PLAIN


@view.register
def _(data: ExecutionsFound) -> list[Block]:
    if not data.executions:
        return [Line(Cell("Nothing was sent from this computer yet."))]
    table = Table(_COLUMNS, tuple(map(_execution, data.executions)), ids_last=True)
    return [without_empty(table)]


def _execution(row: ExecutionRecord) -> tuple[Cell, ...]:
    at = row.sent_at or row.created_at
    return (
        moment(at),
        Cell(_what(row) + (f" (mandate {row.mandate})" if row.mandate else "")),
        *kept_cells(row.tag, row.note),
        Cell(row.state.value.lower(), _tone(row.state)),
        Cell("" if row.level is None else plain(row.level)),
        _stop(row),
        Cell(_answer(row)),
        Cell(row.attempt_id),
    )


# What was done to a deal that was there; a new order has only its side.
_DONE: dict[str, str] = {
    Kind.CLOSE: "close ",
    Kind.AMEND: "amend ",
    Kind.CANCEL: "cancel ",
    Kind.WORKING_UPDATE: "amend ",
}


def _what(row: ExecutionRecord) -> str:
    if row.side is None or row.size is None:
        return f"{row.kind.lower()} {row.deal_id}"
    waits = (
        ""
        if row.order_type is None or row.entry is None
        else f" {row.order_type.value} at {plain(row.entry)}"
    )
    return f"{_DONE.get(row.kind, '')}{row.side.value} {short(row.size)} {row.epic}{waits}"


def _stop(row: ExecutionRecord) -> Cell:
    if row.state is not AttemptState.LANDED or row.protected is Protection.NOT_ASKED:
        return Cell("")
    return Cell(row.protected, Tone.BAD if row.protected in _NO_STOP else Tone.GOOD)


def _answer(row: ExecutionRecord) -> str:
    return row.error_code or ("" if row.http_status is None else str(row.http_status))


@view.register
def _(data: Verified) -> list[Block]:
    verdict = (
        Cell(f"The journal is intact: {data.events} events.", Tone.GOOD)
        if data.intact
        else Cell("The journal has been altered.", Tone.BAD)
    )
    columns = (Column("Table"), Column("Row"), Column("What", prose=True))
    rows = tuple((Cell(row.table), Cell(row.row), Cell(row.fault, Tone.BAD)) for row in data.breaks)
    found: list[Block] = [Table(columns, rows)] if rows else []
    return [Line(verdict), *found, Line(Cell(data.note, Tone.DIM))]

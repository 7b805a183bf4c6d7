"""Outcomes of lost orders, and the history of executions."""

from capcli.account.executions import ExecutionRecord, ExecutionsFound
from capcli.domain.attempt import AttemptState, Protection
from capcli.domain.chain import JournalBreak
from capcli.domain.money import plain, short
from capcli.domain.order import Kind
from capcli.reconcile.reconcile import Reconciliation, Settled
from capcli.render.blocks import KEPT, Block, Cell, Column, Tone, line, moment, pairs, table
from capcli.render.views import View, view
from capcli.safety.audit import Verified


@view.register
def _(data: Reconciliation) -> View:
    lately = [line(words) for words in data.lately]
    if not data.attempts:
        return [line("Nothing to settle: no order of this account is unresolved."), *lately]
    return [*(block for row in data.attempts for block in _settled(row)), *lately]


@view.register
def _settled(data: Settled) -> list[Block]:
    before, after = data.state_before.lower(), data.state.value.lower()
    state = after if before == after else f"{before}, now {after}"
    facts = pairs(
        ("State", Cell(state, _tone(data.state))),
        ("Deal", ", ".join(data.deal_ids) or None),
        ("May be", ", ".join(data.candidates) or None),
        ("Evidence", data.evidence if data.evidence and data.state is AttemptState.LANDED else None),
        ("Attempt", data.attempt_id or None),
        ("Preview", data.preview_id or None),
        ("Next", data.next if data.next and data.next not in data.sentence else None),
    )
    return [line(data.sentence, Tone.STRONG), facts]


def _tone(state: AttemptState) -> Tone:
    if state is AttemptState.LANDED:
        return Tone.GOOD
    return Tone.BAD if state.unresolved or state is AttemptState.ABSENT else Tone.PLAIN


# The action on an existing deal; a new order has only its side.
_DONE: dict[str, str] = {
    Kind.CLOSE: "close ",
    Kind.AMEND: "amend ",
    Kind.CANCEL: "cancel ",
    Kind.WORKING_UPDATE: "amend ",
}


def _what(row: ExecutionRecord) -> str:
    mandate = f" (mandate {row.mandate})" if row.mandate else ""
    if row.side is None or row.size is None:
        return f"{row.kind.lower()} {row.deal_id}{mandate}"
    at = f" {row.order_type.value} at {plain(row.entry)}" if row.order_type and row.entry is not None else ""
    return f"{_DONE.get(row.kind, '')}{row.side.value} {short(row.size)} {row.epic}{at}{mandate}"


def _stop(row: ExecutionRecord) -> Cell:
    if row.state is not AttemptState.LANDED or row.protected is Protection.NOT_ASKED:
        return Cell("")
    missing = row.protected in {Protection.NO, Protection.UNCHECKED}
    return Cell(row.protected, Tone.BAD if missing else Tone.GOOD)


def _answer(row: ExecutionRecord) -> str:
    return row.error_code or ("" if row.http_status is None else str(row.http_status))


_EXECUTIONS: tuple[Column[ExecutionRecord], ...] = (
    Column("Sent", lambda row: moment(row.sent_at or row.created_at)),
    Column("What", _what),
    *KEPT,
    Column("Became", lambda row: Cell(row.state.value.lower(), _tone(row.state))),
    Column("At", lambda row: "" if row.level is None else plain(row.level), right=True),
    Column("Stop", _stop),
    Column("Answer", _answer),
    Column("Attempt", lambda row: row.attempt_id),
)


@view.register
def _(data: ExecutionsFound) -> View:
    if not data.executions:
        return [line("Nothing was sent from this computer yet.")]
    return [table(_EXECUTIONS, data.executions, ids_last=True)]


_BREAKS: tuple[Column[JournalBreak], ...] = (
    Column("Table", lambda row: row.table),
    Column("Row", lambda row: row.row),
    Column("What", lambda row: Cell(row.fault, Tone.BAD), prose=True),
)


@view.register
def _(data: Verified) -> View:
    intact = line(f"The journal is intact: {data.events} events.", Tone.GOOD)
    return [
        intact if data.intact else line("The journal has been altered.", Tone.BAD),
        table(_BREAKS, data.breaks) if data.breaks else None,
        line(data.note, Tone.DIM),
    ]

"""Mandates: those in force, their use, and the result of a grant or a revocation."""

from capcli.domain.mandate import MandateState
from capcli.domain.numbers import money
from capcli.render.blocks import Cell, Column, Tone, line, table
from capcli.render.views import View, view
from capcli.safety.mandate import MandateGranted, MandateRevoked, MandateRow, MandatesFound, local_time

COLUMNS: tuple[Column[MandateRow], ...] = (
    Column("Name", lambda row: row.name),
    Column("Where", lambda row: f"{row.env} {row.account_id}"),
    Column("State", lambda row: _state(row.state)),
    Column("Until", lambda row: local_time(row.expires_at)),
    Column("Markets", lambda row: ", ".join(row.epics)),
    Column("Orders", lambda row: f"{row.orders_used} of {row.orders}", right=True),
    Column("An order", lambda row: money(row.risk, row.currency), right=True),
    Column("In all", lambda row: _charged(row) + money(row.total_risk, row.currency), right=True),
)


def _state(state: MandateState) -> Cell:
    return Cell("in force", Tone.GOOD) if state is MandateState.ACTIVE else Cell(state.words, Tone.DIM)


def _charged(row: MandateRow) -> str:
    return "" if row.charged is None else f"{row.charged:,f} of "


@view.register
def _(data: MandatesFound) -> View:
    if not data.mandates:
        return [line("No mandate is in force, and none ended in the last 24 hours.")]
    nobody = "Approval is confirm here, so nobody is asked and mandates have no effect."
    return [table(COLUMNS, data.mandates), None if data.approval == "human" else line(nobody, Tone.DIM)]


@view.register
def _(data: MandateGranted | MandateRevoked) -> View:
    return [line(data.sentence, Tone.STRONG), line(f"next: {data.next}")]

"""The halt, and the requests that wait for a person's approval."""

from capcli.domain.approval import ApprovalState
from capcli.render.blocks import Cell, Column, Tone, line, table
from capcli.render.views import View, view
from capcli.safety.approval import ApprovalRow, ApprovalsFound, Decision
from capcli.safety.approval_text import one_line
from capcli.safety.halt import HaltShown


@view.register
def _(data: HaltShown) -> View:
    return [line(data.sentence, Tone.BAD if data.halted else Tone.GOOD)]


_WAITS, _APPROVED = Cell("waits", Tone.WARN), Cell("approved, not sent yet", Tone.GOOD)
_REQUESTS: tuple[Column[ApprovalRow], ...] = (
    Column("Asked", lambda row: f"{row.asked_at:%H:%M:%S}Z"),
    Column("Until", lambda row: f"{row.expires_at:%H:%M:%S}Z"),
    Column("State", lambda row: _WAITS if row.state is ApprovalState.PENDING else _APPROVED),
    Column("What", lambda row: one_line(row.text), prose=True),
)
_HOW = (
    "capcli approve --watch shows each in full and takes y or n. Or capcli approve CODE, with the code "
    "from the answer that the assistant or the script got."
)


@view.register
def _(data: ApprovalsFound) -> View:
    who = "a person approves each order" if data.mode == "human" else "confirming an order is enough"
    mode = line(f"Approval is {data.mode}: {who}.", Tone.DIM)
    if not data.approvals:
        return [line("No request is waiting."), mode]
    return [table(_REQUESTS, data.approvals), line(_HOW), mode]


@view.register
def _(data: Decision) -> View:
    return [line(data.sentence, Tone.STRONG), line(f"next: {data.next}") if data.next else None]

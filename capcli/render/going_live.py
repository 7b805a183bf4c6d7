"""The go-live checklist: the completed steps, and their evidence."""

from capcli.render.blocks import Cell, Column, Tone, line, table
from capcli.render.views import View, view
from capcli.safety.going_live import Checklist, ChecklistItem

_COLUMNS: tuple[Column[ChecklistItem], ...] = (
    Column("Done", lambda row: Cell("yes", Tone.GOOD) if row.done else Cell("open", Tone.BAD)),
    Column("Step", lambda row: row.name),
    Column("What", lambda row: row.text, prose=True),
    Column("How it is known", lambda row: Cell(row.how, Tone.DIM), prose=True),
)
_APPROVAL = {
    "human": "On live a person approves what an assistant or a script wants to send.",
    "confirm": "On live whoever confirms an order approves it: no person is asked.",
}


@view.register
def _(data: Checklist) -> View:
    verdict = line(data.sentence, Tone.GOOD if data.complete else Tone.BAD)
    return [table(_COLUMNS, data.items), verdict, line(_APPROVAL[data.approval])]

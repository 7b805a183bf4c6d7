"""The go-live checklist: what is done, and how that is known."""

from capcli.render.blocks import Block, Cell, Column, Line, Table, Tone
from capcli.safety.going_live import Checklist

_COLUMNS = (Column("Done"), Column("Step"), Column("What", prose=True), Column("How it is known", prose=True))


def view(data: Checklist) -> list[Block]:
    """Return the blocks of a result."""
    rows = tuple(
        (
            Cell("yes", Tone.GOOD) if item.done else Cell("open", Tone.BAD),
            Cell(item.name),
            Cell(item.text),
            Cell(item.how, Tone.DIM),
        )
        for item in data.items
    )
    tone = Tone.GOOD if data.complete else Tone.BAD
    approval = {
        "human": "On live a person approves what an assistant or a script wants to send.",
        "confirm": "On live whoever confirms an order approves it: no person is asked.",
    }[data.approval]
    return [Table(_COLUMNS, rows), Line(Cell(data.sentence, tone)), Line(Cell(approval))]

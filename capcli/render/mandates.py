"""Mandates: what is in force, how much of it is used, and what came of a grant or a revocation."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from capcli.domain.mandate import MandateState
from capcli.domain.numbers import money
from capcli.render.blocks import Block, Cell, Column, Line, Table, Tone
from capcli.safety.mandate import MandateGranted, MandateRevoked, MandateRow, MandatesFound, local_time


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: MandatesFound) -> list[Block]:
    if not data.mandates:
        return [Line(Cell("No mandate is in force, and none ended in the last 24 hours."))]
    blocks: list[Block] = [table(data.mandates)]
    if data.approval != "human":
        told = "Approval is confirm here, so nobody is asked and mandates have no effect."
        blocks.append(Line(Cell(told, Tone.DIM)))
    return blocks


def table(rows: Sequence[MandateRow]) -> Table:
    """Return a table of mandates: what they allow, and how much of it is used."""
    columns = (
        Column("Name"),
        Column("Where"),
        Column("State"),
        Column("Until"),
        Column("Markets"),
        Column("Orders", right=True),
        Column("An order", right=True),
        Column("In all", right=True),
    )
    return Table(columns, tuple(map(_row, rows)))


def _row(row: MandateRow) -> tuple[Cell, ...]:
    active = row.state is MandateState.ACTIVE
    state = Cell("in force", Tone.GOOD) if active else Cell(row.state.words, Tone.DIM)
    total = money(row.total_risk, row.currency)
    return (
        Cell(row.name),
        Cell(f"{row.env} {row.account_id}"),
        state,
        Cell(local_time(row.expires_at)),
        Cell(", ".join(row.epics)),
        Cell(f"{row.orders_used} of {row.orders}"),
        Cell(money(row.risk, row.currency)),
        Cell(total if row.charged is None else f"{row.charged:,f} of {total}"),
    )


@view.register
def _(data: MandateGranted) -> list[Block]:
    return [Line(Cell(data.sentence, Tone.STRONG)), Line(Cell(f"next: {data.next}"))]


@view.register
def _(data: MandateRevoked) -> list[Block]:
    return [Line(Cell(data.sentence, Tone.STRONG)), Line(Cell(f"next: {data.next}"))]

"""Sizes by risk: both sides with their arithmetic, or one with the checks of its preview."""

from functools import singledispatch
from typing import Any

from capcli.domain.money import short
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.numbers import NOTHING, money, places, price
from capcli.render.trading import check_table
from capcli.trading.propose import Proposal, ProposedSide

_COLUMNS = (
    Column("Side"),
    Column("Size", right=True),
    Column("Entry", right=True),
    Column("Stop", right=True),
    Column("Loses", right=True),
    Column("Notional", right=True),
    Column("Margin", right=True),
)


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: Proposal) -> list[Block]:
    table = Table(_COLUMNS, tuple(_row(data, side) for side in data.sides))
    sums = Pairs(tuple((side.side.value, _reason(side)) for side in data.sides))
    return [_head(data), table, sums, *_ending(data), Line(Cell(data.note, Tone.DIM))]


def _head(data: Proposal) -> Pairs:
    digits = places(data.bid, data.offer)
    quote = f"bid {price(data.bid, digits)}, offer {price(data.offer, digits)} {data.currency}"
    rows = (
        ("Market", Cell(f"{data.epic}, {quote}")),
        ("Risk", Cell(f"{short(data.risk_pct)} % of {money(data.equity, data.account_currency)} equity")),
        ("Stop", Cell(data.stop_rule)),
    )
    return Pairs(rows)


def _row(data: Proposal, side: ProposedSide) -> tuple[Cell, ...]:
    digits = places(data.bid, data.offer)
    amounts = (side.loss, side.notional, side.margin)
    return (
        Cell(side.side.value, Tone.BAD if side.refused else Tone.STRONG),
        NOTHING if side.size is None else Cell(short(side.size)),
        Cell(price(side.entry, digits)),
        Cell(price(side.stop_level, digits)),
        *(NOTHING if one is None else Cell(money(one, data.account_currency)) for one in amounts),
    )


def _reason(side: ProposedSide) -> Cell:
    if side.refused is None:
        return Cell(side.arithmetic)
    return Cell(" ".join(filter(None, (side.arithmetic, side.refused))), Tone.BAD)


def _ending(data: Proposal) -> list[Block]:
    if data.preview_id is None or data.expires_at is None:
        if data.next is None:
            return []
        both = all(side.refused is None for side in data.sides)
        more = " (or --sell in its place)" if both else ""
        return [Line(Cell(f"For a preview: {data.next}{more}", Tone.STRONG))]
    checks = check_table(data.checks)
    if not data.executable:
        return [checks, Line(Cell(f"Preview {data.preview_id} failed its checks and cannot be executed."))]
    life = f"Preview {data.preview_id} expires at {data.expires_at:%H:%M:%S}Z."
    return [checks, Line(Cell(life)), Line(Cell(data.next or "", Tone.STRONG))]

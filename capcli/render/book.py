"""Open positions with their P&L and stops, and working orders."""

from functools import singledispatch
from typing import Any

from capcli.account.portfolio import OrderRow, OrdersFound, PositionRow, PositionsFound, Totals
from capcli.domain.account import UnreadableRow
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import short
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
from capcli.render.numbers import NOTHING, change, gain, money, percent, places, price, price_cell

_OWN = "In its currency"
_POSITION_COLUMNS = (
    Column("Market"),
    Column("Size", right=True),
    Column("Opened", right=True, spare=2),
    Column("Now", right=True),
    Column("P&L", right=True),
    Column("P&L %", right=True, spare=5),
    Column(_OWN, right=True),
    Column("Margin", right=True, spare=3),
    Column("Stop", right=True),
    Column("To stop", right=True, spare=4),
    Column("Limit", right=True, spare=1),
    *KEPT_COLUMNS,
    Column("Deal"),
)
_ORDER_COLUMNS = (
    Column("Market"),
    Column("Order"),
    Column("Size", right=True),
    Column("Level", right=True),
    Column("Bid", right=True, spare=5),
    Column("Offer", right=True, spare=4),
    Column("Away", right=True, spare=2),
    Column("Stop", right=True),
    Column("Limit", right=True, spare=1),
    Column("Good till", spare=3),
    *KEPT_COLUMNS,
    Column("Deal"),
)


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: PositionsFound) -> list[Block]:
    halt = [Line(Cell(f"{data.halt}. Resume with: capcli resume", Tone.BAD))] if data.halt else []
    if not data.positions:
        return [*halt, Line(Cell(none_of("open positions", data.unreadable)))]
    mixed = any(row.currency != data.totals.currency for row in data.positions)
    rows = tuple(_position(row, data.totals.currency, mixed=mixed) for row in data.positions)
    columns = tuple(one for one in _POSITION_COLUMNS if mixed or one.title != _OWN)
    table = without_empty(Table(columns, rows, ids_last=True))
    return [*halt, table, _totals(data.totals)]


def none_of(what: str, unreadable: tuple[UnreadableRow, ...]) -> str:
    """Say that a list is empty, or that nothing of it can be read."""
    return f"None of the {len(unreadable)} {what} can be read." if unreadable else f"No {what}."


def _position(row: PositionRow, currency: str | None, *, mixed: bool) -> tuple[Cell, ...]:
    digits, own = places(row.bid, row.offer, row.level), gain(row.pl, row.currency)
    return (
        _market(row),
        Cell(f"{row.side.value} {short(row.size)}"),
        Cell(price(row.level, digits)),
        price_cell(row.bid if row.side is Side.BUY else row.offer, digits),
        (NOTHING if mixed else own) if row.pl_account is None else gain(row.pl_account, currency),
        change(row.pl_pct),
        *([own] if mixed else []),
        NOTHING if row.margin is None else Cell(money(row.margin, row.currency if mixed else None)),
        _stop(row, digits),
        NOTHING if row.stop_distance_pct is None else Cell(percent(row.stop_distance_pct)),
        price_cell(row.limit_level, digits),
        *kept_cells(row.tag, row.note),
        Cell(row.deal_id, deal=True),
    )


def _stop(row: PositionRow | OrderRow, digits: int) -> Cell:
    kind = "guaranteed" if row.guaranteed else "trailing" if row.trailing else ""
    if row.stop_level is None:
        # The distance of a trailing stop has no level while its order waits.
        return Cell("trailing") if row.trailing else Cell("NO STOP", Tone.WARN)
    return Cell(f"{price(row.stop_level, digits)} {kind}".strip())


def _market(row: PositionRow) -> Cell:
    if row.market_status is MarketStatus.TRADEABLE:
        return Cell(row.epic, Tone.STRONG)
    return Cell(f"{row.epic} {row.market_status.value}", Tone.WARN)


def _totals(totals: Totals) -> Pairs:
    total = NOTHING if totals.pl is None else gain(totals.pl, totals.currency)
    margin = (
        NOTHING
        if totals.margin is None
        else Cell(f"{money(totals.margin, totals.currency)} at the opening prices")
    )
    return Pairs((("Positions", Cell(str(totals.count))), ("Total P&L", total), ("Total margin", margin)))


@view.register
def _(data: OrdersFound) -> list[Block]:
    if not data.orders:
        return [Line(Cell(none_of("working orders", data.unreadable)))]
    table = Table(_ORDER_COLUMNS, tuple(_order(row) for row in data.orders), ids_last=True)
    return [without_empty(table)]


def _order(row: OrderRow) -> tuple[Cell, ...]:
    digits = places(row.bid, row.offer, row.level)
    return (
        Cell(row.epic, Tone.STRONG),
        Cell(f"{row.side.value} {row.type.value}"),
        Cell(short(row.size)),
        Cell(price(row.level, digits)),
        price_cell(row.bid, digits),
        price_cell(row.offer, digits),
        price_cell(row.distance, digits),
        _stop(row, digits),
        price_cell(row.limit_level, digits),
        moment(row.good_till, "%Y-%m-%d %H:%M") if row.good_till else Cell("until cancelled"),
        *kept_cells(row.tag, row.note),
        Cell(row.deal_id, deal=True),
    )

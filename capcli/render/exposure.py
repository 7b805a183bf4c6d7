"""What is at stake, by market, class and currency, with totals and what is unlimited."""

from decimal import Decimal
from functools import singledispatch
from typing import Any

from capcli.account.exposure import ExposureFound, ExposureRow, Grouping
from capcli.domain.numbers import rate
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.book import none_of
from capcli.render.numbers import NOTHING, money, percent

_UNBOUNDED = Cell("UNBOUNDED", Tone.WARN)
_NUMBERS = ("Long", "Short", "Net", "Margin", "At stops", "Of equity")
_TITLES = {Grouping.MARKET: "Market", Grouping.CLASS: "Class", Grouping.CURRENCY: "Currency"}


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: ExposureFound) -> list[Block]:
    if data.unreadable and not data.total.positions:
        return [Line(Cell(none_of("open positions", data.unreadable)))]
    if not data.total.positions:
        return [Line(Cell("No open positions: nothing is at stake."))]
    tables: list[Block] = [_table(data, grouping) for grouping in _TITLES]
    return [*tables, _total(data), *_warnings(data.total)]


def _table(data: ExposureFound, grouping: Grouping) -> Table:
    columns = (
        Column(_TITLES[grouping]),
        Column("Rate", right=True),
        *(Column(name, right=True) for name in _NUMBERS),
        Column("Stops"),
    )
    return Table(columns, tuple(_row(row) for row in data.exposure if row.group is grouping))


def _row(row: ExposureRow) -> tuple[Cell, ...]:
    return (
        Cell(row.name, Tone.STRONG),
        NOTHING if row.rate is None else Cell(f"{row.currency} {rate(row.rate)}"),
        Cell(money(row.long)),
        Cell(money(row.short)),
        Cell(money(row.net)),
        NOTHING if row.margin is None else Cell(money(row.margin)),
        _UNBOUNDED if row.loss_at_stops is None else Cell(money(row.loss_at_stops)),
        NOTHING if row.loss_pct is None else Cell(percent(row.loss_pct)),
        _stops(row),
    )


def _stops(row: ExposureRow) -> Cell:
    missing = len(row.without_stop)
    if missing:
        return Cell(f"{missing} of {row.positions} missing", Tone.WARN)
    if row.guaranteed:
        return Cell(f"{row.guaranteed} of {row.positions} guaranteed", Tone.GOOD)
    return Cell("set")


def _total(data: ExposureFound) -> Pairs:
    total, currency = data.total, data.account_currency
    mode = "on, opposite positions stay open side by side" if data.hedging else "off"
    if total.loss_at_stops is None or total.loss_pct is None:
        some = len(total.without_stop) < total.positions
        kept = f"; {money(total.loss_with_stop, currency)} from now on the positions that have a stop"
        loss = Cell(f"UNBOUNDED{kept if some else ''}", Tone.WARN)
    else:
        loss = Cell(_share(total.loss_at_stops, total.loss_pct, currency) + " from now")
    margin = NOTHING
    if total.margin is not None and total.margin_pct is not None:
        margin = Cell(_share(total.margin, total.margin_pct, currency))
    return Pairs(
        (
            ("Equity", Cell(money(data.equity, currency))),
            ("Notional", Cell(_share(total.notional, total.notional_pct, currency))),
            ("Net", Cell(money(total.net, currency))),
            ("Hedging", Cell(mode)),
            ("Margin", margin),
            ("If every stop is hit", loss),
            ("Guaranteed stops", Cell(f"{total.guaranteed} of {total.positions}{_sure(total, currency)}")),
        )
    )


def _sure(total: ExposureRow, currency: str) -> str:
    return f", {money(total.loss_guaranteed, currency)} of that loss" if total.guaranteed else ""


def _share(amount: Decimal, share: Decimal, currency: str) -> str:
    return f"{money(amount, currency)} ({percent(share)} of equity)"


def _warnings(total: ExposureRow) -> list[Block]:
    if not total.without_stop:
        return []
    deals = ", ".join(total.without_stop)
    return [Line(Cell(f"Without a stop, so their loss is UNBOUNDED: {deals}", Tone.WARN))]

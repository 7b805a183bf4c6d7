"""Preferences of an account, and what a change of them or a top-up came to."""

from functools import singledispatch
from typing import Any

from capcli.account.preferences import LeverageRow, PreferencesSet, PreferencesShown, ToppedUp
from capcli.domain.money import short
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.numbers import money

_COLUMNS = (Column("Class"), Column("Leverage", right=True), Column("To choose from", prose=True))


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: PreferencesShown) -> list[Block]:
    return _preferences(data.leverages, hedging=data.hedging_mode)


@view.register
def _(data: PreferencesSet) -> list[Block]:
    return [
        Line(Cell(data.sentence, Tone.STRONG)),
        *_preferences(data.leverages, hedging=data.hedging_mode),
    ]


def _preferences(rows: tuple[LeverageRow, ...], *, hedging: bool) -> list[Block]:
    mode = (
        "on: opposite positions stay open side by side"
        if hedging
        else "off: opposite orders reduce each other"
    )
    return [Pairs((("Hedging", Cell(mode)),)), Table(_COLUMNS, tuple(map(_row, rows)))]


def _row(row: LeverageRow) -> tuple[Cell, ...]:
    return (
        Cell(row.market_class, Tone.STRONG),
        Cell(short(row.current)),
        Cell(", ".join(map(short, row.available))),
    )


@view.register
def _(data: ToppedUp) -> list[Block]:
    rows = (
        ("Cash before", Cell(money(data.cash_before, data.currency))),
        ("Cash", Cell(money(data.cash, data.currency))),
        ("Available", Cell(money(data.available, data.currency))),
    )
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(rows)]

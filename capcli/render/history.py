"""The broker's history of an account: activity, bookings, and the report."""

from datetime import datetime
from decimal import Decimal
from functools import singledispatch
from typing import Any

from capcli.account.booking_totals import Booked, Totals
from capcli.account.history import ActivityFound, Report, TransactionsFound
from capcli.domain.account import Activity, Transaction
from capcli.domain.money import percent_of, plain, short
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone, moment
from capcli.render.numbers import NOTHING, gain, money

_ACTIVITY = (
    Column("Time (UTC)"),
    Column("Market"),
    Column("Type"),
    Column("Status"),
    Column("Source"),
    Column("Deal", right=True),
    Column("Level", right=True),
    Column("Deal id"),
)
_BOOKINGS = (
    Column("Time (UTC)"),
    Column("Type"),
    Column("Market"),
    Column("Amount", right=True),
    Column("Note"),
    Column("Reference"),
    Column("Deal id"),
)
_BAD = frozenset({"REJECTED", "MODIFY_REJECT", "CANCEL_REJECT", "EXPIRED"})


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


def _between(start: datetime, end: datetime) -> Line:
    return Line(Cell(f"{start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z", Tone.DIM))


@view.register
def _(data: ActivityFound) -> list[Block]:
    title = _between(data.start, data.end)
    late = [Line(Cell("What happened in the last two minutes may still be missing.", Tone.DIM))]
    note: list[Block] = [*late] if data.may_grow else []
    if not data.activities:
        return [title, Line(Cell("Nothing happened.")), *note]
    return [title, Table(_ACTIVITY, tuple(map(_activity, data.activities)), ids_last=True), *note]


def _activity(row: Activity) -> tuple[Cell, ...]:
    deal = " ".join(word for word in (row.side and row.side.value, row.size and short(row.size)) if word)
    return (
        moment(row.at, mark=""),
        Cell(row.epic, Tone.STRONG),
        Cell(row.type),
        Cell(row.status, Tone.BAD if row.status in _BAD else Tone.PLAIN),
        Cell(row.source),
        Cell(deal) if deal else NOTHING,
        NOTHING if row.level is None else Cell(plain(row.level)),
        Cell(row.deal_id, deal=True),
    )


@view.register
def _(data: TransactionsFound) -> list[Block]:
    title = _between(data.start, data.end)
    if not data.transactions:
        return [title, Line(Cell("Nothing was booked."))]
    rows = tuple(map(_booking, data.transactions))
    total: list[Block] = []
    if data.total is not None:
        total = [Pairs((("Bookings", Cell(str(len(rows)))), ("Sum", gain(data.total, data.currency))))]
    return [title, Table(_BOOKINGS, rows, ids_last=True), *total]


def _booking(row: Transaction) -> tuple[Cell, ...]:
    return (
        moment(row.at, mark=""),
        Cell(row.type),
        Cell(row.epic, Tone.STRONG) if row.epic else NOTHING,
        gain(row.amount, row.currency),
        Cell(row.note),
        Cell(row.reference),
        Cell(row.deal_id, deal=True) if row.deal_id else NOTHING,
    )


@view.register
def _(data: Report) -> list[Block]:
    title = _between(data.start, data.end)
    balances = Pairs((*_opening(data), *_sums(data.total, data.currency), *_closing(data), *_closes(data)))
    if not data.lines:
        return [title, Line(Cell("Nothing was booked.")), balances]
    return [title, Table(_COLUMNS, tuple(map(_line, data.lines))), balances]


_COLUMNS = (
    Column(""),
    Column("Closes", right=True),
    Column("Realised", right=True),
    Column("Overnight", right=True),
    Column("Commission", right=True),
    Column("Guaranteed", right=True),
    Column("Other", right=True),
    Column("Net", right=True),
    Column("Deposits", right=True),
)


def _line(row: Booked) -> tuple[Cell, ...]:
    amounts = (
        row.realised_pl,
        row.overnight,
        row.commission,
        row.guaranteed_premium,
        row.other,
        row.net,
        row.deposits,
    )
    return (
        Cell(row.key or "(account)", Tone.STRONG if row.key else Tone.DIM),
        Cell(str(row.closes)) if row.closes else NOTHING,
        *(gain(amount) if amount else NOTHING for amount in amounts),
    )


def _opening(data: Report) -> list[tuple[str, Cell]]:
    return [("Opening balance", _balance(data.opening_balance, data.currency))]


def _closing(data: Report) -> list[tuple[str, Cell]]:
    return [("Closing balance", _balance(data.closing_balance, data.currency))]


def _balance(amount: Decimal | None, currency: str | None) -> Cell:
    if amount is None:
        return Cell("not known: the cash has moved since, or is in another currency", Tone.WARN)
    return Cell(money(amount, currency), Tone.STRONG)


def _sums(total: Totals, currency: str | None) -> list[tuple[str, Cell]]:
    sums = [
        ("Realised P&L", total.realised_pl),
        ("Overnight", total.overnight),
        ("Commission", total.commission),
        ("Guaranteed stops", total.guaranteed_premium),
        ("Other", total.other),
        ("Net result", total.net),
        ("Deposits", total.deposits),
    ]
    always = {"Realised P&L", "Net result"}
    return [(name, gain(amount, currency)) for name, amount in sums if amount or name in always]


def _closes(data: Report) -> list[tuple[str, Cell]]:
    total = data.total
    if not total.closes:
        return [("Closes", Cell("none"))]
    rate = percent_of(Decimal(total.wins), Decimal(total.closes))
    return [
        ("Closes", Cell(f"{total.closes}, {total.wins} with a profit ({short(rate)} %, before fees)")),
    ]

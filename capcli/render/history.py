"""The broker's history of an account: activity, bookings, and the report."""

from decimal import Decimal

from capcli.account.booking_totals import Booked
from capcli.account.history import ActivityFound, Report, TransactionsFound
from capcli.domain.account import Activity, Transaction
from capcli.domain.money import percent_of, plain, short
from capcli.render.blocks import (
    Cell,
    Column,
    Content,
    Tone,
    between,
    deal,
    line,
    moment,
    pairs,
    strong,
    table,
)
from capcli.render.numbers import gain, known, money
from capcli.render.views import View, view

_BAD = frozenset({"REJECTED", "MODIFY_REJECT", "CANCEL_REJECT", "EXPIRED"})


def _order(row: Activity) -> str | None:
    words = (row.side and row.side.value, row.size and short(row.size))
    return " ".join(word for word in words if word) or None


_ACTIVITY: tuple[Column[Activity], ...] = (
    Column("Time (UTC)", lambda row: moment(row.at, mark="")),
    Column("Market", lambda row: strong(row.epic)),
    Column("Type", lambda row: row.type),
    Column("Status", lambda row: Cell(row.status, Tone.BAD if row.status in _BAD else Tone.PLAIN)),
    Column("Source", lambda row: row.source),
    Column("Deal", _order, right=True),
    Column("Level", lambda row: known(row.level, plain), right=True),
    Column("Deal id", lambda row: deal(row.deal_id)),
)


@view.register
def _(data: ActivityFound) -> View:
    late = "What happened in the last two minutes may still be missing."
    rows = table(_ACTIVITY, data.activities, ids_last=True) if data.activities else line("Nothing happened.")
    return [between(data.start, data.end), rows, line(late, Tone.DIM) if data.may_grow else None]


_BOOKINGS: tuple[Column[Transaction], ...] = (
    Column("Time (UTC)", lambda row: moment(row.at, mark="")),
    Column("Type", lambda row: row.type),
    Column("Market", lambda row: strong(row.epic) if row.epic else None),
    Column("Amount", lambda row: gain(row.amount, row.currency), right=True),
    Column("Note", lambda row: row.note),
    Column("Reference", lambda row: row.reference),
    Column("Deal id", lambda row: deal(row.deal_id or None)),
)


@view.register
def _(data: TransactionsFound) -> View:
    title = between(data.start, data.end)
    if not data.transactions:
        return [title, line("Nothing was booked.")]
    sums = None
    if data.total is not None:
        sums = pairs(("Bookings", str(len(data.transactions))), ("Sum", gain(data.total, data.currency)))
    return [title, table(_BOOKINGS, data.transactions, ids_last=True), sums]


def _amount(number: Decimal) -> Cell | None:
    return gain(number) if number else None


_REPORT: tuple[Column[Booked], ...] = (
    Column("", lambda row: Cell(row.key or "(account)", Tone.STRONG if row.key else Tone.DIM)),
    Column("Closes", lambda row: str(row.closes) if row.closes else None, right=True),
    Column("Realised", lambda row: _amount(row.realised_pl), right=True),
    Column("Overnight", lambda row: _amount(row.overnight), right=True),
    Column("Commission", lambda row: _amount(row.commission), right=True),
    Column("Guaranteed", lambda row: _amount(row.guaranteed_premium), right=True),
    Column("Other", lambda row: _amount(row.other), right=True),
    Column("Net", lambda row: _amount(row.net), right=True),
    Column("Deposits", lambda row: _amount(row.deposits), right=True),
)


@view.register
def _(data: Report) -> View:
    total, currency = data.total, data.currency

    def booked(amount: Decimal) -> Content:
        return gain(amount, currency) if amount else None

    won = percent_of(Decimal(total.wins), Decimal(total.closes))
    closes = f"{total.closes}, {total.wins} with a profit ({short(won)} %, before fees)"
    sums = pairs(
        ("Opening balance", _balance(data.opening_balance, currency)),
        ("Realised P&L", gain(total.realised_pl, currency)),
        ("Overnight", booked(total.overnight)),
        ("Commission", booked(total.commission)),
        ("Guaranteed stops", booked(total.guaranteed_premium)),
        ("Other", booked(total.other)),
        ("Net result", gain(total.net, currency)),
        ("Deposits", booked(total.deposits)),
        ("Closing balance", _balance(data.closing_balance, currency)),
        ("Closes", closes if total.closes else "none"),
    )
    rows = table(_REPORT, data.lines) if data.lines else line("Nothing was booked.")
    return [between(data.start, data.end), rows, sums]


def _balance(amount: Decimal | None, currency: str | None) -> Cell:
    if amount is None:
        return Cell("not known: the cash has moved since, or is in another currency", Tone.WARN)
    return strong(money(amount, currency))

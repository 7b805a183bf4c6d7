"""Accounts, the broker session, and what login and logout did."""

from functools import singledispatch
from typing import Any

from capcli.account.accounts import AccountRow, AccountsFound, SessionShown
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone, moment
from capcli.render.numbers import gain, money
from capcli.render.results import LoginDone, LoginStatus, LogoutDone

_COLUMNS = (
    Column("Account"),
    Column("Name"),
    Column("Used"),
    Column("Currency"),
    Column("Equity", right=True),
    Column("Available", right=True),
    Column("Margin", right=True),
    Column("Open P&L", right=True),
    Column("Cash", right=True),
    Column("Status"),
)


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: AccountsFound) -> list[Block]:
    return [Table(_COLUMNS, tuple(_account(row) for row in data.accounts))]


def _account(row: AccountRow) -> tuple[Cell, ...]:
    return (
        Cell(row.account_id, Tone.STRONG if row.active else Tone.PLAIN),
        Cell(row.name),
        Cell("active", Tone.GOOD) if row.active else Cell(""),
        Cell(row.currency),
        Cell(money(row.equity)),
        Cell(money(row.available)),
        Cell(money(row.margin)),
        gain(row.open_pl),
        Cell(money(row.cash)),
        Cell(row.status.lower()),
    )


@view.register
def _(data: SessionShown) -> list[Block]:
    rows = [
        ("Account", Cell(data.account_id or "-", Tone.STRONG)),
        ("Currency", Cell(data.currency or "-")),
        ("Client", Cell(data.client_id or "-")),
        ("Host", Cell(data.host)),
    ]
    if data.broker_time:
        rows.append(("Broker time", moment(data.broker_time)))
    if data.approval == "human":
        rows.append(("Approval", Cell("a person approves every order, close and change")))
    if data.halt:
        rows.append(("Halt", Cell(f"{data.halt}. Resume with: capcli resume", Tone.BAD)))
    return [Pairs(tuple(rows))]


@view.register
def _(data: LoginDone) -> list[Block]:
    rows = [("Profile", Cell(data.profile))]
    if data.stored_in:
        rows.append(("Stored in", Cell(f"{data.backend}, item {data.stored_in}")))
    for number, row in enumerate(data.accounts):
        active = ", active" if row.active else ""
        text = f"{row.account_id} {row.name}, {money(row.equity)} {row.currency}{active}"
        rows.append(("" if number else "Accounts", Cell(text)))
    if data.next:
        rows.append(("Next", Cell(data.next)))
    return [Line(Cell(data.note, Tone.STRONG)), Pairs(tuple(rows))]


@view.register
def _(data: LoginStatus) -> list[Block]:
    rows = [("Profile", Cell(data.profile)), ("Credentials", Cell(data.source))]
    if data.backend:
        rows.append(("Keychain", Cell(data.backend)))
    if data.api_key:
        rows += [("API key", Cell(data.api_key)), ("Key age", Cell(_age(data)))]
    if data.identifier:
        rows.append(("User", Cell(data.identifier)))
    rows.append(("Session", Cell(data.session)))
    if data.logged_in is not None:
        said = Cell("works", Tone.GOOD) if data.logged_in else Cell("refused", Tone.BAD)
        rows.append(("Login now", said))
    return [Pairs(tuple(rows))]


def _age(data: LoginStatus) -> str:
    if data.key_stored_at is None:
        return "unknown"
    days = "1 day" if data.key_age_days == 1 else f"{data.key_age_days} days"
    return f"{days} (stored {data.key_stored_at:%Y-%m-%d}); a key lives for a year by default"


@view.register
def _(data: LogoutDone) -> list[Block]:
    return [Line(Cell(data.note))]

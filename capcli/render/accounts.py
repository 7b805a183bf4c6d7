"""Accounts and the session, the preferences of an account, and what a change of them came to."""

from capcli.account.accounts import AccountRow, AccountsFound, SessionShown
from capcli.account.preferences import LeverageRow, PreferencesSet, PreferencesShown, ToppedUp
from capcli.domain.money import short
from capcli.render.blocks import Cell, Column, Tone, line, moment, pairs, strong, table
from capcli.render.numbers import gain, money
from capcli.render.views import View, view

_ACCOUNTS: tuple[Column[AccountRow], ...] = (
    Column("Account", lambda row: Cell(row.account_id, Tone.STRONG if row.active else Tone.PLAIN)),
    Column("Name", lambda row: row.name),
    Column("Used", lambda row: Cell("active", Tone.GOOD) if row.active else ""),
    Column("Currency", lambda row: row.currency),
    Column("Equity", lambda row: money(row.equity), right=True),
    Column("Available", lambda row: money(row.available), right=True),
    Column("Margin", lambda row: money(row.margin), right=True),
    Column("Open P&L", lambda row: gain(row.open_pl), right=True),
    Column("Cash", lambda row: money(row.cash), right=True),
    Column("Status", lambda row: row.status.lower()),
)
_LEVERAGES: tuple[Column[LeverageRow], ...] = (
    Column("Class", lambda row: strong(row.market_class)),
    Column("Leverage", lambda row: short(row.current), right=True),
    Column("To choose from", lambda row: ", ".join(map(short, row.available)), prose=True),
)


@view.register
def _(data: AccountsFound) -> View:
    return [table(_ACCOUNTS, data.accounts)]


@view.register
def _(data: SessionShown) -> View:
    approval = "a person approves every order, close and change" if data.approval == "human" else None
    halt = Cell(f"{data.halt}. Resume with: capcli resume", Tone.BAD) if data.halt else None
    return [
        pairs(
            ("Account", strong(data.account_id or "-")),
            ("Currency", data.currency or "-"),
            ("Client", data.client_id or "-"),
            ("Host", data.host),
            ("Broker time", moment(data.broker_time) if data.broker_time else None),
            ("Approval", approval),
            ("Halt", halt),
        )
    ]


@view.register
def _(data: PreferencesShown | PreferencesSet) -> View:
    hedges = "on: opposite positions stay open side by side"
    mode = hedges if data.hedging_mode else "off: opposite orders reduce each other"
    changed = line(data.sentence, Tone.STRONG) if isinstance(data, PreferencesSet) else None
    return [changed, pairs(("Hedging", mode)), table(_LEVERAGES, data.leverages)]


@view.register
def _(data: ToppedUp) -> View:
    amounts = (("Cash before", data.cash_before), ("Cash", data.cash), ("Available", data.available))
    return [
        line(data.sentence, Tone.STRONG),
        pairs(*((name, money(amount, data.currency)) for name, amount in amounts)),
    ]

"""The account on one screen."""

from functools import singledispatch
from typing import Any

from capcli.account.status import LimitLeft, StatusFound, Unsettled
from capcli.domain.money import short
from capcli.render import mandates
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.numbers import NOTHING, gain, money, percent

_COUNTED = {"orders", "positions", "size"}
# From here on a limit is nearly used up.
_NEARLY = 5


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: StatusFound) -> list[Block]:
    blocks: list[Block] = [Pairs(_account(data)), Pairs(_waits(data))]
    if data.limits:
        columns = (Column("Limit"), *(Column(name, right=True) for name in ("At most", "Used", "Left")))
        blocks.append(Table(columns, tuple(map(_limit, data.limits))))
        if any(row.setting == "CAP_MAX_RISK_PCT" for row in data.limits):
            blocks.append(Line(Cell("CAP_MAX_RISK_PCT is per market and direction.", Tone.DIM)))
    if data.mandates:
        blocks.append(mandates.table(data.mandates))
    return [*blocks, *(Line(Cell(problem, Tone.WARN)) for problem in data.problems)]


def _account(data: StatusFound) -> tuple[tuple[str, Cell], ...]:
    currency = data.currency
    booked = NOTHING if data.realised_today is None else gain(data.realised_today, currency)
    return (
        ("Account", Cell(data.account_name, Tone.STRONG)),
        ("Equity", Cell(money(data.equity, currency), Tone.STRONG)),
        ("Open P&L", gain(data.open_pl, currency)),
        ("Booked today (UTC)", booked),
        ("Margin in use", Cell(f"{money(data.margin, currency)} ({percent(data.margin_pct)} of equity)")),
        ("Available", Cell(money(data.available, currency))),
        ("If every stop is hit", _at_stops(data)),
    )


def _at_stops(data: StatusFound) -> Cell:
    if data.loss_at_stops is not None and data.loss_pct is not None:
        lost = gain(-data.loss_at_stops, data.currency).text
        return Cell(f"{lost} ({percent(data.loss_pct)} of equity)")
    if missing := len(data.without_stop):
        return Cell(f"UNBOUNDED: {missing} of {data.open_positions} positions without a stop", Tone.WARN)
    return Cell("UNBOUNDED: a position cannot be read", Tone.WARN)


def _waits(data: StatusFound) -> tuple[tuple[str, Cell], ...]:
    unread = f" and {len(data.unreadable)} deals that cannot be read" if data.unreadable else ""
    trading = Cell("on") if data.trading_allowed else Cell("off (CAP_ALLOW_TRADING)", Tone.WARN)
    return (
        ("Positions", Cell(f"{data.open_positions} open{unread}")),
        ("Working orders", Cell(str(data.working_orders))),
        ("Trading", trading),
        ("Halt", Cell("none") if data.halt is None else Cell(data.halt, Tone.BAD)),
        ("Unresolved orders", _unresolved(data.unresolved)),
        ("Approvals", _approvals(data.approvals)),
        ("Mandates", Cell(f"{len(data.mandates)} in force" if data.mandates else "none in force")),
    )


def _unresolved(rows: tuple[Unsettled, ...]) -> Cell:
    if not rows:
        return Cell("none")
    named = ", ".join(f"{row.attempt_id} ({row.state.value})" for row in rows)
    return Cell(f"{named}; capcli reconcile checks them", Tone.BAD)


def _approvals(count: int) -> Cell:
    return Cell(f"{count} waiting; capcli approve --watch", Tone.WARN) if count else Cell("none waiting")


def _limit(row: LimitLeft) -> tuple[Cell, ...]:
    def amount(number: Any) -> str:
        return short(number) if row.unit in _COUNTED else money(number, row.unit)

    setting = Cell(f"{row.setting}: most in {row.where}" if row.where else row.setting)
    if row.used is None or row.left is None:
        bare = Cell("unlimited", Tone.WARN) if row.where else NOTHING
        return setting, Cell(amount(row.limit)), bare, NOTHING
    tone = Tone.BAD if not row.left else Tone.WARN if row.left * _NEARLY < row.limit else Tone.PLAIN
    return setting, Cell(amount(row.limit)), Cell(amount(row.used)), Cell(amount(row.left), tone)

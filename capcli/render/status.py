"""The account on one screen."""

from decimal import Decimal

from capcli.account.status import LimitLeft, StatusFound
from capcli.domain.money import short
from capcli.render import mandates
from capcli.render.blocks import NOTHING, Cell, Column, Content, Tone, line, pairs, strong, table
from capcli.render.numbers import gain, known, money, percent
from capcli.render.views import View, view

_COUNTED = {"orders", "positions", "size"}
# From this share on a limit is nearly used up.
_NEARLY = 5


def _amount(row: LimitLeft, number: Decimal) -> str:
    return short(number) if row.unit in _COUNTED else money(number, row.unit)


def _used(row: LimitLeft) -> Content:
    if row.used is None or row.left is None:
        return Cell("unlimited", Tone.WARN) if row.where else None
    return _amount(row, row.used)


def _left(row: LimitLeft) -> Content:
    if row.used is None or row.left is None:
        return None
    tone = Tone.BAD if not row.left else Tone.WARN if row.left * _NEARLY < row.limit else Tone.PLAIN
    return Cell(_amount(row, row.left), tone)


_LIMITS: tuple[Column[LimitLeft], ...] = (
    Column("Limit", lambda row: f"{row.setting}: most in {row.where}" if row.where else row.setting),
    Column("At most", lambda row: _amount(row, row.limit), right=True),
    Column("Used", _used, right=True),
    Column("Left", _left, right=True),
)


@view.register
def _(data: StatusFound) -> View:
    currency = data.currency
    unread = f" and {len(data.unreadable)} deals that cannot be read" if data.unreadable else ""
    unresolved = ", ".join(f"{row.attempt_id} ({row.state.value})" for row in data.unresolved)
    waiting = f"{data.approvals} waiting; capcli approve --watch"
    per_market = any(row.setting == "CAP_MAX_RISK_PCT" for row in data.limits)
    return [
        pairs(
            ("Account", strong(data.account_name)),
            ("Equity", strong(money(data.equity, currency))),
            ("Open P&L", gain(data.open_pl, currency)),
            ("Booked today (UTC)", known(data.realised_today, lambda sum_: gain(sum_, currency)) or NOTHING),
            ("Margin in use", f"{money(data.margin, currency)} ({percent(data.margin_pct)} of equity)"),
            ("Available", money(data.available, currency)),
            ("If every stop is hit", _at_stops(data)),
        ),
        pairs(
            ("Positions", f"{data.open_positions} open{unread}"),
            ("Working orders", str(data.working_orders)),
            ("Trading", "on" if data.trading_allowed else Cell("off (CAP_ALLOW_TRADING)", Tone.WARN)),
            ("Halt", "none" if data.halt is None else Cell(data.halt, Tone.BAD)),
            (
                "Unresolved orders",
                Cell(f"{unresolved}; capcli reconcile checks them", Tone.BAD) if unresolved else "none",
            ),
            ("Approvals", Cell(waiting, Tone.WARN) if data.approvals else "none waiting"),
            ("Mandates", f"{len(data.mandates)} in force" if data.mandates else "none in force"),
        ),
        table(_LIMITS, data.limits) if data.limits else None,
        line("CAP_MAX_RISK_PCT is per market and direction.", Tone.DIM) if per_market else None,
        table(mandates.COLUMNS, data.mandates) if data.mandates else None,
        *(line(problem, Tone.WARN) for problem in data.problems),
    ]


def _at_stops(data: StatusFound) -> Cell:
    if data.loss_at_stops is not None and data.loss_pct is not None:
        lost = gain(-data.loss_at_stops, data.currency).text
        return Cell(f"{lost} ({percent(data.loss_pct)} of equity)")
    if missing := len(data.without_stop):
        return Cell(f"UNBOUNDED: {missing} of {data.open_positions} positions without a stop", Tone.WARN)
    return Cell("UNBOUNDED: a position cannot be read", Tone.WARN)

"""Statistics of closed trades: figures, a line for each market or tag, and the curve of the booked sum."""

from decimal import Decimal

from capcli.account.statistics import StatsFound
from capcli.domain.money import short
from capcli.domain.numbers import counted
from capcli.domain.performance import Performance
from capcli.render.blocks import Cell, Column, Content, Curve, Pairs, Tone, between, line, pairs, table
from capcli.render.numbers import gain, known, money, percent
from capcli.render.views import View, explained, view

_UNKNOWN = {
    "market": "no market",
    "tag": "no tag",
    "side": "side not known",
    "hour": "hour not known",
    "client": "sent elsewhere",
}
UNNAMED = "names no deal"


def named(key: str | None, by: str) -> str:
    """Return a line's name: its key, or a word for its absence."""
    if key is None:
        return "no market" if by == "market" else UNNAMED
    return key or _UNKNOWN[by]


def _columns(by: str) -> tuple[Column[Performance], ...]:
    def some(number: Decimal) -> Content:
        return gain(number) if number else None

    def name(row: Performance) -> Cell:
        return Cell(named(row.key, by), Tone.STRONG if row.key else Tone.DIM)

    return (
        Column("", name),
        Column("Trades", lambda row: str(row.trades) if row.trades else None, right=True),
        Column("Won", lambda row: known(row.win_rate_pct, percent), right=True),
        Column("P&L", lambda row: gain(row.pl), right=True, spare=4),
        Column("Costs", lambda row: some(row.costs), right=True, spare=3),
        Column("Net", lambda row: gain(row.net), right=True),
        Column("Average win", lambda row: known(row.average_win, gain), right=True, spare=5),
        Column("Average loss", lambda row: known(row.average_loss, gain), right=True, spare=6),
        Column("Expectancy", lambda row: known(row.expectancy, gain), right=True),
        Column("Profit factor", lambda row: known(row.profit_factor, short), right=True, spare=7),
        Column("R", lambda row: known(row.average_r, gain), right=True),
        Column(
            "Losing run",
            lambda row: str(row.longest_losing_run) if row.longest_losing_run else None,
            right=True,
            spare=8,
        ),
        Column(
            "Drawdown",
            lambda row: money(-row.max_drawdown) if row.max_drawdown else None,
            right=True,
            spare=2,
        ),
    )


@view.register
def _(data: StatsFound) -> View:
    title = between(data.start, data.end)
    if not data.total.trades:
        costs = pairs(("Costs", gain(data.total.costs, data.currency))) if data.total.costs else None
        return [title, line("No trade was closed."), costs]
    return [title, table(_columns(data.by), data.lines), summary(data)]


@explained.register
def _(data: StatsFound) -> View:
    title, *rest = view(data)
    curve = Curve(data.curve, data.start, data.end) if data.total.trades else None
    return [title, curve, *rest]


def summary(data: StatsFound) -> Pairs:
    """Return the figures of all trades with their names."""
    total, currency = data.total, data.currency
    even = total.trades - total.wins - total.losses
    rate = "" if total.win_rate_pct is None else f" ({percent(total.win_rate_pct)})"
    drawn = f", {even} neither" if even else ""

    def amount(number: Decimal | None) -> Cell | None:
        return None if number is None else gain(number, currency)

    expected = amount(total.expectancy)
    return pairs(
        ("Trades", f"{total.trades}: {total.wins} won{rate}, {total.losses} lost{drawn}"),
        ("P&L", gain(total.pl, currency)),
        ("Costs", gain(total.costs, currency)),
        ("Net result", gain(total.net, currency)),
        ("Expectancy", expected and Cell(f"{expected.text} a trade, all costs included", expected.tone)),
        ("Average win", amount(total.average_win)),
        ("Average loss", amount(total.average_loss)),
        ("Profit factor", known(total.profit_factor, short) or "none: nothing was lost"),
        ("R", _r(total)),
        ("Longest losing run", counted(total.longest_losing_run, "trade")),
        ("Largest drawdown", drawdown_text(data)),
    )


def _r(total: Performance) -> Cell:
    unknown = total.trades - total.r_known
    why = f"the risk of {unknown} is not known: no stop, or not opened from here"
    if total.average_r is None:
        return Cell(why, Tone.DIM)
    over = f"on average, over {total.r_known} of {counted(total.trades, 'trade')}"
    average = gain(total.average_r)
    return Cell(f"{average.text} {over}{f'; {why}' if unknown else ''}", average.tone)


def drawdown_text(data: StatsFound) -> str:
    """Say how far the booked sum fell, and when."""
    fall = data.drawdown
    if fall is None:
        return "none: the sum never fell"
    share = "" if fall.pct is None else f" ({percent(fall.pct)} of the cash)"
    return (
        f"{money(-fall.amount, data.currency)}{share}, {fall.peak_at:%Y-%m-%d %H:%M}Z "
        f"to {fall.trough_at:%Y-%m-%d %H:%M}Z"
    )

"""Statistics of closed trades: figures, a line for each market or tag, and the curve of what was booked."""

from functools import singledispatch
from typing import Any

from capcli.account.statistics import StatsFound
from capcli.domain.money import short
from capcli.domain.numbers import counted
from capcli.domain.performance import Performance
from capcli.render.blocks import Block, Cell, Column, Curve, Line, Pairs, Table, Tone
from capcli.render.numbers import NOTHING, gain, money, percent

_COLUMNS = (
    Column(""),
    Column("Trades", right=True),
    Column("Won", right=True),
    Column("P&L", right=True, spare=4),
    Column("Costs", right=True, spare=3),
    Column("Net", right=True),
    Column("Average win", right=True, spare=5),
    Column("Average loss", right=True, spare=6),
    Column("Expectancy", right=True),
    Column("Profit factor", right=True, spare=7),
    Column("R", right=True),
    Column("Losing run", right=True, spare=8),
    Column("Drawdown", right=True, spare=2),
)
_UNKNOWN = {
    "market": "no market",
    "tag": "no tag",
    "side": "side not known",
    "hour": "hour not known",
    "client": "sent elsewhere",
}
# Each field's name, for people and for the page.
UNNAMED = "names no deal"


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: StatsFound) -> list[Block]:
    return _blocks(data, chart=False)


def explained(data: StatsFound) -> list[Block]:
    """Return the statistics with their curve."""
    return _blocks(data, chart=True)


def _blocks(data: StatsFound, *, chart: bool) -> list[Block]:
    title = Line(Cell(f"{data.start:%Y-%m-%d %H:%M}Z to {data.end:%Y-%m-%d %H:%M}Z", Tone.DIM))
    if not data.total.trades:
        costs = [Pairs((("Costs", gain(data.total.costs, data.currency)),))] if data.total.costs else []
        return [title, Line(Cell("No trade was closed.")), *costs]
    curve: list[Block] = [Curve(data.curve, data.start, data.end)] if chart else []
    table = Table(_COLUMNS, tuple(_line(row, data.by) for row in data.lines))
    return [title, *curve, table, Pairs(tuple((name, cell) for name, cell in summary(data)))]


def named(key: str | None, by: str) -> str:
    """Name a line: its key, or what it lacks."""
    if key is None:
        return "no market" if by == "market" else UNNAMED
    return key or _UNKNOWN[by]


def _line(row: Performance, by: str) -> tuple[Cell, ...]:
    def amount(number: Any) -> Cell:
        return NOTHING if number is None else gain(number)

    return (
        Cell(named(row.key, by), Tone.STRONG if row.key else Tone.DIM),
        Cell(str(row.trades)) if row.trades else NOTHING,
        NOTHING if row.win_rate_pct is None else Cell(percent(row.win_rate_pct)),
        gain(row.pl),
        gain(row.costs) if row.costs else NOTHING,
        gain(row.net),
        amount(row.average_win),
        amount(row.average_loss),
        amount(row.expectancy),
        NOTHING if row.profit_factor is None else Cell(short(row.profit_factor)),
        NOTHING if row.average_r is None else gain(row.average_r),
        Cell(str(row.longest_losing_run)) if row.longest_losing_run else NOTHING,
        Cell(money(-row.max_drawdown)) if row.max_drawdown else NOTHING,
    )


def summary(data: StatsFound) -> list[tuple[str, Cell]]:
    """Return the figures of all trades with their names."""
    total, currency = data.total, data.currency
    even = total.trades - total.wins - total.losses
    rate = "" if total.win_rate_pct is None else f" ({percent(total.win_rate_pct)})"
    drawn = f", {even} neither" if even else ""
    rows = [
        ("Trades", Cell(f"{total.trades}: {total.wins} won{rate}, {total.losses} lost{drawn}")),
        ("P&L", gain(total.pl, currency)),
        ("Costs", gain(total.costs, currency)),
        ("Net result", gain(total.net, currency)),
    ]
    if total.expectancy is not None:
        expected = gain(total.expectancy, currency)
        rows.append(("Expectancy", Cell(f"{expected.text} a trade, all costs included", expected.tone)))
    for name, amount in (("Average win", total.average_win), ("Average loss", total.average_loss)):
        if amount is not None:
            rows.append((name, gain(amount, currency)))
    factor = "none: nothing was lost" if total.profit_factor is None else short(total.profit_factor)
    rows += [
        ("Profit factor", Cell(factor)),
        ("R", _r(total)),
        ("Longest losing run", Cell(counted(total.longest_losing_run, "trade"))),
        ("Largest drawdown", Cell(drawdown_text(data))),
    ]
    return rows


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

"""Statistics as one HTML page: SVG charts, figures and tables. No script, no external resources."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from importlib.resources import files

from capcli.account.statistics import StatsDay, StatsFound
from capcli.domain.money import short
from capcli.domain.numbers import money, percent, result
from capcli.domain.performance import Performance, Trade
from capcli.render.blocks import Column, Table, table
from capcli.render.numbers import known
from capcli.render.statistics import named, summary

_WIDE, _HIGH = 1000, 240
_TICKS = 5
_MOST_TRADES = 500
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NOTE = (
    "Booked money: an open position counts once it is closed. Overnight fees name no deal: they are in the "
    "costs, not in a single trade. R is a trade's result over the loss at its first stop."
)
_PICTURE = f'<svg viewBox="0 0 {_WIDE} {{high}}" preserveAspectRatio="none" role="img" aria-label="{{name}}">'


def page(data: StatsFound, env: str, account_id: str | None) -> str:
    """Return the page, readable from 400 pixels, in light and dark mode, and in print."""
    currency = data.currency or ""
    style = files("capcli.render").joinpath("page.css").read_text(encoding="utf-8")
    title = f"Trades from {data.start:%Y-%m-%d} to {data.end:%Y-%m-%d}"
    where = _text(f"{env.upper()}{f', account {account_id}' if account_id else ''}")
    span = f"{data.start:%Y-%m-%d %H:%M}Z to {data.end:%Y-%m-%d %H:%M}Z"
    if env == "paper":
        where += " (simulated money)"
    figures = (
        f"<div><dt>{name}</dt><dd{f' class={cell.tone.value}' if cell.tone.value in {'good', 'bad'} else ''}>"
        f"{_text(cell.text)}</dd></div>"
        for name, cell in summary(data).rows
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        # Nothing may be loaded or run, whatever a note or a market's name contains.
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{style}</style></head><body><main>",
        f"<h1>{title}</h1><p class=dim>{where} · {span} · {_text(currency)}</p>",
        f"<dl>{''.join(figures)}</dl>",
        *_pictures(data),
        f"<h2>By {data.by}</h2>{_lines_table(data)}",
        *_trades(data.trades),
        f"<p class=dim>{_NOTE}</p>",
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _text(words: object) -> str:
    """Escape data as text."""
    line = "".join(letter if letter.isprintable() else "?" for letter in str(words))
    return escape(line, quote=True)


def _tone(amount: Decimal | None) -> str:
    return "" if not amount else " class=good" if amount > 0 else " class=bad"


def _pictures(data: StatsFound) -> Iterator[str]:
    if not data.curve:
        yield "<p>Nothing was booked.</p>"
        return
    sums = [(point.at, point.sum) for point in data.curve]
    yield "<h2>Equity: what was booked since the start</h2>"
    yield _stepped("Equity curve", sums, data.start, data.end, "sum")
    yield "<h2>Drawdown: how far below its highest</h2>"
    yield _stepped(
        "Drawdown", [(point.at, -point.drawdown) for point in data.curve], data.start, data.end, "fall"
    )
    yield "<h2>Net by day (UTC)</h2>"
    yield _day_bars(data.days)
    yield f"<h2>Net by {data.by}</h2>"
    yield _line_bars(data.lines, data.by)


def _stepped(
    name: str, points: Sequence[tuple[datetime, Decimal]], start: datetime, end: datetime, kind: str
) -> str:
    """Draw amounts over time; each holds until the next one."""
    low = min(Decimal(0), *(amount for _, amount in points))
    high = max(Decimal(0), *(amount for _, amount in points))
    y, ticks = _scale(low, high)
    seconds = (end - start).total_seconds() or 1
    path = [f"M0 {y(Decimal(0)):.1f}"]
    for at, amount in points:
        path.append(f"H{min(max((at - start).total_seconds() / seconds, 0), 1) * _WIDE:.1f}V{y(amount):.1f}")
    line = f"{''.join(path)}H{_WIDE}"
    area = (
        f'<path class="area {kind}" d="{line}V{y(Decimal(0)):.1f}H0Z"/><path class="line {kind}" d="{line}"/>'
    )
    svg = f"{_PICTURE.format(high=_HIGH, name=name)}{_grid(ticks, y)}{area}</svg>"
    return _plot(svg, ticks, y, [f"{at:%Y-%m-%d}" for at in (start, start + (end - start) / 2, end)])


def _day_bars(days: Sequence[StatsDay]) -> str:
    low = min(Decimal(0), *(day.net for day in days))
    high = max(Decimal(0), *(day.net for day in days))
    y, ticks = _scale(low, high)
    slot = _WIDE / len(days)
    wide = min(slot * 0.8, 60)
    bars = "".join(
        f'<rect{_tone(day.net)} x="{place * slot + (slot - wide) / 2:.1f}" width="{wide:.1f}" '
        f'y="{min(y(day.net), y(Decimal(0))):.1f}" height="{max(abs(y(day.net) - y(Decimal(0))), 1):.1f}">'
        f"<title>{day.day}: {result(day.net)}</title></rect>"
        for place, day in enumerate(days)
    )
    svg = f"{_PICTURE.format(high=_HIGH, name='Net by day')}{_grid(ticks, y)}{bars}</svg>"
    ends = [days[0].day, days[-1].day] if len(days) > 1 else [days[0].day]
    return _plot(svg, ticks, y, ends)


def _line_bars(lines: Sequence[Performance], by: str) -> str:
    """Draw one bar a line from the middle, to the left where it lost."""
    most = max(abs(line.net) for line in lines) or Decimal(1)
    rows = []
    for line in sorted(lines, key=lambda one: -one.net):
        wide = float(abs(line.net) / most) * _WIDE / 2
        x = _WIDE / 2 if line.net >= 0 else _WIDE / 2 - wide
        name = _text(named(line.key, by))
        svg = (
            f"{_PICTURE.format(high=20, name=f'Net of {name}')}"
            f'<path class=grid d="M{_WIDE / 2:.0f} 0V20"/>'
            f'<rect{_tone(line.net)} x="{x:.1f}" y="3" width="{max(wide, 1):.1f}" height="14"/></svg>'
        )
        rows.append(
            f"<tr><th>{name}</th><td class=bar>{svg}</td><td{_tone(line.net)}>{result(line.net)}</td></tr>"
        )
    return f"<table class=bars>{''.join(rows)}</table>"


def _scale(low: Decimal, high: Decimal) -> tuple[Callable[[Decimal], float], list[Decimal]]:
    """Return the scale of amounts, and round values for the axis."""
    least = (high - low or Decimal(1)) / _TICKS
    power = Decimal(10) ** least.adjusted()
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    bottom, top = (low // step - (low % step != 0)) * step, (high // step + (high % step != 0)) * step
    if bottom == top:
        top = bottom + step
    count = int((top - bottom) / step)
    ticks = [bottom + step * place for place in range(count + 1)]
    span = top - bottom
    return lambda amount: float((top - amount) / span) * _HIGH, ticks


def _grid(ticks: Iterable[Decimal], y: Callable[[Decimal], float]) -> str:
    return "".join(
        f'<path class="{"zero" if not tick else "grid"}" d="M0 {y(tick):.1f}H{_WIDE}"/>' for tick in ticks
    )


def _plot(svg: str, ticks: Iterable[Decimal], y: Callable[[Decimal], float], below: Iterable[str]) -> str:
    """Put the labels around a chart: they keep their size at any width."""
    labels = "".join(
        f'<span style="top:{y(tick) / _HIGH * 100:.1f}%">{tick.normalize():,f}</span>' for tick in ticks
    )
    dates = "".join(f"<span>{day}</span>" for day in below)
    return f"<div class=plot><div class=axis>{labels}</div>{svg}<div class=dates>{dates}</div></div>"


def _lines_table(data: StatsFound) -> str:
    columns: tuple[Column[Performance], ...] = (
        Column("", lambda line: "total" if line is data.total else named(line.key, data.by)),
        Column("Trades", lambda line: str(line.trades)),
        Column("Won", lambda line: known(line.win_rate_pct, percent) or ""),
        Column("P&L", lambda line: result(line.pl)),
        Column("Costs", lambda line: result(line.costs)),
        Column("Net", lambda line: result(line.net)),
        Column("Expectancy", lambda line: known(line.expectancy, result) or ""),
        Column("Profit factor", lambda line: known(line.profit_factor, short) or ""),
        Column("R", lambda line: known(line.average_r, result) or ""),
        Column("Drawdown", lambda line: money(-line.max_drawdown)),
    )
    return _table(table(columns, (*data.lines, data.total)), "lines")


_TRADES: tuple[Column[Trade], ...] = (
    Column("Closed", lambda trade: f"{trade.closed_at:%Y-%m-%d %H:%M}Z"),
    Column("Market", lambda trade: trade.epic or ""),
    Column("Side", lambda trade: trade.side.value if trade.side else ""),
    Column("Net", lambda trade: result(trade.net)),
    Column("R", lambda trade: known(trade.r, result) or ""),
    Column("Tag", lambda trade: trade.tag or ""),
    Column("Note", lambda trade: trade.note or ""),
)


def _trades(trades: Sequence[Trade]) -> Iterator[str]:
    if trades:
        latest = trades[-_MOST_TRADES:][::-1]
        more = f", the latest {len(latest)} of {len(trades)}" if len(latest) < len(trades) else ""
        yield f"<h2>Trades{more}</h2>"
        yield _table(table(_TRADES, latest), "trades")


def _table(data: Table, kind: str) -> str:
    head = "".join(f"<th>{_text(column.title)}</th>" for column in data.columns)
    rows = "".join(
        f"<tr><th>{_text(name.text)}</th>{''.join(f'<td>{_text(cell.text)}</td>' for cell in cells)}</tr>"
        for name, *cells in data.rows
    )
    return f"<div class=wide><table class={kind}><thead><tr>{head}</tr></thead>{rows}</table></div>"

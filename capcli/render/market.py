"""Markets, their rules and hours, quotes and candles."""

from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from capcli.domain.market import (
    DayHours,
    Distance,
    MarketDetails,
    MarketRow,
    MarketSnapshot,
    MarketStatus,
    Quote,
    RuleUnit,
)
from capcli.domain.money import plain, short
from capcli.domain.numbers import counted
from capcli.marketdata.downloads import Download
from capcli.marketdata.markets import CandlesFound, MarketsFound, MarketShown, QuoteRow, QuotesFound
from capcli.render.blocks import Block, Cell, Chart, Column, Line, Pairs, Table, Tone, moment
from capcli.render.chart import Mark, beyond
from capcli.render.numbers import change, percent, places, price, price_cell

SEARCH_COLUMNS = (
    Column("Epic"),
    Column("Name"),
    Column("Type"),
    Column("Bid", right=True),
    Column("Offer", right=True),
    Column("Change", right=True),
    Column("Status"),
)
_QUOTE_COLUMNS = (
    Column("Epic"),
    Column("Bid", right=True),
    Column("Offer", right=True),
    Column("Spread", right=True),
    Column("High", right=True),
    Column("Low", right=True),
    Column("Change", right=True),
    Column("Currency"),
    Column("Status"),
    Column("At"),
)
_CANDLE_COLUMNS = (
    Column("Time (UTC)"),
    Column("Open", right=True),
    Column("High", right=True),
    Column("Low", right=True),
    Column("Close", right=True),
    Column("Ask close", right=True),
    Column("Volume", right=True),
)


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: MarketsFound) -> list[Block]:
    if not data.markets:
        return [Line(Cell("No market matches."))]
    more = data.total - len(data.markets)
    note = [Line(Cell(f"{more} more; --limit {data.total} shows them.", Tone.DIM))] if more > 0 else []
    return [found_table(data.markets), *note]


def found_table(rows: tuple[MarketRow, ...]) -> Table:
    """Return markets as a table with their prices."""
    return Table(SEARCH_COLUMNS, tuple(_found(row) for row in rows))


def _found(row: MarketRow) -> tuple[Cell, ...]:
    digits = places(row.bid, row.offer)
    return (
        Cell(row.epic, Tone.STRONG),
        Cell(row.name),
        Cell(row.type.lower()),
        price_cell(row.bid, digits),
        price_cell(row.offer, digits),
        change(row.change_pct),
        status_cell(row.status),
    )


def status_cell(status: MarketStatus) -> Cell:
    """Say whether a market can be dealt in."""
    open_now = status is MarketStatus.TRADEABLE
    return Cell("open" if open_now else status.value, Tone.GOOD if open_now else Tone.WARN)


@view.register
def _(data: QuotesFound) -> list[Block]:
    return [Table(_QUOTE_COLUMNS, tuple(_quote(row) for row in data.quotes))]


def _quote(row: QuoteRow) -> tuple[Cell, ...]:
    digits = places(row.bid, row.offer)
    return (
        Cell(row.epic, Tone.STRONG),
        Cell(price(row.bid, digits)),
        Cell(price(row.offer, digits)),
        Cell(price(row.spread, digits)),
        price_cell(row.high, digits),
        price_cell(row.low, digits),
        change(row.change_pct),
        Cell(row.currency),
        status_cell(row.market_status),
        moment(row.at),
    )


@view.register
def _(data: CandlesFound) -> list[Block]:
    title = Line(Cell(f"{data.epic} {data.resolution.value}, bid prices", Tone.STRONG))
    if not data.candles:
        return [title, Line(Cell("No candles: the market was closed."))]
    digits = places(*(candle.bid_close for candle in data.candles))
    rows = tuple(
        (
            moment(candle.time, "%Y-%m-%d %H:%M", ""),
            Cell(price(candle.bid_open, digits)),
            Cell(price(candle.bid_high, digits)),
            Cell(price(candle.bid_low, digits)),
            Cell(
                price(candle.bid_close, digits),
                Tone.GOOD if candle.bid_close >= candle.bid_open else Tone.BAD,
            ),
            Cell(price(candle.ask_close, digits)),
            price_cell(candle.volume, 0),
        )
        for candle in data.candles
    )
    forming = [Line(Cell("The last candle is still forming.", Tone.DIM))] if data.forming else []
    return [title, Table(_CANDLE_COLUMNS, rows), *forming]


def explained(data: CandlesFound) -> list[Block]:
    """Return candles as a chart."""
    if not data.candles:
        return view(data)
    title, first, last = f"{data.epic} {data.resolution.value}, bid", data.candles[0], data.candles[-1]
    digits = places(*(candle.bid_close for candle in data.candles))
    moved = (last.bid_close / first.bid_open - 1) * 100
    span = f"{_opening(first.time)} to {_opening(last.time)}"
    words = f"{title} {price(last.bid_close, digits)} ({moved:+.2f} %), {span}"
    forming = [Line(Cell("The last candle is still forming.", Tone.DIM))] if data.forming else []
    marks = tuple(Mark(own.name, own.level) for own in data.levels)
    return [Line(Cell(words, Tone.STRONG)), Chart(data.candles, marks), *_own(data, marks), *forming]


def _own(data: CandlesFound, marks: tuple[Mark, ...]) -> list[Block]:
    """Name one's own levels, and those that are too far away to be drawn."""
    digits = places(*(candle.bid_close for candle in data.candles))
    named = ", ".join(f"{own.name} {price(own.level, digits)}" for own in data.levels)
    far = ",".join(cell.text.replace("  ", " ") for cell in beyond(data.candles, marks))
    texts = ((f"Yours: {named}.", Tone.PLAIN), (f"Too far away to be drawn:{far}.", Tone.WARN))
    return [Line(Cell(text, tone)) for text, tone in texts[: bool(named) + bool(far)]]


@view.register
def _(data: Download) -> list[Block]:
    forming = "; the one still forming was left out" if data.forming_left_out else ""
    count = f"{data.rows:,} {'candle' if data.rows == 1 else 'candles'}"
    found = f"{count} of {data.epic} {data.resolution.value} in {data.file}{forming}."
    rows = [
        ("From", Cell(_from(data))),
        ("To", Cell(_opening(data.last))),
        ("Requests", Cell(f"{data.requests:,}")),
        ("Gaps", Cell(gaps_text(data), Tone.WARN if data.gaps else Tone.PLAIN)),
    ]
    return [Line(Cell(found, Tone.STRONG)), Pairs(tuple(rows))]


def _from(data: Download) -> str:
    """Say where the candles begin, and where that is more than a week late: less may be a closed market."""
    first, asked = data.first, _opening(data.asked_from)
    if first is None:
        return f"the broker sent no candle, asked from {asked} on"
    older = first - data.asked_from >= timedelta(weeks=1)
    return _opening(first) + (f"; the broker sent nothing older, asked from {asked} on" if older else "")


def _opening(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}Z"


def gaps_text(data: Download) -> str:
    """Say how many candles are missing inside the market's sessions, where most, and what nobody can tell."""
    unknown = data.days_unjudged
    days = (
        f"; {counted(unknown, 'day')} not judged: a holiday, beside one, or nothing to compare with"
        if unknown
        else ""
    )
    longest = data.longest_gap
    if longest is None:
        return f"none inside the market's sessions{days}"
    span = f"{_opening(longest.after)} and {_opening(longest.before)}"
    count = f"{data.gaps} inside the market's sessions, {data.missing:,} candles missing"
    return f"{count}; the longest: {longest.candles:,} between {span}{days}"


@view.register
def _(data: MarketShown) -> list[Block]:
    market = data.market
    title = f"{market.epic} · {market.name}"
    blocks: list[Block] = [
        Pairs((*_prices(market), *_rules(market), *_fees(market)), title=title, framed=True)
    ]
    return [*blocks, *_hours(market)]


def _prices(market: MarketDetails) -> list[tuple[str, Cell]]:
    quote, digits = market.quote, market.decimals
    return [
        ("Type", Cell(market.type.lower())),
        ("Status", status_cell(quote.status)),
        *_quoted(quote, market.currency, digits),
        ("Change today", change(market.change_pct)),
        ("High / low", Cell(f"{_or_dash(market.high, digits)} / {_or_dash(market.low, digits)}")),
    ]


def _quoted(quote: MarketSnapshot, currency: str, digits: int) -> list[tuple[str, Cell]]:
    at = f"at {quote.at:%H:%M:%S}Z"
    if not isinstance(quote, Quote):
        sent = ((word, level) for word, level in (("bid", quote.bid), ("offer", quote.offer)) if level)
        only = "".join(f"; only {word} {price(level, digits)} {currency}" for word, level in sent)
        return [("Bid / offer", Cell(f"no price {at}{only}", Tone.WARN))]
    both = f"{price(quote.bid, digits)} / {price(quote.offer, digits)} {currency}"
    return [("Bid / offer", Cell(f"{both}, {at}")), ("Spread", Cell(price(quote.spread, digits)))]


def _or_dash(number: Any, digits: int) -> str:
    return "-" if number is None else price(number, digits)


def _rules(market: MarketDetails) -> list[tuple[str, Cell]]:
    rules = market.rules
    sizes = f"{_number(rules.min_size)} to {_number(rules.max_size)}, in steps of {_number(rules.size_step)}"
    factor = "not sent" if market.margin_factor is None else percent(market.margin_factor)
    guaranteed = f"from {_distance(rules.min_guaranteed_stop_distance)}" if market.guaranteed_stops else "no"
    far = f"{_distance(rules.min_stop_distance)} to {_distance(rules.max_stop_distance)} of the price"
    return [
        ("Size", Cell(sizes)),
        ("Price step", Cell(_number(rules.price_step))),
        ("Margin", Cell(factor)),
        ("Stop distance", Cell(far)),
        ("Guaranteed stops", Cell(guaranteed)),
        ("Trailing stops", Cell({True: "yes", False: "no", None: "not sent"}[rules.trailing_stops])),
    ]


def _number(number: Any) -> str:
    return "not sent" if number is None else short(number)


def _distance(distance: Distance | None) -> str:
    if distance is None:
        return "not sent"
    return percent(distance.value) if distance.unit is RuleUnit.PERCENTAGE else plain(distance.value)


def _fees(market: MarketDetails) -> list[tuple[str, Cell]]:
    fee = market.overnight
    if fee is None:
        return [("Overnight", Cell("not sent"))]
    due = f", next at {fee.next_charge:%Y-%m-%d %H:%M}Z" if fee.next_charge else ""
    return [("Overnight", Cell(f"BUY {percent(fee.long_rate)}, SELL {percent(fee.short_rate)} a night{due}"))]


def _sessions(day: DayHours) -> str:
    if day.sessions == ("00:00-00:00",):
        return "all day"
    return ", ".join(day.sessions) or "closed"


def _hours(market: MarketDetails) -> list[Block]:
    if market.hours is None:
        return []
    rows = tuple((day.day, Cell(_sessions(day))) for day in market.hours.days)
    return [Pairs(rows, title=f"Opening hours ({market.hours.zone})")]

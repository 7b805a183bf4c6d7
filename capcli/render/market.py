"""Markets, their rules and hours, quotes and candles."""

from datetime import datetime, timedelta
from decimal import Decimal

from capcli.domain.market import (
    Candle,
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
from capcli.marketdata.browse import BrowseRow
from capcli.marketdata.downloads import Download
from capcli.marketdata.markets import CandlesFound, MarketsFound, MarketShown, QuoteRow, QuotesFound
from capcli.render.blocks import (
    Cell,
    Chart,
    Column,
    Content,
    Line,
    Pairs,
    Tone,
    line,
    moment,
    pairs,
    strong,
    table,
)
from capcli.render.chart import Mark, beyond
from capcli.render.numbers import change, known, percent, places, price, price_cell
from capcli.render.views import View, explained, view


def status_cell(status: MarketStatus) -> Cell:
    """Show whether a market is tradeable."""
    open_now = status is MarketStatus.TRADEABLE
    return Cell("open" if open_now else status.value, Tone.GOOD if open_now else Tone.WARN)


def _digits(row: MarketRow | BrowseRow | QuoteRow) -> int:
    return places(row.bid, row.offer)


MARKETS: tuple[Column[MarketRow | BrowseRow], ...] = (
    Column("Epic", lambda row: strong(row.epic or "")),
    Column("Name", lambda row: row.name),
    Column("Type", lambda row: (row.type or "").lower()),
    Column("Bid", lambda row: price_cell(row.bid, _digits(row)), right=True),
    Column("Offer", lambda row: price_cell(row.offer, _digits(row)), right=True),
    Column("Change", lambda row: change(row.change_pct), right=True),
    Column("Status", lambda row: known(row.status, status_cell)),
)


@view.register
def _(data: MarketsFound) -> View:
    if not data.markets:
        return [line("No market matches.")]
    more = data.total - len(data.markets)
    note = line(f"{more} more; --limit {data.total} shows them.", Tone.DIM) if more > 0 else None
    return [table(MARKETS, data.markets), note]


_QUOTES: tuple[Column[QuoteRow], ...] = (
    Column("Epic", lambda row: strong(row.epic)),
    Column("Bid", lambda row: price(row.bid, _digits(row)), right=True),
    Column("Offer", lambda row: price(row.offer, _digits(row)), right=True),
    Column("Spread", lambda row: price(row.spread, _digits(row)), right=True),
    Column("High", lambda row: price_cell(row.high, _digits(row)), right=True),
    Column("Low", lambda row: price_cell(row.low, _digits(row)), right=True),
    Column("Change", lambda row: change(row.change_pct), right=True),
    Column("Currency", lambda row: row.currency),
    Column("Status", lambda row: status_cell(row.market_status)),
    Column("At", lambda row: moment(row.at)),
)


@view.register
def _(data: QuotesFound) -> View:
    return [table(_QUOTES, data.quotes)]


def _candle_columns(digits: int) -> tuple[Column[Candle], ...]:
    def close(row: Candle) -> Cell:
        rises = row.bid_close >= row.bid_open
        return Cell(price(row.bid_close, digits), Tone.GOOD if rises else Tone.BAD)

    return (
        Column("Time (UTC)", lambda row: moment(row.time, "%Y-%m-%d %H:%M", "")),
        Column("Open", lambda row: price(row.bid_open, digits), right=True),
        Column("High", lambda row: price(row.bid_high, digits), right=True),
        Column("Low", lambda row: price(row.bid_low, digits), right=True),
        Column("Close", close, right=True),
        Column("Ask close", lambda row: price(row.ask_close, digits), right=True),
        Column("Volume", lambda row: price_cell(row.volume, 0), right=True),
    )


def _forming(data: CandlesFound) -> Line | None:
    return line("The last candle is still forming.", Tone.DIM) if data.forming else None


@view.register
def _(data: CandlesFound) -> View:
    title = line(f"{data.epic} {data.resolution.value}, bid prices", Tone.STRONG)
    if not data.candles:
        return [title, line("No candles: the market was closed.")]
    digits = places(*(candle.bid_close for candle in data.candles))
    return [title, table(_candle_columns(digits), data.candles), _forming(data)]


@explained.register
def _(data: CandlesFound) -> View:
    if not data.candles:
        return view(data)
    title, first, last = f"{data.epic} {data.resolution.value}, bid", data.candles[0], data.candles[-1]
    digits = places(*(candle.bid_close for candle in data.candles))
    moved = (last.bid_close / first.bid_open - 1) * 100
    span = f"{_opening(first.time)} to {_opening(last.time)}"
    words = f"{title} {price(last.bid_close, digits)} ({moved:+.2f} %), {span}"
    marks = tuple(Mark(own.name, own.level) for own in data.levels)
    named = ", ".join(f"{own.name} {price(own.level, digits)}" for own in data.levels)
    far = ",".join(cell.text.replace("  ", " ") for cell in beyond(data.candles, marks))
    return [
        line(words, Tone.STRONG),
        Chart(data.candles, marks),
        line(f"Yours: {named}.") if named else None,
        line(f"Too far away to be drawn:{far}.", Tone.WARN) if far else None,
        _forming(data),
    ]


@view.register
def _(data: Download) -> View:
    forming = "; the one still forming was left out" if data.forming_left_out else ""
    count = f"{data.rows:,} {'candle' if data.rows == 1 else 'candles'}"
    found = f"{count} of {data.epic} {data.resolution.value} in {data.file}{forming}."
    facts = pairs(
        ("From", _from(data)),
        ("To", _opening(data.last)),
        ("Requests", f"{data.requests:,}"),
        ("Gaps", Cell(gaps_text(data), Tone.WARN if data.gaps else Tone.PLAIN)),
    )
    return [line(found, Tone.STRONG), facts]


def _from(data: Download) -> str:
    """Say where the candles begin, with a note if over a week late: less may be a closed market."""
    first, since = data.first, _opening(data.asked_from)
    if first is None:
        return f"the broker sent no candle, asked from {since} on"
    older = first - data.asked_from >= timedelta(weeks=1)
    return _opening(first) + (f"; the broker sent nothing older, asked from {since} on" if older else "")


def _opening(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}Z"


def gaps_text(data: Download) -> str:
    """Describe candles missing inside the market's sessions: how many, the longest gap, and unjudged days."""
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
def _(data: MarketShown) -> View:
    market = data.market
    title = f"{market.epic} · {market.name}"
    facts = pairs(*_prices(market), *_rules(market), _overnight(market), title=title, framed=True)
    return [facts, _hours(market)]


def _prices(market: MarketDetails) -> list[tuple[str, Content]]:
    digits = market.decimals
    high, low = (known(one, lambda level: price(level, digits)) or "-" for one in (market.high, market.low))
    return [
        ("Type", market.type.lower()),
        ("Status", status_cell(market.quote.status)),
        *_quoted(market.quote, market.currency, digits),
        ("Change today", change(market.change_pct)),
        ("High / low", f"{high} / {low}"),
    ]


def _quoted(quote: MarketSnapshot, currency: str, digits: int) -> list[tuple[str, Content]]:
    at = f"at {quote.at:%H:%M:%S}Z"
    if not isinstance(quote, Quote):
        sent = ((word, level) for word, level in (("bid", quote.bid), ("offer", quote.offer)) if level)
        only = "".join(f"; only {word} {price(level, digits)} {currency}" for word, level in sent)
        return [("Bid / offer", Cell(f"no price {at}{only}", Tone.WARN))]
    both = f"{price(quote.bid, digits)} / {price(quote.offer, digits)} {currency}"
    return [("Bid / offer", f"{both}, {at}"), ("Spread", price(quote.spread, digits))]


def _rules(market: MarketDetails) -> list[tuple[str, Content]]:
    rules = market.rules
    sizes = f"{_number(rules.min_size)} to {_number(rules.max_size)}, in steps of {_number(rules.size_step)}"
    guaranteed = f"from {_distance(rules.min_guaranteed_stop_distance)}" if market.guaranteed_stops else "no"
    far = f"{_distance(rules.min_stop_distance)} to {_distance(rules.max_stop_distance)} of the price"
    return [
        ("Size", sizes),
        ("Price step", _number(rules.price_step)),
        ("Margin", "not sent" if market.margin_factor is None else percent(market.margin_factor)),
        ("Stop distance", far),
        ("Guaranteed stops", guaranteed),
        ("Trailing stops", {True: "yes", False: "no", None: "not sent"}[rules.trailing_stops]),
    ]


def _number(number: Decimal | None) -> str:
    return "not sent" if number is None else short(number)


def _distance(distance: Distance | None) -> str:
    if distance is None:
        return "not sent"
    return percent(distance.value) if distance.unit is RuleUnit.PERCENTAGE else plain(distance.value)


def _overnight(market: MarketDetails) -> tuple[str, Content]:
    fee = market.overnight
    if fee is None:
        return "Overnight", "not sent"
    due = f", next at {fee.next_charge:%Y-%m-%d %H:%M}Z" if fee.next_charge else ""
    return "Overnight", f"BUY {percent(fee.long_rate)}, SELL {percent(fee.short_rate)} a night{due}"


def _hours(market: MarketDetails) -> Pairs | None:
    if market.hours is None:
        return None
    days = ((day.day, _sessions(day)) for day in market.hours.days)
    return pairs(*days, title=f"Opening hours ({market.hours.zone})")


def _sessions(day: DayHours) -> str:
    if day.sessions == ("00:00-00:00",):
        return "all day"
    return ", ".join(day.sessions) or "closed"

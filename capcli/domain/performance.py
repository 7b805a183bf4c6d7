"""Trading performance: win rate, expectancy, R, losing runs and drawdown, from bookings. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from types import MappingProxyType

from msgspec import Struct

from capcli.domain.account import Transaction
from capcli.domain.bookings import CLOSE, Column, column_of
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import CENT, cents, percent_of

_NOTHING = Decimal("0.00")


class TradeOpening(Struct, frozen=True):
    """How a deal was opened; None if unknown. `risk`: account currency, at its first stop."""

    side: Side | None = None
    opened_at: datetime | None = None
    risk: Decimal | None = None
    tag: str | None = None
    note: str | None = None
    client: str | None = None


class Trade(Struct, frozen=True):
    """One deal with all its closes in a span. Money in account currency, times UTC.

    `costs`: other bookings of this deal (overnight fees name none: API page 10.2); `net` includes them. `r`:
    net over the `risk` at the first stop.
    """

    deal_id: str | None
    epic: str | None
    side: Side | None
    opened_at: datetime | None
    closed_at: datetime
    closes: int
    pl: Decimal
    costs: Decimal
    net: Decimal
    risk: Decimal | None
    r: Decimal | None
    tag: str | None
    note: str | None
    client: str | None


class Performance(Struct, frozen=True):
    """The figures of some trades. Money in account currency.

    `key` is what they have in common: empty where unknown, None for bookings that name no deal. `net`
    includes all `costs`; `expectancy` is net per trade. Wins and losses are by each trade's own net.
    `profit_factor`: won over lost, None without a loss. `average_r` is over the `r_known` trades.
    `max_drawdown`: the largest fall of the booked sum from its highest point, 0 or more.
    """

    key: str | None
    trades: int
    wins: int
    losses: int
    win_rate_pct: Decimal | None
    pl: Decimal
    costs: Decimal
    net: Decimal
    average_win: Decimal | None
    average_loss: Decimal | None
    expectancy: Decimal | None
    profit_factor: Decimal | None
    average_r: Decimal | None
    r_known: int
    longest_losing_run: int
    max_drawdown: Decimal


class CurvePoint(Struct, frozen=True):
    """The booked sum without deposits at an instant, and how far below its peak."""

    at: datetime
    sum: Decimal
    drawdown: Decimal


class Ledger(Struct, frozen=True):
    """Bookings of one account and currency, oldest first, each with the trade that it belongs to."""

    rows: tuple[tuple[Transaction, Trade | None], ...]
    trades: tuple[Trade, ...]


Key = Callable[[Transaction, Trade | None], str | None]


def _of_trade(word: Callable[[Trade], str]) -> Key:
    return lambda _row, trade: None if trade is None else word(trade)


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "market": lambda row, _trade: row.epic,
        "tag": _of_trade(lambda trade: trade.tag or ""),
        "side": _of_trade(lambda trade: trade.side.value if trade.side else ""),
        "hour": _of_trade(lambda trade: f"{trade.opened_at:%H}:00" if trade.opened_at else ""),
        "client": _of_trade(lambda trade: trade.client or ""),
    }
)


def closed_deals(rows: Iterable[Transaction]) -> tuple[str, ...]:
    """Return the deals closed by these bookings, fully or in part."""
    return tuple(dict.fromkeys(row.deal_id for row in rows if row.type == CLOSE and row.deal_id))


def ledger(rows: Iterable[Transaction], openings: Mapping[str, TradeOpening]) -> Ledger:
    """Join bookings, without deposits, with their deals: one trade a deal; a close without one is its own."""
    booked = sorted(
        (row for row in rows if column_of(row.type) is not Column.DEPOSITS), key=lambda row: row.at
    )
    deals = frozenset(closed_deals(booked))
    parts: dict[str, list[Transaction]] = {}
    for place, row in enumerate(booked):
        if (name := _name(place, row, deals)) is not None:
            parts.setdefault(name, []).append(row)
    trades = {name: _trade(found, openings.get(name, TradeOpening())) for name, found in parts.items()}
    named = (_name(place, row, deals) for place, row in enumerate(booked))
    joined = tuple((row, trades[name] if name else None) for row, name in zip(booked, named, strict=True))
    ordered = sorted(trades.values(), key=lambda trade: (trade.closed_at, trade.deal_id or ""))
    return Ledger(joined, tuple(ordered))


def _name(place: int, row: Transaction, deals: frozenset[str]) -> str | None:
    if row.deal_id in deals:
        return row.deal_id
    return f"#{place}" if row.type == CLOSE else None


def _trade(rows: Sequence[Transaction], opening: TradeOpening) -> Trade:
    closes = [row for row in rows if row.type == CLOSE]
    pl, costs = _split(rows)
    risk = opening.risk or None
    return with_fields_of(
        opening,
        Trade,
        deal_id=closes[-1].deal_id,
        epic=closes[-1].epic,
        closed_at=closes[-1].at,
        closes=len(closes),
        pl=pl,
        costs=costs,
        net=pl + costs,
        risk=risk,
        r=_hundredths((pl + costs) / risk) if risk else None,
    )


def _split(rows: Iterable[Transaction]) -> tuple[Decimal, Decimal]:
    """Add up results and costs."""
    sums = {True: _NOTHING, False: _NOTHING}
    for row in rows:
        sums[column_of(row.type) is Column.REALISED_PL] += row.amount
    return sums[True], sums[False]


def lines(book: Ledger, by: str) -> tuple[Performance, ...]:
    """Return one line for each market, tag, side, hour or client; no booking is left out or counted twice."""
    key = KEYS[by]
    groups: dict[str | None, list[tuple[Transaction, Trade | None]]] = {}
    for row, trade in book.rows:
        groups.setdefault(key(row, trade), []).append((row, trade))
    names = sorted(groups, key=lambda name: (name is None, name == "", name or ""))
    return tuple(_performance(name, groups[name], book.trades) for name in names)


def total(book: Ledger) -> Performance:
    """Return the figures of all trades and all costs."""
    return _performance("total", book.rows, book.trades)


def _performance(
    key: str | None, rows: Sequence[tuple[Transaction, Trade | None]], order: Sequence[Trade]
) -> Performance:
    # If a deal's bookings name two markets, the last close decides.
    ours = {id(trade) for row, trade in rows if trade and row.type == CLOSE and row.at == trade.closed_at}
    trades = [trade for trade in order if id(trade) in ours]
    won = [trade.net for trade in trades if trade.net > 0]
    lost = [trade.net for trade in trades if trade.net < 0]
    known = [trade.r for trade in trades if trade.r is not None]
    pl, costs = _split(row for row, _ in rows)
    return Performance(
        key=key,
        trades=len(trades),
        wins=len(won),
        losses=len(lost),
        win_rate_pct=percent_of(Decimal(len(won)), Decimal(len(trades))) if trades else None,
        pl=pl,
        costs=costs,
        net=pl + costs,
        average_win=_average(won),
        average_loss=_average(lost),
        expectancy=cents((pl + costs) / len(trades)) if trades else None,
        profit_factor=_hundredths(sum(won, _NOTHING) / -sum(lost, _NOTHING)) if lost else None,
        average_r=_average(known),
        r_known=len(known),
        longest_losing_run=max(
            (len(tuple(run)) for lose, run in groupby(trades, lambda trade: trade.net < 0) if lose), default=0
        ),
        max_drawdown=max((point.drawdown for point in curve(row for row, _ in rows)), default=_NOTHING),
    )


def curve(rows: Iterable[Transaction]) -> tuple[CurvePoint, ...]:
    """Return the booked sum after each instant; bookings of one instant count together."""
    points, so_far, highest = [], _NOTHING, _NOTHING
    for at, booked in groupby(rows, lambda row: row.at):
        so_far = sum((row.amount for row in booked), so_far)
        highest = max(highest, so_far)
        points.append(CurvePoint(at, so_far, highest - so_far))
    return tuple(points)


def _average(amounts: Sequence[Decimal]) -> Decimal | None:
    return _hundredths(sum(amounts, Decimal(0)) / len(amounts)) if amounts else None


def _hundredths(number: Decimal) -> Decimal:
    return number.quantize(CENT, ROUND_HALF_EVEN)

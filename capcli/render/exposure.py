"""Exposure by market, class and currency, with totals and unlimited losses."""

from decimal import Decimal

from capcli.account.exposure import ExposureFound, ExposureRow, Grouping
from capcli.domain.numbers import rate
from capcli.render.blocks import NOTHING, Cell, Column, Pairs, Tone, line, pairs, strong, table
from capcli.render.numbers import known, money, percent
from capcli.render.views import View, none_of, view

_UNBOUNDED = Cell("UNBOUNDED", Tone.WARN)
_TITLES = {Grouping.MARKET: "Market", Grouping.CLASS: "Class", Grouping.CURRENCY: "Currency"}


def _stops(row: ExposureRow) -> Cell:
    missing = len(row.without_stop)
    if missing:
        return Cell(f"{missing} of {row.positions} missing", Tone.WARN)
    if row.guaranteed:
        return Cell(f"{row.guaranteed} of {row.positions} guaranteed", Tone.GOOD)
    return Cell("set")


_COLUMNS: tuple[Column[ExposureRow], ...] = (
    Column("Rate", lambda row: None if row.rate is None else f"{row.currency} {rate(row.rate)}", right=True),
    Column("Long", lambda row: money(row.long), right=True),
    Column("Short", lambda row: money(row.short), right=True),
    Column("Net", lambda row: money(row.net), right=True),
    Column("Margin", lambda row: known(row.margin, money), right=True),
    Column("At stops", lambda row: known(row.loss_at_stops, money) or _UNBOUNDED, right=True),
    Column("Of equity", lambda row: known(row.loss_pct, percent), right=True),
    Column("Stops", _stops),
)


@view.register
def _(data: ExposureFound) -> View:
    total = data.total
    if not total.positions:
        empty = "No open positions: nothing is at stake."
        return [line(none_of("open positions", data.unreadable) if data.unreadable else empty)]
    tables = [
        table(
            (Column(title, lambda row: strong(row.name)), *_COLUMNS),
            [row for row in data.exposure if row.group is grouping],
        )
        for grouping, title in _TITLES.items()
    ]
    bare = f"Without a stop, so their loss is UNBOUNDED: {', '.join(total.without_stop)}"
    return [*tables, _total(data), line(bare, Tone.WARN) if total.without_stop else None]


def _total(data: ExposureFound) -> Pairs:
    total, currency = data.total, data.account_currency
    mode = "on, opposite positions stay open side by side" if data.hedging else "off"
    if total.loss_at_stops is None or total.loss_pct is None:
        some = len(total.without_stop) < total.positions
        kept = f"; {money(total.loss_with_stop, currency)} from now on the positions that have a stop"
        loss = Cell(f"UNBOUNDED{kept if some else ''}", Tone.WARN)
    else:
        loss = Cell(_share(total.loss_at_stops, total.loss_pct, currency) + " from now")
    margin = NOTHING
    if total.margin is not None and total.margin_pct is not None:
        margin = Cell(_share(total.margin, total.margin_pct, currency))
    sure = f", {money(total.loss_guaranteed, currency)} of that loss" if total.guaranteed else ""
    return pairs(
        ("Equity", money(data.equity, currency)),
        ("Notional", _share(total.notional, total.notional_pct, currency)),
        ("Net", money(total.net, currency)),
        ("Hedging", mode),
        ("Margin", margin),
        ("If every stop is hit", loss),
        ("Guaranteed stops", f"{total.guaranteed} of {total.positions}{sure}"),
    )


def _share(amount: Decimal, share: Decimal, currency: str) -> str:
    return f"{money(amount, currency)} ({percent(share)} of equity)"

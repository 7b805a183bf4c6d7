"""Open positions with their P&L and stops, and working orders."""

from decimal import Decimal

from capcli.account.portfolio import OrderRow, OrdersFound, PositionRow, PositionsFound
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import short
from capcli.render.blocks import KEPT, NOTHING, Cell, Column, Tone, deal, line, moment, pairs, strong, table
from capcli.render.numbers import change, gain, known, money, percent, places, price, price_cell
from capcli.render.views import View, none_of, view


def _digits(row: PositionRow | OrderRow) -> int:
    return places(row.bid, row.offer, row.level)


def _stop(row: PositionRow | OrderRow) -> Cell:
    kind = "guaranteed" if row.guaranteed else "trailing" if row.trailing else ""
    if row.stop_level is None:
        # The distance of a trailing stop has no level while its order waits.
        return Cell("trailing") if row.trailing else Cell("NO STOP", Tone.WARN)
    return Cell(f"{price(row.stop_level, _digits(row))} {kind}".strip())


def _market(row: PositionRow) -> Cell:
    if row.market_status is MarketStatus.TRADEABLE:
        return strong(row.epic)
    return Cell(f"{row.epic} {row.market_status.value}", Tone.WARN)


def _position_columns(currency: str | None, *, mixed: bool) -> tuple[Column[PositionRow], ...]:
    """Return the columns; `mixed`: the positions are not all in the account's currency."""

    def pl(row: PositionRow) -> Cell:
        if row.pl_account is None:
            return NOTHING if mixed else gain(row.pl, row.currency)
        return gain(row.pl_account, currency)

    def margin(row: PositionRow) -> str | None:
        return None if row.margin is None else money(row.margin, row.currency if mixed else None)

    own: Column[PositionRow] = Column(
        "In its currency", lambda row: gain(row.pl, row.currency) if mixed else "", right=True, if_any=True
    )
    return (
        Column("Market", _market),
        Column("Size", lambda row: f"{row.side.value} {short(row.size)}", right=True),
        Column("Opened", lambda row: price(row.level, _digits(row)), right=True, spare=2),
        Column("Now", lambda row: price_cell(_closes_at(row), _digits(row)), right=True),
        Column("P&L", pl, right=True),
        Column("P&L %", lambda row: change(row.pl_pct), right=True, spare=5),
        own,
        Column("Margin", margin, right=True, spare=3),
        Column("Stop", _stop, right=True),
        Column("To stop", lambda row: known(row.stop_distance_pct, percent), right=True, spare=4),
        Column("Limit", lambda row: price_cell(row.limit_level, _digits(row)), right=True, spare=1),
        *KEPT,
        Column("Deal", lambda row: deal(row.deal_id)),
    )


@view.register
def _(data: PositionsFound) -> View:
    halt = line(f"{data.halt}. Resume with: capcli resume", Tone.BAD) if data.halt else None
    if not data.positions:
        return [halt, line(none_of("open positions", data.unreadable))]
    totals, currency = data.totals, data.totals.currency
    mixed = any(row.currency != currency for row in data.positions)
    margin = NOTHING
    if totals.margin is not None:
        margin = Cell(f"{money(totals.margin, currency)} at the opening prices")
    sums = pairs(
        ("Positions", str(totals.count)),
        ("Total P&L", NOTHING if totals.pl is None else gain(totals.pl, currency)),
        ("Total margin", margin),
    )
    return [halt, table(_position_columns(currency, mixed=mixed), data.positions, ids_last=True), sums]


def _closes_at(row: PositionRow) -> Decimal | None:
    return row.bid if row.side is Side.BUY else row.offer


_ORDERS: tuple[Column[OrderRow], ...] = (
    Column("Market", lambda row: strong(row.epic)),
    Column("Order", lambda row: f"{row.side.value} {row.type.value}"),
    Column("Size", lambda row: short(row.size), right=True),
    Column("Level", lambda row: price(row.level, _digits(row)), right=True),
    Column("Bid", lambda row: price_cell(row.bid, _digits(row)), right=True, spare=5),
    Column("Offer", lambda row: price_cell(row.offer, _digits(row)), right=True, spare=4),
    Column("Away", lambda row: price_cell(row.distance, _digits(row)), right=True, spare=2),
    Column("Stop", _stop, right=True),
    Column("Limit", lambda row: price_cell(row.limit_level, _digits(row)), right=True, spare=1),
    Column(
        "Good till",
        lambda row: moment(row.good_till, "%Y-%m-%d %H:%M") if row.good_till else "until cancelled",
        spare=3,
    ),
    *KEPT,
    Column("Deal", lambda row: deal(row.deal_id)),
)


@view.register
def _(data: OrdersFound) -> View:
    if not data.orders:
        return [line(none_of("working orders", data.unreadable))]
    return [table(_ORDERS, data.orders, ids_last=True)]

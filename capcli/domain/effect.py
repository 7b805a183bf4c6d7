"""The effect of an order: the deals it closes, what it opens, and the margin afterwards. Pure.

A netting account closes opposite deals oldest first, then opens the rest (API page 9.4); a hedging one none.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, localcontext

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.account import Account, Position, Preferences
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Market, Side
from capcli.domain.money import CENT, EXACT, cents
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.sizing import Figures, estimated_entry, leverage_decides


class ReducedDeal(Struct, frozen=True):
    """A deal that an order closes fully or in part. Prices in the instrument's currency.

    `realised`: account currency, in cents as booked. The stop and limit are those of what is `left`.
    """

    deal_id: str
    side: Side
    size: Decimal
    closed: Decimal
    left: Decimal
    level: Decimal
    price: Decimal
    realised: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None


class Effect(Struct, frozen=True):
    """The account after a fill at the price shown. Money in `currency`, the account's.

    `closes`, `opens` and what is long and short afterwards are units. Margin is the whole account's, None
    where a leverage or a rate is unknown. `point_value`: what one unit gains when the price moves by 1. The
    `stop_level` and `limit_level` belong to the opened part.
    """

    closes: Decimal
    opens: Decimal
    deals: tuple[ReducedDeal, ...]
    realised: Decimal
    long_after: Decimal
    short_after: Decimal
    margin_before: Decimal
    margin_freed: Decimal
    margin_after: Decimal | None
    point_value: Decimal
    currency: str
    stop_level: Decimal | None
    limit_level: Decimal | None

    @property
    def only_reduces(self) -> bool:
        """Whether the order reduces risk and adds none."""
        return self.closes > 0 and self.opens == 0

    def at(self, level: Decimal) -> "Effect":
        """Return the effect of a fill at another price: the same deals, with another result."""
        with localcontext(EXACT):
            deals = tuple(
                replace(
                    deal,
                    price=level,
                    realised=cents(_moved(deal, level) * deal.closed * self.point_value),
                )
                for deal in self.deals
            )
            return replace(self, deals=deals, realised=_realised(deals))

    @property
    def closed_deals(self) -> int:
        """The number of deals closed completely."""
        return sum(deal.left == 0 for deal in self.deals)


class AccountBook(Struct, frozen=True):
    """The account before the order. `rates`: account currency for one unit of each other currency."""

    account: Account
    positions: tuple[Position, ...]
    preferences: Preferences
    rates: Mapping[str, Decimal]


def effect_of(request: OrderRequest, market: Market, figures: Figures, book: AccountBook) -> Effect:
    """Calculate the effect of an order at the quote, or of a working order at its level."""
    with localcontext(EXACT):
        price, rate = estimated_entry(request, market), figures.conversion_rate
        deals = () if book.preferences.hedging else tuple(_reduced(request, book.positions, price, rate))
        closes = sum((deal.closed for deal in deals), Decimal(0))
        opens = request.size - closes
        units = {Side.BUY: Decimal(0), Side.SELL: Decimal(0), request.side: opens}
        for row in book.positions:
            units[row.side] += row.size if row.epic == request.epic else 0
        units[request.side.opposite] -= closes
        used = cents(book.account.equity - book.account.available)
        # Margin: at the current mid for a market order (API page 17), at its level for a working order.
        at = price if request.kind is Kind.WORKING else market.quote.mid
        opened = opens * at * _contract_size(market, book.positions) * rate
        freed, margin_after = _margin_after(figures, book, deals=deals, opened=opened, used=used)
        carries_legs = opens > 0 and not (closes and request.kind is Kind.WORKING)
        return Effect(
            closes=closes,
            opens=opens,
            deals=deals,
            realised=_realised(deals),
            long_after=units[Side.BUY],
            short_after=units[Side.SELL],
            margin_before=used,
            margin_freed=freed,
            margin_after=margin_after,
            point_value=rate * _contract_size(market, book.positions),
            currency=book.account.currency,
            # A working order that nets loses its stop and limit (API page 9.4).
            stop_level=figures.stop.level if figures.stop and carries_legs else None,
            limit_level=figures.limit.level if figures.limit and carries_legs else None,
        )


def _realised(deals: Iterable[ReducedDeal]) -> Decimal:
    return sum((deal.realised for deal in deals), Decimal("0.00"))


def _contract_size(market: Market, positions: Iterable[Position]) -> Decimal:
    """Return the units of one contract: only an open deal of the market tells; else 1 (API page 6.4)."""
    return next((row.contract_size for row in positions if row.epic == market.epic), Decimal(1))


def against(request: OrderRequest, positions: Iterable[Position]) -> list[Position]:
    """Return the open deals on the other side of an order's market, oldest first."""
    other = (row for row in positions if (row.epic, row.side) == (request.epic, request.side.opposite))
    return sorted(other, key=lambda row: row.opened_at)


def _reduced(
    request: OrderRequest, positions: Iterable[Position], price: Decimal, rate: Decimal
) -> Iterator[ReducedDeal]:
    rest = request.size
    for row in against(request, positions):
        if not rest:
            return
        closed = min(rest, row.size)
        rest -= closed
        left = row.size - closed
        yield with_fields_of(
            row,
            ReducedDeal,
            closed=closed,
            left=left,
            price=price,
            realised=cents(gain(row, price, closed) * rate),
            stop_level=row.stop_level if left else None,
            limit_level=row.limit_level if left else None,
        )


def gain(row: Position, price: Decimal, size: Decimal) -> Decimal:
    """Return the result of closing `size` of a deal at a price, in the instrument's currency."""
    return _moved(row, price) * size * row.contract_size


def _moved(deal: Position | ReducedDeal, price: Decimal) -> Decimal:
    return price - deal.level if deal.side is Side.BUY else deal.level - price


def _margin_after(
    figures: Figures, book: AccountBook, *, deals: Iterable[ReducedDeal], opened: Decimal, used: Decimal
) -> tuple[Decimal, Decimal | None]:
    """Return the margin freed, and the margin in use afterwards, at current mid prices.

    Where the sum over the open deals equals the account's own figure, the next one is exact to the cent.
    Elsewhere the broker's figure moves by what the order changes.
    """
    share, rate = _share(figures), figures.conversion_rate
    if share is None:
        return Decimal("0.00"), None
    opened *= share
    closed = {deal.deal_id: deal.closed for deal in deals}
    before, after = _total(book, {}), _total(book, closed)
    # Half a cent may be rounded either way, depending on the digits of a rate.
    if before is not None and after is not None and abs(before - used) <= CENT:
        return cents(before - after), cents(after + opened)
    freed = Decimal(0)
    for row in book.positions:
        of_value = 1 / row.leverage if row.leverage else share
        freed += closed.get(row.deal_id, 0) * (row.mid * row.contract_size * of_value) * rate
    return cents(freed), cents(used - freed + opened)


def _share(figures: Figures) -> Decimal | None:
    """Return the margin share of a new deal's value, as exact as the broker's."""
    if figures.observed_margin_pct is not None:
        return figures.observed_margin_pct / 100
    if figures.leverage is not None and leverage_decides(figures.leverage, figures.market_margin_pct):
        return 1 / figures.leverage
    return None if figures.market_margin_pct is None else figures.market_margin_pct / 100


def _total(book: AccountBook, closed: Mapping[str, Decimal]) -> Decimal | None:
    """Return the margin of all deals without the closed part; None if a leverage or a rate is unknown."""
    total = Decimal(0)
    for row in book.positions:
        rate = book.rates.get(row.currency)
        if rate is None or not row.leverage:
            return None
        left = row.size - closed.get(row.deal_id, Decimal(0))
        total += left * row.mid * row.contract_size / row.leverage * rate
    return total

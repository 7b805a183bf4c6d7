"""The overnight fee of a position for one night."""

from decimal import Decimal

from msgspec import Struct

from capcli.domain.market import Market
from capcli.domain.money import cents
from capcli.domain.order import OrderRequest


class Overnight(Struct, frozen=True):
    """The fee of one night in account currency: positive is credited, negative is charged."""

    rate_pct: Decimal
    amount: Decimal


def overnight_fee(request: OrderRequest, market: Market, rate: Decimal) -> Overnight | None:
    """Return the fee at the present price; `rate` is account currency per unit of instrument currency.

    API page 14.6: about size x price x rate / 100. None where the broker sent no rate.
    """
    if market.overnight is None:
        return None
    rate_pct = market.overnight.rate(request.side)
    return Overnight(rate_pct, cents(request.size * market.quote.mid * rate * rate_pct / 100))

"""The arithmetic of an order: entry, notional, margin, stop and limit, in Decimal. No rules here."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from msgspec import Struct

from capcli.domain.account import Account, Preferences
from capcli.domain.market import Market, Side
from capcli.domain.money import EXACT, cents, percent_of, short
from capcli.domain.order import ExitForm, ExitOrder, OrderRequest
from capcli.domain.overnight import Overnight, overnight_fee

_RATIO = Decimal("0.01")
_SHARE = Decimal("0.0001")
_WHOLE = Decimal(100)
# Calculated levels are shown with at least the market's precision.
_WORKING_PLACES = Decimal("0.0000000001")


class ExitFigures(Struct, frozen=True):
    """A stop or limit in every form. `amount` is account currency, against the estimated entry."""

    form: ExitForm
    level: Decimal
    distance: Decimal
    distance_pct: Decimal
    amount: Decimal
    equity_pct: Decimal


class Figures(Struct, frozen=True):
    """An order in money. Prices in `currency`; amounts in `account_currency`.

    `leverage`: the account's for this class of markets, None without. It or the market's factor sets the
    margin (`leverage_decides`), unless a fill showed another: `observed_margin_pct`.
    """

    entry: Decimal
    spread: Decimal
    spread_pct: Decimal
    spread_cost: Decimal
    currency: str
    account_currency: str
    conversion_rate: Decimal
    notional: Decimal
    margin_pct: Decimal | None
    margin: Decimal | None
    market_margin_pct: Decimal | None
    leverage: Decimal | None
    observed_margin_pct: Decimal | None
    equity: Decimal
    available: Decimal
    available_after: Decimal | None
    stop: ExitFigures | None
    limit: ExitFigures | None
    reward_to_risk: Decimal | None
    overnight: Overnight | None


def estimated_entry(request: OrderRequest, market: Market) -> Decimal:
    """Return the price at which the order would open: its own level, else the live quote's side."""
    return request.trigger.level if request.trigger else market.quote.entry(request.side)


def exit_base(request: OrderRequest, market: Market) -> Decimal:
    """Return the base of distances: an order's own level, else the closing price (API page 6.4).

    A stop at a distance therefore also loses the spread.
    """
    return request.trigger.level if request.trigger else market.quote.exit(request.side)


def exit_level(
    exit_order: ExitOrder, *, entry: Decimal, base: Decimal, below: bool, size: Decimal, rate: Decimal
) -> Decimal:
    """Return the price of an exit: a distance from `base`, or an amount (account currency) from the entry."""
    if exit_order.form is ExitForm.LEVEL:
        return exit_order.value
    if exit_order.form is ExitForm.DISTANCE:
        return base - exit_order.value if below else base + exit_order.value
    distance = EXACT.divide(exit_order.value, size * rate)
    level = entry - distance if below else entry + distance
    return level.quantize(max_places(entry, exit_order.value), ROUND_HALF_EVEN, EXACT)


def max_places(*numbers: Decimal) -> Decimal:
    """Return the quantum with the most decimals among the numbers."""
    exponent = min(int(number.as_tuple().exponent) for number in numbers)
    return max(Decimal(1).scaleb(min(exponent, 0)), _WORKING_PLACES)


def _margin(
    value: Decimal, market_pct: Decimal | None, leverage: Decimal | None, observed: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """Return a deal's margin in percent of its value, and the amount; None if unknown."""
    if observed is not None:
        return observed, cents(value * observed / 100)
    if leverage is not None and leverage_decides(leverage, market_pct):
        return pct_of_leverage(leverage), cents(value / leverage)
    return market_pct, None if market_pct is None else cents(value * market_pct / 100)


def leverage_decides(leverage: Decimal | None, market_pct: Decimal | None) -> bool:
    """Whether a leverage requires more margin than the market's factor: the larger counts.

    A factor of 100 % beside a leverage is a static value that says nothing (API page 18, fact 1).
    """
    if leverage is None:
        return False
    return market_pct is None or market_pct == _WHOLE or market_pct * leverage < _WHOLE


def pct_of_leverage(leverage: Decimal) -> Decimal:
    """Return the margin of a leverage, in percent: 5 for 20."""
    return Decimal(short((100 / leverage).quantize(_SHARE, ROUND_HALF_EVEN, EXACT)))


def figures(
    request: OrderRequest,
    market: Market,
    account: Account,
    rate: Decimal,
    preferences: Preferences | None = None,
) -> Figures:
    """Calculate an order's figures; `rate` is account currency per unit of instrument currency."""
    with localcontext(EXACT):
        entry = estimated_entry(request, market)
        value = entry * request.size * rate
        # API page 8.1 knows one unit; a factor in another unit is treated as absent.
        market_pct = market.margin_factor if market.margin_factor_unit in {None, "PERCENTAGE"} else None
        leverage = preferences.leverage(market.type) if preferences else None
        observed = preferences.observed.get(market.epic) if preferences else None
        margin_pct, margin = _margin(value, market_pct, leverage, observed)
        stop = _exit(request, request.stop, market, account, rate, is_stop=True)
        limit = _exit(request, request.limit, market, account, rate, is_stop=False)
        ratio = limit.distance / stop.distance if limit and stop and stop.distance > 0 else None
        return Figures(
            entry=entry,
            spread=market.quote.spread,
            spread_pct=_pct(market.quote.spread, market.quote.mid),
            spread_cost=cents(market.quote.spread * request.size * rate),
            currency=market.currency,
            account_currency=account.currency,
            conversion_rate=rate,
            notional=cents(value),
            margin_pct=margin_pct,
            margin=margin,
            market_margin_pct=market_pct,
            leverage=leverage,
            observed_margin_pct=observed,
            equity=account.equity,
            available=account.available,
            available_after=None if margin is None else account.available - margin,
            stop=stop,
            limit=limit,
            reward_to_risk=None if ratio is None else ratio.quantize(_RATIO, ROUND_HALF_EVEN, EXACT),
            overnight=overnight_fee(request, market, rate),
        )


def _exit(
    request: OrderRequest,
    exit_order: ExitOrder | None,
    market: Market,
    account: Account,
    rate: Decimal,
    *,
    is_stop: bool,
) -> ExitFigures | None:
    if exit_order is None:
        return None
    below = (request.side is Side.BUY) is is_stop
    entry, base = estimated_entry(request, market), exit_base(request, market)
    level = exit_level(exit_order, entry=entry, base=base, below=below, size=request.size, rate=rate)
    # Positive on the right side: a stop's loss, a limit's gain.
    distance = entry - level if below else level - entry
    amount = cents(exit_order.value if exit_order.form is ExitForm.AMOUNT else distance * request.size * rate)
    shares = _pct(distance, entry), amount, percent_of(amount, account.equity)
    return ExitFigures(exit_order.form, level, distance, *shares)


def _pct(part: Decimal, whole: Decimal) -> Decimal:
    if whole == 0:
        return Decimal(0)
    return (part * 100 / whole).quantize(Decimal("0.001"), ROUND_HALF_EVEN, EXACT)

"""Position sizing: a risk in money or percent of equity, divided by the loss of one unit."""

from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, localcontext

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain.market import OrderRules, Side
from capcli.domain.money import CENT, EXACT, Money, ceil_to, floor_to, percent_of, plain, short
from capcli.domain.numbers import rate
from capcli.domain.order import OrderRequest
from capcli.domain.sizing import Figures

ONE_UNIT = Decimal(1)
"""The size of a request whose size is still to be found."""

# As many digits as displayed, rounded against the user, so the displayed figures add up.
_UP = Context(prec=12, rounding=ROUND_UP)
_DOWN = Context(prec=8, rounding=ROUND_DOWN)


class Risk(Struct, frozen=True):
    """The risk of a trade at its stop: a percentage of the equity or an amount of money, not both."""

    pct: Decimal | None = None
    amount: Money | None = None

    @property
    def words(self) -> str:
        """Return it as it is typed: `1%` or `100USD`."""
        if self.amount is not None:
            return f"{short(self.amount.amount)}{self.amount.currency}"
        return f"{short(self.pct or Decimal(0))}%"

    def of(self, equity: Decimal) -> Decimal:
        """Return the risk in account currency, rounded down to cents."""
        if self.amount is not None:
            return self.amount.amount.quantize(CENT, ROUND_DOWN)
        whole = equity * (self.pct or Decimal(0)) / 100
        return max(whole.quantize(CENT, ROUND_DOWN), Decimal("0.00"))

    def share_of(self, equity: Decimal) -> Decimal:
        """Return it as a percentage of the equity."""
        if self.amount is None:
            return self.pct or Decimal(0)
        return percent_of(self.amount.amount, equity) if equity > 0 else Decimal(0)


class Sizing(Struct, frozen=True):
    """How a size was calculated. `budget` and `loss_per_unit` in account currency, spread included."""

    risk_pct: Decimal
    budget: Decimal
    loss_per_unit: Decimal
    exact_size: Decimal
    arithmetic: str


class Sized(Struct, frozen=True):
    """A size and its arithmetic. `least_pct`: the risk of the smallest size; None if it fits."""

    size: Decimal
    sizing: Sizing
    least_pct: Decimal | None


def sized(risk: Risk, unit: OrderRequest, figures: Figures, rules: OrderRules) -> Sized | None:
    """Return the largest size on the step whose loss at the stop stays within the risk.

    `unit` is a request for one unit, with a stop, and `figures` are its own. None when the stop is on the
    wrong side of the entry.
    """
    stop = figures.stop
    if stop is None or stop.distance <= 0:
        return None
    with localcontext(EXACT):
        budget = risk.of(figures.equity)
        loss = _UP.plus(stop.distance * figures.conversion_rate)
        exact = _DOWN.divide(budget, loss)
        size, least = floor_to(exact, rules.size_step), ceil_to(rules.min_size, rules.size_step)
        least_pct = None
        if size < least:
            smallest = (least * loss).quantize(CENT, ROUND_UP) * 100
            least_pct = Decimal(0)
            if figures.equity > 0:
                least_pct = (smallest / figures.equity).quantize(CENT, ROUND_UP)
    sizing = Sizing(risk.share_of(figures.equity), budget, loss, exact, "")
    step = f"rounded down to steps of {short(rules.size_step)}: {short(size)}."
    arithmetic = f"{_arithmetic(risk, sizing, unit.side, figures)}, {step}"
    return Sized(size, replace(sizing, arithmetic=arithmetic), least_pct)


def _arithmetic(risk: Risk, sizing: Sizing, side: Side, figures: Figures) -> str:
    stop, account = figures.stop, figures.account_currency
    assert stop is not None
    high, low = (figures.entry, stop.level) if side is Side.BUY else (stop.level, figures.entry)
    times = "" if figures.conversion_rate == 1 else f" x {rate(figures.conversion_rate)}"
    budget, loss = f"{sizing.budget:,f}", short(sizing.loss_per_unit)
    share = f"{short(sizing.risk_pct)} % of {figures.equity:,f} {account} equity"
    whole = f"{share} = {budget} {account}" if risk.amount is None else f"{budget} {account} ({share})"
    return (
        f"{whole}; one unit loses {loss} {account} at the stop = ({plain(high)} - {plain(low)}){times}, "
        f"spread included; {budget} / {loss} = {short(sizing.exact_size)}"
    )

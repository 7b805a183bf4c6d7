"""What is legal about an order but unusual: warnings beside the checks, which refuse nothing. Pure."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum

from msgspec import Struct

from capcli.domain.market import MarketStatus
from capcli.domain.money import EXACT, percent_of, plain, short
from capcli.domain.numbers import money, percent
from capcli.domain.order import Kind
from capcli.domain.policy import CheckInput, opening_told

_OLD = timedelta(seconds=60)
_RISK_PCT, _NOTIONAL_TIMES, _MARGIN_PCT, _FAR_PCT = Decimal(10), Decimal(5), Decimal(50), Decimal(50)


class Unusual(StrEnum):
    """The warnings, named as they stand in every preview."""

    NO_STOP = "no_stop"
    NOTHING_TO_PROTECT = "nothing_to_protect"
    LARGE_LOSS = "large_loss"
    LARGE_NOTIONAL = "large_notional"
    MUCH_MARGIN = "much_margin"
    FAR_LEVEL = "far_level"
    OLD_PRICE = "old_price"
    MARKET_CLOSED = "market_closed"
    SETTLED = "settled"


class Caution(Struct, frozen=True):
    """One warning in words."""

    code: Unusual
    text: str

    def __str__(self) -> str:
        return self.text


class CautionInput(Struct, frozen=True):
    """What a warning looks at: the case, how far the market moves in an average day, and the broker's time.

    `day_range` (price units) is None where it was not measured.
    """

    case: CheckInput
    day_range: Decimal | None
    now: datetime

    @property
    def opens(self) -> bool:
        effect = self.case.effect
        return effect is None or effect.opens > 0 or self.case.request.kind is Kind.WORKING

    def money(self, amount: Decimal) -> str:
        return money(amount, self.case.account.currency)

    def of_equity(self, amount: Decimal) -> str:
        equity = self.case.account.equity
        share = percent(percent_of(amount, equity)) if equity > 0 else "more than all"
        return f"{share} of the equity of {self.money(equity)}"


def no_stop(look: CautionInput) -> str | None:
    case = look.case
    if not look.opens or case.request.stop is not None:
        return None
    if look.day_range is None:
        return "no stop, so the loss is unlimited"
    loss = look.day_range * case.request.size * case.opened_share * case.figures.conversion_rate
    moves = short(round(look.day_range, max(case.market.decimals, 2)))
    return (
        f"no stop, so the loss is unlimited; against you, an average day (ATR 14 of days) moves {moves}, "
        f"which would lose about {look.money(loss)}, {look.of_equity(loss)}"
    )


def nothing_to_protect(look: CautionInput) -> str | None:
    case, effect = look.case, look.case.effect
    legs = [name for name, leg in (("stop", case.request.stop), ("limit", case.request.limit)) if leg]
    if effect is None or not legs or not effect.closes:
        return None
    named = " and ".join(legs)
    if case.request.kind is Kind.WORKING:
        return f"if it fills against the open position, its {named} would have no effect"
    return None if effect.opens else f"it opens nothing, so its {named} would have no effect"


def large_loss(look: CautionInput) -> str | None:
    case = look.case
    loss = _loss(look)
    if loss is None or loss * 100 <= max(case.account.equity, Decimal(0)) * _RISK_PCT:
        return None
    return f"the loss at the stop is {look.money(loss)}, {look.of_equity(loss)}"


def _loss(look: CautionInput) -> Decimal | None:
    """Return what is lost at the stop; of a deal that is there only where its change adds to that."""
    case = look.case
    if case.amends is not None:
        return case.amends.loss if case.amends.adds else None
    if case.figures.stop is None or not look.opens:
        return None
    return case.figures.stop.amount * case.opened_share


def large_notional(look: CautionInput) -> str | None:
    case = look.case
    notional = case.figures.notional * case.opened_share
    if notional <= max(case.account.equity, Decimal(0)) * _NOTIONAL_TIMES:
        return None
    return f"it is worth {look.money(notional)}, {look.of_equity(notional)}"


def much_margin(look: CautionInput) -> str | None:
    case, effect = look.case, look.case.effect
    if effect is None or effect.margin_after is None or not effect.opens:
        return None
    if effect.margin_after * 100 <= max(case.account.equity, Decimal(0)) * _MARGIN_PCT:
        return None
    used = effect.margin_after
    return f"margin in use afterwards is {look.money(used)}, {look.of_equity(used)}"


def far_level(look: CautionInput) -> str | None:
    case = look.case
    price = case.market.quote.mid
    levels = {
        "level": case.request.trigger.level if case.request.trigger else None,
        "stop": case.figures.stop.level if case.figures.stop else None,
        "limit": case.figures.limit.level if case.figures.limit else None,
    }
    far = [
        f"the {name} {plain(level)} is {percent(percent_of(abs(level - price), price))} away"
        for name, level in levels.items()
        if level is not None and abs(level - price) * 100 > price * _FAR_PCT
    ]
    return f"{' and '.join(far)} from the price {plain(price)}" if far else None


def old_price(look: CautionInput) -> str | None:
    quote = look.case.market.quote
    age = look.now - quote.at
    if quote.status is not MarketStatus.TRADEABLE or age <= _OLD:
        return None
    return f"the price is {int(age.total_seconds())} s old"


def market_closed(look: CautionInput) -> str | None:
    case = look.case
    if case.market.quote.status is not MarketStatus.CLOSED:
        return None
    return f"{case.market.epic} is closed{opening_told(case)}"


_RULES: tuple[tuple[Unusual, Callable[[CautionInput], str | None]], ...] = (
    (Unusual.NO_STOP, no_stop),
    (Unusual.NOTHING_TO_PROTECT, nothing_to_protect),
    (Unusual.LARGE_LOSS, large_loss),
    (Unusual.LARGE_NOTIONAL, large_notional),
    (Unusual.MUCH_MARGIN, much_margin),
    (Unusual.FAR_LEVEL, far_level),
    (Unusual.OLD_PRICE, old_price),
    (Unusual.MARKET_CLOSED, market_closed),
)


# What there is to say of a deal that is changed: the others are about what an order opens.
_AMENDED = frozenset({Unusual.LARGE_LOSS, Unusual.FAR_LEVEL})


def cautions(look: CautionInput) -> tuple[Caution, ...]:
    """Return everything unusual about an order or an amendment, all at once."""
    with localcontext(EXACT):
        return tuple(_found(look))


def _found(look: CautionInput) -> Iterator[Caution]:
    for code, rule in _RULES:
        is_about = look.case.amends is None or code in _AMENDED
        text = rule(look) if is_about else None
        if text is not None:
            yield Caution(code, text)

"""Warnings about valid but unusual orders; they refuse nothing. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum

from msgspec import Struct

from capcli.domain.check_input import CheckInput
from capcli.domain.market import MarketStatus
from capcli.domain.money import EXACT, percent_of, plain, short
from capcli.domain.numbers import money, percent
from capcli.domain.order import Kind
from capcli.domain.policy import next_opening

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
    """The input of the warnings; `day_range`: an average day's move in price units, None if not measured."""

    check: CheckInput
    day_range: Decimal | None
    now: datetime

    @property
    def opens(self) -> bool:
        effect = self.check.effect
        return effect is None or effect.opens > 0 or self.check.request.kind is Kind.WORKING

    def money(self, amount: Decimal) -> str:
        return money(amount, self.check.account.currency)

    def of_equity(self, amount: Decimal) -> str:
        equity = self.check.account.equity
        share = percent(percent_of(amount, equity)) if equity > 0 else "more than all"
        return f"{share} of the equity of {self.money(equity)}"


def no_stop(about: CautionInput) -> str | None:
    check = about.check
    if not about.opens or check.request.stop is not None:
        return None
    if about.day_range is None:
        return "no stop, so the loss is unlimited"
    loss = about.day_range * check.request.size * check.opened_share * check.figures.conversion_rate
    moves = short(round(about.day_range, max(check.market.decimals, 2)))
    return (
        f"no stop, so the loss is unlimited; against you, an average day (ATR 14 of days) moves {moves}, "
        f"which would lose about {about.money(loss)}, {about.of_equity(loss)}"
    )


def nothing_to_protect(about: CautionInput) -> str | None:
    check, effect = about.check, about.check.effect
    exits = [name for name, one in (("stop", check.request.stop), ("limit", check.request.limit)) if one]
    if effect is None or not exits or not effect.closes:
        return None
    named = " and ".join(exits)
    if check.request.kind is Kind.WORKING:
        return f"if it fills against the open position, its {named} would have no effect"
    return None if effect.opens else f"it opens nothing, so its {named} would have no effect"


def large_loss(about: CautionInput) -> str | None:
    check, stop, loss = about.check, about.check.figures.stop, None
    if check.amends is not None:
        # For an open deal, only if the change adds to its loss.
        loss = check.amends.loss if check.amends.adds else None
    elif stop is not None and about.opens:
        loss = stop.amount * check.opened_share
    if loss is None or loss * 100 <= max(check.account.equity, Decimal(0)) * _RISK_PCT:
        return None
    return f"the loss at the stop is {about.money(loss)}, {about.of_equity(loss)}"


def large_notional(about: CautionInput) -> str | None:
    check = about.check
    notional = check.figures.notional * check.opened_share
    if notional <= max(check.account.equity, Decimal(0)) * _NOTIONAL_TIMES:
        return None
    return f"it is worth {about.money(notional)}, {about.of_equity(notional)}"


def much_margin(about: CautionInput) -> str | None:
    check, effect = about.check, about.check.effect
    if effect is None or effect.margin_after is None or not effect.opens:
        return None
    if effect.margin_after * 100 <= max(check.account.equity, Decimal(0)) * _MARGIN_PCT:
        return None
    used = effect.margin_after
    return f"margin in use afterwards is {about.money(used)}, {about.of_equity(used)}"


def far_level(about: CautionInput) -> str | None:
    check = about.check
    price = check.market.quote.mid
    levels = {
        "level": check.request.trigger.level if check.request.trigger else None,
        "stop": check.figures.stop.level if check.figures.stop else None,
        "limit": check.figures.limit.level if check.figures.limit else None,
    }
    far = [
        f"the {name} {plain(level)} is {percent(percent_of(abs(level - price), price))} away"
        for name, level in levels.items()
        if level is not None and abs(level - price) * 100 > price * _FAR_PCT
    ]
    return f"{' and '.join(far)} from the price {plain(price)}" if far else None


def old_price(about: CautionInput) -> str | None:
    quote = about.check.market.quote
    age = about.now - quote.at
    if quote.status is not MarketStatus.TRADEABLE or age <= _OLD:
        return None
    return f"the price is {int(age.total_seconds())} s old"


def market_closed(about: CautionInput) -> str | None:
    check = about.check
    if check.market.quote.status is not MarketStatus.CLOSED:
        return None
    return f"{check.market.epic} is closed{next_opening(check)}"


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


# The warnings for changes of deals: the others are about openings.
_AMENDED = frozenset({Unusual.LARGE_LOSS, Unusual.FAR_LEVEL})


def cautions(about: CautionInput) -> tuple[Caution, ...]:
    """Return all warnings about an order or an amendment."""
    amends = about.check.amends is not None
    with localcontext(EXACT):
        return tuple(
            Caution(code, text)
            for code, rule in _RULES
            if not (amends and code not in _AMENDED) and (text := rule(about)) is not None
        )

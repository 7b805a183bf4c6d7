"""Explains each field of a preview with its arithmetic, in the order of the panel."""

from collections.abc import Iterator
from decimal import Decimal

from capcli.domain.effect import ReducedDeal
from capcli.domain.market import Side
from capcli.domain.money import percent_of, plain, short
from capcli.domain.numbers import rate
from capcli.domain.order import ExitForm
from capcli.domain.sizing import ExitFigures, leverage_decides, pct_of_leverage
from capcli.render.numbers import gain, money, percent, places, price
from capcli.trading.preview import Preview


def sentences(data: Preview) -> Iterator[tuple[str, str]]:
    """Return the name of each field and what it means here."""
    yield "Side", _side(data)
    if data.sizing:
        yield "Size", data.sizing.arithmetic
    yield "Entry", _entry(data)
    yield "Spread", _spread(data)
    if data.conversion_rate != 1:
        yield "Rate", _rate(data)
    yield "Notional", f"{_cash(data.notional, data)} = {_product(data, data.size)}: what the deal is worth."
    yield "Effect", _effect(data)
    yield "Margin", _margin(data)
    yield "Margin in use", _margin_in_use(data)
    yield "Stop", _stop(data)
    yield "Limit", _limit(data)
    yield "Reward : risk", _ratio(data)
    yield "Overnight", _overnight(data)
    yield "Price age", _price_age(data)
    if data.tag:
        yield "Tag", f"{data.tag}: never sent; `capcli history stats --by tag` counts trades by it."
    if data.note:
        yield "Note", f"Stored here with the order, never sent: {data.note}"
    yield "Checks", _checks(data)


def _price_age(data: Preview) -> str:
    if data.price_age_s is None:
        return f"Unknown: these are the last prices of a market that is {data.market_status.value}."
    return f"{short(data.price_age_s)} s since the broker stamped these prices."


def _side(data: Preview) -> str:
    if data.side is Side.BUY:
        return "BUY gains when the price rises. It opens at the offer and closes at the bid."
    return "SELL gains when the price falls. It opens at the bid and closes at the offer."


def _entry(data: Preview) -> str:
    level = _price(data.entry, data)
    if data.order_type:
        return f"{level} {data.currency}: the level at which this {data.order_type.value} order opens."
    word = "offer" if data.side is Side.BUY else "bid"
    return f"About {level} {data.currency}: the {word} of this moment. The fill may differ."


def _spread(data: Preview) -> str:
    spread = _price(data.spread, data)
    return (
        f"{spread} = {_price(data.offer, data)} - {_price(data.bid, data)}, {percent(data.spread_pct)} of "
        f"the mid price. Crossing it costs {_cash(data.spread_cost, data)} = "
        f"{short(data.size)} x {spread}{_times(data)}."
    )


def _rate(data: Preview) -> str:
    return (
        f"1 {data.currency} = {_rated(data)} {data.account_currency}, from the broker's own market; "
        "the rate it books at may differ."
    )


def _margin(data: Preview) -> str:
    if data.margin is None or data.available_after is None or data.margin_pct is None:
        return "Unknown: the broker sent no margin factor for this market."
    if data.effect.only_reduces:
        freed = f"{_cash(data.effect.margin_freed, data)} are freed"
        return f"None: nothing opens. {freed}, and {_cash(data.available_after, data)} are available then."
    needs = f"{_cash(data.margin, data)} = {_product(data, _opened(data))} {_share(data)}"
    if data.effect.closes:
        opens = short(data.effect.opens)
        return f"{needs}, for the {opens} that open. {_cash(data.available_after, data)} are available then."
    return (
        f"{needs}. It is set aside: "
        f"{_cash(data.available_after, data)} stay available of {_cash(data.available, data)}."
    )


def _effect(data: Preview) -> str:
    effect = data.effect
    if not effect.closes:
        return f"It closes nothing and opens {short(effect.opens)} {data.epic}."
    parts = [_closing(data, deal) for deal in effect.deals]
    if data.order_type:
        parts.insert(0, "If it filled now, with the deals that are open:")
    if not effect.opens:
        return f"{' '.join(parts)} It opens nothing, so no stop or limit of it is placed."
    exits = (
        "; its stop and limit belong to that part alone" if effect.stop_level or effect.limit_level else ""
    )
    return f"{' '.join(parts)} It opens {short(effect.opens)}{exits}."


def _closing(data: Preview, deal: ReducedDeal) -> str:
    first, second = (deal.price, deal.level) if deal.side is Side.BUY else (deal.level, deal.price)
    amount = gain(deal.realised, data.account_currency).text
    sum_ = f"{short(deal.closed)} x ({_price(first, data)} - {_price(second, data)}){_times(data)}"
    left = f"; {short(deal.left)} of it stay open with their own stop" if deal.left else ""
    return f"It closes {short(deal.closed)} of {deal.deal_id}, the oldest first: {amount} = {sum_}{left}."


def _margin_in_use(data: Preview) -> str:
    effect = data.effect
    if effect.margin_after is None:
        return "Unknown: the broker sent no margin factor for this market."
    freed = f", {_cash(effect.margin_freed, data)} freed by what closes," if effect.margin_freed else ""
    return (
        f"{_cash(effect.margin_before, data)} for the whole account now{freed} and "
        f"{_cash(effect.margin_after, data)} afterwards, on mid prices."
    )


def _share(data: Preview) -> str:
    leverage, market_pct = data.leverage, data.market_margin_pct
    if data.observed_margin_pct is not None:
        return f"x {percent(data.observed_margin_pct)}: what the last fill in this market set aside"
    if data.margin_pct is None or leverage is None or market_pct is None:
        return f"x {percent(data.margin_pct or Decimal(0))}"
    own = pct_of_leverage(leverage)
    if not leverage_decides(leverage, market_pct):
        less = f": the market's own, more than {percent(own)} by your leverage of {short(leverage)}"
        return f"x {percent(data.margin_pct)}{less if own < market_pct else ''}"
    against = f"more than the market's own {percent(market_pct)}"
    if own < market_pct:
        against = f"and the market's factor of {percent(market_pct)} is a fixed value that does not apply"
    return (
        f"/ {short(leverage)}: your leverage for this class of markets (accounts preferences) asks for "
        f"{percent(own)}, {against}"
    )


def _stop(data: Preview) -> str:
    if data.effect.only_reduces:
        return "None: nothing opens that a stop could close."
    if data.stop is None:
        return "None: nothing closes this position at a loss until the margin is used up."
    verb = "rises" if data.side is Side.SELL else "falls"
    kind = "is guaranteed to fill there" if data.guaranteed else "may fill at a worse price in a fast market"
    trail = " It follows the price at that distance." if data.trailing else ""
    return f"{_exit_text(data, data.stop, f'when the price {verb} to', -1)} It {kind}.{trail}"


def _limit(data: Preview) -> str:
    if data.limit is None:
        return "None: the position is not closed automatically in profit."
    verb = "falls" if data.side is Side.SELL else "rises"
    return _exit_text(data, data.limit, f"when the price {verb} to", 1)


def _exit_text(data: Preview, figures: ExitFigures, when: str, sign: int) -> str:
    level, distance = _price(figures.level, data), _price(figures.distance, data)
    if figures.distance <= 0:
        return f"{level} is on the wrong side of the entry {_price(data.entry, data)}."
    amount = gain(figures.amount * sign, data.account_currency).text
    high, low = max(figures.level, data.entry), min(figures.level, data.entry)
    if figures.form is ExitForm.AMOUNT:
        how = f"the amount that was asked for, {distance} away at size {short(_opened(data))}"
    else:
        far = f"{_price(high, data)} - {_price(low, data)}"
        how = f"{short(_opened(data))} x {distance}{_times(data)}, where {distance} = {far}"
    return (
        f"Closes {when} {level}, {percent(figures.distance_pct)} from the entry {_price(data.entry, data)}"
        f"{_from_now(data, figures.level)}: {amount} = {how}. "
        f"That is {percent(figures.equity_pct)} of {_cash(data.equity, data)} equity."
    )


def _from_now(data: Preview, level: Decimal) -> str:
    """Give the distance from the current closing price, which the check uses."""
    if data.order_type is not None:
        return ""
    name, now = ("bid", data.bid) if data.side is Side.BUY else ("offer", data.offer)
    far = percent(percent_of(abs(level - now), now))
    return f" ({far} from the {name} {_price(now, data)}, which the check counts from)"


def _ratio(data: Preview) -> str:
    if data.reward_to_risk is None or data.stop is None or data.limit is None:
        return "Needs a stop and a limit."
    reward, risk = _price(data.limit.distance, data), _price(data.stop.distance, data)
    return f"{short(data.reward_to_risk)} : 1 = {reward} to the limit / {risk} to the stop."


def _overnight(data: Preview) -> str:
    if data.effect.only_reduces:
        return "None: nothing opens."
    if data.overnight is None:
        return "Unknown: the broker sent no overnight fee for this market."
    amount = gain(data.overnight.amount, data.account_currency).text
    word = "credited" if data.overnight.rate_pct > 0 else "charged"
    mid = plain((data.bid + data.offer) / 2)
    value = f"{short(_opened(data))} x {mid}{_times(data)}"
    return (
        f"{amount} {word} a night = {value} x {short(data.overnight.rate_pct)} %, {mid} being the mid price."
    )


def _checks(data: Preview) -> str:
    passed = len(data.checks) - len(data.failed)
    life = (
        f"The preview can be executed once, within {data.ttl_s} s."
        if data.executable
        else "It cannot be executed."
    )
    return f"{passed} of {len(data.checks)} passed. {life}"


def _opened(data: Preview) -> Decimal:
    """Return the units that the order's stop, limit and margin apply to."""
    return data.size if data.order_type else data.effect.opens


def _product(data: Preview, size: Decimal) -> str:
    return f"{short(size)} x {_price(data.entry, data)}{_times(data)}"


def _times(data: Preview) -> str:
    return "" if data.conversion_rate == 1 else f" x {_rated(data)}"


def _rated(data: Preview) -> str:
    return rate(data.conversion_rate)


def _cash(amount: Decimal, data: Preview) -> str:
    return money(amount, data.account_currency)


def _price(number: Decimal, data: Preview) -> str:
    return price(number, places(data.bid, data.offer))

"""The rules on an order's levels: entry, stop, limit and expiry."""

from decimal import Decimal

from capcli.domain.account import OrderType
from capcli.domain.check_input import CheckInput, RuleResult
from capcli.domain.market import Distance, Side
from capcli.domain.money import ceil_to, floor_to, on_grid, percent_of, plain, short
from capcli.domain.order import ExitForm, ExitOrder
from capcli.domain.sizing import ExitFigures, exit_base


def entry_level(check: CheckInput) -> RuleResult:
    trigger, side, step = check.request.trigger, check.request.side, check.rules.price_step
    if trigger is None:
        return None
    if not on_grid(trigger.level, step):
        return False, _off_step(trigger.level, step)
    price = check.market.quote.entry(side)
    below = trigger.level < price
    # A LIMIT waits for a better price, a STOP for a worse one.
    fits = below is ((side is Side.BUY) is (check.order_type is OrderType.LIMIT))
    nearest = check.rules.min_stop_distance.at(price)
    if check.order_type is OrderType.STOP and fits and abs(trigger.level - price) < nearest:
        # API page 4.2: error.validation.stop.price stands for too near as well as for the wrong side.
        least = (floor_to if below else ceil_to)(price - nearest if below else price + nearest, step)
        bound = f"at {'most' if below else 'least'} {plain(least)}"
        return False, f"a {side.value} STOP at {plain(trigger.level)} is too near: {bound}"
    kind = check.order_type.value if check.order_type else "order"
    place = f"{'below' if below else 'above'} the price {plain(price)}"
    return trigger.level != price and fits, f"a {side.value} {kind} at {plain(trigger.level)} is {place}"


def good_till(check: CheckInput) -> RuleResult:
    until = check.request.trigger.good_till if check.request.trigger else None
    if until is None:
        return None
    ahead = until > check.now
    return ahead, f"{until:%Y-%m-%d %H:%M:%S}Z is {'ahead' if ahead else 'in the past'}"


def stop(check: CheckInput) -> RuleResult:
    exit_order, least = check.request.stop, check.rules.min_stop_distance
    if check.request.guaranteed:
        least = check.market.rules.min_guaranteed_stop_distance or least
    below = check.request.side is Side.BUY
    return _exit(check, "stop", check.figures.stop, exit_order, least=least, below=below)


def limit(check: CheckInput) -> RuleResult:
    exit_order, least = check.request.limit, check.rules.min_stop_distance
    below = check.request.side is Side.SELL
    return _exit(check, "limit", check.figures.limit, exit_order, least=least, below=below)


def _exit(
    check: CheckInput,
    word: str,
    figures: ExitFigures | None,
    exit_order: ExitOrder | None,
    *,
    least: Distance,
    below: bool,
) -> RuleResult:
    """Check a stop or a limit: `least` away from the price, `below` or above it."""
    if figures is None:
        return None
    form, currency = figures.form, check.market.currency
    if form is ExitForm.AMOUNT and currency != check.account.currency:
        return False, (
            f"the broker does not say in which currency it reads a {word} amount on a market in {currency}; "
            "give a level or a distance"
        )
    given = {ExitForm.LEVEL: figures.level, ExitForm.DISTANCE: exit_order.value if exit_order else None}.get(
        form
    )
    if given is not None and not on_grid(given, check.rules.price_step):
        return False, _off_step(given, check.rules.price_step)
    return _place(check, word, figures.level, least=least, below=below)


def _place(check: CheckInput, word: str, level: Decimal, *, least: Distance, below: bool) -> RuleResult:
    price, step = exit_base(check.request, check.market), check.rules.price_step
    sign, side = (-1, "below") if below else (1, "above")
    away = (level - price) * sign
    if away <= 0 or level <= 0:
        owner = f"a {check.request.side.value}'s {word}"
        return False, f"{owner} belongs {side} {plain(price)}, not at {plain(level)}"
    # Percent of the live quote, also for an exit measured from an order's level (API page 8.2).
    live = check.market.quote.exit(check.request.side)
    nearest, farthest = least.at(live), check.rules.max_stop_distance.at(live)
    outward, inward = (floor_to, ceil_to) if below else (ceil_to, floor_to)
    if away < nearest:
        bound = outward(price + sign * nearest, step)
        room = f"at {'most' if below else 'least'} {plain(bound)}"
        room = room if bound > 0 else "there is no room for one"
        return False, f"{word} {plain(level)} is too near: {room}"
    if away > farthest:
        bound = max(inward(price + sign * farthest, step), step)
        return False, f"{word} {plain(level)} is too far: at {'least' if below else 'most'} {plain(bound)}"
    base = "the bid" if check.request.side is Side.BUY else "the offer"
    base = "the order's level" if check.request.trigger is not None else base
    return True, f"{plain(level)} is {short(percent_of(away, price))} % {side} {base} {plain(price)}"


def _off_step(level: Decimal, step: Decimal) -> str:
    return f"{plain(level)} is off the price step of {short(step)}; nearest: {nearest_on(step, level)}"


def guaranteed(check: CheckInput) -> RuleResult:
    if not check.request.guaranteed:
        return None
    if check.hedging:
        # API page 6.4; the broker's word for it is HEDGING_MODE_GSL (section 18.6).
        return False, "guaranteed stops are not available in hedging mode (capcli accounts preferences)"
    if not check.market.guaranteed_stops:
        return False, f"{check.request.epic} offers no guaranteed stops"
    if check.market.rules.min_guaranteed_stop_distance is None:
        return False, "the broker sent no minimum distance for a guaranteed stop"
    return True, f"{check.request.epic} offers guaranteed stops"


def trailing(check: CheckInput) -> RuleResult:
    if not check.request.trailing:
        return None
    offered = check.market.rules.trailing_stops is True
    return offered, f"{check.request.epic} {'offers' if offered else 'offers no'} trailing stops"


def nearest_on(step: Decimal, number: Decimal) -> str:
    """Name the valid levels on both sides; 0 is not one."""
    down, up = floor_to(number, step), ceil_to(number, step)
    return f"{short(down)} or {short(up)}" if down > 0 else short(up)

"""What may be sent: pure rules over one case, evaluated at the preview and again before the send."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum

from msgspec import Struct

from capcli.domain.account import Account, OrderType
from capcli.domain.candle_gaps import Week
from capcli.domain.effect import Effect
from capcli.domain.limits import Limits
from capcli.domain.market import Distance, Market, MarketStatus, OrderRules, Side
from capcli.domain.money import EXACT, ceil_to, cents, floor_to, on_grid, percent_of, plain, short
from capcli.domain.order import ExitForm, Kind, OrderRequest
from capcli.domain.sizing import ExitFigures, Figures, exit_base


class Rule(StrEnum):
    """The checks, named as they stand in every preview."""

    TRADING = "trading"
    LIVE = "live"
    HALT = "halt"
    UNRESOLVED = "unresolved"
    HOURLY_ORDERS = "hourly_orders"
    JOURNAL = "journal"
    EPIC_ALLOWED = "epic_allowed"
    MARKET_OPEN = "market_open"
    SIZE_RANGE = "size_range"
    SIZE_STEP = "size_step"
    MAX_SIZE = "max_size"
    OPEN_POSITIONS = "open_positions"
    ORDERS_PER_DAY = "orders_per_day"
    FUNDS = "funds"
    RISK = "risk"
    TOTAL_RISK = "total_risk"
    MARGIN = "margin"
    DAILY_LOSS = "daily_loss"
    STOP_REQUIRED = "stop_required"
    ENTRY_LEVEL = "entry_level"
    GOOD_TILL = "good_till"
    STOP = "stop"
    LIMIT = "limit"
    GUARANTEED = "guaranteed"
    TRAILING = "trailing"
    DRIFT = "drift"
    EFFECT = "effect"


class Check(Struct, frozen=True):
    """One rule's verdict in words, and the setting that governs it, if one does."""

    rule: Rule
    passed: bool
    reason: str
    setting: str | None = None

    @property
    def words(self) -> str:
        """Return the verdict in one phrase, with the setting that governs it."""
        governed = f" ({self.setting})" if self.setting else ""
        return f"{self.rule.value}: {self.reason}{governed}"


class Policy(Limits, frozen=True):
    """What an order is held to: the user's own limits, and whether this environment may be traded on."""

    env: str
    trading_allowed: bool
    live_unlocked: bool = False
    live_reason: str = "it was not completed"


class Amends(Struct, frozen=True):
    """A deal that is there and is to be changed: no order, and new risk only by what it `adds`, in words.

    `loss` is what it then loses at its stop, in account currency; None without one: that is unlimited.
    `moves` and `ends` say whether a working order gets another level, and another expiry.
    """

    deal_id: str
    loss: Decimal | None
    adds: tuple[str, ...] = ()
    moves: bool = False
    ends: bool = False


class OpenRisk(Struct, frozen=True):
    """What counts beside the order, in account currency: the book, what is on its way, and the day so far.

    `risk` is the loss at stop of the same market and direction, and `unprotected` names what has no stop
    there; `total_risk` and `total_unprotected` are the same of all markets. `margin` is what the account's
    figures do not hold yet, and `unpriced` names what nobody can tell it of. `realised` is what was booked
    since 00:00 UTC.
    """

    risk: Decimal = Decimal(0)
    unprotected: str | None = None
    total_risk: Decimal = Decimal(0)
    total_unprotected: str | None = None
    margin: Decimal = Decimal(0)
    unpriced: str | None = None
    realised: Decimal = Decimal(0)


class Blocked(Struct, frozen=True):
    """What keeps every new order from being sent: a halt in words, unresolved attempts, the hour's orders.

    `in_market` are those of them that are orders in the same market: they may change the deals that an order
    reduces, so nobody can tell what that would do. `journal` is what is wrong with the journal, and
    `journal_next` the command that helps.
    """

    halt: str | None = None
    unresolved: tuple[str, ...] = ()
    wait_s: int = 0
    in_market: tuple[str, ...] = ()
    journal: str | None = None
    journal_next: str | None = None


class CheckInput(Struct, frozen=True):
    """Everything that the rules look at.

    `reference_entry` and `reference_effect` are the preview's, where it is about to be sent.
    `amends` is given where a deal that is there is judged (an amendment): `request` then names what changes.
    """

    policy: Policy
    request: OrderRequest
    market: Market
    rules: OrderRules
    account: Account
    figures: Figures
    open_positions: int
    waiting_orders: int
    orders_today: int
    now: datetime
    order_type: OrderType | None = None
    reference_entry: Decimal | None = None
    standing: OpenRisk = OpenRisk()
    amends: Amends | None = None
    effect: Effect | None = None
    reference_effect: Effect | None = None
    hedging: bool = False
    blocked: Blocked | None = None

    @property
    def only_reduces(self) -> bool:
        """Say whether the order takes risk away and adds none: then no limit stands in its way.

        A working order may meet another book when it fills, so it always counts as new risk.
        """
        reduces = self.effect is not None and self.effect.only_reduces
        return reduces and self.request.kind is Kind.MARKET

    @property
    def opened_share(self) -> Decimal:
        """Return the part of the order that opens something, from 0 to 1."""
        if self.effect is None or self.request.kind is Kind.WORKING:
            return Decimal(1)
        return EXACT.divide(self.effect.opens, self.request.size)


def trading(case: CheckInput) -> Check:
    on = case.policy.trading_allowed
    reason = f"trading is on for {case.policy.env}" if on else f"trading is off for {case.policy.env}"
    return Check(Rule.TRADING, on, reason, "CAP_ALLOW_TRADING")


def live(case: CheckInput) -> Check | None:
    if case.policy.env != "live":
        return None
    if case.policy.live_unlocked:
        return Check(Rule.LIVE, True, "the go-live checklist is complete")
    reason = f"trading on live is locked until the go-live checklist is complete: {case.policy.live_reason}"
    return Check(Rule.LIVE, False, reason)


def halt(case: CheckInput) -> Check | None:
    if case.blocked is None or case.blocked.halt is None:
        return None
    return Check(Rule.HALT, False, f"{case.blocked.halt.rstrip('.')}; capcli resume lifts it")


def unresolved(case: CheckInput) -> Check | None:
    blocked = case.blocked or Blocked()
    attempts = blocked.in_market if case.only_reduces else blocked.unresolved
    if not attempts:
        return None
    first, *more = attempts
    others = f" and {len(more)} more" if more else ""
    return Check(Rule.UNRESOLVED, False, f"{first}{others} may be live; capcli reconcile {first} checks it")


def hourly_orders(case: CheckInput) -> Check | None:
    if case.blocked is None or not case.blocked.wait_s:
        return None
    wait = f"this hour's opening orders are used up (1000 on demo); wait {case.blocked.wait_s} s"
    return Check(Rule.HOURLY_ORDERS, False, wait)


def journal(case: CheckInput) -> Check | None:
    if case.blocked is None or case.blocked.journal is None:
        return None
    return Check(Rule.JOURNAL, False, case.blocked.journal.rstrip("."))


def epic_allowed(case: CheckInput) -> Check:
    allowed, epic = case.policy.allowed_epics, case.request.epic
    if allowed is None:
        return Check(Rule.EPIC_ALLOWED, True, "every market is allowed", "CAP_ALLOWED_EPICS")
    listed = ", ".join(sorted(allowed))
    verb = "is among" if epic in allowed else "is not among"
    return Check(Rule.EPIC_ALLOWED, epic in allowed, f"{epic} {verb} {listed}", "CAP_ALLOWED_EPICS")


def market_open(case: CheckInput) -> Check:
    status = case.market.quote.status
    # A working order may rest while its market is merely closed; a suspended one takes none.
    resting = case.request.kind is Kind.WORKING and status in {MarketStatus.CLOSED, MarketStatus.EDITS_ONLY}
    if (forbidden := _forbidden_by_mode(case)) is not None:
        return Check(Rule.MARKET_OPEN, False, forbidden)
    if case.request.kind is Kind.MARKET and case.market.rules.market_orders is False:
        return Check(Rule.MARKET_OPEN, False, f"{case.request.epic} does not accept market orders")
    passed = status is MarketStatus.TRADEABLE or resting
    told = f"{case.request.epic} is {status.value}{_although_open(case)}"
    modes = [mode for mode in case.market.modes if mode != "REGULAR"]
    told += f", mode {', '.join(modes)}" if modes else ""
    told += "; a working order can wait" if resting else opening_told(case)
    return Check(Rule.MARKET_OPEN, passed, told)


# API page 18.8. A word that is in neither of these forbids nothing: the market's status decides.
_NO_DEALS = frozenset({"VIEW_ONLY", "VIEW_AND_REQUEST", "CLOSED_FOR_CORPORATE_ACTION"})
_CLOSE_ONLY, _LONG_ONLY = "CLOSE_ONLY", "LONG_ONLY"


def _forbidden_by_mode(case: CheckInput) -> str | None:
    """Say what the market's modes keep this order from doing; None where they allow it."""
    epic, modes = case.request.epic, case.market.modes
    if case.market.quote.status is not MarketStatus.TRADEABLE:
        return None
    if closed := [mode for mode in modes if mode in _NO_DEALS]:
        return f"{epic} accepts no orders now: {', '.join(closed)}"
    if case.only_reduces:
        return None
    if _CLOSE_ONLY in modes:
        return f"{epic} accepts only orders that close a position: {_CLOSE_ONLY}"
    if _LONG_ONLY in modes and case.request.side is Side.SELL:
        return f"{epic} accepts no order that opens a short position: {_LONG_ONLY}"
    return None


def _although_open(case: CheckInput) -> str:
    """Say that a market is closed inside its own opening hours, which was seen on demo (API page 18.9)."""
    week = Week(case.market.hours)
    closed = case.market.quote.status is MarketStatus.CLOSED
    return ", although its opening hours say open" if closed and week.known and week.is_open(case.now) else ""


def opening_told(case: CheckInput) -> str:
    """Say when a closed market usually opens next; empty where its hours do not tell."""
    closed = case.market.quote.status is MarketStatus.CLOSED
    opening = Week(case.market.hours).next_open(case.now) if closed else None
    return f"; it usually opens next at {opening:%Y-%m-%d %H:%M}Z" if opening else ""


def size_range(case: CheckInput) -> Check:
    rules, size = case.rules, case.request.size
    reason = f"{short(size)} of {short(rules.min_size)} to {short(rules.max_size)}"
    return Check(Rule.SIZE_RANGE, rules.min_size <= size <= rules.max_size, reason)


def size_step(case: CheckInput) -> Check:
    step, size = case.rules.size_step, case.request.size
    if on_grid(size, step):
        return Check(Rule.SIZE_STEP, True, f"{short(size)} is a multiple of {short(step)}")
    down, up = floor_to(size, step), ceil_to(size, step)
    near = _either(down, up)
    return Check(Rule.SIZE_STEP, False, f"{short(size)} is off the step of {short(step)}; nearest: {near}")


def _either(down: Decimal, up: Decimal) -> str:
    """Name the values on both sides; 0 is none that could be asked for."""
    return f"{short(down)} or {short(up)}" if down > 0 else short(up)


def max_size(case: CheckInput) -> Check | None:
    working = case.request.kind is Kind.WORKING
    setting = "CAP_MAX_WORKING_ORDER_SIZE" if working else "CAP_MAX_POSITION_SIZE"
    most = case.policy.max_working_order_size if working else case.policy.max_position_size
    if most is None:
        return None
    reason = f"{short(case.request.size)} of at most {short(most)}"
    return Check(Rule.MAX_SIZE, case.request.size <= most, reason, setting)


def open_positions(case: CheckInput) -> Check | None:
    most = case.policy.max_open_positions
    if most is None:
        return None
    # Each waiting order may become a position, so it counts as one.
    closed = case.effect.closed_deals if case.effect is not None and case.request.kind is Kind.MARKET else 0
    count = case.open_positions + case.waiting_orders - closed
    waiting = f", {case.waiting_orders} of them waiting orders" if case.waiting_orders else ""
    reason = f"{count} open{waiting} of at most {most}"
    return Check(Rule.OPEN_POSITIONS, count < most, reason, "CAP_MAX_OPEN_POSITIONS")


def orders_per_day(case: CheckInput) -> Check | None:
    most = case.policy.max_orders_per_day
    if most is None:
        return None
    reason = f"{case.orders_today} sent today (UTC) of at most {most}"
    return Check(Rule.ORDERS_PER_DAY, case.orders_today < most, reason, "CAP_MAX_ORDERS_PER_DAY")


def funds(case: CheckInput) -> Check:
    needed, available = case.figures.margin, case.figures.available
    if needed is None:
        return Check(Rule.FUNDS, False, "the broker sent no margin factor, so the margin cannot be known")
    currency = case.figures.account_currency
    needed = cents(needed * case.opened_share)
    freed = _freed(case)
    also = f", {freed:,f} of it freed by what it closes" if freed else ""
    available += freed
    reason = f"margin {needed:,f} of {available:,f} {currency} available{also}"
    return Check(Rule.FUNDS, needed <= available, reason)


def _freed(case: CheckInput) -> Decimal:
    """Return the margin that what the order closes sets free, in account currency."""
    if case.effect is None or case.request.kind is Kind.WORKING:
        return Decimal("0.00")
    return case.effect.margin_freed


def risk(case: CheckInput) -> Check | None:
    """Judge the loss at stop of a trade: what is open, waits or is on its way in its market and direction.

    Counted from the entry to the stop, the spread within; not what a gap, a fee or a guarantee costs besides.
    """
    percent, setting = case.policy.max_risk_pct, "CAP_MAX_RISK_PCT"
    if percent is None:
        return None
    own, other = _at_stop(case), case.standing
    bound = _share(case, percent)
    if own is None:
        return Check(
            Rule.RISK, False, f"without a stop the loss is unlimited; at most {bound.words}", setting
        )
    if other.unprotected is not None:
        reason = f"{other.unprotected} has no stop, so the loss there is unlimited; at most {bound.words}"
        return Check(Rule.RISK, False, reason, setting)
    there = f", {cents(other.risk):,f} of it there already" if other.risk else ""
    loss = cents(own + other.risk)
    reason = f"loss at stop {loss:,f}{there} of at most {bound.words}"
    return Check(Rule.RISK, loss <= bound.amount, reason, setting)


def total_risk(case: CheckInput) -> Check | None:
    """Judge the loss if every stop of the account is hit, this order's included."""
    percent, setting = case.policy.max_total_risk_pct, "CAP_MAX_TOTAL_RISK_PCT"
    if percent is None:
        return None
    own, other = _at_stop(case), case.standing
    bound = _share(case, percent)
    bare = _subject(case) if own is None else other.total_unprotected
    if own is None or bare is not None:
        reason = f"{bare} has no stop whose loss is known, so the total is unlimited; at most {bound.words}"
        return Check(Rule.TOTAL_RISK, False, reason, setting)
    there = f", {cents(other.total_risk):,f} of it there already" if other.total_risk else ""
    loss = cents(own + other.total_risk)
    reason = f"loss at all stops {loss:,f}{there} of at most {bound.words}"
    return Check(Rule.TOTAL_RISK, loss <= bound.amount, reason, setting)


def _subject(case: CheckInput) -> str:
    return case.amends.deal_id if case.amends is not None else "this order"


def margin(case: CheckInput) -> Check | None:
    """Judge the margin in use once this order is open: the account's, what is on its way, and its own."""
    percent, setting = case.policy.max_margin_pct, "CAP_MAX_MARGIN_PCT"
    if percent is None:
        return None
    own, other = case.figures.margin, case.standing
    if own is None or other.unpriced is not None:
        what = other.unpriced or "this market, for which the broker sent no margin factor"
        return Check(Rule.MARGIN, False, f"the margin cannot be known of {what}", setting)
    # API page 14.1: what is not available is margin in use.
    in_use = case.account.equity - case.account.available - _freed(case)
    used = cents(in_use + other.margin + own * case.opened_share)
    bound = _share(case, percent)
    return Check(
        Rule.MARGIN, used <= bound.amount, f"margin in use after {used:,f} of at most {bound.words}", setting
    )


def daily_loss(case: CheckInput) -> Check | None:
    """Judge the day: what was booked since 00:00 UTC, and what is being lost on open positions.

    An open gain makes up for nothing, for it can still go.
    """
    most = case.policy.max_daily_loss
    if most is None:
        return None
    booked, open_pl = cents(case.standing.realised), cents(min(case.account.open_pl, Decimal(0)))
    lost = max(-(booked + open_pl), Decimal("0.00"))
    reason = (
        f"lost {lost:,f} today (UTC) of at most {most:,f} {case.account.currency}: "
        f"booked {booked:,f}, open {open_pl:,f}"
    )
    return Check(Rule.DAILY_LOSS, lost < most, reason, "CAP_MAX_DAILY_LOSS")


def stop_required(case: CheckInput) -> Check | None:
    if not case.policy.require_stop:
        return None
    has = _at_stop(case) is not None
    reason = "it has a stop" if has else "it has no stop, and every order must have one"
    return Check(Rule.STOP_REQUIRED, has, reason, "CAP_REQUIRE_STOP")


class _Share(Struct, frozen=True):
    """A part of the equity, as an amount and in words."""

    amount: Decimal
    words: str


def _share(case: CheckInput, percent: Decimal) -> _Share:
    equity = max(case.account.equity, Decimal(0))
    amount = cents(equity * percent / 100)
    return _Share(amount, f"{amount:,f} {case.account.currency} ({short(percent)} % of equity {equity:,f})")


def _at_stop(case: CheckInput) -> Decimal | None:
    """Return the loss at stop of what is judged, None without a stop. A stop in gain loses nothing."""
    if case.amends is not None:
        return case.amends.loss
    if case.figures.stop is None:
        return None
    return max(case.figures.stop.amount, Decimal(0)) * case.opened_share


def entry_level(case: CheckInput) -> Check | None:
    trigger, quote, side = case.request.trigger, case.market.quote, case.request.side
    if trigger is None:
        return None
    step = case.rules.price_step
    if not on_grid(trigger.level, step):
        return Check(Rule.ENTRY_LEVEL, False, _off_step(trigger.level, step))
    price = quote.entry(side)
    below = trigger.level < price
    # A LIMIT waits for a better price, a STOP for a worse one.
    wants_below = (side is Side.BUY) is (case.order_type is OrderType.LIMIT)
    nearest = case.rules.min_stop_distance.at(price)
    if case.order_type is OrderType.STOP and below is wants_below and abs(trigger.level - price) < nearest:
        # API page 4.2: error.validation.stop.price stands for too near as well as for the wrong side.
        least = (floor_to if below else ceil_to)(price - nearest if below else price + nearest, step)
        bound = f"at {'most' if below else 'least'} {plain(least)}"
        return Check(
            Rule.ENTRY_LEVEL, False, f"a {side.value} STOP at {plain(trigger.level)} is too near: {bound}"
        )
    passed = trigger.level != price and below is wants_below
    where = "below" if below else "above"
    kind = case.order_type.value if case.order_type else "order"
    reason = f"a {side.value} {kind} at {plain(trigger.level)} is {where} the price {plain(price)}"
    return Check(Rule.ENTRY_LEVEL, passed, reason)


def good_till(case: CheckInput) -> Check | None:
    until = case.request.trigger.good_till if case.request.trigger else None
    if until is None:
        return None
    passed = until > case.now
    return Check(
        Rule.GOOD_TILL, passed, f"{until:%Y-%m-%d %H:%M:%S}Z is {'ahead' if passed else 'in the past'}"
    )


def stop(case: CheckInput) -> Check | None:
    return _leg_check(case, Rule.STOP, case.figures.stop, below=case.request.side is Side.BUY)


def limit(case: CheckInput) -> Check | None:
    return _leg_check(case, Rule.LIMIT, case.figures.limit, below=case.request.side is Side.SELL)


def _leg_check(case: CheckInput, rule: Rule, leg: ExitFigures | None, *, below: bool) -> Check | None:
    if leg is None:
        return None
    wrong = _leg_form_fault(case, rule, leg)
    if wrong:
        return Check(rule, False, wrong)
    return Check(rule, *_place_leg(case, rule, leg, below=below))


def _leg_form_fault(case: CheckInput, rule: Rule, leg: ExitFigures) -> str | None:
    step = case.rules.price_step
    if leg.form is ExitForm.AMOUNT and case.market.currency != case.account.currency:
        return (
            f"the broker does not say in which currency it reads a {rule.value} amount on a market in "
            f"{case.market.currency}; give a level or a distance"
        )
    if leg.form is ExitForm.LEVEL and not on_grid(leg.level, step):
        return _off_step(leg.level, step)
    asked = case.request.stop if rule is Rule.STOP else case.request.limit
    if asked is not None and leg.form is ExitForm.DISTANCE and not on_grid(asked.value, step):
        return _off_step(asked.value, step)
    return None


def _place_leg(case: CheckInput, rule: Rule, leg: ExitFigures, *, below: bool) -> tuple[bool, str]:
    word = rule.value
    price = exit_base(case.request, case.market)
    sign, side = (-1, "below") if below else (1, "above")
    away = (leg.level - price) * sign
    if away <= 0 or leg.level <= 0:
        owner = f"a {case.request.side.value}'s {word}"
        return False, f"{owner} belongs {side} {plain(price)}, not at {plain(leg.level)}"
    # Percent are of the live quote, also for a leg measured from an order's level (API page 8.2).
    live = case.market.quote.exit(case.request.side)
    nearest, farthest = _nearest(case, rule).at(live), case.rules.max_stop_distance.at(live)
    step = case.rules.price_step
    outward, inward = (floor_to, ceil_to) if below else (ceil_to, floor_to)
    if away < nearest:
        least = outward(price + sign * nearest, step)
        bound = (
            f"at {'most' if below else 'least'} {plain(least)}" if least > 0 else "there is no room for one"
        )
        return False, f"{word} {plain(leg.level)} is too near: {bound}"
    if away > farthest:
        most = max(inward(price + sign * farthest, step), step)
        bound = f"at {'least' if below else 'most'} {plain(most)}"
        return False, f"{word} {plain(leg.level)} is too far: {bound}"
    far = f"{short(percent_of(away, price))} % {side} {_base(case)} {plain(price)}"
    return True, f"{plain(leg.level)} is {far}"


def _base(case: CheckInput) -> str:
    """Name what a leg is measured from: where a position would close now, or an order's own level."""
    if case.request.trigger is not None:
        return "the order's level"
    return "the bid" if case.request.side is Side.BUY else "the offer"


def _nearest(case: CheckInput, rule: Rule) -> Distance:
    guaranteed_least = case.market.rules.min_guaranteed_stop_distance
    if rule is Rule.STOP and case.request.guaranteed and guaranteed_least is not None:
        return guaranteed_least
    return case.rules.min_stop_distance


def guaranteed(case: CheckInput) -> Check | None:
    if not case.request.guaranteed:
        return None
    if case.hedging:
        # API page 6.4; the broker's word for it is HEDGING_MODE_GSL (section 18.6).
        reason = "guaranteed stops are not available in hedging mode (capcli accounts preferences)"
        return Check(Rule.GUARANTEED, False, reason)
    if not case.market.guaranteed_stops:
        return Check(Rule.GUARANTEED, False, f"{case.request.epic} offers no guaranteed stops")
    if case.market.rules.min_guaranteed_stop_distance is None:
        return Check(Rule.GUARANTEED, False, "the broker sent no minimum distance for a guaranteed stop")
    return Check(Rule.GUARANTEED, True, f"{case.request.epic} offers guaranteed stops")


def trailing(case: CheckInput) -> Check | None:
    if not case.request.trailing:
        return None
    offered = case.market.rules.trailing_stops is True
    word = "offers" if offered else "offers no"
    return Check(Rule.TRAILING, offered, f"{case.request.epic} {word} trailing stops")


def drift(case: CheckInput) -> Check | None:
    then = case.reference_entry
    if then is None or then == 0 or case.request.trigger is not None:
        return None
    now, most = case.market.quote.entry(case.request.side), case.policy.max_drift_pct
    moved = abs(now - then) * 100 / then
    reason = (
        f"the price moved {moved:.3f} % since the preview ({plain(then)} to {plain(now)}), at most {most} %"
    )
    return Check(Rule.DRIFT, moved <= most, reason, "CAP_MAX_DRIFT_PCT")


def effect(case: CheckInput) -> Check | None:
    """Judge whether a market order still does to the open deals what its preview said."""
    then, now = case.reference_effect, case.effect
    if then is None or now is None or case.request.kind is Kind.WORKING:
        return None
    if (then.closes, then.opens) == (now.closes, now.opens):
        return Check(Rule.EFFECT, True, f"it closes {short(now.closes)} and opens {short(now.opens)}")
    reason = (
        f"the preview closed {short(then.closes)} and opened {short(then.opens)}; now it would close "
        f"{short(now.closes)} and open {short(now.opens)}"
    )
    return Check(Rule.EFFECT, False, reason)


def _off_step(level: Decimal, step: Decimal) -> str:
    down, up = floor_to(level, step), ceil_to(level, step)
    return f"{plain(level)} is off the price step of {short(step)}; nearest: {_either(down, up)}"


RULES: tuple[Callable[[CheckInput], Check | None], ...] = (
    trading,
    live,
    halt,
    unresolved,
    hourly_orders,
    journal,
    epic_allowed,
    market_open,
    size_range,
    size_step,
    max_size,
    open_positions,
    orders_per_day,
    funds,
    risk,
    total_risk,
    margin,
    daily_loss,
    stop_required,
    entry_level,
    good_till,
    stop,
    limit,
    guaranteed,
    trailing,
    drift,
    effect,
)


# What keeps new risk away: an order that only reduces passes all of them.
_NEW_RISK: frozenset[Callable[[CheckInput], Check | None]] = frozenset(
    {
        halt,
        epic_allowed,
        max_size,
        open_positions,
        orders_per_day,
        funds,
        risk,
        total_risk,
        margin,
        daily_loss,
        stop_required,
    }
)


# An amendment that adds risk is judged by these, one that only tightens by none of them.
_AMENDED_RISK: frozenset[Callable[[CheckInput], Check | None]] = frozenset(
    {halt, unresolved, journal, epic_allowed, risk, total_risk, daily_loss, stop_required}
)
_AMENDED: frozenset[Callable[[CheckInput], Check | None]] = frozenset(
    {trading, live, stop, limit, guaranteed, trailing}
)


def _applies(rule: Callable[[CheckInput], Check | None], case: CheckInput) -> bool:
    """Say whether a rule is about this case: what only reduces or tightens passes every limit."""
    change = case.amends
    if change is None:
        return not (rule in _NEW_RISK and case.only_reduces)
    if rule is good_till:
        return change.ends
    if rule in {entry_level, margin}:
        return change.moves
    return rule in _AMENDED or (rule in _AMENDED_RISK and bool(change.adds))


def evaluate(case: CheckInput) -> tuple[Check, ...]:
    """Return the verdict of every rule that applies, all at once; rules that do not apply are left out."""
    with localcontext(EXACT):
        return tuple(_verdicts(case))


def _verdicts(case: CheckInput) -> Iterator[Check]:
    for rule in RULES:
        verdict = rule(case) if _applies(rule, case) else None
        if verdict is not None:
            yield verdict

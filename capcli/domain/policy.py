"""What may be sent: pure rules over one `CheckInput`, evaluated at the preview and again before the send."""

from collections.abc import Callable, Collection
from decimal import Decimal, localcontext
from enum import StrEnum

from msgspec import Struct

from capcli.domain import level_rules
from capcli.domain.candle_gaps import Week
from capcli.domain.check_input import Amends, Blocked, CheckInput, RuleResult
from capcli.domain.market import MarketStatus, Side
from capcli.domain.money import EXACT, cents, on_grid, plain, short
from capcli.domain.order import Kind


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
    """One rule's result in words, and its setting, if it has one."""

    rule: Rule
    passed: bool
    reason: str
    setting: str | None = None

    @property
    def words(self) -> str:
        """Return the result in one phrase, with its setting."""
        governed = f" ({self.setting})" if self.setting else ""
        return f"{self.rule.value}: {self.reason}{governed}"


def _trading(check: CheckInput) -> RuleResult:
    on = check.policy.trading_allowed
    return on, f"trading is {'on' if on else 'off'} for {check.policy.env}"


def _live(check: CheckInput) -> RuleResult:
    if check.policy.env != "live":
        return None
    if check.policy.live_unlocked:
        return True, "the go-live checklist is complete"
    locked = "trading on live is locked until the go-live checklist is complete"
    return False, f"{locked}: {check.policy.live_reason}"


def _halt(check: CheckInput) -> RuleResult:
    if check.blocked is None or check.blocked.halt is None:
        return None
    return False, f"{check.blocked.halt.rstrip('.')}; capcli resume lifts it"


def _unresolved(check: CheckInput) -> RuleResult:
    blocked = check.blocked or Blocked()
    attempts = blocked.in_market if check.only_reduces else blocked.unresolved
    if not attempts:
        return None
    first, *more = attempts
    others = f" and {len(more)} more" if more else ""
    return False, f"{first}{others} may be live; capcli reconcile {first} checks it"


def _hourly_orders(check: CheckInput) -> RuleResult:
    if check.blocked is None or not check.blocked.wait_s:
        return None
    return False, f"this hour's opening orders are used up (1000 on demo); wait {check.blocked.wait_s} s"


def _journal(check: CheckInput) -> RuleResult:
    if check.blocked is None or check.blocked.journal is None:
        return None
    return False, check.blocked.journal.rstrip(".")


def _epic_allowed(check: CheckInput) -> RuleResult:
    allowed, epic = check.policy.allowed_epics, check.request.epic
    if allowed is None:
        return True, "every market is allowed"
    among = "is among" if epic in allowed else "is not among"
    return epic in allowed, f"{epic} {among} {', '.join(sorted(allowed))}"


# API page 18.8. Any other word forbids nothing: the market's status decides.
_NO_DEALS = frozenset({"VIEW_ONLY", "VIEW_AND_REQUEST", "CLOSED_FOR_CORPORATE_ACTION"})
_CLOSE_ONLY, _LONG_ONLY = "CLOSE_ONLY", "LONG_ONLY"


def _market_open(check: CheckInput) -> RuleResult:
    market, epic = check.market, check.request.epic
    status, is_market_order = market.quote.status, check.request.kind is Kind.MARKET
    if status is MarketStatus.TRADEABLE:
        if closed := [mode for mode in market.modes if mode in _NO_DEALS]:
            return False, f"{epic} accepts no orders now: {', '.join(closed)}"
        if not check.only_reduces and _CLOSE_ONLY in market.modes:
            return False, f"{epic} accepts only orders that close a position: {_CLOSE_ONLY}"
        if not check.only_reduces and _LONG_ONLY in market.modes and check.request.side is Side.SELL:
            return False, f"{epic} accepts no order that opens a short position: {_LONG_ONLY}"
    if is_market_order and market.rules.market_orders is False:
        return False, f"{epic} does not accept market orders"
    # A working order can be placed while its market is closed, but not while it is suspended.
    waits = not is_market_order and status in {MarketStatus.CLOSED, MarketStatus.EDITS_ONLY}
    # Closed inside its own opening hours: seen on demo (API page 18.9).
    week = Week(market.hours)
    odd = status is MarketStatus.CLOSED and week.known and week.is_open(check.now)
    modes = [mode for mode in market.modes if mode != "REGULAR"]
    text = f"{epic} is {status.value}{', although its opening hours say open' if odd else ''}"
    text += f", mode {', '.join(modes)}" if modes else ""
    text += "; a working order can wait" if waits else next_opening(check)
    return status is MarketStatus.TRADEABLE or waits, text


def next_opening(check: CheckInput) -> str:
    """Say when a closed market usually opens next; empty without hours."""
    closed = check.market.quote.status is MarketStatus.CLOSED
    opening = Week(check.market.hours).next_open(check.now) if closed else None
    return f"; it usually opens next at {opening:%Y-%m-%d %H:%M}Z" if opening else ""


def _size_range(check: CheckInput) -> RuleResult:
    rules, size = check.rules, check.request.size
    bounds = f"{short(rules.min_size)} to {short(rules.max_size)}"
    return rules.min_size <= size <= rules.max_size, f"{short(size)} of {bounds}"


def _size_step(check: CheckInput) -> RuleResult:
    step, size = check.rules.size_step, check.request.size
    if on_grid(size, step):
        return True, f"{short(size)} is a multiple of {short(step)}"
    return (
        False,
        f"{short(size)} is off the step of {short(step)}; nearest: {level_rules.nearest_on(step, size)}",
    )


def _max_position_size(check: CheckInput) -> RuleResult:
    return None if check.request.trigger else _at_most(check.request.size, check.policy.max_position_size)


def _max_order_size(check: CheckInput) -> RuleResult:
    return (
        _at_most(check.request.size, check.policy.max_working_order_size) if check.request.trigger else None
    )


def _at_most(size: Decimal, most: Decimal | None) -> RuleResult:
    return None if most is None else (size <= most, f"{short(size)} of at most {short(most)}")


def _open_positions(check: CheckInput) -> RuleResult:
    most = check.policy.max_open_positions
    if most is None:
        return None
    # Each waiting order may become a position, so it counts as one.
    closed = check.effect.closed_deals if check.effect is not None and not check.request.trigger else 0
    count = len(check.open_in) + len(check.waiting_in) - closed
    waiting = f", {len(check.waiting_in)} of them waiting orders" if check.waiting_in else ""
    return count < most, f"{count} open{waiting} of at most {most}"


def _orders_per_day(check: CheckInput) -> RuleResult:
    most = check.policy.max_orders_per_day
    if most is None:
        return None
    return check.orders_today < most, f"{check.orders_today} sent today (UTC) of at most {most}"


def _funds(check: CheckInput) -> RuleResult:
    if check.figures.margin is None:
        return False, "the broker sent no margin factor, so the margin cannot be known"
    freed = _freed(check)
    needed, available = cents(check.figures.margin * check.opened_share), check.figures.available + freed
    also = f", {freed:,f} of it freed by what it closes" if freed else ""
    return needed <= available, (
        f"margin {needed:,f} of {available:,f} {check.figures.account_currency} available{also}"
    )


def _freed(check: CheckInput) -> Decimal:
    """Return the margin that the order's closes free, in account currency."""
    if check.effect is None or check.request.trigger:
        return Decimal("0.00")
    return check.effect.margin_freed


def _risk(check: CheckInput) -> RuleResult:
    """Check the loss at stop in the order's market and direction: open, waiting, in flight, and its own.

    From entry to stop, spread included; not a gap, a fee or the price of a guarantee.
    """
    if check.policy.max_risk_pct is None:
        return None
    own, other = _at_stop(check), check.open_risk
    most, bound = _share(check, check.policy.max_risk_pct)
    if own is None:
        return False, f"without a stop the loss is unlimited; {bound}"
    if other.unprotected is not None:
        return False, f"{other.unprotected} has no stop, so the loss there is unlimited; {bound}"
    there = f", {cents(other.risk):,f} of it there already" if other.risk else ""
    loss = cents(own + other.risk)
    return loss <= most, f"loss at stop {loss:,f}{there} of {bound}"


def _total_risk(check: CheckInput) -> RuleResult:
    """Check the loss if every stop of the account is hit, this order's included."""
    if check.policy.max_total_risk_pct is None:
        return None
    own, other = _at_stop(check), check.open_risk
    most, bound = _share(check, check.policy.max_total_risk_pct)
    subject = check.amends.deal_id if check.amends is not None else "this order"
    bare = subject if own is None else other.total_unprotected
    if own is None or bare is not None:
        return False, f"{bare} has no stop whose loss is known, so the total is unlimited; {bound}"
    there = f", {cents(other.total_risk):,f} of it there already" if other.total_risk else ""
    loss = cents(own + other.total_risk)
    return loss <= most, f"loss at all stops {loss:,f}{there} of {bound}"


def _margin(check: CheckInput) -> RuleResult:
    """Check the margin in use once this order is open: the account's, orders in flight, and its own."""
    if check.policy.max_margin_pct is None:
        return None
    own, other = check.figures.margin, check.open_risk
    if own is None or other.unpriced is not None:
        what = other.unpriced or "this market, for which the broker sent no margin factor"
        return False, f"the margin cannot be known of {what}"
    # API page 14.1: equity less available is margin in use.
    in_use = check.account.equity - check.account.available - _freed(check)
    used = cents(in_use + other.margin + own * check.opened_share)
    most, bound = _share(check, check.policy.max_margin_pct)
    return used <= most, f"margin in use after {used:,f} of {bound}"


def _share(check: CheckInput, percent: Decimal) -> tuple[Decimal, str]:
    """Return a part of the equity, as an amount and in words."""
    equity, currency = max(check.account.equity, Decimal(0)), check.account.currency
    most = cents(equity * percent / 100)
    return most, f"at most {most:,f} {currency} ({short(percent)} % of equity {equity:,f})"


def _daily_loss(check: CheckInput) -> RuleResult:
    """Check the day's loss: booked since 00:00 UTC, plus open losses; open gains do not count."""
    most = check.policy.max_daily_loss
    if most is None:
        return None
    booked, open_pl = cents(check.open_risk.realised), cents(min(check.account.open_pl, Decimal(0)))
    lost = max(-(booked + open_pl), Decimal("0.00"))
    bound = f"at most {most:,f} {check.account.currency}"
    return lost < most, f"lost {lost:,f} today (UTC) of {bound}: booked {booked:,f}, open {open_pl:,f}"


def _stop_required(check: CheckInput) -> RuleResult:
    if not check.policy.require_stop:
        return None
    has_stop = _at_stop(check) is not None
    return has_stop, "it has a stop" if has_stop else "it has no stop, and every order must have one"


def _at_stop(check: CheckInput) -> Decimal | None:
    """Return the loss at stop of the order or change, None without a stop. A stop in gain loses nothing."""
    if check.amends is not None:
        return check.amends.loss
    if check.figures.stop is None:
        return None
    return max(check.figures.stop.amount, Decimal(0)) * check.opened_share


def _drift(check: CheckInput) -> RuleResult:
    then, most = check.reference_entry, check.policy.max_drift_pct
    if not then or check.request.trigger is not None:
        return None
    now = check.market.quote.entry(check.request.side)
    moved = abs(now - then) * 100 / then
    span = f"{plain(then)} to {plain(now)}"
    return moved <= most, f"the price moved {moved:.3f} % since the preview ({span}), at most {most} %"


def _effect(check: CheckInput) -> RuleResult:
    """Check that a market order still affects the open deals as previewed."""
    then, now = check.reference_effect, check.effect
    if then is None or now is None or check.request.trigger:
        return None
    if (then.closes, then.opens) == (now.closes, now.opens):
        return True, f"it closes {short(now.closes)} and opens {short(now.opens)}"
    return False, (
        f"the preview closed {short(then.closes)} and opened {short(then.opens)}; now it would close "
        f"{short(now.closes)} and open {short(now.opens)}"
    )


class _Entry(Struct, frozen=True):
    """A rule in the table, and the `setting` that governs it. `new_risk`: orders that only reduce pass it.

    `amended`: the amendments it applies to; none by default.
    """

    rule: Rule
    evaluate: Callable[[CheckInput], RuleResult]
    setting: str | None = None
    new_risk: bool = False
    amended: Callable[[Amends], bool] = lambda _: False

    def applies(self, check: CheckInput) -> bool:
        if check.amends is not None:
            return self.amended(check.amends)
        return not (self.new_risk and check.only_reduces)


def _always(_: Amends) -> bool:
    return True


def _adds(change: Amends) -> bool:
    return bool(change.adds)


def _moves(change: Amends) -> bool:
    return change.moves


_TABLE = (
    _Entry(Rule.TRADING, _trading, "CAP_ALLOW_TRADING", amended=_always),
    _Entry(Rule.LIVE, _live, amended=_always),
    _Entry(Rule.HALT, _halt, new_risk=True, amended=_adds),
    _Entry(Rule.UNRESOLVED, _unresolved, amended=_adds),
    _Entry(Rule.HOURLY_ORDERS, _hourly_orders),
    _Entry(Rule.JOURNAL, _journal, amended=_adds),
    _Entry(Rule.EPIC_ALLOWED, _epic_allowed, "CAP_ALLOWED_EPICS", new_risk=True, amended=_adds),
    _Entry(Rule.MARKET_OPEN, _market_open),
    _Entry(Rule.SIZE_RANGE, _size_range),
    _Entry(Rule.SIZE_STEP, _size_step),
    _Entry(Rule.MAX_SIZE, _max_position_size, "CAP_MAX_POSITION_SIZE", new_risk=True),
    _Entry(Rule.MAX_SIZE, _max_order_size, "CAP_MAX_WORKING_ORDER_SIZE", new_risk=True),
    _Entry(Rule.OPEN_POSITIONS, _open_positions, "CAP_MAX_OPEN_POSITIONS", new_risk=True),
    _Entry(Rule.ORDERS_PER_DAY, _orders_per_day, "CAP_MAX_ORDERS_PER_DAY", new_risk=True),
    _Entry(Rule.FUNDS, _funds, new_risk=True),
    _Entry(Rule.RISK, _risk, "CAP_MAX_RISK_PCT", new_risk=True, amended=_adds),
    _Entry(Rule.TOTAL_RISK, _total_risk, "CAP_MAX_TOTAL_RISK_PCT", new_risk=True, amended=_adds),
    _Entry(Rule.MARGIN, _margin, "CAP_MAX_MARGIN_PCT", new_risk=True, amended=_moves),
    _Entry(Rule.DAILY_LOSS, _daily_loss, "CAP_MAX_DAILY_LOSS", new_risk=True, amended=_adds),
    _Entry(Rule.STOP_REQUIRED, _stop_required, "CAP_REQUIRE_STOP", new_risk=True, amended=_adds),
    _Entry(Rule.ENTRY_LEVEL, level_rules.entry_level, amended=_moves),
    _Entry(Rule.GOOD_TILL, level_rules.good_till, amended=lambda change: change.ends),
    _Entry(Rule.STOP, level_rules.stop, amended=_always),
    _Entry(Rule.LIMIT, level_rules.limit, amended=_always),
    _Entry(Rule.GUARANTEED, level_rules.guaranteed, amended=_always),
    _Entry(Rule.TRAILING, level_rules.trailing, amended=_always),
    _Entry(Rule.DRIFT, _drift, "CAP_MAX_DRIFT_PCT"),
    _Entry(Rule.EFFECT, _effect),
)


def evaluate(check: CheckInput, only: Collection[Rule] = frozenset(Rule)) -> tuple[Check, ...]:
    """Return the results of all rules that apply."""
    with localcontext(EXACT):
        return tuple(
            Check(entry.rule, *verdict, entry.setting)
            for entry in _TABLE
            if entry.rule in only and entry.applies(check) and (verdict := entry.evaluate(check)) is not None
        )

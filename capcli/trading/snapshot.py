"""Reads the rules' input: market, account, book and the day's orders, in one round of requests."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from msgspec.structs import replace

from capcli.context import AccountSnapshot, Context
from capcli.domain.account import (
    Account,
    Activity,
    OrderType,
    Position,
)
from capcli.domain.attempt import (
    AttemptState,
)
from capcli.domain.check_input import Amends, Blocked, CheckInput
from capcli.domain.effect import AccountBook, effect_of
from capcli.domain.market import Market, MarketDetails, OrderRules
from capcli.domain.money import EXACT
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.sizing import figures
from capcli.domain.stored_order import StoredOrder, read_order
from capcli.errors import (
    CapcliError,
    RulesMissing,
)
from capcli.fanout import together
from capcli.marketdata.conversion import conversion_rate, known_rates, rates_of
from capcli.ports import Broker
from capcli.reconcile.deal_account import active_account
from capcli.trading.open_risk import (
    Book,
    InFlightOrder,
    foreign_orders,
    in_flight_orders,
    open_risk,
    orders_on,
    total_at_stops,
)


def take_snapshot(
    context: Context,
    request: OrderRequest,
    *,
    with_orders: bool,
    account_id: str | None = None,
    opening: bool = True,
) -> AccountSnapshot:
    """Read everything the checks need, in parallel. Working orders only if a rule or a baseline needs them.

    `account_id` is the active account where that was just read; the day so far counts only for what is
    `opening`. Raises EpicUnknown, RulesMissing and whatever a read raises.
    """
    broker = context.broker
    reads: list[Any] = [
        lambda: account_id or broker.session().account_id,
        lambda: broker.market(request.epic),
        broker.accounts,
        broker.positions,
        # Hedging decides what an opposite order does, so it is never read from the cache.
        lambda: broker.preferences(fresh=opening),
    ]
    policy, now = context.policy, context.broker.broker_time() or context.clock()
    # Each daily limit costs one more read while it is set.
    more: dict[str, Callable[[], Any]] = {}
    if with_orders or policy.counts_deals:
        more["orders"] = broker.orders
    if opening and policy.max_orders_per_day is not None:
        more["activity"] = lambda: broker.activity(broker_midnight(now), now)
    if opening and policy.max_daily_loss is not None:
        more["bookings"] = lambda: broker.transactions(broker_midnight(now), None)
    active, market, accounts, positions, preferences, *rest = together(*reads, *more.values())
    found = dict(zip(more, rest, strict=True))
    rules, account = order_rules(market), active_account(accounts, active)
    # An amendment needs other deals' rates only for the total loss at all stops.
    counts_all = policy.max_total_risk_pct is not None
    return AccountSnapshot(
        account_id=active,
        market=market,
        rules=rules,
        account=account,
        positions=positions,
        orders=found.get("orders", ()),
        orders_today=orders_today(context, active, found.get("activity", ())) if opening else 0,
        preferences=preferences,
        rates=_rates(broker, market, account, positions if opening or counts_all else ()),
        bookings=found.get("bookings", ()),
    )


# A send takes 35 s at most, and the wait for its confirmation 15 s.
_UNDER_WAY = timedelta(seconds=60)


def _rates(
    broker: Broker, market: Market, account: Account, positions: tuple[Position, ...]
) -> dict[str, Decimal]:
    """Return the rates of the market's currency, and if known of other deals. Raises NoConversion."""
    own, target = market.currency, account.currency
    others = sorted({row.currency for row in positions})
    try:
        return rates_of(broker, (own, *others), target)
    except CapcliError:
        return known_rates(broker, others, target) | {own: conversion_rate(broker, own, target)}


def order_rules(market: MarketDetails) -> OrderRules:
    """Return the market's dealing rules. Raises RulesMissing: missing rules are never invented."""
    rules = market.rules.for_orders()
    if rules is None:
        raise RulesMissing(
            f"The broker sent {market.epic} without {', '.join(market.rules.missing())}; "
            "an order cannot be checked without it.",
            "Nothing was sent.",
            next=f"capcli markets show {market.epic}",
        )
    return rules


def check_input(
    context: Context,
    snapshot: AccountSnapshot,
    request: OrderRequest,
    order_type: OrderType | None,
    *,
    previewed: StoredOrder | None = None,
    amends: Amends | None = None,
) -> CheckInput:
    """Combine the snapshot and the request into the rules' input.

    `previewed` is the order's preview, where it is about to be sent. `amends` is the change of a deal that is
    there already: that is no order, and has no effect on other deals.
    """
    apart = amends.deal_id if amends else None
    is_risk = amends is None or bool(amends.adds)
    rate = snapshot.rates[snapshot.market.currency]
    money = figures(request, snapshot.market, snapshot.account, rate, snapshot.preferences)
    there = AccountBook(snapshot.account, snapshot.positions, snapshot.preferences, snapshot.rates)
    effect = None if amends else effect_of(request, snapshot.market, money, there)
    in_flight: tuple[InFlightOrder, ...] = ()
    if context.policy.counts_in_flight:
        place = (context.env, context.broker.host, snapshot.account_id)
        in_flight = in_flight_orders(context.journal, place, snapshot.positions, snapshot.orders)
    book = Book(snapshot.positions, snapshot.orders, in_flight)
    with localcontext(EXACT):
        beside = open_risk(book, request, money, snapshot.bookings, apart)
        total, bare = total_at_stops(book, snapshot.market, snapshot.rates, effect, apart)
    return CheckInput(
        policy=context.policy,
        request=request,
        market=snapshot.market,
        rules=snapshot.rules,
        account=snapshot.account,
        figures=money,
        open_in=book.epics(Kind.MARKET),
        waiting_in=book.epics(Kind.WORKING),
        orders_today=snapshot.orders_today,
        now=context.clock(),
        order_type=order_type,
        reference_entry=previewed.entry if previewed else None,
        reference_effect=previewed.effect if previewed else None,
        open_risk=replace(beside, total_risk=total, total_unprotected=bare),
        amends=amends,
        effect=effect,
        hedging=snapshot.preferences.hedging,
        blocked=_blocked(context, snapshot.account_id, request.epic) if is_risk else None,
    )


def with_day(context: Context, snapshot: AccountSnapshot) -> AccountSnapshot:
    """Add the day's result so far, if a limit needs it: only new risk waits for it."""
    if context.policy.max_daily_loss is None:
        return snapshot
    midnight = broker_midnight(context.broker.broker_time() or context.clock())
    return replace(snapshot, bookings=context.broker.transactions(midnight, None))


def _blocked(context: Context, account_id: str, epic: str) -> Blocked:
    """Return what blocks new orders, as far as this computer knows."""
    current, now, journal = context.halt.read(), context.clock(), context.journal
    fault = None
    try:
        journal.require_intact()
    except CapcliError as error:
        # It was changed, or replaced by an older copy.
        fault = error
    unresolved, in_market = [], []
    for attempt in journal.unresolved(context.env, context.broker.host, account_id):
        sending = attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}
        if sending and now - attempt.created_at < _UNDER_WAY:
            # Another process is sending it right now and will be done in a moment.
            continue
        unresolved.append(attempt.attempt_id)
        preview = journal.preview(attempt.preview_id or "") if attempt.kind.is_order else None
        if preview is not None and read_order(preview.document).request.epic == epic:
            in_market.append(attempt.attempt_id)
    return Blocked(
        halt=current.words if current is not None else None,
        unresolved=tuple(unresolved),
        in_market=tuple(in_market),
        wait_s=context.broker.opening_wait_s(),
        journal=fault.message if fault else None,
        journal_next=fault.next if fault else None,
    )


def orders_today(context: Context, account_id: str, activity: tuple[Activity, ...]) -> int:
    """Count the orders of this UTC day: ours from the journal, others from the activity.

    The activity can be a minute late (API page 10.1), so two computers may overshoot by what both send in it.
    """
    if context.policy.max_orders_per_day is None:
        return 0
    place = (context.env, context.broker.host, account_id)
    midnight = broker_midnight(context.broker.broker_time() or context.clock())
    sent = context.journal.recent(*place, min(midnight, context.clock()) - timedelta(days=1))
    begun = (attempt for attempt in context.journal.unresolved(*place) if attempt.sent_at is None)
    ours = orders_on(midnight, (*sent, *begun))
    return len(ours) + len(foreign_orders(activity, sent, context.journal))


def broker_midnight(at: datetime) -> datetime:
    """Return the start of the UTC day at the broker."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)

"""Gathers what the policy looks at: market, account, book and the day's orders, in one round of reads."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.context import AccountSnapshot, Context
from capcli.domain.account import (
    Account,
    Activity,
    OrderType,
    Position,
)
from capcli.domain.attempt import (
    AttemptRecord,
    AttemptState,
    PreviewRecord,
    PreviewState,
    has_outlived,
    is_from_the_future,
)
from capcli.domain.check_input import Amends, Blocked, CheckInput, OpenRisk
from capcli.domain.effect import AccountBook, Effect, effect_of
from capcli.domain.market import Market, MarketDetails, OrderRules
from capcli.domain.money import EXACT
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.sizing import Figures, figures
from capcli.domain.stored_order import StoredOrder, read_order
from capcli.errors import (
    CapcliError,
    Halted,
    Interrupted,
    JournalUnreadable,
    RulesMissing,
)
from capcli.fanout import together
from capcli.marketdata.conversion import conversion_rate, known_rates, rates_of
from capcli.ports import AttemptBook, Broker, Journal
from capcli.reconcile.deal_account import active_account
from capcli.safety.halt import refuse_while_halted
from capcli.trading.open_risk import (
    Book,
    InFlightOrder,
    counts_in_flight,
    foreign_orders,
    in_flight_orders,
    open_risk,
    orders_on,
    total_at_stops,
)

if TYPE_CHECKING:
    pass


def life_fault(context: Context, preview: PreviewRecord) -> str | None:
    """Say why a preview cannot be used any more by this computer's clock and journal; None while it can."""
    if preview.expires_at <= context.clock():
        return f"expired at {preview.expires_at:%H:%M:%S}Z."
    if preview.state is PreviewState.EXPIRED:
        return "was made before the journal was accepted, so it is not known whether it was sent."
    return None


def clock_fault(context: Context, preview: PreviewRecord) -> str | None:
    """Say why a preview is too old or too new by the broker's clock, which was just read; None if it is not.

    The paper broker's market time can be faster than ours, so there only our own clock is held against it.
    """
    now, broker_now = context.clock(), context.broker.broker_time()
    if is_from_the_future(preview, now, broker_now):
        return (
            f"was made at {preview.created_at:%H:%M:%S}Z by this computer's clock, and now it is "
            f"{broker_now or now:%H:%M:%S}Z at the broker: the clock was ahead."
        )
    if context.env != "paper" and has_outlived(preview, broker_now):
        return "has expired by the broker's clock."
    return None


def take_snapshot(
    context: Context,
    request: OrderRequest,
    *,
    with_orders: bool,
    account_id: str | None = None,
    opening: bool = True,
) -> AccountSnapshot:
    """Read everything a check needs, at the same time. Working orders only where a rule or a baseline asks.

    `account_id` is the active account where that was just read; the day so far counts only for what is
    `opening`. Raises EpicUnknown, RulesMissing and whatever a read raises.
    """
    broker = context.broker
    reads: list[Any] = [
        lambda: account_id or broker.session().account_id,
        lambda: broker.market(request.epic),
        broker.accounts,
        broker.positions,
        # Hedging decides what an opposite order does, so it is never an old answer.
        lambda: broker.preferences(fresh=opening),
    ]
    more = _more_reads(context, with_orders=with_orders, opening=opening)
    active, market, accounts, positions, preferences, *rest = together(*reads, *more.values())
    found = dict(zip(more, rest, strict=True))
    rules, account = order_rules(market), active_account(accounts, active)
    # An amendment needs the rates of other deals for the total at all stops alone.
    counts_all = context.policy.max_total_risk_pct is not None
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


def _rates(
    broker: Broker, market: Market, account: Account, positions: tuple[Position, ...]
) -> dict[str, Decimal]:
    """Return the rate of the market's currency, which an order needs, and of the other deals' where known.

    Raises NoConversion.
    """
    own, target = market.currency, account.currency
    others = sorted({row.currency for row in positions})
    try:
        return rates_of(broker, (own, *others), target)
    except CapcliError:
        return known_rates(broker, others, target) | {own: conversion_rate(broker, own, target)}


def _more_reads(context: Context, *, with_orders: bool, opening: bool) -> dict[str, Callable[[], Any]]:
    """Return the reads that only some cases need: each limit on the day costs one while it is set."""
    broker, policy = context.broker, context.policy
    counts_waiting = policy.max_open_positions is not None
    limits = (policy.max_risk_pct, policy.max_total_risk_pct, policy.max_margin_pct)
    more: dict[str, Callable[[], Any]] = {}
    if with_orders or counts_waiting or any(limit is not None for limit in limits):
        more["orders"] = broker.orders
    if opening and policy.max_orders_per_day is not None:
        more["activity"] = lambda: broker.activity(broker_midnight(_now(context)), _now(context))
    if opening and policy.max_daily_loss is not None:
        more["bookings"] = lambda: broker.transactions(broker_midnight(_now(context)), None)
    return more


def _now(context: Context) -> datetime:
    return context.broker.broker_time() or context.clock()


def order_rules(market: MarketDetails) -> OrderRules:
    """Return the market's dealing rules. Raises RulesMissing: a rule that was not sent is never made up."""
    rules = market.rules.for_orders()
    if rules is None:
        raise RulesMissing(
            f"The broker sent {market.epic} without {', '.join(market.rules.missing())}; "
            "an order cannot be checked without it. Nothing was sent.",
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
    """Put what was seen and what is asked into the one case that the rules judge.

    `previewed` is the order's preview, where it is about to be sent. `amends` is the change of a deal that is
    there already: that is no order, and has no effect on other deals.
    """
    apart = amends.deal_id if amends else None
    is_risk = amends is None or bool(amends.adds)
    rate = snapshot.rates[snapshot.market.currency]
    money = figures(request, snapshot.market, snapshot.account, rate, snapshot.preferences)
    there = AccountBook(snapshot.account, snapshot.positions, snapshot.preferences, snapshot.rates)
    effect = None if amends else effect_of(request, snapshot.market, money, there)
    book = _book(context, snapshot)
    return CheckInput(
        policy=context.policy,
        request=request,
        market=snapshot.market,
        rules=snapshot.rules,
        account=snapshot.account,
        figures=money,
        open_positions=book.count(Kind.MARKET),
        waiting_orders=book.count(Kind.WORKING),
        orders_today=snapshot.orders_today,
        now=context.clock(),
        order_type=order_type,
        reference_entry=previewed.entry if previewed else None,
        reference_effect=previewed.effect if previewed else None,
        open_risk=_open_risk(snapshot, book, request, money, effect=effect, apart=apart),
        amends=amends,
        effect=effect,
        hedging=snapshot.preferences.hedging,
        blocked=_blocked(context, snapshot.account_id, request.epic) if is_risk else None,
    )


def with_day(context: Context, snapshot: AccountSnapshot) -> AccountSnapshot:
    """Add what the day brought so far to a look, where a limit asks: only what adds risk waits for it."""
    if context.policy.max_daily_loss is None:
        return snapshot
    return replace(snapshot, bookings=context.broker.transactions(broker_midnight(_now(context)), None))


def _blocked(context: Context, account_id: str, epic: str) -> Blocked:
    """Return what keeps every new order from being sent, as far as this computer knows it."""
    held = context.halt.read()
    unresolved = [
        each
        for each in context.journal.unresolved(context.env, context.broker.host, account_id)
        if not _under_way(each, context.clock())
    ]
    fault = _journal_fault(context)
    return Blocked(
        halt=held.words if held is not None else None,
        unresolved=tuple(each.attempt_id for each in unresolved),
        in_market=tuple(each.attempt_id for each in unresolved if _is_order_in(epic, each, context.journal)),
        wait_s=context.broker.opening_wait_s(),
        journal=fault.message if fault else None,
        journal_next=fault.next if fault else None,
    )


def _journal_fault(context: Context) -> CapcliError | None:
    """Return why the journal sends no new risk: it was changed, or went back in time."""
    try:
        context.journal.require_intact()
    except CapcliError as error:
        return error
    return None


def _is_order_in(epic: str, attempt: AttemptRecord, journal: Journal) -> bool:
    preview = journal.preview(attempt.preview_id) if attempt.kind.is_order and attempt.preview_id else None
    return preview is not None and read_order(preview.document).request.epic == epic


def _under_way(attempt: AttemptRecord, now: datetime) -> bool:
    """Say whether another process is sending an attempt right now: its end is a moment away."""
    sending = attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}
    return sending and now - attempt.created_at < _UNDER_WAY


def _book(context: Context, snapshot: AccountSnapshot) -> Book:
    afoot: tuple[InFlightOrder, ...] = ()
    if counts_in_flight(context.policy):
        place = (context.env, context.broker.host, snapshot.account_id)
        afoot = in_flight_orders(context.journal, place, snapshot.positions, snapshot.orders)
    return Book(snapshot.positions, snapshot.orders, afoot)


def _open_risk(
    snapshot: AccountSnapshot,
    book: Book,
    request: OrderRequest,
    money: Figures,
    *,
    effect: Effect | None,
    apart: str | None,
) -> OpenRisk:
    with localcontext(EXACT):
        found = open_risk(book, request, money, snapshot.bookings, apart)
        total, bare = total_at_stops(book, snapshot.market, snapshot.rates, effect, apart)
        return replace(found, total_risk=total, total_unprotected=bare)


def orders_today(context: Context, account_id: str, activity: tuple[Activity, ...]) -> int:
    """Count the orders of this UTC day: ours from the journal at once, everybody else's from the activity.

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


# A send takes 35 s at most, and the wait for its confirmation 15 s.
_UNDER_WAY = timedelta(seconds=60)


class CalledOff(Exception):
    """Another process settled the attempt before it was sent."""


@dataclass(slots=True)
class Start:
    """The moment before an attempt's first byte: it may still be called back; then SENDING is made durable.

    Called by the broker once nothing is left to wait for. `sending` is the attempt as the journal holds it
    from then on, None while nothing can be out. `risk` names what adds risk, which a halt keeps here.
    """

    context: Context
    book: AttemptBook
    attempt: AttemptRecord
    risk: str | None = None
    sending: AttemptRecord | None = None

    def __call__(self) -> None:
        """Raise Interrupted, Halted or CalledOff, and JournalUnreadable: then nothing leaves."""
        attempt = self.attempt
        self._refuse_halted(attempt)
        try:
            self.context.send_gate.go(attempt.attempt_id)
        except Interrupted:
            self._give_up(attempt, Interrupted.code, "interrupted before the send")
            raise
        now = self.context.clock()
        times: dict[str, Any] = {"sent_at": now, "broker_time_at_send": self.context.broker.broker_time()}
        if not self.book.move(attempt.attempt_id, attempt.state, AttemptState.SENDING, at=now, **times):
            raise CalledOff
        begun = replace(attempt, state=AttemptState.SENDING, **times)
        # The last look: what was halted while this became durable is not sent either.
        self._refuse_halted(begun)
        self.sending = begun

    def _refuse_halted(self, attempt: AttemptRecord) -> None:
        if self.risk is None:
            return
        try:
            refuse_while_halted(self.context.halt, self.risk)
        except Halted as error:
            self._give_up(attempt, Halted.code, error.message.partition(f". {self.risk}")[0])
            raise

    def _give_up(self, attempt: AttemptRecord, code: str, note: str) -> None:
        facts = {"error_code": code, "note": note}
        with suppress(CapcliError):
            self.book.move(
                attempt.attempt_id, attempt.state, AttemptState.NOT_SENT, at=self.context.clock(), **facts
            )


def failed_after(error: Exception) -> str:
    """Say what went wrong once something was out: it must not read as "nothing was sent"."""
    if isinstance(error, JournalUnreadable):
        return error.message
    return f"{type(error).__name__} after the send: {error}"

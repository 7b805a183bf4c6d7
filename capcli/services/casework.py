"""Gathers what the policy looks at: market, account, book and the day's orders, in one round of reads."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from capcli.domain.account import Account, Activity, OrderType, Position, Preferences, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.market import Market, OrderRules
from capcli.domain.order import Kind, OrderRequest
from capcli.domain.policy import Case, Policy
from capcli.domain.sizing import figures
from capcli.errors import (
    CapcliError,
    Exit,
    Interrupted,
    JournalUnreadable,
    RulesMissing,
    Unreachable,
    UnreadableAnswer,
    kind_of,
)
from capcli.services.conversion import conversion_rate
from capcli.services.fanout import together
from capcli.services.ports import Broker, Clock, Journal
from capcli.services.recall import Recall


@dataclass(frozen=True, slots=True)
class Desk:
    """What every use case about orders works with."""

    env: str
    broker: Broker
    journal: Journal
    policy: Policy
    clock: Clock


@dataclass(frozen=True, slots=True)
class Scene:
    """One consistent look at the broker: who we are there, the market, the account and the book."""

    account_id: str
    market: Market
    rules: OrderRules
    account: Account
    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    orders_today: int
    preferences: Preferences


def active_on(broker: Broker, account_id: str) -> str:
    """Return the account that the broker is on, after a switch to the one that is wanted where they differ.

    A login, of this or of another process, may have landed on the preferred account (API page 2.6).
    """
    active = broker.session().account_id
    return active if active == account_id else broker.visit_account(account_id).account_id


@contextmanager
def returning(broker: Broker) -> Iterator[None]:
    """Leave the active account as it was found: which one that is stays the user's choice."""
    before = broker.account_id
    try:
        yield
    finally:
        if before is not None and broker.account_id not in {None, before}:
            with suppress(CapcliError):
                broker.visit_account(before)


def look(desk: Desk, request: OrderRequest, *, with_orders: bool, account_id: str | None = None) -> Scene:
    """Read everything a check needs, at the same time. Working orders only where a rule or a baseline asks.

    `account_id` is the active account where that was just read. Raises EpicUnknown, RulesMissing and
    whatever a read raises.
    """
    broker, policy = desk.broker, desk.policy
    reads: list[Any] = [
        lambda: account_id or broker.session().account_id,
        lambda: broker.market(request.epic),
        broker.accounts,
        broker.positions,
        lambda: broker.preferences(fresh=False),
    ]
    wants_orders = with_orders or (policy.max_open_positions is not None and request.kind is Kind.WORKING)
    if wants_orders:
        reads.append(broker.orders)
    active, market, accounts, positions, preferences, *rest = together(*reads)
    return Scene(
        account_id=active,
        market=market,
        rules=order_rules(market),
        account=active_account(accounts, active),
        positions=positions,
        orders=rest[0] if rest else (),
        orders_today=orders_today(desk, active),
        preferences=preferences,
    )


def order_rules(market: Market) -> OrderRules:
    """Return the market's dealing rules. Raises RulesMissing: a rule that was not sent is never made up."""
    rules = market.rules.for_orders()
    if rules is None:
        raise RulesMissing(
            f"The broker sent {market.epic} without {', '.join(market.rules.missing())}; "
            "an order cannot be checked without it. Nothing was sent.",
            next=f"capcli markets show {market.epic}",
        )
    return rules


def active_account(accounts: tuple[Account, ...], account_id: str) -> Account:
    """Return the account that the session is on."""
    for account in accounts:
        if account.account_id == account_id:
            return account
    raise UnreadableAnswer(
        f"The broker's list of accounts lacks {account_id}, the one that is active.", next="capcli accounts"
    )


def judge(
    desk: Desk,
    scene: Scene,
    request: OrderRequest,
    order_type: OrderType | None,
    *,
    reference_entry: Decimal | None = None,
    rate: Decimal | None = None,
) -> Case:
    """Put what was seen and what is asked into the one case that the rules judge.

    `rate` (account currency for one of the instrument's) is read where it is not known.
    """
    if rate is None:
        rate = conversion_rate(desk.broker, scene.market.currency, scene.account.currency)
    return Case(
        policy=desk.policy,
        request=request,
        market=scene.market,
        rules=scene.rules,
        account=scene.account,
        figures=figures(request, scene.market, scene.account, rate, scene.preferences),
        open_positions=len(scene.positions),
        waiting_orders=len(scene.orders),
        orders_today=scene.orders_today,
        now=desk.clock(),
        order_type=order_type,
        reference_entry=reference_entry,
    )


def orders_today(desk: Desk, account_id: str) -> int:
    """Count the orders of this UTC day: ours from the journal, everybody else's from the activity.

    Costs nothing while no daily limit is set.
    """
    if desk.policy.max_orders_per_day is None:
        return 0
    now = desk.clock()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ours = [
        attempt
        for attempt in desk.journal.recent(desk.env, desk.broker.host, account_id, midnight)
        if attempt.kind in {Kind.MARKET, Kind.WORKING}
    ]
    broker_now = desk.broker.broker_time() or now
    others = desk.broker.activity(broker_midnight(broker_now), broker_now)
    return len(ours) + len(foreign_orders(others, ours))


def broker_midnight(at: datetime) -> datetime:
    """Return the start of the UTC day at the broker."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def foreign_orders(rows: tuple[Activity, ...], ours: list[AttemptRecord]) -> set[str]:
    """Return the ids of orders that were not ours.

    Every order leaves a WORKING_ORDER/USER row on its order id, a market order too (API page 9.1).
    """
    known = {attempt.order_id for attempt in ours} | {deal for attempt in ours for deal in attempt.deal_ids}
    return {
        row.deal_id
        for row in rows
        if row.type == "WORKING_ORDER"
        and row.source == "USER"
        and row.status in {"ACCEPTED", "CREATED"}
        and row.deal_id not in known
    }


class CalledOff(Exception):
    """Another process settled the attempt before it was sent."""


@dataclass(slots=True)
class Start:
    """The moment before an attempt's first byte: it may still be called back; then SENDING is made durable.

    Called by the broker once nothing is left to wait for. `sending` is the attempt as the journal holds it
    from then on, None while nothing can be out.
    """

    desk: Desk
    recall: Recall
    attempt: AttemptRecord
    sending: AttemptRecord | None = None

    def __call__(self) -> None:
        """Raise Interrupted or CalledOff, and JournalUnreadable: then nothing leaves."""
        attempt, journal = self.attempt, self.desk.journal
        try:
            self.recall.go(attempt.attempt_id)
        except Interrupted:
            facts = {"error_code": Interrupted.code, "note": "interrupted before the send"}
            with suppress(CapcliError):
                journal.move(
                    attempt.attempt_id,
                    attempt.state,
                    AttemptState.NOT_SENT,
                    at=self.desk.clock(),
                    **facts,
                )
            raise
        now = self.desk.clock()
        times: dict[str, Any] = {"sent_at": now, "broker_time_at_send": self.desk.broker.broker_time()}
        if not journal.move(attempt.attempt_id, attempt.state, AttemptState.SENDING, at=now, **times):
            raise CalledOff
        self.sending = replace(attempt, state=AttemptState.SENDING, **times)


def failed_after(error: Exception) -> str:
    """Say what went wrong once something was out: it must not read as "nothing was sent"."""
    if isinstance(error, JournalUnreadable):
        return error.message
    return f"{type(error).__name__} after the send: {error}"


_FIXES = {Exit.LOGIN: "capcli login", Exit.CONFIG: "capcli health"}
# Before a send only a login can meet the limit: wait as long as after one that was refused for it.
_AFTER_LOGINS_S = 60


def not_sent(code: str | None, message: str, again: str) -> CapcliError:
    """Return the error of something that was not sent, by its cause: the network where none is known."""
    kind = kind_of(code) or Unreachable
    wait = {"retry_after_s": _AFTER_LOGINS_S} if kind.exit_code is Exit.RATE_LIMITED else {}
    return kind(message, next=_FIXES.get(kind.exit_code, again), **wait)

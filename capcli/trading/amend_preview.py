"""Previewed updates of working orders: stored with the exact body, checked again, and sent once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import Context, active_on, returning
from capcli.domain.account import WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState, PreviewRecord, Protection
from capcli.domain.bracket import Change, exits_of, target_of
from capcli.domain.money import floor_to, plain
from capcli.domain.order import ExitForm, ExitOrder, Kind
from capcli.errors import (
    BrokerRefused,
    ChecksFailed,
    Exit,
    PreviewElsewhere,
    Problem,
    Refused,
    UsageError,
)
from capcli.ports import Request
from capcli.reconcile.readback import read_asked
from capcli.reconcile.reconciler import Reconciler
from capcli.reply import Reply, about
from capcli.safety.approval_text import order_words
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.amend_order import ORDERS, OrderAmendment, order_amendments
from capcli.trading.amend_plan import Plan
from capcli.trading.sending import clock_fault, expired, find_preview, life_fault, ready_preview
from capcli.trading.snapshot import order_rules


class Dropped(Struct, frozen=True):
    """Options that drop parts of a stop in an update."""

    trailing: bool = False
    guaranteed: bool = False


class OrderUpdate(Struct, frozen=True):
    """A working order as it would be. Prices in the instrument's currency; `risks` says what adds risk.

    `consequences` say in account currency what it can then lose and gain, and what is unusual about it.
    """

    preview_id: str
    deal_id: str
    epic: str
    level: Decimal
    stop_level: Decimal | None
    limit_level: Decimal | None
    good_till: datetime | None
    risks: tuple[str, ...]
    consequences: tuple[str, ...]
    body: str
    expires_at: datetime
    sentence: str


class _Document(Struct, frozen=True):
    """An update as stored in its preview."""

    order: WorkingOrder
    change: Change


class OrderUpdates:
    """Previews and executes updates over the same checks and sending as an amendment."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._amendments = order_amendments(context)
        self._reconciler = Reconciler(context)

    def preview(self, deal_id: str, change: Change, dropped: Dropped) -> Reply[OrderUpdate]:
        """Check an update and store it with the body that would be sent. Sends nothing.

        Raises UsageError, DealUnknown, Halted, AttemptUnresolved, ChecksFailed, Busy, and what a read raises:
        then nothing is stored.
        """
        deal_id = typed.deal_id(deal_id)
        ORDERS.check(_as_distances(change, lambda amount: amount))
        with self._amendments.locked(deal_id) as order:
            account_id = self._context.broker.account_id or ""
            plan = self._amendments.plan(deal_id, self._in_prices(change, order), account_id)
            exits = plan.after.bracket
            for name, unwanted, there in (
                ("guaranteed", dropped.guaranteed, exits.guaranteed),
                ("trailing", dropped.trailing, exits.trail is not None),
            ):
                if unwanted and there:
                    raise UsageError(
                        f"The stop would stay {name}: cancel the order and place it again without that.",
                        next=f"capcli orders cancel {deal_id}",
                    )
            if plan.is_idle:
                raise UsageError(
                    f"Nothing to change: {order_words(plan.deal)} is already as you ask.",
                    next=f"capcli orders {deal_id}",
                )
            record = self._store(plan)
        adds = f" It {' and '.join(plan.risks)}, which is new risk." if plan.risks else " It adds no risk."
        update = OrderUpdate(
            preview_id=record.preview_id,
            deal_id=deal_id,
            epic=plan.deal.epic,
            level=plan.level,
            stop_level=exits.stop,
            limit_level=exits.limit,
            good_till=plan.after.good_till,
            risks=plan.risks,
            consequences=plan.consequences,
            body=record.body.decode(),
            expires_at=record.expires_at,
            sentence=f"Would change {order_words(plan.deal)}: level {plain(plan.level)}.{adds}",
        )
        return Reply(update, account_id)

    def _in_prices(self, change: Change, order: WorkingOrder) -> Change:
        """Convert amounts to distances, the form of an order's exits: never more than the amount.

        Raises UsageError where the amount cannot be one, and RulesMissing.
        """
        if all(one is None or one.form is not ExitForm.AMOUNT for one in (change.stop, change.limit)):
            return change
        market = self._context.broker.details(order.epic)
        if market.currency != self._context.broker.account_currency:
            raise UsageError(
                f"An amount on a market in {market.currency} depends on an exchange rate: give a level or a "
                "distance. Nothing was stored.",
                next=f"capcli orders {order.deal_id}",
            )
        step = order_rules(market).price_step

        def distance(amount: Decimal) -> Decimal:
            found = floor_to(amount / order.size, step)
            if found <= 0:
                raise UsageError(
                    f"An amount of {plain(amount)} is less than one price step of {plain(step)} on "
                    f"{plain(order.size)}. Nothing was stored.",
                    next=f"capcli orders {order.deal_id}",
                )
            return found

        return _as_distances(change, distance)

    def execute(self, preview_id: str, *, confirmed: bool) -> Reply[OrderAmendment]:
        """Send a previewed update once, or report its result.

        Raises PreviewUnknown, PreviewExpired, PreviewElsewhere, NotConfirmed, TradingOff, LiveLocked, Halted,
        ChecksFailed, DealUnknown, AttemptUnresolved, Busy, BrokerRefused, Unreachable: then nothing changed.
        Problems as of an amendment.
        """
        context, record = self._context, self._find(preview_id)
        document = msgspec.json.decode(record.document, type=_Document)
        deal_id = document.order.deal_id
        again = ORDERS.command(deal_id, document.change)
        with about(record.account_id, lambda: {"preview_id": record.preview_id}):
            if context.journal.attempt_of(record.preview_id) is None:
                if why := life_fault(context, record):
                    raise expired(record, why, again)
                require_trading(context.policy, "The update")
                require_confirmation(context, f"capcli orders amend {deal_id}", confirmed=confirmed)
            lock = self._context.lock(record.env, record.host, record.account_id)
            with lock, returning(context.broker), context.broker.hold_account():
                if attempt := context.journal.attempt_of(record.preview_id):
                    return self._executed_before(document, self._reconciler.settle(attempt), record)
                if active_on(context.broker, record.account_id) != record.account_id:
                    raise _elsewhere(record, f"account {record.account_id}")
                if why := clock_fault(context, record):
                    raise expired(record, why, again)
                plan = self._amendments.plan(deal_id, document.change, record.account_id)
                if self._request(plan).body != record.body:
                    raise ChecksFailed(
                        f"{deal_id} changed since {record.preview_id} was made, so another body would have to"
                        " be sent. Nothing was sent. Make a new preview.",
                        next=again,
                        failed=["body"],
                    )
                return self._amendments.send(plan, record)

    def _find(self, preview_id: str) -> PreviewRecord:
        record = find_preview(self._context, preview_id, "capcli orders amend --help")
        if record.kind is not Kind.WORKING_UPDATE:
            raise _elsewhere(record, f"a {record.kind.value} order")
        if (record.env, record.host) != (self._context.env, self._context.broker.host):
            raise _elsewhere(record, f"{record.env} ({record.host})")
        if self._context.account not in {None, record.account_id}:
            raise _elsewhere(record, f"account {record.account_id}")
        return record

    def _executed_before(
        self, document: _Document, attempt: AttemptRecord, record: PreviewRecord
    ) -> Reply[OrderAmendment]:
        """Report the result of an update that was sent before. Raises BrokerRefused where it was not made."""
        order, reply = document.order, self._amendments.reply
        now, after = target_of(order), read_asked(attempt)
        kept = exits_of(order, after.level)
        plan = Plan(order, attempt.account_id, document.change, now, kept, after)
        sent = f"{record.preview_id} was already sent at {attempt.sent_at or attempt.created_at:%H:%M:%S}Z"
        if attempt.state is AttemptState.LANDED:
            if attempt.protected is Protection.NO:
                problem = self._amendments.no_stop(plan, now.bracket)
                return reply(plan, attempt, AttemptState.LANDED, problem)
            message = f"{sent}: {ORDERS.words(plan)} Nothing was sent now."
            return reply(plan, attempt, AttemptState.LANDED, message)
        if attempt.state.unresolved:
            problem = Problem(
                "AMEND_UNKNOWN",
                f"{sent}, and what happened to it is not known. Nothing was sent now.",
                int(Exit.MAY_BE_LIVE),
                next=f"capcli reconcile {attempt.attempt_id}",
                details={"attempt_id": attempt.attempt_id, "state": attempt.state.value},
                assistant_error=False,
            )
            return reply(plan, attempt, AttemptState.UNKNOWN, problem, now)
        why = attempt.error_code or attempt.note or attempt.state.value.lower()
        raise BrokerRefused(
            f"{sent} and not made ({why.rstrip('.')}). Nothing was sent now. Make a new preview.",
            next=f"capcli orders {order.deal_id}",
            attempt_id=attempt.attempt_id,
            state=attempt.state.value,
        )

    def _request(self, plan: Plan[WorkingOrder]) -> Request:
        requests = self._context.broker.requests
        return requests.amend(plan.deal_id, plan.after, endless=plan.change.no_expiry)

    def _store(self, plan: Plan[WorkingOrder]) -> PreviewRecord:
        context = self._context
        document = msgspec.json.encode(_Document(plan.deal, plan.change))
        life, request = timedelta(seconds=context.preview_ttl_s), self._request(plan)
        record = ready_preview(context, Kind.WORKING_UPDATE, plan.account_id, request, document, life)
        self._context.journal.save_preview(record)
        return record


def _as_distances(change: Change, distance: Callable[[Decimal], Decimal]) -> Change:
    def turned(one: ExitOrder | None) -> ExitOrder | None:
        if one is None or one.form is not ExitForm.AMOUNT:
            return one
        return ExitOrder(ExitForm.DISTANCE, distance(one.value))

    return replace(change, stop=turned(change.stop), limit=turned(change.limit))


def _elsewhere(record: PreviewRecord, whose: str) -> Refused:
    return PreviewElsewhere(
        f"{record.preview_id} is for {whose}, not for an update here. Nothing was sent now.",
        next="capcli orders",
    )

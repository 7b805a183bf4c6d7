"""Amend a working order: its level, its legs, its expiry. Everything is sent again, and read back."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import AccountSnapshot
from capcli.domain import policy
from capcli.domain.account import OrderType, WorkingOrder
from capcli.domain.attempt import (
    Answer,
    AttemptRecord,
    AttemptState,
    Evidence,
    PreviewRecord,
    Protection,
    classify,
)
from capcli.domain.bracket import (
    Bracket,
    Ground,
    Target,
    amended,
    keeps_stop,
    of_order,
)
from capcli.domain.commands import SOME_TIME
from capcli.domain.market import Side
from capcli.domain.order import ORDERS_PATH, Kind, OrderRequest, Trigger
from capcli.errors import BrokerRefused, CapcliError, ChecksFailed, DealUnknown, Exit, Problem, UsageError
from capcli.ports import AccountLock
from capcli.reconcile.blocking import refuse_while_unresolved
from capcli.reconcile.deal_account import placing
from capcli.reconcile.readback import (
    Ended,
    ReadBack,
    amended_order_read_back,
    asked_of,
    confirmed,
    filled_as,
    read_asked,
    write_asked,
)
from capcli.reconcile.reconciler import Reconciler
from capcli.refusals import in_words
from capcli.reply import Reply, about
from capcli.safety.approval_text import order_told
from capcli.safety.halt import refuse_while_halted
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.amend_order_plan import (
    OrderChange,
    Plan,
    amend_order_command,
    body_of,
    check_order_change,
    consequences_of,
    plan_told,
    risks_of,
    with_guarantee,
)
from capcli.trading.cancel import find_order, was_filled
from capcli.trading.exit_orders import fitted, placed, require_all
from capcli.trading.mutation import Mutation as Sending
from capcli.trading.mutation import Mutations
from capcli.trading.open_risk import lost, order_at
from capcli.trading.snapshot import check_input, order_rules, take_snapshot, with_day

_HELP = "capcli orders amend --help"


class OrderAmendment(Struct, frozen=True):
    """A working order after an amendment, as it was read back. Prices in the instrument's currency.

    `attempt_id` and `state` are None when there was nothing to change, so that nothing was sent.
    """

    deal_id: str
    attempt_id: str | None
    state: Ended | None
    epic: str
    side: Side
    type: OrderType
    size: Decimal
    level: Decimal
    stop_level: Decimal | None
    stop_distance: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    good_till: datetime | None
    level_before: Decimal
    protected: Protection
    retry_safe: bool
    sentence: str
    next: str | None


class OrderAmendments:
    """Changes working orders. What only tightens is always possible, anything else is new risk."""

    def __init__(
        self, changer: Mutations, reconciler: Reconciler, lock: AccountLock, *, confirmation_needed: bool
    ) -> None:
        self._changer = changer
        self._context = changer.context
        self._reconciler = reconciler
        self._lock = lock
        self._confirmation_needed = confirmation_needed

    def amend(self, deal_id: str, change: OrderChange, *, confirmed: bool) -> Reply[OrderAmendment]:
        """Change a working order; its legs keep their distance when it moves, unless they are named.

        Raises UsageError, DealUnknown (which names the position when it was filled), NotConfirmed,
        TradingOff, LiveLocked, ChecksFailed, AttemptUnresolved, Busy, BrokerRefused, Unreachable: then it is
        as before.
        Problems: NO_STOP or STOP_DIFFERS, and AMEND_UNKNOWN when what became of it could not be seen.
        """
        deal_id = typed.deal_id(deal_id)
        check_order_change(change)
        require_trading(self._context.policy, "The amendment")
        require_confirmation(
            self._context.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=amend_order_command(deal_id, change),
        )
        with self._planned(deal_id, change) as plan:
            if plan.is_idle:
                return _nothing(plan)
            return self._changer.carry_out(self._sending(plan), plan.account_id)

    def question(self, deal_id: str, change: OrderChange) -> str | Reply[OrderAmendment]:
        """Return what a person is asked before it is sent, or the answer where there is nothing to change.

        Raises as `amend` what would be refused: nobody is asked about that.
        """
        with self._planned(typed.deal_id(deal_id), change) as plan:
            if plan.is_idle:
                return _nothing(plan)
            return self._changer.asked(self._sending(plan), plan.account_id).text

    @contextmanager
    def _planned(self, deal_id: str, change: OrderChange) -> Iterator[Plan]:
        """Lend a plan that passed every check, while nobody else changes the account."""
        with placing(self._context, deal_id, f"capcli orders {deal_id}"):
            find_order(self._context.broker, deal_id)
        account_id = self._context.broker.account_id or ""
        with (
            about(account_id),
            self._lock(self._context.env, self._context.broker.host, account_id),
            self._context.broker.hold_account(),
        ):
            yield self.plan(deal_id, change, account_id)

    def send_previewed(self, plan: Plan, preview: PreviewRecord) -> Reply[OrderAmendment]:
        """Send what a preview holds, once, inside the account lock, which the caller holds."""
        change = dataclasses.replace(self._sending(plan), kind=Kind.WORKING_UPDATE, preview=preview)
        return self._changer.carry_out(change, plan.account_id)

    def plan(self, deal_id: str, change: OrderChange, account_id: str) -> Plan:
        """Read the order and its market, work out what it is to be, and refuse what must not be sent.

        Called inside the account lock: it settles what is unresolved where the change adds risk.
        """
        order = find_order(self._context.broker, deal_id)
        level = order.level if change.level is None else change.level
        until = change.good_till or (None if change.no_expiry else order.good_till)
        request = OrderRequest(
            order.epic,
            order.side,
            order.size,
            change.legs.stop,
            change.legs.limit,
            change.legs.trailing,
            trigger=Trigger(level, order.type, until),
        )
        snapshot = take_snapshot(self._context, request, with_orders=False, opening=False)
        if snapshot.account_id != account_id:
            raise DealUnknown(
                f"The session was switched to account {snapshot.account_id} in the meantime; {deal_id} is on"
                f" {account_id}. "
                "Nothing was sent.",
                next=f"capcli orders {deal_id} --account {account_id}",
            )
        step = order_rules(snapshot.market).price_step
        request = placed(request, level, step)
        change = replace(change, legs=replace(change.legs, stop=request.stop, limit=request.limit))
        ground = Ground(level, order.side, step)
        legs = amended(of_order(order, level), change.legs, ground)
        plan = Plan(order, account_id, change, Target(legs, level, until))
        case = self._check(plan, snapshot, request)
        return replace(plan, consequences=tuple(consequences_of(plan, case)))

    def _check(self, plan: Plan, snapshot: AccountSnapshot, request: OrderRequest) -> policy.CheckInput:
        legs, named = plan.target.bracket, plan.change.legs
        if named.guaranteed and legs.stop is None:
            raise UsageError("There is no stop to guarantee: name one.", next=_HELP)
        order, risks = plan.order, risks_of(plan)
        if risks:
            self._refuse_risk(plan, risks)
            snapshot = with_day(self._context, snapshot)
        at_stop = order_at(order, plan.level, legs.stop, snapshot.rates[snapshot.market.currency])
        amends = policy.Amends(
            order.deal_id,
            lost(at_stop),
            risks,
            moves=plan.level != order.level,
            ends=plan.change.good_till is not None,
        )
        case = check_input(self._context, snapshot, with_guarantee(request, plan), order.type, amends=amends)
        case = fitted(case, named, legs, plan.level)
        try:
            require_all(case)
        except ChecksFailed as error:
            if error.details["failed"] == [policy.Rule.GOOD_TILL]:
                other = amend_order_command(plan.order.deal_id, replace(plan.change, good_till=None))
                error.next = f"{other} --good-till {SOME_TIME}"
            raise
        return case

    def _refuse_risk(self, plan: Plan, risks: tuple[str, ...]) -> None:
        """Raise Halted, AttemptUnresolved or LateLanding."""
        refuse_while_halted(self._context.halt, "The amendment")
        what = f"this amendment {' and '.join(risks)}"
        refuse_while_unresolved(self._context, self._reconciler, plan.account_id, what)

    def _sending(self, plan: Plan) -> Sending[Reply[OrderAmendment]]:
        deal_id = plan.order.deal_id
        return Sending(
            kind=Kind.AMEND,
            method="PUT",
            path=f"{ORDERS_PATH}/{deal_id}",
            body=body_of(plan),
            deal_id=deal_id,
            baseline=write_asked(plan.target),
            name=f"The amendment of {deal_id}",
            command=plan.command,
            unchanged="The order is as before.",
            look=lambda: amended_order_read_back(self._context.broker, deal_id, plan.account_id, plan.target),
            conclude=lambda attempt, answer, read_back: self._conclude(plan, attempt, answer, read_back),
            doubt=lambda attempt, why: self._unknown(plan, attempt, why),
            risk="The amendment" if risks_of(plan) else None,
            shown=(f"Amend {order_told(plan.order)}", f"So that {plan_told(plan)}", *plan.consequences),
        )

    def _conclude(
        self, plan: Plan, attempt: AttemptRecord, answer: Answer, read_back: ReadBack
    ) -> Reply[OrderAmendment]:
        if read_back is ReadBack.GONE:
            raise self._gone(plan, attempt, answer)
        if read_back is ReadBack.DONE:
            protected = Protection.YES if plan.target.bracket.has_stop else Protection.NOT_ASKED
            self._record_landing(plan, attempt, answer, protected)
            return _reply(plan, attempt, AttemptState.LANDED, None, f"Amended: {plan_told(plan)}")
        if read_back is ReadBack.NOT_YET:
            self._raise_rejection(plan, attempt, answer)
            if classify(answer) is AttemptState.ACKED:
                return self._not_as_asked(plan, attempt, answer)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(plan, attempt, answer.detail or "no clear answer")

    def _record_landing(
        self, plan: Plan, attempt: AttemptRecord, answer: Answer, protected: Protection
    ) -> None:
        self._changer.record(
            attempt,
            AttemptState.LANDED,
            answer,
            deal_ids=(plan.order.deal_id,),
            evidence=Evidence.INFERRED,
            protected=protected,
            level=plan.level,
            stop_level=plan.target.bracket.stop if protected is Protection.YES else None,
        )

    def _not_as_asked(self, plan: Plan, attempt: AttemptRecord, answer: Answer) -> Reply[OrderAmendment]:
        try:
            row = find_order(self._context.broker, plan.order.deal_id)
        except CapcliError as error:
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(plan, attempt, error.message)
        if keeps_stop(of_order(row), plan.target.bracket):
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(plan, attempt, "the broker accepted it, but the order does not show it", row)
        self._record_landing(plan, attempt, answer, Protection.NO)
        problem = _no_stop(plan, of_order(row))
        return _reply(plan, attempt, AttemptState.LANDED, row, problem)

    def _raise_rejection(self, plan: Plan, attempt: AttemptRecord, answer: Answer) -> None:
        if answer.deal_reference is None:
            return
        confirm = confirmed(self._context.broker, answer.deal_reference, asked_of(attempt))
        if confirm is None or confirm.accepted:
            return
        reason = confirm.reason or "no reason given"
        self._changer.record(attempt, AttemptState.REJECTED, answer, error_code=reason)
        raise BrokerRefused(
            f"The broker rejected it: {in_words(reason)}. The amendment of {plan.order.deal_id} was not"
            f" made.",
            next=f"capcli orders {plan.order.deal_id}",
            broker_code=reason,
            attempt_id=attempt.attempt_id,
        )

    def _gone(self, plan: Plan, attempt: AttemptRecord, answer: Answer) -> BrokerRefused:
        deal_id = plan.order.deal_id
        position = filled_as(self._context.broker, deal_id)
        note = f"it was filled: {position.deal_id}" if position else "it is no longer waiting"
        self._changer.record(attempt, AttemptState.REJECTED, answer, note=note)
        if position:
            return was_filled(deal_id, position, attempt_id=attempt.attempt_id)
        return DealUnknown(
            f"{deal_id} is no longer waiting: it was filled, cancelled, or it expired. Look at the"
            f" positions.",
            next="capcli positions",
            deal_id=deal_id,
            attempt_id=attempt.attempt_id,
        )

    def _unknown(
        self, plan: Plan, attempt: AttemptRecord, why: str, row: WorkingOrder | None = None
    ) -> Reply[OrderAmendment]:
        deal_id = plan.order.deal_id
        problem = Problem(
            "AMEND_UNKNOWN",
            f"The amendment of {deal_id} was sent, but is not confirmed ({why.rstrip('.')}). "
            "Check it; amending again is safe.",
            int(Exit.MAY_BE_LIVE),
            next=f"capcli orders {deal_id}",
            retry_safe=True,
            details={"attempt_id": attempt.attempt_id, "state": AttemptState.UNKNOWN.value},
            assistant_error=False,
        )
        return _reply(plan, attempt, AttemptState.UNKNOWN, row or plan.order, problem)


def _nothing(plan: Plan) -> Reply[OrderAmendment]:
    return _reply(plan, None, None, plan.order, f"Nothing to change: {plan_told(plan)} Nothing was sent.")


def previewed_again(
    order: WorkingOrder, change: OrderChange, attempt: AttemptRecord, preview_id: str
) -> Reply[OrderAmendment]:
    """Tell what became of a previewed amendment that was sent before.

    Raises BrokerRefused where it was not made.
    """
    plan = Plan(order, attempt.account_id, change, read_asked(attempt))
    said = f"{preview_id} was already sent at {attempt.sent_at or attempt.created_at:%H:%M:%S}Z"
    if attempt.state is AttemptState.LANDED:
        if attempt.protected is Protection.NO:
            return _reply(plan, attempt, AttemptState.LANDED, None, _no_stop(plan, of_order(order)))
        return _reply(
            plan, attempt, AttemptState.LANDED, None, f"{said}: {plan_told(plan)} Nothing was sent now."
        )
    if attempt.state.unresolved:
        problem = Problem(
            "AMEND_UNKNOWN",
            f"{said}, and what happened to it is not known. Nothing was sent now.",
            int(Exit.MAY_BE_LIVE),
            next=f"capcli reconcile {attempt.attempt_id}",
            details={"attempt_id": attempt.attempt_id, "state": attempt.state.value},
            assistant_error=False,
        )
        return _reply(plan, attempt, AttemptState.UNKNOWN, order, problem)
    why = attempt.error_code or attempt.note or attempt.state.value.lower()
    raise BrokerRefused(
        f"{said} and not made ({why.rstrip('.')}). Nothing was sent now. Make a new preview.",
        next=f"capcli orders {order.deal_id}",
        attempt_id=attempt.attempt_id,
        state=attempt.state.value,
    )


def _no_stop(plan: Plan, seen: Bracket) -> Problem:
    waits = f"{order_told(plan.order)} waits"
    code = "STOP_DIFFERS" if seen.has_stop else "NO_STOP"
    fault = "with another stop than asked" if seen.has_stop else "WITHOUT its stop"
    return Problem(
        code,
        f"The broker accepted the amendment of {plan.order.deal_id}, and {waits} {fault}. Look at it now.",
        int(Exit.NO_STOP),
        next=f"{plan.command} --confirm",
        retry_safe=True,
        assistant_error=False,
    )


def _reply(
    plan: Plan,
    attempt: AttemptRecord | None,
    state: Ended | None,
    row: WorkingOrder | None,
    said: str | Problem,
) -> Reply[OrderAmendment]:
    problem = said if isinstance(said, Problem) else None
    shown = plan.target if row is None else Target(of_order(row), row.level, row.good_till)
    order, legs = plan.order, shown.bracket
    protected = Protection.YES if keeps_stop(legs, plan.target.bracket) else Protection.NO
    amendment = OrderAmendment(
        deal_id=order.deal_id,
        attempt_id=attempt.attempt_id if attempt else None,
        state=state,
        epic=order.epic,
        side=order.side,
        type=order.type,
        size=order.size,
        level=order.level if shown.level is None else shown.level,
        stop_level=legs.stop,
        stop_distance=legs.trail,
        limit_level=legs.limit,
        trailing=legs.trail is not None,
        guaranteed=legs.guaranteed,
        good_till=shown.good_till,
        level_before=order.level,
        protected=protected if plan.target.bracket.has_stop else Protection.NOT_ASKED,
        retry_safe=True,
        sentence=said if isinstance(said, str) else said.message,
        next=problem.next if problem else f"capcli orders {order.deal_id}",
    )
    return Reply(amendment, plan.account_id, problem)

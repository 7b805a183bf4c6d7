"""Amend a deal: named values change, the others are kept; all are sent and read back.

Positions and working orders differ in endpoint, fields and words: see amend_position.py and amend_order.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Generic

from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import AccountSnapshot, Context
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
    Change,
    Ground,
    Target,
    amended,
    exits_of,
    keeps_stop,
    target_of,
)
from capcli.domain.check_input import Amends, CheckInput
from capcli.domain.money import EXACT
from capcli.domain.numbers import money
from capcli.domain.order import Kind, OrderRequest
from capcli.errors import BrokerRefused, CapcliError, DealUnknown, Exit, Problem, UsageError
from capcli.reconcile.blocking import refuse_while_unresolved
from capcli.reconcile.deal_account import placing
from capcli.reconcile.readback import Ended, ReadBack, amended_read_back, confirmed, sent_request, write_asked
from capcli.reconcile.reconciler import Reconciler
from capcli.refusals import in_words
from capcli.reply import Reply, about
from capcli.safety.approval_text import change_lines, warning_lines
from capcli.safety.halt import refuse_while_halted
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.amend_plan import A, Amendable, D, Plan
from capcli.trading.exit_orders import fitted, placed, require_all
from capcli.trading.mutation import Mutation, Mutations, unconfirmed
from capcli.trading.open_risk import lost, result_at
from capcli.trading.snapshot import check_input, order_rules, take_snapshot, with_day


class Amendments(Generic[D, A]):
    """Changes deals of one kind. Tightening is always possible; anything else is new risk."""

    def __init__(self, context: Context, deals: Amendable[D, A]) -> None:
        self._context = context
        self._changer = Mutations(context)
        self._reconciler = Reconciler(context)
        self._deals = deals

    def amend(self, deal_id: str, change: Change, *, confirmed: bool) -> Reply[A]:
        """Change what is named and keep the rest; an order's stop and limit keep their distance.

        Raises UsageError, DealUnknown (which names the position where an order was filled), NotConfirmed,
        TradingOff, LiveLocked, Halted, ChecksFailed, AttemptUnresolved, Busy, BrokerRefused, Unreachable:
        then the deal is as before.
        Problems: NO_STOP or STOP_DIFFERS when the stop is not as asked, AMEND_UNKNOWN when what became of it
        could not be seen.
        """
        deal_id = typed.deal_id(deal_id)
        self._deals.check(change)
        require_trading(self._context.policy, "The amendment")
        require_confirmation(self._context, self._deals.command(deal_id, change), confirmed=confirmed)
        with self._planned(deal_id, change) as plan:
            return self._nothing(plan) if plan.is_idle else self.send(plan)

    def question(self, deal_id: str, change: Change) -> str | Reply[A]:
        """Return the question before it is sent, or the answer if there is nothing to change.

        Raises as `amend` if it would be refused: then there is no question.
        """
        with self._planned(typed.deal_id(deal_id), change) as plan:
            if plan.is_idle:
                return self._nothing(plan)
            return self._changer.approval_request(self._mutation(plan, None), plan.account_id).text

    @contextmanager
    def locked(self, deal_id: str) -> Iterator[D]:
        """Yield a deal while its account is locked. Raises DealUnknown."""
        with placing(self._context, deal_id, f"capcli {self._deals.noun}s {deal_id}"):
            deal = self._deals.find(self._context.broker, deal_id)
        account_id = self._context.broker.account_id or ""
        lock = self._context.lock(self._context.env, self._context.broker.host, account_id)
        with about(account_id), lock, self._context.broker.hold_account():
            yield deal

    @contextmanager
    def _planned(self, deal_id: str, change: Change) -> Iterator[Plan[D]]:
        """Yield a plan that passed every check, while the account is locked."""
        with self.locked(deal_id):
            yield self.plan(deal_id, change, self._context.broker.account_id or "")

    def plan(self, deal_id: str, change: Change, account_id: str) -> Plan[D]:
        """Read the deal and its market, plan the change, and refuse what must not be sent.

        Called inside the account lock: it settles what is unresolved where the change adds risk.
        """
        deal = self._deals.find(self._context.broker, deal_id)
        trigger = self._deals.trigger(deal, change)
        request = OrderRequest(
            deal.epic,
            deal.side,
            deal.size,
            change.stop,
            change.limit,
            trailing=change.trailing,
            trigger=trigger,
        )
        snapshot = take_snapshot(self._context, request, with_orders=False, opening=False)
        if snapshot.account_id != account_id:
            raise DealUnknown(
                f"The session was switched to account {snapshot.account_id} in the meantime; {deal_id} is on"
                f" {account_id}.",
                "Nothing was sent.",
                next=f"capcli {self._deals.noun}s {deal_id} --account {account_id}",
            )
        step = order_rules(snapshot.market).price_step
        request = placed(request, trigger.level if trigger else deal.level, step)
        change = replace(change, stop=request.stop, limit=request.limit)
        price = trigger.level if trigger else snapshot.market.quote.exit(deal.side)
        kept = exits_of(deal, trigger.level if trigger else None)
        exits = amended(kept, change, Ground(price, deal.side, step))
        after = Target(exits, trigger.level, trigger.good_till) if trigger else Target(exits)
        plan = Plan(deal, account_id, change, target_of(deal), kept, after)
        if change.guaranteed and exits.stop is None:
            raise UsageError(
                f"{deal_id} has no stop that could be guaranteed: name one, --stop L --guaranteed.",
                next=f"capcli {self._deals.noun}s amend --help",
            )
        self._deals.refuse(plan, exact=self._context.approvals.needed)
        checked = self._check(plan, snapshot, request, price)
        return replace(plan, consequences=tuple(_consequences(plan, checked)))

    def _check(
        self, plan: Plan[D], snapshot: AccountSnapshot, request: OrderRequest, price: Decimal
    ) -> CheckInput:
        """Refuse invalid changes, and new risk where it is blocked."""
        risks, after = plan.risks, plan.after
        if risks:
            refuse_while_halted(self._context.halt, "The amendment")
            what = f"this amendment {' and '.join(risks)}"
            refuse_while_unresolved(self._context, self._reconciler, plan.account_id, what)
            snapshot = with_day(self._context, snapshot)
        rate = snapshot.rates[snapshot.market.currency]
        amends = Amends(
            plan.deal_id,
            lost(result_at(plan.deal, after.bracket.stop, rate, after.level)),
            risks,
            moves=after.level != plan.before.level,
            ends=plan.change.good_till is not None,
        )
        order_type = request.trigger.type if request.trigger else None
        checked = check_input(self._context, snapshot, plan.judged(request), order_type, amends=amends)
        checked = fitted(checked, plan.change, after.bracket, price)
        require_all(checked, self._deals.command(plan.deal_id, replace(plan.change, good_till=None)))
        return checked

    def send(self, plan: Plan[D], preview: PreviewRecord | None = None) -> Reply[A]:
        """Send an amendment, once where it was previewed, inside the account lock, which the caller holds."""
        return self._changer.carry_out(self._mutation(plan, preview), plan.account_id)

    def _mutation(self, plan: Plan[D], preview: PreviewRecord | None) -> Mutation[Reply[A]]:
        deal_id, broker = plan.deal_id, self._context.broker
        return Mutation(
            kind=Kind.AMEND if preview is None else Kind.WORKING_UPDATE,
            request=broker.requests.amend(deal_id, plan.after, endless=plan.change.no_expiry),
            deal_id=deal_id,
            baseline=write_asked(plan.after),
            name=f"The amendment of {deal_id}",
            command=self._deals.command(deal_id, plan.change),
            overview=f"capcli {self._deals.noun}s",
            unchanged=self._deals.unchanged,
            read_back=lambda: amended_read_back(broker, deal_id, plan.account_id, plan.after),
            conclude=lambda attempt, answer, read_back: self._conclude(plan, attempt, answer, read_back),
            doubt=lambda attempt, why: self._unknown(plan, attempt, why),
            risk="The amendment" if plan.risks else None,
            tightening=plan.tightening,
            lines=(*self._deals.question(plan), *plan.consequences),
            preview=preview,
        )

    def _conclude(
        self, plan: Plan[D], attempt: AttemptRecord, answer: Answer, read_back: ReadBack
    ) -> Reply[A]:
        if read_back is ReadBack.GONE:
            note, error = self._deals.gone(plan, self._context.broker)
            self._changer.record(attempt, AttemptState.REJECTED, answer, note=note)
            error.details["attempt_id"] = attempt.attempt_id
            raise error
        if read_back is ReadBack.DONE:
            protected = Protection.YES if plan.after.bracket.has_stop else Protection.NOT_ASKED
            self._record_landing(plan, attempt, answer, protected, plan.after.bracket.stop)
            return self.reply(plan, attempt, AttemptState.LANDED, f"Amended: {self._deals.words(plan)}")
        if read_back is ReadBack.NOT_YET:
            self._raise_rejection(plan, attempt, answer)
            if classify(answer) is AttemptState.ACKED:
                return self._not_as_asked(plan, attempt, answer)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(plan, attempt, answer.detail or "no clear answer")

    def _record_landing(
        self,
        plan: Plan[D],
        attempt: AttemptRecord,
        answer: Answer,
        protected: Protection,
        stop: Decimal | None,
    ) -> None:
        facts = {} if plan.after.level is None else {"level": plan.after.level}
        self._changer.record(
            attempt,
            AttemptState.LANDED,
            answer,
            deal_ids=(plan.deal_id,),
            evidence=Evidence.INFERRED,
            protected=protected,
            stop_level=stop,
            **facts,
        )

    def _not_as_asked(self, plan: Plan[D], attempt: AttemptRecord, answer: Answer) -> Reply[A]:
        """Report an amendment that the broker accepted and the deal does not show."""
        try:
            seen = target_of(self._deals.find(self._context.broker, plan.deal_id))
        except CapcliError as error:
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(plan, attempt, error.message)
        if keeps_stop(seen.bracket, plan.after.bracket):
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            other_limit = seen.bracket.limit != plan.after.bracket.limit
            how = "limit is different" if other_limit else f"{self._deals.noun} does not show it"
            return self._unknown(plan, attempt, f"the broker accepted it, but the {how}", seen)
        self._record_landing(plan, attempt, answer, Protection.NO, seen.bracket.stop)
        return self.reply(plan, attempt, AttemptState.LANDED, self.no_stop(plan, seen.bracket), seen)

    def _raise_rejection(self, plan: Plan[D], attempt: AttemptRecord, answer: Answer) -> None:
        reference = answer.deal_reference or f"p_{plan.deal_id}"
        confirm = confirmed(self._context.broker, reference, sent_request(attempt))
        if confirm is None or confirm.accepted:
            return
        reason = confirm.reason or "no reason given"
        self._changer.record(attempt, AttemptState.REJECTED, answer, error_code=reason)
        raise BrokerRefused(
            f"The broker rejected it: {in_words(reason)}. The amendment of {plan.deal_id} was not made.",
            next=f"capcli {self._deals.noun}s {plan.deal_id}",
            broker_code=reason,
            attempt_id=attempt.attempt_id,
        )

    def no_stop(self, plan: Plan[D], seen: Bracket) -> Problem:
        """Return the problem of a deal whose stop is not the requested one."""
        return Problem(
            "STOP_DIFFERS" if seen.has_stop else "NO_STOP",
            f"The broker accepted the amendment of {plan.deal_id}, {self._deals.without_stop(plan, seen)}",
            int(Exit.NO_STOP),
            next=f"{self._deals.command(plan.deal_id, plan.change)} --confirm",
            retry_safe=True,
            assistant_error=False,
        )

    def _unknown(
        self, plan: Plan[D], attempt: AttemptRecord, why: str, seen: Target | None = None
    ) -> Reply[A]:
        message = (
            f"The amendment of {plan.deal_id} was sent, but is not confirmed ({why.rstrip('.')}). "
            "Check it; amending again is safe."
        )
        command = f"capcli {self._deals.noun}s {plan.deal_id}"
        problem = unconfirmed("AMEND_UNKNOWN", message, command, attempt)
        return self.reply(plan, attempt, AttemptState.UNKNOWN, problem, seen or plan.before)

    def _nothing(self, plan: Plan[D]) -> Reply[A]:
        message = f"Nothing to change: {self._deals.words(plan)} Nothing was sent."
        return self.reply(plan, None, None, message, plan.before)

    def reply(
        self,
        plan: Plan[D],
        attempt: AttemptRecord | None,
        state: Ended | None,
        message: str | Problem,
        seen: Target | None = None,
    ) -> Reply[A]:
        """Build the reply; without `seen` the deal is as requested."""
        problem = message if isinstance(message, Problem) else None
        seen, wanted = seen or plan.after, plan.after.bracket
        protected = Protection.YES if keeps_stop(seen.bracket, wanted) else Protection.NO
        if state is AttemptState.UNKNOWN:
            protected = Protection.UNCHECKED
        facts = {
            "deal_id": plan.deal_id,
            "attempt_id": attempt.attempt_id if attempt else None,
            "state": state,
            "stop_level": seen.bracket.stop,
            "stop_distance": seen.bracket.trail,
            "limit_level": seen.bracket.limit,
            "trailing": seen.bracket.trail is not None,
            "guaranteed": seen.bracket.guaranteed,
            "protected": protected if wanted.has_stop else Protection.NOT_ASKED,
            "retry_safe": True,
            "sentence": message if isinstance(message, str) else message.message,
            "next": problem.next if problem else f"capcli {self._deals.noun}s {plan.deal_id}",
        }
        return Reply(self._deals.result(plan, seen, facts), plan.account_id, problem)


def _consequences(plan: Plan[D], checked: CheckInput) -> Iterator[str]:
    """Describe in account currency the deal's margin, and its possible loss and gain."""
    rate, currency, margin = checked.figures.conversion_rate, checked.account.currency, checked.figures.margin
    if plan.after.level != plan.before.level and margin is not None:
        before = EXACT.divide(margin * plan.deal.level, plan.level)
        yield f"Margin once it is filled {money(before)} → {money(margin, currency)}"
    yield from change_lines(plan.ends(plan.before, rate), plan.ends(plan.after, rate), currency)
    yield from warning_lines(checked, checked.now)

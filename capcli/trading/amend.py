"""Amend a position: read its legs, change those that are named, send all of them, read them back."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import AccountSnapshot
from capcli.domain.account import Position
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, Evidence, Protection, classify
from capcli.domain.bracket import (
    Bracket,
    Change,
    Ground,
    Target,
    amended,
    keeps_stop,
    loosened,
    of_position,
    position_body,
)
from capcli.domain.commands import change_words
from capcli.domain.mandate import Tightening
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.order import POSITIONS_PATH, ExitForm, ExitOrder, Kind, OrderRequest
from capcli.domain.policy import Amends, CheckInput
from capcli.errors import BrokerRefused, CapcliError, DealUnknown, Exit, Problem, UsageError
from capcli.ports import AccountLock
from capcli.reconcile.blocking import refuse_while_unresolved
from capcli.reconcile.deal_account import placing
from capcli.reconcile.readback import Ended, ReadBack, asked_of, confirmed, position_read_back, write_asked
from capcli.reconcile.reconciler import Reconciler
from capcli.refusals import in_words
from capcli.reply import Reply, about
from capcli.safety.approval_text import Ends, ExitOrders, change_lines, position_told, warning_lines
from capcli.safety.halt import refuse_while_halted
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.exit_orders import check_change, exits_told, fitted, placed, require_all, require_gain
from capcli.trading.mutation import Mutation as Sending
from capcli.trading.mutation import Mutations
from capcli.trading.open_risk import lost, position_at
from capcli.trading.snapshot import check_input, order_rules, take_snapshot, with_day


class Amendment(Struct, frozen=True):
    """A position's legs after an amendment, as they were read back. Prices in the instrument's currency.

    `attempt_id` and `state` are None when there was nothing to change, so that nothing was sent.
    """

    deal_id: str
    attempt_id: str | None
    state: Ended | None
    epic: str
    side: Side
    size: Decimal
    stop_level: Decimal | None
    stop_distance: Decimal | None
    limit_level: Decimal | None
    trailing: bool
    guaranteed: bool
    protected: Protection
    retry_safe: bool
    sentence: str
    next: str | None


class _Plan(Struct, frozen=True):
    """A position as it was read inside the lock, and the legs that it is to have."""

    position: Position
    account_id: str
    change: Change
    before: Bracket
    after: Bracket
    consequences: tuple[str, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        return loosened(self.before, self.after, self.position.side)

    def legs(self, bracket: Bracket, rate: Decimal) -> ExitOrders:
        """Return legs with what the position ends with there; `rate`: account currency for one of its own."""
        row = self.position
        return ExitOrders(
            bracket, Ends(position_at(row, bracket.stop, rate), position_at(row, bracket.limit, rate))
        )

    @property
    def is_idle(self) -> bool:
        """Say whether there is nothing to change."""
        return self.after == self.before

    @property
    def opened(self) -> str:
        return f"{self.position.side.value} {short(self.position.size)} {self.position.epic}"

    @property
    def command(self) -> str:
        return amend_command(self.position.deal_id, self.change)


class Amendments:
    """Changes the stop and the limit of positions. What tightens is always possible, what loosens is risk."""

    def __init__(
        self, changer: Mutations, reconciler: Reconciler, lock: AccountLock, *, confirmation_needed: bool
    ) -> None:
        self._changer = changer
        self._context = changer.context
        self._reconciler = reconciler
        self._lock = lock
        self._confirmation_needed = confirmation_needed

    def amend(self, deal_id: str, change: Change, *, confirmed: bool) -> Reply[Amendment]:
        """Give a position the legs that are named; those that are not are kept.

        Raises UsageError, DealUnknown, NotConfirmed, TradingOff, LiveLocked, Halted, ChecksFailed,
        AttemptUnresolved, Busy, BrokerRefused, Unreachable: then its legs are as before.
        Problems: NO_STOP or STOP_DIFFERS when the stop is not as asked, AMEND_UNKNOWN when that could not be
        seen.
        """
        deal_id = typed.deal_id(deal_id)
        check_change(change, "capcli positions amend")
        if change.empty:
            raise UsageError("Name a stop or a limit to change.", next="capcli positions amend --help")
        require_trading(self._context.policy, "The amendment")
        require_confirmation(
            self._context.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=amend_command(deal_id, change),
        )
        with self._planned(deal_id, change) as plan:
            if plan.is_idle:
                return self._nothing(plan)
            return self._changer.carry_out(self._sending(plan), plan.account_id)

    def breakeven(self, deal_id: str) -> Change:
        """Return the change that moves the stop to the entry.

        Raises UsageError and DealUnknown, and ChecksFailed while the price is not far enough for that.
        """
        deal_id = typed.deal_id(deal_id)
        with placing(self._context, deal_id, f"capcli positions {deal_id}"):
            position = self._context.broker.position(deal_id)
        require_gain(position, self._context.broker.market(position.epic))
        return Change(stop=ExitOrder(ExitForm.LEVEL, position.level))

    def question(self, deal_id: str, change: Change) -> str | Reply[Amendment]:
        """Return what a person is asked before it is sent, or the answer where there is nothing to change.

        Raises as `amend` what would be refused: nobody is asked about that.
        """
        with self._planned(typed.deal_id(deal_id), change) as plan:
            if plan.is_idle:
                return self._nothing(plan)
            return self._changer.asked(self._sending(plan), plan.account_id).text

    @contextmanager
    def _planned(self, deal_id: str, change: Change) -> Iterator[_Plan]:
        """Lend a plan that passed every check, while nobody else changes the account."""
        with placing(self._context, deal_id, f"capcli positions {deal_id}"):
            self._context.broker.position(deal_id)
        account_id = self._context.broker.account_id or ""
        with (
            about(account_id),
            self._lock(self._context.env, self._context.broker.host, account_id),
            self._context.broker.hold_account(),
        ):
            yield self._plan(deal_id, change, account_id)

    def _nothing(self, plan: _Plan) -> Reply[Amendment]:
        said = f"Nothing to change: {_has(plan)} Nothing was sent."
        return self._reply(plan, None, None, plan.position, said)

    def _plan(self, deal_id: str, change: Change, account_id: str) -> _Plan:
        """Read the position and the market, work out the legs, and refuse what must not be sent."""
        position = self._context.broker.position(deal_id)
        before = of_position(position)
        if position.trailing and before.trail is None and change.stop is None and not change.no_stop:
            raise UsageError(
                f"The broker does not say by how much the stop of {deal_id} trails, so it cannot be kept. "
                "Name it too: --stop-distance D --trailing.",
                next=f"capcli positions {deal_id}",
            )
        request = OrderRequest(
            position.epic, position.side, position.size, change.stop, change.limit, change.trailing
        )
        snapshot = take_snapshot(self._context, request, with_orders=False, opening=False)
        self._require_account(snapshot, account_id, deal_id)
        step = order_rules(snapshot.market).price_step
        request = placed(request, position.level, step)
        change = replace(change, stop=request.stop, limit=request.limit)
        ground = Ground(snapshot.market.quote.exit(position.side), position.side, step)
        plan = _Plan(position, account_id, change, before, amended(before, change, ground))
        if change.guaranteed and not plan.after.has_stop:
            raise UsageError(
                f"{deal_id} has no stop that could be guaranteed: name one, --stop L --guaranteed.",
                next="capcli positions amend --help",
            )
        self._refuse_moving_level(plan)
        case = self._check(plan, snapshot, request, ground.price)
        rate, currency = case.figures.conversion_rate, case.account.currency
        lines = change_lines(plan.legs(before, rate), plan.legs(plan.after, rate), currency)
        return replace(plan, consequences=(*lines, *warning_lines(case, case.now)))

    def _refuse_moving_level(self, plan: _Plan) -> None:
        """A person approves exact levels: a distance would be another one at the next price."""
        change, after = plan.change, plan.after
        # A trailing stop is sent as its distance, which stays.
        sent_as_levels = (change.limit,) if after.trail is not None else (change.stop, change.limit)
        moves = any(leg is not None and leg.form is ExitForm.DISTANCE for leg in sent_as_levels)
        if moves and self._context.approvals.needed:
            stop = None if after.trail is not None else after.stop
            fixed = replace(change, stop=_at(change.stop, stop), limit=_at(change.limit, after.limit))
            raise UsageError(
                "A person has to approve exact levels, and a distance gives a different level at every"
                " price. "
                "Nothing was sent. Give levels instead.",
                next=amend_command(plan.position.deal_id, fixed),
            )

    def _require_account(self, snapshot: AccountSnapshot, account_id: str, deal_id: str) -> None:
        if snapshot.account_id != account_id:
            raise DealUnknown(
                f"The session was switched to account {snapshot.account_id} in the meantime; {deal_id} is on"
                f" {account_id}. "
                "Nothing was sent.",
                next=f"capcli positions {deal_id} --account {account_id}",
            )

    def _check(
        self, plan: _Plan, snapshot: AccountSnapshot, request: OrderRequest, price: Decimal
    ) -> CheckInput:
        """Refuse what must not be sent: what does not fit, and new risk where there may be none."""
        deal_id, losses = plan.position.deal_id, plan.losses
        if losses:
            refuse_while_halted(self._context.halt, "The amendment")
            what = f"this amendment {' and '.join(losses)}"
            refuse_while_unresolved(self._context, self._reconciler, plan.account_id, what)
            snapshot = with_day(self._context, snapshot)
        at_stop = position_at(plan.position, plan.after.stop, snapshot.rates[snapshot.market.currency])
        amends = Amends(deal_id, lost(at_stop), losses)
        case = check_input(self._context, snapshot, _with_guarantee(request, plan), None, amends=amends)
        case = fitted(case, plan.change, plan.after, price)
        require_all(case)
        return case

    def _sending(self, plan: _Plan) -> Sending[Reply[Amendment]]:
        deal_id = plan.position.deal_id
        return Sending(
            kind=Kind.AMEND,
            method="PUT",
            path=f"{POSITIONS_PATH}/{deal_id}",
            body=position_body(plan.after),
            deal_id=deal_id,
            baseline=write_asked(Target(plan.after)),
            name=f"The amendment of {deal_id}",
            command=plan.command,
            unchanged="Its stop and limit are unchanged.",
            look=lambda: position_read_back(self._context.broker, deal_id, plan.account_id, plan.after),
            conclude=lambda attempt, answer, read_back: self._conclude(plan, attempt, answer, read_back),
            doubt=lambda attempt, why: self._unknown(plan, attempt, why),
            risk="The amendment" if plan.losses else None,
            tightening=_tightening(plan),
            shown=(f"Amend {position_told(plan.position)}", f"It then has {_legs(plan)}", *plan.consequences),
        )

    def _conclude(
        self, plan: _Plan, attempt: AttemptRecord, answer: Answer, read_back: ReadBack
    ) -> Reply[Amendment]:
        if read_back is ReadBack.GONE:
            raise self._closed_meanwhile(plan, attempt, answer)
        if read_back is ReadBack.DONE:
            return self._landed(plan, attempt, answer)
        if read_back is ReadBack.NOT_YET:
            self._raise_rejection(plan, attempt, answer)
            if classify(answer) is AttemptState.ACKED:
                return self._not_as_asked(plan, attempt, answer)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(plan, attempt, answer.detail or "no clear answer")

    def _landed(self, plan: _Plan, attempt: AttemptRecord, answer: Answer) -> Reply[Amendment]:
        protected = Protection.YES if plan.after.has_stop else Protection.NOT_ASKED
        self._record_landing(plan, attempt, answer, protected, plan.after.stop)
        return self._reply(plan, attempt, AttemptState.LANDED, None, f"Amended: {_has(plan)}")

    def _record_landing(
        self, plan: _Plan, attempt: AttemptRecord, answer: Answer, protected: Protection, stop: Decimal | None
    ) -> None:
        self._changer.record(
            attempt,
            AttemptState.LANDED,
            answer,
            deal_ids=(plan.position.deal_id,),
            evidence=Evidence.INFERRED,
            protected=protected,
            stop_level=stop,
        )

    def _not_as_asked(self, plan: _Plan, attempt: AttemptRecord, answer: Answer) -> Reply[Amendment]:
        """Tell of an amendment that the broker took and that the position does not show."""
        try:
            row = self._context.broker.position(plan.position.deal_id)
        except CapcliError as error:
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(plan, attempt, error.message)
        if keeps_stop(of_position(row), plan.after):
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(plan, attempt, "the broker accepted it, but the limit is different", row)
        self._record_landing(plan, attempt, answer, Protection.NO, row.stop_level)
        problem = _no_stop(plan, row)
        return self._reply(plan, attempt, AttemptState.LANDED, row, problem)

    def _raise_rejection(self, plan: _Plan, attempt: AttemptRecord, answer: Answer) -> None:
        reference = answer.deal_reference or f"p_{plan.position.deal_id}"
        confirm = confirmed(self._context.broker, reference, asked_of(attempt))
        if confirm is None or confirm.accepted:
            return
        reason = confirm.reason or "no reason given"
        self._changer.record(attempt, AttemptState.REJECTED, answer, error_code=reason)
        raise BrokerRefused(
            f"The broker rejected it: {in_words(reason)}. The amendment of {plan.position.deal_id} was"
            f" not made.",
            next=f"capcli positions {plan.position.deal_id}",
            broker_code=reason,
            attempt_id=attempt.attempt_id,
        )

    def _closed_meanwhile(self, plan: _Plan, attempt: AttemptRecord, answer: Answer) -> BrokerRefused:
        note = "the position has been closed in the meantime"
        self._changer.record(attempt, AttemptState.REJECTED, answer, note=note)
        return DealUnknown(
            f"{plan.position.deal_id} ({plan.opened}) is no longer open: its stop, its limit or another "
            "close was faster. There is nothing left to amend.",
            next="capcli positions",
            deal_id=plan.position.deal_id,
            attempt_id=attempt.attempt_id,
        )

    def _unknown(
        self, plan: _Plan, attempt: AttemptRecord, why: str, row: Position | None = None
    ) -> Reply[Amendment]:
        deal_id = plan.position.deal_id
        problem = Problem(
            "AMEND_UNKNOWN",
            f"The amendment of {deal_id} was sent, but its stop and limit are not confirmed"
            f" ({why.rstrip('.')}). Check it; amending again is safe.",
            int(Exit.MAY_BE_LIVE),
            next=f"capcli positions {deal_id}",
            retry_safe=True,
            details={"attempt_id": attempt.attempt_id, "state": AttemptState.UNKNOWN.value},
            assistant_error=False,
        )
        return self._reply(plan, attempt, AttemptState.UNKNOWN, row or plan.position, problem)

    def _reply(
        self,
        plan: _Plan,
        attempt: AttemptRecord | None,
        state: Ended | None,
        row: Position | None,
        told: str | Problem,
    ) -> Reply[Amendment]:
        """Compose the answer; without a `row` the legs are those that were asked for, which were seen."""
        problem = told if isinstance(told, Problem) else None
        shown = plan.after if row is None else of_position(row)
        amendment = Amendment(
            deal_id=plan.position.deal_id,
            attempt_id=attempt.attempt_id if attempt else None,
            state=state,
            epic=plan.position.epic,
            side=plan.position.side,
            size=plan.position.size,
            stop_level=shown.stop,
            stop_distance=shown.trail,
            limit_level=shown.limit,
            trailing=shown.trail is not None,
            guaranteed=shown.guaranteed,
            protected=_protected(plan, shown, state),
            retry_safe=True,
            sentence=told if isinstance(told, str) else told.message,
            next=problem.next if problem else f"capcli positions {plan.position.deal_id}",
        )
        return Reply(amendment, plan.account_id, problem)


def amend_command(deal_id: str, change: Change) -> str:
    """Return the command that makes this change."""
    return " ".join(["capcli positions amend", deal_id, *change_words(change)])


def _at(leg: ExitOrder | None, level: Decimal | None) -> ExitOrder | None:
    """Return a leg as the level that it is now."""
    return leg if leg is None or level is None else ExitOrder(ExitForm.LEVEL, level)


def _with_guarantee(request: OrderRequest, plan: _Plan) -> OrderRequest:
    stop = request.stop
    if plan.change.guaranteed and plan.after.stop is not None:
        stop = ExitOrder(ExitForm.LEVEL, plan.after.stop)
    return replace(request, stop=stop, guaranteed=plan.after.guaranteed and stop is not None)


def _protected(plan: _Plan, shown: Bracket, state: Ended | None) -> Protection:
    if not plan.after.has_stop:
        return Protection.NOT_ASKED
    if state is AttemptState.UNKNOWN:
        return Protection.UNCHECKED
    return Protection.YES if keeps_stop(shown, plan.after) else Protection.NO


def _tightening(plan: _Plan) -> Tightening:
    before, after = plan.before, plan.after
    only_stop = replace(before, stop=after.stop) == after and after.trail is None and not plan.losses
    return Tightening(plan.position.side, before.stop, after.stop, only_stop=only_stop)


def _has(plan: _Plan) -> str:
    return f"{plan.opened} has {_legs(plan)}."


def _legs(plan: _Plan) -> str:
    return exits_told(plan.before, plan.after)


def _no_stop(plan: _Plan, row: Position) -> Problem:
    """Return the problem of a position whose stop is not the one that was asked for."""
    deal_id, seen = plan.position.deal_id, of_position(row)
    if not seen.has_stop:
        code, told = "NO_STOP", f"{plan.opened} is open WITHOUT its stop. Set it now."
    else:
        has = (
            f"trails by {short(seen.trail)}"
            if seen.trail is not None
            else f"is at {plain(seen.stop or Decimal(0))}"
        )
        code, told = (
            "STOP_DIFFERS",
            f"The stop of {plan.opened} is not what you asked for: it {has}. Check it now.",
        )
    return Problem(
        code,
        f"The broker accepted the amendment of {deal_id}, but the position does not show it. {told}",
        int(Exit.NO_STOP),
        next=f"{plan.command} --confirm",
        retry_safe=True,
        assistant_error=False,
    )

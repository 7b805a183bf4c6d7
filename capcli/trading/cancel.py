"""Cancel a working order: idempotent by deal id; a filled order is never reported as cancelled."""

from decimal import Decimal

from msgspec import Struct

from capcli import ids as typed
from capcli.context import Context, active_account_id
from capcli.domain.account import OrderType, Position, WorkingOrder
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.fields import with_fields_of
from capcli.domain.identity import CLOCKS, misfit
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.order import Kind
from capcli.domain.stored_order import write_baseline
from capcli.errors import (
    BrokerRefused,
    CapcliError,
    DealUnknown,
    Problem,
    RateLimited,
    Unreachable,
)
from capcli.ports import Broker
from capcli.reconcile.deal_account import placing
from capcli.reconcile.readback import Ended, ReadBack, confirmed, filled_as, order_read_back, sent_request
from capcli.reply import Reply
from capcli.safety.approval_text import order_words
from capcli.safety.trading_gate import require_exit
from capcli.trading.exit_text import cancel_lines
from capcli.trading.mutation import AGREES_AFTER_S, Mutation, Mutations, unconfirmed

# A filled order is briefly in neither list, and its activity may lag (API page 9.6).
_FILL_DELAYS_S = (0.0, 0.5, 1.0, 2.0)
_CANCELLED, _FILLED = frozenset({"CANCELLED", "DELETED"}), frozenset({"EXECUTED"})


class Cancellation(Struct, frozen=True):
    """A cancelled working order, or what is known of it. `level` in the instrument's currency.

    `epic` to `level` are None for an order that could not be read: its id was enough. `warnings`: what could
    not be recorded or read.
    """

    deal_id: str
    attempt_id: str
    state: Ended
    epic: str | None
    side: Side | None
    type: OrderType | None
    size: Decimal | None
    level: Decimal | None
    retry_safe: bool
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


class _Target(Struct, frozen=True):
    """The order to cancel: its deal id, and the order if it could be read."""

    deal_id: str
    order: WorkingOrder | None

    @property
    def words(self) -> str:
        return order_words(self.order) if self.order else f"the working order {self.deal_id}"


class Cancellations:
    """Cancels working orders. Needs only the broker and the deal id: no limit or journal stops it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changer = Mutations(context)

    def cancel(self, deal_id: str, *, confirmed: bool, person: bool = False) -> Reply[Cancellation]:
        """Cancel a working order and prove it; `person`: one at a terminal has just typed so.

        Raises DealUnknown (it was filled, and what it became, or it was cancelled before), NotConfirmed,
        TradingOff, LiveLocked, BrokerRefused, Unreachable. Problem CANCEL_UNKNOWN: it may still wait.
        """
        deal_id = typed.deal_id(deal_id)
        command = f"capcli orders cancel {deal_id}"
        require_exit(self._context, "The cancellation", command, confirmed=confirmed, person=person)
        self._context.send_gate.ask()
        target = self._target(deal_id)
        return self._changer.take_away(self._change(target), active_account_id(self._context), person=person)

    def question(self, deal_id: str) -> str:
        """Return the question before a cancellation. Raises DealUnknown after two reads."""
        change = self._change(self._target(typed.deal_id(deal_id)))
        return self._changer.approval_request(change, active_account_id(self._context), asking=True).text

    def approval_request(self, deal_id: str, order: WorkingOrder | None) -> ApprovalRequest:
        """Return the approval request for a cancellation."""
        return self._changer.approval_request(
            self._change(_Target(deal_id, order)), active_account_id(self._context)
        )

    def _target(self, deal_id: str) -> _Target:
        """Read the order. Its id is enough to cancel it; its absence takes two reads."""
        for last in (False, True):
            try:
                found = self._context.broker.list_orders()
            except (BrokerRefused, Unreachable, RateLimited):
                return _Target(deal_id, None)
            order = next((row for row in found.rows if row.deal_id == deal_id), None)
            if order is not None or {deal_id, None} & {row.deal_id for row in found.unreadable}:
                return _Target(deal_id, order)
            if not last:
                self._context.sleep(AGREES_AFTER_S)
        with placing(self._context, deal_id, f"capcli orders cancel {deal_id}"):
            raise no_order(deal_id, filled_as(self._context.broker, deal_id))

    def _change(self, target: _Target) -> Mutation[Reply[Cancellation]]:
        broker, account_id = self._context.broker, active_account_id(self._context)
        deal_id, row = target.deal_id, target.order
        return Mutation(
            kind=Kind.CANCEL,
            request=broker.requests.cancel_order(deal_id),
            deal_id=deal_id,
            baseline=write_baseline((), (row,) if row else ()),
            name=f"The cancellation of {deal_id}",
            command=f"capcli orders cancel {deal_id}",
            overview="capcli orders",
            unchanged=f"{deal_id} is still waiting.",
            read_back=lambda: order_read_back(broker, deal_id, account_id),
            conclude=lambda attempt, answer, read_back: self._conclude(target, attempt, answer, read_back),
            doubt=lambda attempt, why: self._unknown(target, attempt, why),
            lines=(f"Cancel {target.words}{'' if row else ', which cannot be read'}",),
            more=lambda: cancel_lines(broker, (row,)) if row else (),
        )

    def _conclude(
        self, target: _Target, attempt: AttemptRecord, answer: Answer, read_back: ReadBack
    ) -> Reply[Cancellation]:
        if read_back is not ReadBack.GONE:
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(target, attempt, answer.detail or "it is not confirmed that it is gone")
        for pause in _FILL_DELAYS_S:
            self._context.sleep(pause)
            sent, reference = sent_request(attempt), answer.deal_reference
            confirm = confirmed(self._context.broker, reference, sent) if reference else None
            if confirm is not None and confirm.accepted:
                return self._landed(target, attempt, answer, Evidence.CONFIRM)
            if position := filled_as(self._context.broker, target.deal_id):
                note = f"it was filled: {position.deal_id}"
                self._changer.record(attempt, AttemptState.REJECTED, answer, note=note)
                raise no_order(target.deal_id, position, attempt_id=attempt.attempt_id)
            if self._is_in_activity(attempt):
                return self._landed(target, attempt, answer, Evidence.INFERRED)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(
            target, attempt, "it is no longer waiting, and it is not known whether it was filled"
        )

    def _is_in_activity(self, attempt: AttemptRecord) -> bool:
        now = self._context.broker.broker_time() or self._context.clock()
        start = (attempt.broker_time_at_send or now) - CLOCKS
        try:
            rows = self._context.broker.activity(start, now)
        except CapcliError:
            return False
        sent = sent_request(attempt)
        statuses = {row.status for row in rows if misfit(sent, row) is None and row.type == "WORKING_ORDER"}
        return bool(statuses & _CANCELLED) and not statuses & _FILLED

    def _landed(
        self, target: _Target, attempt: AttemptRecord, answer: Answer, evidence: Evidence
    ) -> Reply[Cancellation]:
        facts = {"deal_ids": (target.deal_id,), "evidence": evidence, "protected": Protection.NOT_ASKED}
        self._changer.record(attempt, AttemptState.LANDED, answer, **facts)
        where = self._context.where(attempt.account_id)
        sentence = f"Cancelled {target.words}; nothing of it was filled ({where})."
        return self._reply(target, attempt, AttemptState.LANDED, sentence)

    def _unknown(self, target: _Target, attempt: AttemptRecord, why: str) -> Reply[Cancellation]:
        message = (
            f"The cancellation of {target.deal_id} was sent, but is not confirmed ({why.rstrip('.')}). It"
            " may still be waiting, or have been filled; cancelling again is safe."
        )
        command = f"capcli orders cancel {target.deal_id} --confirm"
        problem = unconfirmed("CANCEL_UNKNOWN", message, command, attempt)
        return self._reply(target, attempt, AttemptState.UNKNOWN, message, problem)

    def _reply(
        self,
        target: _Target,
        attempt: AttemptRecord,
        state: Ended,
        sentence: str,
        problem: Problem | None = None,
    ) -> Reply[Cancellation]:
        unread = {} if target.order else dict.fromkeys(("epic", "side", "type", "size", "level"))
        cancellation = with_fields_of(
            target.order,
            Cancellation,
            **unread,
            deal_id=target.deal_id,
            attempt_id=attempt.attempt_id,
            state=state,
            retry_safe=True,
            sentence=sentence,
            next=problem.next if problem else "capcli orders",
            warnings=(*self._context.notices, *self._context.book.unrecorded(attempt.attempt_id)),
        )
        return Reply(cancellation, attempt.account_id, problem)


def find_order(broker: Broker, deal_id: str) -> WorkingOrder:
    """Return a working order. Raises DealUnknown, which names the position if it was filled."""
    order = next((row for row in broker.orders() if row.deal_id == deal_id), None)
    if order is not None:
        return order
    raise no_order(
        deal_id, next((row for row in broker.positions() if row.working_order_id == deal_id), None)
    )


def no_order(deal_id: str, position: Position | None, **details: str) -> BrokerRefused:
    """Return the error of an order that is no longer waiting; `position` is what it became, if open."""
    if position is None:
        return DealUnknown(
            f"No working order has the deal id {deal_id}, and no open position came from it: it was "
            "cancelled, it expired, or it was filled and is closed again.",
            next="capcli orders",
            deal_id=deal_id,
        )
    opened = f"{position.side.value} {short(position.size)} {position.epic} at {plain(position.level)}"
    return DealUnknown(
        f"{deal_id} is no longer waiting: it was filled. It is now the position {position.deal_id},"
        f" {opened}.",
        next=f"capcli positions {position.deal_id}",
        deal_id=deal_id,
        position_deal_id=position.deal_id,
        **details,
    )

"""Cancel a working order: idempotent by deal id, and never told to be cancelled when it was filled."""

from dataclasses import dataclass
from decimal import Decimal

from capcli.domain.account import OrderType, Position, WorkingOrder
from capcli.domain.approval import Asked
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.identity import CLOCKS, misfit
from capcli.domain.market import Side
from capcli.domain.money import plain, short
from capcli.domain.order import ORDERS_PATH, Kind
from capcli.errors import BrokerRefused, CapcliError, DealUnknown, Exit, Problem
from capcli.services import ids as typed
from capcli.services.changes import Change, Changer
from capcli.services.documents import write_baseline
from capcli.services.ports import Broker
from capcli.services.reply import Reply
from capcli.services.sights import Ended, Sight, asked_of, confirmed, filled_as, order_sight
from capcli.services.trading_gate import require_confirmation, require_trading

# A filled order is for a moment in neither list, and its activity may lag (API page 9.6).
_FILL_LOOKS_S = (0.0, 0.5, 1.0, 2.0)
_CANCELLED, _FILLED = frozenset({"CANCELLED", "DELETED"}), frozenset({"EXECUTED"})


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A working order that was cancelled, or what is known of it. `level` in the instrument's currency."""

    deal_id: str
    attempt_id: str
    state: Ended
    epic: str
    side: Side
    type: OrderType
    size: Decimal
    level: Decimal
    retry_safe: bool
    sentence: str
    next: str | None


class Cancellations:
    """Cancels working orders. Never blocked by limits or by unresolved attempts: it takes risk away."""

    def __init__(self, changer: Changer, *, confirmation_needed: bool) -> None:
        self._changer = changer
        self._desk = changer.desk
        self._confirmation_needed = confirmation_needed

    def cancel(self, deal_id: str, *, confirmed: bool) -> Reply[Cancellation]:
        """Cancel a working order and prove it.

        Raises DealUnknown (it was filled, and what it became, or it was cancelled before), NotConfirmed,
        TradingOff, LiveLocked, BrokerRefused, Unreachable. Problem CANCEL_UNKNOWN: it may still wait.
        """
        deal_id = typed.deal_id(deal_id)
        require_trading(self._desk.policy, "The cancellation")
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=f"capcli orders cancel {deal_id}",
        )
        order = find_order(self._desk.broker, deal_id)
        return self._changer.carry_out(self._change(order), self._desk.broker.account_id or "")

    def asked(self, order: WorkingOrder) -> Asked:
        """Return what a person is asked about the cancellation of an order."""
        return self._changer.asked(self._change(order), self._desk.broker.account_id or "")

    def _change(self, order: WorkingOrder) -> Change[Reply[Cancellation]]:
        broker, account_id = self._desk.broker, self._desk.broker.account_id or ""
        return Change(
            kind=Kind.CANCEL,
            method="DELETE",
            path=f"{ORDERS_PATH}/{order.deal_id}",
            body=None,
            deal_id=order.deal_id,
            baseline=write_baseline((), (order,)),
            name=f"The cancellation of {order.deal_id}",
            command=f"capcli orders cancel {order.deal_id}",
            unchanged=f"{order.deal_id} still waits.",
            look=lambda: order_sight(broker, order.deal_id, account_id),
            conclude=lambda attempt, answer, sight: self._conclude(order, attempt, answer, sight),
            doubt=lambda attempt, why: self._unknown(order, attempt, why),
            shown=(f"Cancel {told(order)}",),
        )

    def _conclude(
        self, order: WorkingOrder, attempt: AttemptRecord, answer: Answer, sight: Sight
    ) -> Reply[Cancellation]:
        if sight is not Sight.GONE:
            self._changer.record(attempt, AttemptState.UNKNOWN, answer)
            return self._unknown(order, attempt, answer.detail or "it was not seen to be gone")
        for pause in _FILL_LOOKS_S:
            self._changer.sleep(pause)
            if self._is_confirmed(attempt, answer):
                return self._landed(order, attempt, answer, Evidence.CONFIRM)
            if filled := filled_as(self._desk.broker, order.deal_id):
                raise self._filled(order, attempt, answer, filled)
            if self._is_in_activity(attempt):
                return self._landed(order, attempt, answer, Evidence.INFERRED)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(order, attempt, "it waits no longer, and nothing says whether it was filled")

    def _is_confirmed(self, attempt: AttemptRecord, answer: Answer) -> bool:
        if answer.deal_reference is None:
            return False
        confirm = confirmed(self._desk.broker, answer.deal_reference, asked_of(attempt))
        return confirm is not None and confirm.accepted

    def _is_in_activity(self, attempt: AttemptRecord) -> bool:
        now = self._desk.broker.broker_time() or self._desk.clock()
        start = (attempt.broker_time_at_send or now) - CLOCKS
        try:
            rows = self._desk.broker.activity(start, now)
        except CapcliError:
            return False
        asked = asked_of(attempt)
        said = {row.status for row in rows if misfit(asked, row) is None and row.type == "WORKING_ORDER"}
        return bool(said & _CANCELLED) and not said & _FILLED

    def _landed(
        self, order: WorkingOrder, attempt: AttemptRecord, answer: Answer, evidence: Evidence
    ) -> Reply[Cancellation]:
        facts = {"deal_ids": (order.deal_id,), "evidence": evidence, "protected": Protection.NOT_ASKED}
        self._changer.record(attempt, AttemptState.LANDED, answer, **facts)
        sentence = f"Cancelled {told(order)}; nothing of it was filled."
        return _reply(order, attempt, AttemptState.LANDED, sentence)

    def _filled(
        self, order: WorkingOrder, attempt: AttemptRecord, answer: Answer, position: Position
    ) -> BrokerRefused:
        note = f"it was filled: {position.deal_id}"
        self._changer.record(attempt, AttemptState.REJECTED, answer, note=note)
        return was_filled(order.deal_id, position, attempt_id=attempt.attempt_id)

    def _unknown(self, order: WorkingOrder, attempt: AttemptRecord, why: str) -> Reply[Cancellation]:
        problem = Problem(
            "CANCEL_UNKNOWN",
            f"The cancellation of {order.deal_id} was sent and not proved ({why.rstrip('.')}). It may still "
            "wait or have been filled; cancelling again is safe.",
            int(Exit.MAY_BE_LIVE),
            next=f"capcli orders cancel {order.deal_id} --confirm",
            retry_safe=True,
            details={"attempt_id": attempt.attempt_id, "state": AttemptState.UNKNOWN.value},
            assistant_error=False,
        )
        return _reply(order, attempt, AttemptState.UNKNOWN, problem.message, problem)


def told(order: WorkingOrder) -> str:
    """Name an order as people do."""
    return (
        f"the {order.type.value} order to {order.side.value} {short(order.size)} {order.epic} "
        f"at {plain(order.level)}"
    )


def find_order(broker: Broker, deal_id: str) -> WorkingOrder:
    """Return a waiting order. Raises DealUnknown, which names the position when it was filled."""
    order = next((row for row in broker.orders() if row.deal_id == deal_id), None)
    if order is not None:
        return order
    position = next((row for row in broker.positions() if row.working_order_id == deal_id), None)
    if position is not None:
        raise was_filled(deal_id, position)
    raise DealUnknown(
        f"No working order has the deal id {deal_id}, and no open position came from it: it was cancelled, "
        "it expired, or it was filled and is closed again.",
        next="capcli orders",
        deal_id=deal_id,
    )


def was_filled(deal_id: str, position: Position, **details: str) -> DealUnknown:
    """Return the error of an order that waits no longer because it was filled."""
    opened = f"{position.side.value} {short(position.size)} {position.epic} at {plain(position.level)}"
    return DealUnknown(
        f"{deal_id} waits no longer: it was filled. It is now the position {position.deal_id}, {opened}.",
        next=f"capcli positions {position.deal_id}",
        deal_id=deal_id,
        position_deal_id=position.deal_id,
        **details,
    )


def _reply(
    order: WorkingOrder,
    attempt: AttemptRecord,
    state: Ended,
    sentence: str,
    problem: Problem | None = None,
) -> Reply[Cancellation]:
    cancellation = Cancellation(
        deal_id=order.deal_id,
        attempt_id=attempt.attempt_id,
        state=state,
        epic=order.epic,
        side=order.side,
        type=order.type,
        size=order.size,
        level=order.level,
        retry_safe=True,
        sentence=sentence,
        next=problem.next if problem else "capcli orders",
    )
    return Reply(cancellation, attempt.account_id, problem)

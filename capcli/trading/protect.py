"""Sets an order's stop that its deal lacks; if that fails, closes the deal."""

from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.account import Position, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState, Ending, Protection
from capcli.domain.order import Kind
from capcli.domain.stored_order import StoredOrder, read_order
from capcli.errors import ApprovalRequired, CapcliError, DealUnknown, Interrupted
from capcli.reconcile.outcomes import Execution, StopStep, StopWork, execution_reply, missing_stop
from capcli.reconcile.readback import filled_as, is_open
from capcli.reply import Reply
from capcli.trading.amend_order import order_amendments
from capcli.trading.amend_position import position_amendments
from capcli.trading.cancel import Cancellations
from capcli.trading.close import Closings
from capcli.trading.execute import Executions

_DONE_BY = MappingProxyType(
    {StopWork.SET: "given its stop", StopWork.CLOSE: "closed", StopWork.CANCEL: "cancelled"}
)
_NOT_CLOSED = "It was left open: a missing stop is not confirmed."


class ProtectedExecutions:
    """Executes previews, and fixes a stop that the broker left out. A replay sends nothing."""

    def __init__(self, context: Context, exits: Context) -> None:
        """`exits` is the context of closes and cancellations."""
        self._context = context
        self._executions = Executions(context)
        self._amendments = position_amendments(context)
        self._order_amendments = order_amendments(context)
        self._closings = Closings(exits)
        self._cancellations = Cancellations(exits)

    def execute(
        self, preview_id: str, *, confirmed: bool, ensure_stop: bool = False, **options: Any
    ) -> Reply[Execution]:
        """Send a preview once, as Executions.execute does and with what it raises.

        With `ensure_stop` a missing stop is set at once and read back; if that fails, the position is closed
        or the order cancelled, after approval if that is required. Every step is reported. Problems NO_STOP,
        STOP_DIFFERS and STOP_UNVERIFIED while the deal is open without its stop seen; NO_STOP_CLOSED when it
        is gone.
        """
        reply = self._executions.execute(preview_id, confirmed=confirmed, **options)
        if not (ensure_stop or self._context.ensure_stop) or not self.lacks_stop(reply):
            return reply
        for work, repair in ((StopWork.SET, self.set_stop), (StopWork.CLOSE, self.end)):
            if self.lacks_stop(reply):
                try:
                    reply = repair(reply)
                except ApprovalRequired as waiting:
                    # The order was sent, so the refusal's own text does not fit.
                    what = "Setting its stop" if work is StopWork.SET else "Ending it"
                    message, deal_id = f"{what} waits for a person: {waiting.next}", reply.data.deal_id or ""
                    return self._reply(reply, (StopStep(deal_id, work, None, done=False, told=message),))
        return reply

    def lacks_stop(self, reply: Reply[Execution]) -> bool:
        """Whether an order landed in this call without its requested stop being seen."""
        done = reply.data
        missing = done.protected in {Protection.NO, Protection.UNCHECKED}
        ended = any(step.done and step.work is not StopWork.SET for step in done.stop_steps)
        return missing and done.state is AttemptState.LANDED and not done.replayed and not ended

    def set_stop(self, reply: Reply[Execution]) -> Reply[Execution]:
        """Set the requested stop on an order's deals. Raises ApprovalRequired, ApprovalDenied."""
        attempt, order = self._record(reply.data)
        steps = tuple(self._set(attempt, deal_id, order) for deal_id in _deals(attempt))
        if not all(step.done for step in steps):
            return self._reply(reply, steps)
        row = self._row(attempt, _deals(attempt)[0]) if steps else None
        kept = {"protected": Protection.YES, "stop_level": row.stop_level if row else None}
        return self._reply(reply, steps, **(kept if steps else {}))

    def end(self, reply: Reply[Execution]) -> Reply[Execution]:
        """Close an order's positions seen without a stop, or cancel its working order."""
        attempt, _ = self._record(reply.data)
        steps = tuple(self._end(attempt, deal_id) for deal_id in _deals(attempt))
        if not steps or not all(step.done for step in steps):
            return self._reply(reply, steps)
        ending = Ending.CANCELLED if steps[0].work is StopWork.CANCEL else Ending.CLOSED
        return self._reply(reply, steps, protected=Protection.NO, ending=ending)

    def _record(self, done: Execution) -> tuple[AttemptRecord, StoredOrder]:
        journal = self._context.journal
        attempt, preview = journal.attempt(done.attempt_id), journal.preview(done.preview_id)
        assert attempt is not None
        assert preview is not None
        return attempt, read_order(preview.document)

    def _reply(self, reply: Reply[Execution], steps: tuple[StopStep, ...], **facts: Any) -> Reply[Execution]:
        """Record and report the current state with each step, even if it cannot be recorded."""
        attempt, order = self._record(reply.data)
        if facts:
            with suppress(CapcliError):
                now = self._context.clock()
                self._context.journal.observe(attempt.attempt_id, attempt.state, at=now, **facts)
        steps = (*reply.data.stop_steps, *steps)
        # The steps stand before what is known by now.
        words = "".join(f"{step.told.rstrip('.')}. " for step in steps)
        now_known = execution_reply(replace(attempt, **facts), order, replayed=False)
        data, problem = now_known.data, now_known.problem
        data = replace(data, stop_steps=steps, sentence=f"{words}{data.sentence}")
        problem = problem and replace(problem, why=f"{words}{problem.why}")
        return replace(now_known, data=data, problem=problem)

    def _set(self, attempt: AttemptRecord, deal_id: str, order: StoredOrder) -> StopStep:
        def work(row: Position | WorkingOrder) -> Reply[Any]:
            change = missing_stop(order)
            if isinstance(row, WorkingOrder):
                return self._order_amendments.amend(row.deal_id, change, confirmed=True)
            return self._amendments.amend(row.deal_id, change, confirmed=True)

        return self._step(attempt, deal_id, StopWork.SET, work)

    def _end(self, attempt: AttemptRecord, deal_id: str) -> StopStep:
        def work(row: Position | WorkingOrder) -> Reply[Any]:
            if isinstance(row, WorkingOrder):
                return self._cancellations.cancel(row.deal_id, confirmed=True)
            return self._closings.close(row.deal_id, confirmed=True)

        row = self._row(attempt, deal_id)
        deed = StopWork.CANCEL if isinstance(row, WorkingOrder) else StopWork.CLOSE
        is_position, broker = attempt.kind is not Kind.WORKING, self._context.broker
        if row is None and is_position and is_open(broker, deal_id, attempt.account_id) is False:
            return StopStep(deal_id, deed, None, done=True, told=f"{deal_id} is no longer open.")
        if row is None or row.stop_level is not None or row.trailing:
            return StopStep(deal_id, deed, None, done=False, told=_NOT_CLOSED)
        return self._step(attempt, deal_id, deed, work)

    def _step(
        self,
        attempt: AttemptRecord,
        deal_id: str,
        deed: StopWork,
        work: Callable[[Position | WorkingOrder], Reply[Any]],
    ) -> StopStep:
        try:
            row = self._row(attempt, deal_id)
            if row is None:
                raise DealUnknown(f"{deal_id} could not be read.")
            reply = work(row)
        except ApprovalRequired:
            raise
        except Interrupted:
            # With several steps, each says itself what it did not send.
            message = f"Interrupted before {deal_id} was {_DONE_BY[deed]}: that was not sent."
            return StopStep(deal_id, deed, None, done=False, told=message)
        except CapcliError as error:
            sent, message = error.data.get("attempt_id") or error.details.get("attempt_id"), error.message
            if sent is None and error.why != message:
                message = f"{deal_id} was not {_DONE_BY[deed]}: {error.why}"
            return StopStep(deal_id, deed, sent, done=False, told=message)
        message = reply.problem.message if reply.problem else reply.data.sentence
        if reply.problem is None and reply.data.attempt_id is None:
            # The deal shows it now. "Nothing was sent" would read as being about the order.
            message = f"{row.deal_id} has its stop."
        return StopStep(row.deal_id, deed, reply.data.attempt_id, done=reply.problem is None, told=message)

    def _row(self, attempt: AttemptRecord, deal_id: str) -> Position | WorkingOrder | None:
        """Return an order's current working order or position; None if neither is seen."""
        broker = self._context.broker
        with suppress(CapcliError):
            if attempt.kind is Kind.WORKING:
                orders = broker.list_orders().rows
                waiting = next((row for row in orders if row.deal_id == deal_id), None)
                return waiting or filled_as(broker, deal_id)
            return broker.position(deal_id)
        return None


def _deals(attempt: AttemptRecord) -> tuple[str, ...]:
    """Return the deals an order opened: those it only reduced keep their stops."""
    return attempt.opened_deal_ids or attempt.deal_ids

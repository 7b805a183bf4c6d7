"""Finds a mutation's outcome: the broker's confirmation, and the book read back. Sends nothing."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from capcli.context import Context, active_on
from capcli.domain.account import Confirm, Position, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState, Ending, Evidence, Protection
from capcli.domain.candidates import Candidate, LookupOutcome, ReconciliationReport
from capcli.domain.identity import OPENED, Misfit, misfit
from capcli.domain.order import ExitForm, Kind, OrderRequest
from capcli.domain.stored_order import StoredOrder, read_sizes
from capcli.errors import CapcliError
from capcli.ports.journal import DealTaken
from capcli.reconcile.attribution import Attribution
from capcli.reconcile.lookup import OrderLookup
from capcli.reconcile.readback import ReadBack, filled_as, read_asked, read_back_of

_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 2.0
_READ_BACK_PAUSES_S = (0.0, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Turns the broker's answers into an outcome in the journal. Runs inside the account lock."""

    context: Context

    @property
    def lookup(self) -> OrderLookup:
        """Return the order lookup."""
        return OrderLookup(self.context)

    def conclude(self, attempt: AttemptRecord, order: StoredOrder, *, wait_s: float) -> AttemptRecord:
        """Ask for the confirmation of an acknowledged order until it comes or the wait (seconds) is over.

        A confirmation of something else does not count: the order stays acknowledged, and a lookup decides.
        """
        confirm, other = self._await_confirm(attempt, wait_s)
        if confirm is None:
            return attempt if other is None else self._mistaken(attempt, other)
        if not confirm.accepted:
            facts = {"error_code": confirm.reason, "order_id": confirm.order_id}
            return self._move(attempt, AttemptState.REJECTED, **facts)
        found = self._landing(attempt, order, confirm)
        if isinstance(found, Misfit):
            return self._mistaken(attempt, found)
        return self._move(attempt, AttemptState.LANDED, **found)

    def _mistaken(self, attempt: AttemptRecord, other: Misfit) -> AttemptRecord:
        """Record that an answer was for something else, and for which attempt."""
        whose = other.attempt_id or other.why
        return attempt if attempt.answered_for == whose else self._observe(attempt, answered_for=whose)

    def settle(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle an attempt whose sender is gone, as far as evidence allows; a failed read decides nothing.

        One presumed not placed is checked again for a day.
        """
        return self.examine(attempt)[0]

    def examine(self, attempt: AttemptRecord) -> tuple[AttemptRecord, ReconciliationReport | None]:
        """Settle an attempt, and return the report of the lookup, if there was one."""
        if attempt.state is AttemptState.CLAIMED:
            unsent = self._is_unsent(attempt)
            if unsent is None:
                return attempt, None
            if unsent:
                note = "the process that claimed it ended before sending"
                return self._move(attempt, AttemptState.NOT_SENT, note=note), None
            attempt = self._move(attempt, AttemptState.SENDING, sent_at=attempt.created_at)
        if attempt.kind in {Kind.CLOSE, Kind.AMEND, Kind.CANCEL, Kind.WORKING_UPDATE}:
            return self._settle_change(attempt), None
        if attempt.state is AttemptState.SENDING:
            note = "the process that sent it ended before the answer"
            # Else when it was claimed, by the broker's clock as known from its preview.
            preview, sent = self.context.journal.preview(attempt.preview_id or ""), attempt.created_at
            if preview is not None and preview.broker_time is not None:
                sent = preview.broker_time + (attempt.created_at - preview.created_at)
            sent = attempt.broker_time_at_send or sent
            attempt = self._move(attempt, AttemptState.UNKNOWN, note=note, broker_time_at_send=sent)
        order = self.lookup.order_of(attempt)
        lost = attempt.state.unresolved or self.lookup.is_watched(attempt)
        if order is None or not lost or not self._reaches(attempt.account_id):
            return attempt, None
        if attempt.state is AttemptState.ACKED:
            attempt = self.conclude(attempt, order, wait_s=0)
            # While a confirmation may still come, it is better evidence.
            waits = attempt.answered_for is None and not self.lookup.is_quiet(attempt)
            if not attempt.state.unresolved or waits:
                return attempt, None
        report = self.lookup.find(attempt, order.request)
        return (attempt if report is None else self._conclude(attempt, order, report)), report

    def _is_unsent(self, attempt: AttemptRecord) -> bool | None:
        """Whether a claimed attempt was never sent; None if its deal cannot be read."""
        if self.context.journal.remembered() is not None:
            # In a copy of the journal from before the send, its outcome is in another one.
            return False
        # A close or cancellation may have been sent although the journal could not record it.
        if attempt.kind in {Kind.CLOSE, Kind.CANCEL}:
            seen = read_back_of(self.context.broker, attempt)
            return None if seen is ReadBack.UNREADABLE else seen is not ReadBack.GONE
        return True

    def _conclude(
        self, attempt: AttemptRecord, order: StoredOrder, report: ReconciliationReport
    ) -> AttemptRecord:
        """Conclude: one candidate is the order, one rejection its answer, two empty lookups its absence."""
        outcome, absent = report.outcome, attempt.state is AttemptState.ABSENT
        if attempt.state is AttemptState.LANDED:
            return self._keep_candidates(attempt, "second_deal", _equals(report, attempt, order))
        if outcome is LookupOutcome.LANDED:
            facts = landing_facts(attempt, order.request, report.traces[0])
            return self.land(attempt, facts | {"evidence": Evidence.INFERRED})
        if outcome is LookupOutcome.REJECTED and not absent:
            return self._move(
                attempt,
                AttemptState.REJECTED,
                order_id=report.rejected[0],
                evidence=Evidence.INFERRED,
                candidates=(),
                absent_seen_at=None,
                note="its activity says REJECTED",
            )
        if absent:
            deals = _equals(report, attempt, order)
            return self._keep_candidates(attempt, "possible_late_landing", deals)
        attempt = self._keep_candidates(attempt, None, report.deals)
        nothing = outcome is LookupOutcome.NOTHING_THERE
        return self._presumed(attempt, nothing=nothing) if attempt.state is AttemptState.UNKNOWN else attempt

    def _presumed(self, attempt: AttemptRecord, *, nothing: bool) -> AttemptRecord:
        """Presume an order absent after two empty lookups, both after the quiet period."""
        if not nothing:
            return attempt if attempt.absent_seen_at is None else self._observe(attempt, absent_seen_at=None)
        # If the session was on another account after the send, the order may be there.
        if not self.lookup.is_quiet(attempt) or attempt.other_account_id is not None:
            return attempt
        if attempt.absent_seen_at is None:
            return self._observe(attempt, absent_seen_at=self.lookup.broker_now())
        if not self.lookup.is_second_look(attempt):
            return attempt
        seconds = int(self.lookup.age(attempt).total_seconds())
        return self._move(attempt, AttemptState.ABSENT, note=f"no trace of it after {seconds} s")

    def _keep_candidates(
        self, attempt: AttemptRecord, alarm: str | None, deals: tuple[str, ...]
    ) -> AttemptRecord:
        """Store an order's candidates; with an alarm if they are new for a settled one."""
        if deals == attempt.candidates:
            return attempt
        if deals and alarm:
            now, detail = self.context.clock(), {"deal_ids": list(deals)}
            self.context.journal.note(attempt.attempt_id, alarm, at=now, detail=detail)
        return self._observe(attempt, candidates=deals)

    def land(self, attempt: AttemptRecord, facts: dict[str, Any]) -> AttemptRecord:
        """Record that an order landed; with an alarm if it was presumed not placed."""
        if attempt.state is AttemptState.LANDED:
            return self._observe(attempt, **facts, candidates=())
        if attempt.state is not AttemptState.ABSENT:
            return self._move(attempt, AttemptState.LANDED, **facts, candidates=(), absent_seen_at=None)
        landed = self._move(attempt, AttemptState.LANDED, **facts, candidates=())
        if landed.state is not AttemptState.LANDED:
            return landed
        detail = {"deal_ids": list(landed.deal_ids), "presumed_absent_since": attempt.absent_seen_at}
        self.context.journal.note(attempt.attempt_id, "late_landing", at=self.context.clock(), detail=detail)
        return landed

    def _settle_change(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle a change by deal id; a settled one is not checked again."""
        # It may be sent without the lock: while it is being sent, leave it to its own process.
        quiet = self.lookup.is_quiet(attempt)
        if not attempt.state.unresolved or (attempt.state is AttemptState.SENDING and not quiet):
            return attempt
        broker = self.context.broker
        close, cancel = attempt.kind is Kind.CLOSE, attempt.kind is Kind.CANCEL
        read_back = read_back_of(broker, attempt)
        if read_back is ReadBack.GONE:
            filled = cancel and filled_as(broker, attempt.target)
            if close or (cancel and not filled):
                return self._end(attempt)
            note = "the order was filled first" if filled else "the deal is gone"
            return self._move(attempt, AttemptState.REJECTED, note=note)
        if read_back is ReadBack.DONE:
            return self._amended(attempt)
        if read_back is not ReadBack.NOT_YET or not quiet:
            return attempt
        note = "the position is still open" if close else "the deal does not show it"
        if not (close or cancel) and (later := Attribution(self.lookup).superseding(attempt)):
            note = f"a later one, {later.attempt_id}, changed the deal"
        return self._move(attempt, AttemptState.ABSENT, note=note)

    def _amended(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle an amendment that the deal shows, even if another attempt made it."""
        facts: dict[str, Any] = {"evidence": Evidence.INFERRED, "deal_ids": (attempt.target,)}
        if other := Attribution(self.lookup).made_by_another(attempt):
            note = f"a later one, {other.attempt_id}, made the same change"
            return self._move(attempt, AttemptState.REJECTED, **facts, note=note)
        protected = Protection.YES if read_asked(attempt).bracket.has_stop else Protection.NOT_ASKED
        return self._move(attempt, AttemptState.LANDED, **facts, protected=protected)

    def _end(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle a close or a cancellation whose deal is gone, once it is known what ended the deal."""
        ending = Attribution(self.lookup).of_end(attempt)
        if ending is None:
            return attempt
        facts: dict[str, Any] = {"evidence": Evidence.INFERRED, "deal_ids": (attempt.target,)}
        if ending.instead:
            return self._move(attempt, AttemptState.REJECTED, **facts, note=ending.instead)
        return self._move(attempt, AttemptState.LANDED, **facts, protected=Protection.NOT_ASKED)

    def _reaches(self, account_id: str) -> bool:
        try:
            return active_on(self.context.broker, account_id) == account_id
        except CapcliError:
            return False

    def _await_confirm(self, attempt: AttemptRecord, wait_s: float) -> tuple[Confirm | None, Misfit | None]:
        """Return an order's confirmation, or the misfit of another one that came instead."""
        reference, other = attempt.deal_reference or "", None
        deadline, pause = self.context.monotonic() + wait_s, _FIRST_POLL_S
        while True:
            try:
                confirm = self.context.broker.confirm(reference)
            except CapcliError:
                # Not yet: a 404 or a failed read says nothing about the order (API page 9.1).
                confirm = None
            if confirm is not None:
                named = (confirm.deal_reference, confirm.order_id, *(deal.deal_id for deal in confirm.deals))
                other = misfit(self.lookup.sent_request(attempt, named), confirm)
            if confirm is not None and other is None:
                return confirm, None
            if self.context.monotonic() + pause > deadline:
                return None, other
            self.context.sleep(pause)
            pause = min(pause * 1.6, _LONGEST_POLL_S)

    def _landing(
        self, attempt: AttemptRecord, order: StoredOrder, confirm: Confirm
    ) -> dict[str, Any] | Misfit:
        """Return an order's facts from a confirmation and the book; a row that does not fit voids both."""
        kind = attempt.kind
        opened = tuple(deal.deal_id for deal in confirm.deals if deal.status == OPENED)
        touched = opened + tuple(deal.deal_id for deal in confirm.deals if deal.deal_id not in opened)
        if kind is Kind.WORKING and not touched and confirm.order_id:
            touched = (confirm.order_id,)
        facts: dict[str, Any] = {
            "evidence": Evidence.CONFIRM,
            "order_id": confirm.order_id,
            "deal_ids": touched,
            "opened_deal_ids": touched if kind is Kind.WORKING else opened,
            "level": confirm.level,
            "size": confirm.size,
            "protected": Protection.NOT_ASKED if order.request.stop is None else Protection.UNCHECKED,
            "ending": Ending.WAITING if kind is Kind.WORKING else Ending.OPEN,
        }
        if kind is Kind.MARKET and touched and not opened:
            # On a netting account an opposite order reduces deals and opens none (API page 9.4).
            return facts | {"protected": Protection.NOT_ASKED, "ending": Ending.REDUCED}
        if kind is Kind.WORKING and confirm.status == "DELETED":
            return facts | {"protected": Protection.NOT_ASKED, "ending": Ending.CANCELLED}
        found = self.read_back(kind, opened or touched, confirm.order_id)
        sent = self.lookup.sent_request(attempt, (row.deal_id for row in found))
        if other := next(filter(None, (misfit(sent, row) for row in found)), None):
            return other
        if not found:
            return facts
        ids = tuple(row.deal_id for row in found)
        named = {} if touched else {"deal_ids": ids, "opened_deal_ids": ids}
        # A confirmation may come before the price is known (API page 18.4): the one row has it.
        priced = {"level": found[0].level} if confirm.level is None and len(found) == 1 else {}
        return facts | named | priced | protection(order.request, found)

    def read_back(
        self, kind: Kind, deals: tuple[str, ...], order_id: str | None
    ) -> tuple[Position, ...] | tuple[WorkingOrder, ...]:
        """Read the order's deal back. The requested stop must be seen, not assumed."""
        for pause in _READ_BACK_PAUSES_S:
            self.context.sleep(pause)
            found: tuple[Position, ...] | tuple[WorkingOrder, ...] = ()
            with suppress(CapcliError):
                if kind is Kind.WORKING:
                    orders = self.context.broker.list_orders().rows
                    found = tuple(row for row in orders if row.deal_id in deals)
                else:
                    positions = self.context.broker.list_positions().rows
                    origin = order_id or "-"
                    found = tuple(
                        row for row in positions if row.deal_id in deals or row.working_order_id == origin
                    )
            if found and {row.deal_id for row in found} >= set(deals):
                return found
        return ()

    def _observe(self, attempt: AttemptRecord, **facts: Any) -> AttemptRecord:
        journal = self.context.journal
        journal.observe(attempt.attempt_id, attempt.state, at=self.context.clock(), **facts)
        return journal.attempt(attempt.attempt_id) or attempt

    def _move(self, attempt: AttemptRecord, to_state: AttemptState, **facts: Any) -> AttemptRecord:
        """Compare and set; return the stored attempt, undecided if another one owns its deal."""
        journal = self.context.journal
        try:
            journal.move(attempt.attempt_id, attempt.state, to_state, at=self.context.clock(), **facts)
        except DealTaken as taken:
            return self._observe(attempt, answered_for=taken.attempt_id, candidates=(taken.name,))
        return journal.attempt(attempt.attempt_id) or attempt


def _equals(report: ReconciliationReport, attempt: AttemptRecord, order: StoredOrder) -> tuple[str, ...]:
    """Return new deals like an order that are not known to be its own."""
    mine, before = {*attempt.deal_ids, attempt.order_id or ""}, read_sizes(attempt.baseline).keys()
    named = (
        deal
        for trace in report.traces
        # The order's own later deal, such as a filled working order's, is not a second one.
        if trace.size in {None, order.request.size} and mine.isdisjoint({*trace.ids, trace.order_id})
        # Opposite deals are often reduced: only in its own window may that be the order.
        if before.isdisjoint({*trace.ids} - {*trace.reduced}) and not (trace.reduced and trace.late)
        for deal in trace.ids
    )
    return tuple(dict.fromkeys(named))


def landing_facts(attempt: AttemptRecord, request: OrderRequest, trace: Candidate) -> dict[str, Any]:
    """Return a landed order's facts from its candidate: deals, price and stop."""
    before = {*read_sizes(attempt.baseline), *trace.reduced}
    kept = {"protected": Protection.NOT_ASKED} if not trace.rows else protection(request, trace.rows)
    return {
        "deal_ids": trace.deal_ids,
        "opened_deal_ids": tuple(deal for deal in trace.deal_ids if deal not in before),
        "order_id": trace.order_id,
        "level": trace.level,
        "size": trace.size,
        "ending": trace.ending,
    } | kept


def protection(
    request: OrderRequest, found: tuple[Position, ...] | tuple[WorkingOrder, ...]
) -> dict[str, Any]:
    """Compare the requested stop with those at the broker; the worst one counts."""
    if request.stop is None:
        return {"protected": Protection.NOT_ASKED, "stop_level": found[0].stop_level}
    worst = next((row for row in found if not _keeps_stop(request, row)), None)
    if worst is None:
        return {"protected": Protection.YES, "stop_level": found[0].stop_level}
    return {"protected": Protection.NO, "stop_level": worst.stop_level}


def _keeps_stop(request: OrderRequest, row: Position | WorkingOrder) -> bool:
    if (request.guaranteed and not row.guaranteed) or (request.trailing and not row.trailing):
        return False
    if request.stop is not None and request.stop.form is ExitForm.LEVEL:
        return row.stop_level == request.stop.value
    # The broker turns a distance or an amount into its own level.
    return row.stop_level is not None or row.trailing

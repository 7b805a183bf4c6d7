"""What became of a mutation: the broker's confirmation, and the book read back. Sends nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from capcli.domain.account import Confirm, Position, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.order import Kind, LegForm, OrderRequest
from capcli.domain.traces import POSSIBLE, Finding, Trace, Verdict
from capcli.errors import CapcliError, DealUnknown, RowUnreadable
from capcli.services.casework import Desk, active_on
from capcli.services.causes import Causes
from capcli.services.documents import StoredOrder
from capcli.services.ports import Broker
from capcli.services.search import DEFAULT, Patience, Search
from capcli.services.sights import Sight, filled_as, read_asked, sight_of

_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 2.0
_READ_BACK_PAUSES_S = (0.0, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Witness:
    """Turns what the broker says into a verdict in the journal. Runs inside the account lock."""

    desk: Desk
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    patience: Patience = DEFAULT

    @property
    def search(self) -> Search:
        """Return what this witness looks with."""
        return Search(self.desk, self.patience)

    def conclude(self, attempt: AttemptRecord, order: StoredOrder, *, wait_s: float) -> AttemptRecord:
        """Ask for the verdict on an acknowledged order until it comes or the wait (seconds) is over."""
        confirm = self._await_confirm(attempt.deal_reference or "", wait_s)
        if confirm is None:
            return attempt
        if confirm.accepted:
            return self._move(attempt, AttemptState.LANDED, **self._landing(attempt.kind, order, confirm))
        facts = {"error_code": confirm.reason, "order_id": confirm.order_id}
        return self._move(attempt, AttemptState.REJECTED, **facts)

    def settle(self, attempt: AttemptRecord) -> AttemptRecord:
        """Bring an attempt whose sender is gone as far as evidence allows; a failed read allows nothing.

        One that was presumed not placed is looked for again for a day.
        """
        return self.examine(attempt)[0]

    def examine(self, attempt: AttemptRecord) -> tuple[AttemptRecord, Finding | None]:
        """Settle an attempt, and return what a lost order may have become where that was looked for."""
        if attempt.state is AttemptState.CLAIMED:
            note = "the process that claimed it ended before sending"
            return self._move(attempt, AttemptState.NOT_SENT, note=note), None
        if attempt.kind in {Kind.CLOSE, Kind.AMEND, Kind.CANCEL, Kind.WORKING_UPDATE}:
            return self._settled_change(attempt), None
        if attempt.state is AttemptState.SENDING:
            note = "the process that sent it ended before the answer"
            attempt = self._move(attempt, AttemptState.UNKNOWN, note=note)
        order = self.order_of(attempt)
        lost = attempt.state.unresolved or self.search.is_watched(attempt)
        if order is None or not lost or not self._reaches(attempt.account_id):
            return attempt, None
        if attempt.state is AttemptState.ACKED:
            attempt = self.conclude(attempt, order, wait_s=0)
            # While a confirmation may still come it is the better witness.
            if not attempt.state.unresolved or not self.search.is_quiet(attempt):
                return attempt, None
        finding = self.search.look(attempt, order.request)
        return (attempt if finding is None else self._judge(attempt, order, finding)), finding

    def _judge(self, attempt: AttemptRecord, order: StoredOrder, finding: Finding) -> AttemptRecord:
        """Take one trace for the order, one refusal for its answer, and two looks at nothing for absence."""
        verdict, absent = finding.verdict, attempt.state is AttemptState.ABSENT
        if verdict is Verdict.LANDED:
            facts = landing_facts(order.request, finding.traces[0]) | {"evidence": Evidence.INFERRED}
            return self.land(attempt, facts)
        if verdict is Verdict.REJECTED and not absent:
            return self._move(
                attempt,
                AttemptState.REJECTED,
                order_id=finding.rejected[0],
                evidence=Evidence.INFERRED,
                absent_seen_at=None,
                note="its activity says REJECTED",
            )
        if attempt.state is AttemptState.UNKNOWN:
            return self._count_looks(attempt, nothing=verdict is Verdict.NOTHING_THERE)
        return self._note_possible(attempt, order, finding) if absent else attempt

    def _note_possible(self, attempt: AttemptRecord, order: StoredOrder, finding: Finding) -> AttemptRecord:
        """Keep in the journal what an order that was presumed not placed may have become after all."""
        size = order.request.size
        deals = [one for trace in finding.traces if trace.size in {None, size} for one in trace.ids]
        absent = attempt.note.partition(";")[0]
        note = f"{absent}; {' or '.join(deals)} {POSSIBLE}" if deals else absent
        if note == attempt.note:
            return attempt
        if deals:
            now, detail = self.desk.clock(), {"deal_ids": deals}
            self.desk.journal.note(attempt.attempt_id, "possible_late_landing", at=now, detail=detail)
        return self._observe(attempt, note=note)

    def land(self, attempt: AttemptRecord, facts: dict[str, Any]) -> AttemptRecord:
        """Record that an order landed; an alarm where it was presumed not placed."""
        if attempt.state is not AttemptState.ABSENT:
            return self._move(attempt, AttemptState.LANDED, **facts, absent_seen_at=None)
        landed = self._move(attempt, AttemptState.LANDED, **facts)
        detail = {"deal_ids": list(landed.deal_ids), "presumed_absent_since": attempt.absent_seen_at}
        self.desk.journal.note(attempt.attempt_id, "late_landing", at=self.desk.clock(), detail=detail)
        return landed

    def _count_looks(self, attempt: AttemptRecord, *, nothing: bool) -> AttemptRecord:
        """Presume an order absent at the second look without a trace, both after the quiet period."""
        search = self.search
        if not nothing:
            return attempt if attempt.absent_seen_at is None else self._observe(attempt, absent_seen_at=None)
        if not search.is_quiet(attempt):
            return attempt
        if attempt.absent_seen_at is None:
            return self._observe(attempt, absent_seen_at=search.broker_now())
        if not search.is_second_look(attempt):
            return attempt
        seconds = int(search.age(attempt).total_seconds())
        return self._move(attempt, AttemptState.ABSENT, note=f"no trace of it after {seconds} s")

    def _is_quiet(self, attempt: AttemptRecord) -> bool:
        return self.search.is_quiet(attempt)

    def _settle_close(self, attempt: AttemptRecord) -> AttemptRecord:
        # A close holds no lock: one that is still being sent belongs to its own process.
        quiet = self._is_quiet(attempt)
        if attempt.state is AttemptState.SENDING and not quiet:
            return attempt
        deal_id = attempt.path.rsplit("/", 1)[1]
        still_open = is_open(self.desk.broker, deal_id, attempt.account_id)
        if still_open is False:
            return self._end(attempt)
        if still_open and quiet:
            return self._move(attempt, AttemptState.ABSENT, note="the position is still open")
        return attempt

    def _settled_change(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle what is repeated by deal id; once it is settled it is looked at no more."""
        if not attempt.state.unresolved:
            return attempt
        return self._settle_close(attempt) if attempt.kind is Kind.CLOSE else self._settle_change(attempt)

    def _settle_change(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle an amendment or a cancellation; like a close it may be under way without the lock."""
        quiet, deal_id = self._is_quiet(attempt), attempt.path.rsplit("/", 1)[1]
        if attempt.state is AttemptState.SENDING and not quiet:
            return attempt
        sight, cancel = sight_of(self.desk.broker, attempt), attempt.kind is Kind.CANCEL
        if sight is Sight.GONE and (not cancel or filled_as(self.desk.broker, deal_id)):
            note = "the order was filled before it" if cancel else "the deal is gone"
            return self._move(attempt, AttemptState.REJECTED, note=note)
        if sight is Sight.GONE:
            return self._end(attempt)
        if sight is Sight.DONE:
            return self._amended(attempt)
        if sight is Sight.NOT_YET and quiet:
            later = None if cancel else Causes(self.search).superseding(attempt)
            why = (
                f"a later one, {later.attempt_id}, changed the deal" if later else "the deal does not show it"
            )
            return self._move(attempt, AttemptState.ABSENT, note=why)
        return attempt

    def _amended(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle an amendment that the deal shows, which another one may have made."""
        facts: dict[str, Any] = {"evidence": Evidence.INFERRED, "deal_ids": (attempt.path.rsplit("/", 1)[1],)}
        if other := Causes(self.search).made_by_another(attempt):
            note = f"a later one, {other.attempt_id}, made the same change"
            return self._move(attempt, AttemptState.REJECTED, **facts, note=note)
        protected = Protection.YES if read_asked(attempt).bracket.has_stop else Protection.NOT_ASKED
        return self._move(attempt, AttemptState.LANDED, **facts, protected=protected)

    def _end(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle a close or a cancellation whose deal is gone by what ended the deal, once that is known."""
        ending = Causes(self.search).of_end(attempt)
        if ending is None:
            return attempt
        facts: dict[str, Any] = {"evidence": Evidence.INFERRED, "deal_ids": (attempt.path.rsplit("/", 1)[1],)}
        if ending.instead:
            return self._move(attempt, AttemptState.REJECTED, **facts, note=ending.instead)
        return self._move(attempt, AttemptState.LANDED, **facts, protected=Protection.NOT_ASKED)

    def _reaches(self, account_id: str) -> bool:
        try:
            return active_on(self.desk.broker, account_id) == account_id
        except CapcliError:
            return False

    def order_of(self, attempt: AttemptRecord) -> StoredOrder | None:
        """Return the order that an attempt was to send; None for a close, an amendment, a cancellation."""
        return self.search.order_of(attempt)

    def _await_confirm(self, deal_reference: str, wait_s: float) -> Confirm | None:
        deadline, pause = self.monotonic() + wait_s, _FIRST_POLL_S
        while True:
            try:
                confirm = self.desk.broker.confirm(deal_reference)
            except CapcliError:
                # Not yet: a 404 or a failed read says nothing about the order (API page 9.1).
                confirm = None
            if confirm is not None or self.monotonic() + pause > deadline:
                return confirm
            self.sleep(pause)
            pause = min(pause * 1.6, _LONGEST_POLL_S)

    def _landing(self, kind: Kind, order: StoredOrder, confirm: Confirm) -> dict[str, Any]:
        opened = tuple(deal.deal_id for deal in confirm.deals if deal.status == "OPENED")
        touched = opened + tuple(deal.deal_id for deal in confirm.deals if deal.deal_id not in opened)
        if kind is Kind.WORKING and not touched and confirm.order_id:
            touched = (confirm.order_id,)
        facts: dict[str, Any] = {
            "evidence": Evidence.CONFIRM,
            "order_id": confirm.order_id,
            "deal_ids": touched,
            "level": confirm.level,
            "size": confirm.size,
            "protected": Protection.NOT_ASKED if order.request.stop is None else Protection.UNCHECKED,
        }
        if kind is Kind.MARKET and touched and not opened:
            # On a netting account an opposite order reduces deals and opens none (API page 9.4).
            note = _reduced(len(touched))
            return facts | {"protected": Protection.NOT_ASKED, "note": note}
        return facts | self.read_back(kind, order.request, opened or touched, confirm.order_id)

    def read_back(
        self, kind: Kind, request: OrderRequest, deals: tuple[str, ...], order_id: str | None
    ) -> dict[str, Any]:
        """Look at what the order became. The stop that was asked for must be seen, not assumed."""
        for pause in _READ_BACK_PAUSES_S:
            self.sleep(pause)
            try:
                found = self._seen(kind, deals, order_id)
            except CapcliError:
                continue
            if found and {row.deal_id for row in found} >= set(deals):
                ids = {} if deals else {"deal_ids": tuple(row.deal_id for row in found)}
                return ids | protection(request, found)
        return {}

    def _seen(
        self, kind: Kind, deals: tuple[str, ...], order_id: str | None
    ) -> tuple[Position, ...] | tuple[WorkingOrder, ...]:
        if kind is Kind.WORKING:
            return tuple(row for row in self.desk.broker.list_orders().rows if row.deal_id in deals)
        return tuple(
            row
            for row in self.desk.broker.list_positions().rows
            if row.deal_id in deals or (order_id and row.working_order_id == order_id)
        )

    def _observe(self, attempt: AttemptRecord, **facts: Any) -> AttemptRecord:
        journal = self.desk.journal
        journal.observe(attempt.attempt_id, attempt.state, at=self.desk.clock(), **facts)
        return journal.attempt(attempt.attempt_id) or attempt

    def _move(self, attempt: AttemptRecord, to_state: AttemptState, **facts: Any) -> AttemptRecord:
        """Compare and set; whoever was first, what the journal holds now is returned."""
        journal = self.desk.journal
        journal.move(attempt.attempt_id, attempt.state, to_state, at=self.desk.clock(), **facts)
        return journal.attempt(attempt.attempt_id) or attempt


def _reduced(count: int) -> str:
    return f"It reduced {count} position(s)"


def landing_facts(request: OrderRequest, trace: Trace) -> dict[str, Any]:
    """Return what a trace tells of an order that landed: its deals, its price, and its stop."""
    kept = {"protected": Protection.NOT_ASKED} if not trace.rows else protection(request, trace.rows)
    return {
        "deal_ids": trace.deal_ids,
        "order_id": trace.order_id,
        "level": trace.level,
        "size": trace.size,
        "note": trace.note,
    } | kept


def is_open(broker: Broker, deal_id: str, account_id: str) -> bool | None:
    """Read a position back: True open, False gone from that account, None when that cannot be known."""
    try:
        broker.position(deal_id)
    except DealUnknown:
        # Every deal is unknown on another account, and another process may have switched ours.
        return False if _is_on(broker, account_id) else None
    except RowUnreadable:
        return True
    except CapcliError:
        return None
    return True


def _is_on(broker: Broker, account_id: str) -> bool:
    try:
        return broker.session().account_id == account_id
    except CapcliError:
        return False


def protection(
    request: OrderRequest, found: tuple[Position, ...] | tuple[WorkingOrder, ...]
) -> dict[str, Any]:
    """Compare the stop that was asked for with those that the broker holds; the worst one counts."""
    if request.stop is None:
        return {"protected": Protection.NOT_ASKED, "stop_level": found[0].stop_level}
    worst = next((row for row in found if not _keeps_stop(request, row)), None)
    if worst is None:
        return {"protected": Protection.YES, "stop_level": found[0].stop_level}
    return {"protected": Protection.NO, "stop_level": worst.stop_level}


def _keeps_stop(request: OrderRequest, row: Position | WorkingOrder) -> bool:
    if (request.guaranteed and not row.guaranteed) or (request.trailing and not row.trailing):
        return False
    if request.stop is not None and request.stop.form is LegForm.LEVEL:
        return row.stop_level == request.stop.value
    # The broker turns a distance or an amount into a level of its own making.
    return row.stop_level is not None or row.trailing

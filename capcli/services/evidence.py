"""What became of a mutation: the broker's confirmation, and the book read back. Sends nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from capcli.domain.account import Confirm, Position, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.match import Lost, matching_orders, matching_positions
from capcli.domain.netting import reduced_positions
from capcli.domain.order import Kind, LegForm, OrderRequest
from capcli.errors import CapcliError, DealUnknown
from capcli.services.casework import Desk, active_on
from capcli.services.documents import StoredOrder, read_baseline, read_order, read_sizes
from capcli.services.ports import Broker
from capcli.services.sights import Sight, filled_as, read_asked, sight_of

_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 2.0
_READ_BACK_PAUSES_S = (0.0, 0.3, 1.0)
# How long after a send a missing trace says nothing (order protocol, Reconcile).
_QUIET = timedelta(seconds=120)
# Attempts of this long before a lost one may own what was opened since, as a working order that filled.
_OWNERS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Witness:
    """Turns what the broker says into a verdict in the journal. Runs inside the account lock."""

    desk: Desk
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]

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
        """Bring an attempt whose sender is gone as far as evidence allows; a failed read allows nothing."""
        if attempt.state is AttemptState.CLAIMED:
            note = "the process that claimed it ended before sending"
            return self._move(attempt, AttemptState.NOT_SENT, note=note)
        if attempt.kind is Kind.CLOSE:
            return self._settle_close(attempt)
        if attempt.kind in {Kind.AMEND, Kind.CANCEL}:
            return self._settle_change(attempt)
        if attempt.state is AttemptState.SENDING:
            note = "the process that sent it ended before the answer"
            attempt = self._move(attempt, AttemptState.UNKNOWN, note=note)
        order = self._order_of(attempt)
        if order is None or not attempt.state.unresolved or not self._reaches(attempt.account_id):
            return attempt
        if attempt.state is AttemptState.ACKED:
            attempt = self.conclude(attempt, order, wait_s=0)
        return self._infer(attempt, order) if attempt.state.unresolved else attempt

    def _infer(self, attempt: AttemptRecord, order: StoredOrder) -> AttemptRecord:
        """Take the one new deal that fits for the order; none or several prove nothing."""
        # While a confirmation may still come it is the better witness.
        if attempt.state is AttemptState.ACKED and not self._is_quiet(attempt):
            return attempt
        try:
            found = self._candidates(attempt, order.request)
            if not found and attempt.kind is Kind.MARKET:
                return self._infer_reduction(attempt, order.request)
        except CapcliError:
            return attempt
        if len(found) != 1 or self.desk.broker.account_id != attempt.account_id:
            return attempt
        facts = {"deal_ids": (found[0].deal_id,), "level": found[0].level, "size": found[0].size, "note": ""}
        facts |= {"evidence": Evidence.INFERRED} | protection(order.request, found)
        return self._move(attempt, AttemptState.LANDED, **facts)

    def _infer_reduction(self, attempt: AttemptRecord, request: OrderRequest) -> AttemptRecord:
        """Take what an opposite order took from older deals for its trace: it opened none (API page 9.4)."""
        cut = reduced_positions(request, read_sizes(attempt.baseline), self.desk.broker.positions())
        if not cut or self.desk.broker.account_id != attempt.account_id:
            return attempt
        facts = {"deal_ids": tuple(row.deal_id for row in cut), "size": request.size}
        facts |= {"evidence": Evidence.INFERRED, "protected": Protection.NOT_ASKED}
        return self._move(attempt, AttemptState.LANDED, note=_reduced(len(cut)), **facts)

    def _candidates(
        self, attempt: AttemptRecord, request: OrderRequest
    ) -> tuple[Position, ...] | tuple[WorkingOrder, ...]:
        if attempt.broker_time_at_send is None:
            return ()
        known = read_baseline(attempt.baseline) | self._owned_by_others(attempt)
        lost = Lost(request, attempt.broker_time_at_send, known)
        if attempt.kind is Kind.WORKING:
            return matching_orders(lost, self.desk.broker.orders())
        return matching_positions(lost, self.desk.broker.positions())

    def _owned_by_others(self, attempt: AttemptRecord) -> frozenset[str]:
        since = attempt.created_at - _OWNERS
        mine = attempt.attempt_id
        others = self.desk.journal.recent(attempt.env, attempt.host, attempt.account_id, since)
        return frozenset(
            deal
            for other in others
            # An amendment or a close is about a deal of another attempt, it owns none.
            if other.attempt_id != mine and other.preview_id is not None
            for deal in (*other.deal_ids, other.order_id)
            if deal
        )

    def _is_quiet(self, attempt: AttemptRecord) -> bool:
        return self.desk.clock() - (attempt.sent_at or attempt.created_at) >= _QUIET

    def _settle_close(self, attempt: AttemptRecord) -> AttemptRecord:
        # A close holds no lock: one that is still being sent belongs to its own process.
        quiet = self._is_quiet(attempt)
        if attempt.state is AttemptState.SENDING and not quiet:
            return attempt
        deal_id = attempt.path.rsplit("/", 1)[1]
        still_open = is_open(self.desk.broker, deal_id, attempt.account_id)
        if still_open is False:
            facts = {"deal_ids": (deal_id,), "protected": Protection.NOT_ASKED}
            return self._move(attempt, AttemptState.LANDED, evidence=Evidence.INFERRED, **facts)
        if still_open and quiet:
            return self._move(attempt, AttemptState.ABSENT, note="the position is still open")
        return attempt

    def _settle_change(self, attempt: AttemptRecord) -> AttemptRecord:
        """Settle an amendment or a cancellation; like a close it may be under way without the lock."""
        quiet, deal_id = self._is_quiet(attempt), attempt.path.rsplit("/", 1)[1]
        if attempt.state is AttemptState.SENDING and not quiet:
            return attempt
        sight, cancel = sight_of(self.desk.broker, attempt), attempt.kind is Kind.CANCEL
        if sight is Sight.GONE and (not cancel or filled_as(self.desk.broker, deal_id)):
            return self._move(attempt, AttemptState.REJECTED, note="the deal was gone before it")
        if sight is Sight.DONE or (sight is Sight.GONE and quiet):
            stop = not cancel and read_asked(attempt).bracket.has_stop
            facts = {"protected": Protection.YES if stop else Protection.NOT_ASKED, "deal_ids": (deal_id,)}
            return self._move(attempt, AttemptState.LANDED, evidence=Evidence.INFERRED, **facts)
        if sight is Sight.NOT_YET and quiet:
            return self._move(attempt, AttemptState.ABSENT, note="the deal does not show it")
        return attempt

    def _reaches(self, account_id: str) -> bool:
        try:
            return active_on(self.desk.broker, account_id) == account_id
        except CapcliError:
            return False

    def _order_of(self, attempt: AttemptRecord) -> StoredOrder | None:
        preview = self.desk.journal.preview(attempt.preview_id) if attempt.preview_id else None
        return read_order(preview.document) if preview else None

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
            return tuple(row for row in self.desk.broker.orders() if row.deal_id in deals)
        return tuple(
            row
            for row in self.desk.broker.positions()
            if row.deal_id in deals or (order_id and row.working_order_id == order_id)
        )

    def _move(self, attempt: AttemptRecord, to_state: AttemptState, **facts: Any) -> AttemptRecord:
        """Compare and set; whoever was first, what the journal holds now is returned."""
        journal = self.desk.journal
        journal.move(attempt.attempt_id, attempt.state, to_state, at=self.desk.clock(), **facts)
        return journal.attempt(attempt.attempt_id) or attempt


def _reduced(count: int) -> str:
    return f"It reduced {count} position(s)"


def is_open(broker: Broker, deal_id: str, account_id: str) -> bool | None:
    """Read a position back: True open, False gone from that account, None when that cannot be known."""
    try:
        broker.position(deal_id)
    except DealUnknown:
        # Every deal is unknown on another account, and another process may have switched ours.
        return False if _is_on(broker, account_id) else None
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

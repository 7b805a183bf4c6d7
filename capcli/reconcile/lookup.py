"""Searches an account for a lost order: one complete read of everything, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from capcli.context import Context, active_on
from capcli.domain.account import Activity
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence
from capcli.domain.candidates import CompetingOrder, ReconciliationReport, Seen, UnconfirmedOrder, Window
from capcli.domain.identity import SentRequest
from capcli.domain.market import Side
from capcli.domain.matching import find
from capcli.domain.order import OrderRequest
from capcli.domain.stored_order import (
    StoredOrder,
    read_baseline,
    read_effect,
    read_opposite,
    read_order,
    read_sizes,
)
from capcli.errors import CapcliError

# How long an order is checked again that was not found, or was found without a confirmation.
_WATCH = timedelta(hours=24)
_DAY = timedelta(days=1)
# A deal a week after the send is not that order.
_MOST_DAYS = 7


@dataclass(frozen=True, slots=True)
class OrderLookup:
    """Reads and matches; changes nothing."""

    context: Context

    def find(self, attempt: AttemptRecord, request: OrderRequest) -> ReconciliationReport | None:
        """Search for an order on its account; None if a read failed or was on another account."""
        sent = attempt.broker_time_at_send
        try:
            if sent is None or active_on(self.context.broker, attempt.account_id) != attempt.account_id:
                return None
            window = window_of(attempt, sent)
            # In this order: a fill or close between two reads then shows in the later one.
            orders, positions = self.context.broker.orders(), self.context.broker.positions()
            seen = Seen(positions, orders, self.activity(window.since), self.broker_now())
        except CapcliError:
            return None
        if self.context.broker.account_id != attempt.account_id:
            return None
        owners = self.owners(attempt, seen.names)
        known = read_baseline(attempt.baseline) | owners.keys()
        sizes, rivals = read_sizes(attempt.baseline), self._rivals(attempt, request)
        opposite = read_opposite(attempt.baseline, request.epic, request.side)
        effect = read_effect(attempt.baseline)
        # There were opposite deals and its effect was to close none: hedging (API page 9.4).
        hedges = effect is not None and bool(opposite) and not effect.deals
        return find(UnconfirmedOrder(request, window, known, sizes, rivals, opposite, hedges), seen)

    def owners(self, attempt: AttemptRecord, names: Iterable[str | None]) -> Mapping[str, str]:
        """Return the other attempt that owns each reference, order and deal."""
        found = self.context.journal.owners(attempt.env, attempt.host, filter(None, names))
        return {name: owner for name, owner in found.items() if owner != attempt.attempt_id}

    def sent_request(self, attempt: AttemptRecord, names: Iterable[str | None]) -> SentRequest:
        """Return an attempt's request, to compare with an answer that has these names."""
        order = self.order_of(attempt)
        return SentRequest(
            kind=attempt.kind,
            since=attempt.broker_time_at_send,
            request=order.request if order else None,
            deal_id=attempt.deal_id,
            reference=attempt.deal_reference,
            baseline=read_baseline(attempt.baseline) if order else frozenset(),
            owners=self.owners(attempt, names),
        )

    def order_of(self, attempt: AttemptRecord) -> StoredOrder | None:
        """Return an attempt's order; None for a close, an amendment, a cancellation."""
        if attempt.preview_id is None or not attempt.kind.is_order:
            return None
        preview = self.context.journal.preview(attempt.preview_id)
        return read_order(preview.document) if preview else None

    def is_quiet(self, attempt: AttemptRecord) -> bool:
        """Whether the send is long enough ago, by the broker's clock, for absence to mean something."""
        return self.age(attempt) >= timedelta(seconds=self.context.patience.quiet_s)

    def age(self, attempt: AttemptRecord) -> timedelta:
        """Return the time since the send, by the broker's clock if both ends are known."""
        then, now = attempt.broker_time_at_send, self.context.broker.broker_time()
        if then is None or now is None:
            return self.context.clock() - (attempt.sent_at or attempt.created_at)
        return now - then

    def broker_now(self) -> datetime:
        """Return the broker's clock, or ours before its first answer."""
        return self.context.broker.broker_time() or self.context.clock()

    def is_second_look(self, attempt: AttemptRecord) -> bool:
        """Whether the first lookup that found nothing was long enough ago."""
        first = attempt.absent_seen_at
        return first is not None and self.broker_now() - first >= timedelta(
            seconds=self.context.patience.gap_s
        )

    def is_watched(self, attempt: AttemptRecord) -> bool:
        """Whether an order that was settled without an answer is still checked.

        These are orders presumed not placed, and orders found without a confirmation: a second deal like it
        may be the real one.
        """
        sent = attempt.sent_at or attempt.created_at
        inferred = attempt.state is AttemptState.LANDED and attempt.evidence is Evidence.INFERRED
        lost = attempt.kind.is_order and (inferred or attempt.state is AttemptState.ABSENT)
        return lost and self.context.clock() - sent <= _WATCH

    def watched(self, account_id: str) -> tuple[AttemptRecord, ...]:
        """Return the account's orders settled without an answer in the last day."""
        context = self.context
        since = context.clock() - _WATCH
        found = context.journal.recent(context.env, context.broker.host, account_id, since)
        return tuple(attempt for attempt in found if self.is_watched(attempt))

    def activity(self, since: datetime) -> tuple[Activity, ...]:
        """Read the activity, newest first, a day at a time: the broker refuses more (API page 10.1)."""
        rows: tuple[Activity, ...] = ()
        until = min(self.broker_now(), since + _MOST_DAYS * _DAY)
        while since < until:
            end = min(since + _DAY, until)
            rows = self.context.broker.activity(since, end) + rows
            since = end
        return rows

    def _rivals(self, attempt: AttemptRecord, request: OrderRequest) -> tuple[CompetingOrder, ...]:
        """Return the other lost orders of this epic, side and size, unresolved or still checked."""
        context = self.context
        open_ones = context.journal.unresolved(attempt.env, attempt.host, attempt.account_id)
        return tuple(
            CompetingOrder(other.attempt_id, window_of(other, sent), read_baseline(other.baseline))
            for other in (*open_ones, *self.watched(attempt.account_id))
            if other.attempt_id != attempt.attempt_id
            and other.state is not AttemptState.LANDED
            and (sent := other.broker_time_at_send) is not None
            and (order := self.order_of(other)) is not None
            and _shape(order.request) == _shape(request)
        )


def window_of(attempt: AttemptRecord, sent: datetime) -> Window:
    """Return the window in which an order sent at an instant (broker time) can have been created."""
    return Window.of(sent, attempt.last_byte_at)


def _shape(request: OrderRequest) -> tuple[str, Side, Decimal]:
    return request.epic, request.side, request.size

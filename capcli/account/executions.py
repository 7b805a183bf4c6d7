"""What this computer sent, from its journal alone: the request, the answer, the outcome, and when."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.stored_order import StoredOrder, read_deal, read_order
from capcli.errors import UsageError
from capcli.ports.journal import Journal
from capcli.reply import Reply

MOST = 1000


class ExecutionRecord(Struct, frozen=True):
    """One attempt. Prices in the instrument's currency, times UTC; what is not known is None.

    For a change of a deal, epic, side and size are the deal's, and `deal_id` names it. `outcome` says in
    words what became of it. `mandate` is None where a person confirmed or approved it.
    """

    attempt_id: str
    preview_id: str | None
    account_id: str
    kind: str
    epic: str | None
    side: Side | None
    size: Decimal | None
    order_type: OrderType | None
    entry: Decimal | None
    stop_level: Decimal | None
    limit_level: Decimal | None
    deal_id: str | None
    path: str
    created_at: datetime
    sent_at: datetime | None
    http_status: int | None
    error_code: str | None
    deal_reference: str | None
    state: AttemptState
    changed_at: datetime
    evidence: str
    protected: str
    deal_ids: tuple[str, ...]
    level: Decimal | None
    outcome: str
    mandate: str | None
    note: str | None
    tag: str | None
    client: str | None


class ExecutionsFound(Struct, frozen=True):
    """The latest attempts of this environment on this computer, newest first."""

    executions: tuple[ExecutionRecord, ...]


class ExecutionsLog:
    """Reads the journal. Asks the broker nothing."""

    def __init__(self, env: str, journal: Journal) -> None:
        self._env = env
        self._journal = journal

    def latest(self, count: int = 20) -> Reply[ExecutionsFound]:
        """Return the latest attempts. Raises UsageError for a count that is not 1 to 1000."""
        if not 1 <= count <= MOST:
            raise UsageError(
                f"--last is 1 to {MOST}, not {count}.", next="capcli history executions --last 20"
            )
        attempts = self._journal.attempts(self._env, limit=count)
        names = self._journal.mandates.names(attempt.attempt_id for attempt in attempts)
        rows = (self.record(attempt, names.get(attempt.attempt_id)) for attempt in attempts)
        return Reply(ExecutionsFound(tuple(rows)))

    def record(self, attempt: AttemptRecord, mandate: str | None = None) -> ExecutionRecord:
        """Return what is known of one attempt."""
        order = self._order(attempt)
        request = order.request if order else None
        about = (request.epic, request.side, request.size) if request else self._about(attempt)
        epic, side, size = about or (None, None, None)
        return with_fields_of(
            attempt,
            ExecutionRecord,
            epic=epic,
            side=side,
            size=size,
            order_type=order.order_type if order else None,
            entry=order.entry if order else None,
            stop_level=order.stop_level if order else None,
            limit_level=order.limit_level if order else None,
            changed_at=self._journal.moved_at(attempt.attempt_id) or attempt.created_at,
            outcome=attempt.note,
            mandate=mandate,
            note=request.note if request else None,
            tag=request.tag if request else None,
            client=order.client if order else None,
        )

    def _about(self, attempt: AttemptRecord) -> tuple[str, Side, Decimal] | None:
        """Return epic, side and size of the deal that a close, an amendment or a cancellation was about."""
        if attempt.deal_id is None:
            return None
        if found := read_deal(attempt.baseline, attempt.deal_id):
            return found
        owner = self._journal.owners(attempt.env, attempt.host, [attempt.deal_id]).get(attempt.deal_id)
        opening = self._journal.attempt(owner) if owner else None
        order = self._order(opening) if opening else None
        return (order.request.epic, order.request.side, order.request.size) if order else None

    def _order(self, attempt: AttemptRecord) -> StoredOrder | None:
        preview = self._journal.preview(attempt.preview_id or "") if attempt.kind.is_order else None
        return read_order(preview.document) if preview else None

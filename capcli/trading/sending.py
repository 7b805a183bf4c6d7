"""Sends a preview at most once: the claim, SENDING made durable, one request, its answer."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from capcli import ids
from capcli.context import Context
from capcli.domain.attempt import (
    NOTHING_DONE,
    Answer,
    AttemptRecord,
    AttemptState,
    PreviewRecord,
    PreviewState,
    classify,
    has_outlived,
    is_from_the_future,
)
from capcli.domain.commands import preview_command
from capcli.domain.fields import with_fields_of
from capcli.domain.mandate import Permit
from capcli.domain.order import Kind
from capcli.domain.stored_order import StoredOrder, read_order
from capcli.errors import (
    CapcliError,
    DuplicateOrder,
    Halted,
    Interrupted,
    JournalUnreadable,
    PreviewExpired,
    PreviewUnknown,
    RateLimited,
    Refused,
)
from capcli.ports import Request
from capcli.ports.journal import AttemptBook, DealTaken
from capcli.reconcile.outcomes import Execution, execution_reply
from capcli.reconcile.reconciler import Reconciler
from capcli.reply import Reply
from capcli.safety.halt import refuse_while_halted

_TWIN_WINDOW, _SLOWEST = timedelta(seconds=60), timedelta(days=1)


class CalledOff(Exception):
    """Another process settled the attempt before it was sent."""


@dataclass(slots=True)
class Start:
    """The moment before an attempt's first byte: the last chance to stop it; then SENDING is made durable.

    Called by the broker once nothing is left to wait for. `sending` is the attempt as the journal holds it
    from then on, None while nothing can be out. `risk` names what adds risk, which a halt keeps here.
    """

    context: Context
    book: AttemptBook
    attempt: AttemptRecord
    risk: str | None = None
    sending: AttemptRecord | None = None

    def __call__(self) -> None:
        """Raise Interrupted, Halted or CalledOff, and JournalUnreadable: then nothing leaves."""
        attempt = self.attempt
        self._refuse_halted(attempt)
        try:
            self.context.send_gate.go(attempt.attempt_id)
        except Interrupted:
            self._give_up(attempt, Interrupted.code, "interrupted before the send")
            raise
        now = self.context.clock()
        times: dict[str, Any] = {"sent_at": now, "broker_time_at_send": self.context.broker.broker_time()}
        if not self.book.move(attempt.attempt_id, attempt.state, AttemptState.SENDING, at=now, **times):
            raise CalledOff
        begun = replace(attempt, state=AttemptState.SENDING, **times)
        # The last check: a halt set while this became durable also stops it.
        self._refuse_halted(begun)
        self.sending = begun

    def _refuse_halted(self, attempt: AttemptRecord) -> None:
        if self.risk is None:
            return
        try:
            refuse_while_halted(self.context.halt, self.risk)
        except Halted as error:
            self._give_up(attempt, Halted.code, error.why.rstrip("."))
            raise

    def _give_up(self, attempt: AttemptRecord, code: str, note: str) -> None:
        facts = {"error_code": code, "note": note}
        with suppress(CapcliError):
            self.book.move(
                attempt.attempt_id, attempt.state, AttemptState.NOT_SENT, at=self.context.clock(), **facts
            )


class SendOnce:
    """Claims a preview and sends it: at most one POST, whatever crashes, repeats or races."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.reconciler = Reconciler(context)

    def known(self, preview: PreviewRecord) -> dict[str, str]:
        """Return a preview's facts for an error: its id, its attempt, if any, and the state."""
        known, now = {"preview_id": preview.preview_id}, self._context.clock()
        with suppress(CapcliError):
            attempt = self._context.journal.attempt_of(preview.preview_id)
            if attempt is not None:
                return known | {"attempt_id": attempt.attempt_id, "state": attempt.state.value}
        ready = preview.state is PreviewState.READY
        state = PreviewState.EXPIRED if ready and preview.expires_at <= now else preview.state
        return known | {"state": state.value}

    def require_room(self, command: str) -> None:
        """Refuse an order over the hourly limit before it is claimed. Raises RateLimited."""
        wait_s = self._context.broker.opening_wait_s()
        if wait_s:
            raise RateLimited(
                "Rate limit exceeded: this hour's opening orders are used up (1000 on demo). "
                f"Nothing was sent. Wait {wait_s} s.",
                next=command,
                retry_after_s=wait_s,
            )

    def refuse_twin(
        self, preview: PreviewRecord, command: str, *, again: bool, from_end: bool = False
    ) -> None:
        """Raise DuplicateOrder if the same order was sent in the last minute, unless `again`.

        Sizes are compared as numbers: 1.5 equals 1.50. `from_end` counts from the end of an attempt, since a
        caller that waited for a slow one asks again after it.
        """
        journal, since = self._context.journal, self._context.clock() - _TWIN_WINDOW
        mine, earliest = read_order(preview.document), since - _SLOWEST if from_end else since
        for other in () if again else journal.recent(preview.env, preview.host, preview.account_id, earliest):
            ended = journal.moved_at(other.attempt_id) if from_end else None
            if max(filter(None, (other.sent_at, ended))) < since or other.state in NOTHING_DONE:
                continue
            order = self.reconciler.lookup.order_of(other)
            if order is not None and (order.request, order.order_type) == (mine.request, mine.order_type):
                raise DuplicateOrder(
                    f"The same order was sent at {other.sent_at:%H:%M:%S}Z ({other.attempt_id}). Nothing was "
                    "sent now. To send it a second time on purpose, add --again (again=true).",
                    next=f"{command} --again --confirm",
                    attempt_id=other.attempt_id,
                )

    def claim_and_send(
        self,
        preview: PreviewRecord,
        order: StoredOrder,
        baseline: bytes,
        wait_s: float,
        *,
        permit: Permit | None,
        risk: str | None,
    ) -> Reply[Execution]:
        """Claim and send. `risk` names in words what a halt keeps from being sent, None where it reduces.

        Raises PreviewExpired, and Interrupted when it was called back before the send.
        """
        context, journal, now = self._context, self._context.journal, self._context.clock()
        attempt = with_fields_of(
            preview,
            AttemptRecord,
            attempt_id=context.ids("a_"),
            state=AttemptState.CLAIMED,
            baseline=baseline,
            created_at=now,
        )
        claimed = journal.claim(preview.preview_id, attempt, now=now, permit=permit)
        if claimed is not None:
            sent = self._send(attempt, claimed, order, wait_s, risk=risk)
            return execution_reply(sent, order, replayed=False)
        winner = journal.attempt_of(preview.preview_id)
        if winner is None:
            current = journal.preview(preview.preview_id) or preview
            why = life_fault(self._context, current) or "cannot be used any more."
            raise expired(current, why, preview_again(current))
        return execution_reply(winner, read_order(preview.document), replayed=True)

    def _send(
        self,
        attempt: AttemptRecord,
        preview: PreviewRecord,
        order: StoredOrder,
        wait_s: float,
        *,
        risk: str | None,
    ) -> AttemptRecord:
        """Send the stored bytes once. From then on the order may be live."""
        context, journal = self._context, self._context.journal
        start = Start(context, journal, attempt, risk)
        try:
            answer = context.broker.send(
                preview.method, preview.path, preview.body, account_id=preview.account_id, ready=start
            )
            sent = self._record(start.sending or attempt, answer)
            if sent.state is AttemptState.ACKED:
                sent = self.reconciler.conclude(sent, order, wait_s=wait_s)
        except CalledOff:
            return journal.attempt(attempt.attempt_id) or attempt
        except Exception as error:
            if start.sending is None:
                raise
            # A full disk or a bug here must not read as "nothing was sent".
            with suppress(CapcliError):
                current = journal.attempt(attempt.attempt_id)
                if current is not None and current.state is not AttemptState.SENDING:
                    return current
            return replace(attempt, state=AttemptState.UNKNOWN, note=failed_after(error))
        return sent

    def _record(self, attempt: AttemptRecord, answer: Answer) -> AttemptRecord:
        """Commit what the answer proves, before anything else.

        A reference that belongs to another order proves nothing: the answer is about that one.
        """
        journal, now, state = self._context.journal, self._context.clock(), classify(answer)
        facts = answer_facts(answer) | {"other_account_id": answer.other_account_id}
        if state is AttemptState.ACKED:
            facts["note"] = ""
        try:
            moved = journal.move(attempt.attempt_id, attempt.state, state, at=now, **facts)
        except DealTaken as taken:
            facts |= {"deal_reference": None, "answered_for": taken.attempt_id, "note": str(taken)}
            unknown, now = AttemptState.UNKNOWN, self._context.clock()
            moved = journal.move(attempt.attempt_id, attempt.state, unknown, at=now, **facts)
        if not moved:
            journal.note(attempt.attempt_id, "late_answer", at=self._context.clock(), detail=facts)
        return journal.attempt(attempt.attempt_id) or attempt


def find_preview(context: Context, preview_id: str, help_command: str) -> PreviewRecord:
    """Return a stored preview. Raises UsageError and PreviewUnknown."""
    preview_id = ids.preview_id(preview_id)
    preview = context.journal.preview(preview_id)
    if preview is None:
        raise PreviewUnknown(f"No preview has the id {preview_id}.", "Nothing was sent.", next=help_command)
    return preview


def ready_preview(  # noqa: PLR0917  what a preview is made of
    context: Context, kind: Kind, account_id: str, request: Request, document: bytes, life: timedelta
) -> PreviewRecord:
    """Return a preview that can be sent until it expires."""
    now = context.clock()
    return PreviewRecord(
        preview_id=context.ids("p_"),
        kind=kind,
        env=context.env,
        host=context.broker.host,
        account_id=account_id,
        method=request.method,
        path=request.path,
        body=request.body,
        body_sha256=sha256(request.body).hexdigest(),
        document=document,
        quote=b"",
        state=PreviewState.READY,
        created_at=now,
        expires_at=now + life,
        broker_time=context.broker.broker_time(),
    )


def answer_facts(answer: Answer) -> dict[str, Any]:
    """Return the recorded facts of an answer to any change."""
    return {
        "http_status": answer.status,
        "deal_reference": answer.deal_reference,
        "error_code": answer.error_code,
        "retry_after_s": answer.retry_after_s,
        "last_byte_at": answer.last_byte_at,
        "note": answer.detail,
    }


def failed_after(error: Exception) -> str:
    """Describe a failure after a send: it must not read as "nothing was sent"."""
    if isinstance(error, JournalUnreadable):
        return error.message
    return f"{type(error).__name__} after the send: {error}"


def life_fault(context: Context, preview: PreviewRecord) -> str | None:
    """Say why a preview is invalid by this computer's clock and journal; None while it is valid."""
    if preview.expires_at <= context.clock():
        return f"expired at {preview.expires_at:%H:%M:%S}Z."
    if preview.state is PreviewState.EXPIRED:
        return "was made before the journal was accepted, so it is not known whether it was sent."
    return None


def clock_fault(context: Context, preview: PreviewRecord) -> str | None:
    """Say why a preview is too old or too new by the broker's clock, just read; None if it is valid.

    The paper broker's market time can be faster than ours, so there only our own clock is held against it.
    """
    now, broker_now = context.clock(), context.broker.broker_time()
    if is_from_the_future(preview, now, broker_now):
        return (
            f"was made at {preview.created_at:%H:%M:%S}Z by this computer's clock, and now it is "
            f"{broker_now or now:%H:%M:%S}Z at the broker: the clock was ahead."
        )
    if context.env != "paper" and has_outlived(preview, broker_now):
        return "has expired by the broker's clock."
    return None


def expired(preview: PreviewRecord, why: str, command: str) -> Refused:
    """Return the error of an expired preview; `command` makes a new one."""
    return PreviewExpired(f"{preview.preview_id} {why} Nothing was sent. Make a new preview.", next=command)


def preview_again(preview: PreviewRecord) -> str:
    """Return the command for a new preview of the same order."""
    order = read_order(preview.document)
    return preview_command(order.request, order.order_type)

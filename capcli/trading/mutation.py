"""Changes that are safe to repeat by deal id (PUT of stop and limit, DELETE): recorded, sent, read back."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import (
    GONE,
    NOTHING_DONE,
    Answer,
    AttemptRecord,
    AttemptState,
    Delivery,
    PreviewRecord,
    classify,
)
from capcli.domain.order import Kind
from capcli.errors import (
    Busy,
    CapcliError,
    Exit,
    Interrupted,
    JournalUnreadable,
    PreviewExpired,
    Problem,
)
from capcli.ports import Request
from capcli.reconcile.readback import ReadBack
from capcli.refusals import bounded_exit, reason_of, refusal
from capcli.reply import about
from capcli.safety.approval_text import request_text
from capcli.safety.trading_gate import permit_one_way_out
from capcli.trading.sending import CalledOff, Start, answer_facts, failed_after

if TYPE_CHECKING:
    from capcli.domain.mandate import Permit, Tightening

T = TypeVar("T")

READ_BACK_DELAYS_S = (0.0, 0.3, 0.7, 1.5)
# Lists can be stale: a deal is gone only if a second read agrees.
AGREES_AFTER_S = 0.3


@dataclass(frozen=True, slots=True)
class Mutation(Generic[T]):
    """One change, and how its result is reported. `unchanged` says what stays when the broker refuses it.

    `overview` lists the deals of its kind. `risk` names the change where it adds risk, which a halt stops.
    `lines` are what a person approves, and `more` reads the rest from the broker once one is asked. `preview`
    is used up by the send; `tightening` is what a mandate checks an amendment by.
    """

    kind: Kind
    request: Request
    deal_id: str
    baseline: bytes
    name: str
    command: str
    overview: str
    unchanged: str
    read_back: Callable[[], ReadBack]
    conclude: Callable[[AttemptRecord, Answer, ReadBack], T]
    doubt: Callable[[AttemptRecord, str], T]
    risk: str | None = None
    lines: tuple[str, ...] = ()
    more: Callable[[], tuple[str, ...]] = tuple
    preview: PreviewRecord | None = None
    tightening: "Tightening | None" = None


@dataclass(frozen=True, slots=True)
class Mutations:
    """Sends one change: SENDING is recorded before the first byte, and the outcome is read back."""

    context: Context

    def carry_out(self, change: Mutation[T], account_id: str) -> T:
        """Send a change and report its result by `conclude`. Raises if nothing changed.

        Raises WouldSend on a dry run, ApprovalRequired and ApprovalDenied where a person has to approve it.
        """
        self._rehearse(change, account_id)
        request = self.approval_request(change, account_id)
        permit = self.context.approvals.permit(request, tightening=change.tightening)
        return self._carry_out(change, account_id, request, permit)

    def take_away(self, change: Mutation[T], account_id: str, *, person: bool) -> T:
        """Send a change that reduces risk; `person`: a person at a terminal has just typed it.

        Raises as `carry_out`, and ApprovalUnrecorded.
        """
        # Only the send holds the account lock: around the reads as well, each deal could wait for it twice,
        # 20 s each; and a deal counts as gone only on its own account.
        self._rehearse(change, account_id)
        context, request = self.context, self.approval_request(change, account_id)
        permit = permit_one_way_out(context, request, change.command, person=person)
        return self._carry_out(change, account_id, request, permit)

    def _rehearse(self, change: Mutation[T], account_id: str) -> None:
        self.context.send_gate.ask()
        preview_id = change.preview.preview_id if change.preview else None
        self.context.rehearse(change.request, account_id, preview_id)

    def _carry_out(
        self, change: Mutation[T], account_id: str, request: ApprovalRequest, permit: "Permit | None"
    ) -> T:
        attempt = self._open(change, account_id, permit)
        with about(account_id, lambda: self._known(attempt)):
            done = self._send(attempt, change)
        self.context.approvals.sent(permit, request, attempt.attempt_id)
        return done

    def approval_request(
        self, change: Mutation[T], account_id: str, *, asking: bool = False
    ) -> ApprovalRequest:
        """Return a change's approval request; `asking`: with its full text in any case."""
        what, *lines = change.lines or (change.name,)
        request = ApprovalRequest(
            kind=change.kind.value,
            subject=change.deal_id,
            env=self.context.env,
            host=self.context.broker.host,
            account_id=account_id,
            method=change.request.method,
            path=change.request.path,
            body=change.request.body,
            text=request_text(what, lines, self.context.env, account_id),
        )
        if not (asking or self.context.approvals.has_to_ask(request)):
            return request
        return replace(
            request, text=request_text(what, (*lines, *change.more()), self.context.env, account_id)
        )

    def move(self, attempt: AttemptRecord, state: AttemptState, **facts: Any) -> bool:
        """Compare and set; False when another process settled the attempt first."""
        return self.context.book.move(
            attempt.attempt_id, attempt.state, state, at=self.context.clock(), **facts
        )

    def record(self, attempt: AttemptRecord, state: AttemptState, answer: Answer, **facts: Any) -> None:
        """Commit an outcome with the broker's answer."""
        self.move(attempt, state, **(answer_facts(answer) | facts))

    def _open(self, change: Mutation[T], account_id: str, permit: "Permit | None") -> AttemptRecord:
        attempt = AttemptRecord(
            attempt_id=self.context.ids("a_"),
            kind=change.kind,
            env=self.context.env,
            host=self.context.broker.host,
            account_id=account_id,
            method=change.request.method,
            path=change.request.path,
            preview_id=change.preview.preview_id if change.preview else None,
            state=AttemptState.CLAIMED,
            body_sha256=sha256(change.request.body).hexdigest(),
            baseline=change.baseline,
            created_at=self.context.clock(),
            deal_id=change.deal_id,
        )
        book, preview = self.context.book, change.preview
        if preview is None:
            book.open_attempt(attempt, permit=permit)
        elif book.claim(preview.preview_id, attempt, now=attempt.created_at, permit=permit) is None:
            raise PreviewExpired(
                f"{preview.preview_id} expired or was used a moment ago.",
                "Nothing was sent.",
                next=change.command,
            )
        return attempt

    def _send(self, attempt: AttemptRecord, change: Mutation[T]) -> T:
        start = Start(self.context, self.context.book, attempt, change.risk)
        try:
            answer = self.context.broker.send(*change.request, account_id=attempt.account_id, ready=start)
            return self._finish(start.sending or attempt, change, answer)
        except Exception as error:
            if start.sending is None:
                raise self._not_begun(error, change) from None
            if self._is_verdict(attempt, error):
                raise
            return change.doubt(start.sending, failed_after(error))

    def _not_begun(self, error: Exception, change: Mutation[T]) -> Exception:
        """Explain in the change's own words why it was not sent."""
        match error:
            case Interrupted():
                message = f"Interrupted: nothing was sent. {change.unchanged}"
                return Interrupted(message, next=change.command)
            case CalledOff():
                message = f"{change.name} was stopped by another process. Nothing was sent."
                return Busy(message, next=change.command)
            case _:
                return error

    def _is_verdict(self, attempt: AttemptRecord, error: Exception) -> bool:
        """Whether an error is a recorded outcome; any other leaves it open what was done."""
        if not isinstance(error, CapcliError) or isinstance(error, JournalUnreadable):
            return False
        with suppress(CapcliError):
            current = self.context.book.attempt(attempt.attempt_id)
            return current is not None and not current.state.unresolved
        return False

    def _known(self, attempt: AttemptRecord) -> dict[str, Any]:
        state = attempt.state
        with suppress(CapcliError):
            state = (self.context.book.attempt(attempt.attempt_id) or attempt).state
        known = {"deal_id": attempt.target, "attempt_id": attempt.attempt_id, "state": state.value}
        lost = self.context.book.unrecorded(attempt.attempt_id)
        return known | ({"warnings": lost} if lost else {})

    def _finish(self, attempt: AttemptRecord, change: Mutation[T], answer: Answer) -> T:
        if answer.delivery is Delivery.LOST and self._read_back(change, wait=False) is ReadBack.NOT_YET:
            # The same change by deal id cannot be done twice: once the deal does not show it, sending it
            # again is safe. Only the book proves the outcome, so the second answer is not trusted either.
            again = self.context.broker.send(*change.request, account_id=attempt.account_id)
            answer = Answer(Delivery.LOST, detail=again.detail or answer.detail)
        state = classify(answer)
        if state in NOTHING_DONE and answer.status != GONE:
            self.record(attempt, state, answer)
            # The amendment that the broker would accept, if known; else the list of deals.
            bounded = bounded_exit(reason_of(answer)) if change.kind in _AMENDS else None
            instead = f"{change.overview} amend {change.deal_id} {bounded}" if bounded else change.overview
            words = (change.name, change.unchanged, change.command)
            raise refusal(state, answer, *words, instead=instead)
        return change.conclude(attempt, answer, self._read_back(change, wait=True))

    def _read_back(self, change: Mutation[T], *, wait: bool) -> ReadBack:
        """Read the deal back a few times: with `wait` until it is as requested, else until it can be read."""
        seen = ReadBack.UNREADABLE
        for pause in READ_BACK_DELAYS_S:
            self.context.sleep(pause)
            now = change.read_back()
            if now is ReadBack.GONE:
                # Absence counts if two reads agree.
                self.context.sleep(AGREES_AFTER_S)
                now = change.read_back()
            seen = seen if now is ReadBack.UNREADABLE else now
            if now in {ReadBack.DONE, ReadBack.GONE} or (now is ReadBack.NOT_YET and not wait):
                break
        return seen


def unconfirmed(code: str, message: str, command: str, attempt: AttemptRecord) -> Problem:
    """Return the problem of a change that was sent but not seen; repeating it is safe."""
    return Problem(
        code,
        message,
        int(Exit.MAY_BE_LIVE),
        next=command,
        retry_safe=True,
        details={"attempt_id": attempt.attempt_id, "state": AttemptState.UNKNOWN.value},
        assistant_error=False,
    )


_AMENDS = frozenset({Kind.AMEND, Kind.WORKING_UPDATE})

"""Execute: a preview is sent at most once, and nothing is said about it without evidence (order protocol)."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec.structs import replace

from capcli import ids
from capcli.context import AccountSnapshot, Context, active_on, returning
from capcli.domain.approval import Asked
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, PreviewRecord, PreviewState, classify
from capcli.domain.check_input import CheckInput
from capcli.domain.commands import preview_command
from capcli.domain.mandate import Permit, Spend
from capcli.domain.numbers import counted
from capcli.domain.order import Kind
from capcli.domain.policy import evaluate
from capcli.domain.stored_order import StoredOrder, read_order, write_baseline
from capcli.errors import (
    Busy,
    CapcliError,
    ChecksFailed,
    DuplicateOrder,
    Interrupted,
    PreviewElsewhere,
    PreviewExpired,
    PreviewNotExecutable,
    PreviewUnknown,
    RateLimited,
    Refused,
)
from capcli.ports import DealTaken
from capcli.reconcile.blocking import refuse_while_order_unresolved, refuse_while_unresolved
from capcli.reconcile.outcomes import Execution, execution_reply
from capcli.reconcile.reconcile import settled_words
from capcli.reconcile.reconciler import Reconciler
from capcli.reply import Reply, about
from capcli.safety.approval_text import order_text
from capcli.safety.halt import refuse_while_halted
from capcli.safety.mandate_permits import opening_of
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.margin_check import compare_margin
from capcli.trading.snapshot import (
    CalledOff,
    Start,
    check_input,
    clock_fault,
    failed_after,
    life_fault,
    take_snapshot,
)

T = TypeVar("T")

_TWIN_WINDOW = timedelta(seconds=60)
_NOTHING_OPENED = frozenset({AttemptState.NOT_SENT, AttemptState.REFUSED, AttemptState.REJECTED})


class Executions:
    """Sends previews. Every call leads to at most one POST, whatever crashes, repeats or races."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reconciler = Reconciler(context)

    def execute(
        self,
        preview_id: str,
        *,
        confirmed: bool,
        again: bool = False,
        kind: Kind | None = None,
        wait_s: float = 15.0,
    ) -> Reply[Execution]:
        """Send a preview once, or replay what became of it.

        `wait_s` bounds the wait for the broker's verdict (seconds, 0 for none), never the send itself.
        Raises PreviewUnknown, PreviewExpired, PreviewNotExecutable, PreviewElsewhere, NotConfirmed,
        TradingOff, LiveLocked, Halted, ChecksFailed, DuplicateOrder, RateLimited, ApprovalRequired,
        ApprovalDenied, Busy: then nothing was sent. Raises WouldSend on a dry run, which leaves the preview
        as it was.
        """
        preview = self._find(ids.preview_id(preview_id))
        with about(self._account_here(preview), lambda: self._known(preview)):
            self._belongs_here(preview, kind)
            send = lambda: self._send_locked(preview, again=again, wait_s=wait_s)  # noqa: E731
            return self._in_turn(preview, send, confirmed=confirmed)

    def question(self, preview_id: str, *, again: bool = False) -> str | Reply[Execution]:
        """Return what a person is asked before it is sent, or what became of it where it was sent before.

        Raises as `execute` what would be refused: nobody is asked about that.
        """
        preview = self._find(ids.preview_id(preview_id))
        with about(self._account_here(preview), lambda: self._known(preview)):
            self._belongs_here(preview, None)
            return self._in_turn(preview, lambda: self._question(preview, again=again), confirmed=True)

    def _question(self, preview: PreviewRecord, *, again: bool) -> str:
        with self._context.broker.hold_account():
            _, case, settled = self._checked(preview, again=again)
            return "\n".join((*settled, self._asked(preview, case).text))

    def _in_turn(
        self, preview: PreviewRecord, work: Callable[[], T], *, confirmed: bool
    ) -> T | Reply[Execution]:
        """Do some work on a preview under the account's lock, unless it was sent: then tell what became."""
        attempt = self._context.journal.attempt_of(preview.preview_id)
        if attempt is not None and not self._is_open(attempt):
            return self._replay(attempt, preview)
        if attempt is None:
            self._gate(preview, confirmed=confirmed)
        with ExitStack() as held:
            try:
                held.enter_context(self._context.lock(preview.env, preview.host, preview.account_id))
            except Busy:
                return self.so_far(preview.preview_id)
            held.enter_context(returning(self._context.broker))
            attempt = self._context.journal.attempt_of(preview.preview_id)
            if attempt is not None:
                return self._replay(self._reconciler.settle(attempt), preview)
            return work()

    def _account_here(self, preview: PreviewRecord) -> str | None:
        """Return a preview's account, unless it is one of another environment."""
        here = (preview.env, preview.host) == (self._context.env, self._context.broker.host)
        return preview.account_id if here else None

    def _known(self, preview: PreviewRecord) -> dict[str, str]:
        """Return what an error shows of a preview: its id, its attempt if there is one, and the state."""
        known, now = {"preview_id": preview.preview_id}, self._context.clock()
        with suppress(CapcliError):
            attempt = self._context.journal.attempt_of(preview.preview_id)
            if attempt is not None:
                return known | {"attempt_id": attempt.attempt_id, "state": attempt.state.value}
        ready = preview.state is PreviewState.READY
        state = PreviewState.EXPIRED if ready and preview.expires_at <= now else preview.state
        return known | {"state": state.value}

    def _is_open(self, attempt: AttemptRecord) -> bool:
        """Say whether evidence may still change what is known of an attempt."""
        return attempt.state.unresolved or self._reconciler.search.is_watched(attempt)

    def so_far(self, preview_id: str, *, replayed: bool = True) -> Reply[Execution]:
        """Return what the journal holds about an execution at this moment; asks and sends nothing.

        `replayed` is false where the caller's own sending is meant.
        Raises PreviewUnknown, and Busy while it has not had its turn to be sent.
        """
        preview = self._find(ids.preview_id(preview_id))
        attempt = self._context.journal.attempt_of(preview.preview_id)
        if attempt is None:
            busy = Busy(
                f"Another order is being sent on this account, and {preview.preview_id} has not been sent.",
                next=f"capcli execute {preview.preview_id}",
            )
            raise busy.about(self._account_here(preview), **self._known(preview))
        return execution_reply(attempt, read_order(preview.document), replayed=replayed)

    def left_behind(self, preview_id: str) -> Reply[Execution]:
        """Return what is known of an execution whose answer nobody waits for: one under way may be live.

        Raises PreviewUnknown, and Interrupted where nothing was sent.
        """
        preview = self._find(ids.preview_id(preview_id))
        attempt = self._context.journal.attempt_of(preview.preview_id)
        if attempt is None:
            raise Interrupted(f"Interrupted. Nothing was sent for {preview.preview_id}.")
        if attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}:
            note = "interrupted while waiting for the answer"
            attempt = replace(attempt, state=AttemptState.UNKNOWN, note=note)
        return execution_reply(attempt, read_order(preview.document), replayed=False)

    def _find(self, preview_id: str) -> PreviewRecord:
        preview = self._context.journal.preview(preview_id)
        if preview is None:
            raise PreviewUnknown(
                f"No preview has the id {preview_id}. Nothing was sent.",
                next="capcli preview --help",
            )
        return preview

    def _belongs_here(self, preview: PreviewRecord, kind: Kind | None) -> None:
        context, command = self._context, f"capcli execute {preview.preview_id}"
        if not preview.kind.is_order:
            raise PreviewElsewhere(
                f"{preview.preview_id} previews the update of a working order, not an order. Nothing was "
                "sent now. The tool cap_trade_execute_working_order_update sends it.",
                next="capcli orders",
            )
        if kind is not None and preview.kind is not kind:
            raise PreviewElsewhere(
                f"{preview.preview_id} previews a {preview.kind.value} order, not a {kind.value} one. "
                "Nothing was sent now.",
                next=command,
                kind=preview.kind.value,
            )
        if preview.env != context.env or preview.host != context.broker.host:
            raise PreviewElsewhere(
                f"{preview.preview_id} was made on {preview.env} ({preview.host}), this is {context.env} "
                f"({context.broker.host}). Nothing was sent now.",
                next=f"{command} --env {preview.env}",
            )
        if self._context.account not in {None, preview.account_id}:
            raise self._other_account(preview, self._context.account or "")

    def _gate(self, preview: PreviewRecord, *, confirmed: bool) -> None:
        if preview.state is PreviewState.DRAFT:
            raise PreviewNotExecutable(
                f"{preview.preview_id} failed its checks when it was made. Nothing was sent.",
                next=_preview_again(preview),
            )
        if why := life_fault(self._context, preview):
            raise _expired(preview, why)
        require_trading(self._context.policy, "The order")
        if not read_order(preview.document).only_reduces:
            refuse_while_halted(self._context.halt, "The order")
        require_confirmation(
            self._context.policy,
            confirmed=confirmed,
            needed=self._context.confirmation_needed,
            command=f"capcli execute {preview.preview_id}",
        )

    def _replay(self, attempt: AttemptRecord, preview: PreviewRecord) -> Reply[Execution]:
        return execution_reply(attempt, read_order(preview.document), replayed=True)

    def _send_locked(self, preview: PreviewRecord, *, again: bool, wait_s: float) -> Reply[Execution]:
        with self._context.broker.hold_account():
            return self._send_held(preview, again=again, wait_s=wait_s)

    def _send_held(self, preview: PreviewRecord, *, again: bool, wait_s: float) -> Reply[Execution]:
        snapshot, case, settled = self._checked(preview, again=again)
        request = (preview.method, preview.path, preview.body)
        self._context.rehearse(*request, preview.account_id, preview.preview_id)
        asked = self._asked(preview, case)
        permit = self._context.approvals.permit(asked, opening_of(case, snapshot))
        baseline = write_baseline(snapshot.positions, snapshot.orders, case.effect)
        risk = None if case.only_reduces else "The order"
        order = read_order(preview.document)
        reply = self._claim_and_send(preview, order, baseline, wait_s, permit=permit, risk=risk)
        if reply.data.replayed or reply.data.state is AttemptState.NOT_SENT:
            return reply
        self._context.approvals.sent(permit, asked, reply.data.attempt_id)
        under = permit.words if isinstance(permit, Spend) else None
        said = (*settled, under, compare_margin(self._context, snapshot, case, reply.data.attempt_id))
        return replace(reply, data=replace(reply.data, warnings=tuple(filter(None, said))))

    def _checked(
        self, preview: PreviewRecord, *, again: bool
    ) -> tuple[AccountSnapshot, CheckInput, tuple[str, ...]]:
        """Take a fresh look, and refuse what must not be sent. Called inside the account lock.

        The third value says what was settled on the way.
        """
        order = read_order(preview.document)
        self._require_account(preview, active_on(self._context.broker, preview.account_id))
        if why := clock_fault(self._context, preview):
            raise _expired(preview, why)
        settled: tuple[AttemptRecord, ...] = ()
        if order.only_reduces:
            refuse_while_order_unresolved(
                self._context, self._reconciler, preview.account_id, order.request.epic
            )
        else:
            settled = refuse_while_unresolved(self._context, self._reconciler, preview.account_id)
        self._refuse_twin(preview, again=again)
        self._require_room(_preview_again(preview))
        snapshot = take_snapshot(
            self._context, order.request, with_orders=True, account_id=preview.account_id
        )
        case = self._check_again(preview, order, snapshot)
        # One of those reads may have found the session renewed elsewhere, on another account.
        self._require_account(preview, self._context.broker.account_id)
        return snapshot, case, tuple(settled_words(one, self._reconciler.order_of(one)) for one in settled)

    def _asked(self, preview: PreviewRecord, case: CheckInput) -> Asked:
        """Return what a person is asked about a preview, with the figures of the fresh look."""
        return Asked(
            kind=preview.kind.value,
            subject=preview.preview_id,
            env=preview.env,
            host=preview.host,
            account_id=preview.account_id,
            method=preview.method,
            path=preview.path,
            body=preview.body,
            text=order_text(case, preview.account_id, env=preview.env, now=self._broker_now()),
            expires_at=preview.expires_at,
            preview_id=preview.preview_id,
        )

    def _broker_now(self) -> datetime:
        return self._context.broker.broker_time() or self._context.clock()

    def _require_room(self, command: str) -> None:
        """Refuse an order beyond the hour's before it is claimed. Raises RateLimited."""
        wait_s = self._context.broker.opening_wait_s()
        if wait_s:
            raise RateLimited(
                "Rate limit exceeded: this hour's opening orders are used up (1000 on demo). "
                f"Nothing was sent. Wait {wait_s} s.",
                next=command,
                retry_after_s=wait_s,
            )

    def _require_account(self, preview: PreviewRecord, account_id: str | None) -> None:
        if account_id != preview.account_id:
            raise self._other_account(preview, account_id or "no account")

    def _other_account(self, preview: PreviewRecord, account_id: str) -> Refused:
        return PreviewElsewhere(
            f"{preview.preview_id} belongs to account {preview.account_id}, this is {account_id}. "
            "Nothing was sent now.",
            next=f"capcli execute {preview.preview_id} --account {preview.account_id}",
        )

    def _refuse_twin(self, preview: PreviewRecord, *, again: bool) -> None:
        since = self._context.clock() - _TWIN_WINDOW
        for other in self._lately(preview, since):
            if self._is_twin(other, preview) and other.state not in _NOTHING_OPENED and not again:
                raise DuplicateOrder(
                    f"The same order was sent at {other.sent_at:%H:%M:%S}Z ({other.attempt_id}). Nothing was "
                    "sent now. To send it a second time on purpose, add --again (again=true).",
                    next=f"capcli execute {preview.preview_id} --again --confirm",
                    attempt_id=other.attempt_id,
                )

    def _lately(self, preview: PreviewRecord, since: datetime) -> Iterable[AttemptRecord]:
        """Return the attempts on a preview's account that are too young for the same order once more."""
        return self._context.journal.recent(preview.env, preview.host, preview.account_id, since)

    def _is_twin(self, other: AttemptRecord, preview: PreviewRecord) -> bool:
        """Say whether an attempt sent the same order: as numbers, for 1.5 and 1.50 are one size."""
        order = self._reconciler.order_of(other)
        mine = read_order(preview.document)
        return order is not None and (order.request, order.order_type) == (mine.request, mine.order_type)

    def _check_again(
        self, preview: PreviewRecord, order: StoredOrder, snapshot: AccountSnapshot
    ) -> CheckInput:
        case = check_input(self._context, snapshot, order.request, order.order_type, previewed=order)
        failed = [check for check in evaluate(case) if not check.passed]
        if failed:
            reasons = "; ".join(check.words for check in failed)
            raise ChecksFailed(
                f"A new look failed {counted(len(failed), 'check')}, so nothing was sent. {reasons}",
                next=_preview_again(preview),
                failed=[check.rule.value for check in failed],
            )
        return case

    def _claim_and_send(
        self,
        preview: PreviewRecord,
        order: StoredOrder,
        baseline: bytes,
        wait_s: float,
        *,
        permit: Permit | None,
        risk: str | None,
    ) -> Reply[Execution]:
        """Claim and send. `risk` names in words what a halt keeps from being sent, None where it reduces."""
        now = self._context.clock()
        attempt = self._new_attempt(preview, baseline, now)
        claimed = self._context.journal.claim(preview.preview_id, attempt, now=now, permit=permit)
        if claimed is None:
            return self._lost_the_claim(preview)
        return execution_reply(self._send(attempt, claimed, order, wait_s, risk=risk), order, replayed=False)

    def _new_attempt(self, preview: PreviewRecord, baseline: bytes, now: datetime) -> AttemptRecord:
        return AttemptRecord(
            attempt_id=self._context.ids("a_"),
            kind=preview.kind,
            env=preview.env,
            host=preview.host,
            account_id=preview.account_id,
            method=preview.method,
            path=preview.path,
            preview_id=preview.preview_id,
            state=AttemptState.CLAIMED,
            body_sha256=preview.body_sha256,
            baseline=baseline,
            created_at=now,
        )

    def _lost_the_claim(self, preview: PreviewRecord) -> Reply[Execution]:
        winner = self._context.journal.attempt_of(preview.preview_id)
        if winner is None:
            held = self._context.journal.preview(preview.preview_id) or preview
            raise _expired(held, life_fault(self._context, held) or "cannot be used any more.")
        return self._replay(winner, preview)

    def _send(
        self,
        attempt: AttemptRecord,
        preview: PreviewRecord,
        order: StoredOrder,
        wait_s: float,
        *,
        risk: str | None,
    ) -> AttemptRecord:
        """Send the stored bytes once. Whatever happens after that, the order may be live.

        Raises Interrupted when it was called back before that.
        """
        start = Start(self._context, self._context.journal, attempt, risk)
        try:
            answer = self._context.broker.send(
                preview.method, preview.path, preview.body, account_id=preview.account_id, ready=start
            )
            sent = self._record(start.sending or attempt, answer)
            if sent.state is AttemptState.ACKED:
                sent = self._reconciler.conclude(sent, order, wait_s=wait_s)
        except CalledOff:
            return self._held(attempt)
        except Exception as error:
            if start.sending is None:
                raise
            # A full disk or a bug here must not read as "nothing was sent".
            return self._in_doubt(attempt, failed_after(error))
        return sent

    def _record(self, attempt: AttemptRecord, answer: Answer) -> AttemptRecord:
        """Commit what the answer proves, before anything else happens.

        A reference that another order had before proves nothing: the answer is about that one.
        """
        state = classify(answer)
        facts: dict[str, Any] = {
            "http_status": answer.status,
            "deal_reference": answer.deal_reference,
            "error_code": answer.error_code,
            "retry_after_s": answer.retry_after_s,
            "last_byte_at": answer.last_byte_at,
            "other_account_id": answer.other_account_id,
            "note": "" if state is AttemptState.ACKED else answer.detail,
        }
        try:
            moved = self._move(attempt, state, **facts)
        except DealTaken as taken:
            facts |= {"deal_reference": None, "answered_for": taken.attempt_id, "note": str(taken)}
            moved = self._move(attempt, AttemptState.UNKNOWN, **facts)
        if not moved:
            now = self._context.clock()
            self._context.journal.note(attempt.attempt_id, "late_answer", at=now, detail=facts)
        return self._held(attempt)

    def _in_doubt(self, attempt: AttemptRecord, note: str) -> AttemptRecord:
        with suppress(CapcliError):
            held = self._context.journal.attempt(attempt.attempt_id)
            if held is not None and held.state is not AttemptState.SENDING:
                return held
        return replace(attempt, state=AttemptState.UNKNOWN, note=note)

    def _held(self, attempt: AttemptRecord) -> AttemptRecord:
        return self._context.journal.attempt(attempt.attempt_id) or attempt

    def _move(self, attempt: AttemptRecord, to_state: AttemptState, **facts: Any) -> bool:
        return self._context.journal.move(
            attempt.attempt_id, attempt.state, to_state, at=self._context.clock(), **facts
        )


def _expired(preview: PreviewRecord, why: str) -> Refused:
    return PreviewExpired(
        f"{preview.preview_id} {why} Nothing was sent. Make a new preview.", next=_preview_again(preview)
    )


def _preview_again(preview: PreviewRecord) -> str:
    order = read_order(preview.document)
    return preview_command(order.request, order.order_type)

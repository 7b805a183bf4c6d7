"""Execute: sends a preview at most once, and reports only what evidence shows (order protocol)."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from msgspec.structs import replace

from capcli.context import AccountSnapshot, Context, active_on, returning
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import AttemptRecord, AttemptState, PreviewRecord, PreviewState
from capcli.domain.check_input import CheckInput
from capcli.domain.fields import with_fields_of
from capcli.domain.mandate import Spend
from capcli.domain.numbers import counted
from capcli.domain.order import Kind
from capcli.domain.policy import evaluate
from capcli.domain.stored_order import read_order, write_baseline
from capcli.errors import (
    Busy,
    ChecksFailed,
    Interrupted,
    PreviewElsewhere,
    PreviewNotExecutable,
    Refused,
)
from capcli.reconcile.blocking import refuse_while_order_unresolved, refuse_while_unresolved
from capcli.reconcile.outcomes import Execution, execution_reply
from capcli.reconcile.reconcile import Reconciliations, settled_words
from capcli.reply import Reply, about
from capcli.safety.approval_text import order_text
from capcli.safety.halt import refuse_while_halted
from capcli.safety.mandate_permits import opening_of
from capcli.safety.trading_gate import require_confirmation, require_trading
from capcli.trading.margin_check import compare_margin
from capcli.trading.sending import (
    SendOnce,
    clock_fault,
    expired,
    find_preview,
    life_fault,
    preview_again,
)
from capcli.trading.snapshot import (
    check_input,
    take_snapshot,
)

T = TypeVar("T")


_HELP = "capcli preview --help"


class Executions:
    """Sends previews. Every call leads to at most one POST, whatever crashes, repeats or races."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sender = SendOnce(context)
        self._reconciler = self._sender.reconciler

    def execute(
        self,
        preview_id: str,
        *,
        confirmed: bool,
        again: bool = False,
        kind: Kind | None = None,
        wait_s: float = 15.0,
    ) -> Reply[Execution]:
        """Send a preview once, or report its earlier outcome.

        `wait_s` bounds the wait for the broker's confirmation (seconds, 0 for none), never the send itself.
        Raises PreviewUnknown, PreviewExpired, PreviewNotExecutable, PreviewElsewhere, NotConfirmed,
        TradingOff, LiveLocked, Halted, ChecksFailed, DuplicateOrder, RateLimited, ApprovalRequired,
        ApprovalDenied, Busy: then nothing was sent. Raises WouldSend on a dry run, which leaves the preview
        as it was.
        """
        preview = find_preview(self._context, preview_id, _HELP)
        with about(self._account_here(preview), lambda: self._sender.known(preview)):
            self._belongs_here(preview, kind)
            send = lambda: self._send(preview, again=again, wait_s=wait_s)  # noqa: E731
            return self._in_turn(preview, send, confirmed=confirmed)

    def question(self, preview_id: str, *, again: bool = False) -> str | Reply[Execution]:
        """Return the question before it is sent, or its outcome if it was sent before.

        Raises as `execute` if it would be refused: then there is no question.
        """
        preview = find_preview(self._context, preview_id, _HELP)
        with about(self._account_here(preview), lambda: self._sender.known(preview)):
            self._belongs_here(preview, None)
            return self._in_turn(preview, lambda: self._question(preview, again=again), confirmed=True)

    def _question(self, preview: PreviewRecord, *, again: bool) -> str:
        _, checked, settled = self._checked(preview, again=again)
        return "\n".join((*settled, self._approval_request(preview, checked).text))

    def _in_turn(
        self, preview: PreviewRecord, work: Callable[[], T], *, confirmed: bool
    ) -> T | Reply[Execution]:
        """Hold the account lock for a preview, unless it was sent before."""
        attempt = self._context.journal.attempt_of(preview.preview_id)
        watched = attempt is not None and self._reconciler.lookup.is_watched(attempt)
        # Evidence may still change what is known of one that is unresolved or watched.
        if attempt is not None and not (attempt.state.unresolved or watched):
            return execution_reply(attempt, read_order(preview.document), replayed=True)
        if attempt is None:
            self._gate(preview, confirmed=confirmed)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._context.lock(preview.env, preview.host, preview.account_id))
            except Busy:
                return self.so_far(preview.preview_id)
            stack.enter_context(returning(self._context.broker))
            attempt = self._context.journal.attempt_of(preview.preview_id)
            if attempt is not None:
                settled = self._reconciler.settle(attempt)
                return execution_reply(settled, read_order(preview.document), replayed=True)
            stack.enter_context(self._context.broker.hold_account())
            return work()

    def _account_here(self, preview: PreviewRecord) -> str | None:
        """Return a preview's account, None if it is of another environment."""
        here = (preview.env, preview.host) == (self._context.env, self._context.broker.host)
        return preview.account_id if here else None

    def so_far(self, preview_id: str, *, replayed: bool = True) -> Reply[Execution]:
        """Return an execution's current state from the journal; makes no request.

        `replayed` is false where the caller's own sending is meant.
        Raises PreviewUnknown, and Busy while it has not had its turn to be sent.
        """
        preview = find_preview(self._context, preview_id, _HELP)
        attempt = self._context.journal.attempt_of(preview.preview_id)
        if attempt is None:
            busy = Busy(
                f"Another order is being sent on this account, and {preview.preview_id} has not been sent.",
                next=f"capcli execute {preview.preview_id}",
            )
            raise busy.about(self._account_here(preview), **self._sender.known(preview))
        return execution_reply(attempt, read_order(preview.document), replayed=replayed)

    def left_behind(self, preview_id: str) -> Reply[Execution]:
        """Return the known state of an abandoned execution: one being sent may be live.

        Raises PreviewUnknown, and Interrupted where nothing was sent.
        """
        preview = find_preview(self._context, preview_id, _HELP)
        attempt = self._context.journal.attempt_of(preview.preview_id)
        if attempt is None:
            raise Interrupted(f"Interrupted. Nothing was sent for {preview.preview_id}.")
        if attempt.state in {AttemptState.CLAIMED, AttemptState.SENDING}:
            note = "interrupted while waiting for the answer"
            attempt = replace(attempt, state=AttemptState.UNKNOWN, note=note)
        return execution_reply(attempt, read_order(preview.document), replayed=False)

    def _belongs_here(self, preview: PreviewRecord, kind: Kind | None) -> None:
        context, command = self._context, f"capcli execute {preview.preview_id}"
        if not preview.kind.is_order:
            raise PreviewElsewhere(
                f"{preview.preview_id} previews the update of a working order, not an order. Nothing was "
                "sent now. Only an assistant's tools can send it.",
                next="capcli orders",
                kind=preview.kind.value,
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
                f"{preview.preview_id} failed its checks when it was made.",
                "Nothing was sent.",
                next=preview_again(preview),
            )
        if why := life_fault(self._context, preview):
            raise expired(preview, why, preview_again(preview))
        require_trading(self._context.policy, "The order")
        if not read_order(preview.document).only_reduces:
            refuse_while_halted(self._context.halt, "The order")
        require_confirmation(self._context, f"capcli execute {preview.preview_id}", confirmed=confirmed)

    def _send(self, preview: PreviewRecord, *, again: bool, wait_s: float) -> Reply[Execution]:
        snapshot, checked, settled = self._checked(preview, again=again)
        context, request = self._context, (preview.method, preview.path, preview.body)
        context.rehearse(request, preview.account_id, preview.preview_id)
        approval = self._approval_request(preview, checked)
        permit = self._context.approvals.permit(approval, opening_of(checked, snapshot))
        baseline = write_baseline(snapshot.positions, snapshot.orders, checked.effect)
        risk = None if checked.only_reduces else "The order"
        order = read_order(preview.document)
        reply = self._sender.claim_and_send(preview, order, baseline, wait_s, permit=permit, risk=risk)
        if reply.data.replayed or reply.data.state is AttemptState.NOT_SENT:
            return reply
        self._context.approvals.sent(permit, approval, reply.data.attempt_id)
        under = permit.words if isinstance(permit, Spend) else None
        warnings = (*settled, under, compare_margin(self._context, snapshot, checked, reply.data.attempt_id))
        return replace(reply, data=replace(reply.data, warnings=tuple(filter(None, warnings))))

    def _checked(
        self, preview: PreviewRecord, *, again: bool
    ) -> tuple[AccountSnapshot, CheckInput, tuple[str, ...]]:
        """Repeat all checks on a new snapshot, inside the account lock; also return what was settled."""
        order = read_order(preview.document)
        self._require_account(preview, active_on(self._context.broker, preview.account_id))
        if why := clock_fault(self._context, preview):
            raise expired(preview, why, preview_again(preview))
        settled: tuple[AttemptRecord, ...] = ()
        if order.only_reduces:
            refuse_while_order_unresolved(
                self._context, self._reconciler, preview.account_id, order.request.epic
            )
        else:
            settled = refuse_while_unresolved(self._context, self._reconciler, preview.account_id)
        self._sender.refuse_twin(preview, f"capcli execute {preview.preview_id}", again=again)
        self._sender.require_room(preview_again(preview))
        snapshot = take_snapshot(
            self._context, order.request, with_orders=True, account_id=preview.account_id
        )
        checked = check_input(self._context, snapshot, order.request, order.order_type, previewed=order)
        failed = [check for check in evaluate(checked) if not check.passed]
        if failed:
            reasons = "; ".join(check.words for check in failed)
            raise ChecksFailed(
                f"A new look failed {counted(len(failed), 'check')}, so nothing was sent. {reasons}",
                next=preview_again(preview),
                failed=[check.rule.value for check in failed],
            )
        # During these reads the session may have been renewed elsewhere, on another account.
        self._require_account(preview, self._context.broker.account_id)
        describe = Reconciliations(self._context).describe
        return snapshot, checked, tuple([settled_words(describe(one.state, one, None)) for one in settled])

    def _approval_request(self, preview: PreviewRecord, checked: CheckInput) -> ApprovalRequest:
        """Return a preview's approval request, with the figures of the new snapshot."""
        now = self._context.broker.broker_time() or self._context.clock()
        return with_fields_of(
            preview,
            ApprovalRequest,
            kind=preview.kind.value,
            subject=preview.preview_id,
            text=order_text(checked, preview.account_id, env=preview.env, now=now),
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

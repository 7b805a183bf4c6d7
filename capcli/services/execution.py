"""Execute: a preview is sent at most once, and nothing is said about it without evidence (order protocol)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from capcli.domain.account import Confirm, Position, WorkingOrder
from capcli.domain.attempt import (
    Answer,
    AttemptRecord,
    AttemptState,
    Evidence,
    PreviewRecord,
    PreviewState,
    Protection,
    classify,
)
from capcli.domain.order import Kind, LegForm
from capcli.domain.policy import evaluate
from capcli.errors import (
    AttemptUnresolved,
    Busy,
    CapcliError,
    ChecksFailed,
    DuplicateOrder,
    JournalUnreadable,
    PreviewElsewhere,
    PreviewExpired,
    PreviewNotExecutable,
    PreviewUnknown,
)
from capcli.services import ids
from capcli.services.casework import Desk, Scene, judge, look
from capcli.services.documents import StoredOrder, read_order, write_baseline
from capcli.services.fanout import uninterrupted
from capcli.services.ports import AccountLock, Ids
from capcli.services.reply import Reply
from capcli.services.trading_gate import require_confirmation, require_trading
from capcli.services.verdicts import Execution, execution_reply

_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 2.0
_READ_BACK_PAUSES_S = (0.0, 0.3, 1.0)
_TWIN_WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Sending:
    """How an execution is carried out: ids, waiting, the lock, and what a first Ctrl-C says."""

    lock: AccountLock
    ids: Ids
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    confirmation_needed: bool
    on_interrupt: Callable[[], None]


class Executions:
    """Sends previews. Every call leads to at most one POST, whatever crashes, repeats or races."""

    def __init__(self, desk: Desk, sending: Sending) -> None:
        self._desk = desk
        self._sending = sending

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
        TradingOff, LiveLocked, ChecksFailed, DuplicateOrder, Busy: then nothing was sent.
        """
        preview = self._find(ids.preview_id(preview_id))
        self._same_kind(preview, kind)
        attempt = self._desk.journal.attempt_of(preview.preview_id)
        if attempt is not None and not attempt.state.unresolved:
            return self._replay(attempt, preview)
        if attempt is None:
            self._gate(preview, confirmed=confirmed)
        with self._sending.lock(preview.env, preview.host, preview.account_id):
            attempt = self._desk.journal.attempt_of(preview.preview_id)
            if attempt is not None:
                return self._replay(self._settle(attempt), preview)
            return self._send_locked(preview, again=again, wait_s=wait_s)

    def so_far(self, preview_id: str) -> Reply[Execution]:
        """Return what the journal holds about an execute that is under way. Asks nobody, takes no lock.

        Raises Busy while nothing was sent yet (it may be sent any moment).
        """
        preview = self._find(ids.preview_id(preview_id))
        attempt = self._desk.journal.attempt_of(preview.preview_id)
        if attempt is None or attempt.state is AttemptState.CLAIMED:
            raise Busy(
                f"{preview.preview_id} is still being worked on and may be sent any moment. Ask again with "
                "the same preview id: it is sent once.",
                next=f"capcli execute {preview.preview_id}",
            )
        reply = self._replay(attempt, preview)
        if attempt.state is not AttemptState.SENDING or reply.problem is None:
            return reply
        sentence = (
            "The order is on its way and may be live. Ask again with the same preview id: it is sent once."
        )
        problem = replace(reply.problem, message=sentence, assistant_error=False)
        return replace(reply, data=replace(reply.data, sentence=sentence), problem=problem)

    def _find(self, preview_id: str) -> PreviewRecord:
        preview = self._desk.journal.preview(preview_id)
        if preview is None:
            raise PreviewUnknown(
                f"No preview has the id {preview_id}. Nothing was sent.",
                next="capcli preview SILVER --size 1",
            )
        return preview

    def _same_kind(self, preview: PreviewRecord, kind: Kind | None) -> None:
        if kind is not None and preview.kind is not kind:
            raise PreviewElsewhere(
                f"{preview.preview_id} previews a {preview.kind.value} order, not a {kind.value} one. "
                "Nothing was sent.",
                next=f"capcli execute {preview.preview_id}",
            )

    def _gate(self, preview: PreviewRecord, *, confirmed: bool) -> None:
        desk, command = self._desk, f"capcli execute {preview.preview_id}"
        if preview.env != desk.env or preview.host != desk.broker.host:
            raise PreviewElsewhere(
                f"{preview.preview_id} was made on {preview.env} ({preview.host}), this is {desk.env} "
                f"({desk.broker.host}). Nothing was sent.",
                next=f"{command} --env {preview.env}",
            )
        if preview.state is PreviewState.DRAFT:
            raise PreviewNotExecutable(
                f"{preview.preview_id} failed its checks when it was made. Nothing was sent.",
                next=self._preview_again(preview),
            )
        if preview.expires_at <= desk.clock():
            raise self._expired(preview)
        require_trading(desk.policy, "The order")
        require_confirmation(
            desk.policy, confirmed=confirmed, needed=self._sending.confirmation_needed, command=command
        )

    def _expired(self, preview: PreviewRecord) -> PreviewExpired:
        return PreviewExpired(
            f"{preview.preview_id} expired at {preview.expires_at:%H:%M:%S}Z. Nothing was sent. "
            "Make a new preview.",
            next=self._preview_again(preview),
        )

    def _preview_again(self, preview: PreviewRecord) -> str:
        request = read_order(preview.document).request
        return f"capcli preview {request.epic} --size {request.size}" + (
            " --sell" if request.side.value == "SELL" else ""
        )

    def _replay(self, attempt: AttemptRecord, preview: PreviewRecord) -> Reply[Execution]:
        return execution_reply(attempt, read_order(preview.document), replayed=True)

    def _settle(self, attempt: AttemptRecord) -> AttemptRecord:
        """Bring an attempt whose sender is gone as far as evidence allows. Runs inside the account lock."""
        if attempt.state is AttemptState.CLAIMED:
            self._move(
                attempt, AttemptState.NOT_SENT, note="the process that claimed it ended before sending"
            )
        elif attempt.state is AttemptState.SENDING:
            self._move(attempt, AttemptState.UNKNOWN, note="the process that sent it ended before the answer")
        elif attempt.state is AttemptState.ACKED:
            order = self._order_of(attempt)
            if order is not None:
                self._conclude(attempt, order, wait_s=0)
        return self._desk.journal.attempt(attempt.attempt_id) or attempt

    def _order_of(self, attempt: AttemptRecord) -> StoredOrder | None:
        preview = self._desk.journal.preview(attempt.preview_id) if attempt.preview_id else None
        return read_order(preview.document) if preview else None

    def _send_locked(self, preview: PreviewRecord, *, again: bool, wait_s: float) -> Reply[Execution]:
        order = read_order(preview.document)
        self._refuse_while_unresolved(preview)
        self._refuse_twin(preview, again=again)
        self._assert_account(preview)
        scene = look(self._desk, order.request, with_orders=True)
        if scene.session.account_id != preview.account_id:
            raise self._other_account(preview, scene.session.account_id)
        self._check_again(preview, order, scene)
        baseline = write_baseline(scene.positions, scene.orders)
        work = lambda: self._claim_and_send(preview, order, baseline, wait_s)  # noqa: E731
        reply: Reply[Execution] = uninterrupted(work, on_interrupt=self._sending.on_interrupt)
        return reply

    def _refuse_while_unresolved(self, preview: PreviewRecord) -> None:
        for other in self._desk.journal.unresolved(preview.env, preview.host, preview.account_id):
            if self._settle(other).state.unresolved:
                raise AttemptUnresolved(
                    f"Attempt {other.attempt_id} of {other.created_at:%H:%M:%S}Z is unresolved: that order "
                    "may be live. Nothing new was sent. Closing positions stays possible.",
                    next=f"capcli execute {other.preview_id}" if other.preview_id else "capcli positions",
                    attempt_id=other.attempt_id,
                )

    def _refuse_twin(self, preview: PreviewRecord, *, again: bool) -> None:
        since = self._desk.clock() - _TWIN_WINDOW
        nothing_opened = {AttemptState.NOT_SENT, AttemptState.REFUSED, AttemptState.REJECTED}
        for other in self._desk.journal.recent(preview.env, preview.host, preview.account_id, since):
            twin = other.body_sha256 == preview.body_sha256 and other.path == preview.path
            if twin and other.state not in nothing_opened and not again:
                raise DuplicateOrder(
                    f"The same order was sent at {other.sent_at:%H:%M:%S}Z ({other.attempt_id}). Nothing was "
                    "sent now. To send it a second time on purpose, add --again.",
                    next=f"capcli execute {preview.preview_id} --again",
                    attempt_id=other.attempt_id,
                )

    def _assert_account(self, preview: PreviewRecord) -> None:
        # A login, of this or another process, may have landed on the preferred account (API page 2.6).
        active = self._desk.broker.session().account_id
        if active != preview.account_id:
            switched = self._desk.broker.switch_account(preview.account_id)
            if switched.account_id != preview.account_id:
                raise self._other_account(preview, switched.account_id)

    def _other_account(self, preview: PreviewRecord, account_id: str) -> PreviewElsewhere:
        return PreviewElsewhere(
            f"{preview.preview_id} belongs to account {preview.account_id}, the broker is on {account_id}. "
            "Nothing was sent.",
            next=f"capcli execute {preview.preview_id} --account {preview.account_id}",
        )

    def _check_again(self, preview: PreviewRecord, order: StoredOrder, scene: Scene) -> None:
        case = judge(self._desk, scene, order.request, order.order_type, reference_entry=order.entry)
        failed = [check for check in evaluate(case) if not check.passed]
        if failed:
            reasons = "; ".join(f"{check.rule.value}: {check.reason}" for check in failed)
            raise ChecksFailed(
                f"A fresh look failed {len(failed)} check(s), so nothing was sent. {reasons}",
                next=self._preview_again(preview),
                failed=[check.rule.value for check in failed],
            )

    def _claim_and_send(
        self, preview: PreviewRecord, order: StoredOrder, baseline: bytes, wait_s: float
    ) -> Reply[Execution]:
        journal, now = self._desk.journal, self._desk.clock()
        attempt = self._new_attempt(preview, baseline, now)
        claimed = journal.claim(preview.preview_id, attempt, now=now)
        if claimed is None:
            return self._lost_the_claim(preview)
        facts = {"sent_at": self._desk.clock(), "broker_time_at_send": self._desk.broker.broker_time()}
        if not self._move(attempt, AttemptState.SENDING, **facts):
            return self._replay(journal.attempt(attempt.attempt_id) or attempt, preview)
        answer = self._desk.broker.send(claimed.method, claimed.path, claimed.body)
        try:
            sent = self._record(attempt, answer)
            if sent.state is AttemptState.ACKED:
                sent = self._conclude(sent, order, wait_s=wait_s)
        except JournalUnreadable as error:
            sent = replace(attempt, state=AttemptState.UNKNOWN, note=f"the journal failed: {error.message}")
        return execution_reply(sent, order, replayed=False)

    def _new_attempt(self, preview: PreviewRecord, baseline: bytes, now: datetime) -> AttemptRecord:
        return AttemptRecord(
            attempt_id=self._sending.ids("a_"),
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
        winner = self._desk.journal.attempt_of(preview.preview_id)
        if winner is None:
            raise self._expired(preview)
        return self._replay(winner, preview)

    def _record(self, attempt: AttemptRecord, answer: Answer) -> AttemptRecord:
        """Commit what the answer proves, before anything else happens."""
        state = classify(answer)
        # The move starts from SENDING: that is what is durable when the answer arrives.
        self._desk.journal.move(
            attempt.attempt_id,
            AttemptState.SENDING,
            state,
            at=self._desk.clock(),
            http_status=answer.status,
            deal_reference=answer.deal_reference,
            error_code=answer.error_code,
            note="" if state is AttemptState.ACKED else answer.detail,
        )
        return self._desk.journal.attempt(attempt.attempt_id) or replace(attempt, state=state)

    def _conclude(self, attempt: AttemptRecord, order: StoredOrder, *, wait_s: float) -> AttemptRecord:
        """Ask for the verdict on an acknowledged order until it comes or the wait is over."""
        confirm = self._await_confirm(attempt.deal_reference or "", wait_s)
        if confirm is None:
            return attempt
        if not confirm.accepted:
            self._move(attempt, AttemptState.REJECTED, error_code=confirm.reason, order_id=confirm.order_id)
        else:
            self._move(attempt, AttemptState.LANDED, **self._landing(attempt, order, confirm))
        return self._desk.journal.attempt(attempt.attempt_id) or attempt

    def _await_confirm(self, deal_reference: str, wait_s: float) -> Confirm | None:
        deadline, pause = self._sending.monotonic() + wait_s, _FIRST_POLL_S
        while True:
            try:
                confirm = self._desk.broker.confirm(deal_reference)
            except CapcliError:
                # Not yet: a 404 or a failed read says nothing about the order (API page 9.1).
                confirm = None
            if confirm is not None or self._sending.monotonic() + pause > deadline:
                return confirm
            self._sending.sleep(pause)
            pause = min(pause * 1.6, _LONGEST_POLL_S)

    def _landing(self, attempt: AttemptRecord, order: StoredOrder, confirm: Confirm) -> dict[str, Any]:
        deals = tuple(deal.deal_id for deal in confirm.deals)
        if attempt.kind is Kind.WORKING:
            deals = deals or ((confirm.order_id,) if confirm.order_id else ())
        facts: dict[str, Any] = {
            "evidence": Evidence.CONFIRM,
            "order_id": confirm.order_id,
            "deal_ids": deals,
            "level": confirm.level,
            "size": confirm.size,
            "protected": Protection.NOT_ASKED if order.request.stop is None else Protection.UNCHECKED,
        }
        opened = tuple(deal.deal_id for deal in confirm.deals if deal.status == "OPENED")
        if attempt.kind is Kind.MARKET and deals and not opened:
            # On a netting account an opposite order reduces deals and opens none (API page 9.4).
            return facts | {"protected": Protection.NOT_ASKED, "note": f"It reduced {len(deals)} position(s)"}
        return facts | self._read_back(attempt.kind, order, opened or deals, confirm.order_id)

    def _read_back(
        self, kind: Kind, order: StoredOrder, deals: tuple[str, ...], order_id: str | None
    ) -> dict[str, Any]:
        """Look at what the order became. The stop that was asked for must be seen, not assumed."""
        for pause in _READ_BACK_PAUSES_S:
            self._sending.sleep(pause)
            try:
                found = self._seen(kind, deals, order_id)
            except CapcliError:
                continue
            if found is not None:
                return _protection(order, found) | {"deal_ids": deals or (found.deal_id,)}
        return {}

    def _seen(
        self, kind: Kind, deals: tuple[str, ...], order_id: str | None
    ) -> Position | WorkingOrder | None:
        if kind is Kind.WORKING:
            return next((row for row in self._desk.broker.orders() if row.deal_id in deals), None)
        for position in self._desk.broker.positions():
            if position.deal_id in deals or (order_id and position.working_order_id == order_id):
                return position
        return None

    def _move(self, attempt: AttemptRecord, to_state: AttemptState, **facts: Any) -> bool:
        return self._desk.journal.move(
            attempt.attempt_id, attempt.state, to_state, at=self._desk.clock(), **facts
        )


def _protection(order: StoredOrder, found: Position | WorkingOrder) -> dict[str, Any]:
    stop = order.request.stop
    if stop is None:
        return {"protected": Protection.NOT_ASKED, "stop_level": found.stop_level}
    if stop.form is LegForm.LEVEL:
        kept = found.stop_level == stop.value
    else:
        # The broker turns a distance or an amount into a level of its own making.
        kept = found.stop_level is not None or found.trailing
    return {"protected": Protection.YES if kept else Protection.NO, "stop_level": found.stop_level}

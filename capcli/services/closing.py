"""Close a position: idempotent by deal id, proved by reading the book back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from capcli.domain.account import Confirm, Position
from capcli.domain.attempt import (
    Answer,
    AttemptRecord,
    AttemptState,
    Delivery,
    Evidence,
    Protection,
    classify,
)
from capcli.domain.market import Side
from capcli.domain.money import cents, plain, short
from capcli.domain.order import POSITIONS_PATH, Kind
from capcli.errors import (
    BrokerRefused,
    Busy,
    CapcliError,
    CloseUnknown,
    Interrupted,
    JournalUnreadable,
    LoginRefused,
    RateLimited,
    Unreachable,
)
from capcli.services import ids as typed
from capcli.services.casework import Desk
from capcli.services.documents import write_baseline
from capcli.services.evidence import is_open
from capcli.services.ports import Ids
from capcli.services.recall import Recall
from capcli.services.reply import Reply
from capcli.services.trading_gate import require_confirmation, require_trading

_LOOKS_S = (0.0, 0.3, 0.7, 1.5)
_CONFIRM_LOOKS_S = (0.0, 0.2, 0.3, 0.5)
_UNAUTHORISED, _GONE, _TOO_MANY = 401, 404, 429
_SLACK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed position. `level`, `pl` in `currency` of the instrument; `pl_account` in account currency.

    `level` and the P&L are None when the broker confirmed no closing price (the position is closed all the
    same); `pl_account` also where the account has another currency, since only the broker knows its rate.
    """

    deal_id: str
    attempt_id: str
    state: AttemptState
    epic: str
    side: Side
    size: Decimal
    open_level: Decimal
    level: Decimal | None
    pl: Decimal | None
    currency: str
    pl_account: Decimal | None
    account_currency: str | None
    closed_at: datetime | None
    sentence: str


class Closings:
    """Closes positions. Never blocked by limits or by unresolved attempts: closing takes risk away."""

    def __init__(
        self,
        desk: Desk,
        *,
        ids: Ids,
        sleep: Callable[[float], None],
        confirmation_needed: bool,
        recall: Recall | None = None,
    ) -> None:
        self._desk = desk
        self._ids = ids
        self._sleep = sleep
        self._confirmation_needed = confirmation_needed
        self._recall = recall or Recall()

    def close(self, deal_id: str, *, confirmed: bool) -> Reply[Closing]:
        """Close a whole position at market and prove it.

        Raises Interrupted (called back before the send), DealUnknown, NotConfirmed, TradingOff, LiveLocked,
        BrokerRefused, Unreachable (it is still open), and CloseUnknown when it may or may not be.
        """
        deal_id = typed.deal_id(deal_id)
        require_trading(self._desk.policy, "The close")
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=f"capcli close {deal_id}",
        )
        self._recall.ask()
        position = self._desk.broker.position(deal_id)
        attempt = self._open_attempt(position)
        return self._carry_out(attempt, position)

    def _open_attempt(self, position: Position) -> AttemptRecord:
        desk, path = self._desk, f"{POSITIONS_PATH}/{position.deal_id}"
        attempt = AttemptRecord(
            attempt_id=self._ids("a_"),
            kind=Kind.CLOSE,
            env=desk.env,
            host=desk.broker.host,
            account_id=desk.broker.account_id or "",
            method="DELETE",
            path=path,
            preview_id=None,
            state=AttemptState.CLAIMED,
            body_sha256=sha256(b"").hexdigest(),
            baseline=write_baseline((position,), ()),
            created_at=desk.clock(),
        )
        desk.journal.open_attempt(attempt)
        return attempt

    def _carry_out(self, attempt: AttemptRecord, position: Position) -> Reply[Closing]:
        try:
            self._recall.go(attempt.attempt_id)
        except Interrupted:
            self._move(attempt, AttemptState.NOT_SENT, note="interrupted before the send")
            raise
        facts = {"sent_at": self._desk.clock(), "broker_time_at_send": self._desk.broker.broker_time()}
        if not self._move(attempt, AttemptState.SENDING, **facts):
            raise Busy(
                f"The close of {position.deal_id} was called off by another process. Nothing was sent.",
                next=f"capcli close {position.deal_id}",
            )
        sending = self._desk.journal.attempt(attempt.attempt_id) or attempt
        answer = self._desk.broker.send("DELETE", attempt.path, None, account_id=attempt.account_id)
        try:
            return self._finish(sending, position, answer)
        except JournalUnreadable as error:
            raise _in_doubt(attempt, position, error.message) from error

    def _finish(self, attempt: AttemptRecord, position: Position, answer: Answer) -> Reply[Closing]:
        if answer.delivery is Delivery.LOST and self._is_open(attempt) is True:
            # By deal id a close cannot hit twice: once the row is read as open, sending again is safe. The
            # second answer speaks for itself alone, so only the book tells what became of both.
            again = self._desk.broker.send("DELETE", attempt.path, None, account_id=attempt.account_id)
            return self._look(attempt, position, Answer(Delivery.LOST, detail=again.detail))
        if answer.delivery is Delivery.NOT_CONNECTED:
            self._record(attempt, AttemptState.NOT_SENT, answer)
            raise Unreachable(
                f"Nothing was sent: {answer.detail.rstrip('.')}. {position.deal_id} is still open.",
                next=f"capcli close {position.deal_id}",
            )
        if classify(answer) is AttemptState.REFUSED and answer.status != _GONE:
            self._record(attempt, AttemptState.REFUSED, answer)
            raise _refusal(position, answer)
        return self._look(attempt, position, answer)

    def _look(self, attempt: AttemptRecord, position: Position, answer: Answer) -> Reply[Closing]:
        """Let the book say whether the position is gone, whatever the answer was."""
        if self._is_open(attempt, until_gone=True) is False:
            confirm = self._confirm(attempt, position, answer, self._is_closing)
            self._land(attempt, answer, confirm)
            return self._reply(attempt, position, confirm, already=answer.status == _GONE)
        rejected = self._confirm(attempt, position, answer, self._is_rejection)
        if rejected is not None:
            said = replace(answer, error_code=rejected.reason or "no reason given")
            self._record(attempt, AttemptState.REJECTED, said)
            raise _refusal(position, said)
        self._record(attempt, AttemptState.UNKNOWN, answer)
        raise _in_doubt(attempt, position, answer.detail or "no clear answer")

    def _is_open(self, attempt: AttemptRecord, *, until_gone: bool = False) -> bool | None:
        """Read the row back, a few times: True open, False gone, None when no read could tell."""
        deal_id = attempt.path.rsplit("/", 1)[1]
        seen: bool | None = None
        for pause in _LOOKS_S:
            self._sleep(pause)
            now = is_open(self._desk.broker, deal_id, attempt.account_id)
            seen = seen if now is None else now
            if now is False or (now and not until_gone):
                break
        return seen

    def _confirm(
        self,
        attempt: AttemptRecord,
        position: Position,
        answer: Answer,
        fits: Callable[[Confirm, Position], bool],
    ) -> Confirm | None:
        """Return the confirmation of this close, never the opening one that shares its reference."""
        reference = answer.deal_reference or f"p_{position.deal_id}"
        for pause in _CONFIRM_LOOKS_S:
            self._sleep(pause)
            try:
                confirm = self._desk.broker.confirm(reference)
            except CapcliError:
                continue
            if confirm is not None and _is_fresh(confirm, attempt) and fits(confirm, position):
                return confirm
        return None

    def _is_closing(self, confirm: Confirm, position: Position) -> bool:
        # API page 9.2: after a DELETE the old opening confirmation can come back under the same reference.
        closed = any(
            deal.deal_id == position.deal_id and deal.status == "FULLY_CLOSED" for deal in confirm.deals
        )
        return confirm.accepted and (closed or confirm.status == "CLOSED")

    def _is_rejection(self, confirm: Confirm, _position: Position) -> bool:
        return not confirm.accepted and confirm.at is not None

    def _land(self, attempt: AttemptRecord, answer: Answer, confirm: Confirm | None) -> None:
        # A process that slept through the quiet period may find its attempt settled by another.
        held = self._desk.journal.attempt(attempt.attempt_id) or attempt
        if held.state is AttemptState.LANDED:
            return
        self._move(
            held,
            AttemptState.LANDED,
            http_status=answer.status,
            deal_reference=answer.deal_reference,
            deal_ids=(attempt.path.rsplit("/", 1)[1],),
            evidence=Evidence.CONFIRM if confirm else Evidence.INFERRED,
            protected=Protection.NOT_ASKED,
            level=confirm.level if confirm else None,
            size=confirm.size if confirm else None,
        )

    def _record(self, attempt: AttemptRecord, state: AttemptState, answer: Answer) -> None:
        facts = {"http_status": answer.status, "error_code": answer.error_code, "note": answer.detail}
        self._move(attempt, state, **facts)

    def _move(self, attempt: AttemptRecord, state: AttemptState, **facts: Any) -> bool:
        return self._desk.journal.move(
            attempt.attempt_id, attempt.state, state, at=self._desk.clock(), **facts
        )

    def _reply(
        self, attempt: AttemptRecord, position: Position, confirm: Confirm | None, *, already: bool
    ) -> Reply[Closing]:
        broker = self._desk.broker
        level = confirm.level if confirm else None
        pl = None if level is None else _profit(position, level)
        same = broker.account_currency == position.currency
        closing = Closing(
            deal_id=position.deal_id,
            attempt_id=attempt.attempt_id,
            state=AttemptState.LANDED,
            epic=position.epic,
            side=position.side,
            size=position.size,
            open_level=position.level,
            level=level,
            pl=pl,
            currency=position.currency,
            pl_account=cents(pl) if pl is not None and same else None,
            account_currency=broker.account_currency,
            closed_at=confirm.at if confirm else None,
            sentence=_sentence(position, level, pl, already=already),
        )
        return Reply(closing, broker.account_id)


def _profit(position: Position, level: Decimal) -> Decimal:
    moved = level - position.level if position.side is Side.BUY else position.level - level
    return moved * position.size * position.contract_size


def _sentence(position: Position, level: Decimal | None, pl: Decimal | None, *, already: bool) -> str:
    opened = f"{position.side.value} {short(position.size)} {position.epic}"
    # A 404 after the position was read: its stop, its limit or somebody else was faster.
    done = f"{opened} was closed before this close arrived" if already else f"Closed {opened}"
    if level is None or pl is None:
        return f"{done}; the broker confirmed no price yet. See: capcli accounts"
    sign = "+" if pl >= 0 else ""
    return f"{done} at {plain(level)}: {sign}{cents(pl)} {position.currency}."


def _is_fresh(confirm: Confirm, attempt: AttemptRecord) -> bool:
    since = attempt.broker_time_at_send
    return since is None or confirm.at is None or confirm.at >= since - _SLACK


def _refusal(position: Position, answer: Answer) -> CapcliError:
    still = f"{position.deal_id} is still open."
    if answer.status == _TOO_MANY:
        return RateLimited(
            f"Rate limit exceeded: the close was refused unread. {still} Wait 30 s.",
            next=f"capcli close {position.deal_id}",
            retry_after_s=30,
        )
    if answer.status == _UNAUTHORISED:
        return LoginRefused(
            f"Session expired: the close was refused unread ({answer.error_code}). {still}",
            next=f"capcli close {position.deal_id}",
        )
    return BrokerRefused(
        f"Broker said no: {answer.error_code}. {still}",
        next=f"capcli positions {position.deal_id}",
        broker_code=answer.error_code,
    )


def _in_doubt(attempt: AttemptRecord, position: Position, why: str) -> CloseUnknown:
    return CloseUnknown(
        f"The close of {position.deal_id} was sent and the position was not seen to be gone "
        f"({why.rstrip('.')}). It may still be open; closing again is safe.",
        next=f"capcli positions {position.deal_id}",
        attempt_id=attempt.attempt_id,
    )

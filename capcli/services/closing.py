"""Close a position: idempotent by deal id, proved by reading the book back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from capcli.domain.account import Confirm, Position
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, Delivery, Evidence, Protection
from capcli.domain.market import Side
from capcli.domain.money import cents, short
from capcli.domain.order import POSITIONS_PATH, Kind
from capcli.errors import BrokerRefused, CapcliError, CloseUnknown, DealUnknown, RateLimited, Unreachable
from capcli.services import ids as typed
from capcli.services.casework import Desk
from capcli.services.ports import Ids
from capcli.services.reply import Reply
from capcli.services.trading_gate import require_confirmation, require_trading

_LOOKS_S = (0.0, 0.3, 0.7, 1.5)
_CONFIRM_LOOKS_S = (0.0, 0.2, 0.3, 0.5)
_TOO_MANY, _GONE = 429, 404
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
        self, desk: Desk, *, ids: Ids, sleep: Callable[[float], None], confirmation_needed: bool
    ) -> None:
        self._desk = desk
        self._ids = ids
        self._sleep = sleep
        self._confirmation_needed = confirmation_needed

    def close(self, deal_id: str, *, confirmed: bool) -> Reply[Closing]:
        """Close a whole position at market and prove it.

        Raises DealUnknown, NotConfirmed, TradingOff, LiveLocked, BrokerRefused, Unreachable (nothing was
        sent), and CloseUnknown when neither the answer nor the book could be read.
        """
        deal_id = typed.deal_id(deal_id)
        require_trading(self._desk.policy, "The close")
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=f"capcli close {deal_id}",
        )
        position = self._desk.broker.position(deal_id)
        attempt = self._open_attempt(position)
        answer = self._send(attempt, position)
        return self._finish(attempt, position, answer)

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
            baseline=f'{{"positions": {{"{position.deal_id}": "{position.size}"}}}}'.encode(),
            created_at=desk.clock(),
        )
        desk.journal.open_attempt(attempt)
        return attempt

    def _send(self, attempt: AttemptRecord, position: Position) -> Answer:
        desk = self._desk
        desk.journal.move(
            attempt.attempt_id,
            AttemptState.CLAIMED,
            AttemptState.SENDING,
            at=desk.clock(),
            sent_at=desk.clock(),
            broker_time_at_send=desk.broker.broker_time(),
        )
        answer = desk.broker.send("DELETE", attempt.path, None)
        if answer.delivery is Delivery.LOST and self._still_open(position.deal_id):
            # By deal id a close cannot hit twice: once the row is read as open, sending again is safe.
            answer = desk.broker.send("DELETE", attempt.path, None)
        return answer

    def _finish(self, attempt: AttemptRecord, position: Position, answer: Answer) -> Reply[Closing]:
        if answer.delivery is Delivery.NOT_CONNECTED:
            self._move(attempt, AttemptState.NOT_SENT, answer)
            raise Unreachable(
                f"Nothing was sent: {answer.detail}. {position.deal_id} is still open.",
                next=f"capcli close {position.deal_id}",
            )
        if (answer.error_code or "").startswith("error.") and answer.status != _GONE:
            self._move(attempt, AttemptState.REFUSED, answer)
            raise self._refusal(position, answer)
        if self._still_open(position.deal_id, until_gone=True) is not False:
            self._move(attempt, AttemptState.UNKNOWN, answer)
            raise CloseUnknown(
                f"The close of {position.deal_id} was sent and the position was not seen to be gone "
                f"({answer.detail or 'no clear answer'}). It may still be open; closing again is safe.",
                next=f"capcli positions {position.deal_id}",
                attempt_id=attempt.attempt_id,
            )
        confirm = self._confirm(position, attempt, answer)
        self._land(attempt, answer, confirm)
        return self._reply(attempt, position, confirm)

    def _refusal(self, position: Position, answer: Answer) -> CapcliError:
        still = f"{position.deal_id} is still open."
        if answer.status == _TOO_MANY:
            return RateLimited(
                f"Rate limit exceeded: the close was refused unread. {still} Wait 30 s.",
                next=f"capcli close {position.deal_id}",
                retry_after_s=30,
            )
        return BrokerRefused(
            f"Broker said no: {answer.error_code}. {still}",
            next=f"capcli positions {position.deal_id}",
            broker_code=answer.error_code,
        )

    def _still_open(self, deal_id: str, *, until_gone: bool = False) -> bool | None:
        """Read the row back: True open, False gone, None when no read succeeded."""
        seen: bool | None = None
        for pause in _LOOKS_S:
            self._sleep(pause)
            try:
                self._desk.broker.position(deal_id)
                seen = True
            except DealUnknown:
                return False
            except CapcliError:
                continue
            if not until_gone:
                return seen
        return seen

    def _confirm(self, position: Position, attempt: AttemptRecord, answer: Answer) -> Confirm | None:
        """Return the closing confirmation, never the opening one that shares its reference (API page 9.2)."""
        reference = answer.deal_reference or f"p_{position.deal_id}"
        for pause in _CONFIRM_LOOKS_S:
            self._sleep(pause)
            try:
                confirm = self._desk.broker.confirm(reference)
            except CapcliError:
                continue
            if confirm is not None and self._is_closing(confirm, position, attempt):
                return confirm
        return None

    def _is_closing(self, confirm: Confirm, position: Position, attempt: AttemptRecord) -> bool:
        sent = self._desk.journal.attempt(attempt.attempt_id)
        since = sent.broker_time_at_send if sent else None
        closed = confirm.status == "CLOSED" or any(
            deal.deal_id == position.deal_id and deal.status == "FULLY_CLOSED" for deal in confirm.deals
        )
        fresh = since is None or confirm.at is None or confirm.at >= since - _SLACK
        return confirm.accepted and closed and fresh

    def _land(self, attempt: AttemptRecord, answer: Answer, confirm: Confirm | None) -> None:
        self._desk.journal.move(
            attempt.attempt_id,
            AttemptState.SENDING,
            AttemptState.LANDED,
            at=self._desk.clock(),
            http_status=answer.status,
            deal_reference=answer.deal_reference,
            deal_ids=(attempt.path.rsplit("/", 1)[1],),
            evidence=Evidence.CONFIRM if confirm else Evidence.INFERRED,
            protected=Protection.NOT_ASKED,
            level=confirm.level if confirm else None,
            size=confirm.size if confirm else None,
        )

    def _move(self, attempt: AttemptRecord, state: AttemptState, answer: Answer) -> None:
        self._desk.journal.move(
            attempt.attempt_id,
            AttemptState.SENDING,
            state,
            at=self._desk.clock(),
            http_status=answer.status,
            error_code=answer.error_code,
            note=answer.detail,
        )

    def _reply(self, attempt: AttemptRecord, position: Position, confirm: Confirm | None) -> Reply[Closing]:
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
            sentence=_sentence(position, level, pl),
        )
        return Reply(closing, broker.account_id)


def _profit(position: Position, level: Decimal) -> Decimal:
    moved = level - position.level if position.side is Side.BUY else position.level - level
    return moved * position.size * position.contract_size


def _sentence(position: Position, level: Decimal | None, pl: Decimal | None) -> str:
    opened = f"{position.side.value} {short(position.size)} {position.epic}"
    if level is None or pl is None:
        return f"Closed {opened}; the broker confirmed no price yet. See: capcli accounts"
    sign = "+" if pl >= 0 else ""
    return f"Closed {opened} at {short(level)}: {sign}{cents(pl)} {position.currency}."

"""Close a position: idempotent by deal id, proved by reading the book back."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from capcli.domain.account import Confirm, Position
from capcli.domain.approval import Asked
from capcli.domain.attempt import Answer, AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.market import Side
from capcli.domain.money import cents, plain, short
from capcli.domain.order import POSITIONS_PATH, Kind
from capcli.errors import Exit, Problem
from capcli.services import ids as typed
from capcli.services.approval_text import position_told
from capcli.services.changes import Change, Changer, refusal
from capcli.services.documents import write_baseline
from capcli.services.evidence import is_open
from capcli.services.reply import Reply
from capcli.services.sights import Ended, Sight, asked_of, confirmed
from capcli.services.trading_gate import require_confirmation, require_trading

_CONFIRM_LOOKS_S = (0.0, 0.2, 0.3, 0.5)
_GONE = 404
_SIGHTS = {True: Sight.NOT_YET, False: Sight.GONE, None: Sight.UNREADABLE}


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed position, or what is known of it. `level` and `pl` in the instrument's `currency`.

    `level` and the P&L are None when the broker confirmed no closing price (the position is closed all the
    same); `pl_account` (in account currency) also where that is another one: only the broker knows its rate.
    """

    deal_id: str
    attempt_id: str
    state: Ended
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
    retry_safe: bool
    sentence: str
    next: str | None


class Closings:
    """Closes positions. Never blocked by limits or by unresolved attempts: closing takes risk away."""

    def __init__(self, changer: Changer, *, confirmation_needed: bool) -> None:
        self._changer = changer
        self._desk = changer.desk
        self._confirmation_needed = confirmation_needed

    def close(self, deal_id: str, *, confirmed: bool) -> Reply[Closing]:
        """Close a whole position at market and prove it.

        Raises Interrupted (called back before the send), DealUnknown, NotConfirmed, TradingOff, LiveLocked,
        BrokerRefused, and what keeps it from being sent: then it is still open. Problem CLOSE_UNKNOWN when it
        may or may not be.
        """
        deal_id = typed.deal_id(deal_id)
        require_trading(self._desk.policy, "The close")
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command=f"capcli close {deal_id}",
        )
        self._changer.recall.ask()
        position = self._desk.broker.position(deal_id)
        return self._changer.carry_out(self._change(position), self._desk.broker.account_id or "")

    def asked(self, position: Position) -> Asked:
        """Return what a person is asked about the close of a position."""
        return self._changer.asked(self._change(position), self._desk.broker.account_id or "")

    def _change(self, position: Position) -> Change[Reply[Closing]]:
        broker, account_id = self._desk.broker, self._desk.broker.account_id or ""
        return Change(
            kind=Kind.CLOSE,
            method="DELETE",
            path=f"{POSITIONS_PATH}/{position.deal_id}",
            body=None,
            deal_id=position.deal_id,
            baseline=write_baseline((position,), ()),
            name=f"The close of {position.deal_id}",
            command=f"capcli close {position.deal_id}",
            unchanged=f"{position.deal_id} is still open.",
            look=lambda: _SIGHTS[is_open(broker, position.deal_id, account_id)],
            conclude=lambda attempt, answer, sight: self._conclude(position, attempt, answer, sight),
            doubt=lambda attempt, why: self._unknown(position, attempt, why),
            shown=(f"Close {position_told(position)}",),
        )

    def _conclude(
        self, position: Position, attempt: AttemptRecord, answer: Answer, sight: Sight
    ) -> Reply[Closing]:
        """Let the book say whether the position is gone, whatever the answer was."""
        if sight is Sight.GONE:
            confirm = self._confirm(attempt, position, answer, accepted=True)
            self._land(attempt, answer, confirm)
            return self._closed(position, attempt, confirm, already=answer.status == _GONE)
        rejected = self._confirm(attempt, position, answer, accepted=False)
        if rejected is not None:
            said = replace(answer, error_code=rejected.reason or "no reason given")
            self._changer.record(attempt, AttemptState.REJECTED, said)
            raise refusal(self._change(position), said)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(position, attempt, answer.detail or "no clear answer")

    def _confirm(
        self, attempt: AttemptRecord, position: Position, answer: Answer, *, accepted: bool
    ) -> Confirm | None:
        """Return the confirmation of this close, never the opening one that shares its reference."""
        asked = asked_of(attempt)
        for pause in _CONFIRM_LOOKS_S:
            self._changer.sleep(pause)
            confirm = confirmed(self._desk.broker, answer.deal_reference or f"p_{position.deal_id}", asked)
            if confirm is not None and confirm.accepted is accepted:
                return confirm
        return None

    def _land(self, attempt: AttemptRecord, answer: Answer, confirm: Confirm | None) -> None:
        # A process that slept through the quiet period may find its attempt settled by another.
        held = self._desk.journal.attempt(attempt.attempt_id) or attempt
        if held.state is AttemptState.LANDED:
            return
        self._changer.move(
            held,
            AttemptState.LANDED,
            http_status=answer.status,
            deal_reference=answer.deal_reference,
            deal_ids=(attempt.deal_id or "",),
            evidence=Evidence.CONFIRM if confirm else Evidence.INFERRED,
            protected=Protection.NOT_ASKED,
            level=confirm.level if confirm else None,
            size=confirm.size if confirm else None,
        )

    def _unknown(self, position: Position, attempt: AttemptRecord, why: str) -> Reply[Closing]:
        problem = Problem(
            "CLOSE_UNKNOWN",
            f"The close of {position.deal_id} was sent and the position was not seen to be gone "
            f"({why.rstrip('.')}). It may still be open; closing again is safe.",
            int(Exit.MAY_BE_LIVE),
            next=f"capcli positions {position.deal_id}",
            retry_safe=True,
            details={"attempt_id": attempt.attempt_id, "state": AttemptState.UNKNOWN.value},
            assistant_error=False,
        )
        return self._reply(position, attempt, None, problem)

    def _closed(
        self, position: Position, attempt: AttemptRecord, confirm: Confirm | None, *, already: bool
    ) -> Reply[Closing]:
        pl = None if confirm is None or confirm.level is None else _profit(position, confirm.level)
        told = _sentence(position, confirm.level if confirm else None, pl, already=already)
        return self._reply(position, attempt, confirm, told)

    def _reply(
        self, position: Position, attempt: AttemptRecord, confirm: Confirm | None, told: str | Problem
    ) -> Reply[Closing]:
        problem = told if isinstance(told, Problem) else None
        currency = self._desk.broker.account_currency
        level = confirm.level if confirm else None
        pl = None if level is None else _profit(position, level)
        closing = Closing(
            deal_id=position.deal_id,
            attempt_id=attempt.attempt_id,
            state=AttemptState.UNKNOWN if problem else AttemptState.LANDED,
            epic=position.epic,
            side=position.side,
            size=position.size,
            open_level=position.level,
            level=level,
            pl=pl,
            currency=position.currency,
            pl_account=cents(pl) if pl is not None and currency == position.currency else None,
            account_currency=currency,
            closed_at=confirm.at if confirm else None,
            retry_safe=True,
            sentence=told if isinstance(told, str) else told.message,
            next=problem.next if problem else "capcli accounts",
        )
        return Reply(closing, attempt.account_id, problem)


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

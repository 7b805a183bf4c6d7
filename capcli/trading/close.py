"""Close a position: idempotent by deal id, proved by reading the book back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import Context, active_account_id
from capcli.domain.account import Confirm, Position
from capcli.domain.approval import ApprovalRequest
from capcli.domain.attempt import GONE, OK, Answer, AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.effect import gain
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.money import EXACT, FINE, cents, percent_of, plain, short
from capcli.domain.numbers import gained, result
from capcli.domain.order import Kind
from capcli.domain.stored_order import write_baseline
from capcli.errors import (
    BrokerRefused,
    DealUnknown,
    Problem,
    RateLimited,
    Unreachable,
)
from capcli.marketdata.conversion import known_rates
from capcli.reconcile.deal_account import name_account, placing
from capcli.reconcile.readback import Ended, ReadBack, close_read_back, confirmed, sent_request
from capcli.refusals import refusal
from capcli.reply import Reply
from capcli.safety.approval_text import opened_words
from capcli.safety.trading_gate import require_exit
from capcli.trading.exit_text import close_lines
from capcli.trading.mutation import AGREES_AFTER_S, Mutation, Mutations, unconfirmed

_CONFIRM_DELAYS_S = (0.0, 0.2, 0.3, 0.5)


class Closing(Struct, frozen=True):
    """A closed position, or what is known of it. `level` and `pl` in the instrument's `currency`.

    `level` and the P&L are None if the broker confirmed no closing price (the position is still closed).
    `pl_account` is in account currency: the broker's own figure, else ours (`pl_estimated`), converted at
    the current rate, None without one. `pl_pct` is in percent of the position's opening value.
    `already_closed`: a stop, a limit or another close was faster.
    `epic` to `open_level` and `currency` are None for a position that could not be read: its id was enough.
    `warnings`: what could not be recorded or read.
    """

    deal_id: str
    attempt_id: str
    state: Ended
    epic: str | None
    side: Side | None
    size: Decimal | None
    open_level: Decimal | None
    level: Decimal | None
    pl: Decimal | None
    currency: str | None
    pl_account: Decimal | None
    account_currency: str | None
    pl_pct: Decimal | None
    pl_estimated: bool
    already_closed: bool
    closed_at: datetime | None
    retry_safe: bool
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


class Total(Struct, frozen=True):
    """The sum booked by several closes, in account currency; None if one is unknown."""

    amount: Decimal | None
    currency: str | None
    estimated: bool

    @property
    def words(self) -> str:
        if self.amount is None:
            return ""
        return f"{'about ' if self.estimated else ''}{result(self.amount, self.currency)}"


def total_of(closings: Sequence[Closing | None], currency: str | None) -> Total:
    """Add up the closes' results; None for one with an unknown price."""
    known = [row.pl_account for row in closings if row is not None and row.pl_account is not None]
    if len(known) < len(closings):
        return Total(None, currency, estimated=False)
    estimated = any(row is not None and row.pl_estimated for row in closings)
    return Total(sum(known, Decimal("0.00")), currency, estimated)


class _Target(Struct, frozen=True):
    """The position to close: its deal id, and the position if it could be read."""

    deal_id: str
    position: Position | None

    def profit(self, level: Decimal | None) -> Decimal | None:
        """Return what a close at a level gains, in the instrument's currency."""
        row = self.position
        return None if row is None or level is None else gain(row, level, row.size)


class Closings:
    """Closes positions. Needs only the broker and the deal id: no limit or journal stops it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changer = Mutations(context)

    def close(self, deal_id: str, *, confirmed: bool, person: bool = False) -> Reply[Closing]:
        """Close a whole position at market and prove it; `person`: one at a terminal has just typed so.

        Raises Interrupted (called back before the send), DealUnknown, NotConfirmed, TradingOff, LiveLocked,
        BrokerRefused, and what keeps it from being sent: then it is still open. Problem CLOSE_UNKNOWN when it
        may or may not be.
        """
        reply = self.send(deal_id, confirmed=confirmed, person=person)
        (closing,) = self.in_account_currency((reply.data,), reply.account_id)
        return replace(reply, data=closing)

    def send(self, deal_id: str, *, confirmed: bool, person: bool = False) -> Reply[Closing]:
        """Close as `close` does, without reading rates: for several positions they are read at the end."""
        deal_id = typed.deal_id(deal_id)
        command = f"capcli close {deal_id}"
        require_exit(self._context, "The close", command, confirmed=confirmed, person=person)
        self._context.send_gate.ask()
        target = self._target(deal_id)
        return self._changer.take_away(self._change(target), active_account_id(self._context), person=person)

    def question(self, deal_id: str) -> str:
        """Return the question before a close. Raises DealUnknown after two reads."""
        change = self._change(self._target(typed.deal_id(deal_id)))
        return self._changer.approval_request(change, active_account_id(self._context), asking=True).text

    def in_account_currency(self, closings: Sequence[Closing], account_id: str | None) -> tuple[Closing, ...]:
        """Convert results in other currencies at current rates; unchanged without a rate."""
        foreign = [row for row in closings if row.pl is not None and row.pl_account is None]
        target = foreign[0].account_currency if foreign else None
        if target is None:
            return tuple(closings)
        rates = known_rates(self._context.broker, (row.currency or "" for row in foreign), target)
        converted = {
            row.deal_id: replace(
                row, pl_account=cents(EXACT.multiply(row.pl, rates[row.currency])), pl_estimated=True
            )
            for row in foreign
            if row.pl is not None and row.currency in rates
        }
        where = self._context.where(account_id)
        rows = {deal_id: replace(row, sentence=_sentence(row, where)) for deal_id, row in converted.items()}
        return tuple(rows.get(row.deal_id, row) for row in closings)

    def approval_request(self, deal_id: str, position: Position | None) -> ApprovalRequest:
        """Return the approval request for a close."""
        return self._changer.approval_request(
            self._change(_Target(deal_id, position)), active_account_id(self._context)
        )

    def _target(self, deal_id: str) -> _Target:
        """Read the position. Its id is enough to close it; its absence takes two reads."""
        with placing(self._context, deal_id, f"capcli close {deal_id}"):
            for last in (False, True):
                try:
                    return _Target(deal_id, self._context.broker.position(deal_id))
                except DealUnknown:
                    if last:
                        raise
                    self._context.sleep(AGREES_AFTER_S)
                except (BrokerRefused, Unreachable, RateLimited):
                    break
        return _Target(deal_id, None)

    def _change(self, target: _Target) -> Mutation[Reply[Closing]]:
        broker, account_id = self._context.broker, active_account_id(self._context)
        deal_id, row = target.deal_id, target.position
        what = opened_words(row) if row else f"the position {deal_id}, which cannot be read,"
        return Mutation(
            kind=Kind.CLOSE,
            request=broker.requests.close_position(deal_id),
            deal_id=deal_id,
            baseline=write_baseline((row,) if row else (), ()),
            name=f"The close of {deal_id}",
            command=f"capcli close {deal_id}",
            overview="capcli positions",
            unchanged=f"{deal_id} is still open.",
            read_back=lambda: close_read_back(broker, deal_id, account_id),
            conclude=lambda attempt, answer, read_back: self._conclude(target, attempt, answer, read_back),
            doubt=lambda attempt, why: self._unknown(target, attempt, why),
            lines=(f"Close {what}",),
            more=lambda: close_lines(broker, row) if row else (),
        )

    def _conclude(
        self, target: _Target, attempt: AttemptRecord, answer: Answer, read_back: ReadBack
    ) -> Reply[Closing]:
        """Conclude from the book whether the position is gone, whatever the answer was.

        One that was never seen and that the broker does not know may be on another account.
        """
        never_seen = target.position is None and answer.status != OK
        if read_back is ReadBack.GONE and never_seen and answer.status == GONE:
            self._changer.record(attempt, AttemptState.REFUSED, answer)
            unknown = DealUnknown(
                f"No open position has the deal id {target.deal_id}: it was closed before, or it is on "
                "another account of this login.",
                next="capcli positions",
                deal_id=target.deal_id,
                attempt_id=attempt.attempt_id,
            )
            name_account(unknown, self._context, target.deal_id, f"capcli close {target.deal_id}")
            raise unknown
        if read_back is ReadBack.GONE and not never_seen:
            confirm = self._confirm(attempt, target, answer, accepted=True)
            # After sleeping through the quiet period, another process may have settled the attempt.
            current = self._context.book.attempt(attempt.attempt_id) or attempt
            if current.state is not AttemptState.LANDED:
                self._changer.move(
                    current,
                    AttemptState.LANDED,
                    http_status=answer.status,
                    deal_reference=answer.deal_reference,
                    deal_ids=(attempt.deal_id or "",),
                    evidence=Evidence.CONFIRM if confirm else Evidence.INFERRED,
                    protected=Protection.NOT_ASKED,
                    level=confirm.level if confirm else None,
                    size=confirm.size if confirm else None,
                )
            return self._reply(target, attempt, confirm, None, already=answer.status == GONE)
        rejected = self._confirm(attempt, target, answer, accepted=False)
        if rejected is not None:
            refused = replace(answer, error_code=rejected.reason or "no reason given")
            self._changer.record(attempt, AttemptState.REJECTED, refused)
            change = self._change(target)
            raise refusal(AttemptState.REJECTED, refused, change.name, change.unchanged, change.command)
        self._changer.record(attempt, AttemptState.UNKNOWN, answer)
        return self._unknown(target, attempt, answer.detail or "no clear answer")

    def _confirm(
        self, attempt: AttemptRecord, target: _Target, answer: Answer, *, accepted: bool
    ) -> Confirm | None:
        """Return the confirmation of this close, never the opening one that shares its reference."""
        sent = sent_request(attempt)
        for pause in _CONFIRM_DELAYS_S:
            self._context.sleep(pause)
            confirm = confirmed(self._context.broker, answer.deal_reference or f"p_{target.deal_id}", sent)
            if confirm is not None and confirm.accepted is accepted:
                return confirm
        return None

    def _unknown(self, target: _Target, attempt: AttemptRecord, why: str) -> Reply[Closing]:
        message = (
            f"The close of {target.deal_id} was sent, but it is not confirmed that the position is gone"
            f" ({why.rstrip('.')}). It may still be open; closing again is safe."
        )
        problem = unconfirmed("CLOSE_UNKNOWN", message, f"capcli positions {target.deal_id}", attempt)
        return self._reply(target, attempt, None, problem)

    def _reply(
        self,
        target: _Target,
        attempt: AttemptRecord,
        confirm: Confirm | None,
        problem: Problem | None,
        *,
        already: bool = False,
    ) -> Reply[Closing]:
        row, currency = target.position, self._context.broker.account_currency
        level = confirm.level if confirm else None
        pl, booked = target.profit(level), brokers_figure(confirm, currency)
        own = cents(pl) if pl is not None and row and currency == row.currency else None
        closing = with_fields_of(
            row,
            Closing,
            **({} if row else dict.fromkeys(("epic", "side", "size", "currency"))),
            deal_id=target.deal_id,
            attempt_id=attempt.attempt_id,
            state=AttemptState.UNKNOWN if problem else AttemptState.LANDED,
            open_level=row.level if row else None,
            level=level,
            pl=pl,
            pl_account=own if booked is None else booked,
            account_currency=currency,
            pl_pct=percent_of(pl, row.value_at_open, FINE) if pl is not None and row else None,
            pl_estimated=booked is None and own is not None,
            already_closed=already,
            closed_at=confirm.at if confirm else None,
            retry_safe=True,
            sentence=problem.message if problem else "",
            next=problem.next if problem else "capcli accounts",
            warnings=(*self._context.notices, *self._context.book.unrecorded(attempt.attempt_id)),
        )
        if problem is None:
            closing = replace(closing, sentence=_sentence(closing, self._context.where(attempt.account_id)))
        return Reply(closing, attempt.account_id, problem)


def deal_words(position: Position) -> str:
    """Name a position in a list."""
    return f"{position.side.value} {short(position.size)} {position.epic}"


def brokers_figure(confirm: Confirm | None, currency: str | None) -> Decimal | None:
    """Return the realised P&L in account currency if the broker's confirmation has it."""
    profit = confirm.profit if confirm else None
    return profit.amount if profit is not None and profit.currency == currency else None


def _sentence(row: Closing, where: str) -> str:
    words = f"the position {row.deal_id}"
    if row.side and row.size is not None:
        words = f"{row.side.value} {short(row.size)} {row.epic}"
    # A 404 after the position was read: its stop, its limit or another close was faster.
    done = f"{words} had been closed already" if row.already_closed else f"Closed {words}"
    done = f"{done[:1].upper()}{done[1:]}"
    if row.level is None:
        return f"{done} ({where}); the broker has not confirmed a price yet. See: capcli accounts"
    money = gained(row)
    return f"{done} at {plain(row.level)}{': ' if money else ''}{money} ({where})."

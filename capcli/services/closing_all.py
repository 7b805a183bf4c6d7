"""Close every position, each by its own close: what fails is told and does not stop the others."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from capcli.domain.account import Position
from capcli.domain.market import Side
from capcli.domain.money import cents, short
from capcli.errors import CapcliError, DealUnknown, Exit, Interrupted, Problem, WouldSend
from capcli.services.casework import Desk
from capcli.services.closing import Closing, Closings
from capcli.services.reply import Reply
from capcli.services.trading_gate import require_confirmation, require_trading

# What the user has to look at first comes first: what may still be open, then what was refused.
_WORST = (Exit.MAY_BE_LIVE, Exit.BROKER_REFUSED)


@dataclass(frozen=True, slots=True)
class CloseResult:
    """What became of one position. `code` and `exit_code` are those of its own close; `pl` in `currency`."""

    deal_id: str
    epic: str
    side: Side
    size: Decimal
    closed: bool
    attempt_id: str | None
    level: Decimal | None
    pl: Decimal | None
    currency: str
    code: str | None
    exit_code: int
    sentence: str
    next: str | None


@dataclass(frozen=True, slots=True)
class AllClosings:
    """What became of every position that was open. `pl_account` is None unless every one of them is known."""

    closings: tuple[CloseResult, ...]
    closed: int
    failed: int
    pl_account: Decimal | None
    account_currency: str | None
    sentence: str
    next: str | None


class ClosingsOfAll:
    """Closes the book. Running it again goes on with what is still open."""

    def __init__(self, desk: Desk, closings: Closings, *, confirmation_needed: bool) -> None:
        self._desk = desk
        self._closings = closings
        self._confirmation_needed = confirmation_needed

    def close_all(self, *, confirmed: bool) -> Reply[AllClosings]:
        """Close every open position of the active account, one after the other.

        Called back, the close that is under way finishes and no other is sent.
        Raises NotConfirmed, ApprovalRequired (one code for all), ApprovalDenied, TradingOff, LiveLocked, and
        what reading the book raises. Problem CLOSE_INCOMPLETE carries the exit code of the worst: 8 before 6
        before any other.
        """
        require_trading(self._desk.policy, "Closing all")
        require_confirmation(
            self._desk.policy,
            confirmed=confirmed,
            needed=self._confirmation_needed,
            command="capcli close --all",
        )
        book = self._desk.broker.positions()
        account_id = self._desk.broker.account_id
        if self._desk.dry_run and book:
            raise WouldSend(*self._rehearsed(book), account_id=account_id)
        self._desk.approvals.permit_all([self._closings.asked(position) for position in book])
        done = [_close(self._closings, position) for position in book]
        return _reply(done, account_id, self._desk.broker.account_currency)

    def _rehearsed(self, book: tuple[Position, ...]) -> Iterator[tuple[str, str, bytes | None]]:
        """Yield what each close would send; what is closed meanwhile needs none."""
        for position in book:
            try:
                with suppress(DealUnknown):
                    self._closings.close(position.deal_id, confirmed=True)
            except WouldSend as stop:
                yield from stop.requests


def _close(closings: Closings, position: Position) -> tuple[CloseResult, Closing | None]:
    try:
        reply = closings.close(position.deal_id, confirmed=True)
    except DealUnknown:
        return _gone(position), None
    except Interrupted as error:
        stopped = Interrupted(error.message, next=f"capcli close {position.deal_id}")
        return _failed(position, stopped.problem()), None
    except CapcliError as error:
        return _failed(position, error.problem()), None
    closing = reply.data
    if reply.problem is not None:
        return replace(_failed(position, reply.problem), attempt_id=closing.attempt_id), None
    result = CloseResult(
        deal_id=closing.deal_id,
        epic=closing.epic,
        side=closing.side,
        size=closing.size,
        closed=True,
        attempt_id=closing.attempt_id,
        level=closing.level,
        pl=closing.pl,
        currency=closing.currency,
        code=None,
        exit_code=0,
        sentence=closing.sentence,
        next=None,
    )
    return result, closing


def _gone(position: Position) -> CloseResult:
    opened = f"{position.side.value} {short(position.size)} {position.epic}"
    failed = _failed(position, CapcliError(f"{opened} was closed before its turn came.").problem())
    return replace(failed, closed=True, code=None, exit_code=0)


def _failed(position: Position, problem: Problem) -> CloseResult:
    attempt_id = problem.data.get("attempt_id")
    return CloseResult(
        deal_id=position.deal_id,
        epic=position.epic,
        side=position.side,
        size=position.size,
        closed=False,
        attempt_id=str(attempt_id) if attempt_id else None,
        level=None,
        pl=None,
        currency=position.currency,
        code=problem.code,
        exit_code=problem.exit_code,
        sentence=problem.message,
        next=problem.next,
    )


def _reply(
    done: list[tuple[CloseResult, Closing | None]], account_id: str | None, currency: str | None
) -> Reply[AllClosings]:
    results = tuple(result for result, _ in done)
    failed = [result for result in results if not result.closed]
    amounts = [closing.pl_account for _, closing in done if closing is not None]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known, Decimal("0.00")) if len(known) == len(results) else None
    problem = _problem(results, failed)
    everything = AllClosings(
        closings=results,
        closed=len(results) - len(failed),
        failed=len(failed),
        pl_account=total,
        account_currency=currency,
        sentence=problem.message if problem else _sentence(results, total, currency),
        next=problem.next if problem else "capcli accounts",
    )
    return Reply(everything, account_id, problem)


def _sentence(results: tuple[CloseResult, ...], total: Decimal | None, currency: str | None) -> str:
    if not results:
        return "No position is open: there was nothing to close."
    count = "1 position" if len(results) == 1 else f"all {len(results)} positions"
    gained = "" if total is None else f": {'+' if total >= 0 else ''}{cents(total)} {currency}"
    return f"Closed {count}{gained}."


def _problem(results: tuple[CloseResult, ...], failed: list[CloseResult]) -> Problem | None:
    if not failed:
        return None
    codes = [result.exit_code for result in failed]
    worst = next((int(code) for code in _WORST if int(code) in codes), codes[0])
    if worst == int(Exit.INTERRUPTED) and any(result.attempt_id for result in results):
        # Something was sent before the interruption: look before you go on.
        worst = int(Exit.MAY_BE_LIVE)
    names = ", ".join(f"{result.side.value} {short(result.size)} {result.epic}" for result in failed)
    return Problem(
        "CLOSE_INCOMPLETE",
        f"{len(results) - len(failed)} of {len(results)} positions are closed. Not proved closed: {names}. "
        "The same command goes on with what is still open.",
        worst,
        next="capcli close --all --confirm",
        retry_safe=True,
        details={"failed": [result.deal_id for result in failed]},
        assistant_error=worst != int(Exit.MAY_BE_LIVE),
    )

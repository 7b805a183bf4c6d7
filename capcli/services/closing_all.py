"""Close every position, each by its own close: what fails is told and does not stop the others."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from capcli.domain.account import Position
from capcli.domain.market import Side
from capcli.domain.money import cents, short
from capcli.errors import (
    CapcliError,
    DealUnknown,
    Exit,
    Interrupted,
    Problem,
    RowUnreadable,
    WouldSend,
)
from capcli.services.casework import Desk
from capcli.services.changes import AGREES_AFTER_S
from capcli.services.closing import Closing, Closings
from capcli.services.reply import Reply
from capcli.services.trading_gate import permit_way_out, require_confirmation, require_way_out

# What the user has to look at first comes first: what may still be open, then what was refused.
_WORST = (Exit.MAY_BE_LIVE, Exit.BROKER_REFUSED)
_COMMAND = "capcli close --all"
# A list can be stale: what it left out is in the next one.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class CloseResult:
    """What became of one position. `code` and `exit_code` are those of its own close; `pl` in `currency`.

    Of a position that could not be read only the deal id is known, or not even that.
    """

    deal_id: str | None
    epic: str | None
    side: Side | None
    size: Decimal | None
    closed: bool
    attempt_id: str | None
    level: Decimal | None
    pl: Decimal | None
    currency: str | None
    code: str | None
    exit_code: int
    sentence: str
    next: str | None


@dataclass(frozen=True, slots=True)
class AllClosings:
    """What became of every position that was open. `pl_account` is None unless every one of them is known.

    `warnings`: what could not be recorded or read.
    """

    closings: tuple[CloseResult, ...]
    closed: int
    failed: int
    pl_account: Decimal | None
    account_currency: str | None
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """An open position: as it was read, or as much of it as could be."""

    deal_id: str | None
    position: Position | None
    words: str


@dataclass(slots=True)
class _Run:
    """What was done so far."""

    done: list[tuple[CloseResult, Closing | None]] = field(default_factory=list)
    tried: set[str | None] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


class ClosingsOfAll:
    """Closes the book. Running it again goes on with what is still open."""

    def __init__(
        self,
        desk: Desk,
        closings: Closings,
        *,
        sleep: Callable[[float], None],
        confirmation_needed: bool,
    ) -> None:
        self._desk = desk
        self._closings = closings
        self._sleep = sleep
        self._confirmation_needed = confirmation_needed

    def close_all(self, *, confirmed: bool, person: bool = False) -> Reply[AllClosings]:
        """Close every open position of the active account, one after the other, and look again.

        `person`: one at a terminal has just typed so. Called back, the close that is under way finishes and
        no other is sent. A position that cannot be read is closed by its deal id.
        Raises NotConfirmed, ApprovalRequired (one code for all), ApprovalDenied, TradingOff, LiveLocked, and
        what reading the book raises. Problem CLOSE_INCOMPLETE carries the exit code of the worst: 8 before 6
        before any other.
        """
        desk = self._desk
        require_way_out(desk.policy, "Closing all", _COMMAND, person=person)
        needed = self._confirmation_needed
        require_confirmation(desk.policy, confirmed=confirmed or person, needed=needed, command=_COMMAND)
        book = self._book()
        account_id = desk.broker.account_id
        if desk.dry_run and book:
            raise WouldSend(*self._rehearsed(book), account_id=account_id)
        asked = [self._closings.asked(row.deal_id, row.position) for row in book if row.deal_id]
        permit_way_out(desk.approvals, asked, desk.policy, _COMMAND, person=person)
        run = self._closed(book, person=person)
        return _reply(run, desk, account_id)

    def _closed(self, book: list[_Open], *, person: bool) -> _Run:
        """Close what is open, and what a stale list had left out."""
        run = _Run(warnings=[*self._desk.notices])
        for _ in range(_ROUNDS):
            for row in book:
                if row.deal_id not in run.tried:
                    run.tried.add(row.deal_id)
                    run.done.append(self._close(row, run, person=person))
            if not book or any(result.exit_code == Exit.INTERRUPTED for result, _ in run.done):
                break
            try:
                book = self._book()
            except CapcliError as error:
                run.warnings.append(f"The positions could not be read once more: {error.message}")
                break
            if not {row.deal_id for row in book} - run.tried:
                break
        return run

    def _book(self) -> list[_Open]:
        """Read what is open; that nothing is takes two looks."""
        found = self._desk.broker.list_positions()
        if found.is_empty:
            self._sleep(AGREES_AFTER_S)
            found = self._desk.broker.list_positions()
        rows = [_Open(row.deal_id, row, _words(row)) for row in found.rows]
        return rows + [_Open(row.deal_id, None, row.words) for row in found.unreadable]

    def _rehearsed(self, book: list[_Open]) -> Iterator[tuple[str, str, bytes | None]]:
        """Yield what each close would send; what is closed meanwhile needs none."""
        for row in book:
            try:
                with suppress(DealUnknown):
                    if row.deal_id:
                        self._closings.close(row.deal_id, confirmed=True, person=True)
            except WouldSend as stop:
                yield from stop.requests

    def _close(self, row: _Open, run: _Run, *, person: bool) -> tuple[CloseResult, Closing | None]:
        if row.deal_id is None:
            return _failed(row, _nameless().problem()), None
        try:
            reply = self._closings.close(row.deal_id, confirmed=True, person=person)
        except DealUnknown:
            return _gone(row), None
        except Interrupted as error:
            stopped = Interrupted(error.message, next=f"capcli close {row.deal_id}")
            return _failed(row, stopped.problem()), None
        except CapcliError as error:
            run.warnings += error.data.get("warnings", ())
            return _failed(row, error.problem()), None
        closing = reply.data
        run.warnings += closing.warnings
        if reply.problem is not None:
            return replace(_failed(row, reply.problem), attempt_id=closing.attempt_id), None
        return _done(closing), closing


def _nameless() -> RowUnreadable:
    return RowUnreadable(
        "The broker sends an open position without a deal id, so it cannot be named to close it. Close it in "
        "the broker's own app.",
        next="capcli positions",
    )


def _words(position: Position) -> str:
    return f"{position.side.value} {short(position.size)} {position.epic}"


def _done(closing: Closing) -> CloseResult:
    return CloseResult(
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


def _gone(row: _Open) -> CloseResult:
    failed = _failed(row, CapcliError(f"{row.words} was closed before its turn came.").problem())
    return replace(failed, closed=True, code=None, exit_code=0)


def _failed(row: _Open, problem: Problem) -> CloseResult:
    attempt_id, position = problem.data.get("attempt_id"), row.position
    return CloseResult(
        deal_id=row.deal_id,
        epic=position.epic if position else None,
        side=position.side if position else None,
        size=position.size if position else None,
        closed=False,
        attempt_id=str(attempt_id) if attempt_id else None,
        level=None,
        pl=None,
        currency=position.currency if position else None,
        code=problem.code,
        exit_code=problem.exit_code,
        sentence=problem.message,
        next=problem.next,
    )


def _reply(run: _Run, desk: Desk, account_id: str | None) -> Reply[AllClosings]:
    currency = desk.broker.account_currency
    results = tuple(result for result, _ in run.done)
    failed = [result for result in results if not result.closed]
    amounts = [closing.pl_account for _, closing in run.done if closing is not None]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known, Decimal("0.00")) if len(known) == len(results) else None
    problem = _problem(results, failed)
    where = desk.where(account_id)
    everything = AllClosings(
        closings=results,
        closed=len(results) - len(failed),
        failed=len(failed),
        pl_account=total,
        account_currency=currency,
        sentence=problem.message if problem else _sentence(results, total, currency, where),
        next=problem.next if problem else "capcli accounts",
        warnings=tuple(dict.fromkeys(run.warnings)),
    )
    return Reply(everything, account_id, problem)


def _sentence(
    results: tuple[CloseResult, ...], total: Decimal | None, currency: str | None, where: str
) -> str:
    if not results:
        return f"No position is open ({where}): there was nothing to close."
    count = "1 position" if len(results) == 1 else f"all {len(results)} positions"
    gained = "" if total is None else f": {'+' if total >= 0 else ''}{cents(total)} {currency}"
    return f"Closed {count}{gained} ({where})."


def _problem(results: tuple[CloseResult, ...], failed: list[CloseResult]) -> Problem | None:
    if not failed:
        return None
    codes = [result.exit_code for result in failed]
    worst = next((int(code) for code in _WORST if int(code) in codes), codes[0])
    if worst == int(Exit.INTERRUPTED) and any(result.attempt_id for result in results):
        # Something was sent before the interruption: look before you go on.
        worst = int(Exit.MAY_BE_LIVE)
    names = ", ".join(_name(result) for result in failed)
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


def _name(result: CloseResult) -> str:
    if result.side is None or result.size is None:
        return result.deal_id or "a position without a deal id"
    return f"{result.side.value} {short(result.size)} {result.epic}"

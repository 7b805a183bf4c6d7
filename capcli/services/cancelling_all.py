"""Cancel every working order, or those of a market, each by its own cancellation."""

from collections.abc import Callable
from dataclasses import dataclass, field

from capcli.domain.account import UnreadableRow, WorkingOrder
from capcli.errors import CapcliError, DealUnknown, Exit, Interrupted, Problem, RowUnreadable, WouldSend
from capcli.services.cancelling import Cancellations, told
from capcli.services.casework import Desk
from capcli.services.changes import AGREES_AFTER_S
from capcli.services.reply import Reply
from capcli.services.trading_gate import permit_way_out, require_confirmation, require_way_out

_WORST = (Exit.MAY_BE_LIVE, Exit.BROKER_REFUSED)
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of one working order; `code` and `exit_code` are those of its own cancellation.

    `done` also where it was filled or cancelled before: `sentence` says which.
    """

    deal_id: str | None
    order: str
    done: bool
    attempt_id: str | None
    code: str | None
    exit_code: int
    sentence: str
    next: str | None


@dataclass(frozen=True, slots=True)
class AllCancellations:
    """What became of every working order that waited. `warnings`: what could not be recorded or read."""

    cancellations: tuple[CancelResult, ...]
    cancelled: int
    failed: int
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A working order: as it was read, or as much of it as could be."""

    deal_id: str | None
    order: WorkingOrder | None
    words: str


@dataclass(slots=True)
class _Run:
    """What was done so far."""

    done: list[CancelResult] = field(default_factory=list)
    tried: set[str | None] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


class CancellationsOfAll:
    """Cancels what waits. Running it again goes on with what still waits."""

    def __init__(
        self,
        desk: Desk,
        cancellations: Cancellations,
        *,
        sleep: Callable[[float], None],
        confirmation_needed: bool,
    ) -> None:
        self._desk = desk
        self._cancellations = cancellations
        self._sleep = sleep
        self._confirmation_needed = confirmation_needed

    def cancel_all(
        self, epic: str | None = None, *, confirmed: bool, person: bool = False
    ) -> Reply[AllCancellations]:
        """Cancel every working order of the active account, or of one market, and look again.

        `person`: one at a terminal has just typed so. An order that cannot be read is cancelled by its deal
        id; with an `epic` only where the row tells that it is of that market.
        Raises as `ClosingsOfAll.close_all`; Problem CANCEL_INCOMPLETE carries the exit code of the worst.
        """
        desk, command = self._desk, "capcli orders cancel --all" + (f" --epic {epic}" if epic else "")
        require_way_out(desk.policy, "The cancellation", command, person=person)
        needed = self._confirmation_needed
        require_confirmation(desk.policy, confirmed=confirmed or person, needed=needed, command=command)
        book = self._book(epic)
        account_id = desk.broker.account_id
        asked = [self._cancellations.asked(row.deal_id, row.order) for row in book if row.deal_id]
        if desk.dry_run and asked:
            requests = [(one.method, one.path, one.body) for one in asked]
            raise WouldSend(*requests, account_id=account_id)
        permit_way_out(desk.approvals, asked, desk.policy, command, person=person)
        run = self._cancelled(book, epic, person=person)
        return _reply(run, desk.where(account_id), account_id, command)

    def _cancelled(self, book: list[_Waiting], epic: str | None, *, person: bool) -> _Run:
        run = _Run(warnings=[*self._desk.notices])
        for _ in range(_ROUNDS):
            for row in book:
                if row.deal_id not in run.tried:
                    run.tried.add(row.deal_id)
                    run.done.append(self._cancel(row, run, person=person))
            if not book or any(result.exit_code == Exit.INTERRUPTED for result in run.done):
                break
            try:
                book = self._book(epic)
            except CapcliError as error:
                run.warnings.append(f"The working orders could not be read once more: {error.message}")
                break
            if not {row.deal_id for row in book} - run.tried:
                break
        return run

    def _book(self, epic: str | None) -> list[_Waiting]:
        """Read what waits; that nothing does takes two looks."""
        found = self._desk.broker.list_orders()
        if found.is_empty:
            self._sleep(AGREES_AFTER_S)
            found = self._desk.broker.list_orders()
        rows = [_Waiting(row.deal_id, row, told(row)) for row in found.rows if epic in {None, row.epic}]
        return rows + [_unread(row) for row in found.unreadable if epic in {None, row.epic}]

    def _cancel(self, row: _Waiting, run: _Run, *, person: bool) -> CancelResult:
        if row.deal_id is None:
            return _failed(row, _nameless().problem())
        try:
            reply = self._cancellations.cancel(row.deal_id, confirmed=True, person=person)
        except DealUnknown as gone:
            return CancelResult(row.deal_id, row.words, True, None, None, 0, gone.message, gone.next)
        except Interrupted as error:
            again = f"capcli orders cancel {row.deal_id}"
            return _failed(row, Interrupted(error.message, next=again).problem())
        except CapcliError as error:
            run.warnings += error.data.get("warnings", ())
            return _failed(row, error.problem())
        data = reply.data
        run.warnings += data.warnings
        if reply.problem is not None:
            return _failed(row, reply.problem, data.attempt_id)
        return CancelResult(row.deal_id, row.words, True, data.attempt_id, None, 0, data.sentence, None)


def _unread(row: UnreadableRow) -> _Waiting:
    return _Waiting(row.deal_id, None, f"the working order {row.words}")


def _nameless() -> RowUnreadable:
    return RowUnreadable(
        "The broker sends a working order without a deal id, so it cannot be named to cancel it. Cancel it "
        "in the broker's own app.",
        next="capcli orders",
    )


def _failed(row: _Waiting, problem: Problem, attempt_id: str | None = None) -> CancelResult:
    attempt_id = attempt_id or problem.data.get("attempt_id")
    return CancelResult(
        deal_id=row.deal_id,
        order=row.words,
        done=False,
        attempt_id=attempt_id,
        code=problem.code,
        exit_code=problem.exit_code,
        sentence=problem.message,
        next=problem.next,
    )


def _reply(run: _Run, where: str, account_id: str | None, command: str) -> Reply[AllCancellations]:
    results = tuple(run.done)
    failed = [result for result in results if not result.done]
    problem = _problem(results, failed, command)
    everything = AllCancellations(
        cancellations=results,
        cancelled=len(results) - len(failed),
        failed=len(failed),
        sentence=problem.message if problem else _sentence(results, where),
        next=problem.next if problem else "capcli positions",
        warnings=tuple(dict.fromkeys(run.warnings)),
    )
    return Reply(everything, account_id, problem)


def _sentence(results: tuple[CancelResult, ...], where: str) -> str:
    if not results:
        return f"No working order waits ({where}): there was nothing to cancel."
    count = "the 1 working order" if len(results) == 1 else f"all {len(results)} working orders"
    before = [result for result in results if result.attempt_id is None]
    gone = (
        f" {len(before)} of them waited no longer: {' '.join(one.sentence for one in before)}"
        if before
        else ""
    )
    return f"Went through {count} ({where}): none waits any more.{gone}"


def _problem(results: tuple[CancelResult, ...], failed: list[CancelResult], command: str) -> Problem | None:
    if not failed:
        return None
    codes = [result.exit_code for result in failed]
    worst = next((int(code) for code in _WORST if int(code) in codes), codes[0])
    if worst == int(Exit.INTERRUPTED) and any(result.attempt_id for result in results):
        worst = int(Exit.MAY_BE_LIVE)
    names = "; ".join(result.order for result in failed)
    return Problem(
        "CANCEL_INCOMPLETE",
        f"{len(results) - len(failed)} of {len(results)} working orders wait no longer. Not proved cancelled:"
        f" {names}. The same command goes on with what still waits.",
        worst,
        next=f"{command} --confirm",
        retry_safe=True,
        details={"failed": [result.deal_id for result in failed]},
        assistant_error=worst != int(Exit.MAY_BE_LIVE),
    )

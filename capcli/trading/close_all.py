"""Close every position, each by its own close: a failure is reported and does not stop the others."""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.account import Position
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.reply import Reply
from capcli.safety.approval_text import request_text
from capcli.trading.close import Closing, Closings, deal_words, total_of
from capcli.trading.exit_text import all_closes_lines
from capcli.trading.sweep import Run, Sweep, Swept

_OF_ITS_CLOSE = ("level", "pl", "pl_account", "account_currency", "pl_pct")


class CloseResult(Struct, frozen=True):
    """The result for one position. `code` and `exit_code` are those of its own close; `pl` in `currency`.

    `pl_account`, `pl_pct` and `pl_estimated` are those of its own close, too. Of a position that could not be
    read only the deal id is known, or not even that.
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
    pl_account: Decimal | None
    account_currency: str | None
    pl_pct: Decimal | None
    pl_estimated: bool
    code: str | None
    exit_code: int
    sentence: str
    next: str | None


class AllClosings(Struct, frozen=True):
    """The results for all open positions.

    `pl_account` is the sum of those that were closed, None where one of them is not known; `pl_estimated`
    where one was converted. `warnings`: what could not be recorded or read.
    """

    closings: tuple[CloseResult, ...]
    closed: int
    failed: int
    pl_account: Decimal | None
    account_currency: str | None
    pl_estimated: bool
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


class ClosingsOfAll:
    """Closes all positions. Running it again continues with the rest."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._closings = Closings(context)

    def close_all(self, *, confirmed: bool, person: bool = False) -> Reply[AllClosings]:
        """Close every open position of the active account, one after the other, and look again.

        Raises as `Sweep.go`; Problem CLOSE_INCOMPLETE carries the exit code of the worst: 8 before 6 before
        any other.
        """
        sweep = self._sweep()
        run = sweep.go(confirmed=confirmed, person=person)
        # The rates are read once, when all are closed.
        closings = [one.data for one in run.done if one.data is not None]
        priced = iter(self._closings.in_account_currency(closings, run.account_id))
        run.done = [one if one.data is None else replace(one, data=next(priced)) for one in run.done]
        return _reply(run, self._context, sweep.command)

    def question(self) -> str | Reply[AllClosings]:
        """Return the question before all are closed, or the answer if none is open."""
        sweep, broker = self._sweep(), self._context.broker
        rows, account_id = sweep.rows(), broker.account_id or ""
        if not rows:
            return _reply(Run(account_id, warnings=[*self._context.notices]), self._context, sweep.command)
        what = "Close the only position" if len(rows) == 1 else f"Close all {len(rows)} positions"
        return request_text(what, all_closes_lines(broker, rows), self._context.env, account_id)

    def _sweep(self) -> Sweep[Position, Closing]:
        return Sweep(
            context=self._context,
            command="capcli close --all",
            one="capcli close",
            action="Closing all",
            noun="position",
            verb="close",
            list_command="capcli positions",
            read=self._context.broker.list_positions,
            words=deal_words,
            approval_request=self._closings.approval_request,
            send=self._closings.send,
        )


def _result(one: Swept[Position, Closing]) -> CloseResult:
    problem, known = one.problem, one.data or one.row.read
    closing = one.data if problem is None else None
    if one.gone is not None:
        sentence = f"{one.row.words} had been closed already."
    else:
        sentence = problem.message if problem else closing.sentence if closing else ""
    unknown = {} if closing else dict.fromkeys(_OF_ITS_CLOSE) | {"pl_estimated": False}
    return with_fields_of(
        closing,
        CloseResult,
        **unknown,
        deal_id=one.row.deal_id,
        epic=known.epic if known else None,
        side=known.side if known else None,
        size=known.size if known else None,
        currency=known.currency if known else None,
        closed=problem is None,
        attempt_id=one.attempt_id,
        code=problem.code if problem else None,
        exit_code=one.exit_code,
        sentence=sentence,
        next=problem.next if problem else None,
    )


def _reply(run: Run[Position, Closing], context: Context, command: str) -> Reply[AllClosings]:
    results, failed = tuple(map(_result, run.done)), run.failed
    total = total_of([one.data for one in run.done if one.problem is None], context.broker.account_currency)
    gained = f": {total.words}" if results and total.words else ""
    names = ", ".join(one.row.words for one in failed)
    left = (
        f"{len(results) - len(failed)} of {len(results)} positions are closed{gained}. "
        f"Not confirmed closed: {names}. Run the same command again to continue with the rest."
    )
    problem = run.problem("CLOSE_INCOMPLETE", left, command)
    where, count = context.where(run.account_id), f"all {len(results)} positions"
    sentence = f"Closed {'1 position' if len(results) == 1 else count}{gained} ({where})."
    if not results:
        sentence = f"No position is open ({where}): there was nothing to close."
    everything = AllClosings(
        closings=results,
        closed=len(results) - len(failed),
        failed=len(failed),
        pl_account=total.amount,
        account_currency=total.currency,
        pl_estimated=total.estimated,
        sentence=problem.message if problem else sentence,
        next=problem.next if problem else "capcli accounts",
        warnings=run.distinct_warnings,
    )
    return Reply(everything, run.account_id, problem)

"""Cancel every working order, or those of a market, each by its own cancellation."""

from msgspec import Struct

from capcli.context import Context
from capcli.domain.account import WorkingOrder
from capcli.domain.numbers import counted
from capcli.reply import Reply
from capcli.safety.approval_text import order_words, request_text
from capcli.trading.cancel import Cancellation, Cancellations
from capcli.trading.exit_text import all_cancels_lines, cancel_lines
from capcli.trading.sweep import Run, Sweep, Swept


class CancelResult(Struct, frozen=True):
    """The result for one working order; `code` and `exit_code` are those of its own cancellation.

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


class AllCancellations(Struct, frozen=True):
    """The results for all working orders. `warnings`: what could not be recorded or read."""

    cancellations: tuple[CancelResult, ...]
    cancelled: int
    failed: int
    sentence: str
    next: str | None
    warnings: tuple[str, ...] = ()


_Swept = Swept[WorkingOrder, Cancellation]


class CancellationsOfAll:
    """Cancels all working orders. Running it again continues with the rest."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cancellations = Cancellations(context)

    def cancel_all(
        self, epic: str | None = None, *, confirmed: bool, person: bool = False
    ) -> Reply[AllCancellations]:
        """Cancel every working order of the active account, or of one market, and look again.

        With an `epic` an order that cannot be read is cancelled only where the row says that it is of that
        market. Raises as `Sweep.go`; Problem CANCEL_INCOMPLETE carries the exit code of the worst.
        """
        sweep = self._sweep(epic)
        run = sweep.go(confirmed=confirmed, person=person)
        return _reply(run, self._context, sweep.command)

    def question(self, epic: str | None = None) -> str | Reply[AllCancellations]:
        """Return the question before all are cancelled, or the answer if there are none."""
        sweep, broker = self._sweep(epic), self._context.broker
        rows, account_id = sweep.rows(), broker.account_id or ""
        if not rows:
            return _reply(Run(account_id, warnings=[*self._context.notices]), self._context, sweep.command)
        what = f"Cancel {counted(len(rows), 'working order')}"
        opened = cancel_lines(broker, [row.read for row in rows if row.read])
        return request_text(what, (*all_cancels_lines(rows), *opened), self._context.env, account_id)

    def _sweep(self, epic: str | None) -> Sweep[WorkingOrder, Cancellation]:
        return Sweep(
            context=self._context,
            command="capcli orders cancel --all" + (f" --epic {epic}" if epic else ""),
            one="capcli orders cancel",
            action="The cancellation",
            noun="working order",
            verb="cancel",
            list_command="capcli orders",
            read=self._context.broker.list_orders,
            words=order_words,
            approval_request=self._cancellations.approval_request,
            send=self._cancellations.cancel,
            epic=epic,
        )


def _result(one: _Swept) -> CancelResult:
    ended = one.problem or one.gone
    return CancelResult(
        deal_id=one.row.deal_id,
        order=one.row.words,
        done=one.problem is None,
        attempt_id=one.attempt_id,
        code=one.problem.code if one.problem else None,
        exit_code=one.exit_code,
        sentence=ended.message if ended else one.data.sentence if one.data else "",
        next=ended.next if ended else None,
    )


def _reply(run: Run[WorkingOrder, Cancellation], context: Context, command: str) -> Reply[AllCancellations]:
    results, failed = tuple(map(_result, run.done)), run.failed
    names = "; ".join(one.row.words for one in failed)
    left = (
        f"{len(results) - len(failed)} of {len(results)} working orders are gone. Not confirmed:"
        f" {names}. Run the same command again to continue with the rest."
    )
    problem = run.problem("CANCEL_INCOMPLETE", left, command)
    everything = AllCancellations(
        cancellations=results,
        cancelled=len(results) - len(failed),
        failed=len(failed),
        sentence=problem.message if problem else _sentence(results, context.where(run.account_id)),
        next=problem.next if problem else "capcli positions",
        warnings=run.distinct_warnings,
    )
    return Reply(everything, run.account_id, problem)


def _sentence(results: tuple[CancelResult, ...], where: str) -> str:
    if not results:
        return f"There are no working orders ({where}): there was nothing to cancel."
    count = "the 1 working order" if len(results) == 1 else f"all {len(results)} working orders"
    before = [result for result in results if result.attempt_id is None]
    gone = (
        f" {len(before)} of them were gone already: {' '.join(one.sentence for one in before)}"
        if before
        else ""
    )
    return f"Went through {count} ({where}): none is left.{gone}"

"""Reconcile: settle unresolved attempts of this account as far as evidence allows, once or repeatedly."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import Context, returning
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.candidates import ReconciliationReport
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.domain.order import Kind
from capcli.errors import AttemptElsewhere, AttemptUnknown, Busy, Exit, Problem
from capcli.reconcile.outcomes import KIND_WORDS, execution_reply, may_be_live, strayed
from capcli.reconcile.readback import is_about_order
from capcli.reconcile.reconciler import Reconciler
from capcli.reply import Reply

# Callers stop waiting by then; a later outcome was found by reconciling.
_ANSWERED_WITHIN = timedelta(seconds=60)
_LATELY, _SENT_WITHIN = timedelta(hours=1), timedelta(hours=25)
_WORST_FIRST = (Exit.MAY_BE_LIVE, Exit.NO_STOP)
# Settling an attempt is a success of reconcile, whatever its outcome.
_ENDS_WELL = {
    AttemptState.NOT_SENT,
    AttemptState.REFUSED,
    AttemptState.REJECTED,
}


class Settled(Struct, frozen=True):
    """The outcome of one attempt. `candidates` are matching deals while it is undecided.

    `kind`, `state_before` and `evidence` are plain words here: a shorter schema for assistants.
    `epic`, `side` and `size` are None for a close, an amendment and a cancellation, which are about a deal.
    """

    attempt_id: str
    preview_id: str | None
    kind: str
    epic: str | None
    side: Side | None
    size: Decimal | None
    state_before: str
    state: AttemptState
    evidence: str
    deal_ids: tuple[str, ...]
    candidates: tuple[str, ...]
    exit_code: int
    sentence: str
    next: str | None


class Reconciliation(Struct, frozen=True):
    """All checked attempts, `undecided` of which may still be live; `lately`: settled in the hour before."""

    attempts: tuple[Settled, ...]
    undecided: int
    lately: tuple[str, ...] = ()


class Reconciliations:
    """Settles attempts inside the account lock."""

    def __init__(self, context: Context, *, waits: bool = True) -> None:
        """`waits`: up to 20 s for a process that is sending on the account."""
        self._context = context
        self._reconciler = Reconciler(context)
        self._waits = waits

    def reconcile(self, attempt_id: str | None = None) -> Reply[Reconciliation]:
        """Check every unresolved attempt once, or one; also orders presumed not placed.

        Raises AttemptUnknown, AttemptElsewhere, and Busy while another process is sending.
        """
        account_id, wanted = self._wanted(attempt_id)
        lately = () if wanted else tuple(self._lately(account_id))
        return _reply([row for row, _ in self._pass(account_id, wanted)], account_id, lately)

    def wait(self, attempt_id: str | None = None) -> Reply[Reconciliation]:
        """Check repeatedly until waiting cannot decide more. Other commands proceed between checks."""
        account_id, wanted = self._wanted(attempt_id)
        before: dict[str, str] = {}
        while True:
            try:
                found = self._pass(account_id, wanted)
            except Busy:
                found = None
            if found is not None:
                rows = [row for row, _ in found]
                before = {row.attempt_id: row.state_before for row in rows} | before
                # Attempts settled in one pass are not unresolved in the next.
                wanted = wanted or tuple(before)
                if not any(self._may_yet_be_decided(row, report) for row, report in found):
                    kept = [replace(row, state_before=before[row.attempt_id]) for row in rows]
                    return _reply(kept, account_id)
            self._context.sleep(self._context.patience.pause_s)

    def _lately(self, account_id: str) -> Iterator[str]:
        """Say what was settled within the last hour, perhaps by a preview or an execution."""
        journal, context, now = self._context.journal, self._context, self._context.clock()
        for attempt in journal.recent(context.env, context.broker.host, account_id, now - _SENT_WITHIN):
            at = journal.moved_at(attempt.attempt_id)
            undecided = attempt.state.unresolved or attempt.state is AttemptState.ABSENT
            if undecided or at is None or attempt.sent_at is None or now - at > _LATELY:
                continue
            if attempt.evidence is Evidence.INFERRED or at - attempt.sent_at > _ANSWERED_WITHIN:
                reply = self.describe(attempt.state, attempt, None)
                yield f"{attempt.attempt_id} was settled at {at:%H:%M:%S}Z: {reply.sentence}"

    def find(self, attempt_id: str) -> AttemptRecord:
        """Return an attempt of this environment, host and account."""
        context = self._context
        attempt = context.journal.attempt(typed.attempt_id(attempt_id))
        if attempt is None:
            raise AttemptUnknown(
                f"No attempt has the id {typed.attempt_id(attempt_id)}.", next="capcli history executions"
            )
        if (attempt.env, attempt.host) != (context.env, context.broker.host):
            raise AttemptElsewhere(
                f"{attempt.attempt_id} was made on {attempt.env} ({attempt.host}), this is {context.env} "
                f"({context.broker.host}).",
                next=f"capcli reconcile {attempt.attempt_id} --env {attempt.env}",
            )
        if context.account not in {None, attempt.account_id}:
            raise AttemptElsewhere(
                f"{attempt.attempt_id} belongs to account {attempt.account_id}, this is {context.account}.",
                next=f"capcli reconcile {attempt.attempt_id} --account {attempt.account_id}",
            )
        return attempt

    def examine(self, attempt: AttemptRecord) -> tuple[Settled, ReconciliationReport | None]:
        """Settle one attempt; the caller holds the lock."""
        settled, report = self._reconciler.examine(attempt)
        return self.describe(attempt.state, settled, report), report

    def describe(
        self, before: AttemptState, attempt: AttemptRecord, report: ReconciliationReport | None
    ) -> Settled:
        """Describe an attempt's current state."""
        order = self._reconciler.lookup.order_of(attempt)
        if order is None:
            return _describe_change(before, attempt)
        undecided = attempt.state.unresolved
        reply = execution_reply(attempt, order, replayed=False)
        code = Exit.DONE if attempt.state in _ENDS_WELL else reply.exit_code
        sentence, command = reply.data.sentence, reply.data.next
        if undecided:
            sentence, command = self._undecided(attempt, report)
        return with_fields_of(
            attempt,
            Settled,
            epic=order.request.epic,
            side=order.request.side,
            size=order.request.size,
            state_before=before,
            exit_code=int(code),
            sentence=sentence,
            next=command,
        )

    def _undecided(self, attempt: AttemptRecord, report: ReconciliationReport | None) -> tuple[str, str]:
        """Say what was checked, what may decide it, and the next command."""
        resolve = f"capcli resolve {attempt.attempt_id}"
        wait = f"capcli reconcile {attempt.attempt_id} --wait"
        acked, maybe = attempt.state is AttemptState.ACKED, f"{may_be_live()}{strayed(attempt)}"
        if report is None:
            why = (
                "The broker has not confirmed it yet" if acked else "The account could not be read completely"
            )
            return f"{maybe} {why}.", wait
        if report.deals:
            return f"{maybe} {_candidates(report)}", resolve
        later = resolve if self._reconciler.lookup.is_quiet(attempt) else wait
        if report.traces:
            ids = ", ".join(one for trace in report.traces for one in trace.ids)
            return f"{maybe} The activity shows an order like it ({ids}) and no deal of it yet.", later
        if report.rejected:
            return f"{maybe} Its activity shows {len(report.rejected)} refusals that fit.", later
        nothing = f"{maybe} No trace yet in positions, working orders and activity."
        if acked or attempt.other_account_id is not None:
            why = " The broker acknowledged it, so that is no proof." if acked else ""
            return f"{nothing}{why}", resolve
        patience = self._context.patience
        when = f"from {patience.quiet_s:g} s after the send, in two looks {patience.gap_s:g} s apart"
        return f"{nothing} It counts as not placed {when}.", wait

    def _wanted(self, attempt_id: str | None) -> tuple[str, tuple[str, ...]]:
        if attempt_id is not None:
            attempt = self.find(attempt_id)
            return attempt.account_id, (attempt.attempt_id,)
        return self._context.account or self._context.broker.session().account_id, ()

    def _pass(
        self, account_id: str, wanted: tuple[str, ...]
    ) -> list[tuple[Settled, ReconciliationReport | None]]:
        context, journal = self._context, self._context.journal
        # The senders' lock, with the same name of the host.
        lock = context.lock(context.env, context.broker.host, account_id, wait=self._waits)
        with lock, returning(context.broker):
            attempts = [known for one in wanted if (known := journal.attempt(one)) is not None]
            if not wanted:
                attempts = [*journal.unresolved(context.env, context.broker.host, account_id)]
                attempts += self._reconciler.lookup.watched(account_id)
            found = [self.examine(attempt) for attempt in attempts]
        # An order found without a confirmation is reported again only if a second deal like it appears.
        return [
            (row, report)
            for row, report in found
            if wanted or row.candidates or row.state_before != AttemptState.LANDED
        ]

    def _may_yet_be_decided(self, row: Settled, report: ReconciliationReport | None) -> bool:
        """Whether waiting can decide it: not with a candidate after the quiet period.

        Later rows do not come (API page 10.1), so a person must decide.
        """
        if not row.state.unresolved:
            return False
        attempt = self._context.journal.attempt(row.attempt_id)
        if attempt is None or row.epic is None:
            return True
        elsewhere = attempt.other_account_id is not None or (
            attempt.answered_for is not None and attempt.state is AttemptState.ACKED
        )
        maybe = report is not None and bool(report.traces or report.rejected)
        return not (row.candidates or elsewhere or maybe) or not self._reconciler.lookup.is_quiet(attempt)


def _candidates(report: ReconciliationReport) -> str:
    """Name the candidates, and why they are not certain."""
    which = "It may be" if len(report.deals) == 1 else "It may be any of"
    parts = [f"{which} {', '.join(report.deals)}."]
    late = [f"{deal} at {trace.at:%H:%M:%S}Z" for trace in report.late for deal in trace.deal_ids]
    if late:
        parts.append(
            f"Opened late, so it may be a manual trade or one from another computer: {', '.join(late)}."
        )
    if reduced := sorted({deal for trace in report.traces for deal in trace.reduced}):
        parts.append(f"An order like it reduced {', '.join(reduced)}, open before the send.")
    if bare := [order for trace in report.traces if not trace.deal_ids for order in trace.ids]:
        parts.append(f"The activity shows an order like it ({', '.join(bare)}) and no deal of it yet.")
    if report.shared:
        parts.append(f"That also fits {', '.join(report.shared)}.")
    return " ".join(parts)


def _describe_change(before: AttemptState, attempt: AttemptRecord) -> Settled:
    deal_id = attempt.target
    what = f"The {KIND_WORDS[attempt.kind]} of {deal_id}"
    undecided = attempt.state.unresolved
    if undecided:
        sentence = f"{what} was sent, and it is not known yet what happened to it."
    elif attempt.state is AttemptState.LANDED:
        sentence = f"{what} is done."
    else:
        why = f" ({attempt.note.rstrip('.')})" if attempt.note else ""
        # A later amendment may have replaced it: the deal does not show that it was never made.
        ended = "is not in force" if attempt.kind in {Kind.AMEND, Kind.WORKING_UPDATE} else "was not made"
        sentence = f"{what} {ended}{why}."
    code = Exit.DONE
    if undecided:
        code = Exit.MAY_BE_LIVE
    elif attempt.protected is Protection.NO:
        code = Exit.NO_STOP
    where = "orders" if is_about_order(attempt) else "positions"
    return with_fields_of(
        attempt,
        Settled,
        epic=None,
        side=None,
        size=None,
        state_before=before,
        deal_ids=(deal_id,),
        candidates=(deal_id,) if undecided else (),
        exit_code=int(code),
        sentence=sentence,
        next=f"capcli resolve {attempt.attempt_id}" if undecided else f"capcli {where}",
    )


def settled_words(row: Settled) -> str:
    """Say that an attempt was settled now, for a command that was about something else."""
    return f"{row.attempt_id} was settled now: {row.sentence}"


def _reply(rows: list[Settled], account_id: str, lately: tuple[str, ...] = ()) -> Reply[Reconciliation]:
    undecided = sum(row.state.unresolved for row in rows)
    live, bare = ([row for row in rows if row.exit_code == code] for code in _WORST_FIRST)
    worst = live or bare
    problem = problem_of(worst[0], others=len(worst) - 1) if worst else None
    return Reply(Reconciliation(tuple(rows), undecided, lately), account_id, problem)


def problem_of(row: Settled, *, others: int = 0) -> Problem | None:
    """Return an attempt's problem, if any."""
    if row.exit_code == Exit.DONE:
        return None
    more = f" The same applies to {others} more." if others else ""
    code = "MAY_BE_LIVE" if row.exit_code == Exit.MAY_BE_LIVE else "NO_STOP"
    return Problem(
        code,
        row.sentence + more,
        row.exit_code,
        next=row.next,
        details={
            "attempt_id": row.attempt_id,
            "state": row.state.value,
            "deal_ids": list(row.candidates or row.deal_ids),
        },
        assistant_error=False,
    )

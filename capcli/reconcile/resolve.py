"""Resolve: a person decides an attempt that evidence does not settle, never against the evidence."""

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from capcli import ids as typed
from capcli.context import Context, returning
from capcli.domain.attempt import AttemptRecord, AttemptState, Evidence, Protection
from capcli.domain.candidates import ReconciliationReport
from capcli.domain.order import Kind
from capcli.errors import CapcliError, EvidenceAgainst, NotConfirmed, UsageError
from capcli.reconcile.outcomes import presumed
from capcli.reconcile.readback import is_open
from capcli.reconcile.reconcile import Reconciliations, Settled, problem_of
from capcli.reconcile.reconciler import Reconciler, landing_facts
from capcli.reply import Reply

_NOT_PLACED = "it was not placed: a person settled that"
# "Not placed": an acknowledged order was rejected, one never found never arrived.
_NO = {AttemptState.ABSENT: AttemptState.NOT_SENT, AttemptState.ACKED: AttemptState.REJECTED}
_NO_CHANGE = _NO | dict.fromkeys((AttemptState.UNKNOWN, AttemptState.SENDING), AttemptState.ABSENT)


class Resolutions:
    """Records a person's decision about an attempt. Reconciles first, which may settle it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reconciliations = Reconciliations(context)
        self._reconciler = Reconciler(context)

    def resolve(
        self,
        attempt_id: str,
        *,
        landed: str | None = None,
        not_placed: bool = False,
        confirmed: bool = False,
    ) -> Reply[Settled]:
        """Settle an attempt as a person says; with neither option, show what it may have become.

        Raises AttemptUnknown, AttemptElsewhere, NotConfirmed, EvidenceAgainst, UsageError, Busy.
        """
        if landed is not None and not_placed:
            raise UsageError(
                "--landed and --not-placed cannot be used together.", next="capcli resolve --help"
            )
        deal_id = None if landed is None else typed.deal_id(landed)
        attempt = self._reconciliations.find(attempt_id)
        verdict = "--not-placed" if deal_id is None else f"--landed {deal_id}"
        if (deal_id or not_placed) and not confirmed:
            raise NotConfirmed(
                f"Not confirmed, so nothing was recorded about {attempt.attempt_id}.",
                next=f"capcli resolve {attempt.attempt_id} {verdict} --confirm",
            )
        with (
            self._context.lock(attempt.env, attempt.host, attempt.account_id),
            returning(self._context.broker),
        ):
            current = self._context.journal.attempt(attempt.attempt_id) or attempt
            settled, report = self._reconciliations.examine(current)
            now = self._context.journal.attempt(attempt.attempt_id) or current
            order = self._reconciler.lookup.order_of(now)
            if report is None and order is not None and self._is_open(now):
                # It is not checked any more, or waits for its confirmation.
                report = self._reconciler.lookup.find(now, order.request)
            if deal_id is not None and self._is_open(now):
                settled = self._landed(now, current.state, deal_id, report)
            elif not_placed and self._is_open(now) and now.state is not AttemptState.LANDED:
                settled = self._absent(now, current.state, report)
            elif (deal_id and deal_id not in now.deal_ids) or (
                not_placed and now.state is AttemptState.LANDED
            ):
                raise EvidenceAgainst(
                    f"{attempt.attempt_id} is settled already, but not as you say: {settled.sentence}",
                    next=settled.next,
                    state=now.state.value,
                )
            elif deal_id is None and not not_placed and self._is_open(now):
                settled = self._asking(now, settled, report)
        return Reply(settled, attempt.account_id, problem_of(settled))

    def _asking(
        self, attempt: AttemptRecord, settled: Settled, report: ReconciliationReport | None
    ) -> Settled:
        """Say what a person can answer: which deal fits, or that none does yet."""
        command, known = f"capcli resolve {attempt.attempt_id}", settled.sentence
        if self._reconciler.lookup.order_of(attempt) is None:
            answers = f"--not-placed, or: {command} --landed {settled.deal_ids[0]}"
            return replace(settled, sentence=f"{known} If you know: {answers}", next="capcli resolve --help")
        if attempt.state is AttemptState.ABSENT:
            known = presumed(attempt)
        if report is None:
            return replace(
                settled,
                sentence=f"{known} The account could not be read, so no deals are listed.",
                next=command,
            )
        if report.deals:
            untold = {*report.deals} - {*settled.candidates}
            listed = f" It may be {' or '.join(report.deals)}." if untold else ""
            denied = (
                ""
                if report.in_time or attempt.state is AttemptState.LANDED
                else f" (--not-placed if you opened {'it' if len(report.deals) == 1 else 'them'} yourself)"
            )
            return replace(
                settled,
                candidates=report.deals,
                sentence=f"{known}{listed} Say which{denied}: {command} --landed DEAL",
                next="capcli orders" if attempt.kind is Kind.WORKING else "capcli positions",
            )
        known = f"{known} No deal fits it yet."
        early = attempt.state.unresolved and not self._reconciler.lookup.is_quiet(attempt)
        if attempt.state in _NO and not early:
            return replace(settled, sentence=known, next=f"{command} --not-placed")
        return replace(settled, sentence=known, next=f"capcli reconcile {attempt.attempt_id} --wait")

    def _is_open(self, attempt: AttemptRecord) -> bool:
        """Whether a person may decide, including which of two candidates an order is."""
        second = attempt.state is AttemptState.LANDED and bool(attempt.candidates)
        return attempt.state.unresolved or attempt.state is AttemptState.ABSENT or second

    def _landed(
        self, attempt: AttemptRecord, before: AttemptState, deal_id: str, report: ReconciliationReport | None
    ) -> Settled:
        order = self._reconciler.lookup.order_of(attempt)
        if order is None:
            if deal_id != attempt.target:
                raise EvidenceAgainst(
                    f"{attempt.attempt_id} is about {attempt.target}, not about {deal_id}.",
                    next=f"capcli resolve {attempt.attempt_id} --landed {attempt.target}",
                    candidates=[attempt.target],
                )
            self._require_not_seen(attempt, deal_id)
            facts: dict[str, Any] = {"deal_ids": (deal_id,), "protected": Protection.UNCHECKED}
            return self._record(attempt, before, AttemptState.LANDED, facts)
        trace = report.naming(deal_id) if report is not None else None
        if trace is None:
            raise EvidenceAgainst(
                f"{deal_id} cannot be the deal that {attempt.attempt_id} became."
                + (" The account could not be read; try again." if report is None else ""),
                next=f"capcli resolve {attempt.attempt_id}",
                candidates=list(report.deals) if report else [],
            )
        facts = landing_facts(attempt, order.request, trace) | {"evidence": Evidence.HUMAN}
        settled = self._reconciler.land(attempt, facts)
        return self._reconciliations.describe(before, settled, None)

    def _require_not_seen(self, attempt: AttemptRecord, deal_id: str) -> None:
        """Raise EvidenceAgainst if the deal of a close or cancellation is still open."""
        broker, there = self._context.broker, False
        if attempt.kind is Kind.CLOSE:
            there = is_open(broker, deal_id, attempt.account_id) is True
        elif attempt.kind is Kind.CANCEL and broker.account_id == attempt.account_id:
            with suppress(CapcliError):
                there = any(order.deal_id == deal_id for order in broker.orders())
        if there:
            raise EvidenceAgainst(
                f"{deal_id} is still there, so {attempt.attempt_id} did not take it away.",
                next=f"capcli resolve {attempt.attempt_id} --not-placed",
                candidates=[deal_id],
            )

    def _absent(
        self, attempt: AttemptRecord, before: AttemptState, report: ReconciliationReport | None
    ) -> Settled:
        order = self._reconciler.lookup.order_of(attempt)
        if order is not None:
            self._require_no_trace(attempt, report)
        early = attempt.state.unresolved and not self._reconciler.lookup.is_quiet(attempt)
        unknown, absent, journal = AttemptState.UNKNOWN, AttemptState.ABSENT, self._context.journal
        if order is not None and not early and attempt.state is unknown and report and report.late:
            # Its only candidates are so late that they may be the person's own trades.
            note = "what came later belongs to someone else"
            journal.move(attempt.attempt_id, unknown, absent, at=self._context.clock(), note=note)
            attempt = journal.attempt(attempt.attempt_id) or attempt
        to_state = (_NO_CHANGE if order is None else _NO).get(attempt.state)
        if to_state is None or early:
            raise EvidenceAgainst(
                f"It is too early to say that {attempt.attempt_id} was not placed: it may still appear.",
                next=f"capcli reconcile {attempt.attempt_id} --wait",
                candidates=[],
            )
        return self._record(attempt, before, to_state, {"note": _NOT_PLACED})

    def _require_no_trace(self, attempt: AttemptRecord, report: ReconciliationReport | None) -> None:
        if report is None:
            raise EvidenceAgainst(
                f"The account could not be read completely, so it is not certain that"
                f" {attempt.attempt_id} was not placed. Nothing was recorded.",
                next=f"capcli resolve {attempt.attempt_id}",
                candidates=[],
            )
        if report.in_time:
            ids = [one for trace in report.in_time for one in trace.ids]
            raise EvidenceAgainst(
                f"What {attempt.attempt_id} may have become exists: {', '.join(ids)}. Nothing was recorded.",
                next=f"capcli resolve {attempt.attempt_id} --landed {ids[0]}",
                candidates=ids,
            )

    def _record(
        self, attempt: AttemptRecord, before: AttemptState, to_state: AttemptState, facts: dict[str, Any]
    ) -> Settled:
        self._context.journal.move(
            attempt.attempt_id,
            attempt.state,
            to_state,
            at=self._context.clock(),
            evidence=Evidence.HUMAN,
            **facts,
        )
        settled = self._context.journal.attempt(attempt.attempt_id) or attempt
        return self._reconciliations.describe(before, settled, None)

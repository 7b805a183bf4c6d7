"""Blocks new risk on an account while an attempt is unresolved, or after one landed late."""

from capcli.context import Context
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.order import Kind
from capcli.errors import AttemptUnresolved, LateLanding
from capcli.reconcile.outcomes import KIND_WORDS
from capcli.reconcile.reconciler import Reconciler


def refuse_while_unresolved(
    context: Context, reconciler: Reconciler, account_id: str, why: str = ""
) -> tuple[AttemptRecord, ...]:
    """Raise AttemptUnresolved while something of this account is not settled and evidence does not settle it.

    Returns what it settled now.
    Raises LateLanding, once, for an order of the last day that was presumed not placed and landed after all,
    and once for each deal that may be such an order, or a second one like an order that was found by its
    traces, and a person's trade as well.
    Raises JournalBehind and JournalAltered where the journal cannot say so.
    `why` says what would add risk, where that is not an order.
    """
    context.journal.require_intact()
    settled: list[AttemptRecord] = []
    for other in context.journal.unresolved(context.env, context.broker.host, account_id):
        settled.append(reconciler.settle(other))
        if settled[-1].state.unresolved:
            since = f"{other.created_at:%H:%M:%S}Z"
            message = f"Attempt {other.attempt_id} of {since} is unresolved: that order may be live."
            if what := KIND_WORDS.get(other.kind):
                message = f"The {what} of {other.deal_id} of {since} ({other.attempt_id}) is not settled."
            because = f" {why[0].upper()}{why[1:]}, which is new risk." if why else ""
            raise AttemptUnresolved(
                f"{message}{because} Nothing new was sent. Closing positions is still possible.",
                next=f"capcli reconcile {other.attempt_id}",
                attempt_id=other.attempt_id,
            )
    for before in reconciler.lookup.watched(account_id):
        now = reconciler.settle(before)
        if now.state is AttemptState.LANDED and before.state is AttemptState.ABSENT:
            raise LateLanding(
                f"An order that was presumed not placed has landed after all: {now.attempt_id}, deal "
                f"{', '.join(now.deal_ids)}. Nothing new was sent. Look at it before you send another order.",
                next=f"capcli {'orders' if now.kind is Kind.WORKING else 'positions'}",
                attempt_id=now.attempt_id,
                deal_ids=list(now.deal_ids),
            )
        if now.candidates and now.candidates != before.candidates:
            deals = " or ".join(now.candidates)
            found = f"was presumed not placed, and {deals} may be a late landing of it, or a trade by hand"
            if now.state is AttemptState.LANDED:
                found = f"was taken for {', '.join(now.deal_ids)}, and {deals} is another deal like it"
            raise LateLanding(
                f"{now.attempt_id} {found}. Nothing new was sent. Say which it is before you send another "
                "order.",
                next=f"capcli resolve {now.attempt_id}",
                attempt_id=now.attempt_id,
                deal_ids=list(now.candidates),
            )
    return tuple(settled)


def refuse_while_order_unresolved(
    context: Context, reconciler: Reconciler, account_id: str, epic: str
) -> None:
    """Raise AttemptUnresolved while an order in a market is unresolved: it may change the rows.

    Closes, amendments and other markets do not, so they do not block a partial close.
    """
    context.journal.require_intact()
    for other in context.journal.unresolved(context.env, context.broker.host, account_id):
        order = reconciler.lookup.order_of(other)
        if order is None or order.request.epic != epic:
            continue
        if reconciler.settle(other).state.unresolved:
            raise AttemptUnresolved(
                f"Attempt {other.attempt_id} of {other.created_at:%H:%M:%S}Z is unresolved: that order in "
                f"{epic} may be live, so what this order would reduce cannot be known. Nothing was sent. "
                "Closing whole positions is still possible.",
                next=f"capcli reconcile {other.attempt_id}",
                attempt_id=other.attempt_id,
            )

"""Compares a fill's margin with its preview. Best effort: the order has landed already."""

from contextlib import suppress
from decimal import Decimal

from capcli.context import AccountSnapshot, Context
from capcli.domain.account import Account
from capcli.domain.attempt import AttemptState, Ending
from capcli.domain.check_input import CheckInput
from capcli.domain.money import percent_of
from capcli.domain.numbers import percent
from capcli.domain.order import Kind
from capcli.errors import CapcliError
from capcli.reconcile.deal_account import active_account

# A relative difference above this is reported.
_OFF = Decimal("0.1")
# Below this, rounding to cents dominates; above that, the other deals' margin moves with their prices.
_LEAST, _MOST_BESIDE = Decimal(5), 5
_SANE = (Decimal("0.1"), Decimal(100))


def compare_margin(
    context: Context, snapshot: AccountSnapshot, checked: CheckInput, attempt_id: str
) -> str | None:
    """Report a fill's unexpected margin, and store it for the market; None if it is as expected.

    Only a market order that closes nothing shows it, with little margin in other deals.
    """
    figures, before = checked.figures, _in_use(snapshot.account)
    closes = checked.effect is not None and bool(checked.effect.closes)
    expected, margin = figures.margin_pct, figures.margin
    if checked.request.kind is not Kind.MARKET or closes or margin is None or expected is None:
        return None
    if margin < _LEAST or before > margin * _MOST_BESIDE:
        # Not visible in the account's figures.
        return None
    with suppress(CapcliError):
        attempt = context.journal.attempt(attempt_id)
        if attempt is None or attempt.state is not AttemptState.LANDED or attempt.ending is not Ending.OPEN:
            return None
        after = _in_use(active_account(context.broker.accounts(), snapshot.account_id))
        value = (attempt.level or figures.entry) * (attempt.size or checked.request.size)
        # The added margin since the snapshot before the send, in percent of the fill's value.
        seen = percent_of(after - before, value * figures.conversion_rate)
        if not _SANE[0] <= seen <= _SANE[1] or abs(seen - expected) <= expected * _OFF:
            return None
        context.broker.observe_margin(snapshot.account_id, snapshot.preferences, checked.request.epic, seen)
        return (
            f"The broker set aside {percent(seen)} of its value, not {percent(expected)} as the preview said."
            f" Previews of {checked.request.epic} use {percent(seen)} from now on."
        )
    return None


def _in_use(account: Account) -> Decimal:
    """Return the margin in use: equity less available (API page 14.1)."""
    return account.equity - account.available

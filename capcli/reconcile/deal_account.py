"""Finds the account of a deal that the active account lacks, from the journal."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from capcli.domain.account import Account, Rows
from capcli.errors import BrokerRefused, CapcliError, DealUnknown, UnreadableAnswer

if TYPE_CHECKING:
    from capcli.context import Context


def name_account(error: BrokerRefused, context: "Context", deal_id: str, command: str) -> None:
    """Say on which account a deal was searched, and on which it was opened from here, with `command`."""
    account_id = context.broker.account_id
    if account_id is None or "position_deal_id" in error.details:
        return
    home = None
    with suppress(CapcliError, ValueError):
        owners = context.journal.owners(context.env, context.broker.host, (deal_id,))
        attempt = context.journal.attempt(owners[deal_id]) if deal_id in owners else None
        home = attempt.account_id if attempt else None
    error.details["account_id"] = account_id
    if home in {None, account_id}:
        error.message = f"{error.message} Only account {account_id} was searched."
        return
    error.message = f"{deal_id} was opened on account {home}. Only account {account_id} was searched."
    error.details["opened_on"] = home
    error.next = f"{command} --account {home}"


def active_account(accounts: Rows[Account], account_id: str) -> Account:
    """Return the account that the session is on."""
    for account in accounts:
        if account.account_id == account_id:
            return account
    if unread := next((row for row in accounts.unreadable if row.name == account_id), None):
        raise UnreadableAnswer(
            f"The figures of account {account_id}, the active one, cannot be read: {unread.why}.",
            next="capcli accounts",
        )
    raise UnreadableAnswer(
        f"The broker's list of accounts lacks {account_id}, the active one.", next="capcli accounts"
    )


@contextmanager
def placing(context: "Context", deal_id: str, command: str) -> Iterator[None]:
    """Name the searched account in DealUnknown, and the one where the deal may be, with `command`.

    Raises UnreadableAnswer if another program moved the session: then nothing is known of the deal.
    """
    broker = context.broker
    try:
        yield
    except DealUnknown as error:
        if "position_deal_id" not in error.details:
            from capcli.reconcile.readback import require_account

            require_account(broker, broker.account_id, command)
        name_account(error, context, deal_id, command)
        error.message = f"{error.message} Nothing was sent."
        raise

"""Where a deal is that the active account does not have: the journal knows the account of those it opened."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from capcli.domain.order import OrderRequest
from capcli.errors import CapcliError, DealUnknown
from capcli.services.documents import read_order
from capcli.services.ports import Broker, Journal


def account_of(journal: Journal, env: str, host: str, deal_id: str) -> str | None:
    """Return the account on which a deal or an order was opened from here; None where nothing tells."""
    with suppress(CapcliError, ValueError):
        attempt_id = journal.owners(env, host, (deal_id,)).get(deal_id)
        attempt = journal.attempt(attempt_id) if attempt_id else None
        return attempt.account_id if attempt else None
    return None


def orders_known(
    journal: Callable[[], Journal], env: str, host: str, names: Iterable[str]
) -> Mapping[str, OrderRequest]:
    """Return the order that each of these deals and working orders came from, of those sent from here.

    What the journal cannot tell is left out: a list of deals is shown without it.
    """
    wanted = tuple(names)
    with suppress(CapcliError, ValueError):
        found = journal().opening_previews(env, host, wanted) if wanted else {}
        return {name: read_order(preview.document).request for name, preview in found.items()}
    return {}


def name_account(
    error: DealUnknown, broker: Broker, opened_on: Callable[[str], str | None], deal_id: str, command: str
) -> None:
    """Say on which account a deal was looked for, and on which it is to be looked for by `command`."""
    asked = broker.account_id
    if asked is None or "position_deal_id" in error.details:
        return
    home = opened_on(deal_id)
    error.details["account_id"] = asked
    if home in {None, asked}:
        error.message = f"{error.message} Only account {asked} was searched."
        return
    error.message = f"{deal_id} was opened on account {home}. Account {asked}, which was searched, lacks it."
    error.details["opened_on"] = home
    error.next = f"{command} --account {home}"

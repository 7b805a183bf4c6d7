"""What keeps new risk off an account: an attempt of which nobody knows yet what became of it."""

from capcli.domain.attempt import AttemptRecord
from capcli.domain.order import ORDERS_PATH, Kind
from capcli.errors import AttemptUnresolved
from capcli.services.casework import Desk
from capcli.services.evidence import Witness

_NAMES = {Kind.CLOSE: "The close", Kind.AMEND: "The amendment", Kind.CANCEL: "The cancellation"}


def refuse_while_unresolved(desk: Desk, witness: Witness, account_id: str, why: str = "") -> None:
    """Raise AttemptUnresolved while something of this account is not settled and evidence does not settle it.

    `why` says what would add risk, where that is not an order.
    """
    for other in desk.journal.unresolved(desk.env, desk.broker.host, account_id):
        if witness.settle(other).state.unresolved:
            raise blocked(other, why)


def blocked(other: AttemptRecord, why: str = "") -> AttemptUnresolved:
    """Return the error that names the attempt in the way and the command that settles it."""
    since = f"{other.created_at:%H:%M:%S}Z"
    if other.kind in _NAMES:
        deal_id = other.path.rsplit("/", 1)[1]
        message = f"{_NAMES[other.kind]} of {deal_id} of {since} ({other.attempt_id}) is not settled."
        waits = other.path.startswith(ORDERS_PATH)
        command = "capcli orders" if waits else f"capcli positions {deal_id}"
    else:
        message = f"Attempt {other.attempt_id} of {since} is unresolved: that order may be live."
        command = f"capcli execute {other.preview_id}"
    because = f" {why[0].upper()}{why[1:]}, which is new risk." if why else ""
    return AttemptUnresolved(
        f"{message}{because} Nothing new was sent. Closing positions stays possible.",
        next=command,
        attempt_id=other.attempt_id,
    )

"""The broker's confirmation of a request, by its deal reference. Sends nothing."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from capcli import ids
from capcli.context import Context
from capcli.domain.account import AffectedDeal, Confirm
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.errors import Exit, Problem
from capcli.refusals import in_words
from capcli.reply import Reply

_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class ConfirmState(StrEnum):
    """The broker's answer. PENDING: an unknown reference, which proves nothing."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    PENDING = "PENDING"


class ConfirmShown(Struct, frozen=True):
    """A confirmation. `order_id` is the order's own id; `deals` are the positions that it touched."""

    deal_reference: str
    state: ConfirmState
    status: str | None = None
    reason: str | None = None
    epic: str | None = None
    side: Side | None = None
    size: Decimal | None = None
    level: Decimal | None = None
    order_id: str | None = None
    deals: tuple[AffectedDeal, ...] = ()
    confirmed_at: datetime | None = None


class Confirms:
    """Reads confirmations."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def get(self, deal_reference: str) -> Reply[ConfirmShown]:
        """Return the current confirmation."""
        return self.wait(deal_reference, wait_s=0)

    def wait(self, deal_reference: str, *, wait_s: float, pause_s: float = 0.5) -> Reply[ConfirmShown]:
        """Ask every `pause_s` seconds until there is a confirmation or `wait_s` seconds are over."""
        reference = ids.deal_id(deal_reference)
        pause = min(max(pause_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        deadline = self._context.monotonic() + wait_s
        confirm = self._ask(reference)
        while confirm is None and self._context.monotonic() + pause <= deadline:
            self._context.sleep(pause)
            confirm = self._ask(reference)
        if confirm is None:
            return Reply(ConfirmShown(reference, ConfirmState.PENDING), self._broker.account_id)
        state = ConfirmState.ACCEPTED if confirm.accepted else ConfirmState.REJECTED
        confirmation = with_fields_of(confirm, ConfirmShown, state=state, confirmed_at=confirm.at)
        problem = None
        if not confirm.accepted:
            reason = confirm.reason or "no reason given"
            message = f"The broker rejected it: {in_words(reason)}. Nothing was opened."
            problem = Problem("REJECTED", message, int(Exit.BROKER_REFUSED), "capcli positions")
        return Reply(confirmation, self._broker.account_id, problem)

    def _ask(self, reference: str) -> Confirm | None:
        """Return the broker's confirmation; one of another reference counts as none."""
        confirm = self._broker.confirm(reference)
        return confirm if confirm is not None and confirm.deal_reference == reference else None

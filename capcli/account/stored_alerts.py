"""Stored alerts: added, listed, removed. `events` checks them; each fires once."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from capcli.context import Context
from capcli.domain.alerts import AccountLevels, AlertState, Level, Measure, StoredAlert, Way
from capcli.domain.fields import with_fields_of
from capcli.domain.numbers import counted
from capcli.errors import UsageError
from capcli.ports import Lane
from capcli.reconcile.deal_account import active_account
from capcli.reply import Reply

MOST = 100
_SHOWN = 20


class AlertRow(Struct, frozen=True):
    """A stored alert. `level` is a price, a percentage or an amount in account currency, by `measure`.

    A move counts from `start`, a bid. Times UTC; `fired_at` is None while it waits.
    """

    alert_id: int
    waits_for: str
    measure: Measure
    epic: str | None
    way: Way
    level: Decimal
    start: Decimal | None
    state: AlertState
    created_at: datetime
    fired_at: datetime | None


class AlertsFound(Struct, frozen=True):
    """Stored alerts of the account: those waiting, and the latest that fired."""

    alerts: tuple[AlertRow, ...]


class AlertsChanged(Struct, frozen=True):
    """The stored alerts that were added or removed, and a sentence about it."""

    alerts: tuple[AlertRow, ...]
    sentence: str


class StoredAlerts:
    """Stores alerts in the journal, for each account separately. Sends nothing to the broker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def add(self, levels: Sequence[Level]) -> Reply[AlertsChanged]:
        """Store levels until they are reached; a move counts from the current bid.

        Raises EpicUnknown, and UsageError where more than 100 would wait: none is kept.
        """
        begun = [
            level.begun(self._broker.market(level.epic).quote.bid) if level.epic else level
            for level in dict.fromkeys(levels)
        ]
        place = self._context.place()
        kept = self._context.journal.alerts.add(place, begun, at_most=MOST, at=self._context.clock())
        if kept is None:
            raise UsageError(
                f"{MOST} stored alerts can wait at a time, and that would be more. Nothing was added.",
                next="capcli alert list",
            )
        sentence = (
            f"{counted(len(kept), 'alert')} added. capcli events --follow tells when one is reached, once."
        )
        return Reply(AlertsChanged(tuple(map(_row, kept)), sentence), place[2])

    def found(self) -> Reply[AlertsFound]:
        """Return waiting alerts, oldest first, then the last that fired."""
        place = self._context.place()
        rows = self._context.journal.alerts.of(place, fired=_SHOWN)
        return Reply(AlertsFound(tuple(map(_row, rows))), place[2])

    def remove(self, numbers: Sequence[int], *, every: bool = False) -> Reply[AlertsChanged]:
        """Remove alerts. Raises UsageError for an unknown number: then all stay."""
        place = self._context.place()
        book = self._context.journal.alerts
        listed = {one.number: one for one in book.of(place, fired=None)}
        if missing := [number for number in numbers if number not in listed]:
            named = ", ".join(map(str, missing))
            raise UsageError(
                f"No stored alert of account {place[2]} on {self._context.env} has the number {named}. "
                "Nothing was removed.",
                next="capcli alert list",
            )
        gone = [one for one in listed.values() if every or one.number in numbers]
        book.remove(place, [one.number for one in gone], at=self._context.clock())
        return Reply(
            AlertsChanged(tuple(map(_row, gone)), f"{counted(len(gone), 'alert')} removed."), place[2]
        )

    def account(self) -> AccountLevels:
        """Return the figures that account levels are compared with. Raises Unreachable, RateLimited."""
        broker = self._broker.in_lane(Lane.BULK)
        account = active_account(broker.accounts(), broker.account_id or "")
        return AccountLevels.of(account, broker.broker_time() or self._context.clock())


def _row(one: StoredAlert) -> AlertRow:
    return with_fields_of(
        one.level,
        AlertRow,
        alert_id=one.number,
        waits_for=one.level.words,
        epic=one.level.epic or None,
        level=one.level.price,
        state=one.state,
        created_at=one.created_at,
        fired_at=one.ended_at if one.state is AlertState.FIRED else None,
    )

"""Finds what ended or changed a deal: this attempt, another, or its own stop, limit or expiry. Reads only.

A deal that is gone proves no close: its stop or a later close may have been faster. A close is sent only
after the position was read as open, and an amendment only while the deal does not show it; so of several that
were sent, the last one before the change made it, unless the broker's answer to another one says otherwise.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from capcli.domain.account import Activity
from capcli.domain.attempt import GONE, OK, AttemptRecord, AttemptState, Evidence
from capcli.domain.order import Kind
from capcli.domain.rows import MADE
from capcli.errors import CapcliError
from capcli.reconcile.lookup import OrderLookup
from capcli.reconcile.readback import read_asked

_SLACK = timedelta(seconds=2)
# How far back other attempts about a deal are searched.
_OTHERS = timedelta(days=7)
# Activity sources and statuses (API page 7) of ends without a close or cancellation request.
_CLOSED_BY = {
    "SL": "the position was closed by its stop",
    "TP": "the position was closed by its limit",
    "CLOSE_OUT": "the position was closed by the broker's margin close-out",
}
_ENDED = {
    "EXECUTED": "the order was filled first",
    "EXPIRED": "the order expired first",
    "REJECTED": "the broker dropped the order instead of filling it",
}
_DID = {Kind.CLOSE: "closed", Kind.CANCEL: "cancelled"}


class DealEnd(Struct, frozen=True):
    """How a deal ended: by the attempt in question, or as `instead` says."""

    instead: str = ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Finds the origin of a change in the account's activity and among other attempts."""

    lookup: OrderLookup

    def of_end(self, attempt: AttemptRecord) -> DealEnd | None:
        """Return what ended the deal of a close or a cancellation; None while unknown."""
        others = self._others(attempt)
        if proven := [
            other
            for other in others
            if other.state is AttemptState.LANDED
            and (other.evidence is Evidence.CONFIRM or other.http_status == OK)
        ]:
            return _instead(attempt, proven[-1])
        try:
            rows = self.lookup.activity(_sent(attempt) - _SLACK)
        except CapcliError:
            return None
        if self.lookup.context.broker.account_id != attempt.account_id:
            return None
        last = next((row for row in rows if _ends(attempt, row)), None)
        if last is None and not self.lookup.is_quiet(attempt):
            # The row with the cause may be a minute late (API page 10.1).
            return None
        if last is not None:
            closes = attempt.kind is Kind.CLOSE
            if cause := _CLOSED_BY.get(last.source) if closes else _ENDED.get(last.status):
                return DealEnd(cause)
        # The last one sent before the deal ended at the broker.
        sent = [one for one in (*others, attempt) if last is None or _sent(one) <= last.at + _SLACK]
        maker = max(sent, key=_sent, default=attempt)
        return DealEnd() if maker is attempt else _instead(attempt, maker)

    def superseding(self, attempt: AttemptRecord) -> AttemptRecord | None:
        """Return the latest amendment of the same deal made, or possibly made, after this one."""
        later = [other for other in self._others(attempt) if _sent(other) > _sent(attempt)]
        return later[-1] if later else None

    def made_by_another(self, attempt: AttemptRecord) -> AttemptRecord | None:
        """Return a later amendment with the same values, sent because the deal did not show them."""
        later = self.superseding(attempt)
        return later if later is not None and read_asked(later) == read_asked(attempt) else None

    def _others(self, attempt: AttemptRecord) -> list[AttemptRecord]:
        """Return other attempts of the same kind on this deal, made or possibly made, in order."""
        context = self.lookup.context
        since = attempt.created_at - _OTHERS
        return [
            other
            for other in context.journal.recent(attempt.env, attempt.host, attempt.account_id, since)
            if (other.kind, other.deal_id) == (attempt.kind, attempt.deal_id)
            and other.attempt_id != attempt.attempt_id
            and (other.state is AttemptState.LANDED or other.state.unresolved)
            # A close that came too late says so, and counts as done.
            and other.http_status != GONE
        ]


def _sent(attempt: AttemptRecord) -> datetime:
    return attempt.broker_time_at_send or attempt.sent_at or attempt.created_at


def _instead(attempt: AttemptRecord, maker: AttemptRecord) -> DealEnd:
    return DealEnd(f"{_DID[attempt.kind]} by {maker.attempt_id} instead")


def _ends(attempt: AttemptRecord, row: Activity) -> bool:
    if row.deal_id != attempt.deal_id:
        return False
    if attempt.kind is Kind.CLOSE:
        return row.type == "POSITION" and row.status in MADE
    return row.type == "WORKING_ORDER" and (row.status in _ENDED or row.status == "CANCELLED")

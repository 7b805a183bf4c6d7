"""Whether an answer belongs to a request: one rule for open, close, amend and cancel (order protocol, I9).

An answer is a confirmation or a row. What it does not say excludes nothing; what it says must fit: epic,
side, size, deal ids and time. Pure.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct, field

from capcli.domain.account import Activity, Confirm, Position, WorkingOrder
from capcli.domain.market import Side
from capcli.domain.order import Kind, OrderRequest

# The Date header, by which the broker's clock is known, holds whole seconds.
CLOCKS = timedelta(seconds=1)
OPENED = "OPENED"
_CLOSED, _DELETED = frozenset({"CLOSED", "FULLY_CLOSED"}), frozenset({"DELETED"})
_AMENDED = frozenset({"AMENDED"})
_EXPECTED = {
    Kind.CLOSE: _CLOSED,
    Kind.CANCEL: _DELETED,
    Kind.AMEND: _AMENDED,
    Kind.WORKING_UPDATE: _AMENDED,
}


class SentRequest(Struct, frozen=True):
    """A request to the broker: `request` for an opening, else the `deal_id` that it changes.

    `reference`: the broker's answer to it; `since`: the broker's clock at the send. `baseline`: deals that
    were there before; `owners`: the other attempt that a reference, an order or a deal belongs to.
    `any_size`: rows count whatever their size.
    """

    kind: Kind
    since: datetime | None = None
    request: OrderRequest | None = None
    deal_id: str | None = None
    reference: str | None = None
    any_size: bool = False
    baseline: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)


class Misfit(Struct, frozen=True):
    """Why an answer belongs to something else; `attempt_id`: to which attempt, if known."""

    why: str
    attempt_id: str | None = None


Answer = Confirm | Position | WorkingOrder | Activity


def misfit(sent: SentRequest, answer: Answer) -> Misfit | None:
    """Say why an answer does not belong to a request; None if it does."""
    if sent.request is not None:
        names, at = _names_and_time(answer)
        owner = next((owner for name in names if name and (owner := sent.owners.get(name))), None)
        if owner is not None:
            return Misfit(f"it is about the order of {owner}", owner)
        size = None if sent.any_size else answer.size
        return (
            _differing(sent.request, answer.epic, answer.side, size)
            or _too_early(sent, at)
            or (_confirm_misfit(sent, answer) if isinstance(answer, Confirm) else _old_row(sent, answer))
        )
    if isinstance(answer, Confirm):
        return _change_misfit(sent, answer)
    if answer.deal_id == sent.deal_id:
        return None
    return Misfit(f"it is about {answer.deal_id or 'another deal'}")


def _names_and_time(answer: Answer) -> tuple[tuple[str | None, ...], datetime | None]:
    match answer:
        case Confirm():
            opened = (deal.deal_id for deal in answer.deals if deal.status == OPENED)
            return (answer.deal_reference, answer.order_id, *opened), answer.at
        case Position():
            return (answer.deal_id, answer.working_order_id), answer.opened_at
        case WorkingOrder():
            return (answer.deal_id,), answer.created_at
        case Activity():
            return (answer.deal_id, answer.working_order_id, answer.deal_reference), answer.at


def _differing(
    request: OrderRequest, epic: str | None, side: Side | None, size: Decimal | None
) -> Misfit | None:
    if epic not in {None, "", request.epic}:
        return Misfit(f"it is about {epic}, not {request.epic}")
    if side not in {None, request.side}:
        return Misfit(f"it is about a {side}, not a {request.side}")
    # Less may be filled or left; a size of 0 is not known yet.
    if size is not None and size > request.size:
        return Misfit(f"it is about a size of {size}, not {request.size}")
    return None


def _too_early(sent: SentRequest, at: datetime | None) -> Misfit | None:
    if at is None or sent.since is None or at >= sent.since - CLOCKS:
        return None
    return Misfit(f"it is of {at:%Y-%m-%d %H:%M:%S}Z, before the send")


def _old_row(sent: SentRequest, row: Position | WorkingOrder | Activity) -> Misfit | None:
    there = row.deal_id in sent.baseline
    return Misfit(f"{row.deal_id} was there before the send") if there else None


def _confirm_misfit(sent: SentRequest, confirm: Confirm) -> Misfit | None:
    """Check a confirmed opening: what it opened is new, what it reduced was there (netting, API page 9.4)."""
    if sent.reference is not None and confirm.deal_reference != sent.reference:
        return Misfit(f"it is about {confirm.deal_reference}, not {sent.reference}")
    new = [deal.deal_id for deal in confirm.deals if deal.status == OPENED or sent.kind is Kind.WORKING]
    if confirm.order_id is not None:
        new.append(confirm.order_id)
    if old := next((deal_id for deal_id in new if deal_id in sent.baseline), None):
        return Misfit(f"{old} was there before the send")
    reduced = (deal.deal_id for deal in confirm.deals if deal.deal_id not in new)
    strange = next((deal_id for deal_id in reduced if deal_id not in sent.baseline), None)
    return None if strange is None else Misfit(f"it reduced {strange}, which was not there before the send")


def _change_misfit(sent: SentRequest, confirm: Confirm) -> Misfit | None:
    """Check the deal, status and time of a confirmed change.

    The opening, amendments and close of a position share one reference (API page 9.2). DELETED for an order's
    id proves its cancellation at any date (API page 18, fact 2).
    """
    deals = {deal.deal_id: deal.status for deal in confirm.deals}
    about = {*deals, confirm.order_id} - {None}
    if not (sent.deal_id in about or (not about and confirm.deal_reference == f"p_{sent.deal_id}")):
        return Misfit(f"it is about {confirm.order_id or confirm.deal_reference}, not {sent.deal_id}")
    statuses = {confirm.status, deals.get(sent.deal_id or "")}
    if confirm.accepted and not statuses & _EXPECTED[sent.kind]:
        return Misfit(f"it tells of {confirm.status or 'another change'}")
    if confirm.accepted and sent.kind is Kind.CANCEL:
        return None
    return Misfit("it has no date") if confirm.at is None else _too_early(sent, confirm.at)

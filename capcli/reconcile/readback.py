"""Reads a deal back after a change: the evidence for amendments and cancellations."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.json import decode, encode

from capcli.domain.account import Confirm, Position, WorkingOrder
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.bracket import Bracket, Target, shows
from capcli.domain.fields import with_fields_of
from capcli.domain.identity import SentRequest, misfit
from capcli.domain.order import Kind
from capcli.domain.stored_order import write_baseline
from capcli.errors import CapcliError, DealUnknown, RowUnreadable, UnreadableAnswer
from capcli.ports import Broker

Ended = Literal[AttemptState.LANDED, AttemptState.UNKNOWN]
"""How a change that was sent and not refused can end."""


class ReadBack(StrEnum):
    """The result of reading a deal back; UNREADABLE if nothing can be known."""

    DONE = "done"
    NOT_YET = "not yet"
    GONE = "gone"
    UNREADABLE = "unreadable"


def read_back_of(broker: Broker, attempt: AttemptRecord) -> ReadBack:
    """Read back the deal of a close, an amendment or a cancellation, from its attempt alone."""
    deal_id, account_id = attempt.target, attempt.account_id
    if attempt.kind is Kind.CLOSE:
        return close_read_back(broker, deal_id, account_id)
    if attempt.kind is Kind.CANCEL:
        return order_read_back(broker, deal_id, account_id)
    return amended_read_back(broker, deal_id, account_id, read_asked(attempt))


def is_about_order(attempt: AttemptRecord) -> bool:
    """Whether a change is about a working order; only its amendment has a level."""
    if attempt.kind in {Kind.AMEND, Kind.WORKING_UPDATE}:
        return read_asked(attempt).level is not None
    return attempt.kind is Kind.CANCEL


def close_read_back(broker: Broker, deal_id: str, account_id: str) -> ReadBack:
    """Read a position and say whether it is gone."""
    seen = {True: ReadBack.NOT_YET, False: ReadBack.GONE, None: ReadBack.UNREADABLE}
    return seen[is_open(broker, deal_id, account_id)]


def sent_request(attempt: AttemptRecord) -> SentRequest:
    """Return a change's request, to compare answers with."""
    return SentRequest(attempt.kind, attempt.broker_time_at_send, deal_id=attempt.deal_id)


def confirmed(broker: Broker, reference: str, sent: SentRequest) -> Confirm | None:
    """Return the broker's confirmation of a change, accepted or not; None if none fits."""
    try:
        confirm = broker.confirm(reference)
    except CapcliError:
        return None
    return confirm if confirm is not None and misfit(sent, confirm) is None else None


def amended_read_back(broker: Broker, deal_id: str, account_id: str, wanted: Target) -> ReadBack:
    """Read a deal and compare it with the target; only a working order's has a level."""
    row: Position | WorkingOrder | None
    try:
        if wanted.level is not None:
            row = next((row for row in broker.orders() if row.deal_id == deal_id), None)
        else:
            row = broker.position(deal_id)
    except DealUnknown:
        row = None
    except CapcliError:
        return ReadBack.UNREADABLE
    if row is None:
        # Every deal is unknown on another account, and another process may have switched ours.
        return ReadBack.GONE if on_account(broker, account_id) else ReadBack.UNREADABLE
    if misfit(SentRequest(Kind.AMEND, deal_id=deal_id), row) is not None:
        return ReadBack.UNREADABLE
    return ReadBack.DONE if shows(row, wanted) else ReadBack.NOT_YET


def is_open(broker: Broker, deal_id: str, account_id: str) -> bool | None:
    """Read a position back: True open, False gone from that account, None unknown."""
    try:
        row = broker.position(deal_id)
    except DealUnknown:
        # Every deal is unknown on another account, and another process may have switched ours.
        return False if on_account(broker, account_id) else None
    except RowUnreadable:
        return True
    except CapcliError:
        return None
    return None if misfit(SentRequest(Kind.CLOSE, deal_id=deal_id), row) else True


def on_account(broker: Broker, account_id: str) -> bool:
    """Whether the session is on an account; False also if that cannot be read."""
    try:
        return broker.session().account_id == account_id
    except CapcliError:
        return False


def require_account(broker: Broker, account_id: str | None, command: str) -> None:
    """Check the session's account at the broker: an empty list does not show it.

    Raises UnreadableAnswer for another one, and what reading it raises.
    """
    active = broker.session().account_id
    if active != account_id:
        raise went_away(active, account_id, command)


def went_away(active: str | None, account_id: str | None, command: str) -> UnreadableAnswer:
    """Return the error of a session that another program moved to another account."""
    return UnreadableAnswer(
        f"The session was switched to account {active} in the meantime; {account_id} was not read.",
        next=f"{command} --account {account_id}",
    )


def order_read_back(broker: Broker, deal_id: str, account_id: str) -> ReadBack:
    """Read the working orders and say whether one still waits."""
    try:
        found = broker.list_orders()
    except CapcliError:
        return ReadBack.UNREADABLE
    ids = {row.deal_id for row in found.rows} | {row.deal_id for row in found.unreadable}
    if deal_id in ids:
        return ReadBack.NOT_YET
    if None in ids:
        # It may be the unreadable one.
        return ReadBack.UNREADABLE
    return ReadBack.GONE if on_account(broker, account_id) else ReadBack.UNREADABLE


def filled_as(broker: Broker, deal_id: str) -> Position | None:
    """Return the open position that a working order became, if it can be seen."""
    try:
        rows = broker.list_positions().rows
        return next((row for row in rows if row.working_order_id == deal_id), None)
    except CapcliError:
        return None


class _AskedFor(Struct, frozen=True):
    """A target as stored in the journal."""

    stop: Decimal | None
    limit: Decimal | None
    trail: Decimal | None
    guaranteed: bool
    level: Decimal | None
    good_till: datetime | None


class _Document(Struct, frozen=True):
    asked: _AskedFor


def write_asked(target: Target) -> bytes:
    """Store an amendment's target, so that another process can check a lost change."""
    wanted = with_fields_of(target.bracket, _AskedFor, level=target.level, good_till=target.good_till)
    return encode(decode(write_baseline((), ())) | {"asked": wanted}, order="sorted")


def read_asked(attempt: AttemptRecord) -> Target:
    """Read an amendment's target."""
    wanted = decode(attempt.baseline, type=_Document).asked
    return Target(with_fields_of(wanted, Bracket), wanted.level, wanted.good_till)

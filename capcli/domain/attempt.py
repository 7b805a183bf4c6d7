"""States of previews and attempts, and what the broker's answer to a POST proves (order protocol)."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from capcli.domain.order import Kind


class PreviewState(StrEnum):
    """A preview is executable only while READY; a claimed one is never given back."""

    DRAFT = "DRAFT"
    READY = "READY"
    CLAIMED = "CLAIMED"
    EXPIRED = "EXPIRED"


class AttemptState(StrEnum):
    """The state of an attempt. UNKNOWN is the default; every other outcome needs evidence."""

    CLAIMED = "CLAIMED"
    SENDING = "SENDING"
    ACKED = "ACKED"
    NOT_SENT = "NOT_SENT"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    LANDED = "LANDED"
    REJECTED = "REJECTED"
    ABSENT = "ABSENT"

    @property
    def unresolved(self) -> bool:
        """Whether the order may be live without our knowing (ABSENT presumes that it is not)."""
        return self in _UNRESOLVED


_UNRESOLVED = frozenset(
    {AttemptState.CLAIMED, AttemptState.SENDING, AttemptState.ACKED, AttemptState.UNKNOWN}
)
NOTHING_DONE = frozenset({AttemptState.NOT_SENT, AttemptState.REFUSED, AttemptState.REJECTED})
"""Where it is certain that an attempt did nothing."""
_FINAL: frozenset[AttemptState] = frozenset()
TRANSITIONS: dict[AttemptState, frozenset[AttemptState]] = dict.fromkeys(AttemptState, _FINAL) | {
    AttemptState.CLAIMED: frozenset({AttemptState.NOT_SENT, AttemptState.SENDING}),
    AttemptState.SENDING: frozenset(AttemptState) - {AttemptState.CLAIMED, AttemptState.SENDING},
    AttemptState.ACKED: frozenset({AttemptState.LANDED, AttemptState.REJECTED}),
    AttemptState.UNKNOWN: frozenset({AttemptState.LANDED, AttemptState.REJECTED, AttemptState.ABSENT}),
    AttemptState.ABSENT: frozenset({AttemptState.LANDED, AttemptState.NOT_SENT}),
}


class Evidence(StrEnum):
    """The evidence for LANDED."""

    NONE = "none"
    CONFIRM = "confirm"
    INFERRED = "inferred"
    HUMAN = "human"


class Protection(StrEnum):
    """Whether the requested stop was seen on the position."""

    YES = "yes"
    NO = "no"
    NOT_ASKED = "not_asked"
    UNCHECKED = "unchecked"


class Ending(StrEnum):
    """The deal's state when the attempt's outcome was decided, or what ended it before the attempt could."""

    OPEN = "open"
    WAITING = "waiting"
    REDUCED = "reduced"
    CLOSED = "closed"
    FILLED = "filled"
    FILLED_AND_CLOSED = "filled_and_closed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DROPPED = "dropped"
    GONE = "gone"
    SUPERSEDED = "superseded"


class Delivery(StrEnum):
    """How far a mutation's request got."""

    ANSWERED = "answered"
    NOT_CONNECTED = "not_connected"
    LOST = "lost"


class Answer(Struct, frozen=True):
    """The response to one mutation, reduced to what may decide its outcome.

    `error_code`: the text `errorCode` of a JSON object, or our own code for what kept the request here, for
    `retry_after_s` seconds. `bare_object`: a JSON object with neither `errorCode` nor `dealReference`.
    `last_byte_at`: when the last byte had left, in broker time. `other_account_id`: where the session was
    afterwards, if not on the account that was meant. `detail` is for people.
    """

    delivery: Delivery
    status: int | None = None
    deal_reference: str | None = None
    error_code: str | None = None
    detail: str = ""
    broker_time: datetime | None = None
    last_byte_at: datetime | None = None
    retry_after_s: int | None = None
    other_account_id: str | None = None
    bare_object: bool = False


_DEFINITE_REFUSALS = frozenset({400, 401, 403, 404, 429})
OK, GONE, _BAD_REQUEST = 200, 404, 400


def classify(answer: Answer) -> AttemptState:
    """Return the state that an order's answer proves; UNKNOWN unless on the allow-list.

    A reference from a session that was found on another account afterwards proves nothing.
    """
    if answer.delivery is Delivery.NOT_CONNECTED:
        return AttemptState.NOT_SENT
    if answer.delivery is Delivery.LOST:
        return AttemptState.UNKNOWN
    if answer.status == OK and answer.deal_reference and answer.other_account_id is None:
        return AttemptState.ACKED
    if answer.status in _DEFINITE_REFUSALS and (answer.error_code or "").startswith("error."):
        return AttemptState.REFUSED
    # The gateway's own words for a rejected body (seen on the venue): the engine never saw it.
    if answer.status == _BAD_REQUEST and answer.bare_object:
        return AttemptState.REFUSED
    return AttemptState.UNKNOWN


class PreviewRecord(Struct, frozen=True):
    """A preview as stored in the journal; `document` is its shown content at `broker_time`, as JSON."""

    preview_id: str
    kind: Kind
    env: str
    host: str
    account_id: str
    method: str
    path: str
    body: bytes
    body_sha256: str
    document: bytes
    quote: bytes
    state: PreviewState
    created_at: datetime
    expires_at: datetime
    broker_time: datetime | None = None


# Clocks are set in steps, and the broker's is known to a second.
_CLOCK_STEP = timedelta(seconds=2)


def is_from_the_future(preview: PreviewRecord, now: datetime, broker_now: datetime | None) -> bool:
    """Whether a preview was made while our clock was ahead: in the future of both clocks."""
    return preview.created_at > max(now, broker_now or now) + _CLOCK_STEP


def has_outlived(preview: PreviewRecord, broker_now: datetime | None) -> bool:
    """Whether a preview expired by the broker's clock, whatever ours was set to."""
    if preview.broker_time is None or broker_now is None:
        return False
    return broker_now - preview.broker_time > preview.expires_at - preview.created_at + _CLOCK_STEP


class AttemptRecord(Struct, frozen=True):
    """An attempt as the journal keeps it. `baseline` is the book before the send, as JSON.

    `deal_id` is the deal that a change is about. `deal_ids` are the deals that an order touched,
    `opened_deal_ids` those that it opened, `candidates` those that an undecided one may be. `answered_for` is
    the attempt, else the reference or the deal, of another order that its answer was about. In broker time,
    the last byte left at `last_byte_at`, and the first clean read without a trace was at `absent_seen_at`.
    `ended_at` is when the verdict was made, `ending` what the deal was by then. `other_account_id`: where the
    session was found right after the send, if elsewhere. `note` is for people; nothing is read out of it.
    """

    attempt_id: str
    kind: Kind
    env: str
    host: str
    account_id: str
    method: str
    path: str
    preview_id: str | None
    state: AttemptState
    body_sha256: str
    baseline: bytes
    created_at: datetime
    deal_id: str | None = None
    broker_time_at_send: datetime | None = None
    sent_at: datetime | None = None
    last_byte_at: datetime | None = None
    deal_reference: str | None = None
    order_id: str | None = None
    deal_ids: tuple[str, ...] = ()
    opened_deal_ids: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    answered_for: str | None = None
    other_account_id: str | None = None
    evidence: Evidence = Evidence.NONE
    protected: Protection = Protection.UNCHECKED
    http_status: int | None = None
    error_code: str | None = None
    retry_after_s: int | None = None
    level: Decimal | None = None
    size: Decimal | None = None
    stop_level: Decimal | None = None
    absent_seen_at: datetime | None = None
    ended_at: datetime | None = None
    ending: Ending | None = None
    note: str = ""

    @property
    def target(self) -> str:
        """Return the deal id of a change; empty for an order."""
        return self.deal_id or ""

"""The journal as the use cases see it, and beside it the halt and the lock of an account."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from capcli.domain.account_events import JournalEntry, Keyed, Numbered, Place
from capcli.domain.alerts import Level as AlertLevel
from capcli.domain.alerts import StoredAlert
from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.domain.attempt import AttemptRecord, AttemptState, PreviewRecord
from capcli.domain.chain import Inspection, JournalBreak, Mark
from capcli.domain.halt import Halt, HaltKept
from capcli.domain.market import Side

if TYPE_CHECKING:
    from capcli.domain.mandate import Mandate, MandateState, Permit, Use


class DealTaken(Exception):
    """A deal, an order or a reference belongs to another opening attempt already; nothing was recorded."""

    def __init__(self, name: str, attempt_id: str) -> None:
        super().__init__(f"{name} belongs to {attempt_id}")
        self.name = name
        self.attempt_id = attempt_id


class AttemptBook(Protocol):
    """Where a change is recorded on its way: the journal, or for the way out the best that there is."""

    def attempt(self, attempt_id: str) -> AttemptRecord | None: ...

    def open_attempt(self, attempt: AttemptRecord, *, permit: "Permit | None" = None) -> None:
        """Insert an attempt that has no preview (close, amend, cancel)."""

    def unrecorded(self, attempt_id: str) -> tuple[str, ...]:
        """Say what could not be recorded of an attempt; nothing where everything was."""

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: "Permit | None" = None
    ) -> PreviewRecord | None:
        """Turn a READY, unexpired preview into CLAIMED and insert its attempt, in one transaction.

        With a `permit` (the digest of what a person approved) that approval is used up in the same one, here
        as in `open_attempt` and `note`; without one left they raise ApprovalUnknown and change nothing. The
        use of a mandate is recorded in it; they raise MandateEnded where it cannot be.
        Returns the preview with its stored body, or None when somebody else was first or it expired.
        """

    def move(
        self,
        attempt_id: str,
        from_state: AttemptState,
        to_state: AttemptState,
        *,
        at: datetime,
        **facts: Any,
    ) -> bool:
        """Compare-and-set an attempt's state, with its event row; `facts` are columns of AttemptRecord.

        Returns False when the attempt was no longer in `from_state`; then nothing changed. Raises DealTaken
        where an opening order would own what another one owns: its reference, its order, a deal it opened.
        """


class MandateBook(Protocol):
    """Mandates and what was sent under them, durable before the call returns. Raises JournalUnreadable."""

    def grant(self, mandate: "Mandate") -> None:
        """Put a mandate into force. Raises NameTaken while there is one of its name in its environment."""

    def end(self, mandate_ids: Iterable[str], state: "MandateState", *, at: datetime, by: str) -> None:
        """End mandates for good; those that ended before stay as they are."""

    def by_secret(self, secret_hash: str) -> "Mandate | None": ...

    def of(self, *, since: datetime) -> "tuple[Mandate, ...]":
        """Return what nobody ended yet, and what ended since an instant, newest first."""

    def active(self) -> "tuple[Mandate, ...]":
        """Return what nobody ended yet, past its end or not."""

    def uses(self, mandate_id: str) -> "tuple[tuple[Use, AttemptRecord], ...]":
        """Return what was sent under a mandate, with the attempt as it stands, oldest first."""

    def names(self, attempt_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of the mandates that attempts were sent under; the others are left out."""

    def latest_event_at(self, mandate_id: str) -> datetime:
        """Return the latest time in the journal since a mandate was granted."""


class EventBook(Protocol):
    """What happened on accounts, in the order in which it became known here. Raises JournalUnreadable."""

    def after(self, place: Place, number: int, limit: int) -> tuple[Numbered, ...]:
        """Return the events behind a number, oldest first."""

    def latest(self, place: Place, since: datetime, limit: int) -> tuple[Numbered, ...]:
        """Return the last events since an instant, oldest first."""

    def last(self, place: Place) -> int: ...

    def has(self, place: Place, key: str) -> bool: ...

    def sides(self, place: Place, deal_ids: Iterable[str]) -> dict[str, Side]:
        """Return the sides of the deals whose opening was told."""

    def state(self, place: Place) -> Mapping[str, Any] | None:
        """Return what the last look left for the next one."""

    def entries(self, after: int, since: datetime) -> tuple[JournalEntry, ...]:
        """Return the entries of the chain behind a number that are not older than an instant."""

    def unknown(self, place: Place, told: Iterable[Keyed]) -> list[Keyed]:
        """Return what was not told yet, or not with its price."""

    def record(self, place: Place, told: Sequence[Keyed], state: Mapping[str, Any], *, at: datetime) -> None:
        """Number what is new among these, and keep how far it was looked; one transaction.

        What was told without its price is told once more with it, as a repeat.
        """


class AlertBook(Protocol):
    """Stored alerts, for each account by itself. Raises JournalUnreadable."""

    def waiting(self, place: Place) -> tuple[StoredAlert, ...]: ...

    def of(self, place: Place, *, fired: int | None) -> tuple[StoredAlert, ...]:
        """Return what waits, and so many of what fired last; None for all of it."""

    def add(
        self, place: Place, levels: Sequence[AlertLevel], *, at_most: int, at: datetime
    ) -> tuple[StoredAlert, ...] | None:
        """Keep levels; None, and none of them, where more than `at_most` would wait."""

    def remove(self, place: Place, numbers: Sequence[int], *, at: datetime) -> None: ...


class Journal(AttemptBook, Protocol):
    """Previews, attempts and events, durable before the call returns. Raises JournalUnreadable."""

    def save_preview(self, preview: PreviewRecord) -> None: ...

    def preview(self, preview_id: str) -> PreviewRecord | None: ...

    def previews(self, env: str, *, limit: int) -> tuple[PreviewRecord, ...]: ...

    def attempt_of(self, preview_id: str) -> AttemptRecord | None: ...

    def unresolved(self, env: str, host: str, account_id: str) -> tuple[AttemptRecord, ...]: ...

    def recent(self, env: str, host: str, account_id: str, since: datetime) -> tuple[AttemptRecord, ...]:
        """Return the attempts that were sent since an instant, oldest first."""

    def attempts(self, env: str, *, limit: int) -> tuple[AttemptRecord, ...]:
        """Return the latest attempts of an environment, newest first."""

    def moved_at(self, attempt_id: str) -> datetime | None:
        """Return when an attempt came into its present state."""

    def owners(self, env: str, host: str, names: Iterable[str]) -> Mapping[str, str]:
        """Return which attempt owns each of these references, orders and deals; the others are left out."""

    def changed_deals(self, env: str, host: str, deal_ids: Iterable[str]) -> frozenset[str]:
        """Return which of these deals or orders a change from here was sent for, unless it was refused."""

    def observe(self, attempt_id: str, state: AttemptState, *, at: datetime, **facts: Any) -> bool:
        """Set facts of an attempt that stays in its state; False when it is in that state no longer."""

    def note(
        self,
        attempt_id: str | None,
        kind: str,
        *,
        at: datetime,
        detail: Mapping[str, Any],
        permit: "Permit | None" = None,
    ) -> None:
        """Append an event that changes no state (a decision, an alarm)."""

    def notes(self, kind: str) -> tuple[tuple[datetime, Mapping[str, Any]], ...]:
        """Return when and what was noted under a kind, oldest first."""

    def ask_approval(self, requests: Sequence[ApprovalRecord], *, at_most: int | None = None) -> bool:
        """Insert the requests that one code stands for; False when the code was given out before.

        Raises ApprovalsFull where `at_most` so many requests of their client wait already.
        """

    def approvals(self, code_hash: str) -> tuple[ApprovalRecord, ...]: ...

    def approvals_of(self, digest: str, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return what has been asked and said about a request and has not expired, oldest first."""

    def approvals_waiting(self, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return what waits for a person or, approved, for its request, oldest first."""

    def decide(
        self,
        code_hash: str,
        state: ApprovalState,
        *,
        at: datetime,
        by: str,
        shown: Sequence[ApprovalRecord] | None = None,
    ) -> bool:
        """Compare-and-set all requests of a code: what waits, and to take it back what is approved.

        False when there is none of those, when they are not what was `shown`, and for a yes to a row that a
        hand has changed.
        """

    @property
    def mandates(self) -> MandateBook: ...

    @property
    def account_events(self) -> EventBook: ...

    @property
    def alerts(self) -> AlertBook: ...

    def require_intact(self) -> None:
        """Refuse new risk where it is not as it was written. Raises JournalBehind, JournalAltered."""

    def remembered(self) -> "JournalBreak | None":
        """Compare the journal with what is remembered of it outside its folder; None where it fits."""

    def accept(
        self, altered: Sequence[tuple[str, tuple[Any, ...]]], *, at: datetime, reason: str
    ) -> tuple[int, str]:
        """Take the journal as it is now for the one to go on from; return its count and head.

        Raises what writing it does, and StateFolderUnusable.
        """

    def inspect(
        self, key: bytes | None, marks: "Sequence[Mark]" = (), progress: Callable[[int, int], None] = ...
    ) -> "Inspection":
        """Look through the whole journal, whose keyed events need the key. Raises JournalUnreadable.

        `marks` are compared with the chain; `progress` is told how many entries are done, of how many.
        """


class HaltSwitch(Protocol):
    """The kill switch that all processes of a user share."""

    def read(self) -> Halt | None:
        """Return the halt in force. Never raises: what cannot be read is a halt."""

    def set(self, halt: Halt) -> HaltKept:
        """Halt, unless that is so already; say what keeps it. Never raises."""

    def clear(self) -> None:
        """Take the halt away everywhere. Raises StateFolderUnusable: then it stays."""


class AccountLock(Protocol):
    """The lock that lets one process at a time send on an account."""

    def __call__(
        self, env: str, host: str, account_id: str, *, wait: bool = True
    ) -> AbstractContextManager[None]:
        """Hold it. Raises Busy, at once or after a bounded `wait`."""

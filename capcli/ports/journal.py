"""The use cases' view of the journal, the halt and the account lock."""

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
    """Records a change: the journal, or for closes and cancellations a best-effort book."""

    def attempt(self, attempt_id: str) -> AttemptRecord | None: ...

    def open_attempt(self, attempt: AttemptRecord, *, permit: "Permit | None" = None) -> None:
        """Insert an attempt that has no preview (close, amend, cancel)."""

    def unrecorded(self, attempt_id: str) -> tuple[str, ...]:
        """Say what could not be recorded of an attempt; empty if everything was."""

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: "Permit | None" = None
    ) -> PreviewRecord | None:
        """Turn a READY, unexpired preview into CLAIMED and insert its attempt, in one transaction.

        With a `permit` (the digest of an approved request) that approval is used in the same transaction, as
        in `open_attempt` and `note`; without one left they raise ApprovalUnknown and change nothing. The use
        of a mandate is recorded in it; they raise MandateEnded if it cannot be. Returns the preview with its
        stored body, None if another process was first or it expired.
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
        """End mandates permanently; those that ended before are unchanged."""

    def by_secret(self, secret_hash: str) -> "Mandate | None": ...

    def of(self, *, since: datetime) -> "tuple[Mandate, ...]":
        """Return mandates not ended yet, and those that ended since an instant, newest first."""

    def active(self) -> "tuple[Mandate, ...]":
        """Return mandates not ended yet, expired or not."""

    def uses(self, mandate_id: str) -> "tuple[tuple[Use, AttemptRecord], ...]":
        """Return what was sent under a mandate, with the attempt's current state, oldest first."""

    def names(self, attempt_ids: Iterable[str]) -> dict[str, str]:
        """Return the mandates of attempts by name; attempts without one are left out."""

    def latest_event_at(self, mandate_id: str) -> datetime:
        """Return the latest time in the journal since a mandate was granted."""


class EventBook(Protocol):
    """Events of accounts, in the order in which they became known here. Raises JournalUnreadable."""

    def after(self, place: Place, number: int, limit: int) -> tuple[Numbered, ...]:
        """Return the events after a number, oldest first."""

    def latest(self, place: Place, since: datetime, limit: int) -> tuple[Numbered, ...]:
        """Return the last events since an instant, oldest first."""

    def last(self, place: Place) -> int: ...

    def has(self, place: Place, key: str) -> bool: ...

    def sides(self, place: Place, deal_ids: Iterable[str]) -> dict[str, Side]:
        """Return the sides of deals whose opening was reported."""

    def state(self, place: Place) -> Mapping[str, Any] | None:
        """Return the state stored by the last poll."""

    def entries(self, after: int, since: datetime) -> tuple[JournalEntry, ...]:
        """Return the chain's entries after a number, not older than an instant."""

    def unknown(self, place: Place, told: Iterable[Keyed]) -> list[Keyed]:
        """Return events not reported yet, or not with their price."""

    def record(self, place: Place, told: Sequence[Keyed], state: Mapping[str, Any], *, at: datetime) -> None:
        """Number and store the new ones among these events, with the poll's state, in one transaction.

        An event reported without its price is reported once more with it, as a repeat.
        """


class AlertBook(Protocol):
    """Stored alerts by account. Raises JournalUnreadable."""

    def waiting(self, place: Place) -> tuple[StoredAlert, ...]: ...

    def of(self, place: Place, *, fired: int | None) -> tuple[StoredAlert, ...]:
        """Return waiting alerts, and this many of the last fired; None: all."""

    def add(
        self, place: Place, levels: Sequence[AlertLevel], *, at_most: int, at: datetime
    ) -> tuple[StoredAlert, ...] | None:
        """Store levels; None, without storing any, if more than `at_most` would wait."""

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
        """Return when an attempt entered its current state."""

    def owners(self, env: str, host: str, names: Iterable[str]) -> Mapping[str, str]:
        """Return the owning attempt of each reference, order and deal; those without one are left out."""

    def changed_deals(self, env: str, host: str, deal_ids: Iterable[str]) -> frozenset[str]:
        """Return those deals and orders for which a change was sent from here and not refused."""

    def observe(self, attempt_id: str, state: AttemptState, *, at: datetime, **facts: Any) -> bool:
        """Set facts of an attempt without changing its state; False if it left that state."""

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
        """Insert the requests of one code; False if the code was used before.

        Raises ApprovalsFull where `at_most` so many requests of their client wait already.
        """

    def approvals(self, code_hash: str) -> tuple[ApprovalRecord, ...]: ...

    def approvals_of(self, digest: str, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return the unexpired approval records of a request, oldest first."""

    def approvals_waiting(self, *, now: datetime) -> tuple[ApprovalRecord, ...]:
        """Return requests that wait for a person, or are approved and not sent yet, oldest first."""

    def decide(
        self,
        code_hash: str,
        state: ApprovalState,
        *,
        at: datetime,
        by: str,
        shown: Sequence[ApprovalRecord] | None = None,
    ) -> bool:
        """Compare-and-set all requests of a code: waiting ones, and for a denial also approved ones.

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
        """Refuse new risk if the journal was changed. Raises JournalBehind, JournalAltered."""

    def remembered(self) -> "JournalBreak | None":
        """Compare the journal with its record outside its folder; None if they match."""

    def accept(
        self, altered: Sequence[tuple[str, tuple[Any, ...]]], *, at: datetime, reason: str
    ) -> tuple[int, str]:
        """Accept the journal as it is; return its count and head. Raises as a write; StateFolderUnusable."""

    def inspect(
        self, key: bytes | None, marks: "Sequence[Mark]" = (), progress: Callable[[int, int], None] = ...
    ) -> "Inspection":
        """Check the whole journal; keyed events need the key. Raises JournalUnreadable.

        `marks` are compared with the chain; `progress` gets the number of entries done, and of all.
        """


class HaltSwitch(Protocol):
    """The kill switch that all processes of a user share."""

    def read(self) -> Halt | None:
        """Return the halt in force. Never raises: an unreadable file is a halt."""

    def set(self, halt: Halt) -> HaltKept:
        """Halt, unless halted already; return where it is stored. Never raises."""

    def clear(self) -> None:
        """Remove the halt everywhere. Raises StateFolderUnusable: then it stays."""


class AccountLock(Protocol):
    """The lock that lets one process at a time send on an account."""

    def __call__(
        self, env: str, host: str, account_id: str, *, wait: bool = True
    ) -> AbstractContextManager[None]:
        """Hold it. Raises Busy, at once or after a bounded `wait`."""

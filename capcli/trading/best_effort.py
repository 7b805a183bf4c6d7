"""Records closes and cancellations; what the journal cannot store is kept in memory and reported."""

from collections.abc import Callable
from datetime import datetime
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from capcli.domain.attempt import AttemptRecord, AttemptState, PreviewRecord
from capcli.errors import CapcliError, ConfigError
from capcli.ports.journal import Journal

if TYPE_CHECKING:
    from capcli.domain.mandate import Permit

# A locked journal is waited for once, not again for each later deal.
_LEFT_ALONE_S = 30.0
_FAILURES = (ConfigError, ValueError)


class BestEffortBook:
    """The `AttemptBook` of closes and cancellations. `monotonic` counts seconds.

    An attempt that the journal could not store is known to this process alone.
    """

    def __init__(self, journal: Journal, monotonic: Callable[[], float]) -> None:
        self._journal = journal
        self._monotonic = monotonic
        self._lock = Lock()
        self._known: dict[str, AttemptRecord] = {}
        self._lost: dict[str, str] = {}
        self._trouble = ""
        self._again_at = -inf

    def open_attempt(self, attempt: AttemptRecord, *, permit: "Permit | None" = None) -> None:
        """Record an attempt, in the journal if it can be. Raises ApprovalUnknown."""
        with self._lock:
            self._known[attempt.attempt_id] = attempt
        self._write(attempt.attempt_id, lambda journal: journal.open_attempt(attempt, permit=permit))

    def claim(
        self, preview_id: str, attempt: AttemptRecord, *, now: datetime, permit: "Permit | None" = None
    ) -> PreviewRecord | None:
        """Claim a preview, which only the journal can do."""
        return self._journal.claim(preview_id, attempt, now=now, permit=permit)

    def move(
        self,
        attempt_id: str,
        from_state: AttemptState,
        to_state: AttemptState,
        *,
        at: datetime,
        **facts: Any,
    ) -> bool:
        """Compare and set, as the journal does; False when another process settled the attempt first."""
        moved = self._write(
            attempt_id, lambda journal: journal.move(attempt_id, from_state, to_state, at=at, **facts)
        )
        if moved is False:
            return False
        with self._lock:
            known = self._known.get(attempt_id)
            if known is not None:
                self._known[attempt_id] = replace(known, state=to_state, **facts)
        return True

    def attempt(self, attempt_id: str) -> AttemptRecord | None:
        """Return an attempt from the journal, or from memory if the journal lacks it."""
        with self._lock:
            known = self._known.get(attempt_id)
            if attempt_id in self._lost:
                return known
        try:
            return self._journal.attempt(attempt_id)
        except _FAILURES as error:
            self._lose(attempt_id, error)
            return known

    def unrecorded(self, attempt_id: str) -> tuple[str, ...]:
        """Say what could not be recorded of an attempt, and why; empty if the journal has it all."""
        with self._lock:
            why = self._lost.get(attempt_id)
        return () if why is None else (f"Not recorded ({attempt_id}): {why}",)

    def _write(self, attempt_id: str, write: Callable[[Journal], bool | None]) -> bool | None:
        """Write to the journal unless it failed for this attempt, or just now."""
        with self._lock:
            if attempt_id in self._lost:
                return None
            if self._monotonic() < self._again_at:
                self._lost[attempt_id] = self._trouble
                return None
        try:
            return write(self._journal)
        except _FAILURES as error:
            self._lose(attempt_id, error)
            return None

    def _lose(self, attempt_id: str, error: Exception) -> None:
        why = error.message if isinstance(error, CapcliError) else str(error)
        with self._lock:
            self._lost[attempt_id] = self._trouble = why
            self._again_at = self._monotonic() + _LEFT_ALONE_S

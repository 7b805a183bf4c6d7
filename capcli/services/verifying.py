"""Whether the journal is as it was written: its event chain, and what the keychain remembers of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from capcli.errors import CapcliError, JournalAltered, NotConfirmed
from capcli.services.ports import Anchor, Inspection, Journal, JournalBreak
from capcli.services.reply import Reply

_PLAIN = (
    "The chain has no key here, so whoever can write the file could write it anew as a whole; changes of"
    " single rows are found."
)


class Vault(Protocol):
    """Where the chain's key and end are kept. Both raise what the keychain does."""

    def load(self) -> Anchor | None: ...

    def save(self, anchor: Anchor) -> None: ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found.

    `events` the journal holds, `keyed` of them are sealed with the keychain's key; up to the event numbered
    `anchored` the keychain vouches that none is missing (None: it does not).
    """

    intact: bool
    events: int
    keyed: int
    anchored: int | None
    breaks: tuple[JournalBreak, ...]
    note: str


class Verification:
    """Reads the journal of this machine. Asks the broker nothing."""

    def __init__(self, journal: Journal, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._vault = vault
        self._clock = clock

    def verify(
        self, *, ask_keychain: bool = True, progress: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Reply[Verified]:
        """Look through the whole journal. One that was altered is a result with a problem."""
        anchor, trouble = self._anchor() if ask_keychain else (None, "")
        marks = (anchor.mark,) if anchor else ()
        found = self._journal.inspect(anchor.key if anchor else None, marks, progress)
        anchored = anchor.count if anchor and not found.breaks else None
        verified = Verified(
            not found.breaks, found.events, found.keyed, anchored, found.breaks, _note(found, anchor, trouble)
        )
        return _reply(verified)

    def accept(self, *, confirmed: bool) -> Reply[Verified]:
        """Let the keychain vouch for the journal as it is now: after a restored copy, or a new beginning.

        Rows that were altered stay found. Raises NotConfirmed, and what the keychain does.
        """
        if not confirmed:
            raise NotConfirmed(
                "This makes the journal's present end the one that later checks start from: what was cut off"
                " before will not be noticed any more. Nothing was changed.",
                next="capcli history verify --accept --confirm",
            )
        anchor = self._vault.load()
        if anchor is not None:
            self._journal.note(None, "accepted", at=self._clock(), detail={"before": anchor.count})
            found = self._journal.inspect(anchor.key)
            self._vault.save(replace(anchor, count=found.events, head=found.head))
        return self.verify()

    def _anchor(self) -> tuple[Anchor | None, str]:
        try:
            return self._vault.load(), ""
        except CapcliError as error:
            return None, f"The keychain could not be asked ({error.code}). "


def _note(found: Inspection, anchor: Anchor | None, trouble: str) -> str:
    if found.unread:
        return (
            f"{trouble}{found.unread} events are sealed with a key that is not here: they were not checked."
        )
    if anchor is None:
        return trouble + _PLAIN
    later = found.events - anchor.count
    plain = found.events - found.keyed
    parts = [f"The keychain vouches for the first {anchor.count} events."]
    if later > 0:
        parts.append(f"{later} came later; whether more were cut off behind them cannot be told.")
    if plain:
        parts.append(f"{plain} have a plain hash (paper, or written while the keychain was not there).")
    return " ".join(parts)


def _reply(data: Verified) -> Reply[Verified]:
    if data.intact:
        return Reply(data)
    first = data.breaks[0]
    error = JournalAltered(
        f"The journal is not as it was written: {first.table} {first.row}: {first.fault}."
        + (f" {len(data.breaks) - 1} more." if len(data.breaks) > 1 else "")
        + " Keep the file, and compare it with the broker's own history.",
        next="capcli history executions",
    )
    return Reply(data, problem=error.problem())

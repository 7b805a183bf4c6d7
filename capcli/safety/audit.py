"""Checks that the journal is unchanged, by its event chain and its anchor in the keychain."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from capcli.context import Context
from capcli.domain.chain import Anchor, Inspection, JournalBreak
from capcli.errors import CapcliError, JournalAltered, JournalBehind, UsageError
from capcli.reply import Reply

_PLAIN = (
    "There is no key here, so someone who can write the file could rewrite all of it; changes to single rows "
    "are found."
)
# Faults that cannot be accepted: without these nothing in the journal can be trusted.
_FOUNDATIONS = frozenset({"file", "schema", "events"})

Progress = Callable[[int, int], None]


class Vault(Protocol):
    """Where the chain's key and end are kept. Both raise what the keychain does."""

    def load(self) -> Anchor | None: ...
    def save(self, anchor: Anchor) -> None: ...


class Verified(Struct, frozen=True):
    """The result of a verification: `keyed` of the events are sealed with the keychain's key.

    Up to the event `anchored` the keychain proves that none is missing (None: it does not).
    """

    intact: bool
    events: int
    keyed: int
    anchored: int | None
    breaks: tuple[JournalBreak, ...]
    note: str


class Verification:
    """Reads the journal of this computer. Asks the broker nothing."""

    def __init__(self, context: Context, vault: Vault) -> None:
        self._context = context
        self._vault = vault

    def verify(
        self, *, ask_keychain: bool = True, progress: Progress = lambda _done, _all: None
    ) -> Reply[Verified]:
        """Check the whole journal; altered or behind is a problem. `progress` gets entries done and all."""
        anchor, trouble = None, ""
        try:
            anchor = self._vault.load() if ask_keychain else None
        except CapcliError as error:
            trouble = f"The keychain could not be asked ({error.code}). "
        marks = (anchor.mark,) if anchor else ()
        found = self._context.journal.inspect(anchor.key if anchor else None, marks, progress)
        is_damaged = any(one.table == "file" for one in found.breaks)
        behind = None if is_damaged else self._context.journal.remembered()
        breaks = found.breaks if behind is None else (behind, *found.breaks)
        anchored = anchor.count if anchor and not breaks else None
        note = _note(found, anchor, trouble)
        return _reply(Verified(not breaks, found.events, found.keyed, anchored, breaks, note))

    def accept(
        self, *, reason: str, ask_keychain: bool = True, progress: Progress = lambda _done, _all: None
    ) -> Reply[Verified]:
        """Accept the journal as it is now; altered rows count as true, and the reason is recorded.

        Raises UsageError without a reason, JournalAltered where chain, schema or file is not whole, and the
        Keychain errors: nothing was changed.
        """
        if not reason.strip():
            raise UsageError("Give a reason.", next='capcli history accept --reason "..."')
        anchor = self._vault.load() if ask_keychain else None
        found = self._context.journal.inspect(anchor.key if anchor else None, (), progress)
        broken = [one for one in found.breaks if one.table in _FOUNDATIONS]
        if broken:
            raise JournalAltered(
                f"The journal cannot be accepted: {broken[0].table} {broken[0].row}: {broken[0].fault}. "
                "Nothing was changed. Restore a copy; or move the file away, start a new one, and accept"
                " that.",
                next="capcli config path",
            )
        count, head = self._context.journal.accept(
            found.altered, at=self._context.clock(), reason=reason.strip()
        )
        if anchor is not None:
            self._vault.save(replace(anchor, count=count, head=head))
        return self.verify(ask_keychain=ask_keychain, progress=progress)


def _note(found: Inspection, anchor: Anchor | None, trouble: str) -> str:
    if found.unread:
        return (
            f"{trouble}{found.unread} events are sealed with a key that is not here: they were not checked."
        )
    if anchor is None:
        return trouble + _PLAIN
    later = found.events - anchor.count
    plain = found.events - found.keyed
    parts = [f"The keychain confirms the first {anchor.count} events."]
    if later > 0:
        parts.append(f"{later} came later; it is not known whether more were cut off after them.")
    if plain:
        parts.append(f"{plain} have a plain hash (paper, or written without a keychain).")
    return " ".join(parts)


def _reply(data: Verified) -> Reply[Verified]:
    if data.intact:
        return Reply(data)
    first = data.breaks[0]
    if {one.table for one in data.breaks} <= {"record"}:
        return Reply(data, problem=JournalBehind(first.fault, next="capcli history accept").problem())
    error = JournalAltered(
        f"The journal has been altered: {first.table} {first.row}: {first.fault}."
        + (f" {len(data.breaks) - 1} more." if len(data.breaks) > 1 else "")
        + " No new risk is sent. Keep the file, and compare it with the broker's own history; if you know"
        " why, accept it: capcli history accept",
        next="capcli history executions",
    )
    return Reply(data, problem=error.problem())

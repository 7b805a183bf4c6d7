"""Events of an account from the journal and the kill switch: lost orders, approvals, halts."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from capcli.account.executions import ExecutionsLog
from capcli.domain.account_events import EventKind, Happened, JournalEntry, Keyed, Place
from capcli.domain.attempt import AttemptRecord, AttemptState
from capcli.domain.halt import Halt
from capcli.domain.order import Kind
from capcli.ports.journal import Journal

# An order without an outcome for this long is no longer on its way.
_STUCK = timedelta(seconds=60)
_LOST = frozenset({AttemptState.UNKNOWN, AttemptState.ABSENT})
_FOUND = frozenset({AttemptState.LANDED, AttemptState.REJECTED, AttemptState.ABSENT})
_CHANGES = {Kind.CLOSE: "The close", Kind.AMEND: "The amendment", Kind.CANCEL: "The cancellation"}


class SwitchSeen(Struct, frozen=True):
    """The last known state of the kill switch: whether it was on, and when it was last turned off."""

    halted: bool = False
    resumed_at: datetime | None = None


def attempt_events(
    journal: Journal, place: Place, entries: Sequence[JournalEntry], now: datetime
) -> Iterator[Keyed]:
    """Yield orders that became unresolved, that were settled, and that the broker refused."""
    log, events = ExecutionsLog(place[0], journal), set[str]()
    for entry in entries:
        if entry.kind != "move" or entry.attempt_id is None:
            continue
        attempt = journal.attempt(entry.attempt_id)
        if attempt is None or (attempt.env, attempt.host, attempt.account_id) != place:
            continue
        before, after = AttemptState(entry.from_state or ""), AttemptState(entry.to_state or "")
        key = f"unresolved {attempt.attempt_id}"
        is_settled = before in _LOST or (before is AttemptState.SENDING and after in _FOUND)
        if after is AttemptState.UNKNOWN:
            events.add(key)
            yield key, _attempted(log, attempt, EventKind.UNRESOLVED, entry.at, after)
        elif (attempt.kind.is_order and is_settled) or (
            not after.unresolved and (key in events or journal.account_events.has(place, key))
        ):
            fact = _attempted(log, attempt, EventKind.SETTLED, entry.at, after)
            yield f"settled {entry.key}", fact
        elif after is AttemptState.REFUSED:
            fact = _attempted(log, attempt, EventKind.REJECTED, entry.at, after)
            yield f"refused {entry.key}", fact
    for attempt in journal.unresolved(*place):
        if now - (attempt.sent_at or attempt.created_at) > _STUCK:
            fact = _attempted(log, attempt, EventKind.UNRESOLVED, now, attempt.state)
            yield f"unresolved {attempt.attempt_id}", fact


def _attempted(
    log: ExecutionsLog, attempt: AttemptRecord, kind: EventKind, at: datetime, state: AttemptState
) -> Happened:
    row = log.record(attempt)
    return Happened(
        kind,
        at,
        epic=row.epic,
        side=row.side,
        size=row.size,
        level=row.level,
        deal_id=row.deal_id or next(iter(row.deal_ids), None),
        attempt_id=attempt.attempt_id,
        state=state.value,
        detail=attempt.error_code if kind is EventKind.REJECTED else _CHANGES.get(attempt.kind, "The order"),
    )


def approval_events(journal: Journal, place: Place, entries: Sequence[JournalEntry]) -> Iterator[Keyed]:
    """Yield new requests for approval."""
    for entry in entries:
        if entry.kind != "approval" or entry.to_state != "PENDING":
            continue
        code = str(entry.detail["code_hash"])
        for row in journal.approvals(code)[:1]:
            if (row.env, row.host, row.account_id) == place:
                # Only the first line, which names the request; its figures are for the person who approves.
                what = next(iter(row.text.splitlines()), "")
                yield f"approval {code[:16]}", Happened(EventKind.APPROVAL_WAITS, row.created_at, detail=what)


def switch_events(
    halt: Halt | None, entries: Sequence[JournalEntry], seen: SwitchSeen, now: datetime
) -> tuple[list[Keyed], SwitchSeen]:
    """Return the events of the kill switch, and its state now.

    `held`, read before the entries, counts where the journal could not be written: if it is later than the
    last resumption.
    """
    events, halted, resumed_at = list[Keyed](), seen.halted, seen.resumed_at
    for entry in entries:
        if entry.kind == "halt" and not halted:
            by, why = str(entry.detail.get("by") or ""), str(entry.detail.get("reason") or "")
            words = f"by {by}{f': {why}' if why else ''}"
            events.append((f"halted {entry.key}", Happened(EventKind.HALTED, entry.at, detail=words)))
            halted = True
        elif entry.kind == "resume":
            if halted:
                events.append((f"resumed {entry.key}", Happened(EventKind.RESUMED, entry.at)))
            halted, resumed_at = False, entry.at
    if halt is not None and not halted:
        if halt.at is None or resumed_at is None or halt.at > resumed_at:
            event = Happened(EventKind.HALTED, halt.at or now, detail=halt.detail)
            events.append((f"halted {halt.at}", event))
            halted = True
    elif halt is None and seen.halted and halted:
        events.append((f"resumed {now}", Happened(EventKind.RESUMED, now)))
        halted, resumed_at = False, now
    return events, SwitchSeen(halted, resumed_at)

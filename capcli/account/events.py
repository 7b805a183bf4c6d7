"""What happened on the account: activity, margin, the journal and the kill switch, in one order.

An event is numbered in the journal when this computer first learns of it, so a cursor never skips one.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from re import fullmatch

from msgspec import Struct, convert, field, to_builtins
from msgspec.structs import replace

from capcli.account.event_text import sentence
from capcli.account.history import History, Span
from capcli.account.journal_events import SwitchSeen, approval_events, attempt_events, switch_events
from capcli.context import Context
from capcli.domain.account import Account, Activity, Transaction
from capcli.domain.account_events import (
    EventKind,
    Happened,
    Keyed,
    KnownDeals,
    Numbered,
    Place,
    margin_level,
    margin_steps,
    read_activity,
)
from capcli.domain.alerts import AccountLevels, StoredAlert
from capcli.domain.bookings import CLOSE
from capcli.domain.fields import with_fields_of
from capcli.domain.market import Side
from capcli.errors import Busy, CapcliError, EpicUnknown, UsageError
from capcli.fanout import together
from capcli.ports import Lane
from capcli.reconcile.deal_account import active_account
from capcli.reply import Reply

MOST = 1000
_FIRST_LOOK = timedelta(days=7)
LONGEST = timedelta(days=365)
# The activity can come more than a minute late (API page 10.1).
_OVERLAP = timedelta(minutes=5)
_KEEP_EVERY = timedelta(hours=1)
_TOGETHER = timedelta(seconds=2)
_CURSOR = r"[0-9a-f]{8}-[0-9]{10}"
_NEXT = "capcli events --last 24h"
_CLOSES = frozenset({EventKind.STOP_HIT, EventKind.LIMIT_HIT, EventKind.CLOSED})


class EventRow(Struct, frozen=True):
    """One event, with `cursor` to go on from. Times UTC; what does not apply is None.

    `attempt_id` is the order of this computer that it is about, or that the deal came from. `level` is in the
    instrument's currency, `amount` the realised P&L in `currency`, the account's. `margin_level` is equity in
    percent of the margin in use. `repeat`: shown before, with less detail.
    """

    cursor: str
    at: datetime
    kind: EventKind
    text: str
    repeat: bool
    epic: str | None
    side: Side | None
    size: Decimal | None
    level: Decimal | None
    amount: Decimal | None
    currency: str | None
    deal_id: str | None
    order_id: str | None
    attempt_id: str | None
    alert_id: str | None
    source: str | None
    margin_level: Decimal | None
    state: str | None
    detail: str | None


class EventsFound(Struct, frozen=True):
    """What happened, in the order in which this computer learned of it, oldest first.

    `cursor` continues after them, `more`: later ones follow. `problems` name what could not be read.
    """

    events: tuple[EventRow, ...]
    cursor: str
    more: bool = False
    problems: tuple[str, ...] = ()


class _Looked(SwitchSeen, frozen=True, kw_only=True):
    """The state kept between two polls: how far it read, and what it found.

    `read_to` is broker time, None before the first poll. `deals` are the sides of deals that are or were
    open. `margin` is the lowest margin step that was reported, `falls` how often the level fell below the
    first step.
    """

    began: datetime
    read_to: datetime | None = None
    entries: int = 0
    deals: Mapping[str, Side] = field(default_factory=dict)
    margin: Decimal | None = None
    falls: int = 0


class Events:
    """Reads the account and returns what happened. Changes only the journal's list of events."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._broker = context.broker

    def recent(
        self, *, last: timedelta = timedelta(days=1), since: str | None = None, limit: int = MOST
    ) -> Reply[EventsFound]:
        """Read what is new, and return what happened after a cursor, else the last events of a span.

        Raises UsageError for the cursor of another account, and what a read raises. Four requests, more after
        a week without a look.
        """
        if since is not None:
            _check_form(since)
        place = self._context.place()
        if since is not None and self._context.journal.account_events.state(place):
            self.number(place, since)
        problems = self.read_new(place)
        book = self._context.journal.account_events
        if since is None:
            rows = book.latest(place, self._now() - last, limit)
            events, more = self._rows(place, rows), False
        else:
            rows = book.after(place, self.number(place, since), limit + 1)
            events, more = self._rows(place, rows[:limit]), len(rows) > limit
        cursor = events[-1].cursor if events else since or f"{self._tag(place)}-{book.last(place):010d}"
        return Reply(EventsFound(events, cursor, more, tuple(problems)), place[2])

    def follow(self, since: str | None = None) -> "Feed":
        """Return a feed of events as they come, after a cursor or from now on. Raises as `recent`."""
        if since is not None:
            _check_form(since)
        patient = Events(self._context.in_lane(Lane.BULK))
        place = self._context.place()
        return Feed(patient, place, since)

    def after(self, place: Place, number: int) -> tuple[tuple[EventRow, ...], int]:
        """Return the events after a number, and the last event's number."""
        rows = self._context.journal.account_events.after(place, number, MOST)
        return self._rows(place, rows), rows[-1].number if rows else number

    def _now(self) -> datetime:
        return self._broker.broker_time() or self._broker.server_time()

    def read_new(self, place: Place) -> list[str]:
        """Store new events. Those from the journal are stored even if the broker cannot be reached."""
        journal = self._context.journal
        # Before the entries: see `switch_events`.
        halt = self._context.halt.read()
        kept = journal.account_events.state(place)
        now = self._context.clock()
        old = convert(kept, _Looked) if kept else _Looked(began=now)
        entries = journal.account_events.entries(old.entries, min(old.began, now) - _FIRST_LOOK)
        events, switch = switch_events(halt, entries, old, now)
        events += attempt_events(journal, place, entries, now)
        events += approval_events(journal, place, entries)
        last = entries[-1].seq if entries else old.entries
        new = replace(old, halted=switch.halted, resumed_at=switch.resumed_at, entries=last)
        failure, problems = None, list[str]()
        try:
            more, new, problems = self._at_broker(place, new)
            events += more
        except CapcliError as error:
            failure = error
        fresh = journal.account_events.unknown(place, sorted(events, key=lambda one: one[1].at))
        if fresh or kept is None or _differs(old, new):
            journal.account_events.record(place, fresh, to_builtins(new), at=now)
        if failure is not None:
            raise failure
        return problems

    def _at_broker(self, place: Place, old: _Looked) -> tuple[list[Keyed], _Looked, list[str]]:
        broker = self._broker
        # Taken before the reads: what happens during them belongs to the next poll.
        now = self._now()
        # The clock was set back: its times count as new from now on.
        start = min(old.read_to or now - _FIRST_LOOK, now) - _OVERLAP
        start = max(start, now - LONGEST)
        waiting = self._context.journal.alerts.waiting(place)
        accounts, positions, activity, (bids, problems) = together(
            broker.accounts,
            broker.list_positions,
            lambda: History(broker).activity(Span(start=start)),
            lambda: self._bids({one.level.epic for one in waiting} - {""}),
        )
        if broker.account_id != place[2]:
            raise Busy(
                f"Account {broker.account_id} is in use now. The events of {place[2]} continue once it is"
                " used again.",
                next=f"capcli accounts use {place[2]}",
            )
        rows = activity.data.activities
        deals = dict(old.deals) | {row.deal_id: row.side for row in positions.rows}
        events, read_to = self._tell(place, rows, deals, now)
        ended = {fact.deal_id for _, fact in events if fact.amount is not None} - {
            row.deal_id for row in positions.rows
        }
        deals = {deal: side for deal, side in deals.items() if deal not in ended}
        account = active_account(accounts, place[2])
        margin, new = self._margin(account, old, now)
        alerts = _fired(waiting, bids, AccountLevels.of(account, now))
        problems += [
            f"An entry of the activity cannot be read: {row.why}" for row in activity.data.unreadable
        ]
        return events + margin + alerts, replace(new, read_to=max(read_to, start), deals=deals), problems

    def _bids(self, epics: set[str]) -> tuple[dict[str, Decimal], list[str]]:
        """Return the bids that stored alerts are compared with, and which could not be read."""
        problems = list[str]()
        while epics:
            try:
                read = self._broker.all_details(tuple(sorted(epics)))
            except EpicUnknown as error:
                problems.append(f"A stored alert waits for a market that is gone: {error.message}")
                # The other markets are still checked.
                epics = epics - {error.details.get("epic")} if error.details.get("epic") in epics else set()
                continue
            return {row.epic: row.quote.bid for row in read if row.quote.bid is not None}, problems
        return {}, problems

    def _tell(
        self, place: Place, rows: Sequence[Activity], deals: Mapping[str, Side], now: datetime
    ) -> tuple[list[Keyed], datetime]:
        book = self._context.journal.account_events
        names = {row.deal_id for row in rows if row.type == "POSITION"}
        sides = dict(deals) | book.sides(place, names)
        events, read_to = read_activity(rows, KnownDeals(sides), now)
        new = book.unknown(place, events)
        if read_to == now and not any(fact.kind in _CLOSES for _, fact in new):
            return self._with_attempts(place, new), read_to
        # Only the bookings show whether it was a close, and its P&L.
        since = min([fact.at for _, fact in new] + [read_to]) - _TOGETHER
        booked: dict[str, list[Transaction]] = {}
        for one in History(self._broker).transactions(Span(start=since)).data.transactions:
            if one.deal_id and one.type == CLOSE:
                booked.setdefault(one.deal_id, []).append(one)
        events, read_to = read_activity(rows, KnownDeals(sides, booked), now)
        return self._with_attempts(place, book.unknown(place, events)), read_to

    def _with_attempts(self, place: Place, events: Sequence[Keyed]) -> list[Keyed]:
        """Add the attempt ids of deals and orders that were sent from this computer."""
        names = {name for _, fact in events for name in (fact.order_id, fact.deal_id) if name}
        owners = self._context.journal.owners(place[0], place[1], names) if names else {}
        return [
            (key, replace(fact, attempt_id=owners.get(fact.order_id or "") or owners.get(fact.deal_id or "")))
            for key, fact in events
        ]

    def _margin(self, account: Account, old: _Looked, now: datetime) -> tuple[list[Keyed], _Looked]:
        level = margin_level(account)
        lowest = min(margin_steps(level), default=None)
        if lowest is None:
            return [], replace(old, margin=None, falls=old.falls + (old.margin is not None))
        if old.margin is not None and old.margin <= lowest:
            return [], old
        fact = Happened(EventKind.MARGIN_LOW, now, margin_level=level)
        return [(f"margin {old.began.isoformat()} {old.falls} {lowest}", fact)], replace(old, margin=lowest)

    def _rows(self, place: Place, rows: Sequence[Numbered]) -> tuple[EventRow, ...]:
        tag, found = self._tag(place) if rows else "", []
        for one in rows:
            cursor = f"{tag}-{one.number:010d}"
            found.append(
                with_fields_of(one.fact, EventRow, cursor=cursor, text=sentence(one.fact), repeat=one.repeat)
            )
        return tuple(found)

    def _tag(self, place: Place) -> str:
        """Return a tag that only cursors of this account, environment and journal start with."""
        state = self._context.journal.account_events.state(place)
        began = datetime.fromisoformat(state["began"]).isoformat() if state else ""
        return sha256("\n".join((*place, began)).encode()).hexdigest()[:8]

    def number(self, place: Place, since: str | None) -> int:
        """Return the event number of a cursor, without one that of the last event. Raises UsageError."""
        last = self._context.journal.account_events.last(place)
        if since is None:
            return last
        tag, _, number = since.partition("-")
        if tag != self._tag(place) or int(number) > last:
            raise UsageError(
                f"The cursor {since} is of another environment, account or computer: no event of {place[0]}, "
                f"account {place[2]} has it here.",
                next=_NEXT,
            )
        return int(number)


class Feed:
    """Events of one account as they come. For one thread."""

    def __init__(self, events: Events, place: Place, since: str | None) -> None:
        self._events = events
        self._place = place
        if since is None:
            # Events found now happened before the feed began.
            with suppress(CapcliError):
                events.read_new(place)
        self._number = events.number(place, since)
        self.problems: list[str] = []
        self.failure: CapcliError | None = None

    @property
    def account_id(self) -> str:
        return self._place[2]

    def poll(self) -> tuple[EventRow, ...]:
        """Return what is new; `problems` and `failure` say what was not read. Raises JournalUnreadable."""
        self.problems, self.failure = [], None
        try:
            self.problems = self._events.read_new(self._place)
        except CapcliError as error:
            self.failure = error
        rows, self._number = self._events.after(self._place, self._number)
        return rows


def _fired(
    waiting: Sequence[StoredAlert], bids: Mapping[str, Decimal], account: AccountLevels
) -> list[Keyed]:
    """Return the stored alerts that are reached."""
    events = list[Keyed]()
    for one in waiting:
        level = one.level
        if level.epic and level.epic not in bids:
            continue
        value = level.value(bids[level.epic]) if level.epic else account.value(level.measure)
        if level.is_met(value):
            fact = Happened(
                EventKind.ALERT,
                account.at,
                epic=level.epic or None,
                level=bids.get(level.epic),
                alert_id=str(one.number),
                detail=level.reached(value),
            )
            events.append((f"alert {one.number}", fact))
    return events


def _check_form(cursor: str) -> None:
    if not fullmatch(_CURSOR, cursor):
        raise UsageError(
            f"{cursor[:40]!a} is not a cursor. One looks like 0123abcd-0000000042: the `cursor` of an event.",
            next=_NEXT,
        )


def _differs(old: _Looked, new: _Looked) -> bool:
    """Whether the state must be saved now: a new read position alone can wait."""
    if new.read_to is None or old.read_to is None:
        return new.read_to is not None
    if new.read_to - old.read_to >= _KEEP_EVERY or not new.deals.keys() <= old.deals.keys():
        return True
    before, after = ((one.halted, one.resumed_at, one.margin, one.falls) for one in (old, new))
    return before != after

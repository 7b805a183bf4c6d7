"""A stream as lines: one JSON document or one CSV row an event. Lean, for ten thousand ticks a second."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from capcli.domain.market import MarketStatus
from capcli.domain.stream import Disconnected, Quiet, StreamBar, StreamEvent, StreamGap, Tick
from capcli.errors import UsageError
from capcli.marketdata.alerts import Fired
from capcli.marketdata.live_book import LiveBook, LivePosition
from capcli.render.envelope import encode, heading, plain

TICK_FIELDS = ("epic", "bid", "offer", "at", "received_at")
BOOK_FIELDS = ("at", *LivePosition.__struct_fields__)


class Clockface:
    """Formats milliseconds as ISO 8601 UTC, caching the last second."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def __call__(self, at_ms: int) -> str:
        second, rest = divmod(at_ms, 1000)
        if second != self._second:
            self._second, self._text = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._text}.{rest:03d}Z"


class JsonLines:
    """Events as envelopes, one a line; `only` keeps these fields of a tick, or of each position."""

    def __init__(self, command: str, env: str, account_id: str | None, only: tuple[str, ...] = ()) -> None:
        check_names(only, (*TICK_FIELDS, *BOOK_FIELDS))
        self._head = encode(heading(command, env, account_id)).decode()[:-1] + ',"data":'
        self._only = only
        self._at, self._received = Clockface(), Clockface()

    def ticks(self, ticks: Iterable[Tick]) -> str:
        """Write ticks, each on a line of its own."""
        if self._only:
            known = (tick_row(tick, self._at) for tick in ticks)
            return "".join(self.event("tick", {name: row[name] for name in self._only}) for row in known)
        head, at, received = self._head + '{"event":"tick","epic":"', self._at, self._received
        return "".join(
            f'{head}{tick.epic}","bid":{tick.bid:f},"offer":{tick.offer:f},"at":"{at(tick.at_ms)}",'
            f'"received_at":"{received(tick.received_ms)}"}}}}\n'
            for tick in ticks
        )

    def event(self, name: str, facts: Mapping[str, Any]) -> str:
        """Write another event."""
        return f"{self._head}{encode({'event': name, **plain(facts)}).decode()}}}\n"

    def told(self, event: StreamEvent | Quiet) -> str:
        """Write an event other than a tick."""
        name, facts = facts_of(event, self._at)
        return self.event(name, facts)

    def book(self, book: LiveBook) -> str:
        """Write the positions at one instant."""
        rows = [plain(row) for row in book.positions]
        if self._only:
            rows = [{name: row[name] for name in self._only if name in row} for row in rows]
        facts = {
            "positions": rows,
            "totals": book.totals,
            "opened": book.opened,
            "closed": book.closed,
            "reread": book.reread,
            "unreadable": [plain(row) for row in book.unreadable],
            "at": self._at(book.at_ms),
        }
        return self.event("portfolio", facts)

    def fired(self, fired: Fired, waiting: int, at: str) -> str:
        """Write a reached level; `waiting`: how many are left."""
        level = fired.level
        facts = {
            "measure": level.measure,
            **({"epic": level.epic} if level.epic else {}),
            "way": level.way,
            "level": level.price,
            "value": fired.value,
            **(tick_row(fired.tick, self._at) if fired.tick else {"at": at}),
            "waiting": waiting,
        }
        return self.event("fired", facts)


class CsvLines:
    """Rows of RFC 4180 under a header: ticks, or positions."""

    def __init__(self, names: Sequence[str], only: tuple[str, ...] = ()) -> None:
        check_names(only, names)
        self._names = only or tuple(names)
        self._at = Clockface()
        self.header = ",".join(self._names) + "\r\n"

    def ticks(self, ticks: Iterable[Tick]) -> str:
        return self._rows(tick_row(tick, self._at) for tick in ticks)

    def book(self, book: LiveBook) -> str:
        at = self._at(book.at_ms)
        return self._rows({"at": at, **plain(row)} for row in book.positions)

    def _rows(self, rows: Iterable[Mapping[str, Any]]) -> str:
        from capcli.render.text import csv_text

        return csv_text(rows, self._names, header=False)


def check_names(only: Sequence[str], known: Sequence[str]) -> None:
    """Raise UsageError for a field that the rows lack."""
    missing = [name for name in only if name not in known]
    if missing:
        raise UsageError(f"--fields: there is no field {', '.join(missing)}; there are: {', '.join(known)}.")


def tick_row(tick: Tick, at: Clockface) -> dict[str, Any]:
    """Return a tick under the names of its fields."""
    return {
        "epic": tick.epic,
        "bid": tick.bid,
        "offer": tick.offer,
        "at": at(tick.at_ms),
        "received_at": at(tick.received_ms),
    }


def facts_of(event: StreamEvent | Quiet, at: Clockface) -> tuple[str, dict[str, Any]]:
    """Return the name and fields of an event other than a tick."""
    if isinstance(event, StreamGap):
        return "gap", {"from": at(event.from_ms), "to": at(event.to_ms), "reason": event.reason}
    if isinstance(event, Disconnected):
        return "lost", {"at": at(event.at_ms), "reason": event.reason}
    if isinstance(event, Quiet):
        return "quiet", {"epic": event.epic, "market_status": event.status, "since": at(event.since_ms)}
    if isinstance(event, StreamBar):
        return "bar", {**event._asdict(), "at_ms": at(event.at_ms)}
    return "tick", tick_row(event, at)


def sentence(event: StreamEvent | Quiet) -> str:
    """Describe an event other than a tick."""
    at = Clockface()
    if isinstance(event, StreamGap):
        return (
            f"The stream is back. Ticks from {at(event.from_ms)} to {at(event.to_ms)} may be missing "
            f"({event.reason})."
        )
    if isinstance(event, Disconnected):
        return f"The stream broke off: {event.reason}. Connecting again."
    if isinstance(event, Quiet) and event.status is not MarketStatus.TRADEABLE:
        return f"{event.epic} is {event.status.lower()}: no ticks."
    if isinstance(event, Quiet):
        return f"{event.epic} is open, and no tick has come since {at(event.since_ms)}."
    return ""

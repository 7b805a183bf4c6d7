"""Events of the account: as a table, or one line each."""

from capcli.account.events import EventRow, EventsFound
from capcli.account.stored_alerts import AlertRow, AlertsChanged, AlertsFound
from capcli.domain.account_events import EventKind
from capcli.render.blocks import Cell, Column, Terminal, Tone, line, moment, printable, strong, table, written
from capcli.render.envelope import encode, heading, plain
from capcli.render.fields import field_names, narrowed
from capcli.render.views import View, view

_TONES = {
    EventKind.STOP_HIT: Tone.WARN,
    EventKind.REJECTED: Tone.BAD,
    EventKind.MARGIN_LOW: Tone.BAD,
    EventKind.APPROVAL_WAITS: Tone.WARN,
    EventKind.HALTED: Tone.BAD,
    EventKind.UNRESOLVED: Tone.BAD,
    EventKind.ALERT: Tone.STRONG,
}


def event_cell(row: EventRow) -> Cell:
    """Return an event as a cell."""
    again = " (again)" if row.repeat else ""
    return Cell(f"{row.text}{again}", _TONES.get(row.kind, Tone.PLAIN))


_EVENTS: tuple[Column[EventRow], ...] = (
    Column("Time (UTC)", lambda row: moment(row.at, mark="")),
    Column("Event", event_cell, prose=True),
    Column("Cursor", lambda row: Cell(row.cursor, Tone.DIM)),
)


@view.register
def _(data: EventsFound) -> View:
    return [
        table(_EVENTS, data.events) if data.events else line("Nothing happened."),
        line(f"There are more: capcli events --since {data.cursor}", Tone.DIM) if data.more else None,
        *(line(problem, Tone.WARN) for problem in data.problems),
    ]


def _alert_state(row: AlertRow) -> str:
    return "waits" if row.fired_at is None else f"fired {row.fired_at:%Y-%m-%d %H:%M:%S}Z"


_ALERTS: tuple[Column[AlertRow], ...] = (
    Column("No.", lambda row: strong(str(row.alert_id)), right=True),
    Column("Waits for", lambda row: row.waits_for, prose=True),
    Column("Added (UTC)", lambda row: moment(row.created_at, mark="")),
    Column("State", _alert_state),
)


@view.register
def _(data: AlertsFound) -> View:
    if not data.alerts:
        return [line("No alerts are stored."), line("capcli alert add stores one.", Tone.DIM)]
    return [table(_ALERTS, data.alerts)]


@view.register
def _(data: AlertsChanged) -> View:
    alerts = table(_ALERTS, data.alerts) if data.alerts else None
    return [alerts, line(data.sentence, Tone.STRONG)]


def event_line(row: EventRow, screen: Terminal) -> str:
    """Return an event as one line for a terminal."""
    return f"{written(moment(row.at), screen)}  {printable(event_cell(row).text, screen)}\n"


class EventLines:
    """Events as envelopes, one a line; `only` keeps these fields."""

    def __init__(self, command: str, env: str, account_id: str, only: tuple[str, ...] = ()) -> None:
        self._head = heading(command, env, account_id)
        self._only = only

    def whole(self, row: EventRow) -> bytes:
        """Write an event with all its fields, for a program."""
        return encode({**self._head, "data": plain(row)}) + b"\n"

    def written(self, row: EventRow) -> str:
        data = narrowed(plain(row), self._only) if self._only else plain(row)
        return encode({**self._head, "data": data}).decode() + "\n"


def csv_line(row: EventRow | None, only: tuple[str, ...] = ()) -> str:
    """Write an event as RFC 4180; without one the header."""
    from capcli.render.text import csv_text

    rows = [] if row is None else [plain(row)]
    return csv_text(rows, only or field_names(EventsFound), header=row is None)

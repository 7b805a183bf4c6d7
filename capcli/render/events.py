"""What happened on the account: as a table, or a line each as it comes."""

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from capcli.account.events import EventRow, EventsFound
from capcli.account.stored_alerts import AlertRow, AlertsChanged, AlertsFound
from capcli.domain.account_events import EventKind
from capcli.render.blocks import Block, Cell, Column, Line, Table, Terminal, Tone, moment, shown, written
from capcli.render.envelope import SCHEMA, encode, plain
from capcli.render.fields import field_names, narrowed

_TONES = {
    EventKind.STOP_HIT: Tone.WARN,
    EventKind.REJECTED: Tone.BAD,
    EventKind.MARGIN_LOW: Tone.BAD,
    EventKind.APPROVAL_WAITS: Tone.WARN,
    EventKind.HALTED: Tone.BAD,
    EventKind.UNRESOLVED: Tone.BAD,
    EventKind.ALERT: Tone.STRONG,
}
_COLUMNS = (Column("Time (UTC)"), Column("Event", prose=True), Column("Cursor"))


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: EventsFound) -> list[Block]:
    rows = tuple((moment(row.at, mark=""), said(row), Cell(row.cursor, Tone.DIM)) for row in data.events)
    blocks: list[Block] = [Table(_COLUMNS, rows)] if rows else [Line(Cell("Nothing happened."))]
    if data.more:
        go_on = f"There are more: capcli events --since {data.cursor}"
        blocks.append(Line(Cell(go_on, Tone.DIM)))
    return [*blocks, *(Line(Cell(problem, Tone.WARN)) for problem in data.problems)]


_ALERTS = (Column("No.", right=True), Column("Waits for", prose=True), Column("Added (UTC)"), Column("State"))


@view.register
def _(data: AlertsFound) -> list[Block]:
    if not data.alerts:
        return [Line(Cell("No alerts are stored.")), Line(Cell("capcli alert add stores one.", Tone.DIM))]
    return [Table(_ALERTS, tuple(map(_alert, data.alerts)))]


@view.register
def _(data: AlertsChanged) -> list[Block]:
    sentence = Line(Cell(data.sentence, Tone.STRONG))
    return [Table(_ALERTS, tuple(map(_alert, data.alerts))), sentence] if data.alerts else [sentence]


def _alert(row: AlertRow) -> tuple[Cell, ...]:
    fired = "" if row.fired_at is None else f"fired {row.fired_at:%Y-%m-%d %H:%M:%S}Z"
    number = Cell(str(row.alert_id), Tone.STRONG)
    return number, Cell(row.waits_for), moment(row.created_at, mark=""), Cell(fired or "waits")


def said(row: EventRow) -> Cell:
    """Return an event as a cell."""
    again = " (again)" if row.repeat else ""
    return Cell(f"{row.text}{again}", _TONES.get(row.kind, Tone.PLAIN))


def line(row: EventRow, look: Terminal) -> str:
    """Return an event as one line for a terminal."""
    return f"{written(moment(row.at), look)}  {shown(said(row).text, look)}\n"


class EventLines:
    """Events as envelopes, one a line; `only` keeps these fields."""

    def __init__(self, command: str, env: str, account_id: str, only: tuple[str, ...] = ()) -> None:
        self._head = {"ok": True, "schema": SCHEMA, "command": command, "env": env, "account_id": account_id}
        self._only = only

    def whole(self, row: EventRow) -> bytes:
        """Write an event with all of its fields, for a program."""
        return encode({**self._head, "data": plain(row)}) + b"\n"

    def written(self, row: EventRow) -> str:
        data = plain(row)
        return (
            encode({**self._head, "data": narrowed(data, self._only) if self._only else data}).decode() + "\n"
        )


def csv_lines(rows: Iterable[EventRow], only: tuple[str, ...] = ()) -> str:
    """Write a header and the rows as RFC 4180."""
    from capcli.render.text import csv_text

    return csv_text((plain(row) for row in rows), only or field_names(EventsFound))

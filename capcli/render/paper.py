"""The paper broker's state, and recordings of the real one."""

from functools import singledispatch
from typing import Any

from capcli.domain.money import short
from capcli.health.recording import Recorded, RecordingChecked
from capcli.paper.state import PaperFault, PaperFaults, PaperReplay, PaperStatus
from capcli.render.blocks import Block, Cell, Column, Line, Pairs, Table, Tone
from capcli.render.numbers import money


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise NotImplementedError(type(data).__name__)


@view.register
def _(data: Recorded) -> list[Block]:
    columns = (Column("Request"), Column("Status", right=True))
    rows = tuple((Cell(one.request), Cell(str(one.status))) for one in data.requests)
    return [Line(Cell(f"Written: {data.file}", Tone.STRONG)), Table(columns, rows)]


@view.register
def _(data: RecordingChecked) -> list[Block]:
    said = Line(Cell(data.sentence, Tone.STRONG))
    if not data.differences:
        return [said]
    columns = (
        Column("Request"),
        Column("Field"),
        Column("Recorded", prose=True),
        Column("Expected", prose=True),
    )
    rows = tuple(
        tuple(map(Cell, (one.request, one.field or "all of it", one.recorded, one.expected)))
        for one in data.differences
    )
    return [said, Table(columns, rows)]


@view.register
def _(data: PaperStatus) -> list[Block]:
    rows = [
        ("Market time", Cell(f"{data.market_time:%Y-%m-%d %H:%M:%S}Z")),
        ("Seed", Cell(data.seed)),
        ("Started", Cell(f"{data.started:%Y-%m-%d %H:%M:%S}Z")),
        ("Speed", Cell(f"{short(data.speed)}x")),
        ("Ticks", Cell("as traded" if data.ticks is None else f"{data.ticks} a second")),
        ("Request limits", Cell("on" if data.limits else "off")),
        ("Hours", Cell("real" if data.real_hours else "SILVER, GOLD and EURUSD around the clock")),
        *[("Own markets", Cell(", ".join(data.own_markets)))] * bool(data.own_markets),
        ("Open positions", Cell(str(data.open_positions))),
        ("Working orders", Cell(str(data.working_orders))),
        ("Deals closed", Cell(str(data.deals_closed))),
        ("Faults set", Cell(str(data.faults), Tone.WARN if data.faults else Tone.PLAIN)),
        ("File", Cell(str(data.path))),
    ]
    columns = (Column("Account"), Column("Name"), Column("Cash", right=True))
    accounts = tuple(
        (Cell(account.account_id), Cell(account.name), Cell(money(account.cash, account.currency)))
        for account in data.accounts
    )
    return [*_settled(data.settled), Pairs(tuple(rows)), Table(columns, accounts), *_replays(data.replays)]


def _replays(replays: tuple[PaperReplay, ...]) -> list[Block]:
    if not replays:
        return []
    names = ("Replay", "File", "Resolution", "First", "Until", "Bars", "Rounded")
    columns = tuple(Column(name, right=name in {"Bars", "Rounded"}) for name in names)
    return [Table(columns, tuple(map(_replay, replays)))]


def _replay(replay: PaperReplay) -> tuple[Cell, ...]:
    first, until = (f"{instant:%Y-%m-%d %H:%M:%S}Z" for instant in (replay.first, replay.until))
    numbers = (str(replay.bars), str(replay.rounded))
    return tuple(map(Cell, (replay.epic, replay.source, replay.resolution, first, until, *numbers)))


def _settled(attempts: tuple[str, ...]) -> list[Block]:
    if not attempts:
        return []
    text = f"Settled in the journal, since the reset broker no longer has them: {', '.join(attempts)}."
    return [Line(Cell(text, Tone.STRONG))]


@view.register
def _(data: PaperFaults) -> list[Block]:
    if not data.faults:
        return [Line(Cell("No faults are set. capcli paper faults set --help lists them."))]
    columns = (Column("Fault"), Column("On"), Column("Value"), Column("Until"), Column("Effect", prose=True))
    return [Table(columns, tuple(map(_fault, data.faults)))]


def _fault(fault: PaperFault) -> tuple[Cell, ...]:
    words = (fault.name, fault.on, fault.value or "", _until(fault), fault.effect)
    return tuple(map(Cell, words))


def _until(fault: PaperFault) -> str:
    """Write what ends a fault; whatever comes first does."""
    ends = []
    if fault.times is not None:
        ends.append("1 more request" if fault.times == 1 else f"{fault.times} more requests")
    if fault.until is not None:
        ends.append(f"{fault.until:%Y-%m-%d %H:%M:%S}Z")
    return " or ".join(ends) or "cleared"

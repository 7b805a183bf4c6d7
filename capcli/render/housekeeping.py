"""Health, the halt, settings, places and help topics."""

from functools import singledispatch
from typing import Any

from capcli.domain.approval import ApprovalState
from capcli.health.service import HealthCheck, HealthReport, HealthStatus
from capcli.render.blocks import Block, Cell, Column, Line, Page, Pairs, Table, Tone
from capcli.render.results import Places, SettingChanged, SettingsFound, SettingShown, SupportReport, Topic
from capcli.safety.approval import ApprovalRow, ApprovalsFound, Decision
from capcli.safety.approval_text import one_line
from capcli.safety.halt import HaltShown

_MARKS = {
    HealthStatus.OK: Cell("✓", Tone.GOOD),
    HealthStatus.WARNING: Cell("warning", Tone.WARN),
    HealthStatus.FAILED: Cell("✗", Tone.BAD),
    HealthStatus.SKIPPED: Cell("skipped", Tone.DIM),
}


@singledispatch
def view(data: Any) -> list[Block]:
    """Return the blocks of a result."""
    raise TypeError(type(data).__name__)


@view.register
def _(data: HealthReport) -> list[Block]:
    columns = (Column(""), Column("Check"), Column("Finding", prose=True), Column("Fix", prose=True))
    bad = [check for check in data.checks if check.status is HealthStatus.FAILED]
    warnings = sum(check.status is HealthStatus.WARNING for check in data.checks)
    if bad:
        verdict = Cell(f"{_counted(len(bad), 'check')} failed.", Tone.BAD)
    elif warnings:
        verdict = Cell(f"Healthy, with {_counted(warnings, 'warning')}.", Tone.WARN)
    else:
        verdict = Cell("Healthy.", Tone.GOOD)
    return [Table(columns, tuple(_check(check) for check in data.checks)), Line(verdict)]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _check(check: HealthCheck) -> tuple[Cell, ...]:
    fix = Cell(check.fix or "", Tone.STRONG)
    return _MARKS[check.status], Cell(check.name), Cell(check.message), fix


@view.register
def _(data: HaltShown) -> list[Block]:
    return [Line(Cell(data.sentence, Tone.BAD if data.halted else Tone.GOOD))]


@view.register
def _(data: ApprovalsFound) -> list[Block]:
    who = "a person approves each order" if data.mode == "human" else "confirming an order is enough"
    mode = Line(Cell(f"Approval is {data.mode}: {who}.", Tone.DIM))
    if not data.approvals:
        return [Line(Cell("No request is waiting.")), mode]
    columns = (Column("Asked"), Column("Until"), Column("State"), Column("What", prose=True))
    table = Table(columns, tuple(_approval(row) for row in data.approvals))
    how = (
        "capcli approve --watch shows each in full and takes y or n. Or capcli approve CODE, with the code "
        "from the answer that the assistant or the script got."
    )
    return [table, Line(Cell(how)), mode]


def _approval(row: ApprovalRow) -> tuple[Cell, ...]:
    waits = row.state is ApprovalState.PENDING
    state = Cell("waits", Tone.WARN) if waits else Cell("approved, not sent yet", Tone.GOOD)
    asked, until = f"{row.asked_at:%H:%M:%S}Z", f"{row.expires_at:%H:%M:%S}Z"
    return Cell(asked), Cell(until), state, Cell(one_line(row.text))


@view.register
def _(data: Decision) -> list[Block]:
    lines: list[Block] = [Line(Cell(data.sentence, Tone.STRONG))]
    return [*lines, Line(Cell(f"next: {data.next}"))] if data.next else lines


@view.register
def _(data: SettingsFound) -> list[Block]:
    columns = (
        Column("Setting"),
        Column("Value"),
        Column("From", prose=True),
        Column("What it does", prose=True),
    )
    rows = tuple(
        (Cell(row.name), Cell(row.value, _source_tone(row.source)), Cell(row.source), Cell(row.description))
        for row in data.settings
    )
    return [Line(Cell(f"profile {data.profile}", Tone.DIM)), Table(columns, rows)]


def _source_tone(source: str) -> Tone:
    return Tone.PLAIN if source.startswith("default") else Tone.STRONG


@view.register
def _(data: SettingShown) -> list[Block]:
    rows = (
        ("Setting", Cell(data.name)),
        ("Value", Cell(data.value, Tone.STRONG)),
        ("From", Cell(data.source)),
        ("Allowed", Cell(data.allowed)),
        ("What it does", Cell(data.description)),
    )
    return [Pairs(rows)]


@view.register
def _(data: SettingChanged) -> list[Block]:
    rows = (
        ("Before", Cell(data.old or "not set", Tone.DIM)),
        ("Now", Cell(data.new or "not set", Tone.STRONG)),
        ("Profile", Cell(data.profile)),
        ("File", Cell(str(data.config_file))),
    )
    return [Line(Cell(data.sentence, Tone.STRONG)), Pairs(rows)]


@view.register
def _(data: Places) -> list[Block]:
    rows = (
        ("config.toml", Cell(str(data.config_file))),
        ("journal", Cell(str(data.journal))),
        ("paper broker", Cell(str(data.paper))),
        ("locks", Cell(str(data.locks))),
        ("cache", Cell(str(data.cache))),
    )
    return [Pairs(rows)]


@view.register
def _(data: Topic) -> list[Block]:
    return [Page(data.text)]


@view.register
def _(data: SupportReport) -> list[Block]:
    return [Page(data.report)]

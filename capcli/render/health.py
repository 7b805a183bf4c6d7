"""Health, and the recordings of the broker's answers."""

from capcli.domain.numbers import counted
from capcli.health.recording import Difference, Recorded, RecordedRequest, RecordingChecked
from capcli.health.service import HealthCheck, HealthReport, HealthStatus
from capcli.render.blocks import Cell, Column, Tone, line, strong, table
from capcli.render.views import View, view

_MARKS = {
    HealthStatus.OK: Cell("✓", Tone.GOOD),
    HealthStatus.WARNING: Cell("warning", Tone.WARN),
    HealthStatus.FAILED: Cell("✗", Tone.BAD),
    HealthStatus.SKIPPED: Cell("skipped", Tone.DIM),
}
_CHECKS: tuple[Column[HealthCheck], ...] = (
    Column("", lambda row: _MARKS[row.status]),
    Column("Check", lambda row: row.name),
    Column("Finding", lambda row: row.message, prose=True),
    Column("Fix", lambda row: strong(row.fix or ""), prose=True),
)


@view.register
def _(data: HealthReport) -> View:
    failed = sum(check.status is HealthStatus.FAILED for check in data.checks)
    warnings = sum(check.status is HealthStatus.WARNING for check in data.checks)
    if failed:
        verdict = line(f"{counted(failed, 'check')} failed.", Tone.BAD)
    elif warnings:
        verdict = line(f"Healthy, with {counted(warnings, 'warning')}.", Tone.WARN)
    else:
        verdict = line("Healthy.", Tone.GOOD)
    return [table(_CHECKS, data.checks), verdict]


_REQUESTS: tuple[Column[RecordedRequest], ...] = (
    Column("Request", lambda row: row.request),
    Column("Status", lambda row: str(row.status), right=True),
)
_DIFFERENCES: tuple[Column[Difference], ...] = (
    Column("Request", lambda row: row.request),
    Column("Field", lambda row: row.field or "all of it"),
    Column("Recorded", lambda row: row.recorded, prose=True),
    Column("Expected", lambda row: row.expected, prose=True),
)


@view.register
def _(data: Recorded) -> View:
    return [line(f"Written: {data.file}", Tone.STRONG), table(_REQUESTS, data.requests)]


@view.register
def _(data: RecordingChecked) -> View:
    differences = table(_DIFFERENCES, data.differences) if data.differences else None
    return [line(data.sentence, Tone.STRONG), differences]

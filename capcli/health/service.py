"""Why does it not work? A registry of probes, each with its result and the exact fix. Never trades."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from capcli.errors import CapcliError, Problem, ReadTimeout
from capcli.fanout import bounded
from capcli.reply import Reply

WITHIN_S = 60.0
# Checks of this computer alone still run when time is up.
_LEAST_S = 0.5


class HealthStatus(StrEnum):
    """A check's status. A skipped check depends on one that failed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class ProbeResult(Struct, frozen=True):
    """The result of a probe that was not stopped by an error."""

    message: str
    fix: str | None = None
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """One check: its name, its function, and the checks it depends on."""

    name: str
    run: Callable[[], ProbeResult]
    needs: tuple[str, ...] = ()


class HealthCheck(Struct, frozen=True):
    """One check's outcome; `code` is the error's stable code when it failed."""

    name: str
    status: HealthStatus
    message: str
    fix: str | None
    code: str | None


class HealthReport(Struct, frozen=True):
    """All checks, and whether none failed."""

    healthy: bool
    checks: tuple[HealthCheck, ...]


class Health:
    """Runs the probes in order."""

    def __init__(
        self,
        probes: tuple[Probe, ...],
        account_id: Callable[[], str | None],
        monotonic: Callable[[], float],
    ) -> None:
        self._probes = probes
        self._account_id = account_id
        self._monotonic = monotonic

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(probe.name for probe in self._probes)

    def run(self, only: tuple[str, ...] = (), *, within_s: float = WITHIN_S) -> Reply[HealthReport]:
        """Run the probes (with `only`, those and what they need). The first failure gives the exit code.

        Checks not done `within_s` seconds after the start fail.
        """
        wanted = {name for name in only if name in self.names} if only else set(self.names)
        # What a probe needs comes before it.
        for probe in reversed(self._probes):
            wanted |= set(probe.needs) if probe.name in wanted else set()
        checks: list[HealthCheck] = []
        first: CapcliError | None = None
        end = self._monotonic() + within_s
        for probe in self._probes:
            if probe.name in wanted:
                check, error = _check(probe, checks, max(end - self._monotonic(), _LEAST_S), within_s)
                checks.append(check)
                first = first or error
        report = HealthReport(first is None, tuple(checks))
        return Reply(report, self._account_id(), _unhealthy(report, first))


def settings_failed(error: CapcliError) -> Reply[HealthReport]:
    """Return the report for unreadable settings, which all other checks depend on."""
    check = HealthCheck("settings", HealthStatus.FAILED, error.message, error.next, error.code)
    report = HealthReport(healthy=False, checks=(check,))
    return Reply(report, None, _unhealthy(report, error))


def _check(
    probe: Probe, before: list[HealthCheck], wait_s: float, within_s: float
) -> tuple[HealthCheck, CapcliError | None]:
    failed = {HealthStatus.FAILED, HealthStatus.SKIPPED}
    broken = [check.name for check in before if check.name in probe.needs and check.status in failed]
    if broken:
        return HealthCheck(probe.name, HealthStatus.SKIPPED, f"needs {', '.join(broken)}", None, None), None
    try:
        found = bounded(probe.run, wait_s=wait_s)
    except TimeoutError:
        error: CapcliError = ReadTimeout(
            f"Server not responding: {probe.name} did not finish within {within_s:g} s after the first"
            f" check began.",
            next=f"capcli health --only {probe.name}",
        )
    except CapcliError as stopped:
        error = stopped
    else:
        status = HealthStatus.WARNING if found.warning else HealthStatus.OK
        return HealthCheck(probe.name, status, found.message, found.fix, None), None
    # The fix in the error's own words, else its next command, unless that is `health` itself.
    fix = error.details.get("fix") or (None if error.next == "capcli health" else error.next)
    return HealthCheck(probe.name, HealthStatus.FAILED, error.message, fix, error.code), error


def _unhealthy(report: HealthReport, error: CapcliError | None) -> Problem | None:
    if error is None:
        return None
    failed = [check.name for check in report.checks if check.status is HealthStatus.FAILED]
    return Problem(
        code=error.code,
        why=error.message,
        exit_code=int(error.exit_code),
        next=error.next,
        retry_safe=True,
        details={"failed": failed},
    )

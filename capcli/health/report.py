"""The health report for a support request: Markdown without secrets, account ids and home folders."""

import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from capcli import __version__
from capcli.assistants.reading import configs
from capcli.errors import Problem
from capcli.health.service import HealthReport

if TYPE_CHECKING:
    from capcli.app import App

_LIBRARIES = ("typer", "httpx", "msgspec", "keyring", "fastmcp", "mcp", "pydantic", "websockets")
_SECRETS = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
_SHORTEST_SECRET = 4
_ACCOUNT = re.compile(r"\b\d{6,}(?=\d{4}\b)")
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")


def markdown(
    report: HealthReport, problem: Problem | None, environ: Mapping[str, str], app: "App | None"
) -> str:
    """Return the report; `app` is None where the settings cannot be read."""
    lines = (
        "# capcli health report",
        "",
        *_versions(),
        *_place(app),
        "",
        "## Assistants",
        "",
        *_assistants(environ),
        "",
        "## Settings that are not the default",
        "",
        *_settings(app),
        "",
        "## Checks",
        "",
        *_checks(report),
        "",
        "## Error",
        "",
        *_error(problem),
        "",
    )
    return redacted("\n".join(lines), environ)


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """Take credentials, e-mail addresses, account ids and the user's home folder out of text."""
    for name in _SECRETS:
        secret = environ.get(name, "").strip()
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    for name in ("HOME", "USERPROFILE"):
        home = environ.get(name, "").rstrip("/\\")
        if home:
            text = text.replace(home, "~")
    return _EMAIL.sub("***@***", _ACCOUNT.sub("…", text))


def _versions() -> Iterator[str]:
    yield f"- capcli {__version__}, Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"- {platform.platform()}"
    yield f"- {', '.join(f'{name} {_installed(name)}' for name in _LIBRARIES)}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _place(app: "App | None") -> Iterator[str]:
    if app is None:
        yield "- environment unknown: the settings cannot be read"
        return
    settings = app.settings
    yield f"- env {app.env} ({settings.env_source}), profile {settings.profile}, host {app.host}"
    yield f"- session: {app.session_place}"


def _assistants(environ: Mapping[str, str]) -> Iterator[str]:
    found = configs(environ)
    for config in found:
        state = config.broken or ", ".join(
            f"server {entry.name}: `{' '.join((entry.command or 'no command', *entry.args))}`"
            for entry in config.entries
        )
        yield f"- {config.assistant.title}, {config.file}: {state}"
    if not found:
        yield "none has a config that names capcli"


def _settings(app: "App | None") -> Iterator[str]:
    rows = [row for row in (app.settings.rows if app else ()) if _is_chosen(row.source, row.value)]
    for row in rows:
        yield f"- {row.name} = {row.value} ({row.source})"
    if not rows:
        yield "none"


def _is_chosen(source: str, value: str) -> bool:
    return not source.startswith("default") and value != "not set"


def _checks(report: HealthReport) -> Iterator[str]:
    yield "| check | status | finding | fix |"
    yield "|---|---|---|---|"
    for check in report.checks:
        cells = (check.name, check.status.value, check.message, check.fix or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _error(problem: Problem | None) -> Iterator[str]:
    if problem is None:
        yield "none"
        return
    yield f"- code {problem.code}, exit {problem.exit_code}"
    yield f"- {problem.message}"
    yield f"- next: {problem.next}"
    for name, value in problem.details.items():
        yield f"- {name}: {value}"

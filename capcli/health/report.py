"""The health report for a support request: Markdown without secrets, account ids and home folders."""

import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from capcli import __version__
from capcli.assistants.reading import Entry, configs
from capcli.credential_names import CREDENTIALS
from capcli.errors import Problem
from capcli.health.service import HealthReport

if TYPE_CHECKING:
    from capcli.app import App

_LIBRARIES = ("typer", "httpx", "msgspec", "keyring", "fastmcp", "mcp", "pydantic", "websockets")
_SHORTEST_SECRET = 4
_ACCOUNT = re.compile(r"\b\d{6,}(?=\d{4}\b)")
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")


def markdown(
    report: HealthReport, problem: Problem | None, environ: Mapping[str, str], app: "App | None"
) -> str:
    """Return the report; `app` is None where the settings cannot be read."""
    place = ["- environment unknown: the settings cannot be read"]
    if app is not None:
        origin, profile = app.settings.env_source, app.settings.profile
        place = [f"- env {app.env} ({origin}), profile {profile}, host {app.host}"]
        place.append(f"- session: {app.logins.cache.describe()}")
    assistants = [
        f"- {config.assistant.title}, {config.file}: "
        + (config.broken or ", ".join(f"server {one.name}: `{_command(one)}`" for one in config.entries))
        for config in configs(environ)
    ]
    settings = [
        f"- {row.name} = {row.value} ({row.source})"
        for row in (app.settings.rows if app else ())
        if row.is_set
    ]
    error = [] if problem is None else [f"- code {problem.code}, exit {problem.exit_code}"]
    if problem is not None:
        error += [f"- {problem.message}", f"- next: {problem.next}"]
        error += [f"- {name}: {value}" for name, value in problem.details.items()]
    checks = ["| check | status | finding | fix |", "|---|---|---|---|"]
    for check in report.checks:
        cells = (check.name, check.status.value, check.message, check.fix or "")
        checks.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines = [
        "# capcli health report",
        "",
        f"- capcli {__version__}, Python {platform.python_version()} ({platform.python_implementation()})",
        f"- {platform.platform()}",
        f"- {', '.join(f'{name} {_installed(name)}' for name in _LIBRARIES)}",
        *place,
        "",
    ]
    for title, rows in (
        ("Assistants", assistants or ["none has a config that names capcli"]),
        ("Settings that are not the default", settings or ["none"]),
        ("Checks", checks),
        ("Error", error or ["none"]),
    ):
        lines += [f"## {title}", "", *rows, ""]
    return redacted("\n".join(lines), environ)


def _command(entry: Entry) -> str:
    return " ".join((entry.command or "no command", *entry.args))


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """Take credentials, e-mail addresses, account ids and the user's home folder out of text."""
    for name in CREDENTIALS:
        secret = environ.get(name, "").strip()
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    for name in ("HOME", "USERPROFILE"):
        home = environ.get(name, "").rstrip("/\\")
        if home:
            text = text.replace(home, "~")
    return _EMAIL.sub("***@***", _ACCOUNT.sub("…", text))


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"

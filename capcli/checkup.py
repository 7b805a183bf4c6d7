"""The health checks of this build: what each one looks at. Later capabilities add theirs to `probes`."""

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from capcli.errors import StateFolderUnusable
from capcli.services.health import Finding, Probe
from capcli.system import private_folder

if TYPE_CHECKING:
    from capcli.app import App

_CLOCK_SLACK = timedelta(seconds=5)
_LEAST_FREE_BYTES = 50_000_000
_MOST_ATTEMPTS = 1000


def probes(app: "App") -> tuple[Probe, ...]:
    """Return the checks in the order in which they are run; none of them trades or prompts."""
    return (
        Probe("settings", lambda: _settings(app)),
        Probe("state_folder", lambda: _state_folder(app)),
        Probe("journal", lambda: _journal(app), needs=("state_folder",)),
        Probe("credentials", lambda: _credentials(app)),
        Probe("broker_clock", lambda: _clock(app), needs=("credentials",)),
        Probe("login", lambda: _login(app), needs=("credentials", "broker_clock")),
        Probe("account", lambda: _account(app), needs=("login",)),
        Probe("market_data", lambda: _market_data(app), needs=("login",)),
        Probe("trading", lambda: _trading(app)),
        Probe("unresolved", lambda: _unresolved(app), needs=("journal", "account")),
    )


def _settings(app: "App") -> Finding:
    settings = app.settings
    return Finding(f"env {app.env} ({settings.env_source}), profile {settings.profile}")


def _state_folder(app: "App") -> Finding:
    folder = private_folder(app.folders.state)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StateFolderUnusable(f"{folder} cannot be looked at: {error.strerror}") from error
    if free < _LEAST_FREE_BYTES:
        return Finding(f"{folder} has {free // 1_000_000} MB left", "free some disk space", warning=True)
    return Finding(f"{folder} is private and writable")


def _journal(app: "App") -> Finding:
    previews = app.journal.previews(app.env, limit=1)
    return Finding("readable" + (f", last preview {previews[0].preview_id}" if previews else ", empty"))


def _credentials(app: "App") -> Finding:
    found = app.credentials.describe()
    return Finding(found.source if found.api_key is None else f"{found.source}, key {found.api_key}")


def _clock(app: "App") -> Finding:
    theirs = app.broker.server_time()
    ahead = app.clock() - theirs
    seconds = f"{ahead.total_seconds():+.1f} s"
    if app.env != "paper" and abs(ahead) > _CLOCK_SLACK:
        return Finding(f"this machine's clock is {seconds} from the broker's", "set the clock", warning=True)
    return Finding(f"{app.broker.host} answers; clock {seconds}")


def _login(app: "App") -> Finding:
    session = app.broker.login()
    return Finding(f"logged in as client {session.client_id}")


def _account(app: "App") -> Finding:
    session = app.broker.session()
    wanted = app.settings.account
    if wanted and session.account_id != wanted:
        return Finding(
            f"the session is on {session.account_id}, not on {wanted}",
            f"capcli accounts use {wanted}",
            warning=True,
        )
    return Finding(f"account {session.account_id} in {session.currency}")


def _market_data(app: "App") -> Finding:
    found = app.markets.search("gold", limit=1).data
    if not found.markets:
        return Finding("a search for gold found no market", "capcli markets search silver", warning=True)
    row = found.markets[0]
    return Finding(f"{row.epic} {row.bid}/{row.offer} {row.status.value}")


def _trading(app: "App") -> Finding:
    if app.env == "live":
        return Finding(
            "locked: the go-live checklist is not complete", "capcli --env demo health", warning=True
        )
    if not app.settings.allow_trading:
        return Finding("off: CAP_ALLOW_TRADING is not true, so nothing can be sent")
    return Finding(f"on for {app.env}")


def _unresolved(app: "App") -> Finding:
    active, host = app.broker.account_id, app.broker.host
    found = [
        attempt
        for attempt in app.journal.attempts(app.env, limit=_MOST_ATTEMPTS)
        if attempt.host == host and attempt.state.unresolved
    ]
    if not found:
        return Finding("no attempt is unresolved")
    found.reverse()
    ids = ", ".join(
        attempt.attempt_id + ("" if attempt.account_id == active else f" (account {attempt.account_id})")
        for attempt in found
    )
    here = any(attempt.account_id == active for attempt in found)
    # Without an id only the active account is settled.
    fix = "capcli reconcile" if here else f"capcli reconcile {found[0].attempt_id}"
    return Finding(f"unresolved: {ids}; new orders there are refused", fix, warning=True)

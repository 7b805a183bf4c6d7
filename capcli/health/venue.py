"""Checks at the broker: name and encryption, clock, login, account, market data."""

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from capcli.credentials.form import slips
from capcli.errors import CapcliError, EnvironmentMismatch, EpicUnknown, LoginRefused
from capcli.health.service import ProbeResult

if TYPE_CHECKING:
    from capcli.app import App

_OTHER = {"demo": "live", "live": "demo"}


def broker_clock(app: "App") -> ProbeResult:
    """Reach the host (name, connection, TLS) without credentials, and compare clocks."""
    theirs = app.broker.server_time()
    ahead = app.clock() - theirs
    seconds = f"{ahead.total_seconds():+.1f} s"
    if app.env != "paper" and abs(ahead) > timedelta(seconds=5):
        return ProbeResult(
            f"this computer's clock is {seconds} from the broker's", "set the clock", warning=True
        )
    proxy = app.broker.proxy
    way = f" through the proxy {proxy.shown}" if proxy else ""
    return ProbeResult(f"{app.broker.host} answers{way}; clock {seconds}")


def login(app: "App") -> ProbeResult:
    try:
        session = app.broker.login()
    except LoginRefused as refusal:
        raise _explained(app, refusal) from refusal
    return ProbeResult(f"logged in as client {session.client_id}; session: {app.logins.cache.describe()}")


def _explained(app: "App", refusal: LoginRefused) -> CapcliError:
    """Try the credentials once on the other environment, and check them for slips."""
    tried = ""
    if app.settings.api_url is None and app.env in _OTHER:
        other = _OTHER[app.env]
        verdict = _tried_on(app, other)
        if verdict is None:
            return EnvironmentMismatch(
                f"Environment mismatch: {app.env} refused these credentials and {other} took them, so they"
                f" belong to {other}. They were tried there once; nothing else was sent.",
                next=f"capcli health --env {other}",
            )
        tried = f" Tried once on {other}: {verdict}."
    found = slips(app.credentials.load())
    looks = f" Check these: {'; '.join(found)}." if found else ""
    since = app.credentials.describe().key_stored_at
    worked = f" These credentials worked when they were stored on {since:%Y-%m-%d}." if since else ""
    return LoginRefused(f"{refusal.message}{tried}{looks}{worked}", next=refusal.next, **refusal.details)


def _tried_on(app: "App", other: str) -> str | None:
    """Log in and out on the other environment's host; None if it accepted the credentials."""
    broker = app.broker_of(other)
    try:
        broker.login(force=True)
        with suppress(CapcliError):
            broker.logout()
    except LoginRefused:
        return "refused there as well"
    except CapcliError as error:
        return f"no verdict there ({error.code})"
    finally:
        broker.close()
    return None


def account(app: "App") -> ProbeResult:
    session = app.broker.session()
    wanted = app.settings.account
    if wanted and session.account_id != wanted:
        return ProbeResult(
            f"the session is on {session.account_id}, not on {wanted}",
            f"capcli accounts use {wanted}",
            warning=True,
        )
    return ProbeResult(f"account {session.account_id} in {session.currency}")


def market_data(app: "App") -> ProbeResult:
    found = app.markets.search("gold", limit=1).data
    if not found.markets:
        return ProbeResult("a search for gold found no market", "capcli markets search silver", warning=True)
    row = found.markets[0]
    return ProbeResult(f"{row.epic} {row.bid}/{row.offer} {row.status.value}")


def allowed_epics(app: "App") -> ProbeResult:
    """Report epics of CAP_ALLOWED_EPICS that the broker does not have."""
    allowed = tuple(sorted(app.settings.allowed_epics or ()))
    if not allowed:
        return ProbeResult("every market is allowed")
    try:
        app.broker.all_details(allowed)
    except EpicUnknown:
        unknown = []
        for epic in allowed:
            try:
                app.broker.details(epic)
            except EpicUnknown:
                unknown.append(epic)
        return ProbeResult(
            f"CAP_ALLOWED_EPICS names {', '.join(unknown)}, which the broker does not have; epics are"
            " case-sensitive",
            f"capcli markets search {unknown[0].lower()}" if unknown else None,
            warning=True,
        )
    return ProbeResult(f"{', '.join(allowed)}: the broker has {'it' if len(allowed) == 1 else 'them all'}")

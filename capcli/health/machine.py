"""Checks of this computer: settings, files, keychain, credentials, what may be sent, what is unresolved."""

import shutil
import sys
from typing import TYPE_CHECKING

from capcli.domain.mandate import secret_hash
from capcli.errors import ConfigError, JournalAltered, StateFolderUnusable
from capcli.health.service import ProbeResult
from capcli.notify import desktop_command, find_program
from capcli.safeguards import mandate_secret
from capcli.system import private_folder

if TYPE_CHECKING:
    from capcli.app import App

_LEAST_FREE_BYTES = 50_000_000
_MOST_ATTEMPTS = 1000
_KEY_DAYS, _KEY_WARNS_DAYS = 365, 30
_OWN_DEFAULTS = "the official server's own limits (1.0, 1.0, 3 positions, 20 orders a day) do not apply here"


def settings(app: "App") -> ProbeResult:
    found = app.settings
    return ProbeResult(f"env {app.env} ({found.env_source}), profile {found.profile}")


def state_folder(app: "App") -> ProbeResult:
    import tempfile

    folder = private_folder(app.folders.state)
    try:
        # Permissions do not show a full or a read-only disk.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".health-", buffering=0) as file:
            file.write(b"capcli")
    except OSError as error:
        raise StateFolderUnusable(
            f"{folder} cannot be written to ({error.strerror or error}), so nothing can be recorded or sent."
            " Make it writable or free space there, or name another folder in CAPCLI_HOME.",
            next="capcli config path",
        ) from error
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StateFolderUnusable(f"{folder} cannot be read: {error.strerror}") from error
    if free < _LEAST_FREE_BYTES:
        return ProbeResult(f"{folder} has {free // 1_000_000} MB left", "free some disk space", warning=True)
    return ProbeResult(f"{folder} is private and writable")


def journal(app: "App") -> ProbeResult:
    app.journal.check()
    previews = app.journal.previews(app.env, limit=1)
    return ProbeResult(
        "whole and readable" + (f", last preview {previews[0].preview_id}" if previews else ", empty")
    )


def audit_trail(app: "App") -> ProbeResult:
    """Compare the journal with its event chain; the keychain is asked where it is in use."""
    reply = app.verification.verify(ask_keychain=app.credentials.in_keychain)
    if reply.problem is not None:
        raise JournalAltered(reply.problem.message, next="capcli history verify")
    keyed = f", {reply.data.keyed} of them sealed with a key" if reply.data.keyed else ""
    return ProbeResult(f"{reply.data.events} events, unchanged{keyed}")


def keychain(app: "App") -> ProbeResult:
    """Name the keychain; it matters only if the credentials come from it."""
    if app.env == "paper":
        return ProbeResult("not needed on paper")
    if not app.credentials.in_keychain:
        return ProbeResult("not used: the environment has the credentials")
    return ProbeResult(app.logins.check_keychain())


def credentials(app: "App") -> ProbeResult:
    found = app.credentials.describe()
    return ProbeResult(found.source if found.api_key is None else f"{found.source}, key {found.api_key}")


def key_age(app: "App") -> ProbeResult:
    """Warn in the last days of a key's year (API page 2.1)."""
    stored = app.credentials.describe().key_stored_at
    if stored is None and app.env == "paper":
        return ProbeResult("no key needed on paper")
    if stored is None:
        return ProbeResult("not known: the key was not stored by capcli login")
    days = (app.clock() - stored).days
    left = _KEY_DAYS - days
    words = f"stored {stored:%Y-%m-%d}, {days} days ago"
    if left > _KEY_WARNS_DAYS:
        return ProbeResult(words)
    when = f"ends in about {left} days" if left > 0 else "is over"
    return ProbeResult(
        f"{words}; a key lives for a year by default, which {when}",
        "generate a new key under Settings > API integrations, then capcli login",
        warning=True,
    )


def trading(app: "App") -> ProbeResult:
    if app.env == "live" and not app.live.gate.unlocked:
        locked = f"live is locked until the go-live checklist is complete: {app.live.gate.reason}"
        return ProbeResult(locked, "capcli live checklist", warning=True)
    if not app.settings.allow_trading:
        return ProbeResult("off: CAP_ALLOW_TRADING is not true, so nothing can be sent")
    if app.env == "live":
        return ProbeResult(f"on for live: unlocked ({app.live.gate.reason}), approval {app.live.on_live}")
    return ProbeResult(f"on for {app.env}")


def halt(app: "App") -> ProbeResult:
    halt = app.halting.current()
    if halt is None:
        return ProbeResult("not halted")
    return ProbeResult(f"{halt.words}; nothing that adds risk is sent", "capcli resume", warning=True)


def approval(app: "App") -> ProbeResult:
    """Say who approves; on live a setting alone cannot skip the person."""
    if app.live.approval != "human":
        return ProbeResult("confirm: whoever confirms an order approves it (CAP_APPROVAL)")
    if app.settings.approval != "human":
        return ProbeResult(
            f"human, although CAP_APPROVAL is {app.settings.approval}: on live that setting alone is not"
            f" enough",
            "capcli help environment",
            warning=True,
        )
    return ProbeResult("human: a person approves every order, close and change (CAP_APPROVAL)")


def notifications(app: "App") -> ProbeResult:
    """Report how a person is notified of an order that waits for approval or was sent under a mandate."""
    command = app.settings.notify_cmd
    if command is not None and find_program(command[0], app.environ) is None:
        return ProbeResult(
            f"CAP_NOTIFY_CMD names {command[0]}, and there is no such program, so it is not run",
            "capcli help environment",
            warning=True,
        )
    on_desktop = app.settings.notify and desktop_command(sys.platform, app.environ, "", "") is not None
    ways = ["the desktop"] * on_desktop + [f"{part} (CAP_NOTIFY_CMD)" for part in (command or ())[:1]]
    if ways:
        return ProbeResult(f"approval requests are announced by {' and '.join(ways)}")
    return ProbeResult("approval requests are not announced; capcli approve --watch shows them")


def mandates(app: "App") -> ProbeResult:
    """List the mandates in force, and whether this client's can be used."""
    now, file = app.clock(), app.settings.mandate_file
    active = [one for one in app.journal.mandates.active() if one.expires_at > now]
    named = [f"{one.name} on {one.env}, until {one.expires_at:%Y-%m-%d %H:%M}Z" for one in active]
    words = f"in force: {'; '.join(named)}" if named else "none in force"
    if file is None:
        return ProbeResult(words)
    if app.env == "live":
        return ProbeResult(f"{words}; CAP_MANDATE_FILE has no effect on live", "unset it", warning=True)
    if app.live.approval != "human":
        return ProbeResult(
            f"{words}; CAP_MANDATE_FILE has no effect while CAP_APPROVAL is confirm: nobody is asked",
            "capcli help environment",
            warning=True,
        )
    try:
        found = app.journal.mandates.by_secret(secret_hash(mandate_secret(app)))
    except ConfigError as error:
        return ProbeResult(f"{words}; {error.message}", "capcli mandate list", warning=True)
    if found is None or found not in active:
        return ProbeResult(f"{words}; that of CAP_MANDATE_FILE is not", "capcli mandate list", warning=True)
    return ProbeResult(f"{words}; this client has {found.name}")


def limits(app: "App") -> ProbeResult:
    """Say which limits are set; on live, none is a warning."""
    if there := app.settings.limits_set:
        return ProbeResult(f"set: {', '.join(there)}")
    if app.env == "paper":
        return ProbeResult("none set")
    return ProbeResult(f"none set; {_OWN_DEFAULTS}", "capcli help environment", warning=app.env == "live")


def unresolved(app: "App") -> ProbeResult:
    active, host = app.broker.account_id, app.broker.host
    attempts = reversed(app.journal.attempts(app.env, limit=_MOST_ATTEMPTS))
    found = [attempt for attempt in attempts if attempt.host == host and attempt.state.unresolved]
    if not found:
        return ProbeResult("no order is unresolved")
    ids = ", ".join(
        attempt.attempt_id + ("" if attempt.account_id == active else f" (account {attempt.account_id})")
        for attempt in found
    )
    here = any(attempt.account_id == active for attempt in found)
    # Without an id, `reconcile` settles the active account only.
    fix = "capcli reconcile" if here else f"capcli reconcile {found[0].attempt_id}"
    return ProbeResult(f"unresolved: {ids}; new orders there are refused", fix, warning=True)

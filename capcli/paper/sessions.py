"""Logins, tokens and the active account (API page 2), and the check of every request."""

import secrets
import sqlite3
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import asdict

from capcli.paper import book, encryption, faults, limits, money
from capcli.paper.active_faults import strike
from capcli.paper.book import Account
from capcli.paper.config import Settings
from capcli.paper.context import Call, Context, Reply, Session
from capcli.paper.limits import Limit
from capcli.paper.messages import Refusal
from capcli.paper.store import insert
from capcli.paper.times import ACCOUNT_OFFSET_HOURS
from capcli.paper.wire import AccountChoice, Login, decode

API_KEY = IDENTIFIER = PASSWORD = "paper"  # noqa: S105  (public, there is nothing to protect)
KEYS_OF: Mapping[str, str] = {"demo": "paper-demo", "live": "paper-live"}
CLIENT_ID = "10048291"
IDLE_MS = 600_000
CAP_MS = 3_600_000
_TOUCH_MS = 100  # a session used again within this time is not written again
_FLAGS = MappingProxyType(
    {"hasActiveDemoAccounts": True, "hasActiveLiveAccounts": False, "trailingStopsEnabled": True}
)
# A currency without a symbol shows its code.
_SYMBOLS: Mapping[str, str] = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "PLN": "zł", "AUD": "A$"}


def admit(db: sqlite3.Connection, settings: Settings, headers: Mapping[str, str], at: int) -> Session:
    """The session of a request's tokens, renewed."""
    cst, token = headers.get("cst"), headers.get("x-security-token")
    if not cst:
        raise Refusal(401, "error.null.client.token")
    row = db.execute("SELECT * FROM sessions WHERE cst = ? AND token = ?", (cst, token)).fetchone()
    if row is None or _expired(row, settings, at):
        raise Refusal(401, "error.invalid.session.token")
    if at - row["used_ms"] >= _TOUCH_MS:
        db.execute("UPDATE sessions SET used_ms = ? WHERE cst = ?", (at, cst))
    return Session(row["cst"], row["token"], row["account_id"])


def _expired(row: sqlite3.Row, settings: Settings, at: int) -> bool:
    capped = settings.session_cap and at - row["created_ms"] > CAP_MS
    return bool(capped or at - row["used_ms"] > IDLE_MS)


def alive(db: sqlite3.Connection, settings: Settings, csts: Collection[str], at: int) -> frozenset[str]:
    """Return the sessions that are still valid."""
    marks = ", ".join("?" * len(csts))
    rows = db.execute(f"SELECT * FROM sessions WHERE cst IN ({marks})", tuple(csts))  # noqa: S608  (marks)
    return frozenset(row["cst"] for row in rows if not _expired(row, settings, at))


def rotated(context: Context, session: Session) -> Session:
    """The same session under new tokens; the old ones are dead (API page 2.2)."""
    fresh = _fresh(session.account_id)
    row = (fresh.cst, fresh.token, session.cst, session.token)
    context.db.execute("UPDATE sessions SET cst = ?, token = ? WHERE cst = ? AND token = ?", row)
    _end(context, session.cst)
    return fresh


def _fresh(account_id: str, cst: str | None = None) -> Session:
    return Session(cst or secrets.token_hex(16), secrets.token_hex(20), account_id)


def _add(context: Context, session: Session, created_ms: int) -> Session:
    insert(context.db, "sessions", **asdict(session), created_ms=created_ms, used_ms=context.at)
    return session


def _end(context: Context, cst: str) -> None:
    context.db.execute("DELETE FROM sessions WHERE cst = ?", (cst,))


def encryption_key(context: Context, headers: Mapping[str, str], _body: bytes) -> Reply:
    """Its timestamp is real time, like sessions: a fast market clock does not shorten the five minutes."""
    _check_headers(context, headers, limits.REQUESTS)
    return Reply({"encryptionKey": encryption.public_key(context.db), "timeStamp": context.at})


def log_in(context: Context, headers: Mapping[str, str], body: bytes) -> Reply:
    _check_headers(context, headers, limits.LOGINS)
    login = decode(body, Login)
    password = login.password
    if password and login.encryptedPassword:
        password = encryption.opened(context.db, password, context.at)
    if (login.identifier, password) != (IDENTIFIER, PASSWORD):
        raise Refusal(401, "error.invalid.details")
    accounts = book.accounts(context.db)
    active = next(account for account in accounts if account.preferred)
    reply = {
        "accountType": "CFD",
        "accountInfo": money.figures(context, active).body(),
        "currencyIsoCode": active.currency,
        "currencySymbol": _SYMBOLS.get(active.currency, active.currency),
        "currentAccountId": active.account_id,
        "streamingHost": context.stream,
        "accounts": [_account_row(context, account) for account in accounts],
        "clientId": CLIENT_ID,
        "timezoneOffset": ACCOUNT_OFFSET_HOURS,
        **_FLAGS,
    }
    context.db.execute("DELETE FROM sessions WHERE used_ms < ?", (context.at - IDLE_MS,))
    return Reply(reply, _add(context, _fresh(active.account_id), context.at))


def _check_headers(context: Context, headers: Mapping[str, str], limit: Limit) -> None:
    """A broker for one environment refuses the other's key, as the real login does (API page 4.2).

    Dead tokens on the calls of a login break it; living ones do no harm (API pages 2.2, 15). Seen with tokens
    that had outlived their session. Assumption: ended, rotated and invented ones do the same, since tokens
    are opaque and a broker without the session cannot distinguish them.
    """
    key = headers.get("x-cap-api-key")
    if not key:
        raise Refusal(400, "error.null.api.key")
    if context.serves and key in KEYS_OF.values() and key != KEYS_OF[context.serves]:
        raise Refusal(401, "error.null.accountId")
    if key not in {API_KEY, *KEYS_OF.values()}:
        raise Refusal(401, "error.invalid.api.key")
    if headers.get("cst") or headers.get("x-security-token"):
        admit(context.db, context.settings, headers, context.at)
    if context.settings.limits:
        limits.spend(context.db, context.at, limit)


def _account_row(context: Context, account: Account) -> dict[str, Any]:
    return {
        "accountId": account.account_id,
        "accountName": account.name,
        "preferred": account.preferred,
        "accountType": "CFD",
        "currency": account.currency,
        "symbol": _SYMBOLS.get(account.currency, account.currency),
        "balance": money.figures(context, account).body(),
    }


def show(call: Call) -> Reply:
    return Reply(
        {
            "clientId": CLIENT_ID,
            "accountId": call.account_id,
            "timezoneOffset": ACCOUNT_OFFSET_HOURS,
            "locale": "en",
            "currency": call.owner.currency,
            "streamEndpoint": call.context.stream,
        }
    )


def switch(call: Call) -> Reply:
    """A new security token under the same CST; the old one stays valid for its own account (API page 18).

    The account of the next login is shared state of the login (API page 2.6).
    """
    db, cst = call.context.db, call.session.cst
    chosen = book.account(db, decode(call.body, AccountChoice).accountId or "")
    if chosen is None:
        raise Refusal(400, "error.invalid.accountId")
    if chosen.account_id == call.account_id:
        raise Refusal(400, "error.not-different.accountId")
    book.prefer(db, chosen.account_id)
    created = db.execute("SELECT min(created_ms) FROM sessions WHERE cst = ?", (cst,)).fetchone()[0]
    if strike(call.context, faults.OLD_TOKEN_FOLLOWS):
        db.execute("UPDATE sessions SET account_id = ? WHERE cst = ?", (chosen.account_id, cst))
    fresh = _add(call.context, _fresh(chosen.account_id, cst), created)
    return Reply({"dealingEnabled": True, **_FLAGS}, fresh)


def log_out(call: Call) -> Reply:
    _end(call.context, call.session.cst)
    return Reply({"status": "SUCCESS"})


def ping(_call: Call) -> Reply:
    return Reply({"status": "OK"})


def list_accounts(call: Call) -> Reply:
    rows = [{**_account_row(call.context, a), "status": "ENABLED"} for a in book.accounts(call.context.db)]
    return Reply({"accounts": rows})

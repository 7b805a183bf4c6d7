"""Logins, tokens and the active account (API page 2), and the door every request passes."""

import secrets
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from capcli.paper import book, encryption, faults, limits, money
from capcli.paper.active_faults import strike
from capcli.paper.book import Account
from capcli.paper.config import Settings
from capcli.paper.context import Call, Context, Reply, Session
from capcli.paper.messages import Refusal
from capcli.paper.times import ACCOUNT_OFFSET_HOURS
from capcli.paper.wire import AccountChoice, Login, decode

API_KEY = IDENTIFIER = PASSWORD = "paper"  # noqa: S105  (public, there is nothing to protect)
KEYS_OF: Mapping[str, str] = {"demo": "paper-demo", "live": "paper-live"}
CLIENT_ID = "10048291"
IDLE_MS = 600_000
CAP_MS = 3_600_000
_TOUCH_MS = 100  # a session used again within this time is not written again
# Of a currency without one its code stands there.
_SYMBOLS: Mapping[str, str] = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "PLN": "zł", "AUD": "A$"}


def admit(db: sqlite3.Connection, settings: Settings, headers: Mapping[str, str], at: int) -> Session:
    """The session of a request's tokens, renewed."""
    cst, token = _tokens(headers)
    if not cst:
        raise Refusal(401, "error.null.client.token")
    row = db.execute("SELECT * FROM sessions WHERE cst = ? AND token = ?", (cst, token)).fetchone()
    if row is None or _expired(row, settings, at):
        raise Refusal(401, "error.invalid.session.token")
    if at - row["used_ms"] >= _TOUCH_MS:
        db.execute("UPDATE sessions SET used_ms = ? WHERE cst = ?", (at, cst))
    return Session(row["cst"], row["token"], row["account_id"])


def _tokens(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    return headers.get("cst"), headers.get("x-security-token")


def _expired(row: sqlite3.Row, settings: Settings, at: int) -> bool:
    capped = settings.session_cap and at - row["created_ms"] > CAP_MS
    return bool(capped or at - row["used_ms"] > IDLE_MS)


def rotated(context: Context, session: Session) -> Session:
    """The same session under new tokens; the old ones are dead (API page 2.2)."""
    fresh = Session(secrets.token_hex(16), secrets.token_hex(20), session.account_id)
    row = (fresh.cst, fresh.token, session.cst, session.token)
    context.db.execute("UPDATE sessions SET cst = ?, token = ? WHERE cst = ? AND token = ?", row)
    _end(context, session.cst)
    return fresh


def encryption_key(context: Context, headers: Mapping[str, str], _body: bytes) -> Reply:
    """Its time is real time, as that of sessions: a fast market takes nothing from the five minutes."""
    _check_key(context, headers)
    _check_leftovers(context, headers)
    if context.settings.limits:
        limits.spend(context.db, context.at, limits.REQUESTS)
    return Reply({"encryptionKey": encryption.public_key(context.db), "timeStamp": context.at})


def alive(db: sqlite3.Connection, settings: Settings, csts: Collection[str], at: int) -> frozenset[str]:
    """Those of some sessions that would still be admitted."""
    marks = ", ".join("?" * len(csts))
    rows = db.execute(f"SELECT * FROM sessions WHERE cst IN ({marks})", tuple(csts))  # noqa: S608  (marks)
    return frozenset(row["cst"] for row in rows if not _expired(row, settings, at))


def log_in(context: Context, headers: Mapping[str, str], body: bytes) -> Reply:
    _check_key(context, headers)
    _check_leftovers(context, headers)
    if context.settings.limits:
        limits.spend(context.db, context.at, limits.LOGINS)
    login = decode(body, Login)
    if (login.identifier, _password(context, login)) != (IDENTIFIER, PASSWORD):
        raise Refusal(401, "error.invalid.details")
    accounts = book.accounts(context.db)
    active = next(account for account in accounts if account.preferred)
    return Reply(_login_body(context, active, accounts), _begin(context, active.account_id))


def _check_key(context: Context, headers: Mapping[str, str]) -> None:
    """Who serves one environment turns the other's key away, in the words of a login there (API page 4.2)."""
    key = headers.get("x-cap-api-key")
    if not key:
        raise Refusal(400, "error.null.api.key")
    if context.serves and key in KEYS_OF.values() and key != KEYS_OF[context.serves]:
        raise Refusal(401, "error.null.accountId")
    if key not in {API_KEY, *KEYS_OF.values()}:
        raise Refusal(401, "error.invalid.api.key")


def _check_leftovers(context: Context, headers: Mapping[str, str]) -> None:
    """Dead tokens on the calls of a login break it; living ones do no harm (API pages 2.2, 15).

    Seen with tokens that had outlived their session. Assumption: ended, rotated and made-up ones do the same,
    for they are opaque, and a broker that no longer holds a session cannot tell what became of it.
    """
    if any(_tokens(headers)):
        admit(context.db, context.settings, headers, context.at)


def _password(context: Context, login: Login) -> str | None:
    if login.password and login.encryptedPassword:
        return encryption.opened(context.db, login.password, context.at)
    return login.password


def _begin(context: Context, account_id: str) -> Session:
    session = Session(secrets.token_hex(16), secrets.token_hex(20), account_id)
    context.db.execute("DELETE FROM sessions WHERE used_ms < ?", (context.at - IDLE_MS,))
    _add(context, session, context.at)
    return session


def _add(context: Context, session: Session, created_ms: int) -> None:
    row = (session.cst, session.token, session.account_id, created_ms, context.at)
    context.db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", row)


def _login_body(context: Context, active: Account, accounts: tuple[Account, ...]) -> dict[str, Any]:
    return {
        "accountType": "CFD",
        "accountInfo": money.figures(context, active).body(),
        "currencyIsoCode": active.currency,
        "currencySymbol": _SYMBOLS.get(active.currency, active.currency),
        "currentAccountId": active.account_id,
        "streamingHost": context.stream,
        "accounts": [_account_row(context, account) for account in accounts],
        "clientId": CLIENT_ID,
        "timezoneOffset": ACCOUNT_OFFSET_HOURS,
        **_flags(),
    }


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


def _flags() -> dict[str, bool]:
    return {"hasActiveDemoAccounts": True, "hasActiveLiveAccounts": False, "trailingStopsEnabled": True}


def show(call: Call) -> Reply:
    account = book.account(call.context.db, call.account_id)
    assert account, "a session's account exists"
    return Reply(
        {
            "clientId": CLIENT_ID,
            "accountId": account.account_id,
            "timezoneOffset": ACCOUNT_OFFSET_HOURS,
            "locale": "en",
            "currency": account.currency,
            "streamEndpoint": call.context.stream,
        }
    )


def switch(call: Call) -> Reply:
    """A new security token under the same CST; the old one stays valid for its own account (API page 18).

    Where the next login lands is shared state of the login (API page 2.6).
    """
    chosen = book.account(call.context.db, decode(call.body, AccountChoice).accountId or "")
    if chosen is None:
        raise Refusal(400, "error.invalid.accountId")
    if chosen.account_id == call.account_id:
        raise Refusal(400, "error.not-different.accountId")
    book.prefer(call.context.db, chosen.account_id)
    db, old = call.context.db, call.session
    created = db.execute("SELECT min(created_ms) FROM sessions WHERE cst = ?", (old.cst,)).fetchone()[0]
    if strike(call.context, faults.OLD_TOKEN_FOLLOWS):
        db.execute("UPDATE sessions SET account_id = ? WHERE cst = ?", (chosen.account_id, old.cst))
    fresh = Session(old.cst, secrets.token_hex(20), chosen.account_id)
    _add(call.context, fresh, created)
    return Reply({"dealingEnabled": True, **_flags()}, fresh)


def log_out(call: Call) -> Reply:
    _end(call.context, call.session.cst)
    return Reply({"status": "SUCCESS"})


def _end(context: Context, cst: str) -> None:
    context.db.execute("DELETE FROM sessions WHERE cst = ?", (cst,))


def ping(_call: Call) -> Reply:
    return Reply({"status": "OK"})


def list_accounts(call: Call) -> Reply:
    rows = [{**_account_row(call.context, a), "status": "ENABLED"} for a in book.accounts(call.context.db)]
    return Reply({"accounts": rows})

"""The login: sent without old tokens, with the password encrypted if the broker offers a key."""

import logging

import msgspec

from capcli.broker import readings, requests, wire
from capcli.broker.answers import NOT_FOUND, OK, json_object
from capcli.broker.calls import Calls
from capcli.broker.encryption import LoginKey, load_key
from capcli.broker.failures import HEALTH, LOGIN, login_refused, not_json
from capcli.broker.transport import API_KEY, Headers, Reply
from capcli.errors import LoginRefused, UnreadableAnswer
from capcli.ports import Clock
from capcli.ports.login import Credentials, StoredSession

_LOG = logging.getLogger("capcli.broker")


def log_in(
    calls: Calls, secret: Credentials, clock: Clock, *, sealed: bool
) -> tuple[StoredSession, tuple[str, ...]]:
    """Return a new session, and the accounts of the login.

    Stale tokens can break a login (API page 2.2), so none go with it. Raises LoginRefused, UnreadableAnswer,
    and ConfigError for a password that is too long to be sealed.
    """
    headers = _key_header(secret)
    key = _login_key(calls, headers) if sealed else None
    # In one expression: no local of this frame may hold the body, and with it the password.
    reply = calls.patient(
        requests.log_in(secret, None if key is None else key.seal(secret)), headers, login=True
    )
    if reply.status != OK:
        raise login_refused(reply.status, reply.body)
    found = wire.decode(reply.body, wire.Login, "POST /session")
    if reply.tokens is None:
        raise UnreadableAnswer("The broker's answer to POST /session has no session tokens.", next=HEALTH)
    stored = StoredSession(
        cst=reply.tokens.cst,
        security_token=reply.tokens.security_token,
        account_id=found.current_account_id,
        client_id=found.client_id,
        currency=found.currency_iso_code,
        timezone_offset=int(found.timezone_offset),
        created_at=clock(),
        fingerprint=secret.fingerprint,
    )
    return stored, tuple(account.account_id for account in found.accounts)


def encryption_key(calls: Calls, secret: Credentials) -> Reply:
    """GET /session/encryptionKey, for which the API key is enough. Raises as a login."""
    return calls.patient(requests.ENCRYPTION_KEY, _key_header(secret))


def _key_header(secret: Credentials) -> Headers:
    if not secret.api_key.isascii() or not secret.api_key.isprintable():
        raise LoginRefused(
            "401 Unauthorized: the API key holds characters that no key has. Copy it again.", next=LOGIN
        )
    return Headers({API_KEY: secret.api_key})


def _login_key(calls: Calls, headers: Headers) -> LoginKey | None:
    """Return the key to encrypt the password with, or None if the broker offers none that can be used.

    Any other failure stops the login: only the broker's own answer may lead to a plain password.
    """
    reply = calls.patient(requests.ENCRYPTION_KEY, headers)
    if reply.status == NOT_FOUND:
        _LOG.info("the broker offers no key for the password; it goes as it is, inside TLS")
        return None
    if reply.status != OK:
        raise login_refused(reply.status, reply.body)
    if json_object(reply.body) is None:
        raise not_json(requests.ENCRYPTION_KEY.endpoint, reply.status)
    try:
        found = readings.decode(reply.body, wire.EncryptionKey)
        key = load_key(found.encryption_key, found.time_stamp)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        key = None
    if key is None:
        _LOG.info("the broker's key for the password cannot be used; it goes as it is, inside TLS")
    return key

"""The encrypted login: one RSA key a paper world (API page 2.4)."""

import sqlite3
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import TYPE_CHECKING

from capcli.paper.messages import Refusal
from capcli.paper.store import insert

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS = 2048
VALID_MS = 300_000  # assumption: how long a timeStamp is accepted is unknown (API page 17)
_NAME = "login_key"
_DIGITS = 18


def public_key(db: sqlite3.Connection) -> str:
    """DER SubjectPublicKeyInfo in base64; the key is made at the first call. Needs a write transaction.

    It is stored in the clear: the password that it guards is public.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = _stored(db)
    if key is None:
        key = rsa.generate_private_key(65_537, BITS)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        insert(db, "settings", name=_NAME, value=b64encode(der).decode())
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def opened(db: sqlite3.Connection, sealed: str, at_ms: int) -> str:
    """The decrypted password, if its timestamp is valid.

    It is split off at the last bar: a password may hold one. Assumption: it is UTF-8 (API page 2.4), and what
    cannot be opened and what is too old is refused like a wrong password (API page 4.2).
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    key, inside = _stored(db), b""
    if key is not None:
        with suppress(ValueError):
            inside = b64decode(key.decrypt(b64decode(sealed, validate=True), PKCS1v15()), validate=True)
    password, _, stamp = inside.decode(errors="replace").rpartition("|")
    number = stamp.isdecimal() and stamp.isascii() and len(stamp) <= _DIGITS
    if not number or abs(at_ms - int(stamp)) > VALID_MS:
        raise Refusal(401, "error.invalid.details")
    return password


def _stored(db: sqlite3.Connection) -> "RSAPrivateKey | None":
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    row = db.execute("SELECT value FROM settings WHERE name = ?", (_NAME,)).fetchone()
    if row is None:
        return None
    # We made it ourselves: checking its primes at every login would take longer than the login.
    der = b64decode(row[0])
    return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)  # type: ignore[return-value]

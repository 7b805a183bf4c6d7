"""Approvals: a person approves one exact request on one account."""

import json
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from capcli.domain.fields import with_fields_of

LIFE = timedelta(minutes=10)
READING_S = 2.0
"""So long after a request is shown no answer counts: only a program reads an order faster."""


class ApprovalState(StrEnum):
    """An approval is used once; VOID is one whose request was sent under another code, or withdrawn."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    USED = "USED"
    VOID = "VOID"


class ApprovalRequest(Struct, frozen=True):
    """A request for a person's approval. `subject` (preview or deal) tells equal requests apart.

    `expires_at` is that of the preview; None for a change without one, whose approval has its own life.
    """

    kind: str
    subject: str
    env: str
    host: str
    account_id: str
    method: str
    path: str
    body: bytes | None
    text: str
    expires_at: datetime | None = None
    preview_id: str | None = None

    @property
    def body_sha256(self) -> str:
        return sha256(self.body or b"").hexdigest()

    @property
    def digest(self) -> str:
        """Hash of the exact request: another price, account, host or deal has another digest."""
        parts = (self.kind, self.subject, self.env, self.host, self.account_id)
        sent = (self.method, self.path, self.body_sha256)
        return sha256(json.dumps([*parts, *sent]).encode()).hexdigest()


class ApprovalRecord(Struct, frozen=True):
    """A request for approval as stored in the journal, without its code. `client` made it."""

    code_hash: str
    digest: str
    kind: str
    env: str
    host: str
    account_id: str
    preview_id: str | None
    method: str
    path: str
    body_sha256: str
    text: str
    state: ApprovalState
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    client: str | None = None

    @classmethod
    def of(
        cls, request: ApprovalRequest, code_hash: str, at: datetime, client: str | None
    ) -> "ApprovalRecord":
        """Return the record of a request that begins to wait."""
        return with_fields_of(
            request,
            cls,
            code_hash=code_hash,
            state=ApprovalState.PENDING,
            created_at=at,
            expires_at=request.expires_at or at + LIFE,
            client=client,
        )


_ALIKE = str.maketrans("OIL", "011")


def code_hash(code: str) -> str:
    """Return the stored hash of a code; case, spaces, dashes and look-alike letters do not matter."""
    return sha256(f"approval code {tidy_code(code)}".encode()).hexdigest()


def tidy_code(code: str) -> str:
    """Return a code in its displayed form."""
    letters = (letter for letter in code.upper() if letter.isascii() and letter.isalnum())
    return "".join(letters).translate(_ALIKE)

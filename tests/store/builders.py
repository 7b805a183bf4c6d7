"""Records for the tests of the journal, and the environment of the processes that they start."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.domain.attempt import AttemptRecord, AttemptState, PreviewRecord, PreviewState
from capcli.domain.mandate import Mandate
from capcli.domain.order import Kind
from tests.support.paths import IMPORT_PATH

NOW = datetime(2026, 5, 4, 14, 2, 11, 250_000, tzinfo=UTC)
BODY = b'{"epic":"SILVER","direction":"BUY","size":1.5}'
ACCOUNT = ("demo", "demo-api-capital.backend-capital.com", "1234567")

# Child processes find the packages from any working directory.
CHILD_ENV = os.environ | {"PYTHONPATH": IMPORT_PATH}


def a_preview(preview_id: str = "p_000000000001", **changes: Any) -> PreviewRecord:
    env, host, account_id = ACCOUNT
    preview = PreviewRecord(
        preview_id=preview_id,
        kind=Kind.MARKET,
        env=env,
        host=host,
        account_id=account_id,
        method="POST",
        path="/positions",
        body=BODY,
        body_sha256=sha256(BODY).hexdigest(),
        document=b'{"epic":"SILVER"}',
        quote=b'{"bid":24.6}',
        state=PreviewState.READY,
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=120),
    )
    return replace(preview, **changes)


def an_attempt(attempt_id: str = "a_000000000001", **changes: Any) -> AttemptRecord:
    env, host, account_id = ACCOUNT
    attempt = AttemptRecord(
        attempt_id=attempt_id,
        kind=Kind.MARKET,
        env=env,
        host=host,
        account_id=account_id,
        method="POST",
        path="/positions",
        preview_id="p_000000000001",
        state=AttemptState.CLAIMED,
        body_sha256=sha256(BODY).hexdigest(),
        baseline=b'{"positions":[]}',
        created_at=NOW,
        size=Decimal("1.50"),
    )
    return replace(attempt, **changes)


def a_close(attempt_id: str = "a_00000000000c", **changes: Any) -> AttemptRecord:
    facts = {"kind": Kind.CLOSE, "preview_id": None, "method": "DELETE", "path": "/positions/D1"}
    return an_attempt(attempt_id, **(facts | changes))


def an_approval(**changes: Any) -> ApprovalRecord:
    env, host, account_id = ACCOUNT
    approval = ApprovalRecord(
        code_hash=sha256(b"a code").hexdigest(),
        digest=sha256(b"a request").hexdigest(),
        kind="MARKET",
        env=env,
        host=host,
        account_id=account_id,
        preview_id="p_000000000001",
        method="POST",
        path="/positions",
        body_sha256=sha256(BODY).hexdigest(),
        text="Buy 1.5 SILVER",
        state=ApprovalState.PENDING,
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=600),
    )
    return replace(approval, **changes)


def a_mandate(mandate_id: str = "m_1", **changes: Any) -> Mandate:
    env, host, account_id = ACCOUNT
    mandate = Mandate(
        mandate_id=mandate_id,
        name="night",
        env=env,
        host=host,
        account_id=account_id,
        secret_hash=sha256(mandate_id.encode()).hexdigest(),
        epics=("SILVER",),
        risk=Decimal(20),
        total_risk=Decimal(60),
        currency="USD",
        orders=3,
        since=NOW,
        granted_at=NOW,
        expires_at=NOW + timedelta(hours=6),
    )
    return replace(mandate, **changes)

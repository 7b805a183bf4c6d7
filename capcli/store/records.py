"""Rows of the journal to records and back: Decimals and times as text, so that nothing is rounded."""

import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from capcli.domain.approval import ApprovalRecord, ApprovalState
from capcli.domain.attempt import (
    AttemptRecord,
    AttemptState,
    Ending,
    Evidence,
    PreviewRecord,
    PreviewState,
    Protection,
)
from capcli.domain.order import Kind


def stamp(at: datetime) -> str:
    """Return a time as UTC text of fixed width, so that text order is time order."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def preview_row(preview: PreviewRecord) -> dict[str, Any]:
    return {
        "id": preview.preview_id,
        "kind": preview.kind.value,
        "env": preview.env,
        "host": preview.host,
        "account_id": preview.account_id,
        "method": preview.method,
        "path": preview.path,
        "body": preview.body,
        "body_sha256": preview.body_sha256,
        "document": preview.document,
        "quote": preview.quote,
        "state": preview.state.value,
        "created_at": stamp(preview.created_at),
        "expires_at": stamp(preview.expires_at),
        "broker_time": _stamp_or_none(preview.broker_time),
    }


def preview_of(row: sqlite3.Row) -> PreviewRecord:
    return PreviewRecord(
        preview_id=row["id"],
        kind=Kind(row["kind"]),
        env=row["env"],
        host=row["host"],
        account_id=row["account_id"],
        method=row["method"],
        path=row["path"],
        body=row["body"],
        body_sha256=row["body_sha256"],
        document=row["document"],
        quote=row["quote"],
        state=PreviewState(row["state"]),
        created_at=_time(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        broker_time=_time_or_none(row["broker_time"]),
    )


def attempt_row(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "id": attempt.attempt_id,
        "kind": attempt.kind.value,
        "env": attempt.env,
        "host": attempt.host,
        "account_id": attempt.account_id,
        "method": attempt.method,
        "path": attempt.path,
        "preview_id": attempt.preview_id,
        "state": attempt.state.value,
        "body_sha256": attempt.body_sha256,
        "baseline": attempt.baseline,
        "created_at": stamp(attempt.created_at),
        "deal_id": broker_text(attempt.deal_id),
        "broker_time_at_send": _stamp_or_none(attempt.broker_time_at_send),
        "sent_at": _stamp_or_none(attempt.sent_at),
        "last_byte_at": _stamp_or_none(attempt.last_byte_at),
        "deal_reference": broker_text(attempt.deal_reference),
        "order_id": broker_text(attempt.order_id),
        "deal_ids": json.dumps(attempt.deal_ids),
        "opened_deal_ids": json.dumps(attempt.opened_deal_ids),
        "candidates": json.dumps(attempt.candidates),
        "answered_for": broker_text(attempt.answered_for),
        "other_account_id": broker_text(attempt.other_account_id),
        "evidence": attempt.evidence.value,
        "protected": attempt.protected.value,
        "http_status": attempt.http_status,
        "error_code": broker_text(attempt.error_code),
        "retry_after_s": attempt.retry_after_s,
        "level": _text(attempt.level),
        "size": _text(attempt.size),
        "stop_level": _text(attempt.stop_level),
        "absent_seen_at": _stamp_or_none(attempt.absent_seen_at),
        "ended_at": _stamp_or_none(attempt.ended_at),
        "ending": attempt.ending and attempt.ending.value,
        "note": broker_text(attempt.note),
    }


def attempt_of(row: sqlite3.Row) -> AttemptRecord:
    return AttemptRecord(
        attempt_id=row["id"],
        kind=Kind(row["kind"]),
        env=row["env"],
        host=row["host"],
        account_id=row["account_id"],
        method=row["method"],
        path=row["path"],
        preview_id=row["preview_id"],
        state=AttemptState(row["state"]),
        body_sha256=row["body_sha256"],
        baseline=row["baseline"],
        created_at=_time(row["created_at"]),
        deal_id=row["deal_id"],
        broker_time_at_send=_time_or_none(row["broker_time_at_send"]),
        sent_at=_time_or_none(row["sent_at"]),
        last_byte_at=_time_or_none(row["last_byte_at"]),
        deal_reference=row["deal_reference"],
        order_id=row["order_id"],
        deal_ids=tuple(json.loads(row["deal_ids"])),
        opened_deal_ids=tuple(json.loads(row["opened_deal_ids"])),
        candidates=tuple(json.loads(row["candidates"])),
        answered_for=row["answered_for"],
        other_account_id=row["other_account_id"],
        evidence=Evidence(row["evidence"]),
        protected=Protection(row["protected"]),
        http_status=row["http_status"],
        error_code=row["error_code"],
        retry_after_s=row["retry_after_s"],
        level=_decimal(row["level"]),
        size=_decimal(row["size"]),
        stop_level=_decimal(row["stop_level"]),
        absent_seen_at=_time_or_none(row["absent_seen_at"]),
        ended_at=_time_or_none(row["ended_at"]),
        ending=Ending(row["ending"]) if row["ending"] else None,
        note=row["note"],
    )


def approval_row(approval: ApprovalRecord) -> dict[str, Any]:
    return {
        "code_hash": approval.code_hash,
        "digest": approval.digest,
        "kind": approval.kind,
        "env": approval.env,
        "host": approval.host,
        "account_id": approval.account_id,
        "preview_id": approval.preview_id,
        "method": approval.method,
        "path": approval.path,
        "body_sha256": approval.body_sha256,
        "text": broker_text(approval.text),
        "state": approval.state.value,
        "created_at": stamp(approval.created_at),
        "expires_at": stamp(approval.expires_at),
        "decided_at": _stamp_or_none(approval.decided_at),
        "decided_by": approval.decided_by,
        "client": approval.client,
    }


def approval_of(row: sqlite3.Row) -> ApprovalRecord:
    return ApprovalRecord(
        code_hash=row["code_hash"],
        digest=row["digest"],
        kind=row["kind"],
        env=row["env"],
        host=row["host"],
        account_id=row["account_id"],
        preview_id=row["preview_id"],
        method=row["method"],
        path=row["path"],
        body_sha256=row["body_sha256"],
        text=row["text"],
        state=ApprovalState(row["state"]),
        created_at=_time(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        decided_at=_time_or_none(row["decided_at"]),
        decided_by=row["decided_by"],
        client=row["client"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _stamp_or_none(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def broker_text(text: str | None) -> str | None:
    # JSON can carry half a surrogate pair, SQLite cannot; a verdict must not be lost over it.
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

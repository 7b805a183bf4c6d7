"""Compares the journal with its event chain: what was altered, removed, put elsewhere or cut off."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from capcli.services.ports import Inspection, JournalBreak
from capcli.store.events import FIRST_HASH, KEYED, as_text, chain_hash
from capcli.store.records import attempt_of, broker_text

_COLUMNS = "seq, attempt_id, kind, at, from_state, to_state, detail, prev_hash, hash"


@dataclass(slots=True)
class _Told:
    """What the events say of attempts, previews and approvals, from the first to the last."""

    attempts: dict[str, dict[str, Any]] = field(default_factory=dict)
    previews: dict[str, dict[str, Any]] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    approvals: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def take(self, row: sqlite3.Row) -> None:
        detail = json.loads(row["detail"])
        match row["kind"]:
            case "preview":
                self.previews[detail["preview_id"]] = detail
            case "claim" | "open" | "move" | "observe":
                told = self.attempts.setdefault(row["attempt_id"], {})
                told |= {name: value for name, value in detail.items() if name != "kind"}
                if row["to_state"] is not None:
                    told["state"] = row["to_state"]
                if row["kind"] == "claim":
                    self.claimed.add(detail["preview_id"])
            case "approval":
                said = self.approvals.setdefault((detail["code_hash"], detail["digest"]), {})
                said |= {"text": detail.get("text", said.get("text")), "state": row["to_state"]}
            case _:
                pass


def inspect(connection: sqlite3.Connection, key: bytes | None) -> Inspection:
    """Walk the chain once; `key` is that of the keyed rows, None where it cannot be had."""
    told, keyed = _Told(), 0
    hashes: list[str] = []
    breaks: list[JournalBreak] = []
    previous = FIRST_HASH
    for row in connection.execute(f"SELECT {_COLUMNS} FROM events ORDER BY seq"):  # noqa: S608  our own words
        fault = _fault(row, len(hashes) + 1, previous, key)
        if fault:
            breaks.append(JournalBreak("events", str(row["seq"]), fault))
        previous = row["hash"]
        hashes.append(previous)
        keyed += previous.startswith(KEYED)
        try:
            told.take(row)
        except (ValueError, KeyError, TypeError, AttributeError):
            breaks.append(JournalBreak("events", str(row["seq"]), "its detail cannot be read"))
    breaks += _previews(connection, told)
    breaks += _attempts(connection, told)
    breaks += _approvals(connection, told)
    return Inspection(len(hashes), keyed, tuple(hashes), tuple(breaks), unread=keyed if key is None else 0)


def _fault(row: sqlite3.Row, number: int, previous: str, key: bytes | None) -> str | None:
    columns = tuple(row)
    if row["prev_hash"] != previous:
        return "it does not follow the row before it: one was removed, added or moved"
    if row["hash"].startswith(KEYED):
        if key is not None and chain_hash(columns[:-1], key) != row["hash"]:
            return "it was altered, or written without the key"
    elif chain_hash(columns[:-1]) != row["hash"]:
        return "it was altered"
    return None if row["seq"] == number else f"its number should be {number}"


def _previews(connection: sqlite3.Connection, told: _Told) -> Iterator[JournalBreak]:
    known = dict(told.previews)
    for row in connection.execute(
        "SELECT id, state, body, body_sha256, document FROM previews ORDER BY rowid"
    ):
        detail = known.pop(row["id"], None)
        fault = "no event tells of it" if detail is None else _preview_fault(row, detail, told.claimed)
        if fault:
            yield JournalBreak("previews", row["id"], fault)
    yield from (JournalBreak("previews", name, "it was removed") for name in known)


def _preview_fault(row: sqlite3.Row, detail: Mapping[str, Any], claimed: set[str]) -> str | None:
    if not row["body_sha256"] == detail["body_sha256"] == _sha256(row["body"]):
        return "its body is not the one that was previewed"
    if "document" in detail and detail["document"] != f"sha256:{_sha256(row['document'])}":
        return "its figures were altered"
    if (row["state"] == "CLAIMED") is not (row["id"] in claimed):
        return f"its state {row['state']} is not what the events tell"
    return None


def _sha256(value: bytes | str) -> str:
    # An editor may have put text where bytes were.
    return sha256(value.encode() if isinstance(value, str) else value).hexdigest()


def _approvals(connection: sqlite3.Connection, told: _Told) -> Iterator[JournalBreak]:
    known = dict(told.approvals)
    for row in connection.execute("SELECT code_hash, digest, state, text FROM approvals ORDER BY rowid"):
        said = known.pop((row["code_hash"], row["digest"]), None)
        fault = "no event tells of it" if said is None else None
        if said is not None and said["state"] != row["state"]:
            fault = f"its state {row['state']} is not what the events tell"
        elif said is not None and said["text"] != f"sha256:{_sha256(row['text'])}":
            fault = "its text was altered"
        if fault:
            yield JournalBreak("approvals", row["digest"][:12], fault)
    yield from (JournalBreak("approvals", digest[:12], "it was removed") for _, digest in known)


def _attempts(connection: sqlite3.Connection, told: _Told) -> Iterator[JournalBreak]:
    known = dict(told.attempts)
    for row in connection.execute("SELECT * FROM attempts ORDER BY rowid"):
        facts = known.pop(row["id"], None)
        fault = "no event tells of it" if facts is None else _attempt_fault(row, facts)
        if fault:
            yield JournalBreak("attempts", row["id"], fault)
    yield from (JournalBreak("attempts", name, "it was removed") for name in known)


def _attempt_fault(row: sqlite3.Row, facts: Mapping[str, Any]) -> str | None:
    try:
        held = attempt_of(row)
    except (ValueError, TypeError, ArithmeticError):
        return "it cannot be read"
    names = facts.keys()
    there = json.loads(as_text({name: getattr(held, name) for name in names}))
    wrong = [name for name in sorted(names) if there[name] != _stored(facts[name])]
    return f"{', '.join(wrong)}: not what the events tell" if wrong else None


def _stored(value: Any) -> Any:
    return broker_text(value) if isinstance(value, str) else value

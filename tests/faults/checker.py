"""The judge. Nothing of capcli's own code has a say in its verdict.

It sees what the broker holds, what left at the seam, the journal's rows, and what the user was told.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults.matrix import Case, Outcome
from tests.faults.wire import Seen

Order = tuple[str, str, str, Decimal]  # account, epic, direction, size

PLACED = {"LANDED"}
NOT_PLACED = {"NOT_SENT", "REFUSED", "REJECTED", "ABSENT"}
OPEN = {"CLAIMED", "SENDING", "ACKED", "UNKNOWN"}
MAY_FOLLOW = {
    None: {"CLAIMED"},
    "CLAIMED": {"NOT_SENT", "SENDING"},
    "SENDING": {"ACKED", "REFUSED", "UNKNOWN", "NOT_SENT", "LANDED", "REJECTED", "ABSENT"},
    "ACKED": {"LANDED", "REJECTED"},
    "UNKNOWN": {"LANDED", "REJECTED", "ABSENT"},
    "ABSENT": {"LANDED", "NOT_SENT"},
}
_NOTHING_SENT = "Nothing was sent"


@dataclass(frozen=True, slots=True)
class Told:
    """What one command told its user. `state` and the ids are empty where it was stopped by an error."""

    exit: int
    sentence: str
    preview_id: str = ""
    attempt_id: str = ""
    state: str = ""
    code: str = ""
    replayed: bool = False
    retry_safe: bool = False

    @property
    def verdict(self) -> str:
        """The sentence without what a replay puts in front of it."""
        for opening in ("Already executed at ", "Already tried: "):
            if self.sentence.startswith(opening):
                return self.sentence.partition(": ")[2]
        return self.sentence

    @classmethod
    def read(cls, text: str | bytes) -> "Told":
        return cls(**json.loads(text))

    def write(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The broker's own books, from its file: every order that it accepted, every position that is open."""

    orders: tuple[Order, ...]
    positions: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        if not path.exists():
            return cls((), ())
        with closing(_readonly(path)) as db:
            rows = db.execute("SELECT * FROM activity WHERE type = 'WORKING_ORDER' ORDER BY id").fetchall()
            positions = db.execute("SELECT deal_id FROM positions ORDER BY deal_id").fetchall()
        rejected = {row["deal_id"] for row in rows if row["status"] == "REJECTED"}
        accepted = [row for row in rows if (row["source"], row["status"]) == ("USER", "ACCEPTED")]
        orders = tuple(_order_of(row) for row in accepted if row["deal_id"] not in rejected)
        return cls(orders, tuple(row["deal_id"] for row in positions))


def _order_of(row: sqlite3.Row) -> Order:
    details = json.loads(row["details"], parse_float=Decimal, parse_int=Decimal)
    return row["account_id"], row["epic"], details["direction"], details["size"].normalize()


@dataclass(frozen=True, slots=True)
class Books:
    """capcli's journal, row by row. Empty where there is no file."""

    previews: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    moves: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Books":
        if not path.exists():
            return cls()
        with closing(_readonly(path)) as db:
            previews = {row["id"]: dict(row) for row in db.execute("SELECT * FROM previews")}
            attempts = {row["id"]: dict(row) for row in db.execute("SELECT * FROM attempts")}
            moves = db.execute("SELECT * FROM events WHERE to_state IS NOT NULL ORDER BY seq").fetchall()
        return cls(previews, attempts, tuple(dict(row) for row in moves if row["attempt_id"]))

    @classmethod
    def of_all(cls, paths: Iterable[Path]) -> "Books":
        """Read several homes' journals as if they were one; ids are random, so none is in two."""
        found = [cls.read(path) for path in paths]
        return cls(
            {name: row for books in found for name, row in books.previews.items()},
            {name: row for books in found for name, row in books.attempts.items()},
            tuple(move for books in found for move in books.moves),
        )

    def attempt_of(self, preview_id: str) -> Mapping[str, Any] | None:
        return next((row for row in self.attempts.values() if row["preview_id"] == preview_id), None)

    def state_of(self, preview_id: str) -> str:
        """The state of the preview's attempt, else of the preview, else NONE."""
        attempt = self.attempt_of(preview_id)
        row = attempt or self.previews.get(preview_id)
        return row["state"] if row else "NONE"

    def order_of(self, attempt: Mapping[str, Any]) -> Order | None:
        preview = self.previews.get(attempt["preview_id"] or "")
        if preview is None:
            return None
        body = json.loads(preview["body"], parse_float=Decimal, parse_int=Decimal)
        return attempt["account_id"], body["epic"], body["direction"], body["size"].normalize()


def _readonly(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a verdict rests on."""

    ledger: Ledger
    books: Books
    seam: tuple[Seen, ...]
    told: tuple[Told, ...]

    @property
    def posts(self) -> int:
        """Count the order POSTs that the broker got."""
        return sum(one.is_order and one.reached for one in self.seam)

    def posts_of(self, preview_id: str) -> int:
        """Count the POSTs of a preview's body, wherever they ended."""
        body = self.books.previews[preview_id]["body_sha256"]
        return sum(one.is_order and one.body_sha256 == body for one in self.seam)

    def orders_of(self, preview_id: str) -> int:
        """Count the broker's orders that look like a preview's."""
        attempt = self.books.attempt_of(preview_id)
        wanted = self.books.order_of(attempt) if attempt else None
        return sum(order == wanted for order in self.ledger.orders)


def violations(found: Evidence) -> list[str]:
    """Return every broken promise, in words; an empty list is a pass."""
    return [
        *_more_than_one_post(found),
        *_not_durable(found),
        *_false_verdicts(found),
        *_false_words(found),
        *violations_in_moves(found.books),
    ]


def _more_than_one_post(found: Evidence) -> Iterable[str]:
    sent = Counter(one.body_sha256 for one in found.seam if one.is_order)
    counted = (row for row in found.books.attempts.values() if row["preview_id"] and row["sent_at"])
    allowed = Counter(row["body_sha256"] for row in counted)
    for body, count in sent.items():
        if count > allowed[body]:
            yield f"I1: {count} POSTs of {body[:8]}, {allowed[body]} attempts that were sent"


def _not_durable(found: Evidence) -> Iterable[str]:
    for one in found.seam:
        if one.is_order and one.durable is False:
            yield f"I2: POST {one.path} left before SENDING was in the journal"


def _false_verdicts(found: Evidence) -> Iterable[str]:
    tally: dict[Order, Counter[str]] = defaultdict(Counter)
    for row in found.books.attempts.values():
        order = found.books.order_of(row)
        if order is not None:
            tally[order][_kind_of(row)] += 1
    there = Counter(found.ledger.orders)
    for order, states in tally.items():
        if there[order] < states["placed"]:
            yield f"I3: {states['placed']} said to be placed, the broker has {there[order]}: {order}"
        if there[order] > states["placed"] + states["open"] and states["not placed"]:
            yield f"I3: the broker has {there[order]} of {order}, the journal says {dict(states)}"
    for row in found.books.attempts.values():
        if row["kind"] == "CLOSE" and row["state"] == "LANDED":
            deal = row["path"].rsplit("/", 1)[1]
            if deal in found.ledger.positions:
                yield f"I3: {deal} is said to be closed, the broker has it open"


def _kind_of(row: Mapping[str, Any]) -> str:
    state = row["state"]
    if state in PLACED:
        return "placed"
    # A presumption that names the deal which speaks against it denies nothing: a person has to decide.
    asked = state == "ABSENT" and json.loads(row["candidates"])
    return "open" if state in OPEN or asked else "not placed"


def _false_words(found: Evidence) -> Iterable[str]:
    for told in found.told:
        row = found.books.attempts.get(told.attempt_id)
        if told.state in PLACED | NOT_PLACED and row is not None and not _agrees(told.state, row["state"]):
            yield f"I8: told {told.state}, the journal says {row['state']}: {told.sentence}"
        if told.exit == 0 and told.state not in PLACED:
            yield f"I8: exit 0 with {told.state or 'no state'}"
        said_nothing = told.verdict.startswith(_NOTHING_SENT) or f"{_NOTHING_SENT}." in told.verdict
        if said_nothing and told.preview_id and found.orders_of(told.preview_id):
            yield f"I3: told that nothing was sent, the broker has it: {told.sentence}"


def _agrees(told: str, held: str) -> bool:
    # A late landing or a person corrects a presumption; no other verdict is ever taken back.
    return told == held or (told == "ABSENT" and held in {"LANDED", "NOT_SENT"})


def violations_in_moves(books: Books) -> Iterable[str]:
    at: dict[str, str | None] = {}
    for move in books.moves:
        before = at.get(move["attempt_id"])
        if move["to_state"] not in MAY_FOLLOW.get(before, set()):
            yield f"I7: {move['attempt_id']} went from {before} to {move['to_state']}"
        at[move["attempt_id"]] = move["to_state"]
    for name, row in books.attempts.items():
        if at.get(name) != row["state"]:
            yield f"I8: {name} is {row['state']}, its events end in {at.get(name)}"


def mismatches(case: Case, want: Outcome, told: Told | None, found: Evidence, preview_id: str) -> list[str]:
    """Compare a step with the matrix: exit code, sentence, the journal's state and the user's."""
    wrong = []
    state = found.books.state_of(preview_id)
    if state != want.recorded:
        wrong.append(f"{case.id}: the journal says {state}, expected {want.recorded}")
    if told is None:
        return wrong if want.exit < 0 else [*wrong, f"{case.id}: nobody was told, expected exit {want.exit}"]
    if told.exit != want.exit:
        wrong.append(f"{case.id}: exit {told.exit}, expected {want.exit}: {told.sentence}")
    if not want.reads(told.verdict):
        wrong.append(f"{case.id}: {told.verdict!r} does not read {want.sentence!r}")
    if told.state and told.state != want.state:
        wrong.append(f"{case.id}: told {told.state}, expected {want.state}")
    return wrong


def counts(case: Case, found: Evidence) -> list[str]:
    """Compare what the broker got and what it has with the matrix."""
    wrong = []
    if found.posts != case.posts:
        wrong.append(f"{case.id}: {found.posts} POSTs reached the broker, expected {case.posts}")
    if len(found.ledger.orders) != case.orders:
        wrong.append(f"{case.id}: {len(found.ledger.orders)} orders at the broker, expected {case.orders}")
    return wrong

"""Short answers: absent values left out, lists cut to what matters, and a cursor to the rest."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from capcli.errors import UsageError
from capcli.render.envelope import encode
from capcli.render.fields import check_fields, field_names, narrowed, rows_key, value_at

BUDGET = 20_000
"""Bytes of an answer for which nobody asked for more."""
_RESERVED = 400
_MARK_BYTES = 13
_EVERY = "*"


class Listing(Struct, frozen=True):
    """How the rows of a result are told: their usual fields, and whether as one table of columns and rows.

    `identity` are the fields that tell one row from another while the list changes; all of them if empty.
    `by` is the field of a row that is its cursor, where the use case itself begins behind one.
    `fields`, `most` and `cursor` are what a call asked for.
    """

    kind: type
    usual: tuple[str, ...] = ()
    in_columns: bool = False
    identity: tuple[str, ...] = ()
    by: str = ""
    fields: tuple[str, ...] = ()
    most: int | None = None
    cursor: str | None = None

    def asked(
        self, fields: Sequence[str] = (), most: int | None = None, cursor: str | None = None
    ) -> "Listing":
        """Return the listing for one call."""
        return replace(self, fields=tuple(fields), most=most, cursor=cursor)

    @property
    def key(self) -> str:
        return str(rows_key(self.kind))

    def check(self) -> None:
        """Raise UsageError for a field that the rows lack. Called before anything is read."""
        if self.fields != (_EVERY,):
            check_fields(self.kind, self.fields, "fields")

    def cut(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with the rows that were asked for. Raises UsageError for a lost cursor."""
        rows = document[self.key]
        names = self.usual if not self.fields else () if self.fields == (_EVERY,) else self.fields
        places = self._places(rows)
        start = self._start(places)
        told = [narrowed(row, names) if names else row for row in rows[start:]]
        table = names or field_names(self.kind)
        written = [self._row(row, table) for row in told]
        rest = {**document, self.key: {"columns": [*table], "rows": []} if self.in_columns else []}
        shown = written[: self._count(rest, written)]
        after: dict[str, Any] = {self.key: {"columns": [*table], "rows": shown} if self.in_columns else shown}
        if len(shown) < len(written):
            end = start + len(shown)
            after |= {"cursor": places[end - 1], "left": len(rows) - end}
        return {**document, **after}

    def _row(self, row: dict[str, Any], table: Sequence[str]) -> Any:
        if not self.in_columns:
            return without_absent(row)
        return [value_at(row, name) for name in table]

    def _count(self, rest: dict[str, Any], rows: list[Any]) -> int:
        """Return how many rows fit: as many as were asked for, else what the budget leaves room for."""
        if self.most is not None:
            return self.most
        left = BUDGET - _RESERVED - len(encode(without_absent(rest)))
        for count, row in enumerate(rows):
            left -= len(encode(row)) + 1
            if left < 0:
                return max(count, 1)
        return len(rows)

    def _start(self, places: list[str]) -> int:
        if self.cursor is None or self.by:
            return 0
        if self.cursor not in places:
            _check_form(self.cursor)
            raise UsageError(
                "cursor: the row it stands for is no longer in the list. Call again without cursor."
            )
        return places.index(self.cursor) + 1

    def _places(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """Name the place after each row by the row itself, and by how many like it come before."""
        if self.by:
            return [row[self.by] for row in rows]
        seen: Counter[bytes] = Counter()
        places = []
        for row in rows:
            digest = sha256(self._identity(row)).digest()[:12]
            mark = digest + bytes([min(seen[digest], 255)])
            seen[digest] += 1
            places.append(urlsafe_b64encode(mark).decode().rstrip("="))
        return places

    def _identity(self, row: dict[str, Any]) -> bytes:
        return encode([row[name] for name in self.identity] or row)


def _check_form(cursor: str) -> None:
    try:
        sound = len(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) == _MARK_BYTES
    except ValueError:
        sound = False
    if not sound:
        raise UsageError("The cursor is not one that this call returned. Leave it out to start again.")


def without_absent(value: Any) -> Any:
    """Return a document without its null members; the rows of a table keep theirs, whose place counts."""
    if isinstance(value, dict):
        if value.keys() == {"columns", "rows"}:
            return value
        return {key: without_absent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_absent(item) for item in value]
    return value

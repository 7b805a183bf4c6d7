"""Short answers: absent values left out, lists shortened, with a cursor to the rest."""

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
"""Bytes of an answer at most, unless the call asks for more rows."""
_RESERVED = 400
_MARK_BYTES = 13
_EVERY = "*"


class Listing(Struct, frozen=True):
    """The form of a result's rows: their default fields, and whether as one table of columns and rows.

    `identity` are the fields that tell one row from another while the list changes; all of them if empty.
    `by` is the field of a row that is its cursor, where the use case itself begins behind one.
    `fields`, `most` and `cursor` are what a call requests.
    """

    kind: type
    usual: tuple[str, ...] = ()
    in_columns: bool = False
    identity: tuple[str, ...] = ()
    by: str = ""
    fields: tuple[str, ...] = ()
    most: int | None = None
    cursor: str | None = None

    def requested(
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
        """Return the document with the requested rows. Raises UsageError for a lost cursor."""
        rows = document[self.key]
        marks = [row[self.by] for row in rows] if self.by else self._marks(rows)
        start = 0 if self.cursor is None or self.by else _place_after(self.cursor, marks)
        names = self.usual if not self.fields else () if self.fields == (_EVERY,) else self.fields
        columns = [*(names or field_names(self.kind))]
        if self.in_columns:
            written: list[Any] = [[value_at(row, name) for name in columns] for row in rows[start:]]
        else:
            written = [without_absent(narrowed(row, names) if names else row) for row in rows[start:]]

        def listed(some: list[Any]) -> Any:
            return {"columns": columns, "rows": some} if self.in_columns else some

        most = self.most
        if most is None:
            empty = without_absent({**document, self.key: listed([])})
            most = _fitting(written, BUDGET - _RESERVED - len(encode(empty)))
        found = {**document, self.key: listed(written[:most])}
        if most < len(written):
            found |= {"cursor": marks[start + most - 1], "left": len(written) - most}
        return found

    def _marks(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """Return the cursor after each row, made of the row and the number of equal rows before it."""
        before: Counter[bytes] = Counter()
        marks = []
        for row in rows:
            digest = sha256(encode([row[name] for name in self.identity] or row)).digest()[:12]
            mark = digest + bytes([min(before[digest], 255)])
            before[digest] += 1
            marks.append(urlsafe_b64encode(mark).decode().rstrip("="))
        return marks


def _fitting(rows: list[Any], left: int) -> int:
    """Return how many rows fit into this many bytes, at least one."""
    for count, row in enumerate(rows):
        left -= len(encode(row)) + 1
        if left < 0:
            return max(count, 1)
    return len(rows)


def _place_after(cursor: str, marks: list[str]) -> int:
    """Return the index of the row after a cursor. Raises UsageError for a cursor without a row."""
    if cursor in marks:
        return marks.index(cursor) + 1
    try:
        known = len(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) == _MARK_BYTES
    except ValueError:
        known = False
    if known:
        raise UsageError("cursor: the row it stands for is no longer in the list. Call again without cursor.")
    raise UsageError("The cursor is not one that this call returned. Leave it out to start again.")


def without_absent(value: Any) -> Any:
    """Return a document without null members; rows of a table keep theirs, since columns are by position."""
    if isinstance(value, dict):
        if value.keys() == {"columns", "rows"}:
            return value
        return {key: without_absent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_absent(item) for item in value]
    return value

"""Reads notes and tags from the journal's file directly, so that a list of deals loads no journal.

Nothing is written, and nothing here fails: on an error deals are shown without notes.
"""

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from msgspec import DecodeError
from msgspec.json import decode

from capcli.domain.notes import OrderNotes

_AT_ONCE = 500
_WAIT_S = 0.2
_PREVIEWED = """
    SELECT owned.name, previews.document FROM owned_deals AS owned
    JOIN attempts ON attempts.id = owned.attempt_id JOIN previews ON previews.id = attempts.preview_id
    WHERE owned.env = ? AND owned.host = ? AND owned.name IN ({})"""


def order_notes(journal: Path, env: str, host: str, names: Iterable[str]) -> dict[str, OrderNotes]:
    """Return the notes of the orders of these deals and working orders, if known."""
    wanted, found = sorted(set(names)), dict[str, OrderNotes]()
    if not wanted or not journal.exists():
        return found
    import sqlite3

    with (
        suppress(sqlite3.Error, DecodeError),
        closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)) as file,
    ):
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            rows = file.execute(_PREVIEWED.format(", ".join("?" * len(some))), (env, host, *some))
            found |= {name: decode(document, type=OrderNotes) for name, document in rows}
    return found

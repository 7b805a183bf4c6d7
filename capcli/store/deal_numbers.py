"""Numbers for deals: what a person at a terminal may type instead of a deal id.

A deal gets its number when this computer first shows it. No number is ever given to another deal.
"""

from collections.abc import Iterable
from datetime import datetime

from capcli.store.db import Database
from capcli.store.events import Event, Writing

_KNOWN = "SELECT deal_id, number FROM deal_numbers WHERE env = ? AND account_id = ? AND deal_id IN ({})"
_HIGHEST = "SELECT max(number) FROM deal_numbers WHERE env = ? AND account_id = ?"
_DEAL = "SELECT deal_id FROM deal_numbers WHERE env = ? AND account_id = ? AND number = ?"


class DealNumbers:
    """The numbers of the deals of every account, in the journal. Each method raises JournalUnreadable."""

    def __init__(self, db: Database, writing: Writing) -> None:
        self._db = db
        self._writing = writing

    def known(self, env: str, account_id: str, deal_ids: Iterable[str]) -> dict[str, int]:
        """Return the numbers of these deals; a deal never shown has none."""
        rows = self._db.rows_about(_KNOWN, (env, account_id), deal_ids)
        return {row["deal_id"]: row["number"] for row in rows}

    def give(self, env: str, account_id: str, deal_ids: Iterable[str], *, at: datetime) -> dict[str, int]:
        """Return the numbers of these deals; those without one get the next. Writes only where one is new."""
        wanted = list(dict.fromkeys(deal_ids))
        known = self.known(env, account_id, wanted)
        if len(known) == len(wanted):
            return known
        with self._writing() as (connection, append):
            # Another process may have numbered some meanwhile.
            known = self.known(env, account_id, wanted)
            (highest,) = connection.execute(_HIGHEST, (env, account_id)).fetchone()
            new = (deal_id for deal_id in wanted if deal_id not in known)
            fresh = {deal_id: number for number, deal_id in enumerate(new, (highest or 0) + 1)}
            for deal_id, number in fresh.items():
                connection.execute(
                    "INSERT INTO deal_numbers VALUES (?, ?, ?, ?)", (env, account_id, deal_id, number)
                )
            if fresh:
                append(Event("numbered", at, detail={"env": env, "account_id": account_id, "deals": fresh}))
        return known | fresh

    def deal(self, env: str, account_id: str, number: int) -> str | None:
        """Return the deal with a number, None if there is none."""
        row = self._db.row(_DEAL, (env, account_id, number))
        return None if row is None else str(row["deal_id"])

"""What was made of an account's positions, kept in memory until they have another edition."""

from collections.abc import Callable
from typing import Any, TypeVar

from capcli.paper.book import Account

_Made = TypeVar("_Made")


class Shelf:
    """One piece of each kind for each account. Safe to share between threads: a piece is put whole."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[int, Any]] = {}

    def get(self, kind: str, owner: Account, make: Callable[[_Made | None], _Made]) -> _Made:
        """What `make` made of this edition; it is given what it made of the one before."""
        key = (kind, owner.account_id)
        edition, kept = self._kept.get(key, (None, None))
        if edition != owner.edition:
            kept = make(kept)
            self._kept[key] = (owner.edition, kept)
        made: _Made = kept
        return made

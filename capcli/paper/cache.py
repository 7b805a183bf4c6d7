"""What was made of an account's positions, kept in memory until they have another edition."""

from collections.abc import Callable
from typing import Any, TypeVar

from capcli.paper.book import Account

_Made = TypeVar("_Made")


class Cache:
    """One piece of each kind for each account. Safe to share between threads: a piece is put whole."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[int, Any]] = {}

    def get(self, kind: str, owner: Account, make: Callable[[_Made | None], _Made]) -> _Made:
        """What `make` made of this edition; it is given what it made of the one before."""
        key = (kind, owner.account_id)
        kept = self._kept.get(key)
        if kept and kept[0] == owner.edition:
            same: _Made = kept[1]
            return same
        made = make(kept[1] if kept else None)
        self._kept[key] = (owner.edition, made)
        return made

"""Account preferences, cached for five minutes in small private files shared by the user's processes."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from capcli.domain import freshness
from capcli.domain.account import Leverage, Preferences
from capcli.domain.freshness import is_fresh
from capcli.ports import Clock
from capcli.store.cache_file import hashed, read_cached, write_cached


class _Kept(Struct):
    at: datetime
    hedging: bool
    leverages: dict[str, Leverage]


class _Margins(Struct):
    """Margins in percent by epic, with the leverages at that time."""

    leverages: dict[str, Leverage]
    margins: dict[str, Decimal]


class FilePreferences:
    """The `PreferencesBook` port over one file per host and account."""

    def __init__(self, folder: Path, host: str, clock: Clock) -> None:
        self.folder = folder
        self.host = host
        self.clock = clock

    def load(self, account_id: str) -> Preferences | None:
        kept = read_cached(self._file(account_id), _Kept)
        if kept is None or kept.at.tzinfo is None:
            return None
        if not is_fresh(kept.at, self.clock(), freshness.PREFERENCES):
            return None
        return self._with_observed(account_id, Preferences(kept.hedging, kept.leverages))

    def save(self, account_id: str, preferences: Preferences) -> Preferences:
        kept = _Kept(self.clock(), preferences.hedging, dict(preferences.leverages))
        write_cached(self._file(account_id), kept)
        return self._with_observed(account_id, preferences)

    def drop(self, account_id: str) -> None:
        with suppress(OSError):
            self._file(account_id).unlink()

    def drop_all(self) -> None:
        """Forget all accounts of the host, after a reset."""
        with suppress(OSError):
            for kind in ("preferences", "margins"):
                for file in self.folder.glob(f"{kind}-{hashed(self.host)}-*.json"):
                    file.unlink()

    def observe(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        margins = dict(self._with_observed(account_id, preferences).observed) | {epic: pct}
        write_cached(self._file(account_id, "margins"), _Margins(dict(preferences.leverages), margins))

    def _with_observed(self, account_id: str, preferences: Preferences) -> Preferences:
        kept = read_cached(self._file(account_id, "margins"), _Margins)
        if kept is None or kept.leverages != preferences.leverages:
            return replace(preferences, observed={})
        known = {epic: pct for epic, pct in kept.margins.items() if pct.is_finite() and pct > 0}
        return replace(preferences, observed=known)

    def _file(self, account_id: str, kind: str = "preferences") -> Path:
        return self.folder / f"{kind}-{hashed(self.host)}-{hashed(account_id)}.json"

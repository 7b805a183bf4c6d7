"""What accounts have chosen, kept for five minutes in small private files that processes of a user share."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

from capcli.domain import freshness
from capcli.domain.account import Leverage, Preferences
from capcli.domain.freshness import is_fresh
from capcli.errors import CapcliError
from capcli.ports import Clock
from capcli.system import private_folder, put_in_place

_FAILURES = (OSError, CapcliError, ValueError, TypeError, KeyError, AttributeError, InvalidOperation)


class FilePreferences:
    """The `PreferencesBook` port over one file per host and account. A file that fails is a missing one."""

    def __init__(self, folder: Path, host: str, clock: Clock) -> None:
        self.folder = folder
        self.host = host
        self.clock = clock

    def load(self, account_id: str) -> Preferences | None:
        import json

        with suppress(*_FAILURES):
            raw = json.loads(self._file(account_id).read_bytes())
            if is_fresh(datetime.fromisoformat(raw["at"]), self.clock(), freshness.PREFERENCES):
                return _read(raw)
        return None

    def save(self, account_id: str, preferences: Preferences) -> None:
        import json

        content = json.dumps({"at": self.clock().isoformat(), **_written(preferences)}).encode()
        with suppress(*_FAILURES):
            file = self._file(account_id)
            private_folder(file.parent)
            put_in_place(file, content)

    def drop(self, account_id: str) -> None:
        with suppress(OSError):
            self._file(account_id).unlink()

    def drop_all(self) -> None:
        """Forget every account of the host: it began anew."""
        with suppress(OSError):
            for kind in ("preferences", "margins"):
                for file in self.folder.glob(f"{kind}-{_short(self.host)}-*.json"):
                    file.unlink()

    def observe(self, account_id: str, preferences: Preferences, epic: str, pct: Decimal) -> None:
        """Keep the margin of a market as a fill showed it, for as long as the leverages stay the same."""
        import json

        known = {name: str(value) for name, value in self.observed(account_id, preferences).items()}
        content = {"leverages": _written(preferences)["leverages"], "margins": known | {epic: str(pct)}}
        with suppress(*_FAILURES):
            file = self._file(account_id, "margins")
            private_folder(file.parent)
            put_in_place(file, json.dumps(content).encode())

    def observed(self, account_id: str, preferences: Preferences) -> Mapping[str, Decimal]:
        """Return the margins that fills showed under these leverages, in percent by epic."""
        import json

        with suppress(*_FAILURES):
            raw = json.loads(self._file(account_id, "margins").read_bytes())
            if raw["leverages"] == _written(preferences)["leverages"]:
                found = {epic: Decimal(pct) for epic, pct in raw["margins"].items()}
                return {epic: pct for epic, pct in found.items() if pct.is_finite() and pct > 0}
        return {}

    def _file(self, account_id: str, kind: str = "preferences") -> Path:
        return self.folder / f"{kind}-{_short(self.host)}-{_short(account_id)}.json"


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _written(preferences: Preferences) -> dict[str, Any]:
    leverages = {
        name: [str(one.current), *map(str, one.available)] for name, one in preferences.leverages.items()
    }
    return {"hedging": preferences.hedging, "leverages": leverages}


def _read(raw: dict[str, Any]) -> Preferences:
    if type(raw["hedging"]) is not bool:
        raise ValueError
    return Preferences(raw["hedging"], {name: _leverage(row) for name, row in raw["leverages"].items()})


def _leverage(row: list[str]) -> Leverage:
    current, *available = map(Decimal, row)
    return Leverage(current, tuple(available))

"""How far markets move in an average day, kept for the day in one small private file for all processes."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

from capcli.errors import CapcliError
from capcli.system import private_folder, put_in_place

_FAILURES = (OSError, CapcliError, ValueError, TypeError, KeyError, AttributeError, InvalidOperation)


@dataclass(frozen=True, slots=True)
class FileDayRanges:
    """The `DayRangeBook` port over one file per host. A file that fails is a missing one.

    Two processes that save at the same time may lose one market: that costs a request, nothing else.
    """

    folder: Path
    host: str

    def load(self, epic: str, day: date) -> Decimal | None:
        with suppress(*_FAILURES):
            found = Decimal(self._ranges(day)[epic])
            return found if found.is_finite() and found > 0 else None
        return None

    def save(self, epic: str, day: date, day_range: Decimal) -> None:
        import json

        ranges: dict[str, Any] = {}
        with suppress(*_FAILURES):
            ranges = self._ranges(day)
        content = json.dumps({"day": day.isoformat(), "ranges": ranges | {epic: str(day_range)}}).encode()
        with suppress(*_FAILURES):
            private_folder(self.folder)
            put_in_place(self._file, content)

    def drop_all(self) -> None:
        """Forget every market of the host: it began anew."""
        with suppress(OSError):
            self._file.unlink()

    def _ranges(self, day: date) -> dict[str, Any]:
        import json

        raw = json.loads(self._file.read_bytes())
        return dict(raw["ranges"]) if raw["day"] == day.isoformat() else {}

    @property
    def _file(self) -> Path:
        return self.folder / f"day-ranges-{sha256(self.host.encode()).hexdigest()[:16]}.json"

"""Average daily ranges of markets, cached for the day in one small private file for all processes."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from capcli.store.cache_file import hashed, read_cached, write_cached


class _Ranges(Struct):
    day: date
    ranges: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class FileDayRanges:
    """The `DayRangeBook` port over one file per host."""

    folder: Path
    host: str

    def load(self, epic: str, day: date) -> Decimal | None:
        found = self._ranges(day).get(epic)
        return found if found is not None and found.is_finite() and found > 0 else None

    def save(self, epic: str, day: date, day_range: Decimal) -> None:
        write_cached(self._file, _Ranges(day, self._ranges(day) | {epic: day_range}))

    def drop_all(self) -> None:
        """Forget all markets of the host, after a reset."""
        with suppress(OSError):
            self._file.unlink()

    def _ranges(self, day: date) -> dict[str, Decimal]:
        kept = read_cached(self._file, _Ranges)
        return kept.ranges if kept is not None and kept.day == day else {}

    @property
    def _file(self) -> Path:
        return self.folder / f"day-ranges-{hashed(self.host)}.json"

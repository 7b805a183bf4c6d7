"""Candles of one market from a file, checked line by line: CSV, JSON lines or Parquet."""

import csv
import json
from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from capcli.paper.catalogue import Market, Markets
from capcli.paper.generator import SPANS
from capcli.paper.hours import MONDAY
from capcli.paper.price_feed import RESOLUTIONS
from capcli.paper.recordings import COLUMNS, Bars
from capcli.paper.times import SECOND_MS, stamp_seconds, to_ms

_TIMES = ("time", "timestamp", "datetime", "date")
_PRICES = ("open", "high", "low", "close")
_MOST = Decimal(10) ** 12
_MILLISECONDS = 100_000_000_000  # a whole number from here on is not seconds
_MOST_BARS = 5_000_000


class BadReplay(ValueError):
    """A file that cannot be replayed; the message says which line and why."""


class _Row(NamedTuple):
    line: int
    fields: Mapping[str, Any]


def read(epic: str, path: Path, markets: Markets) -> Bars:
    """The candles of a file, prices rounded half-even to the market's step. Raises BadReplay."""
    market = markets.get(epic)
    if market is None:
        raise BadReplay(f"There is no paper market {epic[:60]!a}.")
    if market.suspended:
        raise BadReplay(f"{epic} is the suspended market; replay another one.")
    forms = {".parquet": _parquet, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _jsonl}
    try:
        return _Reader(market, path.name).read(forms.get(path.suffix.lower(), _csv)(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadReplay(f"{path} cannot be read: {reason or error}.") from None


def _csv(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        names = [name.strip().lower() for name in next(reader, [])]
        for values in filter(None, reader):
            if len(values) != len(names):
                found = f"{len(values)} values under {len(names)} columns"
                raise BadReplay(f"{path.name}, line {reader.line_num}: {found}.")
            yield _Row(reader.line_num, dict(zip(names, values, strict=True)))


def _jsonl(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                found = json.loads(text, parse_float=str, parse_int=str)
            except ValueError:
                found = None
            if not isinstance(found, dict):
                raise BadReplay(f"{path.name}, line {line}: not a JSON object.")
            yield _Row(line, {name.lower(): value for name, value in found.items()})


def _parquet(path: Path) -> Iterator[_Row]:
    """Line numbers are row numbers, the first is 1."""
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise BadReplay(
            f"{path.name} is Parquet, which needs pyarrow: pip install 'capcli[parquet]', or write CSV."
        ) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except ValueError as error:  # pyarrow's errors about content are all of this kind
        raise BadReplay(f"{path.name} is not a Parquet file: {error}.") from None
    for line, row in enumerate(rows, 1):
        yield _Row(line, {name.lower(): value for name, value in row.items()})


class _Reader:
    """One file on its way into columns."""

    def __init__(self, market: Market, name: str) -> None:
        self._market = market
        self._name = name
        self._rounded = 0

    def read(self, rows: Iterator[_Row]) -> Bars:
        columns = tuple(array("q") for _ in range(COLUMNS))
        lines = array("q")
        for row in rows:
            for column, value in zip(columns, self._bar(row), strict=True):
                column.append(value)
            lines.append(row.line)
            if len(lines) > 1 and columns[0][-1] <= columns[0][-2]:
                before, start = map(_when, columns[0][-2:])
                raise self._bad(row.line, f"{start} is not after the bar before it, {before}")
            if len(lines) > _MOST_BARS:
                raise self._bad(row.line, f"more than {_MOST_BARS} bars")
        if len(lines) < 2:  # noqa: PLR2004  (two bars tell how long one is)
            raise BadReplay(f"{self._name}: a replay needs two bars or more, there are {len(lines)}.")
        level = self._level(columns[0], lines)
        return Bars(self._market.epic, level, self._name, self._rounded, columns)

    def _level(self, starts: "array[int]", lines: "array[int]") -> int:
        """The file's resolution: its smallest distance, which every bar must be aligned to."""
        span, row = min((starts[i] - starts[i - 1], i) for i in range(1, len(starts)))
        name = next((name for name, level in RESOLUTIONS.items() if SPANS[level] == span), None)
        if name is None:
            known = ", ".join(RESOLUTIONS)
            raise self._bad(lines[row], f"{span} seconds after the bar before it: no resolution ({known})")
        for start, line in zip(starts, lines, strict=True):
            if (start - MONDAY) % span:
                raise self._bad(line, f"{_when(start)} is not where a bar of {name} begins (UTC)")
        return RESOLUTIONS[name]

    def _bar(self, row: _Row) -> tuple[int, ...]:
        side = "bid_" if "bid_open" in row.fields else ""
        bids = [self._steps(row, f"{side}{name}") for name in _PRICES]
        offers = [bid + self._market.spread for bid in bids]
        if any(f"ask_{name}" in row.fields for name in _PRICES):
            offers = [self._steps(row, f"ask_{name}") for name in _PRICES]
        for prefix, (first, high, low, last) in ((side, bids), ("ask_", offers)):
            if high < max(first, last, low):
                raise self._bad(row.line, f"{prefix}high is below another price of the bar")
            if low > min(first, last):
                raise self._bad(row.line, f"{prefix}low is above another price of the bar")
        for name, bid, offer in zip(_PRICES, bids, offers, strict=True):
            if offer < bid:
                raise self._bad(row.line, f"ask_{name} is below bid_{name}")
        return (self._time(row), *bids, *offers, self._volume(row))

    def _time(self, row: _Row) -> int:
        name = next((name for name in _TIMES if name in row.fields), None)
        if name is None:
            raise self._bad(row.line, "there is no column time")
        value = row.fields[name]
        ms = to_ms(_utc(value)) if isinstance(value, datetime) else _ms(str(value).strip())
        if ms is None or ms % SECOND_MS:
            given = f"{name} {str(value)[:40]!a}"
            raise self._bad(row.line, f"{given} is not an instant such as 2026-11-20T14:30:00Z")
        return ms // SECOND_MS

    def _steps(self, row: _Row, name: str) -> int:
        price = self._number(row, name)
        if not 0 < price < _MOST:
            raise self._bad(row.line, f"{name} {price} is not a price above 0")
        return self._whole(price / self._market.step)

    def _volume(self, row: _Row) -> int:
        if row.fields.get("volume") in {None, ""}:
            return 0
        volume = self._number(row, "volume")
        if not 0 <= volume < _MOST:
            raise self._bad(row.line, f"volume {volume} is not a number of ticks")
        return self._whole(volume)

    def _whole(self, number: Decimal) -> int:
        whole = number.to_integral_value(ROUND_HALF_EVEN)
        self._rounded += whole != number
        return int(whole)

    def _number(self, row: _Row, name: str) -> Decimal:
        if name not in row.fields:
            raise self._bad(row.line, f"there is no column {name}")
        text = str(row.fields[name]).strip()
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise self._bad(row.line, f"{name} {text[:40]!a} is not a number")
        return number

    def _bad(self, line: int, what: str) -> BadReplay:
        return BadReplay(f"{self._name}, line {line}: {what}.")


def _when(second: int) -> str:
    return f"{stamp_seconds(second * SECOND_MS)}Z"


def _ms(text: str) -> int | None:
    """ISO 8601, without an offset in UTC, or whole seconds or milliseconds since 1970."""
    if text.isdecimal() and text.isascii() and len(text) < 16:  # noqa: PLR2004  (beyond any date)
        return int(text) if int(text) >= _MILLISECONDS else int(text) * SECOND_MS
    try:
        return to_ms(_utc(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        return None


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)

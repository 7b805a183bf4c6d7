"""Candles as lines of text, every number with the digits sent, and conversion of CSV to Parquet."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec.structs import astuple

from capcli.domain.market import Candle
from capcli.errors import ExtraMissing

PRICES = tuple(name for name in Candle.__struct_fields__ if name not in {"time", "volume"})
COLUMNS = ("time", *PRICES, "volume")
HEADER = (",".join(COLUMNS) + "\n").encode()
# 64 bits are read fastest; prices with unusually many places still keep them all.
_SHORT, _SHORT_PLACES, _LONG = 18, 8, 38
_BLOCK = 1 << 20
_GROUP = 50_000


def csv_lines(candles: Iterable[Candle]) -> bytes:
    """Write candles as CSV without a header; a volume that was not sent is an empty field."""
    return "".join(f"{_time(one.time)},{','.join(map(_text, _numbers(one)))}\n" for one in candles).encode()


def json_lines(candles: Iterable[Candle]) -> bytes:
    """Write candles as JSON objects, one a line."""
    lines = []
    for one in candles:
        pairs = zip(COLUMNS[1:], _numbers(one), strict=True)
        numbers = ",".join(f'"{name}":{_text(number) or "null"}' for name, number in pairs)
        lines.append(f'{{"time":"{_time(one.time)}",{numbers}}}\n')
    return "".join(lines).encode()


def _numbers(one: Candle) -> tuple[Decimal | None, ...]:
    return astuple(one)[1:]


def _text(number: Decimal | None) -> str:
    return "" if number is None else f"{number:f}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def need_pyarrow() -> None:
    """Raise ExtraMissing if Parquet cannot be written here."""
    try:
        import_module("pyarrow.parquet")
    except ImportError:
        raise ExtraMissing(
            "Parquet needs pyarrow, which is not installed: pip install 'capcli[parquet]', or name the file"
            " .csv or .jsonl. Nothing was fetched."
        ) from None


def to_parquet(source: Path, target: Path, *, price_places: int, volume_places: int) -> None:
    """Convert CSV to Parquet, a row group at a time: UTC timestamps, decimals with the given places."""
    csv, parquet, arrow = (import_module(name) for name in ("pyarrow.csv", "pyarrow.parquet", "pyarrow"))
    price, volume = (
        arrow.decimal128(_SHORT if places <= _SHORT_PLACES else _LONG, places)
        for places in (price_places, volume_places)
    )
    types = {"time": arrow.timestamp("s", "UTC"), **dict.fromkeys(PRICES, price), "volume": volume}
    schema = arrow.schema([*((name, types[name]) for name in COLUMNS)])
    reader = csv.open_csv(
        source,
        read_options=csv.ReadOptions(block_size=_BLOCK, use_threads=False),
        convert_options=csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )
    with reader, parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _groups(reader, arrow, schema):
            writer.write_table(group, row_group_size=_GROUP)


def _groups(reader: Iterable[Any], arrow: Any, schema: Any) -> Iterator[Any]:
    """Gather the reader's batches into row groups of one size."""
    batches: list[Any] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        while rows >= _GROUP:
            table = arrow.Table.from_batches(batches, schema)
            yield table.slice(0, _GROUP)
            batches = table.slice(_GROUP).to_batches()
            rows -= _GROUP
    if batches:
        yield arrow.Table.from_batches(batches, schema)

"""Downloads over the paper broker: whole, in order, exact, and gone on with after whatever stopped them."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from capcli.domain.market import Candle, Resolution
from capcli.errors import Busy, EpicUnknown, ExtraMissing, OutputUnusable, Unreachable, UsageError
from capcli.marketdata.downloads import Download, DownloadOrder, Progress, windows
from capcli.render.blocks import Terminal
from capcli.render.market import view
from capcli.render.plain import paint
from tests.support.seat import Seat, refusal

START = datetime(2026, 2, 26, tzinfo=UTC)
END = START + timedelta(minutes=240)
ROWS = 241
PAGES = 3
PAGE = 100


class Desk:
    """Downloads of minute candles into a folder."""

    def __init__(self, seat: Seat, folder: Path) -> None:
        self.seat = seat
        self.folder = folder
        self.told: list[Progress] = []

    def order(self, name: str = "gold.csv", epic: str = "GOLD", **changes: Any) -> DownloadOrder:
        found = {"resolution": Resolution.MINUTE, "start": START, "end": END} | changes
        return DownloadOrder(epic, target=str(self.folder / name), **found)

    def load(self, order: DownloadOrder | None = None, *, force: bool = False) -> Download:
        order = order or self.order()
        target = self.seat.app.candle_file(order.target, force=force)
        return self.seat.app.downloads.download(order, target, self.told.append).data

    def breaks_at(self, page: int) -> None:
        """Let the network be down from the page with this number on."""
        begins = START + timedelta(minutes=PAGE * page)

        def down(request: httpx.Request) -> httpx.Response | None:
            if datetime.fromisoformat(request.url.params["from"]).replace(tzinfo=UTC) < begins:
                return None
            raise httpx.ConnectError("down")

        self.seat.tap.breaks("GET", "/prices", before=down, times=1000)

    def stopped(self, page: int = 2, order: DownloadOrder | None = None) -> Unreachable:
        self.breaks_at(page)
        error = refusal(lambda: self.load(order))
        self.seat.tap.mend()
        assert isinstance(error, Unreachable)
        return error

    def pages(self) -> int:
        return sum("/prices/" in request.url.path for request in self.seat.tap.requests)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def desk(seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Yield a desk whose pages are small, so that several are quickly there."""
    monkeypatch.setattr("capcli.marketdata.downloads._PAGE", PAGE)
    folder = tmp_path / "files"
    folder.mkdir()
    return Desk(seat, folder)


def expected(seat: Seat, start: datetime = START, end: datetime = END) -> tuple[Candle, ...]:
    return seat.app.markets.prices("GOLD", Resolution.MINUTE, start=start, end=end).data.candles


def test_a_csv_holds_every_candle_once_with_the_digits_that_were_sent(desk: Desk) -> None:
    done = desk.load()
    rows = list(csv.DictReader((desk.folder / "gold.csv").read_text().splitlines()))

    assert (done.rows, done.requests, done.gaps, done.resumed) == (ROWS, PAGES, 0, False)
    assert (done.first, done.last) == (START, END)
    assert [row["time"] for row in rows] == [f"{one.time:%FT%TZ}" for one in expected(desk.seat)]
    assert [row["ask_high"] for row in rows] == [str(one.ask_high) for one in expected(desk.seat)]
    assert [row["volume"] for row in rows] == [str(one.volume) for one in expected(desk.seat)]
    assert desk.names() == ["gold.csv"]


def test_json_lines_hold_numbers_with_their_digits(desk: Desk) -> None:
    desk.load(desk.order("gold.jsonl"))
    lines = (desk.folder / "gold.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines]
    assert [row["bid_close"] for row in rows] == [one.bid_close for one in expected(desk.seat)]
    assert str(rows[1]["bid_open"]) == str(expected(desk.seat)[1].bid_open)


def test_parquet_has_exact_decimals_and_utc_instants(desk: Desk) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    desk.load(desk.order("gold.parquet"))
    table = parquet.read_table(desk.folder / "gold.parquet")

    assert str(table.schema.field("bid_open").type) == "decimal128(18, 2)"
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    rows = table.to_pylist()
    assert [(row["time"], row["ask_low"]) for row in rows] == [
        (one.time, one.ask_low) for one in expected(desk.seat)
    ]
    assert desk.names() == ["gold.parquet"]


def test_parquet_without_pyarrow_is_said_before_anything_is_fetched(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    error = refusal(lambda: desk.load(desk.order("gold.parquet")))
    assert isinstance(error, ExtraMissing)
    assert "pip install 'capcli[parquet]'" in error.message
    assert (desk.seat.tap.requests, desk.names()) == ([], [])


@pytest.mark.parametrize("name", ["gold.csv", "gold.jsonl"])
def test_a_broken_network_is_gone_on_from_and_makes_the_same_file(desk: Desk, name: str) -> None:
    whole = desk.order(f"whole-{name}")
    desk.load(whole)
    error = desk.stopped(order=desk.order(name))
    before = desk.pages()
    done = desk.load(desk.order(name))

    assert "2 of 3 pages are stored" in error.message
    assert error.next == desk.order(name).command
    assert done.resumed
    assert (done.requests, desk.pages() - before) == (PAGES, 1)
    assert (desk.folder / name).read_bytes() == Path(whole.target).read_bytes()


def test_the_same_span_later_goes_on_with_the_download_that_it_began(desk: Desk) -> None:
    desk.load(desk.order("whole.csv", last="4h"))
    error = desk.stopped(order=desk.order(last="4h"))
    later = desk.order(last="4h", start=START + timedelta(minutes=7))
    done = desk.load(later)

    assert error.next == later.command
    assert done.resumed
    assert (desk.folder / "gold.csv").read_bytes() == (desk.folder / "whole.csv").read_bytes()


def test_half_a_line_behind_the_checkpoint_is_cut_off(desk: Desk) -> None:
    desk.load(desk.order("whole.csv"))
    desk.stopped()
    with (desk.folder / "gold.csv.part").open("ab") as file:
        file.write(b"2026-02-27T09:20:00Z,2569.17,25")
    desk.load()
    assert (desk.folder / "gold.csv").read_bytes() == (desk.folder / "whole.csv").read_bytes()


@pytest.mark.parametrize("change", [{"end": END + timedelta(days=1)}, {"resolution": Resolution.HOUR}])
def test_other_arguments_for_the_same_file_are_refused_until_forced(
    desk: Desk, change: dict[str, Any]
) -> None:
    desk.stopped()
    error = refusal(lambda: desk.load(desk.order(**change)))
    assert isinstance(error, UsageError)
    assert "belongs to another download" in error.message
    assert (error.next or "").endswith(" --force")
    assert "gold.csv.part" in desk.names()

    assert not desk.load(desk.order(**change), force=True).resumed
    assert desk.names() == ["gold.csv"]


def test_a_partial_file_that_lost_bytes_is_not_gone_on_with(desk: Desk) -> None:
    desk.stopped()
    (desk.folder / "gold.csv.part").write_bytes(b"time,")
    assert "holds less than its checkpoint" in refusal(desk.load).message
    assert desk.load(force=True).rows == ROWS


def test_a_checkpoint_that_cannot_be_read_is_said(desk: Desk) -> None:
    desk.stopped()
    (desk.folder / "gold.csv.part.json").write_text("{")
    assert "cannot be read" in refusal(desk.load).message


def test_a_finished_file_stays_unless_forced(desk: Desk) -> None:
    (desk.folder / "gold.csv").write_text("mine")
    error = refusal(desk.load)
    assert isinstance(error, UsageError)
    assert (desk.folder / "gold.csv").read_text() == "mine"
    assert desk.seat.tap.requests == []
    assert desk.load(force=True).rows == ROWS


def test_the_old_file_stays_until_the_new_one_is_whole(desk: Desk) -> None:
    (desk.folder / "gold.csv").write_text("mine")
    desk.breaks_at(2)
    refusal(lambda: desk.load(force=True))
    assert (desk.folder / "gold.csv").read_text() == "mine"


def test_two_processes_do_not_write_one_file(desk: Desk) -> None:
    order = desk.order()
    first = desk.seat.app.candle_file(order.target, force=False)
    first.begin(order.terms, order.command)
    assert isinstance(refusal(desk.load), Busy)
    first.close()
    assert desk.load().rows == ROWS


def test_a_folder_that_is_not_there_is_said_before_anything_is_fetched(desk: Desk) -> None:
    error = refusal(lambda: desk.load(desk.order("nowhere/gold.csv")))
    assert isinstance(error, OutputUnusable)
    assert "No such file or directory. Nothing was fetched." in error.message
    assert desk.seat.tap.requests == []


def test_a_full_disk_is_said_and_gone_on_from(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("capcli.store.candle_files.os.fsync", full)
        error = refusal(desk.load)
    assert isinstance(error, OutputUnusable)
    assert "the disk is full. 0 of 3 pages are stored; the same command continues" in error.message
    assert desk.load().rows == ROWS


def test_a_name_without_a_known_ending_is_refused(desk: Desk) -> None:
    error = refusal(lambda: desk.load(desk.order("gold.txt")))
    assert ".csv, .jsonl, .parquet" in error.message


def test_an_unknown_epic_leaves_nothing_behind(desk: Desk) -> None:
    assert isinstance(refusal(lambda: desk.load(desk.order(epic="NOPE"))), EpicUnknown)
    assert desk.names() == []


def test_the_candle_that_is_still_forming_is_left_out(desk: Desk) -> None:
    now = desk.seat.time.now().replace(microsecond=0)
    done = desk.load(desk.order(start=now - timedelta(minutes=30), end=None))
    assert done.last == now - timedelta(minutes=2)
    assert done.rows == 29


def test_a_window_without_a_closed_candle_is_refused_and_nothing_left(desk: Desk) -> None:
    now = desk.seat.time.now()
    for start in (now - timedelta(seconds=30), now + timedelta(days=1)):
        error = refusal(lambda start=start: desk.load(desk.order(start=start, end=None)))
        assert "no closed MINUTE candle" in error.message
    assert desk.names() == []


def test_a_closed_weekend_is_neither_a_failure_nor_a_gap(desk: Desk) -> None:
    friday = datetime(2026, 2, 27, 21, tzinfo=UTC)
    done = desk.load(
        desk.order(
            epic="GBPUSD",
            resolution=Resolution.MINUTE_15,
            start=friday,
            end=friday + timedelta(days=2, hours=2),
        )
    )
    assert (done.gaps, done.requests) == (0, 3)
    assert done.rows == 4 + 5


def test_missing_candles_are_counted_across_pages(desk: Desk) -> None:
    def holed(request: httpx.Request) -> httpx.Response | None:
        if request.url.params["from"] != "2026-02-26T01:40:00":
            return None
        return httpx.Response(404, json={"errorCode": "error.prices.not-found"})

    desk.seat.tap.breaks("GET", "/prices", before=holed, times=10)
    done = desk.load()
    assert (done.rows, done.gaps, done.missing) == (ROWS - PAGE, 1, PAGE)
    assert done.longest_gap is not None
    assert done.longest_gap.after == START + timedelta(minutes=PAGE - 1)


def test_an_oldest_candle_that_comes_again_is_written_once(desk: Desk) -> None:
    # The first session of these hours opens at 14:30; four windows before it hold nothing.
    order = desk.order("usual.csv", "AAPL", start=START + timedelta(hours=6), end=START + timedelta(hours=16))
    desk.load(order)
    desk.seat.app.paper.set_fault("oldest-again")

    done = desk.load(replace(order, target=str(desk.folder / "again.csv")))

    assert (done.rows, done.requests, done.gaps) == (91, 7, 0)
    assert done.first == START + timedelta(hours=14, minutes=30)
    assert (desk.folder / "again.csv").read_text() == (desk.folder / "usual.csv").read_text()


def test_a_download_that_begins_before_the_oldest_candle_says_so(desk: Desk) -> None:
    desk.seat.app.paper.set_fault("oldest-again")
    early, late = (
        desk.load(
            desk.order(f"{year}.csv", resolution=Resolution.WEEK, start=datetime(year, 1, 1, tzinfo=UTC))
        )
        for year in (1969, 2025)
    )

    assert (early.asked_from.year, early.first) == (1969, datetime(1970, 1, 5, tzinfo=UTC))
    text = {shown.asked_from.year: paint(view(shown), Terminal()) for shown in (early, late)}
    assert "the broker sent nothing older, asked from 1969-01-01 00:00Z on" in text[1969]
    assert "older" not in text[2025]


def test_progress_counts_up_to_the_end(desk: Desk) -> None:
    desk.load()
    assert [one.pages for one in desk.told] == [1, 2, 3]
    assert (desk.told[-1].candles, desk.told[-1].of_pages, desk.told[-1].left_s) == (ROWS, PAGES, 0)


def test_windows_hold_a_thousand_candles_and_leave_none_out() -> None:
    found = list(windows(START, START + timedelta(minutes=1500), Resolution.MINUTE))
    minute = timedelta(minutes=1)
    assert found == [
        (START, START + 999 * minute),
        (START + 1000 * minute, START + 1500 * minute),
    ]


def test_windows_of_days_leave_no_second_out_for_where_days_begin_is_not_known() -> None:
    (_, stop), (start, _) = windows(START - timedelta(days=1500), START, Resolution.DAY)
    assert start - stop == timedelta(seconds=1)

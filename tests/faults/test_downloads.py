"""A real download from a served broker with its limits on: pace, memory, exactness, and kills on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from capcli.app import App
from capcli.broker.limits import REQUESTS, WINDOW_S
from capcli.paper.state import reset, switches
from capcli.paper.transport import PaperTransport
from capcli.runtime import utc_now
from tests.faults.bench import order
from tests.faults.processes import MONDAY
from tests.faults.served import Passed, passed_by, served, traffic
from tests.faults.traveller import Told, Trip
from tests.store.builders import CHILD_ENV
from tests.support.children import Child
from tests.support.launched import as_own_user

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and wait4")

PATIENCE_S = 600
MOST_AHEAD = REQUESTS // 2
YEAR = ("2025-01-01", "2025-12-31T23:59")
QUARTER = ("2025-01-01", "2025-03-31T23:59")
MONTH = ("2025-01-01", "2025-01-31T23:59")
DAYS = ("2025-06-01", "2025-06-30T23:59")
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, document, stderr, peak memory (MiB); wall and processor time (s).

    `lost_s` is what `tests.faults.loader` tells: turns that were there and not taken.
    """

    code: int
    data: dict[str, Any]
    err: str
    peak_mib: float
    took_s: float
    cpu_s: float
    lost_s: float


@dataclass
class Runs:
    """Downloads of minute candles of GOLD from a served broker that counts its requests."""

    folder: Path
    address: str
    count: int = 0
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environ = {name: text for name, text in CHILD_ENV.items() if not name.startswith("CAP")} | {
            "CAPCLI_HOME": str(self.folder / "home"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "CAP_ENV": "demo",
            "CAP_ALLOW_TRADING": "true",
            "CAP_API_URL": self.address,
            "CAP_API_KEY": "paper",
            "CAP_IDENTIFIER": "paper",
            "CAP_API_PASSWORD": "paper",
        }

    def starts(
        self, file: Path, span: tuple[str, str], *, late: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        words = ("prices", "GOLD", "--resolution", "1m", "--from", span[0], "--to", span[1])
        module = ["capcli"] if late is None else ["tests.faults.loader", str(late)]
        command = [sys.executable, *as_own_user(), "-m", *module, *words, "--output", str(file), "--json"]
        self.count += 1
        out, err = self.folder / f"out{self.count}", self.folder / f"err{self.count}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return Child(command, env=self.environ, stdout=stdout, stderr=stderr)

    def whole(self, file: Path, span: tuple[str, str]) -> Ended:
        began, late = time.monotonic(), self.folder / "late"
        process = self.starts(file, span, late=late)
        number = self.count
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        document = json.loads((self.folder / f"out{number}").read_bytes())
        err = (self.folder / f"err{number}").read_text()
        cpu = used.ru_utime + used.ru_stime
        return Ended(
            code=process.returncode,
            data=document.get("data", {}),
            err=err,
            peak_mib=used.ru_maxrss / 1024,
            took_s=took,
            cpu_s=cpu,
            lost_s=float(late.read_text()),
        )

    def killed_at(self, page: int, file: Path, span: tuple[str, str]) -> None:
        """Start a download, and kill it once its checkpoint holds so many pages."""
        note = file.with_name(f"{file.name}.part.json")
        with self.starts(file, span) as process:
            while _pages(note) < page:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL

    def seen(self) -> list[Passed]:
        return [one for one in traffic(self.folder / "traffic.jsonl") if one.path == "/prices/GOLD"]

    def asked_directly(self, span: tuple[str, str]) -> Iterator[dict[str, str]]:
        """Read the same candles from a second broker of the same seed, with nothing of the client."""
        other = self.folder / "other.db"
        reset(other, start=MONDAY, limits=False, at=utc_now())
        with httpx.Client(transport=PaperTransport(other, utc_now), base_url="http://paper/api/v1") as client:
            login = {"identifier": "paper", "password": "paper"}
            opened = client.post("/session", json=login, headers={"X-CAP-API-KEY": "paper"})
            tokens = {name: opened.headers[name] for name in ("CST", "X-SECURITY-TOKEN")}
            at, end = (datetime.fromisoformat(text) for text in span)
            while at <= end:
                stop = min(at + timedelta(minutes=999), end)
                query = {"resolution": "MINUTE", "max": "1000", "from": f"{at:%FT%T}", "to": f"{stop:%FT%T}"}
                answer = client.get("/prices/GOLD", params=query, headers=tokens)
                yield from map(_columns, json.loads(answer.text, parse_float=str, parse_int=str)["prices"])
                at = stop + timedelta(minutes=1)


def _pages(note: Path) -> int:
    try:
        pages: int = json.loads(note.read_bytes())["kept"]["pages"]
    except FileNotFoundError:
        return 0
    return pages


def _columns(bar: dict[str, Any]) -> dict[str, str]:
    sides = {f"{side}_{name}": bar[f"{name}Price"][side] for side in ("bid", "ask") for name in PRICES}
    return {"time": f"{bar['snapshotTimeUTC']}Z", **sides, "volume": bar["lastTradedVolume"]}


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open() as lines:
        names = next(lines).strip().split(",")
        for line in lines:
            yield dict(zip(names, line.strip().split(","), strict=True))


def of_ten_a_second(pages: list[Passed]) -> float:
    """Return the part of ten a second that a download used from its first to its last page."""
    return (len(pages) - 1) / ((pages[-1].at - pages[0].at) * REQUESTS / WINDOW_S)


def of_what_was_left(pages: list[Passed], lost_s: float) -> float:
    """Return the part of the turns that the limiter left to a download and that it took."""
    return 1 - lost_s / (pages[-1].at - pages[0].at)


def most_in_a_second(seen: list[Passed]) -> int:
    times = [round(one.at * 1000) for one in seen]
    return max(sum(start <= at < start + 1000 for at in times[i : i + 20]) for i, start in enumerate(times))


@pytest.fixture
def runs(memory: Path) -> Iterator[Runs]:
    (memory / "run").mkdir(mode=0o700)
    paper = memory / "paper.db"
    reset(paper, start=MONDAY, limits=True, at=utc_now())
    switches(paper, at=utc_now(), confirm_delay_ms=0)
    with served(paper, traffic=str(memory / "traffic.jsonl")) as (host, port):
        yield Runs(memory, f"http://{host}:{port}")


@pytest.mark.faults
def test_thirty_days_killed_twice_are_the_same_file_as_in_one_go(runs: Runs) -> None:
    at_once, in_parts = runs.folder / "once.csv", runs.folder / "parts.csv"
    once = runs.whole(at_once, DAYS)
    for page in (4, 10):
        runs.killed_at(page, in_parts, DAYS)
    parts = runs.whole(in_parts, DAYS)

    assert (once.code, parts.code) == (0, 0), once.err + parts.err
    assert (once.data["rows"], once.data["gaps"], once.data["requests"]) == (43_200, 0, 44)
    assert parts.data | {"resumed": False, "seconds": 0, "file": ""} == once.data | {"seconds": 0, "file": ""}
    assert in_parts.read_bytes() == at_once.read_bytes()
    assert all(mine == theirs for mine, theirs in zip(_rows(at_once), runs.asked_directly(DAYS), strict=True))
    assert sorted(path.name for path in runs.folder.glob("*.csv*")) == ["once.csv", "parts.csv"]
    assert {one.status for one in runs.seen()} == {200}
    assert most_in_a_second(runs.seen()) <= REQUESTS


@pytest.mark.faults
def test_an_order_goes_before_the_pages_of_a_real_download(runs: Runs) -> None:
    environ = {name: text for name, text in runs.environ.items() if name.startswith(("CAP", "XDG"))}
    with closing(App.build(environ=environ)) as app:
        preview_id = app.previews.preview(order()).data.preview_id
    trip = Trip(environ, after=1, preview=preview_id)
    with runs.starts(runs.folder / "beside.csv", MONTH) as bulk:
        note = runs.folder / "beside.csv.part.json"
        while _pages(note) < 5:
            assert bulk.poll() is None
            time.sleep(0.02)
        command = [sys.executable, *as_own_user(), "-m", "tests.faults.traveller", trip.write()]
        out = subprocess.run(command, env=CHILD_ENV, stdout=subprocess.PIPE, check=True).stdout
        assert bulk.wait(PATIENCE_S) == 0
    told = Told(**json.loads(out))
    print(f"order beside a download: {len(told.waits)} requests, longest wait {max(told.waits):.3f} s")

    assert (told.state, told.errors) == ("LANDED", [])
    assert passed_by(runs.seen(), told.turns) <= MOST_AHEAD


@pytest.mark.faults
def test_ctrl_c_says_how_to_go_on(runs: Runs) -> None:
    file = runs.folder / "c.csv"
    with runs.starts(file, YEAR) as process:
        while _pages(file.with_name("c.csv.part.json")) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    error = json.loads((runs.folder / f"out{runs.count}").read_bytes())["error"]

    assert error["code"] == "INTERRUPTED"
    assert error["next"].endswith(
        f"prices GOLD --resolution MINUTE --from 2025-01-01 --to 2025-12-31T23:59:00 --output {file}"
    )
    assert not file.exists()


@pytest.mark.soak
def test_a_year_of_minutes_at_the_pace_of_the_limiter_in_flat_memory(runs: Runs) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    quarter, file, in_parts = (runs.folder / f"{name}.parquet" for name in ("quarter", "year", "parts"))
    short = runs.whole(quarter, QUARTER)
    before = len(runs.seen())
    year = runs.whole(file, YEAR)
    pages = runs.seen()[before:]
    for page in (50, 200, 400):
        runs.killed_at(page, in_parts, YEAR)
    parts = runs.whole(in_parts, YEAR)

    took = pages[-1].at - pages[0].at
    share = of_what_was_left(pages, year.lost_s)
    print(
        f"year: {year.data['rows']} candles, {len(pages)} pages in {took:.1f} s, {len(pages) / took:.2f}/s:"
        f" {share:.1%} of what the limiter left, {of_ten_a_second(pages):.1%} of ten a second;"
        f" {year.cpu_s:.1f} s CPU; peak {year.peak_mib:.0f} MiB, a quarter {short.peak_mib:.0f} MiB;"
        f" {file.stat().st_size / 1e6:.1f} MB"
    )
    assert [one.code for one in (short, year, parts)] == [0, 0, 0]
    assert (year.data["rows"], parts.data["requests"]) == (525_600, 526)
    assert in_parts.read_bytes() == file.read_bytes()
    direct = runs.asked_directly(YEAR)
    for group in parquet.ParquetFile(file).iter_batches(10_000):
        assert all(_text(row) == next(direct) for row in group.to_pylist())
    assert next(direct, None) is None
    assert {one.status for one in runs.seen()} == {200}
    assert year.peak_mib < short.peak_mib * 1.15


def _text(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()} | {"time": f"{row['time']:%FT%TZ}"}

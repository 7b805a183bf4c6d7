"""A download over the change of New York's clocks: the broker tells of today's hours, in UTC."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.cli.conftest import Cli

from .answers import DETAILS, bar
from .conftest import Venue

FIVE = timedelta(minutes=5)
OPEN, CLOSE = (9, 30), (16, 0)
WORDS = ("prices", "AAPL", "--resolution", "5m", "--from", "2026-10-26", "--to", "2026-11-06T23:59")
HOLE = datetime(2026, 10, 28, 13, 30, tzinfo=UTC), datetime(2026, 10, 28, 14, 30, tzinfo=UTC)
WINTER = {
    **{day: ["14:30 - 21:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    "sat": [],
    "sun": [],
    "zone": "UTC",
}


def trades(at: datetime) -> bool:
    local = at.astimezone(ZoneInfo("America/New_York"))
    return local.weekday() < 5 and OPEN <= (local.hour, local.minute) < CLOSE


def page(path: str, hole: tuple[datetime, datetime] | None) -> dict[str, Any]:
    """Return the candles of a window, both ends included."""
    query = parse_qs(urlsplit(path).query)
    at, last = (datetime.fromisoformat(query[name][0]).replace(tzinfo=UTC) for name in ("from", "to"))
    bars = []
    while at <= last:
        if trades(at) and not (hole and hole[0] <= at < hole[1]):
            bars.append(bar(f"{at:%FT%T}"))
        at += FIVE
    return {"prices": bars, "instrumentType": "SHARES"}


@pytest.mark.parametrize(("hole", "gaps", "missing"), [(None, 0, 0), (HOLE, 1, 12)])
def test_a_us_share_over_a_change_of_clocks(
    venue: Venue, tmp_path: Path, hole: tuple[datetime, datetime] | None, gaps: int, missing: int
) -> None:
    share = {**DETAILS["instrument"], "epic": "AAPL", "type": "SHARES", "openingHours": WINTER}
    venue.script.answers["GET /markets/AAPL"] = {**DETAILS, "instrument": share}
    venue.script.pages["GET /prices/AAPL"] = lambda path: page(path, hole)

    done = venue(*WORDS, "--output", str(tmp_path / "aapl.csv"))

    assert done.code == 0, done
    data = done.data
    assert (data["rows"], data["gaps"], data["missing"]) == (10 * 78 - missing, gaps, missing)
    assert data["days_unjudged"] == 0
    if hole:
        assert data["longest_gap"]["before"] == "2026-10-28T14:30:00Z"


def test_the_paper_brokers_us_shares_change_their_clocks_too(tmp_path: Path) -> None:
    done = Cli(tmp_path / "home")("--json", *WORDS, "--output", str(tmp_path / "aapl.csv"))

    assert done.code == 0, done
    found = [done.data[name] for name in ("rows", "gaps", "missing", "days_unjudged")]
    assert found == [10 * 78, 0, 0, 0]
    lines = (tmp_path / "aapl.csv").read_text().splitlines()
    opened = {line[:19] for line in lines if line[11:16] in {"13:30", "14:30"} and line[8:10] in {"30", "02"}}
    assert {"2026-10-30T13:30:00", "2026-11-02T14:30:00"} <= opened
    assert "2026-11-02T13:30:00" not in opened


def test_a_candle_that_cannot_be_read_ends_a_download_and_no_view(venue: Venue, tmp_path: Path) -> None:
    whole, strange = bar("2026-11-25T10:00:00"), bar("2026-11-25T11:00:00") | {"openPrice": {"bid": "much"}}
    venue.script.answers["GET /prices/GOLD"] = {"prices": [whole, strange]}

    seen = venue("prices", "GOLD", "--last", "3")
    kept = venue("prices", "GOLD", "--from", "2026-11-25", "--output", str(tmp_path / "gold.csv"))

    assert (seen.code, len(seen.data["candles"])) == (0, 1)
    assert [row["name"] for row in seen.data["unreadable"]] == ["2026-11-25T11:00:00"]
    assert (kept.code, kept.error["code"]) == (6, "UNREADABLE_ANSWER")
    assert "2026-11-25T11:00:00" in kept.error["message"]

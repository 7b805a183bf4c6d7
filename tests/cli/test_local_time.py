"""`--tz local`: times as this computer's clock on the wall has them, shown and read; programs keep UTC."""

import sys
import time
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows takes its zone from the system")
LOCAL = ("--tz", "local")


@pytest.fixture(autouse=True)
def in_warsaw(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # As a rule, so that no database of zones is needed: one hour ahead in winter.
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_tables_show_local_time_with_its_offset(capcli: Cli) -> None:
    words = ("prices", "GOLD", "--last", "1")
    assert "2026-11-21 12:00 " in capcli(*words).out
    assert "2026-11-21 13:00+01:00" in capcli(*words, *LOCAL).out
    assert "2026-11-21 13:00+01:00" in capcli(*LOCAL, *words, typed="").out


def test_an_order_that_waits_shows_its_end(capcli: Cli) -> None:
    made = capcli(
        "preview", "SILVER", "--size", "1", "--at", "25", "--good-till", "2026-12-31T23:30", "--json"
    )
    capcli("execute", made.data["preview_id"], "--confirm")
    assert "2026-12-31 23:30Z" in capcli("orders").out
    assert "2027-01-01 00:30+01:00" in capcli("orders", *LOCAL).out


def test_days_and_times_without_an_offset_are_local(capcli: Cli) -> None:
    words = ("history", "activity", "--from")
    assert "2026-11-20 23:00Z to" in capcli(*words, "today", *LOCAL).out
    assert "2026-11-21 00:00Z to" in capcli(*words, "today").out
    assert "2026-11-19 23:00Z to" in capcli(*words, "yesterday", *LOCAL).out
    assert "2026-11-21 07:00Z to" in capcli(*words, "2026-11-21T08:00", *LOCAL).out
    assert "2026-11-21 08:00Z to" in capcli(*words, "2026-11-21T08:00Z", *LOCAL).out


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_programs_keep_utc(capcli: Cli, form: str) -> None:
    out = capcli("prices", "GOLD", "--last", "1", *LOCAL, form).out
    assert "2026-11-21T12:00:00" in out
    assert "+01:00" not in out


def test_another_zone_is_refused(capcli: Cli) -> None:
    done = capcli("status", "--tz", "Mars", "--json")
    assert (done.code, "Allowed: utc, local" in done.error["message"]) == (2, True)
    assert capcli("status", "--tz", "UTC").code == 0

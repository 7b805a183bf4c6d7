"""What a person is told: once, by two ways, and never at the cost of what it is about."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.safety.announcements import FIELDS, Announcement, Announcer, Happening
from tests.support.clock import Time
from tests.support.renaming import Renaming
from tests.support.seat import Seat, refusal

WAITS = Announcement(
    Happening.APPROVAL_WAITS,
    key="one",
    env="paper",
    account_id="1004",
    at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    text="BUY 1.5 SILVER (<b>\x1b]0;x\x07\u202e), at market\nOn PAPER",
    code="7K2M9X",
    expires_at=datetime(2026, 11, 21, 12, 10, tzinfo=UTC),
)


@dataclass
class Started:
    """Writes down what would be started; raises where a test says so."""

    there: bool = True
    error: OSError | None = None
    programs: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], document: bytes) -> None:
        self.programs.append((tuple(argv), document))
        if self.error is not None:
            raise self.error

    def desktop(self, title: str, text: str) -> tuple[str, ...] | None:
        return ("notify-send", title, text) if self.there else None


def announcer(started: Started, now: Any = lambda: 0.0, **more: Any) -> Announcer:
    return Announcer(lambda: started, now, **{"on_desktop": True, "command": ("tell-me",)} | more)


def test_the_desktop_shows_environment_and_code_and_the_command_gets_the_listed_fields() -> None:
    started = Started()
    announcer(started).announce(WAITS)

    (tell_me, document), (shown, nothing) = started.programs
    assert (tell_me, nothing) == (("tell-me",), b"")
    assert shown == ("notify-send", "capcli PAPER", "Something waits for your approval: code 7K2M9X")
    told = json.loads(document)
    assert tuple(told) == FIELDS
    assert told["text"] == "BUY 1.5 SILVER (<b> ]0;x  ), at market\nOn PAPER"
    assert (told["at"], told["expires_at"]) == ("2026-11-21T12:00:00Z", "2026-11-21T12:10:00Z")
    assert told["next"] == "capcli approve --watch --env paper"


def test_every_field_but_the_key_is_told() -> None:
    assert set(Announcement.__struct_fields__) - {"key"} | {"next"} == set(FIELDS)


def test_repeats_within_ten_seconds_are_one_and_another_request_is_told_at_once() -> None:
    started, at = Started(there=False), [0.0]
    told = announcer(started, lambda: at[0])
    for at[0] in (0.0, 3.0, 9.9):
        told.announce(WAITS)
    told.announce(replace(WAITS, key="two"))
    assert len(started.programs) == 2
    at[0] = 10.0
    told.announce(WAITS)
    assert len(started.programs) == 3


@pytest.mark.parametrize(
    ("options", "programs"),
    [({"on_desktop": False}, 1), ({"command": None}, 1), ({"on_desktop": False, "command": None}, 0)],
)
def test_each_way_can_be_off(options: dict[str, Any], programs: int) -> None:
    started = Started()
    announcer(started, **options).announce(WAITS)
    assert len(started.programs) == programs


def test_a_program_that_cannot_be_started_keeps_the_other_from_nothing() -> None:
    started = Started(error=OSError("no processes left"))
    announcer(started).announce(WAITS)
    assert [argv[0] for argv, _ in started.programs] == ["tell-me", "notify-send"]


def test_what_waits_for_a_person_is_announced_and_a_person_at_the_terminal_is_not_told(
    tmp_path: Path,
) -> None:
    started = Started()
    seat = Seat(tmp_path / "home", Time(), launch=started, CAP_APPROVAL="human", CAP_NOTIFY_CMD="tell-me")
    try:
        preview = seat.preview()
        code = refusal(lambda: seat.execute(preview.preview_id)).details["approval_code"]
        refusal(lambda: seat.execute(preview.preview_id))
        again = Seat(
            seat.home, seat.time, number=1, launch=started, CAP_APPROVAL="human", CAP_NOTIFY_CMD="tell-me"
        )
        refusal(lambda: again.execute(preview.preview_id))
        again.close()
    finally:
        seat.close()
    told = [json.loads(document) for argv, document in started.programs if argv == ("tell-me",)]
    assert [one["code"] for one in told] == [code]
    assert told[0]["text"].startswith("BUY 1.5 SILVER")


@pytest.mark.parametrize(
    "name",
    [
        '" & (do shell script "touch /tmp/x") & "',
        "'; Start-Process calc; $(whoami)",
        "<b>Silver</b><img src='x'>&lt;",
        "--icon=/etc/passwd -e evil",
        "Silver\r\nBUY 9 GOLD\x1b]0;owned\x07\u202e",
    ],
)
def test_what_a_broker_calls_a_market_is_text_for_the_command_and_nothing_for_the_desktop(
    tmp_path: Path, name: str
) -> None:
    started = Started()
    seat = Seat(tmp_path / "home", Time(), launch=started, CAP_APPROVAL="human", CAP_NOTIFY_CMD="tell-me")
    seat.tap._inner = Renaming(seat.tap._inner, name)
    try:
        preview = seat.preview()
        refusal(lambda: seat.execute(preview.preview_id))
    finally:
        seat.close()
    (tell_me, document), (shown, nothing) = started.programs
    assert (tell_me, nothing, document.count(b"\n"), document.isascii()) == (("tell-me",), b"", 1, True)
    text = json.loads(document)["text"]
    assert text.splitlines()[0].startswith("BUY 1.5 SILVER (")
    assert all(line.isprintable() for line in text.splitlines())
    assert shown[2].startswith("Something waits for your approval: code ")
    assert not set("<>&$;'\"-") & set("".join(shown[1:]))

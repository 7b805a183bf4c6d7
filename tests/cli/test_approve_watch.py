"""`approve --watch`: which key means what, and when none means anything. Keys are typed by the clock."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from capcli.cli.approve_watch import ApprovalWatch
from capcli.domain.approval import ApprovalState
from capcli.errors import ApprovalRequired, ApprovalsFull, PinWrong
from tests.support.clock import Time
from tests.support.seat import Seat, refusal, stop_at

Deed = Callable[[], Any] | str


@dataclass
class Person:
    """Types at set times after the watch began (seconds), and leaves with Ctrl-C when nothing is left to do.

    A deed that is no key is what happens elsewhere meanwhile.
    """

    time: Time
    deeds: list[tuple[float, Deed]] = field(default_factory=list)
    screen: str = ""

    def __post_init__(self) -> None:
        self.began = self.time.monotonic()

    @contextmanager
    def keys(self) -> Iterator["Person"]:
        yield self

    def read(self, timeout_s: float) -> str | None:
        if not self.deeds and timeout_s:
            raise KeyboardInterrupt
        at = self.began + self.deeds[0][0] if self.deeds else float("inf")
        if at > self.time.monotonic() + timeout_s:
            self.time.tick(timeout_s)
            return None
        self.time.tick(max(0.0, at - self.time.monotonic()))
        deed = self.deeds.pop(0)[1]
        return deed if isinstance(deed, str) else deed() and None


@dataclass
class Room:
    """A seat where a person approves, and the terminal on which they watch."""

    seat: Seat
    time: Time
    pin: Callable[[], None] = lambda: None
    halts: int = 0

    def asked(self, size: str = "1.5", **changes: Any) -> str:
        """Have an order asked for and return its preview."""
        preview = self.seat.preview(size=size, stop=stop_at("24.50"), **changes).preview_id
        assert isinstance(refusal(lambda: self.seat.execute(preview, again=True)), ApprovalRequired)
        return preview

    def watch(self, *deeds: tuple[float, Deed]) -> str:
        person = Person(self.time, list(deeds))
        screen: list[str] = []
        watch = ApprovalWatch(
            self.seat.app.approvals,
            screen.append,
            self.time.monotonic,
            ask_pin=self.pin,
            halt=self.halt,
            where="PAPER (paper)",
        )
        with pytest.raises(KeyboardInterrupt):
            watch.run(person.keys)
        return "".join(screen)

    def halt(self) -> str:
        self.halts += 1
        return "Halted."

    def states(self) -> list[ApprovalState]:
        journal = self.seat.app.journal
        return [row.state for row in journal.approvals_waiting(now=self.time.now())]

    def orders(self) -> int:
        return [(r.method, r.url.path) for r in self.seat.tap.requests].count(("POST", "/api/v1/positions"))


@pytest.fixture
def room(tmp_path: Path) -> Any:
    time = Time()
    seat = Seat(tmp_path / "home", time, CAP_APPROVAL="human")
    yield Room(seat, time)
    seat.close()


def test_y_approves_what_stands_there_and_the_next_call_sends_it_once(room: Room) -> None:
    preview = room.asked()
    screen = room.watch((2.5, "y"))
    assert "BUY 1.5 SILVER (Silver), at market, about" in screen
    assert "Asked by a script at" in screen
    assert "Approved until" in screen
    assert "Nothing waits." in screen
    assert room.orders() == 0
    assert room.seat.execute(preview, again=True).data.state == "LANDED"
    assert room.seat.execute(preview, again=True).data.replayed
    assert room.orders() == 1


def test_n_refuses_it_and_the_next_call_is_told_so(room: Room) -> None:
    preview = room.asked()
    assert "Denied. Nothing was sent." in room.watch((2.5, "n"))
    assert refusal(lambda: room.seat.execute(preview, again=True)).code == "APPROVAL_DENIED"
    assert room.orders() == 0


@pytest.mark.parametrize("key", ["y", "n", "h"])
@pytest.mark.parametrize("at", [0.1, 1.9])
def test_no_key_counts_within_two_seconds_of_a_new_screen(room: Room, key: str, at: float) -> None:
    room.asked()
    room.watch((at, key), (4.0, "x"))
    assert (room.states(), room.halts) == ([ApprovalState.PENDING], 0)


@pytest.mark.parametrize("typed", ["yy", "y\n", "yes\n", "\x1by", "\x1b[A", "x", "j", "Y\r", "\x00", ""])
def test_what_is_no_single_y_or_n_decides_nothing(room: Room, typed: str) -> None:
    room.asked()
    screen = room.watch((2.5, typed))
    assert room.states() == [ApprovalState.PENDING]
    assert "Only a single key counts" in screen


def test_after_a_yes_the_key_that_is_still_pressed_is_not_one_for_the_next(room: Room) -> None:
    room.asked("1.5")
    room.asked("2")
    room.watch((2.5, "y"), (2.6, "y"), (3.0, "y"), (4.4, "y"))
    assert sorted(room.states()) == [ApprovalState.APPROVED, ApprovalState.PENDING]


def test_a_request_that_changes_under_the_finger_is_shown_anew_and_not_signed(room: Room) -> None:
    preview = room.asked()

    def asked_anew() -> None:
        journal = room.seat.app.journal
        (row,) = journal.approvals_waiting(now=room.time.now())
        changed = (row.__class__)(
            **{name: getattr(row, name) for name in row.__struct_fields__}
            | {"code_hash": "another", "text": "BUY 1.5 SILVER, at market, about 31"}
        )
        assert journal.ask_approval([changed])

    screen = room.watch((2.45, asked_anew), (2.5, "y"))
    assert ApprovalState.APPROVED not in room.states()
    assert "about 31" in screen
    assert refusal(lambda: room.seat.execute(preview, again=True)).code == "APPROVAL_REQUIRED"


@pytest.mark.parametrize("when", ["before it is shown anew", "while the PIN is typed"])
def test_a_row_that_a_hand_changed_is_not_signed(room: Room, when: str) -> None:
    room.asked()

    def forged() -> None:
        with closing(sqlite3.connect(room.seat.home / "journal.db", isolation_level=None)) as raw:
            raw.execute("UPDATE approvals SET text = 'BUY 0.1 SILVER'")

    if when == "while the PIN is typed":
        room.pin = forged
        screen = room.watch((2.5, "y"))
    else:
        screen = room.watch((1.0, forged), (4.0, "y"))
    assert "Nothing was changed." in screen
    assert room.states() == [ApprovalState.PENDING]


def test_one_decided_elsewhere_or_expired_leaves_the_screen(room: Room) -> None:
    room.asked()
    approvals = room.seat.app.approvals
    (request,) = approvals.queue().requests
    screen = room.watch(
        (2.5, lambda: approvals.settle(request, approved=False, by="another terminal")), (9.0, "x")
    )
    assert "It is no longer waiting" in screen
    room.asked("2")
    room.watch((700.0, "y"))
    assert room.states() == []


def test_of_two_watchers_and_one_yes_the_second_key_is_told_that_it_came_late(room: Room) -> None:
    room.asked()
    (request,) = room.seat.app.approvals.queue().requests
    assert room.seat.app.approvals.settle(request, approved=True, by="one").data.requests == 1
    late = refusal(lambda: room.seat.app.approvals.settle(request, approved=True, by="two"))
    assert (late.code, room.states()) == ("APPROVAL_UNKNOWN", [ApprovalState.APPROVED])


def test_a_wrong_pin_approves_nothing_and_the_request_stays(room: Room) -> None:
    def wrong() -> None:
        raise PinWrong("Wrong PIN. Nothing was done.")

    room.asked()
    room.pin = wrong
    screen = room.watch((2.5, "y"), (5.5, "n"))
    assert "Wrong PIN." in screen
    assert "Denied." in screen, "a no never asks for the PIN"
    assert room.states() == []


def test_h_halts_without_a_pin_also_while_nothing_waits(room: Room) -> None:
    def never() -> None:
        raise AssertionError("halting asks for nothing")

    room.pin = never
    assert "Halted." in room.watch((2.5, "h"))
    room.asked()
    room.watch((2.5, "h"))
    assert (room.halts, room.states()) == (2, [ApprovalState.PENDING])


def test_the_sixth_request_of_a_client_is_refused_and_says_what_to_do(room: Room) -> None:
    for size in ("1", "2", "3", "4", "5"):
        room.asked(size)
    preview = room.seat.preview(size="6").preview_id
    error = refusal(lambda: room.seat.execute(preview, again=True))
    assert isinstance(error, ApprovalsFull)
    assert error.next == "capcli approve --watch --env paper"
    assert len(room.states()) == 5
    room.watch((2.5, "n"))
    assert isinstance(refusal(lambda: room.seat.execute(preview, again=True)), ApprovalRequired)


def test_one_request_that_is_asked_by_many_processes_is_one_on_the_screen(room: Room) -> None:
    preview = room.asked()
    for number in range(2, 9):
        other = Seat(room.seat.home, room.time, number=number, CAP_APPROVAL="human")
        assert isinstance(refusal(lambda one=other: one.execute(preview, again=True)), ApprovalRequired)
        other.close()
    assert len(room.seat.app.approvals.queue().requests) == 1
    room.watch((2.5, "n"))
    assert (room.seat.app.approvals.queue().requests, room.states()) == ((), [])
    assert refusal(lambda: room.seat.execute(preview, again=True)).code == "APPROVAL_DENIED"


def test_once_a_yes_was_said_under_one_code_the_others_wait_for_nobody(room: Room) -> None:
    preview = room.asked()
    other = Seat(room.seat.home, room.time, number=2, CAP_APPROVAL="human")
    assert isinstance(refusal(lambda: other.execute(preview, again=True)), ApprovalRequired)
    other.close()
    assert "Nothing waits." in room.watch((2.5, "y"))
    assert sorted(room.states()) == [ApprovalState.APPROVED, ApprovalState.PENDING]
    assert room.seat.app.approvals.queue().requests == ()


def test_what_waits_elsewhere_is_named_with_the_command_and_not_decided_here(room: Room) -> None:
    journal = room.seat.app.journal
    room.asked()
    (row,) = journal.approvals_waiting(now=room.time.now())
    names = {name: getattr(row, name) for name in row.__struct_fields__}
    elsewhere = names | {"code_hash": "c", "digest": "d", "env": "demo", "host": "demo.example"}
    journal.ask_approval([type(row)(**elsewhere)])
    screen = room.watch((2.5, "y"), (6.0, "y"))
    assert "1 request waits on demo (demo.example): capcli approve --watch --env demo" in screen
    (state,) = (one.state for one in journal.approvals("c"))
    assert state is ApprovalState.PENDING


def test_hostile_text_reaches_the_screen_as_plain_text(room: Room) -> None:
    journal = room.seat.app.journal
    room.asked()
    (row,) = journal.approvals_waiting(now=room.time.now())
    names = {name: getattr(row, name) for name in row.__struct_fields__}
    evil = "SELL 9 GOLD \x1b[2J\x1b]0;x\x07\u202e<b>--icon</b>\rBUY 1"
    journal.ask_approval([type(row)(**names | {"code_hash": "c", "digest": "d", "text": evil})])
    screen = room.watch((2.5, "n"), (5.5, "x"))
    assert "SELL 9 GOLD ?[2J?]0;x??<b>--icon</b>" in screen
    assert all(letter.isprintable() or letter == "\n" for letter in screen)


def test_what_a_person_is_asked_at_their_own_terminal_is_not_shown_here(room: Room) -> None:
    preview = room.seat.preview().preview_id
    room.seat.app.approvals._at_terminal = True
    assert isinstance(refusal(lambda: room.seat.execute(preview, again=True)), ApprovalRequired)
    assert "BUY" not in room.watch((2.5, "y"))
    assert room.states() == [ApprovalState.PENDING]

"""The PIN of live: what it recognises, how wrong tries are counted, and what is kept of it."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from capcli.domain.going_live import PinHash
from capcli.errors import CapcliError, PinMissing, PinTooShort, PinWrong, UsageError
from capcli.safety.halt import Halting
from capcli.safety.pin import Pin
from capcli.store.halt import FileHalt
from capcli.store.journal import SqliteJournal

GOOD = "korrekt pferd"


@dataclass
class Keeper:
    held: PinHash | None = None

    def load(self):
        return self.held

    def save(self, pin):
        self.held = pin


@dataclass
class Seat:
    keeper: Keeper
    halting: Halting
    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def pin(self):
        """Return the PIN as a new process has it."""
        return Pin(self.keeper, lambda: self.halting, lambda: self.now, nullcontext, needed=lambda: True)

    def wrong(self):
        with pytest.raises(PinWrong) as refused:
            self.pin().check("something else")
        return refused.value


@pytest.fixture
def seat(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    yield Seat(
        Keeper(),
        Halting(
            FileHalt(tmp_path / "halted", tmp_path / "guard" / "halted"), lambda: journal, lambda: now, pid=7
        ),
    )
    journal.close()


def test_the_right_pin_passes_and_nothing_of_it_is_kept(seat):
    seat.pin().set(GOOD)

    seat.pin().check(GOOD)

    assert GOOD.encode() not in seat.keeper.held.hash
    assert (seat.keeper.held.wrong, len(seat.keeper.held.salt)) == (0, 16)
    assert GOOD not in repr(seat.keeper.held)


def test_without_a_pin_nobody_is_recognised(seat):
    with pytest.raises(PinMissing) as refused:
        seat.pin().check(GOOD)

    assert "live checklist" in refused.value.next


@pytest.mark.parametrize("text", ["", "12345", "x" * 129])
def test_a_pin_has_a_length(seat, text):
    with pytest.raises(PinTooShort):
        seat.pin().set(text)

    assert seat.keeper.held is None


def test_a_pin_that_is_there_is_not_replaced(seat):
    seat.pin().set(GOOD)

    with pytest.raises(UsageError):
        seat.pin().set("another one")

    seat.pin().check(GOOD)


def test_five_wrong_tries_in_a_row_halt_also_over_processes(seat):
    seat.pin().set(GOOD)

    left = [seat.wrong().details["tries_left"] for _ in range(4)]

    assert (left, seat.halting.current()) == ([4, 3, 2, 1], None)
    last = seat.wrong()
    assert (last.details["halted"], last.details["tries_left"]) == (True, 0)
    assert "wrong 5 times" in seat.halting.current().reason


def test_the_right_pin_ends_the_row(seat):
    seat.pin().set(GOOD)
    seat.wrong()
    seat.wrong()

    seat.pin().check(GOOD)

    assert seat.wrong().details["tries_left"] == 4


def test_after_five_one_try_a_minute_is_looked_at(seat):
    seat.pin().set(GOOD)
    for _ in range(5):
        seat.wrong()

    with pytest.raises(PinWrong) as refused:
        seat.pin().check(GOOD)
    assert "try again from 12:01:00Z" in refused.value.message

    seat.now += timedelta(seconds=60)
    seat.pin().check(GOOD)


def test_a_clock_that_was_set_back_keeps_nobody_out(seat):
    seat.pin().set(GOOD)
    for _ in range(5):
        seat.wrong()

    seat.now -= timedelta(seconds=1)
    seat.pin().check(GOOD)

    assert seat.keeper.held.wrong == 0


def test_the_pause_after_five_lasts_to_its_last_second(seat):
    seat.pin().set(GOOD)
    for _ in range(5):
        seat.wrong()

    seat.now += timedelta(seconds=59)
    with pytest.raises(PinWrong, match="this PIN was not checked"):
        seat.pin().check(GOOD)


def test_a_try_that_is_killed_has_counted(seat):
    seat.pin().set(GOOD)

    def die(_pin):
        raise KeyboardInterrupt

    kept, seat.keeper.save = seat.keeper.save, die
    with pytest.raises(KeyboardInterrupt):
        seat.pin().check("something else")
    seat.keeper.save = kept

    def dies_second(pin):
        kept(pin)
        seat.keeper.save = die

    seat.keeper.save = dies_second
    with pytest.raises(KeyboardInterrupt):
        seat.pin().check(GOOD)
    assert seat.keeper.held.wrong == 1


def test_no_message_repeats_what_was_typed(seat):
    seat.pin().set(GOOD)

    errors: list[CapcliError] = [seat.wrong() for _ in range(5)]

    assert not any("something" in f"{error.message}{error.details}" for error in errors)

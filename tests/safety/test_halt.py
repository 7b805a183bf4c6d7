"""One switch for every face and process: what adds risk is refused, what takes risk away goes on."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from capcli.domain.attempt import AttemptState, PreviewState
from capcli.domain.bracket import Change
from capcli.domain.order import Trigger
from capcli.errors import CapcliError, Halted, NotConfirmed
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal, stop_at

D = Decimal
BY = "capcli halt"


def halt(seat: Seat, reason: str = "enough") -> Any:
    return seat.app.halting.halt(reason, by=BY).data


def test_a_halt_refuses_what_another_process_confirmed(seats: Seats) -> None:
    sender, other = seats(), seats()
    shown = sender.preview()
    halt(other)
    error = refusal(lambda: sender.execute(shown.preview_id))
    assert isinstance(error, Halted)
    assert (error.code, error.exit_code, error.next) == ("HALTED", 5, "capcli resume")
    assert error.message.startswith("Halted since 2026-03-02 12:00:")
    assert f"by {BY} (process " in error.message
    assert ": enough. The order was not sent." in error.message
    assert sender.app.journal.preview(shown.preview_id).state is PreviewState.READY
    assert sender.book() == []


def test_a_halt_during_the_last_look_leaves_the_preview_as_it_was(seat: Seat) -> None:
    shown = seat.preview()
    seat.tap.breaks("GET", "/accounts", before=lambda _: halt(seat) and None)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (int(error.exit_code), error.details["failed"]) == (5, ["halt"])
    assert seat.app.journal.preview(shown.preview_id).state is PreviewState.READY
    assert seat.tap.orders() == []


def test_what_was_refused_can_be_sent_after_a_resume(seat: Seat) -> None:
    shown = seat.preview()
    halt(seat)
    refusal(lambda: seat.execute(shown.preview_id))
    assert seat.app.halting.resume(confirmed=True, by="capcli resume").data.halted is False
    assert seat.execute(shown.preview_id).exit_code == 0


def test_a_resume_has_to_be_confirmed(seat: Seat) -> None:
    halt(seat)
    error = refusal(lambda: seat.app.halting.resume(confirmed=False, by="capcli resume"))
    assert isinstance(error, NotConfirmed)
    assert error.next == "capcli resume --confirm"
    assert seat.app.halting.current() is not None


def test_halting_and_resuming_twice_changes_nothing(seat: Seat) -> None:
    first = halt(seat)
    again = halt(seat, "more")
    assert (first.changed, again.changed, again.reason) == (True, False, "enough")
    assert again.sentence.startswith("Already halted since")
    resume = lambda: seat.app.halting.resume(confirmed=True, by="capcli resume").data  # noqa: E731
    assert (resume().changed, resume().changed) == (True, False)


def test_both_are_in_the_journal(seat: Seat) -> None:
    halt(seat)
    seat.app.halting.resume(confirmed=True, by="capcli resume")
    kinds = [row["kind"] for row in seat.app.journal._db.rows("SELECT kind FROM events ORDER BY seq")]
    assert kinds == ["begin", "halt", "resume"]


def test_a_journal_that_is_damaged_keeps_nobody_from_halting(seat: Seat) -> None:
    seat.home.mkdir(parents=True)
    (seat.home / "journal.db").write_bytes(b"not a journal")
    assert halt(seat).halted
    error = refusal(lambda: seat.app.halting.resume(confirmed=True, by="capcli resume"))
    assert error.code == "JOURNAL_UNREADABLE"
    assert seat.app.halting.current() is not None


def test_a_reason_stays_on_one_line(seat: Seat) -> None:
    assert halt(seat, "a\x1b[31m b\nc" + "x" * 300).reason == ("a [31m b c" + "x" * 300)[:200]


@pytest.mark.parametrize("moment", ["claim", "move"])
def test_a_halt_in_the_last_moment_keeps_the_order_here(
    seats: Seats, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """After the last refusal that leaves the preview READY: between the claim, SENDING and the first byte."""
    seat, other = seats(), seats()
    shown = seat.preview()
    journal = seat.app.journal
    real: Callable[..., Any] = getattr(journal, moment)

    def then_halted(*args: Any, **facts: Any) -> Any:
        result = real(*args, **facts)
        halt(other)
        return result

    monkeypatch.setattr(journal, moment, then_halted)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert error.code == "HALTED"
    attempt = journal.attempt_of(shown.preview_id)
    assert (attempt.state, attempt.error_code) == (AttemptState.NOT_SENT, "HALTED")
    assert seat.tap.orders() == []
    told = seat.execute(shown.preview_id)
    assert (told.exit_code, told.problem.details["cause"]) == (5, "HALTED")
    assert "Nothing was sent: Halted since" in told.data.sentence


def test_a_halt_keeps_nobody_from_getting_out(seat: Seat) -> None:
    first, second = seat.open(stop=stop_at("24.50")).deal_id, seat.open(size="2").deal_id
    waiting = seat.open(size="3", trigger=Trigger(D("20.5")), stop=stop_at("19")).deal_id
    halt(seat)
    app = seat.app
    assert app.amendments.amend(first, Change(stop=stop_at("25")), confirmed=True).exit_code == 0
    tighter = Change(stop=stop_at("19.5"))
    assert app.order_amendments.amend(waiting, tighter, confirmed=True).exit_code == 0
    assert app.reductions.reduce(first, D("0.5"), confirmed=True).exit_code == 0
    assert app.cancellations.cancel(waiting, confirmed=True).exit_code == 0
    assert app.closings.close(second, confirmed=True).exit_code == 0
    assert app.closings_of_all.close_all(confirmed=True).exit_code == 0


def test_loosening_is_halted(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id
    waiting = seat.open(size="3", trigger=Trigger(D("20.5"))).deal_id
    halt(seat)
    amend, move = seat.app.amendments.amend, seat.app.order_amendments.amend
    errors: list[CapcliError] = [
        refusal(lambda: amend(deal, Change(no_stop=True), confirmed=True)),
        refusal(lambda: amend(deal, Change(stop=stop_at("24")), confirmed=True)),
        refusal(lambda: move(waiting, Change(level=D("20.6")), confirmed=True)),
    ]
    assert [error.code for error in errors] == ["HALTED"] * 3
    assert "The amendment was not sent" in errors[0].message


def test_a_halt_that_cannot_be_read_halts(seat: Seat) -> None:
    shown = seat.preview()
    (seat.home / "halted").write_text("?")
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert error.code == "HALTED"
    assert "says nothing that can be read" in error.message


def test_it_is_told_wherever_somebody_looks(seat: Seat) -> None:
    assert seat.app.portfolio.positions().data.halt is None
    halt(seat)
    assert seat.app.portfolio.positions().data.halt.startswith("halted since")
    assert seat.app.accounts.known().data.halt.startswith("halted since")
    (check,) = seat.app.health.run(("halt",)).data.checks
    assert (check.status.value, check.fix) == ("warning", "capcli resume")


def test_a_flattening_that_can_write_no_halt_goes_on_and_says_so(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat.open()
    places = seat.app.folders
    read_only(monkeypatch, places.halt, places.guarded_halt)
    data = seat.app.flattenings.flatten(confirmed=True, by="capcli flatten").data
    assert (data.flat, seat.book()) == (True, [])
    assert data.sentence.endswith("It is not halted.")
    assert data.warnings[0].startswith("Not halted: Halted in this process alone (")


def read_only(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    """Let the file system refuse to make these files, for root as well."""
    real = os.open

    def refusing(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_CREAT and Path(path) in files:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refusing)


def test_a_halt_that_no_file_keeps_names_whom_it_does_not_reach(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, places = seat.preview(), seat.app.folders
    read_only(monkeypatch, places.halt, places.guarded_halt)
    reply = seat.app.halting.halt("enough", by=BY)

    assert (reply.exit_code, reply.data.halted, reply.data.places) == (3, True, ())
    assert "this process alone" in reply.data.sentence
    assert f"{places.halt} (Read-only file system)" in reply.data.sentence
    assert "Every other terminal, script and assistant can still send orders" in reply.data.sentence
    assert isinstance(refusal(lambda: seat.execute(shown.preview_id)), Halted)


def test_a_halt_says_when_programs_with_another_state_folder_are_not_halted(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = seat.app.folders
    read_only(monkeypatch, places.guarded_halt)
    said = halt(seat)
    assert said.places == (str(places.halt),)
    assert f"a program with another state folder than {places.halt} is not halted" in said.sentence


def test_a_halt_says_when_the_guard_folder_alone_keeps_it(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = seat.app.folders
    read_only(monkeypatch, places.halt)
    said = halt(seat)
    assert said.places == (str(places.guarded_halt),)
    assert "which all your processes check" in said.sentence

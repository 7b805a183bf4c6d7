"""Watchlists: found by id or name, changed once, and settled by reading back."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from capcli.errors import (
    CapcliError,
    ChangeUnproved,
    EpicUnknown,
    NameTaken,
    NotConfirmed,
    NotInWatchlist,
    RateLimited,
    SessionLost,
    Unreachable,
    UsageError,
    WatchlistFixed,
    WatchlistUnknown,
)
from capcli.marketdata.watchlists import WatchlistChange
from tests.support.fixtures import Seats
from tests.support.seat import Seat, refusal
from tests.support.tap import says


def create(seat: Seat, name: str = "Metals", *epics: str) -> WatchlistChange:
    return seat.app.watchlists.create(name, epics, confirmed=True).data


def names(seat: Seat) -> list[str]:
    return [row.name for row in seat.app.watchlists.list().data.watchlists]


def test_a_list_lives_from_its_creation_to_its_deletion(seat: Seat) -> None:
    lists = seat.app.watchlists
    made = create(seat, "Metals", "GOLD")
    assert lists.add("metals", "SILVER", confirmed=True).data.epics == ("GOLD", "SILVER")
    assert [row.epic for row in lists.show(made.watchlist_id).data.markets] == ["GOLD", "SILVER"]
    assert lists.remove("Metals", "GOLD", confirmed=True).data.epics == ("SILVER",)
    assert names(seat) == ["Metals"]
    assert lists.delete(made.watchlist_id, confirmed=True).exit_code == 0
    assert names(seat) == []


def test_trading_off_does_not_keep_a_list_from_changing(seats: Seats) -> None:
    seat = seats(CAP_ALLOW_TRADING="false")
    assert create(seat).name == "Metals"


def test_epics_that_the_broker_left_out_are_named(seat: Seat) -> None:
    made = create(seat, "Mixed", "GOLD", "NOPE")
    assert (made.epics, made.skipped) == (("GOLD",), ("NOPE",))
    assert "left out NOPE" in made.sentence


def test_a_market_that_is_in_already_sends_nothing(seat: Seat) -> None:
    create(seat, "Metals", "GOLD")
    assert "already" in seat.app.watchlists.add("Metals", "GOLD", confirmed=True).data.sentence
    assert seat.tap.seen("PUT") == []


def test_a_taken_name_makes_no_second_list(seat: Seat) -> None:
    create(seat)
    assert isinstance(refusal(lambda: create(seat, "METALS")), NameTaken)
    assert len(seat.tap.seen("POST")) == 2  # with the login


def test_two_lists_of_one_name_are_taken_by_id(seat: Seat) -> None:
    create(seat)
    seat.app.broker.send("POST", "/watchlists", b'{"name": "metals"}')
    error = refusal(lambda: seat.app.watchlists.show("METALS"))
    assert isinstance(error, UsageError)
    assert "2 watchlists" in error.message
    assert seat.app.watchlists.show("metals").data.name == "metals"


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (lambda lists: lists.show("Nothing"), WatchlistUnknown),
        (lambda lists: lists.delete("99", confirmed=True), WatchlistUnknown),
        (lambda lists: lists.add("Metals", "gold", confirmed=True), EpicUnknown),
        (lambda lists: lists.remove("Metals", "EURUSD", confirmed=True), NotInWatchlist),
        (lambda lists: lists.create("x" * 21, confirmed=True), UsageError),
        (lambda lists: lists.create("  ", confirmed=True), UsageError),
        (lambda lists: lists.create("a\x1bb", confirmed=True), UsageError),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_changes(
    seat: Seat, work: Callable[[Any], Any], kind: type[CapcliError]
) -> None:
    create(seat, "Metals", "GOLD")
    before = len(seat.tap.seen("POST") + seat.tap.seen("PUT") + seat.tap.seen("DELETE"))
    assert isinstance(refusal(lambda: work(seat.app.watchlists)), kind)
    assert len(seat.tap.seen("POST") + seat.tap.seen("PUT") + seat.tap.seen("DELETE")) == before


@pytest.mark.parametrize(
    "text", ["../positions/D1", "..%2fpositions", "a/b", "1?x", "1#", "\x00", "", "a\nb"]
)
def test_what_would_change_a_path_is_refused_before_any_request(seat: Seat, text: str) -> None:
    lists = seat.app.watchlists
    for work in (
        lambda: lists.show(text),
        lambda: lists.add(text, "GOLD", confirmed=True),
        lambda: lists.remove(text, "GOLD", confirmed=True),
        lambda: lists.delete(text, confirmed=True),
    ):
        assert isinstance(refusal(work), UsageError)
    assert seat.tap.requests == []


def test_every_change_needs_a_yes_and_asks_nothing_without(seat: Seat) -> None:
    lists = seat.app.watchlists
    for work in (
        lambda: lists.create("Metals", confirmed=False),
        lambda: lists.add("Metals", "GOLD", confirmed=False),
        lambda: lists.remove("Metals", "GOLD", confirmed=False),
        lambda: lists.delete("Metals", confirmed=False),
    ):
        assert isinstance(refusal(work), NotConfirmed)
    assert seat.tap.requests == []


def test_the_brokers_own_list_cannot_be_changed(seat: Seat) -> None:
    own = {
        "id": "7",
        "name": "Popular",
        "editable": False,
        "deleteable": False,
        "defaultSystemWatchlist": True,
    }
    seat.tap.breaks("GET", "/watchlists", before=says(200, {"watchlists": [own]}), times=9)
    lists = seat.app.watchlists
    assert isinstance(refusal(lambda: lists.delete("Popular", confirmed=True)), WatchlistFixed)
    assert isinstance(refusal(lambda: lists.add("7", "GOLD", confirmed=True)), WatchlistFixed)
    assert seat.tap.seen("DELETE") + seat.tap.seen("PUT") == []


def test_an_id_of_the_broker_that_is_no_id_never_reaches_a_path(seat: Seat) -> None:
    bad = {"id": "../positions/D1", "name": "Trap", "editable": True, "deleteable": True}
    seat.tap.breaks("GET", "/watchlists", before=says(200, {"watchlists": [bad]}), times=9)
    assert isinstance(refusal(lambda: seat.app.watchlists.delete("Trap", confirmed=True)), WatchlistUnknown)
    assert seat.tap.seen("DELETE") == []


LOST = httpx.ReadError("gone")


def test_a_creation_whose_answer_was_lost_is_found_and_not_repeated(seat: Seat) -> None:
    seat.app.accounts.login()
    seat.tap.breaks("POST", "/watchlists", after=LOST)
    assert create(seat, "Metals", "GOLD").epics == ("GOLD",)
    assert seat.tap.seen("POST").count("POST /watchlists") == 1


def test_a_creation_that_never_arrived_is_unproved_and_safe_to_repeat(seat: Seat) -> None:
    seat.tap.breaks("POST", "/watchlists", before=LOST)
    error = refusal(lambda: create(seat))
    assert isinstance(error, ChangeUnproved)
    assert (error.exit_code, error.retry_safe) == (7, True)
    assert seat.tap.seen("POST").count("POST /watchlists") == 1
    assert create(seat).name == "Metals"


def test_changes_whose_answers_were_lost_are_seen_to_be_done(seat: Seat) -> None:
    lists, made = seat.app.watchlists, create(seat, "Metals", "GOLD")
    path = f"/watchlists/{made.watchlist_id}"
    seat.tap.breaks("PUT", path, after=says(502, text="<html>"))
    assert lists.add("Metals", "SILVER", confirmed=True).data.epics == ("GOLD", "SILVER")
    seat.tap.breaks("DELETE", path, after=LOST)
    assert lists.remove("Metals", "GOLD", confirmed=True).data.epics == ("SILVER",)
    seat.tap.breaks("DELETE", path, after=LOST)
    assert lists.delete("Metals", confirmed=True).data.sentence == "Deleted 'Metals'."


def test_a_deletion_is_unproved_while_the_list_cannot_be_read(seat: Seat) -> None:
    made = create(seat)

    def break_reads(_: httpx.Request) -> httpx.Response:
        seat.tap.breaks("GET", "/watchlists", before=httpx.ConnectError("down"), times=9)
        raise LOST

    seat.tap.breaks("DELETE", f"/watchlists/{made.watchlist_id}", after=break_reads)
    assert isinstance(refusal(lambda: seat.app.watchlists.delete("Metals", confirmed=True)), ChangeUnproved)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(429, {"errorCode": "error.too-many.requests"}), RateLimited),
        (says(401, {"errorCode": "error.invalid.session.token"}), SessionLost),
        (httpx.ConnectError("down"), Unreachable),
        (says(404, {"errorCode": "error.not-found.watchlist"}), WatchlistUnknown),
        (says(404, {"errorCode": "error.not-found.epic"}), EpicUnknown),
    ],
)
def test_an_answer_that_proves_that_nothing_changed_is_told(
    seat: Seat, answer: Any, kind: type[CapcliError]
) -> None:
    made = create(seat)
    seat.tap.breaks("PUT", f"/watchlists/{made.watchlist_id}", before=answer)
    error = refusal(lambda: seat.app.watchlists.add("Metals", "GOLD", confirmed=True))
    assert type(error) is kind
    assert len(seat.tap.seen("PUT")) == 1
    assert seat.app.watchlists.show("Metals").data.markets == ()


@pytest.mark.parametrize(
    ("answer", "code", "exit_code", "command"),
    [
        (says(429, {"errorCode": "error.too-many.requests"}), "RATE_LIMITED", 11, "capcli watchlists"),
        (says(401, {"errorCode": "error.invalid.details"}), "LOGIN_REFUSED", 4, "capcli login"),
    ],
)
def test_a_login_that_fails_before_a_change_is_told_as_a_login_and_not_as_the_network(
    seat: Seat, answer: Any, code: str, exit_code: int, command: str
) -> None:
    create(seat)
    seat.tap.breaks("GET", "/watchlists", after=lambda _: seat.time.tick(3600))
    seat.tap.breaks("POST", "/session", before=answer, times=9)
    error = refusal(lambda: seat.app.watchlists.delete("Metals", confirmed=True))
    assert (error.code, int(error.exit_code), error.next) == (code, exit_code, command)
    assert seat.tap.seen("DELETE") == []

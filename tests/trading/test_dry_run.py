"""CAP_DRY_RUN: everything is looked at and checked, the exact request is shown, and nothing is sent."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from capcli.domain.attempt import PreviewState
from capcli.domain.bracket import Change
from capcli.domain.order import Trigger
from capcli.errors import WouldSend
from capcli.trading.dry_run import DryRun, dry_reply
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal, stop_at

D = Decimal


@pytest.fixture
def dry(seats: Seats) -> Seat:
    return seats(CAP_DRY_RUN="true")


def rehearsed(work: Callable[[], Any]) -> DryRun:
    with pytest.raises(WouldSend) as caught:
        work()
    reply = dry_reply(caught.value)
    assert (reply.exit_code, reply.account_id) == (0, FIRST_ACCOUNT)
    return reply.data


def mutations(seat: Seat) -> list[str]:
    return [line for line in seat.tap.seen() if not line.startswith(("GET ", "POST /session"))]


def test_an_order_is_shown_as_it_would_be_sent_and_its_preview_is_kept(dry: Seat, seats: Seats) -> None:
    shown = dry.preview(stop=stop_at("24.50"))
    told = rehearsed(lambda: dry.app.executions.execute(shown.preview_id, confirmed=False))
    (request,) = told.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/v1/positions", shown.body)
    assert (told.dry_run, told.preview_id) == (True, shown.preview_id)
    assert told.sentence.startswith("Dry run (CAP_DRY_RUN): nothing was sent.")
    journal = dry.app.journal
    assert journal.preview(shown.preview_id).state is PreviewState.READY
    assert (journal.attempt_of(shown.preview_id), mutations(dry)) == (None, [])
    assert seats().execute(shown.preview_id).exit_code == 0


def test_the_checks_before_a_send_are_made(dry: Seat, seats: Seats) -> None:
    shown = dry.preview(size="2")
    seats().open()
    bound = seats(CAP_DRY_RUN="true", CAP_MAX_OPEN_POSITIONS="1")
    error = refusal(lambda: bound.app.executions.execute(shown.preview_id, confirmed=False))
    assert error.details["failed"] == ["open_positions"]
    dry.app.halting.halt("", by="capcli halt")
    assert refusal(lambda: dry.execute(shown.preview_id)).code == "HALTED"


def test_changes_are_shown_as_they_would_be_sent(dry: Seat, seats: Seats) -> None:
    free = seats()
    deal = free.open(size="2").deal_id
    waiting = free.open(size="3", trigger=Trigger(D("20.5"))).deal_id
    app = dry.app
    close = rehearsed(lambda: app.closings.close(deal, confirmed=False))
    part = rehearsed(lambda: app.reductions.reduce(deal, D("0.5"), confirmed=False))
    amend = rehearsed(lambda: app.amendments.amend(deal, Change(stop=stop_at("24")), confirmed=False))
    move = rehearsed(lambda: app.order_amendments.amend(waiting, Change(level=D("20.6")), confirmed=False))
    cancel = rehearsed(lambda: app.cancellations.cancel(waiting, confirmed=False))
    told = [(each.requests[0].method, each.requests[0].path) for each in (close, part, amend, move, cancel)]
    assert told == [
        ("DELETE", f"/api/v1/positions/{deal}"),
        ("POST", "/api/v1/positions"),
        ("PUT", f"/api/v1/positions/{deal}"),
        ("PUT", f"/api/v1/workingorders/{waiting}"),
        ("DELETE", f"/api/v1/workingorders/{waiting}"),
    ]
    assert amend.requests[0].body == '{"stopLevel":24,"profitLevel":null}'
    assert mutations(dry) == []
    assert dry.app.journal.unresolved("paper", "paper", FIRST_ACCOUNT) == ()


def test_a_part_that_is_shown_leaves_no_attempt_behind(dry: Seat, seats: Seats) -> None:
    deal = seats().open(size="2").deal_id
    before = dry.app.journal.attempts("paper", limit=9), dry.app.journal.previews("paper", limit=9)
    rehearsed(lambda: dry.app.reductions.reduce(deal, D("0.5"), confirmed=False))
    assert (dry.app.journal.attempts("paper", limit=9), dry.app.journal.previews("paper", limit=9)) == before


def test_closing_all_shows_every_close(dry: Seat, seats: Seats) -> None:
    free = seats()
    deals = {free.open().deal_id, free.open(size="2").deal_id}
    told = rehearsed(lambda: dry.app.closings_of_all.close_all(confirmed=False))
    assert {each.path.rsplit("/", 1)[1] for each in told.requests} == deals
    assert set(free.book()) == deals


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/watchlists"), ("PUT", "/accounts/preferences"), ("POST", "/accounts/topUp")],
)
def test_no_mutation_gets_past_it(dry: Seat, method: str, path: str) -> None:
    broker = dry.app.broker
    broker.session()
    told = rehearsed(lambda: broker.send(method, path, b"{}"))
    assert told.requests[0].path == f"/api/v1{path}"
    assert mutations(dry) == []

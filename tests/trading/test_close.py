from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.attempt import AttemptState, Evidence
from capcli.domain.market import Side
from capcli.domain.order import Kind
from capcli.domain.stored_order import read_deal
from capcli.errors import CapcliError, DealUnknown, JournalUnreadable, LoginRefused, Problem, RateLimited
from capcli.reply import Reply
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, refuse_logins, stop_at
from tests.support.tap import says

D = Decimal
LOST = httpx.ReadTimeout("no answer")
QUIET_S = 121


def close(seat: Seat, deal_id: str | None) -> Reply:
    return seat.app.closings.close(deal_id or "", confirmed=True)


def doubt(seat: Seat, deal_id: str | None) -> Problem:
    """Close a position, and return the problem of a close that nobody saw the end of."""
    reply = close(seat, deal_id)
    assert reply.problem is not None
    assert (reply.data.state, reply.problem.code) == (AttemptState.UNKNOWN, "CLOSE_UNKNOWN")
    return reply.problem


def equity(seat: Seat) -> Decimal:
    return seat.app.accounts.list().data.accounts[0].equity


def closes(seat: Seat) -> list[AttemptState]:
    """Return the states of all close attempts, as the journal has them."""
    with seat.app.journal._db.transaction() as connection:
        rows = connection.execute("SELECT state FROM attempts WHERE kind = ?", (Kind.CLOSE,)).fetchall()
    return [AttemptState(row["state"]) for row in rows]


@pytest.mark.parametrize("side", list(Side))
def test_the_realised_profit_is_the_change_of_equity_to_the_cent(seat: Seat, time: Time, side: Side) -> None:
    before = equity(seat)
    deal = seat.open(size="37.3", side=side).deal_id
    time.tick(3600)
    done = close(seat, deal).data
    assert done.pl_account == equity(seat) - before
    assert (done.state, done.account_currency) == (AttemptState.LANDED, "USD")
    assert closes(seat) == [AttemptState.LANDED]


def test_a_position_of_another_account_that_could_not_be_read_is_not_told_as_closed(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.app.broker.switch_account(SECOND_ACCOUNT)
    seat.tap.breaks("GET", f"/positions/{deal}", before=LOST)

    error = refusal(lambda: close(seat, deal))

    assert isinstance(error, DealUnknown)
    assert error.next == f"capcli close {deal} --account {FIRST_ACCOUNT}"
    assert closes(seat) == [AttemptState.REFUSED]
    seat.app.broker.switch_account(FIRST_ACCOUNT)
    assert seat.book() == [deal]


def test_a_position_that_could_not_be_read_and_whose_answer_is_lost_may_be_open(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    seat.app.broker.switch_account(SECOND_ACCOUNT)
    seat.tap.breaks("GET", f"/positions/{deal}", before=LOST)
    seat.tap.breaks("DELETE", "/positions", before=LOST)

    assert doubt(seat, deal).exit_code == 8


def test_only_the_named_position_is_closed(seat: Seat) -> None:
    kept, gone = seat.open().deal_id, seat.open().deal_id
    close(seat, gone)
    assert seat.book() == [kept]
    assert seat.tap.seen("DELETE") == [f"DELETE /positions/{gone}"]


def test_a_close_needs_a_confirmation_and_a_position(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    error = refusal(lambda: seat.app.closings.close(deal, confirmed=False))
    assert (error.code, error.next) == ("NOT_CONFIRMED", f"capcli close {deal} --confirm")
    seat.time.tick(60)
    asked = seat.time.now()
    assert isinstance(refusal(lambda: close(seat, "no-such-deal")), DealUnknown)
    assert (seat.time.now() - asked).total_seconds() >= 0.3, "it was not there at two looks"
    assert seat.tap.seen("DELETE") == []


def test_an_answer_that_was_lost_after_the_close_is_no_doubt(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", after=LOST)
    done = close(seat, deal).data
    assert (done.state, seat.book()) == (AttemptState.LANDED, [])
    assert done.level is not None


def test_a_close_that_never_arrived_is_sent_again_on_the_same_deal(seat: Seat) -> None:
    kept, gone = seat.open().deal_id, seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST)
    assert close(seat, gone).data.state is AttemptState.LANDED
    assert seat.book() == [kept]
    assert seat.tap.seen("DELETE") == [f"DELETE /positions/{gone}"] * 2


def test_two_lost_closes_of_an_open_position_are_told_as_doubt(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    assert doubt(seat, deal).exit_code == 8
    assert closes(seat) == [AttemptState.UNKNOWN]
    assert close(seat, deal).exit_code == 0


def test_a_second_try_that_found_no_connection_does_not_say_that_nothing_was_sent(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST)
    seat.tap.breaks("DELETE", "/positions", before=httpx.ConnectError("refused"))
    assert "Nothing was sent" not in doubt(seat, deal).message


def test_a_position_that_its_stop_closed_first_is_closed(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id
    other = seat.app.broker
    seat.tap.breaks(
        "DELETE", "/positions", before=lambda request: _close_elsewhere(seat, str(request.url.path))
    )
    done = close(seat, deal).data
    assert other.positions() == ()
    assert done.state is AttemptState.LANDED
    assert "had been closed already" in done.sentence


def _close_elsewhere(seat: Seat, path: str) -> None:
    tokens = seat.app.broker._sessions.live().tokens.headers
    seat.tap._inner.handle_request(httpx.Request("DELETE", f"http://paper{path}", headers=tokens))


@pytest.mark.parametrize(
    ("answer", "code", "exit_code"),
    [
        (says(429, {"errorCode": "error.too-many.requests"}), "RATE_LIMITED", 11),
        (says(400, {"errorCode": "error.some.reason"}), "BROKER_REFUSED", 6),
        (says(401, {"errorCode": "error.invalid.session.token"}), "SESSION_LOST", 4),
        (httpx.ConnectError("refused"), "NETWORK", 7),
    ],
)
def test_a_close_that_was_not_done_says_why_and_leaves_it_open(
    seat: Seat, answer: httpx.Response | Exception, code: str, exit_code: int
) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=answer)
    error = refusal(lambda: close(seat, deal))
    assert (error.code, int(error.exit_code)) == (code, exit_code)
    (state,) = closes(seat)
    attempt_id = seat.app.journal.attempts("paper", limit=1)[0].attempt_id
    assert error.data == {"deal_id": deal, "attempt_id": attempt_id, "state": state.value}
    assert error.account_id == FIRST_ACCOUNT
    assert seat.book() == [deal]
    assert len(seat.tap.seen("DELETE")) == 1


def test_a_confirmation_that_comes_at_the_fourth_look_is_believed(seat: Seat) -> None:
    deal = seat.open().deal_id
    late = says(404, {"errorCode": "error.not-found.dealReference"})
    seat.tap.breaks("GET", f"/confirms/p_{deal}", before=late, times=3)
    assert close(seat, deal).exit_code == 0
    assert seat.app.journal.attempts("paper", limit=1)[0].evidence is Evidence.CONFIRM


def test_a_close_that_the_broker_rejects_afterwards_is_a_no(seat: Seat) -> None:
    deal = seat.open().deal_id
    rejected = {
        "date": "2026-03-02T12:01:00",
        "status": "DELETED",
        "dealStatus": "REJECTED",
        "rejectReason": "MARKET_CLOSED",
        "epic": "SILVER",
        "dealReference": f"p_{deal}",
        "dealId": deal,
        "affectedDeals": [],
    }
    seat.tap.breaks("DELETE", "/positions", before=says(200, {"dealReference": f"p_{deal}"}))
    seat.tap.breaks("GET", f"/confirms/p_{deal}", before=says(200, rejected))
    error = refusal(lambda: close(seat, deal))
    assert (error.code, error.message) == (
        "BROKER_REFUSED",
        f"The broker rejected it: the market is closed (MARKET_CLOSED). {deal} is still open.",
    )
    assert closes(seat) == [AttemptState.REJECTED]


def test_the_old_opening_confirmation_is_not_taken_for_the_closing_one(seat: Seat) -> None:
    opened = seat.open()
    stale = {
        "date": "2026-03-02T12:00:01",
        "status": "OPEN",
        "dealStatus": "ACCEPTED",
        "epic": "SILVER",
        "dealReference": f"p_{opened.deal_id}",
        "dealId": opened.deal_id,
        "affectedDeals": [{"dealId": opened.deal_id, "status": "OPENED"}],
        "level": 99,
        "size": 1.5,
        "direction": "BUY",
    }
    seat.tap.breaks("GET", "/confirms/p_", before=says(200, stale), times=9)
    done = close(seat, opened.deal_id).data
    assert (done.level, done.pl, done.state) == (None, None, AttemptState.LANDED)


def test_a_deal_that_is_unknown_on_another_account_is_not_closed(seat: Seat) -> None:
    deal = seat.open().deal_id

    def switch(_: httpx.Request) -> httpx.Response:
        seat.switched_by_another_program(SECOND_ACCOUNT, "follow")
        return says(502, text="")

    seat.tap.breaks("DELETE", "/positions", before=switch)
    doubt(seat, deal)
    assert closes(seat) == [AttemptState.UNKNOWN]


def test_a_lost_close_blocks_orders_only_until_the_position_is_gone(seat: Seat) -> None:
    deal = seat.open().deal_id
    waiting = seat.preview(size="2").preview_id
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    doubt(seat, deal)
    blocked = refusal(lambda: seat.execute(waiting))
    assert (blocked.code, blocked.next) == ("BLOCKED", f"capcli reconcile {blocked.details['attempt_id']}")
    assert blocked.message.startswith(f"The close of {deal} of ")
    close(seat, deal)
    assert seat.open(size="2").state is AttemptState.LANDED
    assert closes(seat) == [AttemptState.REJECTED, AttemptState.LANDED]


def test_a_lost_close_of_a_position_that_stays_open_stops_blocking_after_two_minutes(
    seat: Seat, time: Time
) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    doubt(seat, deal)
    time.tick(121)
    seat.open(size="2")
    assert closes(seat) == [AttemptState.ABSENT]


def test_another_process_does_not_settle_a_close_that_is_under_way(seats: Seats) -> None:
    seat, other = seats(), seats()
    deal = seat.open().deal_id
    undecided: list[int] = []

    def meanwhile(_: httpx.Request) -> None:
        undecided.append(other.app.reconciliations.reconcile().data.undecided)

    seat.tap.breaks("DELETE", "/positions", before=meanwhile)
    done = close(seat, deal)
    assert undecided == [1]
    assert (done.data.state, closes(seat)) == (AttemptState.LANDED, [AttemptState.LANDED])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_close_that_slept_through_the_quiet_period_ends_in_the_truth(
    seats: Seats, time: Time, when: str
) -> None:
    seat, other = seats(), seats()
    deal = seat.open().deal_id

    def sleeps(_: httpx.Request) -> None:
        time.tick(200)
        other.app.reconciliations.reconcile()

    seat.tap.breaks("DELETE", "/positions", **{when: sleeps})
    assert close(seat, deal).data.state is AttemptState.LANDED
    assert closes(seat) == [AttemptState.LANDED]


def test_an_unresolved_order_does_not_keep_anybody_from_closing(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("POST", "/positions", before=LOST)
    assert seat.execute(seat.preview(size="2").preview_id).exit_code == 8
    assert close(seat, deal).data.state is AttemptState.LANDED


def test_the_evidence_of_a_close_is_recorded(seat: Seat) -> None:
    done = close(seat, seat.open().deal_id).data
    kept = seat.app.journal.attempt(done.attempt_id)
    assert kept is not None
    assert (kept.evidence, kept.deal_ids, kept.level) == (Evidence.CONFIRM, (done.deal_id,), done.level)
    assert read_deal(kept.baseline, done.deal_id) == ("SILVER", Side.BUY, D("1.5"))


def test_a_close_that_is_called_back_before_the_send_is_not_sent(seat: Seat) -> None:
    deal = seat.open().deal_id
    seat.tap.breaks("GET", f"/positions/{deal}", before=call_back(seat))
    error = refusal(lambda: close(seat, deal))
    assert (error.exit_code, error.code) == (130, "INTERRUPTED")
    assert seat.tap.seen("DELETE") == []
    assert closes(seat) == []


def call_back(seat: Seat) -> Callable[[Any], None]:
    def press(_: Any) -> None:
        seat.app.send_gate.call_back()

    return press


def test_a_journal_that_fails_after_the_close_was_sent_leaves_no_doubt_and_is_told(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = seat.open().deal_id
    real = seat.app.journal._db.transaction

    def after_the_send() -> Any:
        if seat.tap.seen("DELETE"):
            raise JournalUnreadable("The journal has no space left on its disk.")
        return real()

    monkeypatch.setattr(seat.app.journal._db, "transaction", after_the_send)
    done = close(seat, deal).data
    assert (done.state, seat.book()) == (AttemptState.LANDED, [])
    assert done.warnings == (f"Not recorded ({done.attempt_id}): The journal has no space left on its disk.",)


@pytest.mark.parametrize("full", [True, False])
def test_a_close_that_the_journal_knows_only_as_claimed_is_settled_by_the_book(
    seats: Seats, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    seat, other = seats(), seats()
    deal = seat.open().deal_id

    def move(*_: Any, **__: Any) -> bool:
        if full:
            raise JournalUnreadable("The journal has no space left on its disk.")
        raise KeyboardInterrupt

    monkeypatch.setattr(seat.app.journal, "move", move)
    if full:
        assert close(seat, deal).data.state is AttemptState.LANDED
    else:
        with pytest.raises(KeyboardInterrupt):
            close(seat, deal)
    seat.time.tick(QUIET_S)
    (row,) = other.app.reconciliations.reconcile().data.attempts
    assert row.state_before is AttemptState.CLAIMED
    assert (row.state, seat.book()) == (
        (AttemptState.LANDED, []) if full else (AttemptState.NOT_SENT, [deal])
    )


def test_a_close_that_is_only_claimed_stays_open_where_its_deal_cannot_be_read(
    seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, other = seats(), seats()
    deal = seat.open().deal_id

    def move(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(seat.app.journal, "move", move)
    with pytest.raises(KeyboardInterrupt):
        close(seat, deal)
    other.tap.breaks("GET", f"/positions/{deal}", before=says(500, text=""), times=99)
    (row,) = other.app.reconciliations.reconcile().data.attempts
    assert (row.state, row.exit_code) == (AttemptState.CLAIMED, 8)
    other.tap.mend()
    (row,) = other.app.reconciliations.reconcile().data.attempts
    assert (row.state, row.exit_code) == (AttemptState.NOT_SENT, 0)


def test_a_close_in_doubt_says_what_an_amendment_in_doubt_says(seat: Seat) -> None:
    opened = seat.open()
    seat.tap.breaks("DELETE", "/positions", before=says(502, text="bad gateway"))
    reply = close(seat, opened.deal_id)
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.assistant_error, reply.account_id) == (8, False, FIRST_ACCOUNT)
    assert (reply.problem.retry_safe, reply.data.retry_safe, reply.data.pl) == (True, True, None)
    assert reply.data.attempt_id == reply.problem.details["attempt_id"]
    assert reply.data.next == f"capcli positions {opened.deal_id}"


@pytest.mark.parametrize("error", [ZeroDivisionError("of a bug"), RateLimited("no")])
def test_an_error_after_the_close_was_sent_is_doubt_and_no_refusal(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    deal = seat.open().deal_id
    monkeypatch.setattr("capcli.trading.close.close_read_back", fails)
    assert f"{type(error).__name__} after the send" in doubt(seat, deal).message
    assert seat.book() == []


@pytest.mark.parametrize(("error", "exit_code"), [(LoginRefused("no"), 4), (RateLimited("no"), 11)])
def test_a_close_that_a_login_kept_here_ends_with_its_exit_code(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, error: CapcliError, exit_code: int
) -> None:
    deal = seat.open().deal_id
    refuse_logins(seat, monkeypatch, error)
    stopped = refusal(lambda: close(seat, deal))
    assert (int(stopped.exit_code), stopped.data["state"]) == (exit_code, "NOT_SENT")
    assert f"Nothing was sent: no. {deal} is still open." in stopped.message
    assert closes(seat) == [AttemptState.NOT_SENT]

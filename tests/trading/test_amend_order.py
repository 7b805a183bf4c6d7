"""Amending and cancelling working orders: all is sent again, and a fill is never told as a cancellation."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.account import OrderType, WorkingOrder
from capcli.domain.attempt import AttemptState, Evidence, Protection
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Kind, Trigger
from capcli.reply import Reply
from capcli.trading.amend_order import OrderAmendment
from capcli.trading.cancel import Cancellation
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState
LOST = httpx.ReadTimeout("no answer")
NOT_FOUND = says(404, {"errorCode": "error.not-found.dealId"})


def place(seat: Seat, level: str = "26", **changes: Any) -> str:
    return seat.open(trigger=Trigger(D(level)), **changes).deal_id or ""


def amend(seat: Seat, deal: str, level: str | None = None, **changes: Any) -> Reply[OrderAmendment]:
    change = Change(level=D(level) if level else None, **changes)
    return seat.app.order_amendments.amend(deal, change, confirmed=True)


def cancel(seat: Seat, deal: str) -> Reply[Cancellation]:
    return seat.app.cancellations.cancel(deal, confirmed=True)


def waiting(seat: Seat) -> tuple[WorkingOrder, ...]:
    return seat.app.broker.orders()


def puts(seat: Seat) -> list[dict[str, Any]]:
    bodies = [request.content for request in seat.tap.requests if request.method == "PUT"]
    return [json.loads(body, parse_float=str, parse_int=str) for body in bodies]


def states(seat: Seat, kind: Kind) -> list[AttemptState]:
    with seat.app.journal._db.transaction() as connection:
        rows = connection.execute("SELECT state FROM attempts WHERE kind = ?", (kind,)).fetchall()
    return [AttemptState(row["state"]) for row in rows]


def elsewhere(seat: Seat, request: httpx.Request) -> None:
    """Cancel the order before the request arrives, as somebody else would."""
    tokens = seat.app.broker._sessions.live().tokens.headers
    seat.time.tick(1)
    path = f"http://paper{request.url.path}"
    seat.tap._inner.handle_request(httpx.Request("DELETE", path, headers=tokens))


def fill(seat: Seat, deal: str) -> str:
    """Let an order be filled: its row is gone and a position came from it."""
    seat.time.tick(1)
    price = seat.app.markets.quote(("SILVER",)).data.quotes[0].offer
    order = next(row for row in waiting(seat) if row.deal_id == deal)
    assert order.type is OrderType.LIMIT
    for _ in range(500):
        seat.time.tick(60)
        found = [row for row in seat.app.broker.positions() if row.working_order_id == deal]
        if found:
            return found[0].deal_id
    raise AssertionError(f"never filled at {order.level}, from {price}")


def lost_order(seat: Seat) -> None:
    seat.tap.breaks("POST", "/positions", before=LOST)
    assert seat.execute(seat.preview(size="2").preview_id).exit_code == 8


def test_what_is_not_named_stays_and_the_legs_keep_their_distance(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("25"), limit=stop_at("30"), guaranteed=True)
    done = amend(seat, deal, "27.5")
    assert puts(seat) == [
        {"level": "27.5", "guaranteedStop": True, "stopLevel": "26.5", "profitLevel": "31.5"}
    ]
    (order,) = waiting(seat)
    assert (order.level, order.stop_level, order.limit_level, order.guaranteed) == (
        D("27.5"),
        D("26.5"),
        D("31.5"),
        True,
    )
    assert (done.exit_code, done.data.level_before, done.data.protected) == (0, D(26), Protection.YES)


def test_a_named_leg_is_set_and_the_other_stays(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("25"))
    done = amend(seat, deal, limit=ExitOrder(ExitForm.DISTANCE, D("3")))
    assert (done.data.stop_level, done.data.limit_level) == (D(25), D(29))
    assert done.data.sentence == (
        "Amended: the LIMIT order to BUY 1.5 SILVER at 26 has stop 25 as before and limit 29; "
        "it waits with no expiry."
    )


def test_a_trailing_stop_stays_trailing(seat: Seat) -> None:
    deal = place(seat, stop=ExitOrder(ExitForm.DISTANCE, D("1.5")), trailing=True)
    assert amend(seat, deal, "27").data.trailing
    (order,) = waiting(seat)
    assert (order.trailing, order.stop_level) == (True, D("25.5"))


def test_an_expiry_is_set_kept_and_taken_away(seat: Seat, time: Time) -> None:
    deal = place(seat)
    until = time.now().replace(microsecond=0) + timedelta(days=2)
    assert amend(seat, deal, good_till=until).data.good_till == until
    assert amend(seat, deal, "27").data.good_till == until
    assert waiting(seat)[0].good_till == until
    assert amend(seat, deal, no_expiry=True).data.good_till is None
    assert waiting(seat)[0].good_till is None


def test_an_amendment_is_recorded(seat: Seat) -> None:
    deal = place(seat)
    done = amend(seat, deal, "27").data
    kept = seat.app.journal.attempt(done.attempt_id or "")
    assert kept is not None
    assert (kept.kind, kept.path, kept.state) == (Kind.AMEND, f"/workingorders/{deal}", S.LANDED)
    assert kept.level == D(27)


def test_nothing_to_change_sends_nothing(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("25"))
    done = amend(seat, deal, "26.0", stop=stop_at("25.00"))
    assert (done.data.attempt_id, done.data.sentence.endswith("Nothing was sent.")) == (None, True)
    assert puts(seat) == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"level": "0"},
        {"no_expiry": True, "good_till": Time().now()},
        {"no_stop": True},
        {"no_limit": True},
        {"guaranteed": True},
    ],
)
def test_what_cannot_be_done_is_a_usage_error(seat: Seat, change: dict[str, Any]) -> None:
    deal = place(seat)
    assert int(refusal(lambda: amend(seat, deal, **change)).exit_code) == 2
    assert puts(seat) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"level": "45"}, "entry_level"),
        ({"level": "26.00001"}, "entry_level"),
        ({"stop": stop_at("27")}, "stop"),
        ({"limit": stop_at("20")}, "limit"),
        ({"good_till": Time().now() - timedelta(days=1)}, "good_till"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(seat: Seat, change: dict[str, Any], rule: str) -> None:
    deal = place(seat)
    assert refusal(lambda: amend(seat, deal, **change)).details["failed"] == [rule]
    assert puts(seat) == []


def test_confirmation_names_the_whole_command(seat: Seat, time: Time) -> None:
    deal = place(seat)
    change = Change(level=D("27"), stop=stop_at("25"), no_expiry=True)
    error = refusal(lambda: seat.app.order_amendments.amend(deal, change, confirmed=False))
    assert error.next == f"capcli orders amend {deal} --at 27 --stop 25 --no-expiry --confirm"
    error = refusal(lambda: seat.app.cancellations.cancel(deal, confirmed=False))
    assert error.next == f"capcli orders cancel {deal} --confirm"


def test_only_what_tightens_is_possible_while_something_is_unresolved(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("24"))
    lost_order(seat)
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0
    assert refusal(lambda: amend(seat, deal, "25.5")).code == "BLOCKED"
    assert refusal(lambda: amend(seat, deal, stop=stop_at("23"))).code == "BLOCKED"
    assert cancel(seat, deal).exit_code == 0


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_lost_answer_is_looked_up_and_the_amendment_made(seat: Seat, where: str) -> None:
    deal = place(seat)
    seat.tap.breaks("PUT", "/workingorders", **{where: LOST})
    assert amend(seat, deal, "27").data.state is S.LANDED
    assert len(puts(seat)) == (2 if where == "before" else 1)


def test_two_lost_answers_are_doubt_that_ends(seat: Seat, time: Time) -> None:
    deal, waiting = place(seat), seat.preview().preview_id
    seat.tap.breaks("PUT", "/workingorders", before=LOST, times=2)
    assert amend(seat, deal, "27").exit_code == 8
    blocked = refusal(lambda: seat.execute(waiting))
    assert blocked.next == f"capcli reconcile {blocked.details['attempt_id']}"
    assert blocked.message.startswith(f"The amendment of {deal} of ")
    time.tick(121)
    seat.open()
    assert states(seat, Kind.AMEND) == [S.ABSENT]


def test_an_order_without_the_stop_that_was_asked_for_is_exit_9(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("PUT", "/workingorders", before=says(200, {"dealReference": "o_1"}))
    reply = amend(seat, deal, stop=stop_at("25"))
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (9, "NO_STOP")
    assert reply.data.next == f"capcli orders amend {deal} --stop 25 --confirm"


def test_an_order_that_is_gone_meanwhile_is_not_amended(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("PUT", "/workingorders", before=lambda request: elsewhere(seat, request))
    error = refusal(lambda: amend(seat, deal, "27"))
    assert (error.code, states(seat, Kind.AMEND)) == ("DEAL_UNKNOWN", [S.REJECTED])


def test_a_cancelled_order_waits_no_longer(seat: Seat) -> None:
    kept, gone = place(seat), place(seat, "25")
    seat.confirms_after(0)
    done = cancel(seat, gone).data
    assert [row.deal_id for row in waiting(seat)] == [kept]
    assert (done.epic, done.side, done.type, done.size, done.level) == (
        "SILVER",
        Side.BUY,
        OrderType.LIMIT,
        D("1.5"),
        D(25),
    )
    assert (done.state, states(seat, Kind.CANCEL)) == (S.LANDED, [S.LANDED])
    attempt = seat.app.journal.attempt(done.attempt_id)
    assert attempt is not None
    assert (attempt.evidence, attempt.deal_ids) == (Evidence.CONFIRM, (gone,))
    assert done.sentence == (
        "Cancelled the LIMIT order to BUY 1.5 SILVER at 25; nothing of it was filled "
        f"(paper, account {FIRST_ACCOUNT})."
    )


@pytest.mark.parametrize(("where", "sent"), [("before", 2), ("after", 1)])
def test_a_cancellation_with_a_lost_answer_is_proved_from_the_book(seat: Seat, where: str, sent: int) -> None:
    deal = place(seat)
    seat.tap.breaks("DELETE", "/workingorders", **{where: LOST})
    assert cancel(seat, deal).data.state is S.LANDED
    assert seat.tap.seen("DELETE") == [f"DELETE /workingorders/{deal}"] * sent


def test_an_order_that_somebody_cancelled_first_is_cancelled(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("DELETE", "/workingorders", before=lambda request: elsewhere(seat, request))
    assert cancel(seat, deal).exit_code == 0


def test_a_change_that_was_taken_and_is_not_there_is_doubt(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("PUT", "/workingorders", before=says(200, {"dealReference": f"p_{deal}"}))
    reply = amend(seat, deal, "27")
    assert (reply.exit_code, reply.data.level) == (8, D(26))
    assert "the broker accepted it, but the order does not show it" in reply.data.sentence


def test_a_cancellation_whose_end_nothing_can_tell_is_doubt(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("DELETE", "/workingorders", after=says(502, text=""))
    seat.tap.breaks("GET", "/history/activity", before=says(500, text=""), times=99)
    assert cancel(seat, deal).exit_code == 8
    assert states(seat, Kind.CANCEL) == [S.UNKNOWN]


def test_of_two_that_wait_the_named_one_is_changed(seat: Seat) -> None:
    first, second = place(seat), place(seat)
    assert amend(seat, second, "20.25").exit_code == 0
    assert {row.deal_id: row.level for row in waiting(seat)} == {first: D(26), second: D("20.25")}


def test_an_unknown_or_cancelled_order_is_said_to_be_gone(seat: Seat) -> None:
    deal = place(seat)
    cancel(seat, deal)
    looks: list[datetime] = []
    seat.tap.breaks("GET", "/workingorders", before=lambda _: looks.append(seat.time.now()), times=2)
    error = refusal(lambda: cancel(seat, deal))
    assert (error.code, int(error.exit_code)) == ("DEAL_UNKNOWN", 6)
    assert looks[1] - looks[0] >= timedelta(seconds=0.3), "a list can be stale"
    assert len(seat.tap.seen("DELETE")) == 1


@pytest.fixture
def filled(seat: Seat) -> tuple[str, str]:
    near = seat.app.markets.quote(("SILVER",)).data.quotes[0].offer - D("0.05")
    deal = place(seat, str(near))
    return deal, fill(seat, deal)


def test_a_filled_order_is_named_with_its_position(seat: Seat, filled: tuple[str, str]) -> None:
    order, position = filled
    for work in (lambda: cancel(seat, order), lambda: amend(seat, order, "27")):
        error = refusal(work)
        assert (error.code, error.details["position_deal_id"]) == ("DEAL_UNKNOWN", position)
        assert error.next == f"capcli positions {position}"
    assert seat.tap.seen("DELETE") == []


def test_a_cancellation_that_is_only_claimed_was_not_sent_where_its_order_waits(
    seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, other = seats(), seats()
    order = place(seat)

    def move(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(seat.app.journal, "move", move)
    with pytest.raises(KeyboardInterrupt):
        cancel(seat, order)
    (row,) = other.app.reconciliations.reconcile().data.attempts
    assert (row.state_before, row.state) == (S.CLAIMED, S.NOT_SENT)


def test_a_filled_order_is_named_also_where_the_account_cannot_be_read(
    seat: Seat, filled: tuple[str, str]
) -> None:
    order, position = filled

    def silent(_: httpx.Request) -> None:
        seat.tap.breaks("GET", "/session", before=says(500, text=""), times=99)

    seat.tap.breaks("GET", "/workingorders", after=silent)
    error = refusal(lambda: cancel(seat, order))
    assert (error.code, error.details["position_deal_id"]) == ("DEAL_UNKNOWN", position)


def test_an_order_that_fills_while_it_is_cancelled_is_told_as_filled(seat: Seat) -> None:
    near = seat.app.markets.quote(("SILVER",)).data.quotes[0].offer - D("0.05")
    deal = place(seat, str(near))
    became: list[str] = []

    def fill_first(_: httpx.Request) -> None:
        became.append(fill(seat, deal))

    seat.tap.breaks("DELETE", "/workingorders", before=fill_first)
    error = refusal(lambda: cancel(seat, deal))
    assert (int(error.exit_code), error.details["position_deal_id"]) == (6, became[0])
    assert states(seat, Kind.CANCEL) == [S.REJECTED]


@pytest.mark.parametrize(
    ("answer", "code", "exit_code"),
    [
        (says(429, {"errorCode": "error.too-many.requests"}), "RATE_LIMITED", 11),
        (says(400, {"errorCode": "error.some.reason"}), "BROKER_REFUSED", 6),
        (says(401, {"errorCode": "error.invalid.session.token"}), "SESSION_LOST", 4),
        (httpx.ConnectError("refused"), "NETWORK", 7),
    ],
)
def test_a_cancellation_that_was_not_made_says_that_it_still_waits(
    seat: Seat, answer: Any, code: str, exit_code: int
) -> None:
    deal = place(seat)
    seat.tap.breaks("DELETE", "/workingorders", before=answer)
    error = refusal(lambda: cancel(seat, deal))
    assert (error.code, int(error.exit_code)) == (code, exit_code)
    assert "is still waiting" in error.message
    assert len(waiting(seat)) == 1


def test_a_cancellation_without_proof_is_doubt_that_ends(seat: Seat, time: Time) -> None:
    deal, waiting = place(seat), seat.preview().preview_id
    seat.tap.breaks("DELETE", "/workingorders", before=LOST, times=2)
    reply = cancel(seat, deal)
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (8, "CANCEL_UNKNOWN")
    assert (reply.problem.retry_safe, reply.problem.assistant_error) == (True, False)
    assert reply.problem.next == f"capcli orders cancel {deal} --confirm"
    assert reply.problem.details == {"attempt_id": reply.data.attempt_id, "state": "UNKNOWN"}
    blocked = refusal(lambda: seat.execute(waiting))
    assert (blocked.code, blocked.message.startswith(f"The cancellation of {deal} of ")) == ("BLOCKED", True)
    assert cancel(seat, deal).exit_code == 0
    time.tick(121)
    seat.open()
    assert states(seat, Kind.CANCEL) == [S.REJECTED, S.LANDED]


def test_an_order_that_cannot_be_read_is_cancelled_by_its_id(seat: Seat) -> None:
    deal = place(seat)
    bad = {"workingOrderData": {"dealId": deal}, "marketData": {}}
    seat.tap.breaks("GET", "/workingorders", before=says(200, {"workingOrders": [bad]}))
    done = cancel(seat, deal).data
    assert (done.state, done.epic, done.size, waiting(seat)) == (S.LANDED, None, None, ())
    assert done.sentence.startswith(f"Cancelled the working order {deal}; nothing of it was filled")


@pytest.mark.parametrize("behind", [0, 5])
def test_a_cancellation_that_its_confirmation_denies_is_proved_by_the_activity(
    seats: Seats, time: Time, behind: int
) -> None:
    seat = seats(clock=lambda: time.now() - timedelta(hours=behind))
    deal = place(seat)
    denied = {
        "date": "2026-03-02T12:00:30",
        "status": "DELETED",
        "dealStatus": "REJECTED",
        "reason": "UNKNOWN",
        "dealReference": f"o_{deal}",
        "dealId": deal,
        "affectedDeals": [],
    }
    seat.tap.breaks("GET", "/confirms/", before=says(200, denied), times=9)
    done = cancel(seat, deal).data
    kept = seat.app.journal.attempt(done.attempt_id)
    assert kept is not None
    assert (kept.state, kept.evidence) == (S.LANDED, Evidence.INFERRED)


def test_an_order_that_vanished_with_nothing_to_tell_why_is_doubt(seat: Seat) -> None:
    deal = place(seat)
    seat.tap.breaks("DELETE", "/workingorders", after=LOST)
    seat.tap.breaks("GET", "/history/activity", before=says(200, {"activities": []}), times=9)
    assert cancel(seat, deal).exit_code == 8


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "false"}, "TRADING_OFF"),
        ({"CAP_ENV": "live", "CAP_ALLOW_TRADING": "true"}, "LIVE_LOCKED"),
    ],
)
def test_switches_stop_both(seats: Seats, settings: dict[str, str], code: str) -> None:
    seat = seats(**settings)
    assert refusal(lambda: amend(seat, "D1", "27")).code == code
    assert refusal(lambda: cancel(seat, "D1")).code == code
    assert seat.tap.requests == []

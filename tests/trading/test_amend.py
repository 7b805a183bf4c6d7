"""Amending a position: what is not named stays, and what is said was read back (H3, H4)."""

import json
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.account.portfolio import PositionRow
from capcli.domain.attempt import AttemptState, Evidence, Protection
from capcli.domain.bracket import Change
from capcli.domain.market import Side
from capcli.domain.order import ExitForm, ExitOrder, Kind
from capcli.errors import JournalUnreadable, LoginRefused
from capcli.reply import Reply
from capcli.trading.amend_position import Amendment
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, Seat, refusal, refuse_logins, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState
LOST = httpx.ReadTimeout("no answer")
HELD = {"stop": stop_at("24.50"), "limit": stop_at("40")}


def away(distance: str) -> ExitOrder:
    return ExitOrder(ExitForm.DISTANCE, D(distance))


def amend(seat: Seat, deal_id: str | None, **change: Any) -> Reply[Amendment]:
    return seat.app.amendments.amend(deal_id or "", Change(**change), confirmed=True)


def row(seat: Seat, deal_id: str | None) -> PositionRow:
    return seat.app.portfolio.positions(deal_id).data.positions[0]


def puts(seat: Seat) -> list[dict[str, Any]]:
    """Return the bodies of the amendments that were sent, numbers as text."""
    bodies = [request.content for request in seat.tap.requests if "/positions/" in request.url.path]
    return [json.loads(body, parse_float=str, parse_int=str) for body in bodies if body]


def states(seat: Seat, kind: Kind = Kind.AMEND) -> list[AttemptState]:
    with seat.app.journal._db.transaction() as connection:
        rows = connection.execute("SELECT state FROM attempts WHERE kind = ?", (kind,)).fetchall()
    return [AttemptState(row["state"]) for row in rows]


def gone(_: httpx.Request) -> httpx.Response:
    return says(404, {"errorCode": "error.not-found.dealId"})


def lost_order(seat: Seat) -> None:
    """Leave an attempt behind of which nobody knows what became."""
    seat.tap.breaks("POST", "/positions", before=LOST)
    assert seat.execute(seat.preview(size="2").preview_id).exit_code == 8


@pytest.mark.parametrize(
    ("change", "stop", "limit"),
    [
        ({"stop": stop_at("25.5")}, "25.5", "40"),
        ({"limit": stop_at("41")}, "24.50", "41"),
        ({"no_limit": True}, "24.50", None),
        ({"no_stop": True}, None, "40"),
        ({"no_stop": True, "no_limit": True}, None, None),
    ],
)
def test_the_leg_that_is_not_named_is_kept(
    seat: Seat, change: dict[str, Any], stop: str | None, limit: str | None
) -> None:
    deal = seat.open(**HELD).deal_id
    done = amend(seat, deal, **change)
    assert done.exit_code == 0
    assert puts(seat) == [{"stopLevel": stop, "profitLevel": limit}]
    held = row(seat, deal)
    assert (held.stop_level, held.limit_level) == tuple(None if x is None else D(x) for x in (stop, limit))
    assert (done.data.stop_level, done.data.limit_level) == (held.stop_level, held.limit_level)


def test_an_amendment_is_recorded_with_its_evidence(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id or ""
    done = amend(seat, deal, stop=stop_at("25")).data
    kept = seat.app.journal.attempt(done.attempt_id or "")
    assert kept is not None
    assert (kept.kind, kept.method, kept.path) == (Kind.AMEND, "PUT", f"/positions/{deal}")
    assert (kept.state, kept.evidence, kept.protected) == (S.LANDED, Evidence.INFERRED, Protection.YES)
    assert (kept.deal_ids, kept.stop_level, kept.preview_id) == ((deal,), D(25), None)
    assert done.protected is Protection.YES
    assert done.sentence == "Amended: BUY 1.5 SILVER has stop 25 (it was 24.50) and limit 40 as before."


@pytest.mark.parametrize("side", list(Side))
def test_a_distance_is_counted_from_the_price_that_closes(seat: Seat, side: Side) -> None:
    deal = seat.open(side=side).deal_id
    price = row(seat, deal).bid if side is Side.BUY else row(seat, deal).offer
    done = amend(seat, deal, stop=away("1.5"), limit=away("2")).data
    sign = -1 if side is Side.BUY else 1
    assert done.stop_level is not None
    assert done.limit_level is not None
    assert abs(price + sign * D("1.5") - done.stop_level) < D("0.05")
    assert abs(price - sign * 2 - done.limit_level) < D("0.05")
    assert row(seat, deal).stop_level == done.stop_level


def test_exits_in_percent_are_of_the_level_at_which_it_was_opened(seat: Seat) -> None:
    deal = seat.open().deal_id
    opened = row(seat, deal).level
    two_percent = ExitOrder(ExitForm.PERCENT, D(2))
    assert amend(seat, deal, stop=two_percent, limit=two_percent).exit_code == 0
    stop, limit = row(seat, deal).stop_level or D(0), row(seat, deal).limit_level or D(0)
    assert 0 <= opened * D("0.98") - stop < D("0.01")
    assert 0 <= limit - opened * D("1.02") < D("0.01")


def test_a_trailing_stop_is_kept_while_the_limit_moves(seat: Seat) -> None:
    deal = seat.open(stop=away("2"), trailing=True).deal_id
    assert amend(seat, deal, limit=stop_at("41")).exit_code == 0
    assert puts(seat) == [{"trailingStop": True, "stopDistance": "2.000", "profitLevel": "41"}]
    assert (row(seat, deal).trailing, row(seat, deal).limit_level) == (True, D(41))


def test_a_new_distance_of_a_trailing_stop_leaves_it_trailing_and_a_level_does_not(seat: Seat) -> None:
    deal = seat.open(stop=away("2"), trailing=True).deal_id
    assert amend(seat, deal, stop=away("1.5")).data.trailing
    assert not amend(seat, deal, stop=stop_at("30")).data.trailing
    assert not row(seat, deal).trailing


def test_a_guaranteed_stop_stays_guaranteed(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50"), guaranteed=True).deal_id
    done = amend(seat, deal, stop=stop_at("25")).data
    assert puts(seat) == [{"guaranteedStop": True, "stopLevel": "25", "profitLevel": None}]
    assert (done.guaranteed, row(seat, deal).guaranteed) == (True, True)


def test_a_stop_can_be_made_guaranteed_where_it_is(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50")).deal_id
    assert amend(seat, deal, guaranteed=True).exit_code == 0
    assert (row(seat, deal).guaranteed, row(seat, deal).stop_level) == (True, D("24.50"))


def test_a_stop_without_a_guarantee_can_be_moved_where_the_account_hedges(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    hedging = says(200, {"hedgingMode": True, "leverages": {}})
    seat.tap.breaks("GET", "/accounts/preferences", before=hedging, times=9)
    seat.app.broker.forget_preferences()
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0


@pytest.mark.parametrize("path", ["/history/activity", "/workingorders"])
def test_what_only_an_order_needs_keeps_nobody_from_amending(seats: Seats, path: str) -> None:
    seat = seats(CAP_MAX_ORDERS_PER_DAY="5")
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("GET", path, before=says(500, text=""), times=99)
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"limit": stop_at("41")}, True),
        ({"no_stop": True}, False),
        ({"stop": stop_at("25")}, False),
    ],
)
def test_a_trailing_stop_of_unknown_distance_is_kept_by_nobody(
    seat: Seat, change: dict[str, Any], *, refused: bool
) -> None:
    deal = seat.open(stop=away("2"), trailing=True).deal_id or ""

    def without_distance(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        body["position"].pop("stopDistance")
        return says(200, body)

    seat.tap.breaks("GET", f"/positions/{deal}", before=without_distance, times=2)
    if refused:
        error = refusal(lambda: amend(seat, deal, **change))
        assert (error.code, "does not say by how much" in error.message) == ("USAGE", True)
    else:
        assert amend(seat, deal, **change).exit_code == 0


def test_a_person_approves_levels_and_is_asked_to_name_them(seats: Seats) -> None:
    deal = seats().open(**HELD).deal_id
    asked = seats(CAP_APPROVAL="human")
    error = refusal(lambda: amend(asked, deal, stop=away("1"), limit=away("2")))
    named = re.fullmatch(rf"capcli positions amend {deal} --stop (\S+) --limit (\S+)", error.next or "")
    assert error.code == "USAGE"
    assert named
    stop, limit = map(Decimal, named.groups())
    # Of one price, that of the moment: a wait for a lock lets the clock go on.
    assert limit - stop == 3
    assert abs(asked.app.broker.market("SILVER").quote.bid - 1 - stop) < Decimal("0.1")
    assert refusal(lambda: amend(asked, deal, stop=stop_at("25"))).code == "APPROVAL_REQUIRED"


def test_an_amendment_that_is_seen_is_not_looked_at_again(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    amend(seat, deal, stop=stop_at("25"))
    lines = seat.tap.seen()
    assert lines[lines.index(f"PUT /positions/{deal}") :].count(f"GET /positions/{deal}") == 1


def test_a_limit_alone_asks_for_no_protection(seat: Seat) -> None:
    assert amend(seat, seat.open().deal_id, limit=stop_at("41")).data.protected is Protection.NOT_ASKED


def test_an_amendment_that_changes_nothing_sends_nothing(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    done = amend(seat, deal, stop=stop_at("24.5"), limit=stop_at("40.0"))
    assert (done.exit_code, done.data.attempt_id, done.data.state) == (0, None, None)
    assert done.data.protected is Protection.YES
    assert done.data.sentence.endswith("Nothing was sent.")
    assert puts(seat) == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stop": stop_at("25"), "no_stop": True},
        {"limit": stop_at("25"), "no_limit": True},
        {"stop": ExitOrder(ExitForm.AMOUNT, D(5))},
        {"stop": stop_at("0")},
        {"trailing": True},
        {"trailing": True, "stop": stop_at("25")},
        {"trailing": True, "guaranteed": True, "stop": away("1")},
        {"no_stop": True, "guaranteed": True},
        {"guaranteed": True},
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(seat: Seat, change: dict[str, Any]) -> None:
    deal = seat.open().deal_id
    assert int(refusal(lambda: amend(seat, deal, **change)).exit_code) == 2
    assert puts(seat) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"stop": stop_at("35")}, "stop"),
        ({"limit": stop_at("20")}, "limit"),
        ({"stop": stop_at("24.50001")}, "stop"),
        ({"stop": away("0.00001")}, "stop"),
    ],
)
def test_a_leg_that_does_not_fit_the_market_is_refused(seat: Seat, change: dict[str, Any], rule: str) -> None:
    deal = seat.open().deal_id
    error = refusal(lambda: amend(seat, deal, **change))
    assert (error.code, int(error.exit_code), error.details["failed"]) == ("CHECKS_FAILED", 5, [rule])
    assert puts(seat) == []


def test_it_needs_a_confirmation_and_names_the_whole_command(seat: Seat) -> None:
    deal = seat.open().deal_id or ""
    change = Change(stop=away("1.50"), no_limit=True, trailing=True)
    error = refusal(lambda: seat.app.amendments.amend(deal, change, confirmed=False))
    command = f"capcli positions amend {deal} --stop-distance 1.5 --no-limit --trailing --confirm"
    assert (error.code, error.next) == ("NOT_CONFIRMED", command)


def test_trading_off_refuses_even_to_tighten(seats: Seats) -> None:
    seat = seats(CAP_ENV="demo", CAP_ALLOW_TRADING="false")
    error = refusal(lambda: amend(seat, "D1", stop=stop_at("25")))
    assert (error.code, int(error.exit_code)) == ("TRADING_OFF", 5)
    assert seat.tap.requests == []


def test_live_is_locked(seats: Seats) -> None:
    seat = seats(CAP_ENV="live", CAP_ALLOW_TRADING="true")
    assert refusal(lambda: amend(seat, "D1", stop=stop_at("25"))).code == "LIVE_LOCKED"
    assert seat.tap.requests == []


def test_an_unknown_deal_is_said_to_be_unknown(seat: Seat) -> None:
    error = refusal(lambda: amend(seat, "no-such-deal", stop=stop_at("25")))
    assert (error.code, int(error.exit_code)) == ("DEAL_UNKNOWN", 6)


TIGHTER = [{"stop": stop_at("25")}, {"limit": stop_at("39")}, {"limit": stop_at("42")}]
LOOSER = [{"stop": stop_at("24")}, {"no_stop": True}, {"no_limit": True}]


@pytest.mark.parametrize("change", TIGHTER)
def test_tightening_is_possible_whatever_is_unresolved(seat: Seat, change: dict[str, Any]) -> None:
    deal = seat.open(**HELD).deal_id
    lost_order(seat)
    assert amend(seat, deal, **change).exit_code == 0


@pytest.mark.parametrize("change", LOOSER)
def test_loosening_is_new_risk_while_something_is_unresolved(seat: Seat, change: dict[str, Any]) -> None:
    deal = seat.open(**HELD).deal_id
    lost_order(seat)
    error = refusal(lambda: amend(seat, deal, **change))
    assert (error.code, int(error.exit_code)) == ("BLOCKED", 10)
    assert "which is new risk" in error.message
    assert puts(seat) == []


def test_loosening_is_refused_where_the_market_is_not_allowed_and_tightening_is_not(seats: Seats) -> None:
    deal = seats().open(**HELD).deal_id
    strict = seats(CAP_ALLOWED_EPICS="GOLD", CAP_MAX_OPEN_POSITIONS="1", CAP_MAX_ORDERS_PER_DAY="1")
    assert refusal(lambda: amend(strict, deal, no_stop=True)).details["failed"] == ["epic_allowed"]
    assert amend(strict, deal, stop=stop_at("25")).exit_code == 0


def test_giving_up_a_guarantee_for_a_trailing_stop_is_new_risk(seat: Seat) -> None:
    deal = seat.open(stop=stop_at("24.50"), guaranteed=True).deal_id
    lost_order(seat)
    assert (
        "removes the guarantee" in refusal(lambda: amend(seat, deal, stop=away("1"), trailing=True)).message
    )


def test_an_answer_that_was_lost_after_the_amendment_is_no_doubt(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", after=LOST)
    assert amend(seat, deal, stop=stop_at("25")).data.state is S.LANDED
    assert len(puts(seat)) == 1


def test_an_amendment_that_never_arrived_is_sent_once_more(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=LOST)
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0
    assert puts(seat) == [{"stopLevel": "25", "profitLevel": "40"}] * 2
    assert row(seat, deal).stop_level == D(25)


def test_two_lost_amendments_are_told_as_doubt_and_can_be_made_again(seat: Seat, time: Time) -> None:
    deal = seat.open(**HELD).deal_id or ""
    waiting = seat.preview(size="2").preview_id
    seat.tap.breaks("PUT", "/positions", before=LOST, times=2)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code, reply.data.state) == (8, "AMEND_UNKNOWN", S.UNKNOWN)
    assert (reply.data.stop_level, reply.data.protected) == (D("24.50"), Protection.UNCHECKED)
    assert (reply.problem.retry_safe, reply.problem.assistant_error) == (True, False)
    assert reply.problem.next == f"capcli positions {deal}"
    assert reply.problem.details == {"attempt_id": reply.data.attempt_id, "state": "UNKNOWN"}
    assert "(ReadTimeout)" in reply.problem.message
    blocked = refusal(lambda: seat.execute(waiting))
    assert (blocked.code, blocked.next) == ("BLOCKED", f"capcli reconcile {blocked.details['attempt_id']}")
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0
    time.tick(1)
    seat.open(size="2")
    assert states(seat) == [S.REJECTED, S.LANDED]


def test_a_lost_amendment_that_is_not_there_stops_blocking_after_two_minutes(seat: Seat, time: Time) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=LOST, times=2)
    amend(seat, deal, stop=stop_at("25"))
    time.tick(121)
    seat.open(size="2")
    assert states(seat) == [S.ABSENT]


def test_a_lost_amendment_of_a_position_that_is_gone_stops_blocking(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id or ""
    seat.tap.breaks("PUT", "/positions", before=LOST, times=2)
    amend(seat, deal, stop=stop_at("25"))
    seat.app.closings.close(deal, confirmed=True)
    seat.open(size="2")
    assert states(seat) == [S.REJECTED]


@pytest.mark.parametrize(
    ("answer", "code", "exit_code", "state"),
    [
        (says(429, {"errorCode": "error.too-many.requests"}), "RATE_LIMITED", 11, S.REFUSED),
        (says(400, {"errorCode": "error.some.reason"}), "BROKER_REFUSED", 6, S.REFUSED),
        (says(401, {"errorCode": "error.invalid.session.token"}), "SESSION_LOST", 4, S.REFUSED),
        (httpx.ConnectError("refused"), "NETWORK", 7, S.NOT_SENT),
    ],
)
def test_an_amendment_that_was_not_made_says_why(
    seat: Seat, answer: Any, code: str, exit_code: int, state: AttemptState
) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=answer)
    error = refusal(lambda: amend(seat, deal, stop=stop_at("25")))
    assert (error.code, int(error.exit_code), states(seat)) == (code, exit_code, [state])
    assert (error.data["deal_id"], error.data["state"], error.account_id) == (deal, state, FIRST_ACCOUNT)
    assert error.data["attempt_id"].startswith("a_")
    assert row(seat, deal).stop_level == D("24.50")
    assert error.message.count("are unchanged") == 1


@pytest.mark.parametrize(
    ("code", "following"),
    [
        ("error.invalid.stoploss.minvalue: 17.146", "capcli positions amend {} --stop 17.146"),
        ("error.some.reason", "capcli positions"),
    ],
)
def test_a_refused_amendment_offers_the_bound_that_the_broker_named(
    seat: Seat, code: str, following: str
) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=says(400, {"errorCode": code}))
    error = refusal(lambda: amend(seat, deal, stop=stop_at("25")))
    assert error.next == following.format(deal)


def test_a_gateway_error_is_no_verdict(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=says(502, text="bad gateway"))
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 8
    seat.tap.breaks("PUT", "/positions", after=says(502, text="bad gateway"))
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0


def test_a_rejection_that_comes_afterwards_is_a_no(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    rejected = {
        "date": "2026-03-02T12:01:00",
        "status": "AMENDED",
        "dealStatus": "REJECTED",
        "rejectReason": "RISK_CHECK",
        "epic": "SILVER",
        "dealReference": f"p_{deal}",
        "dealId": deal,
    }
    seat.tap.breaks("PUT", "/positions", before=says(200, {"dealReference": f"p_{deal}"}))
    seat.tap.breaks("GET", "/confirms/p_", before=says(200, rejected))
    error = refusal(lambda: amend(seat, deal, stop=stop_at("25")))
    assert (error.code, error.details["broker_code"], states(seat)) == (
        "BROKER_REFUSED",
        "RISK_CHECK",
        [S.REJECTED],
    )


def test_the_rejection_is_looked_for_by_the_reference_of_the_answer(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seat.tap.breaks("PUT", "/positions", before=says(200, {"dealReference": "p_another"}))
    amend(seat, deal, stop=stop_at("25"))
    assert "GET /confirms/p_another" in seat.tap.seen()


def test_a_limit_that_is_not_as_asked_is_told_beside_the_stop_that_is(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id

    def stop_alone(request: httpx.Request) -> httpx.Response:
        body = json.dumps({"stopLevel": 25, "profitLevel": 40}).encode()
        headers = {key: value for key, value in request.headers.items() if key != "content-length"}
        return seat.tap._inner.handle_request(
            httpx.Request("PUT", request.url, headers=headers, content=body)
        )

    seat.tap.breaks("PUT", "/positions", before=stop_alone)
    reply = amend(seat, deal, stop=stop_at("25"), limit=stop_at("41"))
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code) == (8, "AMEND_UNKNOWN")
    assert (reply.data.stop_level, reply.data.limit_level) == (D(25), D(40))


def taken_but_not_done(seat: Seat, deal: str | None) -> None:
    seat.tap.breaks("PUT", "/positions", before=says(200, {"dealReference": f"p_{deal}"}))


def test_a_stop_that_was_asked_for_and_is_not_there_is_exit_9(seat: Seat) -> None:
    deal = seat.open().deal_id
    taken_but_not_done(seat, deal)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code, reply.data.protected) == (9, "NO_STOP", Protection.NO)
    assert reply.data.next == f"capcli positions amend {deal} --stop 25 --confirm"
    assert "WITHOUT its stop" in reply.data.sentence
    assert states(seat) == [S.LANDED]
    assert seat.app.reconciliations.reconcile(reply.data.attempt_id).exit_code == 9


def test_a_stop_that_stayed_where_it_was_is_exit_9_too(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    taken_but_not_done(seat, deal)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert reply.problem is not None
    assert (reply.exit_code, reply.problem.code, reply.data.stop_level) == (9, "STOP_DIFFERS", D("24.50"))


@pytest.mark.parametrize(("last", "exit_code", "state"), [(7, 9, S.LANDED), (99, 8, S.UNKNOWN)])
def test_a_stop_that_was_seen_not_to_be_there_is_known_although_later_looks_fail(
    seat: Seat, last: int, exit_code: int, state: AttemptState
) -> None:
    deal = seat.open(**HELD).deal_id
    taken_but_not_done(seat, deal)
    looks: list[int] = []

    def once(_: httpx.Request) -> httpx.Response | None:
        looks.append(len(seat.tap.seen("PUT")))
        return says(500, text="") if 2 <= looks.count(1) <= last else None

    seat.tap.breaks("GET", f"/positions/{deal}", before=once, times=99)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert looks.count(1) >= 8, "the last look is that which tells what is there"
    assert (reply.exit_code, states(seat)) == (exit_code, [state])


def test_a_limit_that_is_not_there_is_told_as_doubt(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    taken_but_not_done(seat, deal)
    reply = amend(seat, deal, limit=stop_at("41"))
    assert (reply.exit_code, reply.data.limit_level, states(seat)) == (8, D(40), [S.UNKNOWN])
    assert "the limit is different" in reply.data.sentence


def test_a_position_that_is_gone_meanwhile_is_said_to_be_closed(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id

    def close_first(request: httpx.Request) -> None:
        tokens = seat.app.broker._sessions.live().tokens.headers
        path = f"http://paper{request.url.path}"
        seat.time.tick(1)
        seat.tap._inner.handle_request(httpx.Request("DELETE", path, headers=tokens))

    seat.tap.breaks("PUT", "/positions", before=close_first)
    error = refusal(lambda: amend(seat, deal, stop=stop_at("25")))
    assert (error.code, int(error.exit_code), states(seat)) == ("DEAL_UNKNOWN", 6, [S.REJECTED])
    assert "no longer open" in error.message


def test_two_amendments_at_once_do_not_lose_a_leg(seats: Seats) -> None:
    seat, other = seats(), seats()
    deal = seat.open(**HELD).deal_id
    codes: list[str] = []

    def meanwhile(_: httpx.Request) -> None:
        seat.time.tick(1)
        codes.append(refusal(lambda: amend(other, deal, limit=stop_at("41"))).code)

    seat.tap.breaks("PUT", "/positions", before=meanwhile)
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0
    assert codes == ["BUSY"]
    assert amend(other, deal, limit=stop_at("41")).data.stop_level == D(25)


def test_a_lost_order_is_still_found_after_its_position_was_given_a_stop(seat: Seat) -> None:
    preview = seat.preview(size="2").preview_id

    def cut(_: httpx.Request) -> None:
        seat.tap.breaks("GET", "/positions", before=says(500, text=""), times=9)
        raise LOST

    seat.tap.breaks("POST", "/positions", after=cut)
    assert seat.execute(preview).exit_code == 8
    seat.tap.mend()
    (deal,) = seat.book()
    assert amend(seat, deal, stop=stop_at("25")).exit_code == 0
    assert seat.execute(preview).data.state is S.LANDED


def test_an_amendment_that_is_called_back_before_the_send_changes_nothing(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seat.app.send_gate.call_back()
    assert refusal(lambda: amend(seat, deal, stop=stop_at("25"))).exit_code == 130
    assert (states(seat), puts(seat)) == ([], [])


def test_an_amendment_that_is_called_back_at_the_last_moment_is_not_sent(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = seat.open(**HELD).deal_id
    opens = seat.app.journal.open_attempt

    def called_back(attempt: Any, **facts: Any) -> None:
        opens(attempt, **facts)
        seat.app.send_gate.call_back()

    monkeypatch.setattr(seat.app.journal, "open_attempt", called_back)
    assert refusal(lambda: amend(seat, deal, stop=stop_at("25"))).exit_code == 130
    assert (states(seat), puts(seat)) == ([S.NOT_SENT], [])


def test_nothing_is_sent_before_the_journal_holds_it(seat: Seat) -> None:
    deal = seat.open(**HELD).deal_id
    seen: list[AttemptState] = []
    seat.tap.breaks("PUT", "/positions", before=lambda _: seen.extend(states(seat)))
    amend(seat, deal, stop=stop_at("25"))
    assert seen == [S.SENDING]


def test_a_journal_that_fails_after_the_send_is_doubt(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = seat.open(**HELD).deal_id

    def full(*_: Any, **__: Any) -> None:
        raise JournalUnreadable("The disk is full.")

    monkeypatch.setattr("capcli.trading.mutation.Mutations.record", full)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert (reply.exit_code, states(seat)) == (8, [S.SENDING])


def test_an_amendment_that_is_settled_is_told_again_and_looked_at_no_more(seat: Seat, time: Time) -> None:
    deal = seat.open(**HELD).deal_id
    done = amend(seat, deal, stop=stop_at("25")).data.attempt_id
    seat.tap.breaks("PUT", "/positions", before=LOST, times=2)
    lost = amend(seat, deal, stop=stop_at("26")).data.attempt_id
    time.tick(121)
    for attempt_id, state in ((lost, S.ABSENT), (lost, S.ABSENT), (done, S.LANDED)):
        reply = seat.app.reconciliations.reconcile(attempt_id)
        assert [row.state for row in reply.data.attempts] == [state]


def test_a_close_that_is_settled_is_looked_at_no_more(seat: Seat, time: Time) -> None:
    deal = seat.open().deal_id or ""
    seat.tap.breaks("DELETE", "/positions", before=LOST, times=2)
    lost = seat.app.closings.close(deal, confirmed=True).data.attempt_id
    time.tick(121)
    for _ in range(2):
        reply = seat.app.reconciliations.reconcile(lost)
        assert [row.state for row in reply.data.attempts] == [S.ABSENT]


def test_a_bug_after_the_send_leaves_doubt(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = seat.open(**HELD).deal_id
    monkeypatch.setattr("capcli.trading.amend.amended_read_back", lambda *_: 1 / 0)
    reply = amend(seat, deal, stop=stop_at("25"))
    assert (reply.exit_code, reply.data.state) == (8, S.UNKNOWN)
    assert "ZeroDivisionError after the send" in reply.data.sentence


def test_an_amendment_that_a_login_kept_here_ends_with_its_exit_code(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = seat.open(**HELD).deal_id
    refuse_logins(seat, monkeypatch, LoginRefused("no"))
    error = refusal(lambda: amend(seat, deal, stop=stop_at("25")))
    assert (int(error.exit_code), error.next, states(seat)) == (4, "capcli login", [S.NOT_SENT])

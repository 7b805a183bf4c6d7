"""At most one POST per preview, and no verdict without evidence. The names in brackets are the protocol's."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.account.history import Span
from capcli.broker.limits import RequestKind
from capcli.domain.attempt import AttemptState, Evidence, PreviewState
from capcli.domain.market import Side
from capcli.domain.order import Kind, Trigger
from capcli.errors import Busy, CapcliError, CredentialsMissing, LoginRefused, RateLimited
from capcli.ports import Lane
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, refuse_logins, stop_at
from tests.support.tap import says

D = Decimal
S = AttemptState
LOST = httpx.ReadTimeout("no answer")
CONFIRMS = "/confirms/o_"


def ready(seat: Seat, preview_id: str) -> bool:
    preview = seat.app.journal.preview(preview_id)
    return preview is not None and preview.state is PreviewState.READY


def test_an_order_lands_and_says_what_it_became(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    reply = seat.execute(shown.preview_id)
    done = reply.data
    assert (reply.exit_code, done.state, done.evidence) == (0, S.LANDED, Evidence.CONFIRM)
    assert done.sentence == f"Bought 1.5 SILVER at {done.level}, stop 24.50 in place."
    assert (done.next, done.warnings) == (f"capcli positions {done.deal_id}", ())
    assert seat.book() == [done.deal_id]
    assert seat.tap.orders() == [shown.body.encode()]
    written = [row["kind"] for row in seat.app.journal._db.rows("SELECT kind FROM events ORDER BY seq")]
    assert written == ["begin", "preview", "claim", "move", "move", "move"]


def test_a_warm_execution_takes_nine_requests(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    before = len(seat.tap.requests)
    seat.execute(shown.preview_id)
    seen = [line.split("/o_")[0] for line in seat.tap.seen()[before:]]
    polls = seen.count("GET /confirms")
    assert len(seen) == 9 + polls
    assert seen[0] == "GET /session"
    assert set(seen[1:6]) == {
        "GET /markets/SILVER",
        "GET /accounts",
        "GET /accounts/preferences",
        "GET /positions",
        "GET /workingorders",
    }
    assert seen[6:8] == ["POST /positions", "GET /session"]
    assert seen[-1] == "GET /positions"


def test_a_daily_limit_costs_one_request_more(seats: Seats) -> None:
    seat = seats(CAP_MAX_ORDERS_PER_DAY="5")
    shown = seat.preview()
    before = len(seat.tap.requests)
    seat.execute(shown.preview_id)
    seen = seat.tap.seen()[before:]
    assert len(seen) == 10 + sum(CONFIRMS in line for line in seen)
    assert "GET /history/activity" in seen


def test_the_same_preview_again_replays_and_sends_nothing(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    first = seat.execute(preview_id).data
    before = len(seat.tap.requests)
    again = seat.app.executions.execute(preview_id, confirmed=False)
    assert (again.exit_code, again.data.replayed, again.data.deal_id) == (0, True, first.deal_id)
    assert again.data.sentence.startswith("Already executed at 12:00:")
    assert again.data.sentence.endswith("Nothing was sent now.")
    assert len(seat.tap.requests) == before


def test_a_replayed_sentence_ends_in_its_command_and_nothing_else(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    seat.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("no answer"))
    seat.execute(shown.preview_id)
    seat.time.tick(2)
    told = seat.execute(shown.preview_id)
    assert told.data.sentence.endswith(
        f": The order may be live. Do not send it again. Nothing was sent now. Run: {told.data.next}"
    )
    for pause in (121, 31):
        seat.time.tick(pause)
        told = seat.execute(shown.preview_id)
    assert told.data.state is S.ABSENT
    assert told.data.sentence.endswith(
        f"you will be told if it appears. Nothing was sent now. To settle: {told.data.next}"
    )
    assert told.problem.message == told.data.sentence


def test_a_replay_of_a_position_without_its_stop_ends_in_the_command_that_sets_it(seat: Seat) -> None:
    def without_stop(request: httpx.Request) -> httpx.Response:
        body = seat.tap._inner.handle_request(request).json()
        for row in body["positions"]:
            row["position"].pop("stopLevel", None)
        return httpx.Response(200, json=body)

    seat.tap.breaks("GET", "/positions", before=without_stop, times=9)
    shown = seat.preview(stop=stop_at("24.50"))
    seat.execute(shown.preview_id)
    told = seat.execute(shown.preview_id)
    assert (told.exit_code, told.problem.code) == (9, "NO_STOP")
    assert told.data.sentence.endswith(
        f"WITHOUT its stop at 24.50. Nothing was sent now. Set it now: {told.data.next}"
    )
    assert told.data.next.endswith("--confirm")


def test_an_id_is_read_whatever_its_case_and_dashes(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    assert seat.execute(f" --{preview_id.upper()}- ").exit_code == 0


@pytest.mark.parametrize("text", ["p_1", "a_000000000001", "", "p_00000000000!"])
def test_what_is_no_preview_id_is_a_usage_error(seat: Seat, text: str) -> None:
    assert int(refusal(lambda: seat.execute(text)).exit_code) == 2


def test_an_unknown_preview_is_refused(seat: Seat) -> None:
    error = refusal(lambda: seat.execute("p_000000000009"))
    assert (error.code, int(error.exit_code)) == ("PREVIEW_UNKNOWN", 5)


def test_an_expired_preview_is_refused_with_the_command_that_makes_it_again(seat: Seat, time: Time) -> None:
    shown = seat.preview(side=Side.SELL, size="1.50", stop=stop_at("38.5"))
    time.tick(121)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == ("PREVIEW_EXPIRED", 5)
    assert error.next == "capcli preview SILVER --size 1.5 --sell --stop 38.5"
    assert not seat.tap.orders()


@pytest.mark.parametrize(
    ("settings", "options", "kind", "code"),
    [
        ({"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "true"}, None, None, "PREVIEW_ELSEWHERE"),
        ({}, Options(account=SECOND_ACCOUNT), None, "PREVIEW_ELSEWHERE"),
        ({}, None, Kind.WORKING, "PREVIEW_ELSEWHERE"),
        ({"CAP_ALLOW_TRADING": "false"}, None, None, "TRADING_OFF"),
    ],
)
def test_a_preview_of_elsewhere_is_refused_and_stays_ready(
    seats: Seats, settings: dict[str, str], options: Options | None, kind: Kind | None, code: str
) -> None:
    first, other = seats(), seats(options=options, **settings)
    shown = first.preview()
    error = refusal(lambda: other.execute(shown.preview_id, kind=kind))
    if code == "TRADING_OFF" and error.code != code:
        pytest.skip("paper always trades")
    assert (error.code, int(error.exit_code)) == (code, 5)
    assert ready(first, shown.preview_id)
    assert not other.tap.requests
    assert first.execute(shown.preview_id).exit_code == 0


def test_another_host_is_another_place(seats: Seats) -> None:
    demo = {"CAP_ENV": "demo", "CAP_ALLOW_TRADING": "true", "CAP_API_KEY": "paper"}
    demo |= {"CAP_IDENTIFIER": "paper", "CAP_API_PASSWORD": "paper"}
    first = seats(**demo, CAP_API_URL="http://127.0.0.1:1")
    other = seats(**demo, CAP_API_URL="http://127.0.0.1:2")
    shown = first.preview()
    error = refusal(lambda: other.execute(shown.preview_id))
    assert (error.code, ready(first, shown.preview_id)) == ("PREVIEW_ELSEWHERE", True)
    assert "127.0.0.1:1" in error.message


def test_nothing_is_sent_without_a_confirmation(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    error = refusal(lambda: seat.app.executions.execute(preview_id, confirmed=False))
    assert (error.code, error.next) == ("NOT_CONFIRMED", f"capcli execute {preview_id} --confirm")
    assert ready(seat, preview_id)
    assert not seat.tap.orders()


def credentials(env: str) -> dict[str, str]:
    names = ("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD")
    return {"CAP_ENV": env} | dict.fromkeys(names, "paper")


@pytest.mark.parametrize(("env", "code"), [("demo", "TRADING_OFF"), ("live", "LIVE_LOCKED")])
def test_the_switches_stop_an_order_that_was_previewed_before(seats: Seats, env: str, code: str) -> None:
    seat = seats(**credentials(env))
    shown = seat.preview()
    assert not shown.executable
    with seat.app.journal._db.transaction() as connection:
        connection.execute("UPDATE previews SET state = 'READY'")
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, int(error.exit_code)) == (code, 5)
    assert not seat.tap.orders()


def test_a_price_that_ran_away_is_refused_and_the_preview_stays(seats: Seats, time: Time) -> None:
    seat = seats(CAP_PREVIEW_TTL_S="600", CAP_MAX_DRIFT_PCT="0.0001")
    shown = seat.preview()
    time.tick(300)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["drift"])
    assert ready(seat, shown.preview_id)
    assert not seat.tap.orders()


def test_a_preview_has_expired_at_the_moment_that_it_names(seat: Seat, time: Time) -> None:
    shown = seat.preview()
    time.tick((shown.expires_at - time.now()).total_seconds())
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.data["state"]) == ("PREVIEW_EXPIRED", "EXPIRED")


def test_a_preview_that_expires_among_the_last_reads_is_not_sent(seats: Seats, time: Time) -> None:
    seat = seats(CAP_MAX_DRIFT_PCT="5")
    shown = seat.preview()
    seat.tap.breaks("GET", "/accounts/preferences", after=lambda _: time.tick(121))
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.data["state"]) == ("PREVIEW_EXPIRED", "EXPIRED")
    assert "expired at 12:02:" in error.message
    assert not seat.tap.orders()


def test_a_refusal_after_the_send_names_the_attempt(seat: Seat) -> None:
    shown = seat.preview()
    done = seat.execute(shown.preview_id).data
    error = refusal(lambda: seat.execute(shown.preview_id, kind=Kind.WORKING))
    assert error.code == "PREVIEW_ELSEWHERE"
    assert error.data == {"preview_id": shown.preview_id, "attempt_id": done.attempt_id, "state": "LANDED"}


def test_an_equal_order_within_a_minute_needs_again(seat: Seat, time: Time) -> None:
    seat.open()
    twin = seat.preview().preview_id
    error = refusal(lambda: seat.execute(twin))
    assert (error.code, error.next) == ("DUPLICATE", f"capcli execute {twin} --again --confirm")
    assert ready(seat, twin)
    assert seat.execute(twin, again=True).exit_code == 0
    time.tick(61)
    assert seat.execute(seat.preview().preview_id).exit_code == 0
    assert len(seat.book()) == 3


def test_an_order_of_another_size_is_no_twin(seat: Seat) -> None:
    seat.open()
    assert seat.execute(seat.preview(size="1.6").preview_id).exit_code == 0


def test_a_refused_order_has_no_twin(seat: Seat) -> None:
    seat.tap.breaks("POST", "/positions", before=says(400, {"errorCode": "error.some.reason"}))
    shown, asked = seat.preview(), seat.time.now()
    assert seat.execute(shown.preview_id).exit_code == 6
    assert seat.time.now() - asked < timedelta(seconds=5), "there is no confirmation to wait for"
    assert seat.execute(seat.preview().preview_id).exit_code == 0


REFUSALS = [(400, 6, "REFUSED"), (403, 6, "REFUSED"), (404, 6, "REFUSED"), (401, 4, "SESSION_LOST")]


@pytest.mark.parametrize(
    ("fault", "state", "exit_code", "code"),
    [
        (httpx.ConnectError("refused"), S.NOT_SENT, 7, "NOT_SENT"),
        (httpx.ConnectTimeout("slow"), S.NOT_SENT, 7, "NOT_SENT"),
        (httpx.PoolTimeout("full"), S.NOT_SENT, 7, "NOT_SENT"),
        (httpx.UnsupportedProtocol("gopher"), S.NOT_SENT, 7, "NOT_SENT"),
        *(
            (says(status, {"errorCode": "error.x.y"}), S.REFUSED, code, name)
            for status, code, name in REFUSALS
        ),
        (says(429, {"errorCode": "error.too-many.requests"}), S.REFUSED, 11, "RATE_LIMITED"),
        (httpx.ReadTimeout("slow"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (httpx.ReadError("reset"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (httpx.WriteError("reset"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (httpx.WriteTimeout("slow"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (httpx.RemoteProtocolError("half"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(200, {}), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(200, text="<html>"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(307, text=""), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(502, text="bad gateway"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(500, {"errorCode": "error.internal"}), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(400, {"errorCode": "java.lang.NullPointerException"}), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(400, text="nope"), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(401, text=""), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(429, text=""), S.UNKNOWN, 8, "MAY_BE_LIVE"),
        (says(409, {"errorCode": "error.conflict"}), S.UNKNOWN, 8, "MAY_BE_LIVE"),
    ],
)
def test_what_came_back_proves_this_much(
    seat: Seat, fault: httpx.Response | Exception, state: AttemptState, exit_code: int, code: str
) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    seat.tap.breaks("POST", "/positions", before=fault)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code, reply.problem.code) == (state, exit_code, code)
    assert reply.problem.retry_safe is (state is S.NOT_SENT or exit_code in {4, 11})
    if state in {S.NOT_SENT, S.REFUSED}:
        again = "capcli preview SILVER --size 1.5 --stop 24.5"
        assert reply.problem.next == (again if reply.problem.retry_safe else "capcli markets show SILVER")
    replayed = seat.execute(shown.preview_id)
    assert (replayed.data.state, replayed.exit_code, replayed.data.replayed) == (state, exit_code, True)
    assert len(seat.tap.orders()) == 1
    assert seat.book() == []


@pytest.mark.parametrize(
    ("error", "exit_code", "following"),
    [
        (LoginRefused("wrong key"), 4, "capcli login"),
        (CredentialsMissing("no key"), 3, "capcli health"),
        (RateLimited("too many", retry_after_s=60), 11, "capcli preview SILVER --size 1.5"),
    ],
)
def test_an_order_that_a_login_kept_here_ends_with_its_exit_code_and_replays_it(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, error: CapcliError, exit_code: int, following: str
) -> None:
    shown = seat.preview()
    refuse_logins(seat, monkeypatch, error)
    for reply in (seat.execute(shown.preview_id), seat.execute(shown.preview_id)):
        assert (reply.data.state, reply.problem.code, reply.exit_code) == (S.NOT_SENT, "NOT_SENT", exit_code)
        assert (reply.problem.details["cause"], reply.problem.next) == (error.code, following)
        assert f"Nothing was sent: {error.message}." in reply.data.sentence
    assert not seat.tap.orders()


def test_a_refusal_names_the_preview_its_state_and_the_account(seats: Seats, time: Time) -> None:
    seat = seats()
    shown = seat.preview()
    error = refusal(lambda: seat.app.executions.execute(shown.preview_id, confirmed=False))
    assert (error.code, error.account_id) == ("NOT_CONFIRMED", FIRST_ACCOUNT)
    assert error.data == {"preview_id": shown.preview_id, "state": "READY"}
    other = seats(CAP_ENV="demo", CAP_API_KEY="k", CAP_IDENTIFIER="i", CAP_API_PASSWORD="p")
    elsewhere = refusal(lambda: other.execute(shown.preview_id))
    assert (elsewhere.account_id, elsewhere.data["preview_id"]) == (None, shown.preview_id)
    time.tick(121)
    error = refusal(lambda: seat.execute(shown.preview_id))
    assert (error.code, error.data["state"]) == ("PREVIEW_EXPIRED", "EXPIRED")


def test_replaying_what_was_not_sent_does_not_call_it_executed(seat: Seat) -> None:
    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", before=httpx.ConnectError("refused"))
    first, again = seat.execute(shown.preview_id), seat.execute(shown.preview_id)
    assert first.problem.message.count("..") == 0
    assert again.problem.message == f"Already tried: {first.problem.message} Nothing was sent now."


def test_a_lost_answer_to_an_order_that_landed_says_only_what_is_known(seat: Seat) -> None:
    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", after=LOST)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code, reply.problem.assistant_error) == (S.UNKNOWN, 8, False)
    assert "may be live" in reply.data.sentence
    assert reply.problem.next == f"capcli reconcile {reply.data.attempt_id}"
    assert len(seat.book()) == len(seat.tap.orders()) == 1


def test_a_late_confirmation_is_found_by_the_second_execute(seat: Seat) -> None:
    seat.confirms_after(60)
    shown = seat.preview(stop=stop_at("24.50"))
    first = seat.execute(shown.preview_id)
    assert (first.data.state, first.exit_code) == (S.ACKED, 8)
    assert first.data.deal_reference
    seat.time.tick(60)
    second = seat.execute(shown.preview_id)
    assert (second.data.state, second.exit_code, second.data.protected) == (S.LANDED, 0, "yes")
    assert second.data.replayed
    assert len(seat.tap.orders()) == 1


def test_no_wait_for_the_verdict_when_none_is_wanted(seat: Seat) -> None:
    seat.confirms_after(60)
    shown = seat.preview()
    seat.execute(shown.preview_id, wait_s=0)
    assert sum(CONFIRMS in line for line in seat.tap.seen()) == 1


@pytest.mark.parametrize(
    "fault", [says(500, text=""), says(404, {"errorCode": "error.not-found.dealReference"})]
)
def test_a_confirmation_that_fails_at_first_is_asked_for_again(seat: Seat, fault: httpx.Response) -> None:
    seat.confirms_after(0)
    seat.tap.breaks("GET", "/confirms", before=fault, times=3)
    assert seat.open().state is S.LANDED


def test_a_rejected_order_is_a_no_of_the_broker(seat: Seat) -> None:
    seat.confirms_after(0)
    rejected = {
        "date": "2026-03-02T12:00:05",
        "status": "DELETED",
        "dealStatus": "REJECTED",
        "rejectReason": "RISK_CHECK",
        "epic": "SILVER",
        "dealId": "d-1",
        "affectedDeals": [],
    }
    seat.tap.breaks("GET", "/confirms", before=says(200, rejected))
    reply = seat.execute(seat.preview().preview_id)
    assert (reply.data.state, reply.exit_code) == (S.REJECTED, 6)
    assert reply.problem.message == (
        "The broker rejected it: its risk check refused the order, usually for lack of margin (RISK_CHECK). "
        "Nothing was opened."
    )
    assert reply.problem.next == "capcli accounts"
    kept = seat.app.journal.attempt(reply.data.attempt_id)
    assert kept is not None
    assert (kept.order_id, kept.error_code) == ("d-1", "RISK_CHECK")


def dropping(*names: str) -> Any:
    """Answer GET /positions as the broker would, without some fields of each position."""

    def change(body: Any) -> None:
        for row in body["positions"]:
            for name in names:
                row["position"].pop(name, None)

    return change


@contextmanager
def altered(seat: Seat, path: str, change: Any) -> Iterator[None]:
    def answer(request: httpx.Request) -> httpx.Response:
        real = seat.tap._inner.handle_request(request)
        body = real.json()
        change(body)
        return httpx.Response(200, json=body)

    seat.tap.breaks("GET", path, before=answer, times=99)
    yield
    seat.tap.mend()


def test_a_stop_that_the_broker_dropped_is_told_at_once(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    with altered(seat, "/positions", dropping("stopLevel")):
        reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code, reply.problem.code) == (S.LANDED, 9, "NO_STOP")
    assert "WITHOUT its stop at 24.5" in reply.problem.message
    command = f"capcli positions amend {reply.data.deal_id} --stop 24.5 --confirm"
    assert (reply.problem.next, reply.problem.message.endswith(command)) == (command, True)
    assert not reply.problem.assistant_error


def test_a_stop_at_another_level_is_not_called_missing(seat: Seat) -> None:
    def moved(body: Any) -> None:
        for row in body["positions"]:
            row["position"]["stopLevel"] = 23.75

    shown = seat.preview(stop=stop_at("24.50"))
    with altered(seat, "/positions", moved):
        reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.problem.code, reply.data.stop_level) == (9, "STOP_DIFFERS", D("23.75"))
    assert "the broker has 23.75, asked was 24.5" in reply.problem.message


def test_a_guaranteed_stop_that_came_back_ordinary_is_told(seat: Seat) -> None:
    def ordinary(body: Any) -> None:
        for row in body["positions"]:
            row["position"]["guaranteedStop"] = False

    shown = seat.preview(stop=stop_at("24.50"), guaranteed=True)
    with altered(seat, "/positions", ordinary):
        reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.problem.code) == (9, "STOP_DIFFERS")


def test_a_stop_that_cannot_be_read_back_is_not_claimed(seat: Seat) -> None:
    shown = seat.preview(stop=stop_at("24.50"))
    seat.confirms_after(0)

    def breaks(request: httpx.Request) -> None:
        seat.tap.breaks("GET", "/positions", before=httpx.ConnectError("gone"), times=9)

    seat.tap.breaks("GET", "/confirms", before=breaks)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code, reply.problem.code) == (S.LANDED, 9, "STOP_UNVERIFIED")


def test_an_opposite_order_tells_what_it_reduced(seat: Seat) -> None:
    seat.open(size="2")
    done = seat.open(size="1", side=Side.SELL, stop=stop_at("38.5"))
    assert (done.protected, done.next) == ("not_asked", "capcli positions")
    booked = f"{done.effect.realised:+.2f} USD"
    assert f"It closed 1 (about {booked}) and opened nothing." in done.sentence
    assert (done.effect.closes, done.effect.opens, done.effect.stop_level) == (1, 0, None)


def test_an_order_that_reverses_says_what_it_closed_and_what_it_opened(seat: Seat) -> None:
    held = seat.open(size="2")
    done = seat.open(size="3", side=Side.SELL, stop=stop_at("38.5"))
    assert (done.effect.closes, done.effect.opens, done.protected) == (2, 1, "yes")
    assert "It closed 2 (about" in done.sentence
    assert done.sentence.endswith("and opened 1.")
    cash = {row.deal_id: row.amount for row in seat.app.history.transactions(Span()).data.transactions}
    assert cash[held.deal_id] == done.effect.realised


def test_a_halt_and_an_order_in_doubt_elsewhere_stop_no_order_that_only_reduces(seat: Seat) -> None:
    seat.open(size="2")
    lost, less = seat.preview("GOLD", "0.1"), seat.preview(size="1", side=Side.SELL)
    seat.tap.breaks("POST", "/positions", before=LOST)
    seat.execute(lost.preview_id)
    seat.tap.mend()
    seat.app.halting.halt("enough", by="test")
    assert seat.execute(less.preview_id).exit_code == 0
    assert seat.app.portfolio.positions().data.positions[0].size == 1


def test_an_order_that_would_do_something_else_than_its_preview_said_is_not_sent(seat: Seat) -> None:
    held = seat.open(size="2").deal_id
    less = seat.preview(size="2", side=Side.SELL)
    seat.app.closings.close(held, confirmed=True)
    error = refusal(lambda: seat.execute(less.preview_id))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["effect"])
    assert "the preview closed 2 and opened 0; now it would close 0 and open 2" in error.message


def test_an_order_that_closes_one_deal_and_opens_another_names_the_open_one(seat: Seat) -> None:
    seat.open(size="1")
    done = seat.open(size="3", side=Side.SELL, stop=stop_at("38.5"))
    assert seat.book() == [done.deal_id]
    assert (len(done.deal_ids), done.protected) == (2, "yes")


def test_an_unresolved_order_blocks_the_next_one(seat: Seat, time: Time) -> None:
    lost, blocked = seat.preview(), seat.preview(size="2").preview_id
    seat.tap.breaks("POST", "/positions", before=LOST)
    seat.execute(lost.preview_id)
    time.tick(61)
    error = refusal(lambda: seat.execute(blocked))
    assert (error.code, int(error.exit_code)) == ("BLOCKED", 10)
    assert error.next == f"capcli reconcile {error.details['attempt_id']}"
    assert ready(seat, blocked)
    assert len(seat.tap.orders()) == 1


def test_an_order_whose_confirmation_came_late_blocks_no_longer(seat: Seat, time: Time) -> None:
    seat.confirms_after(30)
    seat.execute(seat.preview().preview_id)
    time.tick(30)
    seat.confirms_after(0)
    assert seat.open(size="2").state is S.LANDED
    assert len(seat.tap.orders()) == 2


def lose(seat: Seat, path: str = "/positions", **changes: Any) -> str:
    """Execute an order that lands while its answer is lost; return its preview."""
    seat.time.tick(2)
    shown = seat.preview(**changes)
    seat.tap.breaks("POST", path, after=LOST)
    assert seat.execute(shown.preview_id, again=True).data.state is S.UNKNOWN
    return shown.preview_id


def test_a_lost_order_is_found_by_the_second_execute_with_its_stop(seat: Seat) -> None:
    preview_id = lose(seat, stop=stop_at("24.50"))
    reply = seat.execute(preview_id)
    assert (reply.data.state, reply.data.evidence, reply.data.protected) == (
        S.LANDED,
        Evidence.INFERRED,
        "yes",
    )
    assert (reply.exit_code, [reply.data.deal_id]) == (0, seat.book())
    assert "the only new deal that matches" in reply.data.sentence
    assert len(seat.tap.orders()) == 1


def test_a_lost_working_order_is_found_among_those_that_wait(seat: Seat) -> None:
    trigger = Trigger(D("27"))
    preview_id = lose(seat, "/workingorders", trigger=trigger)
    reply = seat.execute(preview_id)
    assert (reply.data.state, reply.data.kind) == (S.LANDED, Kind.WORKING)
    assert seat.app.portfolio.orders(reply.data.deal_id).data.orders[0].level == D("27")


def test_a_lost_order_that_was_found_blocks_no_longer(seat: Seat) -> None:
    lose(seat)
    assert seat.open(size="2").state is S.LANDED


def test_an_older_twin_is_not_taken_for_the_lost_order(seat: Seat) -> None:
    seat.open()
    shown = seat.preview()
    seat.tap.breaks("POST", "/positions", before=LOST)
    seat.execute(shown.preview_id, again=True)
    assert seat.execute(shown.preview_id).data.state is S.UNKNOWN


def test_two_deals_that_fit_prove_nothing(seats: Seats) -> None:
    seat, by_hand = seats(), seats()
    preview_id = lose(seat)
    order = seat.tap.orders()[0]
    seat.time.tick(2)
    by_hand.app.broker.send("POST", "/positions", order)
    assert len(seat.book()) == 2
    assert seat.execute(preview_id).exit_code == 8


def test_a_read_that_fails_settles_nothing(seat: Seat) -> None:
    preview_id = lose(seat)
    seat.tap.breaks("GET", "/positions", before=httpx.ConnectError("gone"), times=2)
    assert seat.execute(preview_id).data.state is S.UNKNOWN
    seat.tap.mend()
    assert seat.execute(preview_id).data.state is S.LANDED


def test_a_book_of_another_account_settles_nothing(seats: Seats) -> None:
    seat, other = seats(), seats()
    preview_id = lose(seat)
    other.app.accounts.use(SECOND_ACCOUNT)
    seat.time.tick(2)
    reply = seat.execute(preview_id)
    assert (reply.data.state, reply.account_id) == (S.LANDED, FIRST_ACCOUNT)


def test_an_order_whose_confirmation_never_comes_is_found_in_the_book(seat: Seat, time: Time) -> None:
    seat.confirms_after(9999)
    preview_id = seat.preview().preview_id
    assert seat.execute(preview_id).data.state is S.ACKED
    assert seat.execute(preview_id).data.state is S.ACKED
    time.tick(121)
    assert seat.execute(preview_id).data.evidence is Evidence.INFERRED


def test_an_account_that_another_process_switched_is_switched_back(seats: Seats) -> None:
    seat, other = seats(), seats()
    shown = seat.preview()
    other.app.accounts.use(SECOND_ACCOUNT)
    reply = seat.execute(shown.preview_id)
    assert (reply.exit_code, reply.account_id) == (0, FIRST_ACCOUNT)
    other.app.accounts.use(SECOND_ACCOUNT)
    assert other.book() == []
    other.app.accounts.use(FIRST_ACCOUNT)
    assert other.book() == [reply.data.deal_id]


READS = ["/markets/SILVER", "/accounts", "/positions", "/workingorders"]


@pytest.mark.parametrize("path", READS)
def test_a_switch_between_the_reads_is_undone_by_the_new_login(seat: Seat, path: str) -> None:
    shown = seat.preview()

    def switch(_: httpx.Request) -> None:
        seat.switched_by_another_program(SECOND_ACCOUNT, "die")

    seat.tap.breaks("GET", path, before=switch)
    done = seat.execute(shown.preview_id).data
    assert seat.book() == [done.deal_id]
    assert seat.app.accounts.session().account_id == FIRST_ACCOUNT


def test_an_order_whose_session_moved_at_the_last_moment_is_not_sent(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = seat.preview()
    pace = seat.app.broker._changes._pace
    real = pace.turn

    @contextmanager
    def moved(lane: Lane, kind: RequestKind = RequestKind.PLAIN) -> Iterator[None]:
        with real(lane, kind):
            if kind is RequestKind.ORDER:
                seat.app.accounts.use(SECOND_ACCOUNT)
            yield

    monkeypatch.setattr(pace, "turn", moved)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code) == (S.NOT_SENT, 7)
    assert f"the session is on account {SECOND_ACCOUNT}, not on {FIRST_ACCOUNT}" in reply.data.sentence
    assert not seat.tap.orders()


def test_ten_threads_of_one_app_send_one_order(seats: Seats) -> None:
    seat = seats()
    preview_id = seat.preview().preview_id
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: attempt(seat, preview_id), range(10)))
    assert len(seat.tap.orders()) == len(seat.book()) == 1
    assert sum(not reply.data.replayed for reply in replies if reply is not None) == 1


def attempt(seat: Seat, preview_id: str) -> Any:
    """Execute, or return None where another thread kept the account for too long."""
    try:
        return seat.execute(preview_id)
    except Busy:
        return None


def test_an_order_that_waits_for_another_process_is_told_and_stays_ready(seats: Seats) -> None:
    seat, other = seats(), seats()
    first, second = seat.preview(), other.preview(size="2")
    told: list[Any] = []

    def meanwhile(_: httpx.Request) -> None:
        told.append(refusal(lambda: other.execute(second.preview_id)))
        told.append(other.execute(first.preview_id))

    seat.tap.breaks("POST", "/positions", before=meanwhile)
    seat.execute(first.preview_id)
    busy, in_progress = told
    assert (busy.code, int(busy.exit_code)) == ("BUSY", 10)
    assert busy.next == f"capcli execute {second.preview_id}"
    assert ready(other, second.preview_id)
    assert (in_progress.problem.code, in_progress.exit_code) == ("IN_PROGRESS", 10)
    assert other.tap.orders() == []


def test_what_is_so_far_known_is_told_without_asking_anybody(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    assert refusal(lambda: seat.app.executions.so_far(preview_id)).code == "BUSY"
    seat.execute(preview_id)
    before = len(seat.tap.requests)
    assert seat.app.executions.so_far(preview_id).data.state is S.LANDED
    assert len(seat.tap.requests) == before


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize(
    ("last_words", "left", "settled", "exit_code"),
    [("CLAIMED", S.CLAIMED, S.NOT_SENT, 7), ("SENDING", S.SENDING, S.UNKNOWN, 8)],
)
def test_a_process_that_died_is_settled_by_the_next(
    seats: Seats,
    monkeypatch: pytest.MonkeyPatch,
    last_words: str,
    left: AttemptState,
    settled: AttemptState,
    exit_code: int,
) -> None:
    seat, other = seats(), seats()
    preview_id = seat.preview().preview_id

    def die(*_: object, **__: object) -> None:
        raise Crash

    place = (
        (seat.app.journal, "move")
        if last_words == "CLAIMED"
        else (seat.app.orders.broker._changes, "_send_now")
    )
    monkeypatch.setattr(place[0], place[1], die)
    with pytest.raises(Crash):
        seat.execute(preview_id)
    found = other.app.journal.attempt_of(preview_id)
    assert found is not None
    assert found.state is left
    reply = other.execute(preview_id)
    assert (reply.data.state, reply.exit_code) == (settled, exit_code)
    assert not seat.tap.orders()
    assert not other.tap.orders()


def test_a_journal_that_fails_after_the_send_leaves_the_order_in_doubt(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_id = seat.preview().preview_id
    real = seat.app.journal._db.transaction
    full = sqlite3.OperationalError("database or disk is full")

    def after_the_send(*args: Any) -> Any:
        if seat.tap.orders():
            raise full
        return real(*args)

    monkeypatch.setattr(seat.app.journal._db, "transaction", after_the_send)
    reply = seat.execute(preview_id)
    assert (reply.data.state, reply.exit_code) == (S.UNKNOWN, 8)
    assert len(seat.tap.orders()) == 1


def test_a_bug_after_the_answer_was_recorded_is_told_as_the_journal_has_it(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    shown = seat.preview()
    monkeypatch.setattr("capcli.reconcile.reconciler.Reconciler.conclude", fails)
    reply = seat.execute(shown.preview_id)
    assert (reply.data.state, reply.exit_code) == (S.ACKED, 8)


def test_what_is_left_behind_before_its_send_may_be_live_as_well(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_id = seat.preview().preview_id
    told: list[Any] = []
    real = seat.app.orders.broker.send

    def leave(*args: Any, **options: Any) -> Any:
        told.append(seat.app.executions.left_behind(preview_id))
        return real(*args, **options)

    monkeypatch.setattr(seat.app.orders.broker, "send", leave)
    assert seat.execute(preview_id).data.state is S.LANDED
    assert (told[0].data.state, told[0].exit_code) == (S.UNKNOWN, 8)


def test_what_is_left_behind_on_its_way_may_be_live(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    told: list[Any] = []

    def leave(_: httpx.Request) -> None:
        told.append(seat.app.executions.left_behind(preview_id))

    seat.tap.breaks("POST", "/positions", before=leave)
    assert seat.execute(preview_id).data.state is S.LANDED
    assert (told[0].data.state, told[0].exit_code) == (S.UNKNOWN, 8)
    assert seat.app.executions.left_behind(preview_id).data.state is S.LANDED


def test_an_order_that_is_called_back_before_the_send_is_not_sent(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    assert refusal(lambda: seat.app.executions.left_behind(preview_id)).code == "INTERRUPTED"
    assert seat.app.send_gate.call_back()
    assert refusal(lambda: seat.execute(preview_id)).exit_code == 130
    assert seat.execute(preview_id).exit_code == 130
    assert not seat.tap.orders()
    attempt = seat.app.journal.attempt_of(preview_id)
    assert attempt is not None
    assert attempt.state is S.NOT_SENT


def test_an_order_that_waits_for_its_turn_is_not_sending_yet_and_can_be_called_back(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_id = seat.preview().preview_id
    seen: list[Any] = []

    def waits(_self: Any, _live: Any, _account_id: str) -> None:
        attempt = seat.app.journal.attempt_of(preview_id)
        seen.append(attempt and attempt.state)
        seat.app.send_gate.call_back()

    monkeypatch.setattr("capcli.broker.changes.Changes._elsewhere", waits)
    error = refusal(lambda: seat.execute(preview_id))
    assert (seen, error.exit_code) == ([S.CLAIMED], 130)
    assert not seat.tap.orders()
    attempt = seat.app.journal.attempt_of(preview_id)
    assert attempt is not None
    assert attempt.state is S.NOT_SENT


def test_what_has_begun_to_be_sent_is_not_called_back(seat: Seat) -> None:
    preview_id = seat.preview().preview_id
    answers: list[bool] = []

    def press(_: httpx.Request) -> None:
        answers.append(seat.app.send_gate.call_back())

    seat.tap.breaks("POST", "/positions", before=press)
    assert seat.execute(preview_id).data.state is S.LANDED
    assert answers == [False]


def test_a_limit_on_orders_of_the_day_counts_what_others_sent(seats: Seats, time: Time) -> None:
    seat, other = seats(), seats(CAP_MAX_ORDERS_PER_DAY="2")
    seat.open()
    time.tick(1)
    other.open(size="2")
    shown = other.app.previews.preview(other.request(size="3"))
    assert (shown.exit_code, shown.data.failed[0].rule) == (5, "orders_per_day")


def test_a_limit_that_was_reached_meanwhile_refuses_under_the_lock(seats: Seats) -> None:
    seat = seats(CAP_MAX_OPEN_POSITIONS="1")
    first, second = seat.preview(), seat.preview(size="2")
    seat.execute(first.preview_id)
    error = refusal(lambda: seat.execute(second.preview_id))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["open_positions"])
    assert len(seat.book()) == 1


def test_an_answer_that_comes_after_another_process_settled_the_order_is_kept_all_the_same(
    seat: Seat,
) -> None:
    shown = seat.preview()

    def settled(_: httpx.Request) -> None:
        (row,) = seat.app.journal.unresolved("paper", "paper", FIRST_ACCOUNT)
        assert seat.app.journal.move(row.attempt_id, S.SENDING, S.UNKNOWN, at=seat.time.now())

    seat.tap.breaks("POST", "/positions", before=settled)
    done = seat.execute(shown.preview_id).data
    assert done.state is S.UNKNOWN
    (late,) = seat.app.journal._db.rows("SELECT attempt_id, detail FROM events WHERE kind = 'late_answer'")
    assert late["attempt_id"] == done.attempt_id
    assert json.loads(late["detail"])["http_status"] == 200


def test_a_lost_order_under_another_process_says_that_nothing_was_sent_now(seats: Seats) -> None:
    seat, other = seats(), seats()
    preview_id = seat.preview().preview_id
    seat.tap.breaks("POST", "/positions", before=httpx.ReadTimeout("no answer"))
    assert seat.execute(preview_id).data.state is AttemptState.UNKNOWN
    with other.app.orders.lock("paper", "paper", FIRST_ACCOUNT):
        again = seat.execute(preview_id)
    assert (again.data.state, again.exit_code) == (AttemptState.UNKNOWN, 8)
    assert "Nothing was sent now." in again.data.sentence

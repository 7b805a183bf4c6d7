"""Preferences and top-ups: sent once, read back, and told as what is there whatever became of the answer."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.account.preferences import PreferencesSet, ToppedUp, Wanted, top_up_command
from capcli.errors import CapcliError, WouldSend
from capcli.reply import Reply
from capcli.runtime import Options
from tests.support.fixtures import Seats
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
LOST = httpx.ReadTimeout("no answer")
PREFERENCES, TOP_UP = "/accounts/preferences", "/accounts/topUp"


def prefer(seat: Seat, *, confirmed: bool = True, **wanted: Any) -> Reply[PreferencesSet]:
    return seat.app.account_changes.prefer(Wanted(**wanted), confirmed=confirmed)


def top_up(seat: Seat, amount: str, *, confirmed: bool = True) -> Reply[ToppedUp]:
    return seat.app.account_changes.top_up(D(amount), confirmed=confirmed)


def events(seat: Seat) -> list[tuple[str, dict[str, Any]]]:
    with seat.app.journal._db.transaction() as connection:
        rows = connection.execute(
            "SELECT kind, detail FROM events WHERE kind != 'begin' ORDER BY seq"
        ).fetchall()
    return [(row["kind"], json.loads(row["detail"])) for row in rows]


def test_what_is_set_is_read_back_and_the_effect_on_margin_said(seat: Seat) -> None:
    reply = prefer(seat, hedging=True, leverages={"SHARES": D(2)})
    assert (reply.exit_code, reply.data.hedging_mode, reply.data.sent) == (0, True, True)
    assert {row.market_class: row.current for row in reply.data.leverages}["SHARES"] == 2
    assert "SHARES leverage 5 -> 2" in reply.data.sentence
    assert "at least 50 % instead of 20 %" in reply.data.sentence
    assert "stay open side by side" in reply.data.sentence
    sent = [request.content for request in seat.tap.requests if request.method == "PUT"]
    assert sent == [b'{"leverages":{"SHARES":2},"hedgingMode":true}']


def test_a_preview_counts_with_the_new_leverage_at_once(seat: Seat) -> None:
    assert seat.preview().leverage == 20
    prefer(seat, leverages={"COMMODITIES": D(5)})
    assert seat.preview().leverage == 5


def test_what_is_so_already_is_not_sent(seat: Seat) -> None:
    reply = prefer(seat, hedging=False, leverages={"SHARES": D(5)})
    assert (reply.data.sent, seat.tap.seen("PUT")) == (False, [])
    assert "Nothing was sent" in reply.data.sentence


@pytest.mark.parametrize(
    ("leverages", "said"),
    [
        ({"SHARES": D(4)}, "The leverage of SHARES is one of 1, 2, 3, 5, not 4."),
        ({"GOLD": D(5)}, "no class GOLD; it has COMMODITIES, "),
    ],
)
def test_what_the_broker_does_not_offer_is_refused_here(
    seat: Seat, leverages: dict[str, Decimal], said: str
) -> None:
    error = refusal(lambda: prefer(seat, leverages=leverages))
    assert (error.code, seat.tap.seen("PUT")) == ("CHECKS_FAILED", [])
    assert said in error.message


def test_nothing_named_is_a_usage_error(seat: Seat) -> None:
    assert refusal(lambda: prefer(seat)).code == "USAGE"


def test_unconfirmed_changes_say_what_they_would_do(seat: Seat) -> None:
    error = refusal(lambda: prefer(seat, confirmed=False, leverages={"SHARES": D(2)}))
    assert (error.code, int(error.exit_code)) == ("NOT_CONFIRMED", 5)
    assert "SHARES leverage 5 -> 2" in error.message
    assert error.next == "capcli accounts preferences --leverage SHARES=2 --confirm"
    money = refusal(lambda: top_up(seat, "-500", confirmed=False))
    assert money.next == "capcli accounts topup --confirm -- -500"
    assert "Takes 500 USD" in money.message
    assert seat.tap.seen("PUT") + [line for line in seat.tap.seen("POST") if "topUp" in line] == []


def test_hedging_with_open_positions_is_refused_by_the_broker_and_told(seat: Seat) -> None:
    seat.open(stop=stop_at("24.50"))
    error = refusal(lambda: prefer(seat, hedging=True))
    assert (error.code, int(error.exit_code)) == ("BROKER_REFUSED", 6)
    assert "1 position open: hedging switches only while none is." in error.message
    assert "as before" in error.message


@pytest.mark.parametrize("wire", ["before", "after"])
def test_a_lost_answer_of_preferences_is_told_by_what_is_there(seat: Seat, wire: str) -> None:
    seat.tap.breaks("PUT", PREFERENCES, **{wire: LOST})  # type: ignore[arg-type]
    reply = prefer(seat, leverages={"SHARES": D(2)})
    assert len(seat.tap.seen("PUT")) == 1
    if wire == "after":
        assert reply.exit_code == 0
        assert "answer was lost" in reply.data.sentence
        return
    assert reply.problem is not None
    assert (reply.problem.code, reply.exit_code) == ("PREFERENCES_UNKNOWN", 8)
    assert (reply.problem.retry_safe, reply.problem.assistant_error) == (True, False)
    assert "SHARES 5" in reply.data.sentence


@pytest.mark.parametrize("wire", ["before", "after"])
def test_a_lost_answer_of_a_top_up_is_told_by_the_cash(seat: Seat, wire: str) -> None:
    seat.tap.breaks("POST", TOP_UP, **{wire: LOST})  # type: ignore[arg-type]
    reply = top_up(seat, "250")
    assert sum("topUp" in line for line in seat.tap.seen("POST")) == 1
    if wire == "after":
        assert (reply.exit_code, reply.data.cash) == (0, D("10250.00"))
        return
    assert reply.problem is not None
    assert (reply.problem.code, reply.exit_code) == ("TOPUP_UNKNOWN", 8)
    assert (reply.problem.retry_safe, reply.data.cash) == (False, reply.data.cash_before)


def test_a_read_back_that_fails_is_no_word_on_what_was_sent(seat: Seat) -> None:
    seat.tap.breaks(
        "PUT", PREFERENCES, after=lambda _: seat.tap.breaks("GET", PREFERENCES, before=LOST, times=99)
    )
    error = refusal(lambda: prefer(seat, leverages={"SHARES": D(2)}))
    assert (error.code, int(error.exit_code), error.retry_safe) == ("CHANGE_UNSEEN", 8, False)
    assert error.next == "capcli accounts preferences"


def test_preferences_of_another_account_are_no_word_on_what_was_sent(seat: Seat) -> None:
    """The broker did it on the account to which another program moved the session right before."""
    seat.tap.breaks(
        "PUT",
        PREFERENCES,
        before=lambda _: seat.switched_by_another_program(SECOND_ACCOUNT, old_tokens="follow"),
    )
    error = refusal(lambda: prefer(seat, leverages={"SHARES": D(2)}))
    assert (error.code, int(error.exit_code), error.retry_safe) == ("CHANGE_UNSEEN", 8, False)
    assert f"The session was switched to account {SECOND_ACCOUNT} in the meantime" in error.message


def test_preferences_are_compared_with_those_of_the_account_that_was_asked(seat: Seat) -> None:
    seat.tap.breaks(
        "GET",
        PREFERENCES,
        before=lambda _: seat.switched_by_another_program(SECOND_ACCOUNT, old_tokens="follow"),
    )
    error = refusal(lambda: prefer(seat, hedging=False))
    assert (error.code, seat.tap.seen("PUT")) == ("UNREADABLE_ANSWER", [])
    assert f"{FIRST_ACCOUNT} was not read" in error.message


@pytest.mark.parametrize(
    ("answer", "code", "exit_code"),
    [
        (says(400, {"errorCode": "error.invalid.leverage.value"}), "BROKER_REFUSED", 6),
        (says(401, {"errorCode": "error.invalid.session.token"}), "SESSION_LOST", 4),
        (says(429, {"errorCode": "error.too-many.requests"}), "RATE_LIMITED", 11),
        (httpx.ConnectError("refused"), "NETWORK", 7),
    ],
)
def test_what_means_that_nothing_changed_is_an_error(
    seat: Seat, answer: Any, code: str, exit_code: int
) -> None:
    seat.app.broker.session()
    seat.tap.breaks("PUT", PREFERENCES, before=answer)
    error = refusal(lambda: prefer(seat, leverages={"SHARES": D(2)}))
    assert (error.code, int(error.exit_code)) == (code, exit_code)
    assert "as before" in error.message
    assert len(seat.tap.seen("PUT")) == 1


def test_a_change_before_which_the_rate_limit_was_met_says_how_long_to_wait(seats: Seats) -> None:
    secrets = dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "paper")
    seat = seats(options=Options(env="demo"), CAP_ALLOW_TRADING="true", **secrets)
    limited = says(429, {"errorCode": "error.too-many.requests"})

    def the_session_ends(_: httpx.Request) -> None:
        seat.time.tick(3600)
        seat.tap.breaks("GET", "/session/encryptionKey", before=limited, times=9)

    seat.app.broker.session()
    seat.tap.breaks("GET", PREFERENCES, after=the_session_ends)
    error = refusal(lambda: prefer(seat, leverages={"SHARES": D(2)}))
    assert (error.code, error.details["retry_after_s"]) == ("RATE_LIMITED", 8)
    assert seat.tap.seen("PUT") == []


def test_a_gateway_failure_is_settled_by_reading(seat: Seat) -> None:
    seat.tap.breaks("PUT", PREFERENCES, after=says(502, text="<html>"))
    assert prefer(seat, leverages={"SHARES": D(2)}).exit_code == 0


def test_the_journal_holds_what_was_sent_before_it_left(seat: Seat) -> None:
    seat.tap.breaks("POST", TOP_UP, before=LOST)
    top_up(seat, "250")
    kept = [(kind, detail) for kind, detail in events(seat) if kind.startswith("account_change")]
    assert [kind for kind, _ in kept] == ["account_change", "account_change_answer"]
    asked, said = (detail for _, detail in kept)
    assert (asked["account_id"], asked["body"]) == (FIRST_ACCOUNT, '{"amount":250}')
    assert said["delivery"] == "lost"


@pytest.mark.parametrize("amount", ["0", "400001", "-400000.01"])
def test_amounts_beyond_the_documented_limits_are_not_sent(seat: Seat, amount: str) -> None:
    error = refusal(lambda: top_up(seat, amount))
    assert (error.code, seat.tap.requests) == ("USAGE", [])
    assert "from -400,000 to 400,000" in error.message


def test_a_top_up_that_the_broker_refuses_names_the_limits(seat: Seat) -> None:
    error = refusal(lambda: top_up(seat, "95000"))
    assert (error.code, error.details["broker_code"]) == ("BROKER_REFUSED", "error.account.limit.reached")
    assert "at most 100,000 on the account" in error.message


def test_money_can_be_taken_off(seat: Seat) -> None:
    reply = top_up(seat, "-500")
    assert (reply.exit_code, reply.data.cash) == (0, D("9500.00"))
    assert reply.data.sentence.startswith("Done. Took 500 USD of practice money off")


def test_live_has_no_top_up_and_is_not_asked(seats: Seats) -> None:
    seat = seats(options=Options(env="live"), CAP_ALLOW_TRADING="true")
    error = refusal(lambda: top_up(seat, "5"))
    assert (error.code, int(error.exit_code), seat.tap.requests) == ("DEMO_ONLY", 5, [])


@pytest.mark.parametrize("env", ["demo", "live"])
def test_with_trading_off_neither_goes_out(seats: Seats, env: str) -> None:
    seat = seats(options=Options(env=env))
    errors: list[CapcliError] = [refusal(lambda: prefer(seat, hedging=True))]
    errors.append(refusal(lambda: top_up(seat, "5")))
    assert {error.code for error in errors} <= {"TRADING_OFF", "LIVE_LOCKED", "DEMO_ONLY"}
    assert seat.tap.requests == []


def test_an_interrupted_change_is_called_back(seat: Seat) -> None:
    seat.app.send_gate.call_back()
    error = refusal(lambda: prefer(seat, hedging=True))
    assert (error.code, seat.tap.seen("PUT")) == ("INTERRUPTED", [])


def test_commands_of_amounts_below_zero_can_be_typed() -> None:
    assert top_up_command(D("-5")) == "capcli accounts topup -- -5"
    assert top_up_command(D(5), confirm=True) == "capcli accounts topup --confirm 5"


def test_while_halted_no_preference_is_changed(seat: Seat) -> None:
    seat.app.halting.halt("enough", by="test")

    refused = refusal(lambda: seat.app.account_changes.prefer(Wanted(hedging=True), confirmed=True))

    assert refused.code == "HALTED"
    assert seat.app.account_changes.preferences().data.hedging_mode is False


def test_a_dry_run_shows_the_request_and_changes_nothing(seats: Seats) -> None:
    seat = seats(CAP_DRY_RUN="true")

    with pytest.raises(WouldSend) as shown:
        prefer(seat, hedging=True, confirmed=False)

    assert shown.value.requests == (("PUT", PREFERENCES, b'{"hedgingMode":true}'),)
    assert seat.app.account_changes.preferences().data.hedging_mode is False

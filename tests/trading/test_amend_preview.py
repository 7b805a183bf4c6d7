"""Updates of working orders by preview: bound to the exact body, sent once, checked again at the send."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.account import OrderType
from capcli.domain.attempt import AttemptState, PreviewState
from capcli.domain.bracket import Change
from capcli.domain.order import ExitForm, ExitOrder, Kind, Trigger
from capcli.errors import WouldSend
from capcli.reply import Reply
from capcli.trading.amend_order import OrderAmendment
from capcli.trading.amend_preview import Dropped, OrderUpdate
from capcli.trading.dry_run import dry_reply
from tests.support.fixtures import Seats
from tests.support.seat import SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.tap import says

D = Decimal
LOST = httpx.ReadTimeout("no answer")


def place(seat: Seat, **changes: Any) -> str:
    return seat.open(size="2", trigger=Trigger(D("20.5")), **changes).deal_id or ""


def preview(seat: Seat, deal: str, level: str | None = "20.25", **changes: Any) -> OrderUpdate:
    change = Change(level=D(level) if level else None, **changes)
    return seat.app.order_updates.preview(deal, change, Dropped()).data


def execute(seat: Seat, shown: OrderUpdate) -> Reply[OrderAmendment]:
    return seat.app.order_updates.execute(shown.preview_id, confirmed=True)


def puts(seat: Seat) -> list[str]:
    return [request.content.decode() for request in seat.tap.requests if request.method == "PUT"]


def test_a_preview_sends_nothing_and_its_body_is_what_is_sent(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("19"))
    shown = preview(seat, deal)
    assert (puts(seat), json.loads(shown.body)["level"], shown.stop_level) == ([], 20.25, D("18.75"))
    reply = execute(seat, shown)
    assert (reply.exit_code, reply.data.state, reply.data.level) == (0, AttemptState.LANDED, D("20.25"))
    assert puts(seat) == [shown.body]
    (attempt, _) = seat.app.journal.attempts("paper", limit=2)
    assert (attempt.kind, attempt.preview_id) == (Kind.WORKING_UPDATE, shown.preview_id)


def test_an_amount_becomes_the_distance_that_loses_no_more(seat: Seat) -> None:
    deal = place(seat)
    amounts = Change(stop=ExitOrder(ExitForm.AMOUNT, D("3.0019")), limit=ExitOrder(ExitForm.AMOUNT, D(5)))

    shown = preview(seat, deal, stop=amounts.stop, limit=amounts.limit)

    assert (shown.stop_level, shown.limit_level) == (D("18.750"), D("22.750"))
    assert execute(seat, shown).data.stop_level == D("18.75")
    tiny = Change(stop=ExitOrder(ExitForm.AMOUNT, D("0.0001")))
    refused = refusal(lambda: seat.app.order_updates.preview(deal, tiny, Dropped()))
    assert "less than one price step" in refused.message


def test_an_amount_in_another_currency_is_not_guessed(seat: Seat) -> None:
    seat.app.accounts.use(SECOND_ACCOUNT)
    deal = place(seat)
    asked = Change(stop=ExitOrder(ExitForm.AMOUNT, D(3)))

    refused = refusal(lambda: seat.app.order_updates.preview(deal, asked, Dropped()))

    assert "exchange rate" in refused.message


def test_it_is_sent_once_whatever_is_asked_again(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    execute(seat, shown)
    again = execute(seat, shown)
    assert (again.exit_code, len(puts(seat))) == (0, 1)
    assert "was already sent" in again.data.sentence
    assert "Nothing was sent now" in again.data.sentence
    assert seat.app.executions_log.latest(2).data.executions[0].kind == "WORKING_UPDATE"


def test_an_order_that_changed_since_is_not_updated(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("19"))
    shown = preview(seat, deal)
    other = Change(limit=ExitOrder(ExitForm.LEVEL, D(35)))
    assert seat.app.order_amendments.amend(deal, other, confirmed=True).exit_code == 0
    error = refusal(lambda: execute(seat, shown))
    assert (error.code, len(puts(seat)), "changed since" in error.message) == ("CHECKS_FAILED", 1, True)
    assert seat.app.journal.preview(shown.preview_id).state is PreviewState.READY


def test_an_update_that_expires_among_its_last_reads_is_not_sent(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    seat.tap.breaks("GET", "/accounts", after=lambda _: seat.time.tick(121))
    error = refusal(lambda: execute(seat, shown))
    assert (error.code, puts(seat)) == ("PREVIEW_EXPIRED", [])


def test_it_expires(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    seat.time.tick(121)
    assert refusal(lambda: execute(seat, shown)).code == "PREVIEW_EXPIRED"
    assert puts(seat) == []


def test_it_lives_as_long_as_the_approval_that_it_waits_for(seats: Seats) -> None:
    deal = place(seats())
    asked = seats(CAP_APPROVAL="human")
    shown = preview(asked, deal)
    waiting = refusal(lambda: execute(asked, shown))
    assert waiting.code == "APPROVAL_REQUIRED"
    asked.time.tick(130)
    asked.app.approvals.decide(waiting.details["approval_code"], approved=True, by="terminal")
    assert execute(asked, shown).exit_code == 0


def test_it_needs_a_yes(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    error = refusal(lambda: seat.app.order_updates.execute(shown.preview_id, confirmed=False))
    assert (error.code, puts(seat)) == ("NOT_CONFIRMED", [])


def test_moving_is_risk_which_a_halt_keeps_and_tightening_is_not(seat: Seat) -> None:
    deal = place(seat, stop=stop_at("19"))
    moved = preview(seat, deal)
    tight = preview(seat, deal, None, stop=stop_at("19.5"))
    assert (moved.risks, tight.risks) == (("moves the order to 20.25",), ())
    assert moved.consequences == (
        "Margin once it is filled 4.10 → 4.05 USD",
        "Keeps the stop: loss 3.00 USD there",
    )
    assert tight.consequences == ("Tightens the stop: loss there 3.00 → 2.00 USD",)
    seat.app.halting.halt("", by="capcli halt")
    assert refusal(lambda: execute(seat, moved)).code == "HALTED"
    assert execute(seat, tight).exit_code == 0
    assert len(puts(seat)) == 1


def test_a_halt_and_a_limit_fail_the_preview_of_new_risk_as_they_do_its_send(
    seat: Seat, seats: Seats
) -> None:
    deal = place(seat)
    bound = seats(CAP_MAX_MARGIN_PCT="0.01")
    assert refusal(lambda: preview(bound, deal)).details["failed"] == ["margin"]
    assert refusal(lambda: execute(bound, preview(seat, deal))).details["failed"] == ["margin"]
    seat.app.halting.halt("", by="capcli halt")
    assert refusal(lambda: preview(seat, deal)).code == "HALTED"


def test_no_preview_runs_as_another_kind(seat: Seat) -> None:
    deal = place(seat)
    order, update = seat.preview(), preview(seat, deal)
    wrong = refusal(lambda: seat.app.order_updates.execute(order.preview_id, confirmed=True))
    assert wrong.code == "PREVIEW_ELSEWHERE"
    assert refusal(lambda: seat.execute(update.preview_id)).code == "PREVIEW_ELSEWHERE"


def test_the_rules_are_judged_at_the_preview_and_at_the_send(seat: Seat, seats: Seats) -> None:
    deal = place(seat)
    error = refusal(lambda: preview(seat, deal, "99"))
    assert (error.code, error.details["failed"]) == ("CHECKS_FAILED", ["entry_level"])
    shown = preview(seat, deal)
    bound = seats(CAP_ALLOWED_EPICS="GOLD")
    error = refusal(lambda: execute(bound, shown))
    assert (error.details["failed"], puts(bound)) == (["epic_allowed"], [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_ends_in_what_the_order_shows(seat: Seat, when: str) -> None:
    shown = preview(seat, place(seat))
    seat.tap.breaks("PUT", "/workingorders", **{when: LOST})
    assert execute(seat, shown).exit_code == 0


def test_a_doubt_is_settled_by_reading_and_never_sent_again(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    seat.tap.breaks("PUT", "/workingorders", before=LOST, times=2)
    doubt = execute(seat, shown)
    assert doubt.exit_code == 8
    again = execute(seat, shown)
    assert (again.exit_code, again.problem.code, len(puts(seat))) == (8, "AMEND_UNKNOWN", 2)
    seat.time.tick(130)
    assert seat.app.reconciliations.reconcile().exit_code == 0
    error = refusal(lambda: execute(seat, shown))
    assert (error.code, "Nothing was sent now" in error.message) == ("BROKER_REFUSED", True)
    assert seat.preview().executable


def test_a_refusal_is_told_and_told_again(seat: Seat) -> None:
    shown = preview(seat, place(seat))
    seat.tap.breaks("PUT", "/workingorders", before=says(400, {"errorCode": "error.some.reason"}))
    assert "error.some.reason" in refusal(lambda: execute(seat, shown)).message
    assert "error.some.reason" in refusal(lambda: execute(seat, shown)).message


def test_a_refused_update_offers_the_bound_that_the_broker_named(seat: Seat) -> None:
    deal = place(seat)
    shown = preview(seat, deal)
    refused = says(400, {"errorCode": "error.invalid.takeprofit.minvalue: 21"})
    seat.tap.breaks("PUT", "/workingorders", before=refused)
    assert refusal(lambda: execute(seat, shown)).next == f"capcli orders amend {deal} --limit 21"


def test_a_dry_run_keeps_the_preview(seat: Seat, seats: Seats) -> None:
    shown = preview(seat, place(seat))
    dry = seats(CAP_DRY_RUN="true")
    with pytest.raises(WouldSend) as caught:
        dry.app.order_updates.execute(shown.preview_id, confirmed=False)
    told = dry_reply(caught.value).data
    assert (told.requests[0].body, told.preview_id) == (shown.body, shown.preview_id)
    assert execute(seat, shown).exit_code == 0


def test_what_would_stay_on_the_stop_is_not_promised_away(seat: Seat) -> None:
    deal = place(seat, stop=ExitOrder(ExitForm.DISTANCE, D(1)), trailing=True)
    change = Change(level=D("20.25"))
    error = refusal(lambda: seat.app.order_updates.preview(deal, change, Dropped(trailing=True)))
    assert (error.code, "would stay trailing" in error.message) == ("USAGE", True)


def test_an_update_that_changes_nothing_makes_no_preview(seat: Seat) -> None:
    deal = place(seat)
    assert refusal(lambda: preview(seat, deal, "20.5")).code == "USAGE"


def test_a_stop_order_nearer_than_the_broker_takes_it_fails_its_preview(seat: Seat) -> None:
    offer = seat.app.markets.quote(("SILVER",)).data.quotes[0].offer
    shown = seat.preview(trigger=Trigger(offer + D("0.001"), OrderType.STOP))
    assert [check.rule.value for check in shown.failed] == ["entry_level"]
    assert "is too near: at least" in shown.failed[0].words

"""What a mandate lets a client send alone, and what it does not."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.mandate import MandateState
from capcli.domain.order import Trigger
from capcli.paper.state import set_fault
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant, order
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat, refusal, stop_at

DEMO = {
    "CAP_ENV": "demo",
    "CAP_API_KEY": "paper",
    "CAP_IDENTIFIER": "paper",
    "CAP_API_PASSWORD": "paper",
}


@pytest.fixture
def person(seats: Seats) -> Seat:
    return seats(**HUMAN)


@pytest.fixture
def client(seats: Seats, person: Seat) -> Callable[..., Seat]:
    """Make the client that a mandate was granted to."""

    def made(**terms: Any) -> Seat:
        return seats(**HUMAN, CAP_MANDATE_FILE=grant(person, **terms).file)

    return made


def state(seat: Seat) -> MandateState:
    return seat.app.mandates.list().data.mandates[0].state


def test_an_order_within_it_is_sent_without_a_person_and_counted(client: Callable[..., Seat]) -> None:
    bot = client()
    sent = order(bot, size="1.5")
    assert sent.exit_code == 0, sent
    assert "Sent under the mandate night: order 1 of 3" in sent.data.warnings[0]
    (row,) = bot.app.mandates.list().data.mandates
    assert (row.orders_used, row.state) == (1, MandateState.ACTIVE)
    (position,) = bot.app.broker.positions()
    at_stop = (position.level - Decimal("24.50")) * Decimal("1.5")
    assert row.charged is not None
    assert at_stop <= row.charged < at_stop + Decimal("0.01")
    assert bot.app.journal.mandates.names([sent.data.attempt_id]) == {sent.data.attempt_id: "night"}


def resting(bot: Seat, *, hours: float = 1) -> Any:
    """Place a working order well below the price, within the mandate."""
    level = bot.app.broker.market("SILVER").quote.bid - 4
    trigger = Trigger(level, OrderType.LIMIT, bot.time.now() + timedelta(hours=hours))
    preview = bot.preview(size="2", trigger=trigger, stop=stop_at(str(level - 2)))
    return bot.execute(preview.preview_id).data


def test_what_it_opened_may_be_tightened_closed_in_part_and_closed(client: Callable[..., Seat]) -> None:
    bot = client()
    deal = order(bot, size="3").data.deal_id
    tighter = bot.app.amendments.amend(deal, Change(stop=stop_at("25.50")), confirmed=True)
    assert tighter.data.stop_level == Decimal("25.50")
    part = bot.app.reductions.reduce(deal, Decimal(1), confirmed=True)
    assert (part.data.state, part.data.remaining) == ("LANDED", 2)
    assert bot.app.closings.close(deal, confirmed=True).data.state == "LANDED"
    (row,) = bot.app.mandates.list().data.mandates
    assert row.orders_used == 1
    log = bot.app.executions_log.latest().data.executions
    assert [one.mandate for one in log] == ["night"] * 4


def test_a_working_order_within_it_is_placed_and_its_cancellation_is_covered(
    client: Callable[..., Seat],
) -> None:
    bot = client()
    placed = resting(bot)
    assert placed.state == "LANDED"
    assert bot.app.mandates.list().data.mandates[0].charged == Decimal("4.00")
    assert bot.app.cancellations.cancel(placed.deal_id, confirmed=True).data.state == "LANDED"
    assert bot.app.mandates.list().data.mandates[0].charged == 0


def test_revoking_it_cancels_its_working_orders_and_leaves_those_of_the_person(
    client: Callable[..., Seat], person: Seat, seats: Seats
) -> None:
    bot, own = client(), resting(seats())
    placed = resting(bot)
    done = person.app.mandates.revoke("night", by="a test").data
    assert (done.cancelled, done.left) == ((placed.deal_id,), ())
    assert "Cancelled its 1 working order" in done.sentence
    assert [row.deal_id for row in bot.app.broker.orders()] == [own.deal_id]


def test_a_halt_cancels_its_working_orders_says_so_and_ends_it_for_good(
    client: Callable[..., Seat], person: Seat
) -> None:
    bot = client()
    placed = resting(bot)
    shown = person.app.halting.halt("enough", by="a test", waiting=person.app.waiting_orders).data
    assert "Mandates that ended with it: night (paper)." in shown.sentence
    assert f"Cancelled its 1 working order: {placed.deal_id}" in shown.sentence
    assert (shown.orders, bot.app.broker.orders()) == ((), ())
    person.app.halting.resume(confirmed=True, by="a test")
    assert state(bot) is MandateState.HALTED
    assert "ended with a halt" in refusal(lambda: order(bot, size="1")).message


def test_where_trading_is_off_a_halt_sends_nothing_and_names_what_can_still_fill(
    client: Callable[..., Seat], seats: Seats
) -> None:
    placed = resting(client())
    off = seats(CAP_ALLOW_TRADING="false")
    shown = off.app.halting.halt("enough", by="a test", waiting=off.app.waiting_orders).data
    assert shown.orders == (placed.deal_id,)
    assert "Not cancelled, and may still fill" in shown.sentence


def test_no_mandate_is_granted_while_halted(person: Seat) -> None:
    person.app.halting.halt("enough", by="a test")
    assert refusal(lambda: grant(person)).code == "HALTED"
    person.app.halting.resume(confirmed=True, by="a test")


def test_every_order_under_it_is_announced_with_its_name(seats: Seats, person: Seat) -> None:
    told: list[dict[str, Any]] = []

    class Launch:
        def __call__(self, _argv: Any, document: bytes) -> None:
            told.append(json.loads(document))

        def desktop(self, _title: str, _text: str) -> None:
            return None

    file = grant(person).file
    bot = seats(launch=Launch(), CAP_NOTIFY_CMD="/bin/true", CAP_MANDATE_FILE=file, **HUMAN)
    sent = order(bot, size="1").data
    bot.app.closings.close(sent.deal_id, confirmed=True)
    assert [(one["event"], one["mandate"]) for one in told] == [("order_sent", "night")] * 2
    assert told[0]["attempt_id"] == sent.attempt_id


def test_an_order_that_did_not_leave_is_not_announced_and_used_up(client: Callable[..., Seat]) -> None:
    bot = client(orders=1)
    bot.tap.breaks("POST", "/positions", before=httpx.ConnectError("down"))
    done = order(bot, size="1")
    assert (done.data.state, done.data.warnings) == ("NOT_SENT", ())
    assert "its 1 order is used up" in refusal(lambda: order(bot, size="1")).message


def test_a_persons_no_holds_over_it(client: Callable[..., Seat], person: Seat) -> None:
    bot = client(risk="1")
    preview = bot.preview(size="1.5", stop=stop_at("24.50"))
    waiting = refusal(lambda: bot.execute(preview.preview_id))
    assert "The mandate night does not cover it: it may lose" in waiting.message
    person.app.approvals.decide(waiting.details["approval_code"], approved=False, by="a test")
    assert refusal(lambda: bot.execute(preview.preview_id)).code == "APPROVAL_DENIED"


def test_it_never_widens_another_limit(seats: Seats, person: Seat) -> None:
    bot = seats(**HUMAN, CAP_MANDATE_FILE=grant(person).file, CAP_MAX_POSITION_SIZE="1")
    preview = bot.preview(size="1.5", stop=stop_at("24.50"))
    assert not preview.executable
    assert refusal(lambda: bot.execute(preview.preview_id)).code == "PREVIEW_NOT_EXECUTABLE"


def test_a_stop_that_the_broker_dropped_is_set_again_under_it(client: Callable[..., Seat]) -> None:
    bot = client()
    set_fault(bot.home / "paper.db", "drop-stop", times=1, at=bot.time.now())
    preview = bot.preview(size="1", stop=stop_at("24.50"))
    done = bot.app.protected_executions.execute(preview.preview_id, confirmed=True, ensure_stop=True)
    assert (done.exit_code, done.data.protected) == (0, "yes")
    assert state(bot) is MandateState.ACTIVE
    assert order(bot, size="1").exit_code == 0


def test_history_accept_ends_it(client: Callable[..., Seat]) -> None:
    bot = client()
    bot.app.journal.accept((), at=bot.time.now(), reason="a test")
    assert state(bot) is MandateState.VOID
    assert "ended when the journal was accepted" in refusal(lambda: order(bot, size="1")).message


def test_where_nobody_is_asked_it_counts_for_nothing(seats: Seats, person: Seat) -> None:
    bot = seats(CAP_MANDATE_FILE=grant(person).file)
    assert order(bot, size="1", stop=None).exit_code == 0
    assert bot.app.mandates.list().data.mandates[0].orders_used == 0


def test_orders_of_another_account_or_environment_are_named_not_forgotten(
    client: Callable[..., Seat], person: Seat, seats: Seats
) -> None:
    placed = resting(client())
    person.app.accounts.use(SECOND_ACCOUNT)
    shown = person.app.halting.halt("enough", by="a test", waiting=person.app.waiting_orders).data
    assert f"may still fill: {placed.deal_id}" in shown.sentence
    demo = seats(**DEMO)
    shown = demo.app.halting.halt("enough", by="a test", waiting=demo.app.waiting_orders).data
    next_command = "capcli orders cancel --all --env paper"
    assert f"may still wait on paper: {placed.deal_id} ({next_command})" in shown.sentence


def test_a_revocation_that_cannot_look_says_what_may_wait(client: Callable[..., Seat], person: Seat) -> None:
    placed = resting(client())
    person.tap.breaks("GET", "/workingorders", before=httpx.ConnectError("down"), times=9)
    done = person.app.mandates.revoke("night", by="a test").data
    assert (done.left, done.next) == (
        (placed.deal_id,),
        f"capcli orders cancel {placed.deal_id} --account {FIRST_ACCOUNT}",
    )


def test_a_file_that_every_client_would_read_counts_for_nothing(seats: Seats, person: Seat) -> None:
    text = f"[profiles.main]\nmandate_file = {grant(person).file!r}\n"
    (person.home / "config.toml").write_text(text)
    bot = seats(**HUMAN)
    assert bot.app.settings.mandate_file is not None
    assert "from the environment of one client alone" in refusal(lambda: order(bot, size="1")).message


def test_on_live_none_is_even_looked_for(seats: Seats, person: Seat) -> None:
    live = seats(CAP_ENV="live", CAP_MANDATE_FILE=grant(person).file)
    assert live.app.approvals._mandate(None, None, None) is None  # type: ignore[arg-type]

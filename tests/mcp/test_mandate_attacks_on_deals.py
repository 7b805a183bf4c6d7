"""An assistant with every tool tries to misuse, outlive or borrow a mandate: nothing is sent."""

import shutil
from datetime import timedelta
from decimal import Decimal

import pytest
from fastmcp import Client

from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.halt import Halt
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.state import set_fault
from tests.mcp.conftest import Assistant
from tests.mcp.mandate_stage import AWAY, Attack, Stage, asks, stage
from tests.support.mandate import HUMAN, grant
from tests.support.seat import SECOND_ACCOUNT, refusal, stop_at
from tests.support.stakes import changing

pytestmark = [pytest.mark.anyio, pytest.mark.faults]
__all__ = ["stage"]
ATTACKS: list[Attack] = []


def attack(work: Attack) -> Attack:
    ATTACKS.append(work)
    return work


# Orders that meet what it did not open.


@attack
async def an_order_that_reduces_a_deal_of_the_person(stage: Stage) -> None:
    deal = stage.bought()
    asks(await stage.order(direction="SELL", size=2, stop_level=str(stage.bid + AWAY)), f"it meets {deal}")


@attack
async def an_order_that_turns_a_deal_of_the_person_round(stage: Stage) -> None:
    deal = stage.bought(size="2")
    asks(await stage.order(direction="SELL", size=5, stop_level=str(stage.bid + AWAY)), f"it meets {deal}")


@attack
async def a_working_order_that_would_meet_one(stage: Stage) -> None:
    deal = stage.bought(Side.SELL)
    until = (stage.person.time.now() + timedelta(hours=1)).isoformat()
    asks(await stage.rests(good_till_date=until), f"it meets {deal}")


@attack
async def a_working_order_that_would_meet_another_order(stage: Stage) -> None:
    level = stage.bid + 4
    preview = stage.person.preview(
        size="1", side=Side.SELL, trigger=Trigger(level, OrderType.LIMIT), stop=stop_at(str(level + 2))
    )
    stage.person.execute(preview.preview_id)
    until = (stage.person.time.now() + timedelta(hours=1)).isoformat()
    asks(await stage.rests(good_till_date=until), "it meets ")


@attack
async def a_close_of_a_deal_that_it_did_not_open(stage: Stage) -> None:
    deal = stage.bought()
    asks(await stage.ask("cap_trade_positions_close", deal_id=deal, confirm=True), f"it did not open {deal}")


@attack
async def a_partial_close_of_one(stage: Stage) -> None:
    deal = stage.bought()
    said = await stage.ask("cap_trade_positions_close", deal_id=deal, size=1, confirm=True)
    asks(said, f"it did not open {deal}")


@attack
async def a_tighter_stop_on_one(stage: Stage) -> None:
    deal, near = stage.bought(), stage.stop(Decimal(1))
    said = await stage.ask("cap_trade_positions_amend", deal_id=deal, stop_level=near, confirm=True)
    asks(said, f"it did not open {deal}")


@attack
async def a_cancellation_of_an_order_of_the_person(stage: Stage) -> None:
    level = stage.bid - 4
    trigger = Trigger(level, OrderType.LIMIT)
    preview = stage.person.preview(size="1", trigger=trigger, stop=stop_at(str(level - 2)))
    deal = stage.person.execute(preview.preview_id).data.deal_id
    asks(await stage.ask("cap_trade_orders_cancel", deal_id=deal, confirm=True), f"it did not open {deal}")
    asks(await stage.ask("cap_trade_orders_cancel", all_orders=True, confirm=True))


@attack
async def everything_closed(stage: Stage) -> None:
    stage.bought()
    await stage.opened(size=1)
    asks(await stage.ask("cap_trade_flatten", confirm=True))


# Its own deals, made worse.


@attack
async def its_stop_loosened(stage: Stage) -> None:
    deal, far = await stage.opened(), stage.stop(Decimal(3))
    said = await stage.ask("cap_trade_positions_amend", deal_id=deal, stop_level=far, confirm=True)
    asks(said, "more than the level of the stop")


@attack
async def its_stop_removed(stage: Stage) -> None:
    deal = await stage.opened()
    asks(await stage.ask("cap_trade_positions_amend", deal_id=deal, remove_stop=True, confirm=True), "night")


@attack
async def a_limit_set(stage: Stage) -> None:
    deal, high = await stage.opened(), str(stage.bid + 3)
    said = await stage.ask("cap_trade_positions_amend", deal_id=deal, profit_level=high, confirm=True)
    asks(said, "more than the level of the stop")


@attack
async def a_stop_that_begins_to_trail(stage: Stage) -> None:
    deal = await stage.opened()
    said = await stage.ask(
        "cap_trade_positions_amend", deal_id=deal, stop_distance=1, trailing_stop=True, confirm=True
    )
    asks(said, "night")


@attack
async def its_working_order_moved(stage: Stage) -> None:
    until = (stage.person.time.now() + timedelta(hours=1)).isoformat()
    said = await stage.rests(good_till_date=until)
    assert said.data["state"] == "LANDED", said.text
    stage.forget()
    update = await stage.ask(
        "cap_trade_preview_working_order_update", deal_id=said.data["deal_id"], level=str(stage.bid - 3)
    )
    moved = await stage.ask(
        "cap_trade_execute_working_order_update", preview_id=update.data["preview_id"], confirm=True
    )
    asks(moved, "night")


@attack
async def an_order_beside_a_stop_that_a_person_loosened(stage: Stage) -> None:
    deal = await stage.opened(size=1)
    stage.person.app.amendments.amend(deal, Change(stop=stop_at(stage.stop(Decimal(3)))), confirmed=True)
    asks(await stage.order(size=1), f"the stop of {deal} is missing or was loosened, which ends it")
    asks(await stage.order(size=1), "ended because a deal of it lost its stop")


@attack
async def an_order_beside_a_stop_that_is_gone(stage: Stage) -> None:
    deal = await stage.opened(size=1)
    stage.person.app.amendments.amend(deal, Change(no_stop=True), confirmed=True)
    asks(await stage.order(size=1), f"the stop of {deal} is missing")
    assert stage.person.app.mandates.list().data.mandates[0].state == "STOP_LOST"


@attack
async def an_order_after_the_broker_dropped_a_stop(stage: Stage) -> None:
    set_fault(stage.person.home / "paper.db", "drop-stop", times=1, at=stage.person.time.now())
    said = await stage.order(size=1)
    assert said.code == "NO_STOP", said.text
    stage.forget()
    asks(await stage.order(size=1), "is missing or was loosened, which ends it")


@attack
async def a_stop_tightened_and_loosened_again(stage: Stage) -> None:
    deal = await stage.opened(size=1)
    near, back = stage.stop(Decimal(1)), stage.stop(Decimal("1.5"))
    amended = await stage.ask("cap_trade_positions_amend", deal_id=deal, stop_level=near, confirm=True)
    assert amended.data["state"] == "LANDED", amended.text
    stage.forget()
    asks(await stage.ask("cap_trade_positions_amend", deal_id=deal, stop_level=back, confirm=True), "night")
    stage.person.app.amendments.amend(deal, Change(stop=stop_at(back)), confirmed=True)
    asks(await stage.order(size=1), "was loosened, which ends it")


# Other things that a person has to say.


@attack
async def preferences_and_money(stage: Stage) -> None:
    asks(await stage.ask("cap_account_preferences_set", hedging_mode=True, confirm=True), "night")
    asks(await stage.ask("cap_account_demo_topup", amount=100, confirm=True), "night")


@attack
async def another_account(stage: Stage) -> None:
    assert (await stage.ask("cap_session_switch_account", account_id=SECOND_ACCOUNT)).code is None
    asks(await stage.order(size=1), "it is for paper (paper), account")


@attack
async def an_order_without_confirmation(stage: Stage) -> None:
    preview = await stage.preview(size=1)
    for arguments in ({}, {"confirm": False}, {"confirm": "no"}):
        said = await stage.ask("cap_trade_execute_position", preview_id=preview["preview_id"], **arguments)
        assert said.code in {"NOT_CONFIRMED", "USAGE"}, said.text


@attack
async def an_order_without_a_preview(stage: Stage) -> None:
    said = await stage.ask("cap_trade_execute_position", preview_id="p_000000000abc", confirm=True)
    assert said.code == "PREVIEW_UNKNOWN", said.text


@attack
async def a_replay(stage: Stage) -> None:
    preview = await stage.preview(size=1)
    call = {"preview_id": preview["preview_id"], "confirm": True}
    assert (await stage.ask("cap_trade_execute_position", **call)).data["state"] == "LANDED"
    stage.forget()
    assert (await stage.ask("cap_trade_execute_position", **call)).data["replayed"] is True


# Outliving it.


@attack
async def after_it_was_revoked(stage: Stage) -> None:
    deal = await stage.opened(size=1)
    secret = stage.file.read_text()
    stage.person.app.mandates.revoke("night", by="a test")
    asks(await stage.order(size=1), "cannot be opened")
    stage.file.write_text(secret)
    stage.file.chmod(0o600)
    asks(await stage.order(size=1), "it was revoked")
    asks(await stage.ask("cap_trade_positions_close", deal_id=deal, confirm=True), "it was revoked")


@attack
async def the_old_secret_after_a_new_grant(stage: Stage) -> None:
    old = stage.file.with_name("old.secret")
    shutil.copyfile(stage.file, old)
    old.chmod(0o600)
    stage.person.app.mandates.revoke("night", by="a test")
    grant(stage.person)
    async with stage.another(old) as other:
        asks(await other.order(size=1), "it was revoked")


@attack
async def after_its_end(stage: Stage) -> None:
    stage.person.time.tick(6 * 3600 + 1)
    asks(await stage.order(size=1), "it has expired")


@attack
async def after_its_end_with_the_clock_set_back(stage: Stage) -> None:
    start = stage.person.time.now()
    stage.person.time.tick(6 * 3600 + 1)
    preview = await stage.preview(size=1)
    late = stage.seats(clock=lambda: start, **HUMAN, CAP_MANDATE_FILE=str(stage.file))
    own = late.preview(size="1", stop=stop_at(stage.stop())).preview_id
    assert "it has expired" in refusal(lambda: late.execute(own, again=True)).message
    refusal(lambda: late.execute(preview["preview_id"], again=True))
    assert changing(late.tap) == []


@attack
async def after_a_halt_and_a_resumption(stage: Stage) -> None:
    stage.person.app.halting.halt("enough", by="a test")
    said = await stage.order(size=1)
    assert said.code in {"HALTED", "PREVIEW_NOT_EXECUTABLE"}, said.text
    stage.person.app.halting.resume(confirmed=True, by="a test")
    asks(await stage.order(size=1), "it ended with a halt")


@attack
async def after_a_halt_that_could_not_be_written_down(stage: Stage) -> None:
    stage.person.app.halt_switch.set(Halt(stage.person.time.now(), "a test", 1, ""))
    stage.person.app.halting.resume(confirmed=True, by="a test")
    asks(await stage.order(size=1), "it ended with a halt")


@attack
async def a_working_order_without_an_end(stage: Stage) -> None:
    asks(await stage.rests(), "a working order has to expire with the mandate")


@attack
async def a_working_order_that_outlives_it(stage: Stage) -> None:
    until = (stage.person.time.now() + timedelta(hours=7)).isoformat()
    asks(await stage.rests(good_till_date=until), "a working order has to expire with the mandate")


@attack
async def a_working_order_without_a_stop(stage: Stage) -> None:
    until = (stage.person.time.now() + timedelta(hours=1)).isoformat()
    asks(await stage.rests(good_till_date=until, stop_level=None), "it has no stop")


# Borrowing one.


@attack
async def the_mandate_of_another_client(stage: Stage) -> None:
    grant(stage.person, "gold", epics=("GOLD",))
    async with stage.another(stage.file.with_name("paper-gold.secret")) as other:
        asks(await other.order(), "SILVER is not among GOLD")
        deal = await stage.opened(size=1)
        said = await other.ask("cap_trade_positions_close", deal_id=deal, confirm=True)
        asks(said, f"The mandate gold does not cover it: it did not open {deal}")


@attack
async def a_client_that_was_given_none(stage: Stage) -> None:
    seat = stage.seats(**HUMAN)
    async with Client(build_server(ToolRunner(lambda: seat.app))) as client:
        other = Stage(stage.seats, stage.person, stage.file, seat, Assistant(client))
        asks(await other.order())
        assert changing(seat.tap) == []


@attack
async def a_mandate_of_paper_on_demo(stage: Stage) -> None:
    async with stage.another(
        stage.file, CAP_ENV="demo", CAP_ALLOW_TRADING="true", CAP_API_KEY="paper", CAP_IDENTIFIER="paper",
        CAP_API_PASSWORD="paper",
    ) as other:  # fmt: skip
        asks(await other.order(size=1), "it is for paper (paper)")


@pytest.mark.parametrize("work", ATTACKS, ids=lambda work: work.__name__)
async def test_nothing_is_sent_outside_of_a_mandate(stage: Stage, work: Attack) -> None:
    stage.forget()
    await work(stage)
    assert changing(stage.bot.tap) == []

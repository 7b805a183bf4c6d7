"""An assistant with every tool tries to create, widen, outlive or borrow a mandate: nothing is sent."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from fastmcp import Client

from capcli.domain.account import OrderType
from capcli.domain.bracket import Change
from capcli.domain.halt import Halt
from capcli.domain.market import Side
from capcli.domain.order import Trigger
from capcli.errors import CapcliError
from capcli.mcp.face import Face
from capcli.mcp.server import build_server
from capcli.paper.state import set_fault
from tests.mcp.conftest import Assistant, Said
from tests.support.desk import SECOND_ACCOUNT, Seat, refusal, stop_at
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant
from tests.support.stakes import changing

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

AWAY = Decimal("2.00")


@dataclass
class Stage:
    """A person at a terminal, and an assistant that was granted 3 orders of 20 USD each, 60 in all."""

    seats: Seats
    person: Seat
    file: Path
    bot: Seat
    ask: Assistant

    @property
    def bid(self) -> Decimal:
        return self.person.app.broker.market("SILVER").quote.bid

    def stop(self, away: Decimal = AWAY) -> str:
        return str(self.bid - away)

    async def preview(self, **changes: Any) -> dict[str, Any]:
        order = {"epic": "SILVER", "direction": "BUY", "size": 5, "stop_level": self.stop()}
        wanted = {name: value for name, value in (order | changes).items() if value is not None}
        kind = "working_order" if "level" in wanted else "position"
        return (await self.ask(f"cap_trade_preview_{kind}", **wanted)).data

    async def order(self, *, tool: str = "position", **changes: Any) -> Said:
        preview = await self.preview(**changes)
        return await self.ask(
            f"cap_trade_execute_{tool}", preview_id=preview["preview_id"], confirm=True, again=True
        )

    async def rests(self, **changes: Any) -> Said:
        """Place a working order well below the price."""
        level = self.bid - 4
        resting = {"type": "LIMIT", "level": str(level), "stop_level": str(level - AWAY)}
        return await self.order(tool="working_order", **(resting | changes))

    async def opened(self, **changes: Any) -> str:
        """Open a deal within the mandate; what was sent for it is forgotten."""
        said = await self.order(**changes)
        assert said.data.get("state") == "LANDED", said.text
        self.forget()
        return str(said.data["deal_id"])

    def forget(self) -> None:
        self.bot.tap.requests.clear()

    def bought(self, side: Side = Side.BUY, size: str = "5") -> str:
        """Open a deal as the person does."""
        level = self.bid - AWAY if side is Side.BUY else self.bid + AWAY
        return str(self.person.open(size=size, side=side, stop=stop_at(str(level))).deal_id)

    def by_hand(self, *statements: str) -> None:
        """Change the journal as somebody would who takes its triggers off and puts them back."""
        with closing(sqlite3.connect(self.person.home / "journal.db", isolation_level=None)) as raw:
            raw.execute("PRAGMA foreign_keys=OFF")
            triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                raw.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                raw.execute(statement)
            for _, sql in triggers:
                raw.execute(sql)

    @asynccontextmanager
    async def another(self, file: Path | str, **settings: str) -> AsyncIterator["Stage"]:
        """Another client, with another file."""
        seat = self.seats(**HUMAN, CAP_MANDATE_FILE=str(file), **settings)
        async with Client(build_server(Face(lambda: seat.app))) as client:
            other = Stage(self.seats, self.person, Path(file), seat, Assistant(client))
            yield other
            assert changing(seat.tap) == []


@pytest.fixture
async def stage(seats: Seats) -> AsyncIterator[Stage]:
    person = seats()
    file = grant(person).file
    bot = seats(**HUMAN, CAP_MANDATE_FILE=file)
    async with Client(build_server(Face(lambda: bot.app))) as client:
        yield Stage(seats, person, Path(file), bot, Assistant(client))


def asks(said: Said, why: str = "", *, code: str = "APPROVAL_REQUIRED") -> None:
    """It went the usual way: a person is asked, and the assistant is told why."""
    assert said.code == code, said.text
    assert why in said.text, said.text


Attack = Callable[[Stage], Awaitable[None]]
ATTACKS: list[Attack] = []


def attack(work: Attack) -> Attack:
    ATTACKS.append(work)
    return work


# Creating one.


@attack
async def a_secret_of_its_own(stage: Stage) -> None:
    own = stage.file.with_name("own.secret")
    own.write_text("ab" * 32)
    own.chmod(0o600)
    async with stage.another(own) as other:
        asks(await other.order(), "No mandate was granted for the secret")


@attack
async def the_hash_that_the_journal_shows_for_a_secret(stage: Stage) -> None:
    (mandate,) = stage.bot.app.journal.mandates.active()
    own = stage.file.with_name("own.secret")
    own.write_text(mandate.secret_hash)
    own.chmod(0o600)
    async with stage.another(own) as other:
        asks(await other.order(), "No mandate was granted")


@attack
async def an_empty_file(stage: Stage) -> None:
    own = stage.file.with_name("own.secret")
    own.write_text("")
    own.chmod(0o600)
    async with stage.another(own) as other:
        asks(await other.order(), "No mandate was granted")


@attack
async def no_file_at_all(stage: Stage) -> None:
    async with stage.another(stage.file.with_name("missing.secret")) as other:
        asks(await other.order(), "cannot be opened")


@attack
async def a_copy_that_others_can_read(stage: Stage) -> None:
    copy = stage.file.with_name("copy.secret")
    shutil.copyfile(stage.file, copy)
    copy.chmod(0o644)
    async with stage.another(copy) as other:
        asks(await other.order(), "0600 is required")


@attack
async def a_link_to_the_file(stage: Stage) -> None:
    link = stage.file.with_name("link.secret")
    link.symlink_to(stage.file)
    async with stage.another(link) as other:
        asks(await other.order(), "symbolic link")


@attack
async def a_row_of_its_own_in_the_journal(stage: Stage) -> None:
    stage.by_hand(
        "INSERT INTO mandates SELECT 'm_own', 'own', env, host, account_id, 'x', epics, '9999', '9999',"
        " currency, 99, since, granted_at, expires_at, state, ended_at FROM mandates"
    )
    said = await stage.order()
    assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text


@attack
async def a_tool_that_grants(stage: Stage) -> None:
    for name in ("cap_mandate_grant", "cap_mandates_grant", "cap_mandate_revoke"):
        assert (await stage.ask(name, name="own", orders=99)).code == "TOOL_UNKNOWN"


@attack
async def an_argument_that_names_it(stage: Stage) -> None:
    preview = await stage.preview(stop_level=None)
    for extra in ({"mandate": "night"}, {"CAP_MANDATE_FILE": str(stage.file)}):
        said = await stage.ask(
            "cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True, **extra
        )
        assert said.code == "USAGE", said.text


# Widening it.


@attack
async def another_market(stage: Stage) -> None:
    asks(await stage.order(epic="EURUSD", size=1000, stop_level=None), "EURUSD is not among SILVER, GOLD")


@attack
async def an_order_without_a_stop(stage: Stage) -> None:
    asks(await stage.order(stop_level=None), "it carries no stop")


@attack
async def a_size_that_risks_too_much(stage: Stage) -> None:
    asks(await stage.order(size=12), "at its stop, of at most 20.00 USD an order")


@attack
async def a_stop_that_is_far(stage: Stage) -> None:
    asks(await stage.order(stop_level=stage.stop(Decimal(6))), "of at most 20.00 USD an order")


@attack
async def a_trailing_stop_that_is_far(stage: Stage) -> None:
    said = await stage.order(stop_level=None, stop_distance=6, trailing_stop=True)
    asks(said, "of at most 20.00 USD an order")


@attack
async def more_orders_than_granted(stage: Stage) -> None:
    for _ in range(3):
        await stage.opened(size=1)
    asks(await stage.order(size=1), "its 3 orders are used up")


@attack
async def more_in_all_than_granted(stage: Stage) -> None:
    grant(stage.person, "small", total="25", risk="20")
    async with stage.another(stage.file.with_name("paper-small.secret")) as other:
        await other.opened(size=9)
        asks(await other.order(size=5), "is above the total of 25.00 USD")


@attack
async def orders_given_back_by_closing(stage: Stage) -> None:
    for _ in range(3):
        deal = await stage.opened(size=1)
        assert (await stage.ask("cap_trade_positions_close", deal_id=deal, confirm=True)).data[
            "state"
        ] == "LANDED"
    stage.forget()
    asks(await stage.order(size=1), "its 3 orders are used up")


@attack
async def losses_forgotten_by_closing(stage: Stage) -> None:
    grant(stage.person, "small", total="25", risk="20", orders=9)
    async with stage.another(stage.file.with_name("paper-small.secret")) as other:
        # Each round trip books a loss of the spread at least, and costs stay.
        for _ in range(3):
            deal = await other.opened(size=9)
            closed = await other.ask("cap_trade_positions_close", deal_id=deal, confirm=True)
            assert closed.data["pl_account"] < 0, closed.text
        other.forget()
        (row,) = [one for one in other.bot.app.mandates.list().data.mandates if one.name == "small"]
        assert row.charged is not None
        assert row.charged > 0
        size = int((25 - row.charged) / AWAY) + 1
        asks(await other.order(size=size), "USD")


def _edited(column: str, value: str) -> Attack:
    async def work(stage: Stage) -> None:
        await stage.opened(size=1)
        stage.by_hand(f"UPDATE mandates SET {column} = {value}")
        said = await stage.order(epic="EURUSD" if column == "epics" else "SILVER", size=1)
        assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text
        # Closing is no new risk, but it does not happen by an edited mandate either.
        deal = stage.bot.book()[0]
        asks(await stage.ask("cap_trade_positions_close", deal_id=deal, confirm=True), "could not be judged")

    work.__name__ = f"the_{column}_edited_by_hand"
    return work


for column, value in {
    "risk": "'9999'",
    "total_risk": "'9999'",
    "orders": "99",
    "epics": '\'["SILVER","EURUSD"]\'',
    "expires_at": "'2036-01-01T00:00:00.000000Z'",
    "account_id": f"'{SECOND_ACCOUNT}'",
    "since": "'2036-01-01T00:00:00.000000Z'",
}.items():
    attack(_edited(column, value))


@attack
async def uses_removed_by_hand(stage: Stage) -> None:
    for _ in range(3):
        await stage.opened(size=1)
    stage.by_hand("DELETE FROM mandate_uses")
    said = await stage.order(size=1)
    assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text


@attack
async def the_triggers_taken_off(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.person.home / "journal.db", isolation_level=None)) as raw:
        raw.execute("DROP TRIGGER mandates_only_end")
    said = await stage.order(size=1)
    assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text


@attack
async def an_ended_one_put_back_by_hand(stage: Stage) -> None:
    stage.person.app.mandates.revoke("night", by="a test")
    stage.by_hand("UPDATE mandates SET state = 'ACTIVE', ended_at = NULL")
    said = await stage.order(size=1)
    assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text


@attack
async def an_earlier_journal_put_back(stage: Stage) -> None:
    kept = stage.person.home / "kept.db"
    stage.bot.app.journal._db.close()
    with (
        closing(sqlite3.connect(stage.person.home / "journal.db")) as now,
        closing(sqlite3.connect(kept)) as copy,
    ):
        now.backup(copy)
    stage.bot.app.journal._db._closed = False
    await stage.opened(size=1)
    for seat in (stage.bot, stage.person):
        seat.app.journal.close()
    with (
        closing(sqlite3.connect(kept)) as copy,
        closing(sqlite3.connect(stage.person.home / "journal.db")) as now,
    ):
        copy.backup(now)
    async with stage.another(stage.file) as other:
        said = await other.order(size=1)
        assert said.code in {"PREVIEW_NOT_EXECUTABLE", "CHECKS_FAILED"}, said.text


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
    stage.person.app._halt_switch.set(Halt(stage.person.time.now(), "a test", 1, ""))
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
    asks(await stage.rests(good_till_date=until, stop_level=None), "it carries no stop")


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
    async with Client(build_server(Face(lambda: seat.app))) as client:
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


def test_two_processes_at_the_last_order_send_one(seats: Seats) -> None:
    person = seats()
    file = grant(person, orders=1).file
    bots = [seats(**HUMAN, CAP_MANDATE_FILE=file) for _ in range(2)]
    stop = stop_at(str(person.app.broker.market("SILVER").quote.bid - AWAY))
    previews = [bot.preview(size=str(1 + n), stop=stop).preview_id for n, bot in enumerate(bots)]
    ready, ends = Barrier(2), []

    def run(bot: Seat, preview_id: str) -> None:
        ready.wait()
        try:
            ends.append(bot.execute(preview_id).data.state.value)
        except CapcliError as error:
            ends.append(error.code)

    threads = [Thread(target=run, args=pair) for pair in zip(bots, previews, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count("LANDED") == 1, ends
    assert sum(len(changing(bot.tap)) for bot in bots) == 1

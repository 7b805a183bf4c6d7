"""An assistant with every tool tries to create or to widen a mandate: nothing is sent."""

import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from capcli.errors import CapcliError
from tests.mcp.mandate_stage import AWAY, Attack, Stage, asks, stage
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant
from tests.support.seat import SECOND_ACCOUNT, Seat, stop_at
from tests.support.stakes import changing

pytestmark = [pytest.mark.anyio, pytest.mark.faults]
__all__ = ["stage"]
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
    asks(await stage.order(stop_level=None), "it has no stop")


@attack
async def a_size_that_risks_too_much(stage: Stage) -> None:
    asks(await stage.order(size=12), "at its stop of at most 20.00 USD an order")


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
        asks(await stage.ask("cap_trade_positions_close", deal_id=deal, confirm=True), "could not be checked")

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

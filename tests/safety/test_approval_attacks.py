"""Attacks on approvals: by whoever has every call, and by some who have the files too.

Each attack says how many changes may reach the broker: as many as a person approved in it.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from msgspec.structs import replace

from capcli.account.preferences import Wanted
from capcli.domain.approval import ApprovalState, code_hash
from capcli.domain.bracket import Change
from capcli.domain.order import ExitForm
from capcli.errors import ApprovalRequired, CapcliError
from capcli.runtime import Options
from tests.support.clock import Time
from tests.support.seat import SECOND_ACCOUNT, ExitOrder, Seat, stop_at

DEMO: dict[str, Any] = {
    "options": Options(env="demo"),
    "CAP_ALLOW_TRADING": "true",
    **dict.fromkeys(("CAP_API_KEY", "CAP_IDENTIFIER", "CAP_API_PASSWORD"), "paper"),
}
Attack = Callable[["Ground"], object]


@dataclass
class Ground:
    """A user's home with seats on it, each a process; a person who decides; and what reached the broker."""

    home: Path
    time: Time
    seats: list[Seat] = field(default_factory=list)

    def seat(self, **settings: Any) -> Seat:
        settings = {"CAP_APPROVAL": "human"} | settings
        self.seats.append(Seat(self.home, self.time, number=len(self.seats), **settings))
        return self.seats[-1]

    @property
    def one(self) -> Seat:
        return self.seats[0]

    def tries(self, work: Callable[[], Any]) -> CapcliError | None:
        """Do what an attacker does, whatever comes of it."""
        try:
            work()
        except CapcliError as error:
            return error
        return None

    def code(self, work: Callable[[], Any]) -> str:
        error = self.tries(work)
        assert isinstance(error, ApprovalRequired), error
        return error.approval_code

    def approves(self, work: Callable[[], Any], *, yes: bool = True) -> str:
        """Have the work asked for and decided by a person."""
        code = self.code(work)
        self.one.app.approvals.decide(code, approved=yes, by="a person")
        return code

    def position(self, **changes: Any) -> str:
        """Open a position with a person's yes; it counts for no attack."""
        work = self.executing(self.one.preview(**changes).preview_id)
        self.approves(work)
        deal = str(work().data.deal_ids[0])
        self.one.tap.requests.clear()
        return deal

    def executing(self, preview_id: str, seat: Seat | None = None) -> Callable[[], Any]:
        return lambda: (seat or self.one).execute(preview_id, again=True)

    def closing(self, deal: str, seat: Seat | None = None) -> Callable[[], Any]:
        return lambda: (seat or self.one).app.closings.close(deal, confirmed=True)

    def topping(self, amount: str = "5", seat: Seat | None = None) -> Callable[[], Any]:
        return lambda: (seat or self.one).app.account_changes.top_up(Decimal(amount), confirmed=True)

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.home / "journal.db", isolation_level=None)) as raw:
            raw.execute(statement)

    def sent(self) -> list[str]:
        changes = [r for seat in self.seats for r in seat.tap.requests if r.method != "GET"]
        lines = [f"{one.method} {one.url.path.removeprefix('/api/v1')}" for one in changes]
        return [line for line in lines if not line.endswith("/session")]


ATTACKS: dict[str, tuple[Attack, int]] = {}


def attack(name: str, allowed: int = 0) -> Callable[[Attack], Attack]:
    def add(made: Attack) -> Attack:
        ATTACKS[name] = (made, allowed)
        return made

    return add


@attack("confirms, again and again")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    for _ in range(5):
        assert ground.tries(ground.executing(preview))


@attack("takes the code for a preview id")
def _(ground: Ground) -> None:
    code = ground.code(ground.executing(ground.one.preview().preview_id))
    assert ground.tries(ground.executing(f"p_{code.lower():0>12}"))


@attack("guesses two hundred codes")
def _(ground: Ground) -> None:
    ground.code(ground.executing(ground.one.preview().preview_id))
    for number in range(7000, 7200):
        assert ground.tries(lambda n=number: ground.one.app.approvals.decide(str(n), approved=True, by="x"))


@attack("executes what was refused, in another process too")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview), yes=False)
    assert ground.tries(ground.executing(preview))
    assert ground.tries(ground.executing(preview, ground.seat()))


@attack("approves after the no")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    code = ground.approves(ground.executing(preview), yes=False)
    assert ground.tries(lambda: ground.one.app.approvals.decide(code, approved=True, by="x"))
    assert ground.tries(ground.executing(preview))


@attack("sends a twin of what was approved")
def _(ground: Ground) -> None:
    one, twin = ground.one.preview().preview_id, ground.one.preview().preview_id
    ground.approves(ground.executing(one))
    assert ground.tries(ground.executing(twin))


@attack("sends a larger one than was approved")
def _(ground: Ground) -> None:
    ground.approves(ground.executing(ground.one.preview(size="1").preview_id))
    assert ground.tries(ground.executing(ground.one.preview(size="2").preview_id))


@attack("sends the other side of what was approved")
def _(ground: Ground) -> None:
    from capcli.domain.market import Side

    ground.approves(ground.executing(ground.one.preview().preview_id))
    assert ground.tries(ground.executing(ground.one.preview(side=Side.SELL).preview_id))


@attack("drops the stop of what was approved")
def _(ground: Ground) -> None:
    ground.approves(ground.executing(ground.one.preview(stop=stop_at("24.50")).preview_id))
    assert ground.tries(ground.executing(ground.one.preview().preview_id))


@attack("replays an approved order", allowed=1)
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    for _ in range(3):
        ground.tries(ground.executing(preview))
    ground.tries(ground.executing(preview, ground.seat()))


@attack("replays an approved top-up", allowed=1)
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    ground.topping()()
    assert ground.tries(ground.topping())
    assert ground.tries(ground.topping(seat=ground.seat()))


@attack("uses one yes in eight processes at once", allowed=1)
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    seats = [ground.seat() for _ in range(7)]
    start = Barrier(len(seats))

    def run(seat: Seat) -> None:
        start.wait()
        ground.tries(ground.topping(seat=seat))

    threads = [Thread(target=run, args=(seat,)) for seat in seats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@attack("uses two codes for one request", allowed=1)
def _(ground: Ground) -> None:
    other = ground.seat()
    second = ground.code(ground.topping(seat=other))
    ground.approves(ground.topping())
    ground.tries(lambda: ground.one.app.approvals.decide(second, approved=True, by="a person"))
    for seat in (ground.one, other, ground.one):
        ground.tries(ground.topping(seat=seat))


@attack("tops up more than was approved")
def _(ground: Ground) -> None:
    ground.approves(ground.topping("5"))
    assert ground.tries(ground.topping("50"))


@attack("sends it on another account")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.one.app.accounts.use(SECOND_ACCOUNT)
    other = ground.seat(options=Options(account=SECOND_ACCOUNT))
    assert ground.tries(ground.executing(preview, other))
    ground.tries(ground.topping(seat=other))


@attack("sends it after its ten minutes")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.time.tick(601)
    assert ground.tries(ground.executing(preview))


@attack("tops up after the ten minutes of its approval")
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    ground.time.tick(601)
    assert ground.tries(ground.topping())


@attack("sets the clock back to revive an order")
def _(ground: Ground) -> None:
    here = ground.seat(**DEMO)
    preview = here.preview().preview_id
    code = ground.code(ground.executing(preview, here))
    here.app.approvals.decide(code, approved=True, by="a person")
    ground.time.tick(700)
    past = ground.seat(clock=lambda: ground.time.now() - timedelta(minutes=11), **DEMO)
    assert ground.tries(ground.executing(preview, past))


@attack("sets the clock back to before a top-up was asked for")
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    ground.time.tick(700)
    past = ground.seat(clock=lambda: ground.time.now() - timedelta(hours=1))
    assert ground.tries(ground.topping(seat=past))


@attack("sets the clock back into the ten minutes of an approval of which the journal has seen the end")
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.time.tick(700)
    ground.one.preview()
    past = ground.seat(clock=lambda: ground.time.now() - timedelta(minutes=9))
    assert ground.tries(ground.topping(seat=past))
    assert ground.tries(ground.executing(preview, past))


@attack("asks while its clock is hours ahead, and sends later")
def _(ground: Ground) -> None:
    ahead = ground.seat(clock=lambda: ground.time.now() + timedelta(hours=5))
    preview = ground.tries(lambda: ahead.preview().preview_id)
    if preview is None:
        preview_id = ahead.preview().preview_id
        assert ground.tries(ground.executing(preview_id, ahead))
        ground.time.tick(3600)
        assert ground.tries(ground.executing(preview_id))


@attack("writes APPROVED into the waiting row of an order")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.code(ground.executing(preview))
    ground.sql(
        "UPDATE approvals SET state = 'APPROVED', decided_at = created_at, decided_by = 'capcli approve'"
    )
    assert ground.tries(ground.executing(preview))
    assert ground.tries(ground.executing(preview, ground.seat()))


@attack("writes APPROVED into the waiting row of a close")
def _(ground: Ground) -> None:
    deal = ground.position()
    ground.code(ground.closing(deal))
    ground.sql("UPDATE approvals SET state = 'APPROVED' WHERE state = 'PENDING'")
    assert ground.tries(ground.closing(deal))
    assert ground.tries(ground.closing(deal, ground.seat()))


@attack("writes APPROVED into the row of a used top-up", allowed=1)
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    ground.topping()()
    ground.sql("UPDATE approvals SET state = 'APPROVED' WHERE state = 'USED'")
    assert ground.tries(ground.topping())


@attack("writes APPROVED into the row of a refused close")
def _(ground: Ground) -> None:
    deal = ground.position()
    ground.approves(ground.closing(deal), yes=False)
    ground.sql("UPDATE approvals SET state = 'APPROVED' WHERE state = 'DENIED'")
    assert ground.tries(ground.closing(deal))


@attack("revives what was void once the journal was accepted")
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    (row,) = ground.one.app.journal.approvals_waiting(now=ground.time.now())
    ground.sql("UPDATE approvals SET text = 'another'")
    ground.one.app.verification.accept(reason="a person's own", ask_keychain=False)
    # To the letter what it was when a person approved it.
    ground.sql(f"UPDATE approvals SET state = 'APPROVED', text = '{row.text}' WHERE state = 'VOID'")
    assert ground.tries(ground.topping())


@attack("writes a later expiry into an approved row")
def _(ground: Ground) -> None:
    ground.approves(ground.topping())
    ground.time.tick(601)
    ground.sql("UPDATE approvals SET expires_at = '2036-05-04T14:04:11.250000Z'")
    assert ground.tries(ground.topping())


@attack("lends an approved row to another request")
def _(ground: Ground) -> None:
    deal = ground.position()
    ground.code(ground.closing(deal))
    (wanted,) = ground.one.app.approvals.queue().requests
    ground.approves(ground.topping())
    ground.sql(f"UPDATE approvals SET digest = '{wanted.rows[0].digest}' WHERE state = 'APPROVED'")
    assert ground.tries(ground.closing(deal))


@attack("inserts an approved row of its own")
def _(ground: Ground) -> None:
    deal = ground.position()
    ground.code(ground.closing(deal))
    columns = "digest, kind, env, host, account_id, preview_id, method, path, body_sha256, text"
    ground.sql(
        f"INSERT INTO approvals (code_hash, {columns}, state, created_at, expires_at) "
        f"SELECT 'mine', {columns}, 'APPROVED', created_at, '2036-05-04T14:04:11.250000Z' FROM approvals "
        "WHERE state = 'PENDING'"
    )
    assert ground.tries(ground.closing(deal))


@attack("puts the journal of before the use back", allowed=1)
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.one.close()
    shutil.copy2(ground.home / "journal.db", ground.home / "copy.db")
    ground.tries(ground.executing(preview, ground.seat()))
    ground.seats[-1].close()
    shutil.copy2(ground.home / "copy.db", ground.home / "journal.db")
    assert ground.tries(ground.executing(preview, ground.seat()))


@attack("edits the body of the approved preview")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.sql("UPDATE previews SET body = replace(body, '1.5', '9.5')")
    assert ground.tries(ground.executing(preview))


@attack("edits the account of the approved preview")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.sql(f"UPDATE previews SET account_id = '{SECOND_ACCOUNT}'")
    assert ground.tries(ground.executing(preview))


@attack("has a small text signed for a large order")
def _(ground: Ground) -> None:
    preview = ground.one.preview(size="9").preview_id
    ground.code(ground.executing(preview))
    ground.sql("UPDATE approvals SET text = 'BUY 0.1 SILVER'")
    (shown,) = ground.one.app.approvals.queue().requests
    assert ground.tries(lambda: ground.one.app.approvals.settle(shown, approved=True, by="a person"))
    assert ground.tries(ground.executing(preview))


@attack("changes a request between the screen and the key")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.code(ground.executing(preview))
    (request,) = ground.one.app.approvals.queue().requests
    other = replace(request, rows=(replace(request.rows[0], text="BUY 0.1 SILVER"),))
    assert ground.tries(lambda: ground.one.app.approvals.settle(other, approved=True, by="a person"))
    assert ground.tries(ground.executing(preview))


@attack("has the code of demo decided on paper")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    code = ground.code(ground.executing(preview))
    demo = ground.seat(options=Options(env="demo"))
    assert ground.tries(lambda: demo.app.approvals.decide(code, approved=True, by="x"))
    assert ground.tries(ground.executing(preview))


@attack("closes another deal than the approved one")
def _(ground: Ground) -> None:
    one, other = ground.position(), ground.position(size="2")
    ground.approves(ground.closing(one))
    assert ground.tries(ground.closing(other))


@attack("closes a part where the whole was approved")
def _(ground: Ground) -> None:
    deal = ground.position()
    ground.approves(ground.closing(deal))
    assert ground.tries(
        lambda: ground.one.app.reductions.reduce(deal, Decimal(1), confirmed=True, again=True)
    )


@attack("moves a stop further than approved")
def _(ground: Ground) -> None:
    deal = ground.position(stop=stop_at("24.50"))

    def to(level: str) -> Callable[[], Any]:
        return lambda: ground.one.app.amendments.amend(
            deal, Change(stop=ExitOrder(ExitForm.LEVEL, Decimal(level))), confirmed=True
        )

    ground.approves(to("25"))
    assert ground.tries(to("20"))


@attack("changes another preference than the approved one")
def _(ground: Ground) -> None:
    changes = ground.one.app.account_changes
    ground.approves(lambda: changes.prefer(Wanted(leverages={"SHARES": Decimal(2)}), confirmed=True))
    assert ground.tries(lambda: changes.prefer(Wanted(hedging=True), confirmed=True))


@attack("flattens a deal that opened after the yes", allowed=2)
def _(ground: Ground) -> None:
    one = ground.position()
    flatten = lambda: ground.one.app.flattenings.flatten(confirmed=True, by="x")  # noqa: E731
    ground.approves(flatten)
    ground.one.app.halting.resume(confirmed=True, by="a person")
    later = ground.one.preview(size="2").preview_id
    ground.approves(ground.executing(later))
    opened = ground.executing(later)().data.deal_ids[0]
    ground.tries(flatten)
    ground.one.app.halting.resume(confirmed=True, by="a person")
    assert opened in ground.one.book(), f"{opened} was closed beside {one}"


@attack("sends after a halt what was approved before it")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    ground.one.app.halting.halt("enough", by="a person")
    assert ground.tries(ground.executing(preview))
    ground.one.app.halting.resume(confirmed=True, by="a person")


@attack("sends with trading off what was approved")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    ground.approves(ground.executing(preview))
    assert ground.tries(ground.executing(preview, ground.seat(CAP_ALLOW_TRADING="false")))


@attack("takes the yes back too late and too early")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    code = ground.approves(ground.executing(preview))
    ground.one.app.approvals.decide(code, approved=False, by="a person")
    assert ground.tries(ground.executing(preview))
    assert ground.tries(lambda: ground.one.app.approvals.decide(code, approved=True, by="x"))


@attack("floods a person with requests, and hides none of another client's")
def _(ground: Ground) -> None:
    for number in range(20):
        ground.tries(ground.executing(ground.one.preview(size=str(1 + number)).preview_id))
    queue = ground.one.app.approvals.queue().requests
    assert len(queue) == 5
    assert {one.client for one in queue} == {"a script"}


@attack("says yes and no at once: one of them stands")
def _(ground: Ground) -> None:
    preview = ground.one.preview().preview_id
    code = ground.code(ground.executing(preview))
    other, start = ground.seat(), Barrier(2)

    def say(seat: Seat, *, yes: bool) -> None:
        start.wait()
        with suppress(CapcliError):
            seat.app.approvals.decide(code, approved=yes, by="x")

    threads = [
        Thread(target=say, args=(ground.one,), kwargs={"yes": True}),
        Thread(target=say, args=(other,), kwargs={"yes": False}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = ground.one.app.journal.approvals(code_hash(code))
    assert row.state is ApprovalState.DENIED, "a no goes after a yes, and a yes not after a no"
    assert ground.tries(ground.executing(preview))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path / "home", Time())
    made.seat()
    yield made
    for seat in made.seats:
        seat.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_leaves_that_no_person_approved(ground: Ground, name: str) -> None:
    made, allowed = ATTACKS[name]
    made(ground)
    assert len(ground.sent()) <= allowed, ground.sent()


def test_there_are_thirty_attacks_and_more() -> None:
    assert len(ATTACKS) >= 30

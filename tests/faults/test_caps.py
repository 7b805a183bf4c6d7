"""Limits under concurrency: 20 processes against each cap of 5, two computers on one account, a late halt.

The oracle is what the broker holds, never what we counted ourselves.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path

import pytest

from capcli.app import App
from capcli.domain.account import Position
from capcli.domain.order import OrderRequest
from capcli.errors import CapcliError
from capcli.paper.state import reset, set_fault, switches
from tests.faults.bench import order
from tests.faults.processes import MONDAY, Home, child, line, release
from tests.faults.scaled import FastTime
from tests.faults.served import served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forked processes")

PROCESSES, CAP = 20, 5
FACTOR = 60
# Risk between that of five orders and that of six.
_ROOM = Decimal("5.5")


def orders() -> list[OrderRequest]:
    """Orders of one size and almost one risk that are no twins: each has a stop of its own."""
    return [order("1", stop=str(Decimal("24.50") + Decimal(number) / 1000)) for number in range(PROCESSES)]


def book(home: Home) -> tuple[Position, ...]:
    with home.app() as app:
        return app.broker.positions()


def risk_of(position: Position) -> Decimal:
    assert position.stop_level is not None
    return (position.level - position.stop_level) * position.size


def limits(home: Home, cap: str) -> dict[str, str]:
    if cap != "CAP_MAX_RISK_PCT":
        return {cap: str(CAP)}
    with home.app() as app:
        shown = app.previews.preview(orders()[0]).data
        assert shown.stop is not None
        return {cap: str((shown.stop.amount * _ROOM * 100 / shown.equity).quantize(Decimal("0.0001")))}


def race(home: Home, cap: str) -> None:
    settings = limits(home, cap)
    previews = home.previews(*orders())
    told = home.race(*previews, copies=PROCESSES, settings=settings, lock_wait_s=170)
    opened = book(home)
    assert len(opened) == CAP
    assert sorted(one.exit for one in told) == [0] * CAP + [5] * (PROCESSES - CAP)
    assert {one.code for one in told if one.exit} == {"CHECKS_FAILED"}
    if cap == "CAP_MAX_RISK_PCT":
        most = Decimal(settings[cap]) * 100
        assert sum(map(risk_of, opened)) <= most


CAPS = pytest.mark.parametrize(
    "cap", ["CAP_MAX_OPEN_POSITIONS", "CAP_MAX_ORDERS_PER_DAY", "CAP_MAX_RISK_PCT"]
)


@pytest.mark.faults
@CAPS
def test_twenty_processes_never_pass_a_cap_by_one(memory: Path, cap: str) -> None:
    race(Home(memory / "home"), cap)


@pytest.mark.soak
@CAPS
@pytest.mark.parametrize("number", range(100))
def test_a_hundred_rounds_never_pass_a_cap_by_one(memory: Path, cap: str, number: int) -> None:
    race(Home(memory / f"home-{number}"), cap)


@pytest.mark.faults
@pytest.mark.parametrize("point", ["baseline", "claimed", "before_sending", "sending"])
def test_halted_between_the_yes_and_the_send_nothing_is_sent(memory: Path, point: str) -> None:
    home = Home(memory / "home")
    preview_id = home.preview()
    with child(home.job(preview_id, point=point, deed="hold")) as sender:
        line(sender, "here")
        with home.app() as app:
            app.halting.halt("stop it", by="capcli halt")
        release(sender)
        told = home.ends(sender)
    assert told is not None
    assert (told.exit, told.code) == (5, "HALTED")
    assert "stop it" in told.sentence
    assert home.evidence().posts == 0
    assert book(home) == ()


class Computers:
    """Two computers on one account: two homes with nothing in common but the broker, on a faster clock."""

    def __init__(self, folder: Path, address: str, stack: ExitStack) -> None:
        self.fast = FastTime(FACTOR)
        self.apps = tuple(stack.enter_context(closing(self._app(folder / name, address))) for name in "ab")

    def _app(self, home: Path, address: str) -> App:
        settings = {
            "CAPCLI_HOME": str(home),
            "CAP_ENV": "demo",
            "CAP_ALLOW_TRADING": "true",
            "CAP_API_URL": address,
            "CAP_API_KEY": "paper",
            "CAP_IDENTIFIER": "paper",
            "CAP_API_PASSWORD": "paper",
            "CAP_MAX_ORDERS_PER_DAY": str(CAP),
        }
        return App.build(environ=settings, runtime=self.fast.runtime())

    def send(self, app: App, size: int) -> int:
        """Send an order of a size of its own; return the exit code."""
        try:
            preview_id = app.previews.preview(order(str(size))).data.preview_id
            return app.executions.execute(preview_id, confirmed=True).exit_code
        except CapcliError as error:
            return int(error.exit_code)

    def opened(self) -> int:
        return len(self.apps[0].broker.positions())


@pytest.fixture
def computers(memory: Path) -> Iterator[Computers]:
    paper, fast = memory / "paper.db", FastTime(FACTOR)
    reset(paper, start=MONDAY, limits=False, at=fast.now())
    switches(paper, at=fast.now(), confirm_delay_ms=0)
    set_fault(paper, "activity-late", at=fast.now(), value="61")
    with ExitStack() as stack:
        host, port = stack.enter_context(served(paper, factor=FACTOR))
        yield Computers(memory, f"http://{host}:{port}", stack)


@pytest.mark.faults
def test_two_computers_share_the_cap_of_a_day(computers: Computers) -> None:
    codes = []
    for number in range(CAP + 3):
        codes.append(computers.send(computers.apps[number % 2], number + 1))
        computers.fast.sleep(91)
    assert codes == [0] * CAP + [5] * 3
    assert computers.opened() == CAP


@pytest.mark.faults
def test_two_computers_at_once_overshoot_by_what_the_activity_is_late(
    computers: Computers, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each knows its own orders at once and the other's a minute later: at worst both send a whole cap."""

    def send_all(app: App, first: int) -> None:
        for number in range(CAP + 1):
            computers.send(app, first + number)

    senders = [
        threading.Thread(target=send_all, args=(app, 1 + 10 * place))
        for place, app in enumerate(computers.apps)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    opened = computers.opened()
    assert CAP <= opened <= 2 * CAP
    computers.fast.sleep(91)
    assert [computers.send(app, 50) for app in computers.apps] == [5, 5]
    assert computers.opened() == opened
    with capfd.disabled():
        print(f"\ntwo computers at once, a daily cap of {CAP}: {opened} orders, {opened - CAP} too many")

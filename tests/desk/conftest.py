"""A desk on the paper broker whose time moves only when a test says so, and a hand on its keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from capcli.app import App
from capcli.cli.call import Call
from capcli.cli.desk import PRESENCE, desk_of
from capcli.cli.io_streams import IOStreams
from capcli.desk.dialogs import Dialog
from capcli.desk.screen import DeskScreen
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime
from tests.support.clock import Time
from tests.support.seat import Ids
from tests.support.tap import Tap

LOOKS = 2000


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Hand:
    """Presses keys, lets time pass, and looks at the screen."""

    screen: DeskScreen
    pilot: Any
    place: "Place"

    @property
    def text(self) -> str:
        return self.screen.sheet.text

    @property
    def dialog(self) -> str:
        """Return everything that the dialogue in front says, its question and its hint included."""
        found = self.screen.screen
        if not isinstance(found, Dialog):
            return ""
        page = found._page
        return f"{page.text}\n{page.question.text if page.question else ''}\n{found.hint}"

    @property
    def is_painted(self) -> bool:
        """Say whether the page of the dialogue stands on the screen, from when on its keys are counted."""
        found = self.screen.screen
        if not isinstance(found, Dialog):
            return False
        talk = found._talk
        return talk._painted is not None and talk._painted[0] == talk.page.digest

    async def until(self, true: Callable[[], object]) -> None:
        for _ in range(LOOKS):
            if true():
                return
            await self.pilot.pause(0.005)
        raise AssertionError(f"it never came:\n{self.text}\n{self.dialog}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*text)

    async def asked(self, words: str) -> None:
        """Wait for a question, and until a person can have read it."""
        await self.until(lambda: words in self.dialog and self.is_painted)
        await self.pilot.pause()
        self.place.time.sleep(2.1)

    async def ended(self, words: str, code: int) -> None:
        """Wait for the end of a command, and close its dialogue."""
        await self.until(lambda: "Exit code" in self.dialog)
        assert words in self.dialog
        assert f"Exit code {code}." in self.dialog
        await self.press("escape")
        self.look()

    def look(self) -> None:
        """Let everything be read that is due, and draw it."""
        self.place.time.sleep(4)
        self.place.desk.reader.read_broker()
        self.place.desk.reader.read_computer()
        self.screen.draw()


@dataclass
class Place:
    """A home with a paper broker, and the desk in front of it."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    time: Any = field(default_factory=Time)
    tap: Tap | None = None

    def __post_init__(self) -> None:
        clock = getattr(self.time, "clock", self.time.now)
        self.tap = self.tap or Tap(PaperTransport(self.home / "paper.db", clock))
        streams = IOStreams(
            Terminal(),
            Terminal(),
            Terminal(),
            {"CAPCLI_HOME": str(self.home), "CAP_NOTIFY": "false", **self.environ},
            columns=80,
            monotonic=self.time.monotonic,
        )
        runtime = Runtime(
            clock=clock,
            ids=Ids(),
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            lock_wait_s=0.2,
            transport=self.tap,
        )
        self.call = Call(streams, runtime)
        self.app: App = self.call.build(caller=PRESENCE)
        self.call.stop_listening()
        self.desk = desk_of(self.call, self.app, ())

    def run(
        self, day: Callable[[Hand], Awaitable[None]], size: tuple[int, int] = (80, 24), **options: Any
    ) -> None:
        """Open the desk, let a person use it, and leave."""

        async def opened() -> None:
            screen = DeskScreen(self.desk, **options)
            async with screen.run_test(size=size) as pilot:
                hand = Hand(screen, pilot, self)
                hand.look()
                await day(hand)
                await pilot.pause()
            if screen.problem:
                raise screen.problem

        asyncio.run(opened())

    def close(self) -> None:
        self.desk.reader.close()
        self.call.close()


async def turns(min_sleep: float = 0, max_sleep: float = 0) -> None:
    """Let the event loop go round, in place of Textual's wait for an idle process, 20 ms thrice for a key."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no idle process."""
    monkeypatch.setattr("textual.app.wait_for_idle", turns)
    monkeypatch.setattr("textual.pilot.wait_for_idle", turns)


@pytest.fixture
def places(own_home: Path, at_once: None) -> Iterator[Callable[..., Place]]:
    opened: list[Place] = []

    def make(**environ: str) -> Place:
        opened.append(Place(own_home, environ))
        return opened[-1]

    yield make
    for place in opened:
        place.close()


@pytest.fixture
def place(places: Callable[..., Place]) -> Place:
    return places()

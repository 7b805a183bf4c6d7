"""A person, and an assistant with a mandate and every tool: where the attacks on mandates are played."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from capcli.domain.market import Side
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from tests.mcp.conftest import Assistant, Said
from tests.support.fixtures import Seats
from tests.support.mandate import HUMAN, grant
from tests.support.seat import Seat, stop_at
from tests.support.stakes import changing

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
        async with Client(build_server(ToolRunner(lambda: seat.app))) as client:
            other = Stage(self.seats, self.person, Path(file), seat, Assistant(client))
            yield other
            assert changing(seat.tap) == []


@pytest.fixture
async def stage(seats: Seats) -> AsyncIterator[Stage]:
    person = seats()
    file = grant(person).file
    bot = seats(**HUMAN, CAP_MANDATE_FILE=file)
    async with Client(build_server(ToolRunner(lambda: bot.app))) as client:
        yield Stage(seats, person, Path(file), bot, Assistant(client))


def asks(said: Said, why: str = "", *, code: str = "APPROVAL_REQUIRED") -> None:
    """It went the usual way: a person is asked, and the assistant is told why."""
    assert said.code == code, said.text
    assert why in said.text, said.text


Attack = Callable[[Stage], Awaitable[None]]

"""Every tool under arguments that nobody would send: no crash, no order by accident, no odd path."""

from random import Random
from typing import Any

import pytest
from fastmcp import Client

from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from tests.mcp.conftest import Assistant
from tests.support.fixtures import Seats
from tests.support.hostile import PATHS, odd
from tests.support.seat import FIRST_ACCOUNT, SECOND_ACCOUNT, Seat
from tests.support.stakes import Stakes, changing

pytestmark = pytest.mark.anyio

# What each tool may send when its arguments are in order and confirm is true.
CHANGES = {
    "cap_trade_execute_position": {"POST /positions"},
    "cap_trade_execute_working_order": {"POST /workingorders"},
    "cap_trade_positions_close": {"DELETE /positions/", "POST /positions"},
    "cap_trade_positions_amend": {"PUT /positions/"},
    "cap_trade_orders_cancel": {"DELETE /workingorders/"},
    "cap_trade_execute_working_order_update": {"PUT /workingorders/"},
    "cap_trade_flatten": {"DELETE /workingorders/", "DELETE /positions/"},
    "cap_account_preferences_set": {"PUT /accounts/preferences"},
    "cap_account_demo_topup": {"POST /accounts/topUp"},
    "cap_watchlists_create": {"POST /watchlists"},
    "cap_watchlists_add_market": {"PUT /watchlists/"},
    "cap_watchlists_remove_market": {"DELETE /watchlists/"},
    "cap_watchlists_delete": {"DELETE /watchlists/"},
}
PLAUSIBLE: dict[str, tuple[Any, ...]] = {
    "epic": ("SILVER", "GOLD", "EURUSD", "silver"),
    "epics": (["SILVER"], ["SILVER", "GOLD"], ["SILVER", "../GOLD"]),
    "direction": ("BUY", "SELL", "buy"),
    "type": ("LIMIT", "STOP", "DEPOSIT"),
    "preview_id": ("<ready>", "<working>", "<used>", "<failed>", "p_zzzzzzzzzzzz"),
    "deal_id": ("<deal>", "<order>", "<deal>x"),
    "watchlist_id": ("<list>", "<list>x"),
    "account_id": (FIRST_ACCOUNT, SECOND_ACCOUNT),
    "attempt_id": ("a_000000000001",),
    "size": (1, "1.5", 0.01, 3),
    "level": (20, "30.5"),
    "resolution": ("HOUR", "MINUTE", "DAY"),
    "from_date": ("2026-03-01", "2026-03-01T12:00:00Z"),
    "to_date": ("2026-03-02",),
    "alerts": ({"SILVER": {"above": 99}}, {"SILVER": 3}, {"SILVER": {"above": "NaN"}}),
    # A look at the stream takes real time; nobody needs more of it here.
    "duration_s": (0, 0.0, -1, "NaN", "x", None),
    "confirm": (True, True, True, False, "true", 1, "yes", "True", 2),
}
ONLY_PLAUSIBLE = {"duration_s"}
# Ends the trading of all others, so it comes last.
LAST = ("cap_trade_flatten", "cap_halt")


def arguments(random: Random, schema: dict[str, Any]) -> dict[str, Any]:
    """Draw arguments for a tool: mostly what it asks for, mostly one value of it wrong."""
    properties, required = schema["properties"], schema.get("required", [])
    drawn = {
        name: _value(random, name, properties[name])
        for name in properties
        if name in required or name in ONLY_PLAUSIBLE or random.random() < 0.3
    }
    if "confirm" in properties and random.random() < 0.7:
        drawn["confirm"] = random.choice(PLAUSIBLE["confirm"])
    if random.random() < 0.05:
        drawn[str(random.choice(("confirm", "x", "preview_id", "__class__")))] = odd(random)
    return drawn


def _value(random: Random, name: str, schema: dict[str, Any]) -> Any:
    if name not in ONLY_PLAUSIBLE and random.random() < 0.4:
        return odd(random)
    if name in PLAUSIBLE:
        return random.choice(PLAUSIBLE[name])
    if "enum" in schema:
        return random.choice(schema["enum"])
    return random.choice((1, 2, "1.5", True, False, "SILVER", None, 25))


class Fuzz:
    """Calls tools and looks at everything that came of it."""

    def __init__(self, client: Client[Any], seat: Seat, stakes: Stakes) -> None:
        self._ask = Assistant(client)
        self._seat = seat
        self._stakes = stakes
        self._sent_by: set[str] = set()
        self.answered: dict[str, int] = {}

    async def call(self, tool: str, drawn: dict[str, Any]) -> None:
        self._seat.tap.requests.clear()
        said = await self._ask(tool, **self._stakes.filled(drawn))
        where = f"{tool} {ascii(drawn)[:300]}"
        assert said.code != "BUG", where
        code = said.code or "OK"
        assert code.replace("_", "").isupper(), where
        self.answered[code] = self.answered.get(code, 0) + 1
        self._look_at_the_wire(tool, drawn, where)
        for secret in self._secrets():
            assert secret not in said.text + str(said.data), where

    def _look_at_the_wire(self, tool: str, drawn: dict[str, Any], where: str) -> None:
        for request in self._seat.tap.requests:
            path = request.url.raw_path.decode().partition("?")[0]
            assert PATHS.fullmatch(path), f"{where}: {path}"
        sent = changing(self._seat.tap)
        if not sent:
            return
        assert drawn.get("confirm") in {True, "true"}, f"{where}: {sent}"
        for line in sent:
            assert any(
                line == may or (may[-1] == "/" and line.startswith(may)) for may in CHANGES.get(tool, ())
            )
        preview_id = self._stakes.filled(drawn.get("preview_id"))
        if preview_id is not None:
            assert preview_id in {self._stakes.ids["ready"], self._stakes.ids["working"]}, where
            assert preview_id not in self._sent_by, f"{where}: sent twice"
            self._sent_by.add(preview_id)

    def _secrets(self) -> set[str]:
        headers = [request.headers for request in self._seat.tap.requests]
        names = ("cst", "x-security-token")
        return {value for each in headers for name in names if len(value := each.get(name, "")) > 8}


async def fuzzed(seats: Seats, calls: int, seed: int) -> dict[str, int]:
    """Call every tool so many times; return how often each code was the answer."""
    random = Random(seed)
    seat, stakes = seats(), Stakes.laid(seats())
    async with Client(build_server(ToolRunner(lambda: seat.app))) as client:
        fuzz = Fuzz(client, seat, stakes)
        tools = sorted(await client.list_tools(), key=lambda tool: (tool.name in LAST, tool.name))
        for tool in tools:
            # The halt stops what comes after it, so once is enough.
            for _ in range(calls):
                await fuzz.call(tool.name, arguments(random, tool.input_schema))
    return fuzz.answered


@pytest.mark.faults
async def test_no_arguments_crash_a_tool_or_trade_by_accident(seats: Seats) -> None:
    answered = await fuzzed(seats, calls=6, seed=20260302)
    assert answered["OK"] > 20
    assert answered["USAGE"] > 50


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
async def test_no_arguments_crash_a_tool_for_long(seats: Seats, seed: int) -> None:
    assert (await fuzzed(seats, calls=150, seed=seed))["OK"] > 200

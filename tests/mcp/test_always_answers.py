"""Every call returns a result, whatever its thread raises: nobody waits for a thread that died."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from capcli.app import App
from capcli.mcp.in_flight_calls import InFlightCalls
from capcli.mcp.server import build_server
from capcli.mcp.tool_runner import ToolRunner
from capcli.paper.transport import PaperTransport
from capcli.runtime import Runtime, utc_now
from tests.mcp.conftest import Assistant, Said
from tests.mcp.test_day import SILVER, orders
from tests.support.seat import Seat

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0
RIGHT = {
    "CAP_ENV": "demo",
    "CAP_API_KEY": "AbCdEfGh12345678",
    "CAP_IDENTIFIER": "someone@example.net",
    "CAP_API_PASSWORD": "Zx-9981-aa",
}
WRONG = {
    "a placeholder": {"CAP_API_KEY": "your_key"},
    "a quoted password": {"CAP_API_PASSWORD": '"Zx-9981-aa"'},
    "a missing variable": {"CAP_API_PASSWORD": None},
    "an invalid number": {"CAP_MAX_RISK_PCT": "1,5"},
}
# What tools ask for where nothing is sent, by the name of the argument.
ASKED: dict[str, Any] = {
    "account_id": "100482915730264817",
    "alerts": {"SILVER": {"above": 99}},
    "deal_id": "006011e7-0001-54c4-0000-000080560038",
    "deal_reference": "o_5b4f7b5e-9a1c-4d41-8f0c-3f6f3c9f1a11",
    "direction": "BUY",
    "epic": "SILVER",
    "epics": ["SILVER"],
    "level": 20,
    "name": "Metals",
    "node_id": "hierarchy_v1.commodities",
    "amount": 1000,
    "market_id": "SILVER",
    "preview_id": "p_000000000001",
    "size": 1,
    "type": "LIMIT",
    "watchlist_id": "1",
}
# They answer about the state of things, whatever the settings are.
NEED_NO_SETTINGS = {"cap_health", "cap_session_status", "cap_halt"}


def patient(build: Callable[[], App]) -> ToolRunner:
    """Return a runner that would wait for an hour: what comes is an answer, no deadline's."""
    return ToolRunner(build, InFlightCalls(patience_s=HOUR_S, longest_s=HOUR_S, check_s=HOUR_S))


def built_with(home: Path, changes: dict[str, str | None]) -> App:
    environ = {"CAPCLI_HOME": str(home)} | {
        name: value for name, value in (RIGHT | changes).items() if value is not None
    }
    runtime = Runtime(transport=PaperTransport(home / "demo.db", utc_now))
    return App.build(environ=environ, runtime=runtime)


@pytest.mark.parametrize("wrong", WRONG)
async def test_after_a_health_check_on_wrong_settings_every_tool_names_them(
    wrong: str, own_home: Path
) -> None:
    runner = patient(lambda: built_with(own_home, WRONG[wrong]))
    answers: dict[str, Said] = {}
    async with Client(build_server(runner)) as client:
        ask = Assistant(client)
        await ask("cap_health")  # what the guide has everybody do first
        for tool in await client.list_tools():
            if tool.name not in NEED_NO_SETTINGS:
                needed = tool.input_schema.get("required", [])
                answers[tool.name] = await ask(tool.name, **{name: ASKED[name] for name in needed})

    assert len(answers) > 30
    told = {name: said.code for name, said in answers.items()}
    assert {name for name, code in told.items() if code in {"TIMEOUT", "BUG", "MAY_BE_LIVE"}} == set()
    named = {name for name, code in told.items() if code in {"BAD_SETTING", "CREDENTIALS_MISSING"}}
    assert len(named) >= 30, told
    runner.close()


async def test_an_order_that_landed_is_told_when_the_audit_trail_cannot_be_anchored(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Client(build_server(patient(lambda: seat.app))) as client:
        ask = Assistant(client)
        preview = await ask.works("cap_trade_preview_position", **SILVER)
        monkeypatch.setattr(App, "is_ahead_of_keychain", property(_broken))
        sent = await ask("cap_trade_execute_position", preview_id=preview["preview_id"], confirm=True)

    assert (sent.is_error, sent.data["state"]) == (False, "LANDED")
    assert orders(seat) == 1


def _broken(*_: object) -> bool:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("error", [RuntimeError("never shown"), SystemExit(3)])
async def test_a_call_whose_thread_dies_is_answered(
    error: BaseException, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(App, "portfolio", property(die))
    monkeypatch.setattr(App, "protected_executions", property(die))
    async with Client(build_server(patient(lambda: seat.app))) as client:
        ask = Assistant(client)
        looked = await ask("cap_trade_positions_list")
        sent = await ask("cap_trade_execute_position", preview_id="p_000000000001", confirm=True)

    assert (looked.code, sent.code) == ("BUG", "BUG")
    assert "look at the positions" in sent.text
    assert "never shown" not in looked.text + sent.text


async def test_a_fault_outside_every_service_is_answered_in_the_same_form(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = patient(lambda: seat.app)
    monkeypatch.setattr(ToolRunner, "answer", _broken)
    async with Client(build_server(runner)) as client:
        said = await Assistant(client)("cap_market_time")

    assert (said.is_error, said.code) == (True, "BUG")

"""The guide's prompts as an assistant's calls to `capcli mcp serve`, in an old and the newest protocol.

A real process; and the same by FastMCP's own command line, which is how a user would try the server.
"""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mcp_types as mt
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.mcp.test_process import SERVE, SLOW_ORDERS, environment, hear, say, started
from tests.support.launched import as_own_user
from tests.support.paths import tool_count

pytestmark = pytest.mark.faults

Ask = Callable[..., dict[str, Any]]
OLDEST, NEWEST = "2024-11-05", "2026-07-28"
SILVER = {"epic": "SILVER", "direction": "BUY", "size": 1.5, "stop_level": 24.50}
NOISY = {
    "CAP_LOG_LEVEL": "DEBUG",
    "PYTHONWARNINGS": "default",
    "FASTMCP_LOG_LEVEL": "DEBUG",
    "PYTHONDEVMODE": "1",
}


def the_day(ask: Ask) -> None:
    """Go through "What can I ask my AI assistant?" of the guide."""
    assert ask("cap_session_login")["logged_in"]
    assert len(ask("cap_account_list")["accounts"]) == 2
    assert ask("cap_health")["healthy"]
    assert "BTCUSD" in {row["epic"] for row in ask("cap_market_search", search_term="bitcoin")["markets"]}
    assert ask("cap_market_get", epic="EURUSD")["market"]["rules"]["min_size"] > 0
    assert len(ask("cap_market_prices", epic="GOLD", resolution="HOUR", max=24)["candles"]["rows"]) == 24
    assert ask("cap_trade_positions_list")["positions"] == []
    assert ask("cap_trade_orders_list")["orders"] == []
    assert ask("cap_trade_exposure")["env"] == "paper"

    preview = ask("cap_trade_preview_position", **SILVER)
    proposal = ask("cap_trade_propose", epic="GOLD", risk_percent=1, direction="BUY")
    order = {"preview_id": preview["preview_id"]}
    refused = ask("cap_trade_execute_position", **order)
    sent = ask("cap_trade_execute_position", **order, confirm=True)
    again = ask("cap_trade_execute_position", **order, confirm=True)
    closed = ask("cap_trade_positions_close", deal_id=sent["deal_id"], confirm=True)

    assert (preview["executable"], proposal["env"]) == (True, "paper")
    assert refused["error"]["code"] == "NOT_CONFIRMED"
    assert (sent["state"], sent["protected"], again["replayed"]) == ("LANDED", "yes", True)
    assert again["attempt_id"] == sent["attempt_id"]
    assert closed["state"] == "LANDED"
    assert ask("cap_trade_positions_list")["positions"] == []


def test_the_day_in_an_old_protocol_over_a_noisy_servers_stdout(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CAP_ENV=live\nCAP_ALLOW_TRADING=maybe\n")
    numbers = iter(range(2, 1000))
    with started(own_home, tmp_path, **NOISY) as process:

        def request(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
            number = next(numbers)
            say(process, {"id": number, "method": method, "params": parameters})
            heard = hear(process)
            assert (heard["jsonrpc"], heard["id"]) == ("2.0", number)
            return heard["result"]

        client = {"name": "old", "version": "1"}
        hello = request("initialize", {"protocolVersion": OLDEST, "capabilities": {}, "clientInfo": client})
        say(process, {"method": "notifications/initialized"})
        assert hello["protocolVersion"] == OLDEST
        assert "completions" in hello["capabilities"]
        assert len(request("tools/list", {})["tools"]) == tool_count()
        the_day(
            lambda name, **given: request("tools/call", {"name": name, "arguments": given})[
                "structuredContent"
            ]
        )
        prompt = request("prompts/get", {"name": "trade_proposal", "arguments": {"epic": "GOLD"}})
        found = request(
            "completion/complete",
            {
                "ref": {"type": "ref/prompt", "name": "trade_proposal"},
                "argument": {"name": "epic", "value": "gol"},
            },
        )
        out, err = process.communicate(timeout=30)
    assert "cap_trade_propose" in prompt["messages"][0]["content"]["text"]
    assert "GOLD" in found["completion"]["values"]
    assert (process.returncode, out) == (0, b"")
    assert err, "it talks, but not on stdout"


def test_the_day_in_the_newest_protocol(own_home: Path, tmp_path: Path) -> None:
    asyncio.run(_newest(own_home, tmp_path))


async def _newest(home: Path, cwd: Path) -> None:
    told: list[str | None] = []

    async def hear_progress(_done: float, _of: float | None, message: str | None) -> None:
        told.append(message)

    transport = StdioTransport(
        sys.executable, [*as_own_user(), *SERVE], env=environment(home), cwd=str(cwd), keep_alive=False
    )
    async with Client(transport, mode=NEWEST, progress_handler=hear_progress) as client:
        loop = asyncio.get_running_loop()

        def ask(name: str, **given: Any) -> dict[str, Any]:
            call = client.call_tool(name, given, raise_on_error=False)
            return asyncio.run_coroutine_threadsafe(call, loop).result(60).structured_content or {}

        assert len(await client.list_tools()) == tool_count()
        await asyncio.to_thread(the_day, ask)
        reference = mt.PromptReference(type="ref/prompt", name="trade_proposal")
        found = await client.complete(reference, {"name": "epic", "value": "gol"})
        assert "GOLD" in found.values
        # Nobody ever gave this reference, so the wait lasts as long as it may.
        await asyncio.to_thread(ask, "cap_trade_confirm_wait", deal_reference="o_none", timeout_s=5)
    assert "still working" in told


@pytest.mark.skipif(sys.platform == "win32", reason="the environment is passed by a Unix command")
def test_fastmcps_command_line_lists_and_calls(own_home: Path, tmp_path: Path) -> None:
    environ = environment(own_home)
    server = shlex.join(
        ["env", *(f"{name}={text}" for name, text in environ.items()), sys.executable, *as_own_user(), *SERVE]
    )

    def fastmcp(*words: str) -> Any:
        command = [sys.executable, "-m", "fastmcp.cli", *words, "--command", server, "--json"]
        bare = {**os.environ, "FASTMCP_ENV_FILE": os.devnull}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=bare, timeout=90, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    listed = fastmcp("list")
    found = fastmcp("call", "--target", "cap_market_search", "--input-json", '{"search_term": "bitcoin"}')
    names = {tool["name"] for tool in (listed["tools"] if isinstance(listed, dict) else listed)}
    assert len(names) == tool_count()
    assert "BTCUSD" in json.dumps(found)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can catch")
def test_a_cancelled_order_and_then_a_signal_still_end_with_the_order_told_once(
    own_home: Path, tmp_path: Path
) -> None:
    with started(own_home, tmp_path, code=["-c", SLOW_ORDERS]) as process:
        client = {"name": "t", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        say(process, {"id": 1, "method": "initialize", "params": hello})
        hear(process)
        say(process, {"method": "notifications/initialized"})
        preview = {"name": "cap_trade_preview_position", "arguments": SILVER}
        say(process, {"id": 2, "method": "tools/call", "params": preview})
        preview_id = hear(process)["result"]["structuredContent"]["preview_id"]
        order = {
            "name": "cap_trade_execute_position",
            "arguments": {"preview_id": preview_id, "confirm": True},
        }
        say(process, {"id": 3, "method": "tools/call", "params": order})
        assert process.stderr is not None
        assert process.stderr.readline() == b"sending\n"
        say(process, {"method": "notifications/cancelled", "params": {"requestId": 3}})
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    with started(own_home, tmp_path) as process:
        say(process, {"id": 1, "method": "initialize", "params": hello})
        hear(process)
        say(process, {"method": "notifications/initialized"})
        say(process, {"id": 3, "method": "tools/call", "params": order})
        told = hear(process)["result"]["structuredContent"]
        process.communicate(timeout=20)
    assert (told["state"], told["replayed"]) == ("LANDED", True)

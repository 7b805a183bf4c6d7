"""The stream tools over the protocol, on the embedded paper broker's stream."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from fastmcp import Client

from tests.mcp.conftest import ERAS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("era", ERAS[1:], indirect=True)
async def test_a_look_returns_and_its_cursor_goes_on(ask: Any, seat: Any) -> None:
    first = await ask.works("cap_stream_prices", epics=["SILVER", "AAPL"], duration_s=0)
    seat.time.sleep(20)

    second = await ask.works("cap_stream_prices", epics=["SILVER"], duration_s=0, cursor=first["cursor"])

    assert first["silent"] == {"SILVER": "TRADEABLE", "AAPL": "CLOSED"}
    assert first["gaps"] == []
    assert second["gaps"] == ["2026-03-02T12:00:00Z/2026-03-02T12:00:20Z"]


@pytest.mark.parametrize("era", ERAS[1:], indirect=True)
async def test_errors_have_their_codes(ask: Any) -> None:
    assert (await ask("cap_stream_prices", epics=["silver"], duration_s=0)).code == "EPIC_UNKNOWN"
    assert (await ask("cap_stream_alerts", alerts={"SILVER": "x"}, duration_s=0)).code == "USAGE"
    assert (await ask("cap_stream_portfolio", duration_s=0, cursor="x")).code == "USAGE"
    assert (await ask("cap_stream_prices", epics=[f"E{n}" for n in range(41)])).is_error
    assert (await ask("cap_stream_prices", epics=["a/b"], duration_s=0)).is_error
    assert (await ask("cap_stream_prices", epics=["SILVER"], duration_s=-1)).is_error


async def test_a_cancelled_call_ends_its_stream(server: Any, seat: Any) -> None:
    """The clock stands still here, so that nothing but the cancel can end the call."""
    async with Client(server) as client:
        async with anyio.create_task_group() as group:
            call = {"epics": ["SILVER"], "duration_s": 30}
            group.start_soon(client.call_tool, "cap_stream_prices", call)
            await _until(_streaming)
            group.cancel_scope.cancel()
        await _until(lambda: not _streaming())


async def _until(true: Callable[[], object]) -> None:
    """Wait for a thread, as long as it takes."""
    with anyio.fail_after(60):
        while not true():  # noqa: ASYNC110
            await anyio.sleep(0.01)


def _streaming() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "capcli-paper-stream"]

"""Progress of a slow call, for clients that request it: the seconds so far, and the part done if known."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import ToolResult
from mcp_types import CallToolRequestParams

_EVERY_S = 2.0


class _State:
    """The latest progress text of a call."""

    text = "still working"

    def windows(self, done: int, of: int) -> None:
        self.text = f"{done} of {of} windows read"


_UNDER_WAY: ContextVar[_State | None] = ContextVar("capcli_call", default=None)


def windows_reporter() -> Callable[[int, int], None]:
    """Return a function that reports the number of time windows read, and of all."""
    state = _UNDER_WAY.get()
    return (lambda _done, _of: None) if state is None else state.windows


class Progress(Middleware):
    """Reports the seconds that a call has taken, every two of them; a quick call reports nothing."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        client, state, started = context.fastmcp_context, _State(), time.monotonic()

        async def beat() -> None:
            # A client that is gone needs no progress.
            with suppress(Exception):
                while client is not None:
                    await asyncio.sleep(self._every_s)
                    await client.report_progress(round(time.monotonic() - started, 1), message=state.text)

        before, beating = _UNDER_WAY.set(state), asyncio.create_task(beat())
        try:
            return await call_next(context)
        finally:
            beating.cancel()
            _UNDER_WAY.reset(before)

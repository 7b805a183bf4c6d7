"""The patience of a call in a test's hand: it ends when the test says so, however fast the machine is."""

from threading import Event

from fastmcp.tools import ToolResult

from capcli.mcp.in_flight_calls import Call, result_in_time

FOR_EVER_S = 60  # only a test that is broken waits so long


class Patience:
    """Waits for a result as long as it takes; each `end` makes the one who waits give up once."""

    def __init__(self) -> None:
        self._over = Event()
        self._ended = False

    def end(self) -> None:
        self._over.set()

    def __call__(self, call: Call, timeout_s: float) -> ToolResult | None:
        if self._ended and not timeout_s:
            return result_in_time(call, 0)
        while not self._over.is_set():
            result = result_in_time(call, 0.01)
            if result is not None:
                return result
        self._over.clear()
        self._ended = True
        return None

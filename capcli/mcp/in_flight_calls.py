"""Calls on threads of their own: the answer comes in time, and a cancelled call still finishes its order."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Condition, Thread

from fastmcp.tools import ToolResult

# Clients give up after about 60 s, and some ignore later answers.
PATIENCE_S = 40.0
CHECK_S = 4.0
LONGEST_S = 45.0

Call = Future[ToolResult]
Work = Callable[[], ToolResult]


def result_in_time(call: Call, timeout_s: float) -> ToolResult | None:
    """Return the result, None if it is not ready in time. Raises what the call raised."""
    return call.result() if wait([call], timeout_s).done else None


class InFlightCalls:
    """Keeps track of calls that send, so that the process does not end before them. Times in seconds.

    `wait` waits for a result; tests wait for what they know of instead of for a time.
    """

    def __init__(
        self,
        patience_s: float = PATIENCE_S,
        longest_s: float = LONGEST_S,
        check_s: float = CHECK_S,
        *,
        wait: Callable[[Call, float], ToolResult | None] = result_in_time,
    ) -> None:
        self.wait = wait
        self.patience_s = patience_s
        self.check_s = check_s
        self.longest_s = longest_s
        self._changed = Condition()
        self._sending: set[Call] = set()
        self._closed = False

    def start(self, work: Work) -> Call | None:
        """Start a call that sends; None once the server is stopping."""
        with self._changed:
            if self._closed:
                return None
            call = _started(work)
            self._sending.add(call)
        call.add_done_callback(self._land)
        return call

    def read(self, work: Work, timeout_s: float) -> ToolResult | None:
        """Run a call that sends nothing; None if it takes too long."""
        return self.wait(_started(work), timeout_s)

    def _land(self, call: Call) -> None:
        with self._changed:
            self._sending.discard(call)
            self._changed.notify_all()

    def finish(self, timeout_s: float) -> bool:
        """Refuse new calls and wait for running ones; return whether there were any."""
        with self._changed:
            self._closed = True
            waiting = bool(self._sending)
            self._changed.wait_for(lambda: not self._sending, timeout_s)
        return waiting


def _started(work: Work) -> Call:
    call: Call = Future()

    def run() -> None:
        try:
            call.set_result(work())
        except BaseException as error:  # noqa: BLE001  whoever waits for the result is told
            call.set_exception(error)

    Thread(target=run, daemon=True, name="capcli-call").start()
    return call

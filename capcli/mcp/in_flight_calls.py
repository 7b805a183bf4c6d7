"""Calls on threads of their own: an answer comes in time, and nobody's impatience cancels an order."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Condition, Thread

from fastmcp.tools import ToolResult

# Clients give up after about 60 s, some without listening to what comes then.
PATIENCE_S = 40.0
GLANCE_S = 4.0
LONGEST_S = 45.0

Results = SimpleQueue[ToolResult | BaseException]
Get = Callable[[Results, float], ToolResult | BaseException]


def get_in_time(results: Results, timeout_s: float) -> ToolResult | BaseException:
    """Return the first result; raises queue.Empty when it is not there in time."""
    return results.get(timeout=timeout_s)


class InFlightCall:
    """One call under way."""

    def __init__(
        self, work: Callable[[], ToolResult], landed: Callable[["InFlightCall"], None], get: Get
    ) -> None:
        self._results: Results = SimpleQueue()
        self._get = get
        self._work = work
        self._landed = landed
        self._thread = Thread(target=self._run, daemon=True, name="capcli-flight")

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout_s: float) -> ToolResult | None:
        """Return the result, or None when it is not there in time. Only one caller may wait.

        Raises what the call raised: a thread that died is never waited for.
        """
        try:
            result = self._get(self._results, timeout_s)
        except Empty:
            return None
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self) -> None:
        try:
            self._results.put(self._work())
        except BaseException as error:  # noqa: BLE001  whoever waits for the result is told
            self._results.put(error)
        finally:
            self._landed(self)


class InFlightCalls:
    """Keeps track of what is being sent, so that the process does not end beneath it. Times in seconds.

    `get` waits for a result; tests wait for what they know of instead of for a time.
    """

    def __init__(
        self,
        patience_s: float = PATIENCE_S,
        longest_s: float = LONGEST_S,
        glance_s: float = GLANCE_S,
        *,
        get: Get = get_in_time,
    ) -> None:
        self._get = get
        self.patience_s = patience_s
        self.glance_s = glance_s
        self.longest_s = longest_s
        self._changed = Condition()
        self._airborne: set[InFlightCall] = set()
        self._closed = False

    def start(self, work: Callable[[], ToolResult]) -> InFlightCall | None:
        """Start a call; None once the server is stopping."""
        flight = InFlightCall(work, self._land, self._get)
        with self._changed:
            if self._closed:
                return None
            self._airborne.add(flight)
        flight.start()
        return flight

    def look(self, work: Callable[[], ToolResult]) -> ToolResult | None:
        """Make a call that sends nothing; None when it takes too long. Nothing waits for its end."""
        return self._look(work, self.longest_s)

    def glance(self, work: Callable[[], ToolResult]) -> ToolResult | None:
        """Look for what became of a call that used up its patience: the rest of the time is short."""
        return self._look(work, self.glance_s)

    def _look(self, work: Callable[[], ToolResult], longest_s: float) -> ToolResult | None:
        flight = InFlightCall(work, lambda _: None, self._get)
        flight.start()
        return flight.wait(longest_s)

    def _land(self, flight: InFlightCall) -> None:
        with self._changed:
            self._airborne.discard(flight)
            self._changed.notify_all()

    def finish(self, timeout_s: float) -> bool:
        """Take no new calls and wait for those under way; say whether there were any."""
        with self._changed:
            self._closed = True
            waiting = bool(self._airborne)
            self._changed.wait_for(lambda: not self._airborne, timeout_s)
        return waiting

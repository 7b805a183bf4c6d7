"""`capcli approve --watch`: shows one request at a time on a terminal, and what a key may mean there."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

import typer

from capcli.cli.call import Call
from capcli.cli.io_streams import wrapped
from capcli.cli.pin import ask_pin
from capcli.domain.approval import READING_S
from capcli.errors import CapcliError, Interrupted

if TYPE_CHECKING:
    from capcli.safety.approval import Approvals, WaitingRequest

POLL_S = 0.5
_SLOW_S = 0.1
_BY = "capcli approve --watch"
_KEYS = "y approves, n refuses, h halts everything, Ctrl-C leaves."
_RULE = "-" * 40


class Keys(Protocol):
    """Where keys come from."""

    def read(self, timeout_s: float) -> str | None:
        """Return what was typed, None without a key in that time. Raises EOFError, KeyboardInterrupt."""
        ...


@dataclass
class ApprovalWatch:
    """Shows what waits and takes keys. `monotonic` counts seconds; `say` writes to the screen.

    A key counts only alone, and only once the screen has stood for two seconds. A yes is to what was shown.
    """

    approvals: "Approvals"
    say: Callable[[str], None]
    monotonic: Callable[[], float]
    ask_pin: Callable[[], None]
    halt: Callable[[], str]
    where: str
    _current: "WaitingRequest | None" = None
    _others: tuple[tuple[str, str, int], ...] = ()
    _waiting: int = 0
    _is_stale: bool = True
    _counts_from: float = 0.0

    def run(self, keys: Callable[[], AbstractContextManager[Keys]]) -> NoReturn:
        """Watch until the person leaves. Raises KeyboardInterrupt, EOFError, JournalUnreadable."""
        self.say(f"Waiting for requests on {self.where}. {_KEYS}\n")
        while True:
            with keys() as typed:
                key = self._next_key(typed)
            # A PIN is typed with the terminal as it was found.
            self._pressed(key)

    def _next_key(self, keys: Keys) -> str:
        while True:
            began = self.monotonic()
            self._refresh()
            if self.monotonic() - began > _SLOW_S:
                # What was typed while the journal was waited for may be older than the screen.
                while keys.read(0) is not None:
                    pass
            key = keys.read(POLL_S)
            if key is not None and self.monotonic() >= self._counts_from:
                return key

    def _refresh(self) -> None:
        """Show what has changed: another request, another text of the same one, or that none waits."""
        queue = self.approvals.queue()
        if queue.elsewhere != self._others:
            self._others = queue.elsewhere
            for env, host, count in queue.elsewhere:
                waits = "request waits" if count == 1 else "requests wait"
                self.say(f"{count} {waits} on {env} ({host}): capcli approve --watch --env {env}\n")
        # It stays with the request that is shown while that waits.
        digests = None if self._current is None else self._current.digests
        same = next((one for one in queue.requests if one.digests == digests), None)
        now = same or next(iter(queue.requests), None)
        if now == self._current and not self._is_stale:
            self._waiting = len(queue.requests)
            return
        if self._current is not None and (now is None or now.digests != self._current.digests):
            self.say("\nIt is no longer waiting: decided elsewhere, sent, withdrawn or expired.\n")
        self._current, self._waiting, self._is_stale = now, len(queue.requests), False
        self._show()

    def _show(self) -> None:
        if self._current is None:
            self.say("\nNothing waits.\n")
        else:
            request, first = self._current, self._current.rows[0]
            text = request.text.splitlines()
            others = self._waiting - 1
            more = f"; {others} more after it" if others else ""
            line = f"Asked by {request.client} at {first.created_at:%H:%M:%S}Z"
            lines = [
                _RULE,
                f"{line}, until {request.expires_at:%H:%M:%S}Z{more}",
                *("".join(each if each.isprintable() else "?" for each in line) for line in text),
                f"Approve it, once? y = yes, n = no, h = halt everything (keys count after {READING_S:g} s)",
            ]
            self.say("\n".join(["", *lines, ""]))
        self._counts_from = self.monotonic() + READING_S

    def _pressed(self, key: str) -> None:
        word = key.lower()
        if word not in {"y", "n", "h"}:
            self._counts_from = self.monotonic() + READING_S
            self.say(f"Only a single key counts: {_KEYS}\n")
            return
        try:
            if word == "h":
                self.say(f"{self.halt()}\n")
            elif self._current is not None:
                if word == "y":
                    self.ask_pin()
                decision = self.approvals.settle(self._current, approved=word == "y", by=_BY)
                self.say(f"{decision.data.sentence}\n")
        except CapcliError as error:
            self.say(f"{error.message}\n")
        # Whatever came of it, the next request or this one once more is a new screen.
        self._current, self._is_stale = None, True


def watch_requests(call: Call) -> NoReturn:
    """Watch on this terminal until the person leaves. Raises NotConfirmed where there is none."""
    streams, app = call.streams, call.build()
    call.require_person(
        "Only a person on a terminal can decide requests: not a pipe, a script or --json. "
        "Nothing was approved.",
        f"{_BY} --env {app.env}",
    )
    call.note_default(app)
    width = streams.terminal(no_colour=True).width or 80

    def say(text: str) -> None:
        streams.result(wrapped(text, width))

    def prove() -> None:
        try:
            ask_pin(call, app)
        except KeyboardInterrupt:
            raise Interrupted("No PIN was typed. Nothing was approved.") from None

    def halt() -> str:
        """Halt as `capcli halt` does: with the orders that can still fill, and the command for them."""
        found = app.halting.halt("", by=_BY, waiting=app.waiting_orders).data
        return f"{found.sentence}\nnext: {call.addressed(found.next)}" if found.next else found.sentence

    where = f"{app.env.upper()} ({app.host})"
    watch = ApprovalWatch(app.approvals, say, streams.monotonic, ask_pin=prove, halt=halt, where=where)
    try:
        watch.run(streams.keys)
    except (KeyboardInterrupt, EOFError):
        say("\nStopped watching. Requests still wait until they expire.\n")
    raise typer.Exit(0)

"""Notifications: an order waits for approval, or was sent without one."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from threading import Lock
from typing import Any, Protocol

from msgspec import Struct

REPEAT_S = 10.0


class Happening(StrEnum):
    """The kinds of notifications."""

    APPROVAL_WAITS = "approval_waits"
    ORDER_SENT = "order_sent"


class Announcement(Struct, frozen=True):
    """A notification; the same `key` within 10 s is announced once.

    A desktop shows environment and code (or attempt) only, the user's own command gets every field but `key`.
    """

    event: Happening
    key: str
    env: str
    account_id: str
    at: datetime
    text: str
    code: str | None = None
    attempt_id: str | None = None
    mandate: str | None = None
    expires_at: datetime | None = None

    @property
    def next(self) -> str:
        """Return the command to continue with."""
        if self.event is Happening.APPROVAL_WAITS:
            return f"capcli approve --watch --env {self.env}"
        return f"capcli history executions --env {self.env}"

    @property
    def title(self) -> str:
        return f"capcli {self.env.upper()}"

    @property
    def line(self) -> str:
        """Return the text for a locked screen: no market, size or amount."""
        if self.event is Happening.APPROVAL_WAITS:
            return f"Something waits for your approval: code {self.code}"
        return f"An order was sent under a mandate: {self.attempt_id}"


FIELDS = tuple(name for name in (*Announcement.__struct_fields__, "next") if name != "key")
"""The fields of the JSON object that CAP_NOTIFY_CMD reads from stdin; null where there is nothing to say."""


class Launch(Protocol):
    """Starts programs; only `run` waits."""

    def __call__(self, argv: Sequence[str], document: bytes) -> None:
        """Start a program with a document on its stdin. Raises OSError where it cannot be started."""

    def run(self, argv: Sequence[str], document: bytes) -> int:
        """Run a program for a limited time and return its exit code. Raises OSError as a call does."""

    def desktop(self, title: str, text: str) -> tuple[str, ...] | None:
        """Return the command that shows a notification; None without a desktop."""


class Announcer:
    """Notifies by the desktop, unless that is off, and by the user's own command, if set."""

    def __init__(
        self,
        launch: Callable[[], Launch],
        monotonic: Callable[[], float],
        *,
        on_desktop: bool,
        command: tuple[str, ...] | None,
    ) -> None:
        self._launch = launch
        self._monotonic = monotonic
        self._on_desktop = on_desktop
        self._command = command
        self._last: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def announce(self, news: Announcement) -> None:
        """Notify a person. Never raises and never waits, so that it cannot affect the order."""
        if not (self._on_desktop or self._command):
            return
        now, key = self._monotonic(), (news.event.value, news.key)
        with self._lock:
            self._last = {one: at for one, at in self._last.items() if 0 <= now - at < REPEAT_S}
            if key in self._last:
                return
            self._last[key] = now
        with suppress(OSError):
            launch = self._launch()
            if self._command is not None:
                # One line, all ASCII, so that text from a broker or a model cannot break it.
                document = {name: _plain(getattr(news, name)) for name in FIELDS}
                with suppress(OSError):
                    launch(self._command, json.dumps(document).encode() + b"\n")
            if self._on_desktop and (argv := launch.desktop(news.title, news.line)) is not None:
                launch(argv, b"")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return "\n".join(
            "".join(letter if letter.isprintable() else " " for letter in line) for line in value.splitlines()
        )
    return value

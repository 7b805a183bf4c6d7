"""Stops a send that has not begun. One that has begun can only be waited for."""

from threading import Lock

from capcli.errors import Interrupted


class SendGate:
    """One per command, shared by its threads: a send that has begun cannot be stopped any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._called_back = False
        self._latest: str | None = None

    @property
    def latest(self) -> str | None:
        """Return the attempt sent last, None while nothing has been sent."""
        with self._lock:
            return self._latest

    def call_back(self) -> bool:
        """Stop all further sends; return whether nothing has been sent."""
        with self._lock:
            self._called_back = True
            return self._latest is None

    def ask(self) -> None:
        """Raise Interrupted after `call_back`."""
        with self._lock:
            self._refuse()

    def go(self, attempt_id: str) -> None:
        """Begin to send an attempt. Raises Interrupted after `call_back`."""
        with self._lock:
            self._refuse()
            self._latest = attempt_id

    def _refuse(self) -> None:
        if self._called_back:
            raise Interrupted("Interrupted. Nothing was sent for it.")

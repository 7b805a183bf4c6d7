"""Calling back what has not been sent yet. What has been sent can only be waited for."""

from threading import Lock

from capcli.errors import Interrupted


class SendGate:
    """One for each command, shared between its threads: a send that begins cannot be called back any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._called_back = False
        self._latest: str | None = None

    @property
    def latest(self) -> str | None:
        """Return the attempt whose sending began last, None while nothing has been sent."""
        with self._lock:
            return self._latest

    def call_back(self) -> bool:
        """Let nothing more be sent from now on; say whether nothing has been sent."""
        with self._lock:
            self._called_back = True
            return self._latest is None

    def ask(self) -> None:
        """Raise Interrupted once it was called back."""
        with self._lock:
            self._refuse()

    def go(self, attempt_id: str) -> None:
        """Begin to send an attempt. Raises Interrupted once it was called back."""
        with self._lock:
            self._refuse()
            self._latest = attempt_id

    def _refuse(self) -> None:
        if self._called_back:
            raise Interrupted("Interrupted. Nothing was sent for it.")

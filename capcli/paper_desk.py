"""What people do to the embedded paper broker: look at it, start it over, serve it to other clients."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capcli.paper.state import PaperStatus


class PaperDesk:
    """The paper broker's state file, for the `paper` commands."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    def status(self) -> "PaperStatus":
        """Return seed, market time, accounts and counts. Amounts in each account's currency."""
        from capcli.paper.state import status

        return status(self._path, self._clock())

    def reset(
        self, *, seed: str | None = None, start: datetime | None = None, limits: bool = True
    ) -> "PaperStatus":
        """Forget every deal and start over with fresh accounts, at `start` (UTC) or now."""
        from capcli.paper.state import reset

        reset(self._path, seed=seed, start=start, limits=limits, at=self._clock())
        return self.status()

    def serve(self, port: int, *, ready: Callable[[str], None]) -> None:
        """Serve the paper broker over loopback HTTP until it is stopped; `ready` gets the base URL."""
        from capcli.paper.serve import serve

        serve(self._path, port=port, clock=self._clock, ready=ready)

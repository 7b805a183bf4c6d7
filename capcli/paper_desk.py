"""What people do to the embedded paper broker: look at it, start it over, serve it to other clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capcli.paper.state import PaperFaults, PaperStatus


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

    def faults(self) -> "PaperFaults":
        """Return what is set to go wrong."""
        from capcli.paper.state import faults_set

        return faults_set(self._path, self._clock())

    def set_fault(
        self,
        name: str,
        *,
        times: int | None = None,
        lasts_s: float | None = None,
        on: str | None = None,
        value: str | None = None,
    ) -> "PaperFaults":
        """Make the paper broker misbehave for every process. Raises UsageError."""
        from capcli.paper.state import set_fault

        with _readable():
            set_fault(self._path, name, at=self._clock(), times=times, lasts_s=lasts_s, on=on, value=value)
        return self.faults()

    def clear_faults(self, name: str | None = None) -> "PaperFaults":
        """Take one fault away, or all of them. Raises UsageError."""
        from capcli.paper.state import clear_faults

        with _readable():
            clear_faults(self._path, name, at=self._clock())
        return self.faults()

    def serve(self, port: int, *, ready: Callable[[str], None]) -> None:
        """Serve the paper broker over loopback HTTP until it is stopped; `ready` gets the base URL."""
        from capcli.paper.serve import serve

        serve(self._path, port=port, clock=self._clock, ready=ready)


@contextmanager
def _readable() -> Iterator[None]:
    from capcli.errors import UsageError
    from capcli.paper.faults import BadFault
    from capcli.settings.table import did_you_mean

    try:
        yield
    except BadFault as error:
        hint = did_you_mean(error.typed, error.known) if error.typed else ""
        raise UsageError(
            f"{error}{hint} Nothing was changed.", next="capcli paper faults set --help"
        ) from None

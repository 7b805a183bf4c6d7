"""Use cases of the embedded paper broker: status, reset, faults, serving it to other clients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from capcli.domain.attempt import AttemptState, Evidence
from capcli.system import private_folder

if TYPE_CHECKING:
    from capcli.paper.state import PaperFaults, PaperStatus
    from capcli.ports.journal import AccountLock, Journal

_RESET = "the paper broker was reset, and what became of this order went with its book"
_ALL = 1_000_000
# How an order ends if its broker was reset.
_ENDS = {
    AttemptState.CLAIMED: (AttemptState.NOT_SENT,),
    AttemptState.SENDING: (AttemptState.ABSENT, AttemptState.NOT_SENT),
    AttemptState.UNKNOWN: (AttemptState.ABSENT, AttemptState.NOT_SENT),
    AttemptState.ACKED: (AttemptState.REJECTED,),
    AttemptState.ABSENT: (AttemptState.NOT_SENT,),
}


class PaperControl:
    """The paper broker's state file, for the `paper` commands."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime],
        journal: "Journal",
        lock: "AccountLock",
        after_reset: Callable[[], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._journal = journal
        self._lock = lock
        self._after_reset = after_reset

    def status(self) -> "PaperStatus":
        """Return seed, market time, accounts and counts. Amounts in each account's currency."""
        from capcli.paper.state import status

        return status(self._path, self._clock())

    def reset(
        self,
        *,
        seed: str | None = None,
        start: datetime | None = None,
        speed: Decimal = Decimal(1),
        ticks: int | None = None,
        replays: Mapping[str, Path] = MappingProxyType({}),
        limits: bool = True,
        accounts: Sequence[tuple[str, Decimal]] = (),
        late_confirms: bool = True,
        real_hours: bool = False,
        markets: Path | None = None,
    ) -> "PaperStatus":
        """Delete every deal and start over with fresh accounts.

        The market's clock begins at `start` (UTC), else with the first replayed bar, else it is real time.
        `speed` is market time per real time, `ticks` per second of each market on the stream, and `replays`
        are files of candles by epic. `accounts` are currencies and cash, by default the usual two; without
        `late_confirms` every confirm is there at once. With `real_hours` only coins trade around the clock,
        and `markets` is a TOML file of more markets. Raises UsageError for a file that cannot be used and an
        account that cannot be opened; then nothing was reset.

        Deleted orders still unresolved are settled in the journal: they would block new ones for ever. Raises
        Busy while an order is being sent; then nothing was reset.
        """
        from capcli.paper.config import OPENINGS, openings
        from capcli.paper.state import reset

        with _readable("capcli paper reset --help"):
            opened = openings(*accounts) if accounts else OPENINGS
        # Attempts that may be live at the embedded broker, and orders presumed not placed.
        waiting = [
            one
            for one in reversed(self._journal.attempts("paper", limit=_ALL))
            if one.host == "paper"
            and (one.state.unresolved or (one.state is AttemptState.ABSENT and one.kind.is_order))
        ]
        with ExitStack() as locks:
            for account_id in sorted({attempt.account_id for attempt in waiting}):
                locks.enter_context(self._lock("paper", "paper", account_id))
            with _readable("capcli paper reset --help"):
                reset(
                    self._path,
                    seed=seed,
                    start=start,
                    speed=speed,
                    ticks=ticks,
                    replays=replays,
                    limits=limits,
                    accounts=opened,
                    late_confirms=late_confirms,
                    real_hours=real_hours,
                    markets=markets,
                    at=self._clock(),
                )
            self._after_reset()
            settled = tuple(attempt.attempt_id for attempt in waiting if self._end(attempt.attempt_id))
        return replace(self.status(), settled=settled)

    def _end(self, attempt_id: str) -> bool:
        """End an attempt because of a reset; False if it had ended already."""
        attempt = self._journal.attempt(attempt_id)
        if attempt is None or attempt.state not in _ENDS:
            return False
        state = attempt.state
        for to_state in _ENDS[state]:
            facts = {"note": _RESET, "evidence": Evidence.HUMAN}
            if not self._journal.move(attempt_id, state, to_state, at=self._clock(), **facts):
                return False
            state = to_state
        return True

    def faults(self) -> "PaperFaults":
        """Return the faults that are set."""
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
        """Clear one fault, or all. Raises UsageError."""
        from capcli.paper.state import clear_faults

        with _readable():
            clear_faults(self._path, name, at=self._clock())
        return self.faults()

    def serve(
        self,
        port: int,
        *,
        tls: bool,
        ready: Callable[[str, str, Path | None], None],
        ended: Callable[[int], None],
        troubled: Callable[[str], None],
        latency_s: float = 0,
        serves: str | None = None,
        name: str | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Serve requests and stream over loopback until it is stopped.

        `ready` gets the base URL, the stream's URL and, with TLS, the file that a client is to trust; `ended`
        how many quotes were sent on streams, `troubled` why an answer is an error of the server's own, and
        `log` every request. Answers come `latency_s` later; `serves` takes the keys of one environment only;
        `name` is another host name that clients may use.
        """
        from capcli.paper.certificates import certificate
        from capcli.paper.serve import Manner, serve, stream_address

        files = certificate(private_folder(self._path.parent), self._clock(), name) if tls else None

        def announce(url: str) -> None:
            ready(url, stream_address(url), files and files.authority)

        serve(
            self._path,
            port=port,
            certificate=files,
            clock=self._clock,
            ready=announce,
            ended=ended,
            troubled=troubled,
            manner=Manner(latency_s, serves, name, log),
        )


@contextmanager
def _readable(then: str = "capcli paper faults set --help") -> Iterator[None]:
    from capcli.errors import UsageError
    from capcli.paper.candle_files import BadReplay
    from capcli.paper.config import BadAccounts
    from capcli.paper.faults import BadFault
    from capcli.paper.market_files import BadMarkets
    from capcli.settings.table import did_you_mean

    options = {BadReplay: "--replay", BadMarkets: "--market", BadAccounts: "--accounts"}
    try:
        yield
    except tuple(options) as error:
        option = options[type(error)]
        raise UsageError(f"{option}: {error} Nothing was changed.", next=then, option=option) from None
    except BadFault as error:
        hint = did_you_mean(error.typed, error.known) if error.typed else ""
        raise UsageError(f"{error}{hint} Nothing was changed.", next=then) from None

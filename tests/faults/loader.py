"""A capcli command that notes what it lost of its turns: `python -m tests.faults.loader FILE WORDS`.

The limiter leaves a download one turn after the other, later ones the slower the broker answers. Lost is the
time in which a turn was there and the download not: since no request waited for it, or since the one that
waited was woken later than the limiter makes up for itself.
"""

import sys
from pathlib import Path
from typing import Any

from capcli.broker.limits import BULK_CATCH_UP_S, Pace
from capcli.cli.io_streams import IOStreams
from capcli.cli.run import main
from capcli.ports import Lane


class Lost:
    def __init__(self) -> None:
        self.seconds = 0.0
        self._until = 0.0

    def note(self, turn: float, started: float) -> None:
        """Add the time from a turn to the start that took it; what overlaps counts once."""
        if self._until:
            self.seconds += max(0.0, started - max(turn + BULK_CATCH_UP_S, self._until))
        self._until = max(self._until, started)


def measure(lost: Lost) -> None:
    real = Pace._moved_on

    def moved_on(self: Pace, allowance: Any, ask: Any, *, forced: bool) -> Any:
        waited_for = ask.at
        after = real(self, allowance, ask, forced=forced)
        if ask.until is not None and ask.lane is Lane.BULK:
            # Whoever did not wait at all comes to a turn that was there since the last step was over.
            lost.note(waited_for or allowance.bulk_after, ask.start)
        return after

    owner: Any = Pace
    owner._moved_on = moved_on


if __name__ == "__main__":
    found = Lost()
    measure(found)
    code = main(sys.argv[2:], IOStreams.of_process())
    Path(sys.argv[1]).write_text(str(found.seconds))
    sys.exit(code)

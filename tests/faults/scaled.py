"""capcli on a clock that runs faster: `python -m tests.faults.scaled FACTOR ARGUMENTS...`.

The clock, the monotonic clock and every sleep are scaled alike, so the quiet period and the gap between two
looks stay what they are by that clock. All processes with one factor agree on the time.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from capcli.app import App
from capcli.runtime import Options, Runtime, utc_now

_ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FastTime:
    """The three functions of time, each by the same factor."""

    factor: float

    def now(self) -> datetime:
        return _ORIGIN + (utc_now() - _ORIGIN) * self.factor

    def monotonic(self) -> float:
        return time.monotonic() * self.factor

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.factor)

    def runtime(self) -> Runtime:
        if self.factor == 1:
            return Runtime()
        return Runtime(clock=self.now, monotonic=self.monotonic, sleep=self.sleep)


def main() -> int:
    """Run the command line with an App that lives faster."""
    fast = FastTime(float(sys.argv[1]))
    real = App.build

    def build(options: Options | None = None, **more: Any) -> App:
        return real(options, **{**more, "runtime": fast.runtime()})

    app: Any = App
    app.build = build
    sys.argv[1:] = sys.argv[2:]
    run: Callable[[], int]
    from capcli.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
